#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The reference interpreter against ONNX Runtime, on random numbers: single operators of odd shapes, and a real model.

    tests/conformance/reference_parity_test.py --tool build/bin/model_tool [--deps .deps]

Reals must lie within 1e-5 of the output's range (a whole model's within 1e-4), float16 within 2e-3; integers and bool must
be equal. What ONNX Runtime
refuses (a type that it has no kernel for) is counted, not judged. Skipped (77) where onnx, onnxruntime or numpy are not
installed.
"""
import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

try:
    import numpy as np
    import onnx
    import onnxruntime as ort
    from onnx import TensorProto, helper
except ImportError as e:
    print(f"skipped: {e}")
    sys.exit(77)

SOURCE = Path(__file__).resolve().parent.parent.parent
OPSET = 21
RNG = np.random.default_rng(20)


def real(*shape, dtype=np.float32, low=-3.0, high=3.0):
    return RNG.uniform(low, high, shape).astype(dtype)


def whole(*shape, dtype=np.int64, low=-5, high=6):
    return RNG.integers(low, high, shape).astype(dtype)


def ints(*values):
    return np.array(values, np.int64)


def unary():
    plain = ("Abs Atan Asinh Ceil Cos Cosh Elu Erf Exp Floor Gelu HardSigmoid HardSwish LeakyRelu Mish Neg Relu Round Selu "
             "Sigmoid Sign Sin Sinh Softplus Softsign Sqrt Tan Tanh ThresholdedRelu Celu Shrink Identity IsNaN IsInf "
             "Softmax LogSoftmax Hardmax ReduceSum ReduceMax ReduceL1 ReduceL2 ReduceLogSumExp ReduceProd ArgMax Flatten "
             "NonZero GlobalAveragePool GlobalMaxPool LpNormalization Det").split()
    for op in plain:
        for dtype in (np.float32, np.float16, np.float64):
            shape = (2, 3, 5, 5) if op in ("GlobalAveragePool", "GlobalMaxPool", "Det") else (2, 3, 5)
            yield op, [real(*shape, dtype=dtype, low=0.1 if op == "Sqrt" else -3)], {}
    for op in ("Acos", "Asin", "Atanh"):
        yield op, [real(4, 5, low=-0.99, high=0.99)], {}
    for op in ("Acosh", "Log", "Reciprocal", "ReduceLogSum"):
        yield op, [real(4, 5, low=1.01, high=9)], {}
    for dtype in (np.int8, np.int32, np.int64):
        for op in ("Abs", "Neg", "Sign", "Relu", "ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd"):
            yield op, [whole(3, 4, dtype=dtype)], {}


def binary():
    for op in "Add Sub Mul Div Max Min Mean Sum Greater Less Equal GreaterOrEqual LessOrEqual PRelu".split():
        a, b = real(2, 3, 4), real(3, 1)
        yield op, [a, b], {}
        if op not in ("Mean", "PRelu"):
            yield op, [whole(3, 4, dtype=np.int32), whole(4, dtype=np.int32, low=1)], {}
    for a in (np.int32, np.int64, np.uint8, np.float32):
        low = 0 if a == np.uint8 else -9
        yield "Mod", [whole(20, dtype=a, low=low, high=10), whole(20, dtype=a, low=1, high=4)], {"fmod": 1}
        if a != np.float32:
            yield "Mod", [whole(20, dtype=a, low=low, high=10), whole(20, dtype=a, low=1, high=4)], {}
    for a in (np.float32, np.int32, np.int64):
        for b in (np.float32, np.int32, np.int64):
            yield "Pow", [whole(4, 5, low=1, high=5).astype(a), whole(5, low=0, high=4).astype(b)], {}
    yield "Clip", [real(3, 4), np.float32(-1), np.float32(0.5)], {}
    yield "Where", [whole(3, 1, low=0, high=2).astype(bool), real(3, 4), real(4)], {}


def casts():
    numbers = {TensorProto.FLOAT: np.float32, TensorProto.FLOAT16: np.float16, TensorProto.DOUBLE: np.float64,
               TensorProto.INT8: np.int8, TensorProto.UINT8: np.uint8, TensorProto.INT32: np.int32,
               TensorProto.INT64: np.int64, TensorProto.BOOL: np.bool_}
    for to in numbers:
        for dtype in numbers.values():
            yield "Cast", [whole(3, 5, low=0, high=100).astype(dtype)], {"to": to}
    yield "Cast", [real(50, low=-100, high=100)], {"to": TensorProto.INT8}
    yield "Cast", [whole(50, low=-1000, high=1000)], {"to": TensorProto.INT8}


def linear():
    yield "MatMul", [real(2, 1, 7, 130), real(3, 130, 5)], {}
    yield "MatMul", [real(130), real(130, 5)], {}
    yield "MatMul", [real(7, 33, dtype=np.float16), real(33, 5, dtype=np.float16)], {}
    yield "Gemm", [real(33, 7), real(5, 33), real(5)], {"transA": 1, "transB": 1, "alpha": 0.5, "beta": 2.0}
    # Within 64: on an x86 without VNNI ONNX Runtime's sums of two larger products saturate.
    yield "MatMulInteger", [whole(7, 33, dtype=np.uint8, low=0, high=256), whole(33, 5, dtype=np.int8, low=-64, high=65),
                            np.uint8(100), np.int8(3)], {}
    for equation, shapes in (("bij,bjk->bik", [(2, 3, 4), (2, 4, 5)]), ("bhqd,bhkd->bhqk", [(2, 3, 4, 5), (2, 3, 6, 5)]),
                             ("ij,jk,kl->il", [(2, 3), (3, 4), (4, 5)]), ("...ij->...ji", [(2, 3, 4)]),
                             ("ii->i", [(4, 4)]), ("abc,cd", [(2, 3, 4), (4, 5)])):
        yield "Einsum", [real(*s) for s in shapes], {"equation": equation}
    yield "QLinearMatMul", [whole(7, 33, dtype=np.uint8, low=0, high=256), np.float32(0.02), np.uint8(120),
                            whole(33, 5, dtype=np.uint8, low=0, high=256), np.float32(0.03), np.uint8(130),
                            np.float32(0.05), np.uint8(128)], {}


def movement():
    x = real(3, 4, 5)
    yield "Transpose", [x], {"perm": [2, 0, 1]}
    yield "Slice", [x, ints(-1, 3), ints(-100, 0), ints(0, 2), ints(-2, -1)], {}
    yield "Concat", [x, real(3, 1, 5)], {"axis": -2}
    yield "Split", [x, ints(1, 3)], {"axis": 1}, 2
    yield "Gather", [x, whole(2, 3, low=-4, high=4)], {"axis": 1}
    yield "GatherElements", [x, whole(3, 2, 5, low=-4, high=4)], {"axis": 1}
    yield "GatherND", [x, whole(3, 2, 1, low=-4, high=4)], {"batch_dims": 1}
    yield "ScatterElements", [x, whole(3, 2, 5, low=-4, high=4), real(3, 2, 5)], {"axis": 1, "reduction": "add"}
    yield "ScatterND", [x, ints(0, 1, 2, 3).reshape(2, 2), real(2, 5)], {"reduction": "max"}
    yield "Expand", [real(3, 1), ints(2, 1, 4)], {}
    yield "Tile", [x, ints(1, 2, 3)], {}
    for mode in ("constant", "reflect", "edge", "wrap"):
        yield "Pad", [x, ints(1, 0, 2, 0, 1, 3)], {"mode": mode}
    yield "Pad", [x, ints(-1, 2), np.float32(7), ints(2)], {}
    yield "DepthToSpace", [real(2, 12, 2, 3)], {"blocksize": 2, "mode": "CRD"}
    yield "SpaceToDepth", [real(2, 3, 4, 6)], {"blocksize": 2}
    yield "CumSum", [x, np.int64(1)], {"exclusive": 1, "reverse": 1}
    yield "TopK", [x, ints(3)], {"axis": 1}, 2
    yield "TopK", [whole(3, 9), ints(4)], {"largest": 0}, 2
    yield "Unique", [whole(20)], {}, 4
    yield "Unique", [whole(6, 2, low=0, high=2)], {"axis": 0}, 4
    yield "OneHot", [whole(3, 2), np.int64(6), np.array([0.5, 2], np.float32)], {"axis": 0}
    yield "Trilu", [real(2, 4, 5), np.int64(-1)], {"upper": 0}
    yield "Range", [np.float32(1), np.float32(2.05), np.float32(0.1)], {}
    yield "ReverseSequence", [real(4, 3, 2), ints(4, 2, 1)], {}
    yield "Compress", [x, np.array([1, 0, 1], bool)], {"axis": 1}


def quantization():
    x, scale = real(3, 4, high=20, low=-20), np.array([0.1, 0.2, 0.05], np.float32)
    for dtype in (np.int8, np.uint8, np.int16, np.uint16):
        yield "QuantizeLinear", [x, np.float32(0.1), np.array(3, dtype)], {}
        yield "QuantizeLinear", [x, scale, np.array([1, 2, 3], dtype)], {"axis": 0}
        yield "DequantizeLinear", [whole(3, 4, low=0, high=100).astype(dtype), scale, np.array([1, 2, 3], dtype)], {"axis": 0}
    yield "QuantizeLinear", [x, real(3, 2, low=0.1, high=1), np.zeros((3, 2), np.int8)], {"axis": 1, "block_size": 2}
    yield "DequantizeLinear", [whole(3, 4).astype(np.int8), real(3, 2)], {"axis": 1, "block_size": 2}
    yield "DequantizeLinear", [whole(3, 4).astype(np.int32), np.float32(0.3)], {}
    yield "DynamicQuantizeLinear", [x], {}, 3


def sampling():
    x, grid = real(2, 3, 5, 7), real(2, 4, 6, 2, low=-1.4, high=1.4)
    for mode in ("linear", "nearest", "cubic"):
        for padding in ("zeros", "border", "reflection"):
            for corners in (0, 1):
                attributes = {"mode": mode, "padding_mode": padding, "align_corners": corners}
                yield "GridSample", [x, grid], attributes
                if mode != "cubic":
                    yield "GridSample", [real(2, 2, 3, 5, 4), real(2, 2, 3, 4, 3, low=-1.4, high=1.4)], attributes
    for corners in (0, 1):
        yield "AffineGrid", [real(2, 2, 3), ints(2, 3, 5, 7)], {"align_corners": corners}
        yield "AffineGrid", [real(1, 3, 4), ints(1, 3, 2, 5, 7)], {"align_corners": corners}
    yield "CenterCropPad", [real(5, 6, 7), ints(2, 9)], {"axes": [1, 2]}
    yield "CenterCropPad", [whole(5, 8), ints(8, 5)], {}
    yield "Col2Im", [real(2, 18, 12), ints(5, 6), ints(3, 3)], {}
    yield "Col2Im", [real(1, 8, 16), ints(5, 6), ints(2, 2)], {"dilations": [1, 2]}
    yield "Col2Im", [real(1, 12, 9), ints(6, 6), ints(2, 2)], {"strides": [2, 2]}
    yield "Col2Im", [real(1, 9, 56), ints(5, 6), ints(3, 3)], {"pads": [2, 1, 2, 3]}


def regions():
    x = real(2, 3, 9, 11)
    corners = real(6, 4, low=0, high=5)
    boxes = np.concatenate([corners[:, :2], corners[:, :2] + corners[:, 2:] + 0.5], axis=1)
    images = ints(0, 1, 1, 0, 1, 0)
    for mode in ("avg", "max"):
        for transform in ("half_pixel", "output_half_pixel"):
            for ratio in (0, 2):
                yield "RoiAlign", [x, boxes, images], {
                    "mode": mode, "coordinate_transformation_mode": transform, "sampling_ratio": ratio,
                    "output_height": 3, "output_width": 2, "spatial_scale": 1.25}
    yield "MaxRoiPool", [x, np.concatenate([images[:, None].astype(np.float32), boxes], axis=1)], {
        "pooled_shape": [3, 2], "spatial_scale": 0.75}
    for centred in (0, 1):
        many = real(2, 40, 4, low=0.5, high=6)
        for limits in ([ints(7), np.float32(0.3)], [ints(40), np.float32(0.5), np.float32(0.2)]):
            yield "NonMaxSuppression", [many, real(2, 3, 40, low=0, high=1), *limits], {"center_point_box": centred}
    yield "DeformConv", [x, real(4, 3, 3, 2), real(2, 12, 7, 10), real(4)], {}
    yield "DeformConv", [real(1, 4, 9, 11), real(6, 2, 3, 3), real(1, 36, 5, 5), real(6), real(1, 18, 5, 5)], {
        "group": 2, "offset_group": 2, "strides": [2, 2], "dilations": [1, 2], "pads": [1, 1, 1, 1]}


def signals():
    for op in ("HannWindow", "HammingWindow", "BlackmanWindow"):
        for periodic in (0, 1):
            yield op, [np.int32(17)], {"periodic": periodic}
    yield "MelWeightMatrix", [np.int64(20), np.int64(400), np.int64(16000), np.float32(20), np.float32(7600)], {}
    for parts in (1, 2):
        for length in (12, 15):
            yield "DFT", [real(2, length, 3, parts), np.int64(length), np.int64(1)], {}
            yield "DFT", [real(2, length, parts)], {"inverse": 1}
        yield "DFT", [real(2, 10, parts), np.int64(16)], {}
    yield "DFT", [real(2, 15, 1)], {"onesided": 1}
    yield "STFT", [real(2, 64, 1), np.int64(10), real(16)], {}
    yield "STFT", [real(2, 64, 1), np.int64(7), real(15), np.int64(15)], {"onesided": 0}


def attention():
    q, k, v = real(2, 4, 5, 8), real(2, 2, 6, 8), real(2, 2, 6, 10)
    yield "Attention", [real(2, 5, 32), real(2, 6, 16), real(2, 6, 20)], {"q_num_heads": 4, "kv_num_heads": 2}
    for attributes in ({}, {"scale": 0.3}, {"softcap": 2.0}, {"is_causal": 1}):
        yield "Attention", [q, real(2, 4, 6, 8), real(2, 4, 6, 10)], attributes
        yield "Attention", [q, k, v], attributes
    yield "Attention", [q, k, v, real(5, 6)], {}
    yield "Attention", [q, k, v, whole(2, 1, 5, 6, low=0, high=2).astype(bool) | np.eye(5, 6, dtype=bool)], {}
    yield "Attention", [q, k, v, real(2, 4, 5, 9), real(2, 2, 3, 8), real(2, 2, 3, 10)], {}, 3
    for attributes in ({}, {"interleaved": 1}):
        yield "RotaryEmbedding", [real(2, 4, 5, 8), real(20, 4), real(20, 4), whole(2, 5, low=0, high=20)], attributes
        yield "RotaryEmbedding", [real(2, 5, 24), real(20, 3), real(20, 3), whole(2, 5, low=0, high=20)], {
            "num_heads": 3, "rotary_embedding_dim": 6, **attributes}


def normalisations():
    x = real(2, 6, 5, 3)
    yield "RMSNormalization", [x, real(3)], {}
    yield "RMSNormalization", [x, real(5, 3)], {"axis": 2}
    yield "LayerNormalization", [x, real(5, 3), real(5, 3)], {"axis": 2}
    yield "GroupNormalization", [x, real(6), real(6)], {"num_groups": 3}
    yield "InstanceNormalization", [x, real(6), real(6)], {}
    yield "Swish", [x], {"alpha": 1.5}
    yield "TensorScatter", [real(2, 3, 8, 4), real(2, 3, 2, 4), ints(1, 7)], {"mode": "circular"}


FAMILIES = [unary, binary, casts, linear, movement, quantization, sampling, regions, signals, attention, normalisations]
OPSETS = {"Attention": 24, "RotaryEmbedding": 23, "RMSNormalization": 23, "Swish": 24, "TensorScatter": 24}


def model_of(op, inputs, attributes, outputs):
    node = helper.make_node(op, [f"x{i}" for i in range(len(inputs))], [f"y{i}" for i in range(outputs)], **attributes)
    given = [helper.make_tensor_value_info(f"x{i}", helper.np_dtype_to_tensor_dtype(np.asarray(x).dtype), np.asarray(x).shape)
             for i, x in enumerate(inputs)]
    made = [onnx.ValueInfoProto(name=f"y{i}") for i in range(outputs)]
    graph = helper.make_graph([node], "one", given, made)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSETS.get(op, OPSET))], ir_version=10)


def difference(got, want, near):
    """What is wrong with an output, or nothing."""
    if got.dtype != want.dtype or got.shape != want.shape:
        return f"{got.dtype} {got.shape} instead of {want.dtype} {want.shape}"
    if want.dtype.kind != "f":
        return "" if np.array_equal(got, want) else "integers differ"
    a, b = got.astype(np.float64), want.astype(np.float64)
    if not np.array_equal(np.isfinite(a), np.isfinite(b)):
        return "infinite or no numbers at different places"
    a, b = a[np.isfinite(b)], b[np.isfinite(b)]
    span = max(float(b.max() - b.min()), float(np.abs(b).max())) if b.size else 0
    worst = float(np.abs(a - b).max()) if b.size else 0
    limit = (2e-3 if want.dtype == np.float16 else near) * span
    return "" if worst <= limit else f"off by {worst:.3g} of {span:.3g}"


class Refused(Exception):
    pass


def compare(tool, folder, model_bytes, inputs, names, near):
    (folder / "m.onnx").write_bytes(model_bytes)
    np.savez(folder / "in.npz", **dict(zip(names, inputs)))
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    try:
        session = ort.InferenceSession(model_bytes, options, providers=["CPUExecutionProvider"])
        wanted = session.run(None, {n: np.asarray(x) for n, x in zip(names, inputs)})
    except Exception as e:  # its own exception types are many
        raise Refused(str(e).splitlines()[0]) from e
    done = subprocess.run([tool, "run", folder / "m.onnx", folder / "in.npz", folder / "out.npz"], capture_output=True,
                          text=True)
    if done.returncode != 0:
        return done.stderr.strip()
    with np.load(folder / "out.npz") as outputs:
        got = {name: outputs[name] for name in outputs.files}
    for output, want in zip(session.get_outputs(), wanted):
        wrong = difference(got[output.name], np.asarray(want), near)
        if wrong:
            return f"{output.name}: {wrong}"
    return ""


def real_models(deps):
    path = deps / "models" / "nmp.onnx"
    if not path.is_file():
        return
    model = onnx.load(path)
    known = {i.name for i in model.graph.initializer}
    inputs, names = [], []
    for value in model.graph.input:
        if value.name in known:
            continue
        shape = [d.dim_value or 1 for d in value.type.tensor_type.shape.dim]
        inputs.append(real(*shape, dtype=helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type), low=0, high=1))
        names.append(value.name)
    yield path.name, path.read_bytes(), inputs, names, 1e-4


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--tool", type=Path, required=True)
    parser.add_argument("--verbose", action="store_true", help="say what ONNX Runtime refuses")
    parser.add_argument("--deps", type=Path, default=SOURCE / ".deps")
    args = parser.parse_args()
    cases = [(f"{case[0]} {case[2]}", model_of(case[0], case[1], case[2], (*case, 1)[3]).SerializeToString(), case[1],
              [f"x{i}" for i in range(len(case[1]))], 1e-5) for family in FAMILIES for case in family()]
    cases += list(real_models(args.deps))
    agreed, refused, problems = 0, [], []
    with tempfile.TemporaryDirectory() as folder:
        for name, model_bytes, inputs, names, near in cases:
            try:
                wrong = compare(args.tool, Path(folder), model_bytes, inputs, names, near)
            except Refused as e:
                refused += [f"{name}: {e}"]
                continue
            agreed += not wrong
            if wrong:
                problems.append(f"{name} of {[f'{np.asarray(x).dtype}{list(np.shape(x))}' for x in inputs]}: {wrong}")
    print("\n".join(problems))
    if args.verbose:
        print("\n".join(refused))
    print(f"{agreed} agree, {len(problems)} do not, ONNX Runtime refuses {len(refused)}")
    # An engine that refuses everything would prove nothing.
    sys.exit(1 if problems or agreed < 200 else 0)


if __name__ == "__main__":
    main()
