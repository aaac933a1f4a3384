#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Small models of old and new opsets, made here: rewritten at many opsets they must compute what they computed.

ONNX Runtime runs the original and what `model_tool rewrite` made of it, on the same random inputs. Each model names the
opsets at which it must be writable; at the others it may be refused, but never wrong. Skipped (77) without onnx or
onnxruntime.
"""
import argparse
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

try:
    import numpy as np
    import onnx
    import onnxruntime as ort
    from onnx import TensorProto, helper, numpy_helper
except ImportError as e:
    print(f"skipped: {e}")
    sys.exit(77)

N = helper.make_node
OPSETS = [7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22]
TOOL = None


def value(name, dims, dtype=TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, dtype, dims)


def constant(name, array):
    return numpy_helper.from_array(np.asarray(array), name)


def model(opset, nodes, inputs, outputs, constants=(), functions=(), domains=(), ir=None):
    graph = helper.make_graph(nodes, "made", inputs, outputs, list(constants))
    ids = [helper.make_opsetid("", opset)] + [helper.make_opsetid(d, 1) for d in domains]
    return helper.make_model(graph, opset_imports=ids, functions=list(functions), ir_version=ir or (8 if opset < 21 else 10))


def run(data, feed):
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    return ort.InferenceSession(data, options, providers=["CPUExecutionProvider"]).run(None, feed)


def random_feed(made, sizes):
    rng = np.random.default_rng(7)
    feed = {}
    for i in made.graph.input:
        t = i.type.tensor_type
        shape = [d.dim_value if d.HasField("dim_value") else sizes.get(d.dim_param, 2) for d in t.shape.dim]
        dtype = helper.tensor_dtype_to_np_dtype(t.elem_type)
        if dtype == np.bool_:
            feed[i.name] = rng.random(shape) < 0.5
        elif dtype.kind in "iu":
            feed[i.name] = rng.integers(0, 3, shape).astype(dtype)
        else:
            feed[i.name] = rng.standard_normal(shape).astype(dtype)
    return feed


def unary(op, opset, dims=(2, 3, 4), **attributes):
    return model(opset, [N(op, ["x"], ["y"], **attributes)], [value("x", dims)], [value("y", dims)])


class Rewritten(unittest.TestCase):
    def check(self, made, writable, sizes=None, feed=None, rtol=1e-4, atol=1e-5):
        """At each opset: the same outputs, or a refusal where `writable` does not want it."""
        feed = feed or random_feed(made, sizes or {})
        data = made.SerializeToString()
        want = run(data, feed)
        with tempfile.TemporaryDirectory() as folder:
            source, out = Path(folder) / "in.onnx", Path(folder) / "out.onnx"
            source.write_bytes(data)
            for opset in OPSETS:
                done = subprocess.run([TOOL, "rewrite", source, out, str(opset)], capture_output=True, text=True)
                if done.returncode != 0:
                    self.assertIn("unsupported:", done.stderr)
                    self.assertNotIn(opset, writable, done.stderr)
                    continue
                written = out.read_bytes()
                with self.subTest(opset=opset):
                    onnx.checker.check_model(onnx.load_from_string(written), full_check=True)
                    try:
                        outputs = run(written, feed)
                    except ort.capi.onnxruntime_pybind11_state.NotImplemented:
                        continue  # the engine's own gap: it has the operator at other opsets only
                    for got, expected in zip(outputs, want):
                        self.assertEqual(got.dtype, expected.dtype)
                        np.testing.assert_allclose(got, expected, rtol=rtol, atol=atol)

    def test_softmaxes_of_all_opsets_and_axes(self):
        for op in ("Softmax", "LogSoftmax", "Hardmax"):
            for opset in (7, 11, 13):
                for axis in (0, 1, 2, 3, -1, -2) if opset > 7 else (0, 1, 2, 3):
                    with self.subTest(op=op, opset=opset, axis=axis):
                        self.check(unary(op, opset, ("B", 3, 4, 5), axis=axis), OPSETS if opset > 11 else [])
                        self.check(unary(op, opset, (2, 3, 4, 5), axis=axis), OPSETS)

    def test_activations_that_old_opsets_lack(self):
        everywhere = OPSETS[2:]
        self.check(unary("Gelu", 20), everywhere)
        self.check(unary("Gelu", 20, approximate="tanh"), OPSETS)
        self.check(unary("HardSwish", 14), OPSETS)
        self.check(unary("Mish", 18), OPSETS)
        self.check(unary("Celu", 12, alpha=0.7), OPSETS)
        self.check(unary("Celu", 12), OPSETS)

    def test_normalisations(self):
        scale, bias = constant("s", np.float32([1, 2, 3, 4])), constant("b", np.float32([4, 3, 2, 1]))
        x, y = value("x", ["B", 3, 4]), value("y", ["B", 3, 4])
        self.check(model(17, [N("LayerNormalization", ["x", "s", "b"], ["y"], epsilon=1e-3)], [x], [y], [scale, bias]), OPSETS)
        self.check(model(17, [N("LayerNormalization", ["x", "s"], ["y"])], [x], [y], [scale]), OPSETS)
        x, y = value("x", [2, 4, 3, 5]), value("y", [2, 4, 3, 5])
        self.check(model(21, [N("GroupNormalization", ["x", "s", "b"], ["y"], num_groups=2)], [x], [y], [scale, bias]), OPSETS)
        per_group = [constant("s", np.float32([1, 2])), constant("b", np.float32([2, 1]))]
        for channels in (4, "C"):
            x, y = value("x", [2, channels, 3, 5]), value("y", [2, channels, 3, 5])
            # ONNX Runtime has no such kernel before 21: what it must be is computed here.
            made = model(18, [N("GroupNormalization", ["x", "s", "b"], ["y"], num_groups=2)], [x], [y], per_group)
            self.check_group_norm(made)
        mean, var = constant("m", np.float32([0, 1, 2, 3])), constant("v", np.float32([1, 2, 3, 4]))
        x, y = value("x", [2, 4, 3]), value("y", [2, 4, 3])
        for opset in (7, 9, 14):
            node = N("BatchNormalization", ["x", "s", "b", "m", "v"], ["y"], epsilon=1e-3)
            self.check(model(opset, [node], [x], [y], [scale, bias, mean, var]), OPSETS)

    def check_group_norm(self, made):
        feed = random_feed(made, {"C": 4})
        x = feed["x"].reshape(2, 2, -1)
        normal = ((x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)).reshape(feed["x"].shape)
        spread = lambda v: np.repeat(np.float32(v), 2).reshape(1, 4, 1, 1)
        want = normal * spread([1, 2]) + spread([2, 1])
        with tempfile.TemporaryDirectory() as folder:
            source, out = Path(folder) / "in.onnx", Path(folder) / "out.onnx"
            source.write_bytes(made.SerializeToString())
            for opset in (13, 17, 21, 22):
                subprocess.run([TOOL, "rewrite", source, out, str(opset)], check=True)
                np.testing.assert_allclose(run(out.read_bytes(), feed)[0], want, rtol=1e-4, atol=1e-5)

    def test_resizing(self):
        x, y = value("x", [1, 2, 4, 6]), value("y", [None] * 4)
        up, down = constant("k", np.float32([1, 1, 2, 3])), constant("k", np.float32([1, 1, 0.5, 0.4]))
        nothing = [constant("none", np.float32([]))]
        for mode in ("nearest", "linear"):
            self.check(model(7, [N("Upsample", ["x"], ["y"], scales=[1.0, 1.0, 2.0, 3.0], mode=mode)], [x], [y]), OPSETS)
            self.check(model(9, [N("Upsample", ["x", "k"], ["y"], mode=mode)], [x], [y], [up]), OPSETS)
            self.check(model(10, [N("Resize", ["x", "k"], ["y"], mode=mode)], [x], [y], [up]), OPSETS)
            self.check(model(10, [N("Resize", ["x", "k"], ["y"], mode=mode)], [x], [y], [down]), OPSETS[3:])
            self.check(model(11, [N("Resize", ["x", "none", "k"], ["y"], mode=mode)], [x], [y], nothing + [up]), OPSETS[4:])
        sizes = [constant("n", np.int64([1, 2, 7, 3]))]
        for transform in ("half_pixel", "align_corners", "asymmetric", "pytorch_half_pixel"):
            node = N("Resize", ["x", "none", "none", "n"], ["y"], mode="linear", coordinate_transformation_mode=transform)
            self.check(model(11, [node], [x], [y], nothing + sizes), OPSETS[4:])
        node = N("Resize", ["x", "none", "k"], ["y"], coordinate_transformation_mode="tf_half_pixel_for_nn", nearest_mode="floor")
        self.check(model(11, [node], [x], [y], nothing + [up]), OPSETS[4:])
        self.check(model(11, [node], [x], [y], nothing + [down]), OPSETS[4:])

    def test_attributes_that_became_inputs(self):
        x, y = value("x", [2, 3, 4]), value("y", None)
        for opset in (7, 11, 12):
            self.check(model(opset, [N("ReduceSum", ["x"], ["y"], axes=[1], keepdims=0)], [x], [y]), OPSETS)
            self.check(model(opset, [N("ReduceMean", ["x"], ["y"])], [x], [y]), OPSETS)
            self.check(model(opset, [N("Unsqueeze", ["x"], ["u"], axes=[0, 2]), N("Squeeze", ["u"], ["y"], axes=[0])], [x], [y]), OPSETS)
            self.check(model(opset, [N("Split", ["x"], ["y", "z"], axis=2, split=[1, 3])], [x], [y, value("z", None)]), OPSETS)
            self.check(model(opset, [N("Split", ["x"], ["y", "z"], axis=2)], [x], [y, value("z", None)]), OPSETS)
        for opset in (7, 9, 10):
            pads = {"pads": [0, 0, 1, 0, 1, 2]}
            self.check(model(opset, [N("Clip", ["x"], ["y"], min=-0.5, max=0.5)], [x], [y]), OPSETS)
            self.check(model(opset, [N("Clip", ["x"], ["y"], max=0.5)], [x], [y]), OPSETS)
            self.check(model(opset, [N("Pad", ["x"], ["y"], value=1.5, **pads)], [x], [y]), OPSETS)
            self.check(model(opset, [N("Pad", ["x"], ["y"], mode="reflect", **pads)], [x], [y]), OPSETS)
            self.check(model(opset, [N("Dropout", ["x"], ["y"], ratio=0.3)], [x], [y]), OPSETS)
        for opset in (7, 9):
            self.check(model(opset, [N("Slice", ["x"], ["y"], axes=[0, 2], starts=[0, -3], ends=[9, -1])], [x], [y]), OPSETS)
            self.check(model(opset, [N("Slice", ["x"], ["y"], starts=[1, 1], ends=[2, 3])], [x], [y]), OPSETS)
            both = [y, value("z", None, TensorProto.INT64)]
            self.check(model(opset, [N("TopK", ["x"], ["y", "z"], k=2, axis=1)], [x], both), OPSETS)

    def test_new_habits_of_old_operators(self):
        x, y = value("x", [2, 3, 7]), value("y", None)
        ints = lambda name, *v: constant(name, np.int64(v))
        self.check(model(18, [N("Split", ["x"], ["y", "z"], axis=2, num_outputs=2)], [x], [y, value("z", None)]), OPSETS)
        self.check(model(18, [N("Pad", ["x", "p", "", "a"], ["y"])], [x], [y], [ints("p", 1, 2), ints("a", -1)]), OPSETS)
        self.check(model(15, [N("Shape", ["x"], ["y"], start=1, end=-1)], [x], [value("y", None, TensorProto.INT64)]), OPSETS)
        self.check(model(13, [N("ReduceSum", ["x"], ["y"], noop_with_empty_axes=1)], [x], [y]), OPSETS)
        self.check(model(13, [N("Pow", ["x", "k"], ["y"])], [x], [y], [constant("k", np.int32(2))]), OPSETS)
        self.check(model(16, [N("GreaterOrEqual", ["x", "x"], ["y"])], [x], [value("y", None, TensorProto.BOOL)]), OPSETS[4:])
        self.check(model(11, [N("Gemm", ["x", "w"], ["y"])], [value("x", [2, 3])], [y], [constant("w", np.ones((3, 4), np.float32))]), OPSETS)
        self.check(model(10, [N("Mod", ["x", "k"], ["y"], fmod=1)], [x], [y], [constant("k", np.float32(0.3))]), OPSETS[3:])

    def test_sampling(self):
        x, y = value("x", [1, 2, 5, 5]), value("y", None)
        for mode in ("bilinear", "nearest", "bicubic"):
            made = model(16, [N("GridSample", ["x", "g"], ["y"], mode=mode)], [x, value("g", [1, 3, 3, 2])], [y])
            self.check(made, OPSETS[9:])
        made = model(10, [N("RoiAlign", ["x", "r", "b"], ["y"], output_height=2, output_width=2, spatial_scale=0.5)], [x], [y],
                     [constant("r", np.float32([[0, 0, 4, 4]])), constant("b", np.int64([0]))])
        self.check(made, OPSETS[3:])

    def test_quantization(self):
        x, y = value("x", [2, 3, 4]), value("y", [2, 3, 4])
        for scale, zero, opsets in ((np.float32(0.1), np.uint8(128), OPSETS[3:]), (np.float32([0.1, 0.2, 0.3]), np.int8([0, 1, 2]), OPSETS[6:])):
            made = model(13, [N("QuantizeLinear", ["x", "s", "z"], ["q"]), N("DequantizeLinear", ["q", "s", "z"], ["y"])], [x], [y],
                         [constant("s", scale), constant("z", zero)])
            self.check(made, opsets)

    def test_recurrent_networks(self):
        rng = np.random.default_rng(1)
        weight = lambda name, *shape: constant(name, rng.standard_normal(shape).astype(np.float32))
        for op, gates in (("LSTM", 4), ("GRU", 3), ("RNN", 1)):
            made = model(7, [N(op, ["x", "w", "r", "b"], ["y", "h"], hidden_size=5, direction="bidirectional")],
                         [value("x", ["T", 2, 3])], [value("y", None), value("h", None)],
                         [weight("w", 2, 5 * gates, 3), weight("r", 2, 5 * gates, 5), weight("b", 2, 10 * gates)])
            self.check(made, OPSETS, {"T": 6})

    def test_functions_are_inlined(self):
        def referring(node, attribute, of, kind):
            a = node.attribute.add()
            a.name, a.ref_attr_name, a.type = attribute, of, kind
            return node
        own = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
        scale = helper.make_function("own", "Scale", ["v"], ["w"], [
            referring(N("Constant", [], ["k"]), "value_float", "by", 1), N("Mul", ["v", "k"], ["w"])], own, ["by"])
        twice = helper.make_function("own", "Twice", ["a"], ["b", "c"], [
            N("Neg", ["a"], ["c"]), N("Scale", ["a"], ["t"], domain="own", by=3.0),
            referring(N("Scale", ["t"], ["b"], domain="own"), "by", "last", 1)], own,
            attribute_protos=[helper.make_attribute("last", 5.0)])
        made = model(17, [N("Twice", ["x"], ["m", "n"], domain="own"), N("Twice", ["m"], ["o", "p"], domain="own", last=7.0),
                          N("Add", ["o", "n"], ["y"])], [value("x", [4])], [value("y", [4])], functions=[scale, twice], domains=["own"])
        self.check(made, OPSETS)

    def test_bodies(self):
        inner = lambda op, *names: helper.make_graph([N(op, ["x", names[0]], ["r"])], op, [], [value("r", None)],
                                                     [constant("k", np.float32([2, 3, 4]))])
        choose = N("If", ["c"], ["y"], then_branch=inner("Add", "k"), else_branch=inner("Mul", "x"))
        for condition in (True, False):
            made = model(13, [choose], [value("x", [3]), value("c", [], TensorProto.BOOL)], [value("y", [3])])
            self.check(made, OPSETS, feed={"x": np.float32([1, 2, 3]), "c": np.array(condition)})
        body = helper.make_graph([N("Add", ["v", "x"], ["vo"]), N("Mul", ["vo", "x"], ["s"])], "body",
                                 [value("i", [], TensorProto.INT64), value("c", [], TensorProto.BOOL), value("v", [3])],
                                 [value("c", [], TensorProto.BOOL), value("vo", [3]), value("s", [3])])
        made = model(13, [N("Loop", ["m", "", "x"], ["y", "ys"], body=body)], [value("x", [3])], [value("y", [3]), value("ys", [None, 3])],
                     [constant("m", np.int64(4))])
        self.check(made, OPSETS)
        body = helper.make_graph([N("Add", ["s", "e"], ["so"]), N("Identity", ["so"], ["st"])], "body",
                                 [value("s", [2]), value("e", [2])], [value("so", [2]), value("st", [2])])
        made = model(8, [N("Scan", ["", "s0", "x"], ["t", "ts"], num_scan_inputs=1, directions=[1], body=body)],
                     [value("s0", ["B", 2]), value("x", ["B", 3, 2])], [value("t", ["B", 2]), value("ts", ["B", 3, 2])])
        self.check(made, OPSETS[2:], {"B": 3})

    def test_outputs_that_are_inputs_or_constants_or_given_twice(self):
        made = model(17, [N("Relu", ["x"], ["y"])], [value("x", [3])], [value("y", [3]), value("x", [3]), value("k", [2])],
                     [constant("k", np.float32([1, 2]))])
        self.check(made, OPSETS)

    def test_values_outside_of_the_file(self):
        made = model(17, [N("Mul", ["x", "w"], ["m"]), N("Add", ["m", "v"], ["y"])], [value("x", [300])], [value("y", [300])],
                     [constant("w", np.arange(300, dtype=np.float32)), constant("v", np.ones(300, np.float32))])
        feed = random_feed(made, {})
        want = run(made.SerializeToString(), feed)[0]
        with tempfile.TemporaryDirectory() as folder:
            source, out = Path(folder) / "in.onnx", Path(folder) / "out.onnx"
            onnx.save(made, source, save_as_external_data=True, location="weights.bin", size_threshold=100)
            subprocess.run([TOOL, "rewrite", source, out, "17"], check=True)
            np.testing.assert_allclose(run(out.read_bytes(), feed)[0], want)
            subprocess.run([TOOL, "rewrite", source, out, "17", "1000"], check=True)
            self.assertEqual((Path(folder) / "out.onnx.data").stat().st_size, 4096 + 1200)
            onnx.checker.check_model(str(out), full_check=True)
            session = ort.InferenceSession(str(out), providers=["CPUExecutionProvider"])
            np.testing.assert_allclose(session.run(None, feed)[0], want)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tool", type=Path, required=True)
    args, rest = parser.parse_known_args()
    TOOL = args.tool
    unittest.main(argv=[sys.argv[0]] + rest)
