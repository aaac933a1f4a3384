# SPDX-License-Identifier: Apache-2.0
"""The same inputs through TensorFlow Lite Micro, LiteRT's reference kernels, ONNX Runtime, and our reference."""
import base64
import subprocess

import numpy as np
import onnx
import onnxruntime as ort
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from tflite_builder import TYPES
from tflite_micro.python.tflite_micro import runtime


class Refused(Exception):
    pass


def tool(path, *arguments):
    done = subprocess.run([path, *map(str, arguments)], capture_output=True, text=True, timeout=120)
    if done.returncode != 0:
        raise Refused(done.stderr.strip() or f"exit status {done.returncode}")


NUMPY = {code: dtype for dtype, code in TYPES.items()}


def signature(data):
    """(name, shape, dtype) of inputs and outputs, in the file's order."""
    graph = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(data, 0)).subgraphs[0]
    described = lambda t: (t.name.decode(), tuple(() if t.shape is None else t.shape), NUMPY[t.type])
    return tuple([described(graph.tensors[i]) for i in ids] for ids in (graph.inputs, graph.outputs))


def float_operators(data):
    """Names of operators that compute in float, but QUANTIZE and DEQUANTIZE."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(data, 0))
    names = {v: k for k, v in vars(schema.BuiltinOperator).items() if isinstance(v, int)}
    graph, out = model.subgraphs[0], []
    for op in graph.operators:
        name = names[model.operatorCodes[op.opcodeIndex].builtinCode]
        if name not in ("QUANTIZE", "DEQUANTIZE") and len(op.outputs) > 0 and graph.tensors[op.outputs[0]].type == schema.TensorType.FLOAT32:
            out.append(name)
    return out


def random_inputs(data, rng, runs):
    def one(shape, dtype):
        if np.issubdtype(dtype, np.floating):
            return rng.normal(0, 2, shape).astype(dtype)
        info = np.iinfo(dtype)
        return rng.integers(info.min, info.max, shape, endpoint=True).astype(dtype)

    return [[one(shape, dtype) for _, shape, dtype in signature(data)[0]] for _ in range(runs)]


def run_micro(data, runs):
    try:
        interpreter = runtime.Interpreter.from_bytes(data, arena_size=1 << 20)
    except Exception as e:
        raise Refused(f"TFLM: {e}") from e
    outputs = len(signature(data)[1])
    got = []
    for inputs in runs:
        for i, x in enumerate(inputs):
            interpreter.set_input(x, i)
        try:
            interpreter.invoke()
        except RuntimeError as e:
            raise Refused(f"TFLM: {e}") from e
        got.append([np.array(interpreter.get_output(i)) for i in range(outputs)])
    return got


def run_litert(data, runs):
    """Its reference kernels; where they lack the operator, the others without XNNPACK."""
    for kind in (OpResolverType.BUILTIN_REF, OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES):
        try:
            interpreter = Interpreter(model_content=data, experimental_op_resolver_type=kind)
            interpreter.allocate_tensors()
            break
        except Exception as e:
            refusal = Refused(f"LiteRT: {e}")
    else:
        raise refusal
    got = []
    for inputs in runs:
        for d, x in zip(interpreter.get_input_details(), inputs):
            interpreter.set_tensor(d["index"], x)
        try:
            interpreter.invoke()
        except RuntimeError as e:
            raise Refused(f"LiteRT: {e}") from e
        got.append([interpreter.get_tensor(d["index"]).copy() for d in interpreter.get_output_details()])
    return got


def run_ours(tool_path, folder, data, runs):
    ins, outs = signature(data)
    (folder / "run.tflite").write_bytes(data)
    files = []
    for k, inputs in enumerate(runs):
        np.savez(folder / f"in{k}.npz", **{n: x for (n, _, _), x in zip(ins, inputs)})
        files += [folder / f"in{k}.npz", folder / f"out{k}.npz"]
    tool(tool_path, "run", folder / "run.tflite", *files)
    got = []
    for k in range(len(runs)):
        with np.load(folder / f"out{k}.npz") as z:
            got.append([z[n] for n, _, _ in outs])
    return got


def run_onnx(path, runs, optimised=True):
    """State values of the metadata are handed on from run to run. Not `optimised`: without ONNX Runtime's rewriting of
    QDQ graphs, which at opset 21 gives some int8 values a zero point of uint8, and then refuses its own result."""
    options = ort.SessionOptions()
    if not optimised:
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level, options.intra_op_num_threads = 4, 1
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    meta = {p.key: p.value for p in onnx.load(str(path)).metadata_props}
    types = {i.name: i for i in session.get_inputs()}
    states, after = {}, {}
    for key, text in meta.items():
        if not key.startswith("oree.state.") or key.endswith(".initial"):
            continue
        fields = dict(part.split("=", 1) for part in text.split(","))
        dtype = {"tensor(int8)": np.int8, "tensor(int16)": np.int16, "tensor(float)": np.float32}[types[fields["input"]].type]
        states[fields["input"]] = np.zeros(types[fields["input"]].shape, dtype)
        if key + ".initial" in meta:  # else zeros
            raw = base64.b64decode(meta[key + ".initial"])
            states[fields["input"]] = np.frombuffer(raw, dtype).reshape(types[fields["input"]].shape)
        after[fields["input"]] = fields["output"]
    names = [i.name for i in session.get_inputs() if i.name not in states]
    outputs = [o.name for o in session.get_outputs()]
    got = []
    for inputs in runs:
        out = dict(zip(outputs, session.run(None, {**dict(zip(names, inputs)), **states})))
        states = {k: out[v] for k, v in after.items()}
        got.append([out[o] for o in outputs if o not in after.values()])
    return got
