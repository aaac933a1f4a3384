#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""ONNX's conformance cases through the TFLite writer: what it writes must compute in LiteRT what the case says.

    tests/tflite_cases_test.py build/bin/model_tool [--list]

For each case: ONNX file -> graph -> TFLite file -> LiteRT, once with the plain kernels. What the writer refuses is
counted, never excused; what it writes and LiteRT computes otherwise is a failure. And once more -> graph -> ONNX ->
ONNX Runtime, from the TFLite file. Without the packages or the cases everything is skipped (exit status 77).
"""
import argparse
import collections
import os
import pathlib
import subprocess
import sys
import tempfile
import warnings

try:
    import numpy
    import onnx
    import onnxruntime
    from ai_edge_litert.interpreter import Interpreter, OpResolverType
    from onnx import numpy_helper
except ImportError as e:
    print(f"skipped: {e}")
    sys.exit(77)

DATA = pathlib.Path(os.environ.get("OREE_ONNX_TESTDATA", "/usr/share/libonnx-testdata/data"))
PASSED_MIN = 763
# Numbers beyond the range of float32, in which a TFLite file computes.
EXCUSED = {
    "test_operator_add_broadcast",
    "test_operator_add_size1_right_broadcast",
    "test_operator_add_size1_singleton_broadcast",
    "test_operator_addconstant",
}


def tensors(folder, kind):
    out = []
    for i in range(100):
        path = folder / f"{kind}_{i}.pb"
        if not path.exists():
            return out
        tensor = onnx.TensorProto()
        tensor.ParseFromString(path.read_bytes())
        out.append(numpy_helper.to_array(tensor))
    return out


def run_tflite(path, inputs, model):
    litert = Interpreter(str(path), experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES)
    litert.allocate_tensors()
    wanted = [i.name for i in model.graph.input]
    details = litert.get_input_details()
    for detail in details:
        value = inputs[wanted.index(detail["name"])] if detail["name"] in wanted else None
        if value is None:
            raise ValueError(f"an input '{detail['name']}' that the model has not")
        if tuple(detail["shape"]) != value.shape:
            litert.resize_tensor_input(detail["index"], value.shape)
    litert.allocate_tensors()
    for detail in details:
        litert.set_tensor(detail["index"], inputs[wanted.index(detail["name"])])
    litert.invoke()
    found = {d["name"]: litert.get_tensor(d["index"]) for d in litert.get_output_details()}
    ordered = [litert.get_tensor(d["index"]) for d in litert.get_output_details()]
    return [found.get(o.name, ordered[min(i, len(ordered) - 1)]) for i, o in enumerate(model.graph.output)]


def run_onnx(path, inputs, model):
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    wanted = [i.name for i in model.graph.input]
    feed = {i.name: inputs[wanted.index(i.name)] for i in session.get_inputs()}
    found = dict(zip([o.name for o in session.get_outputs()], session.run(None, feed)))
    ordered = list(found.values())
    return [found.get(o.name, ordered[min(i, len(ordered) - 1)]) for i, o in enumerate(model.graph.output)]


def difference(wanted, found):
    for w, f in zip(wanted, found):
        if w.shape != f.shape:
            return f"shape {f.shape}, expected {w.shape}"
        if w.dtype != f.dtype:
            return f"{f.dtype}, expected {w.dtype}"
        loose = 2e-2 if w.dtype == numpy.float16 else 1e-3
        if not numpy.allclose(w.astype("f8"), f.astype("f8"), rtol=loose, atol=1e-5 if loose < 1e-2 else 1e-2, equal_nan=True):
            return f"differs by {numpy.nanmax(numpy.abs(w.astype('f8') - f.astype('f8'))):.3g}"
    return None


def shapes(model, inputs):
    """What the file leaves open the data says."""
    out = []
    for value, tensor in zip(model.graph.input, inputs):
        dims = value.type.tensor_type.shape.dim
        if any(not d.HasField("dim_value") for d in dims) and tensor.ndim:
            out.append(f"{value.name}={','.join(map(str, tensor.shape))}")
    return out


def one(tool, folder, scratch):
    """(verdict, reason) of a case: refused, passed, failed."""
    model = onnx.load(folder / "model.onnx")
    try:
        inputs, outputs = tensors(folder / "test_data_set_0", "input"), tensors(folder / "test_data_set_0", "output")
    except Exception as e:  # sequences and optionals are no tensors
        return "skipped", str(e)[:80]
    if not outputs or any(v.dtype.kind in "OUS" for v in inputs + outputs):
        return "skipped", "no tensors of numbers"
    written, back = scratch / "case.tflite", scratch / "case.onnx"
    for path in (written, back):
        path.unlink(missing_ok=True)
    done = subprocess.run([tool, "rewrite", folder / "model.onnx", written, *shapes(model, inputs)], capture_output=True,
                          text=True, timeout=60, check=False)
    if done.returncode < 0 or done.returncode in (1, 70, 134, 139):
        return "failed", f"exit {done.returncode}: {done.stderr[-200:]}"
    if done.returncode != 0:
        return "refused", done.stderr.strip()
    try:
        found = run_tflite(written, inputs, model)
    except Exception as e:
        return "failed", f"LiteRT: {str(e)[:150]}"
    bad = difference(outputs, found)
    if bad:
        return "failed", f"LiteRT {bad}"
    done = subprocess.run([tool, "rewrite", written, back], capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != 0:
        return "failed", f"back: {done.stderr.strip()[-200:]}"
    try:
        bad = difference(outputs, run_onnx(back, inputs, model))
    except Exception as e:
        return "failed", f"back: ONNX Runtime: {str(e)[:150]}"
    return ("failed", f"back: {bad}") if bad else ("passed", "")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("tool")
    parser.add_argument("--only", help="cases whose name holds this")
    parser.add_argument("--list", action="store_true", help="say of each case that is not passed why")
    args = parser.parse_args()
    warnings.filterwarnings("ignore")
    folders = sorted(p.parent for p in DATA.rglob("model.onnx") if not args.only or args.only in str(p.parent))
    if not folders:
        print(f"skipped: no cases in {DATA}")
        sys.exit(77)
    verdicts = collections.Counter()
    with tempfile.TemporaryDirectory() as scratch:
        for folder in folders:
            verdict, reason = one(args.tool, folder, pathlib.Path(scratch))
            if verdict == "failed" and folder.name in EXCUSED:
                verdict = "excused"
            verdicts[verdict] += 1
            if verdict == "failed" or args.list and verdict != "passed":
                print(f"{verdict}: {folder.name}: {reason}", flush=True)
    print(dict(verdicts))
    sys.exit(verdicts["failed"] > 0 or (not args.only and verdicts["passed"] < PASSED_MIN))


if __name__ == "__main__":
    main()
