#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""oree quantize --engine tflm, held to TensorFlow Lite Micro: small networks of the kinds that run on microcontrollers,
made here, quantized, and run byte for byte in TFLM, in the reference interpreter and in LiteRT.

  - TFLM takes every file, and has integers at both ends
  - the reference interpreter equals TFLM in every byte
  - LiteRT's reference kernels are off by STEPS_LITERT at most: their fully connected layers round another product of scales
  - what the integers stand for is near to the float network
Skipped (77) without the packages.
"""
import argparse
import json
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
try:
    import numpy as np
    import onnx
    import onnxruntime as ort
    import quantized_engines as engines
    from ai_edge_litert import schema_py_generated as schema
    from onnx import TensorProto, helper, numpy_helper
except ImportError as e:
    print(f"skipped: {e}")
    sys.exit(77)

OREE, TOOL = None, None
SAMPLES, STEPS_LITERT = 32, 2  # one such rounding, carried through the layers behind


class Builder:
    """A float network of ONNX's operators, with random weights of a size that keeps its values near 1."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        self.nodes, self.constants, self.count = [], [], 0

    def constant(self, array):
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def add(self, op, inputs, **attributes):
        self.count += 1
        out = f"{op.lower()}_{self.count}"
        self.nodes.append(helper.make_node(op, inputs, [out], **attributes))
        return out

    def weights(self, shape, fan_in):
        return self.constant(self.rng.normal(0, (2 / fan_in) ** 0.5, shape).astype(np.float32))

    def bias(self, n):
        return self.constant(self.rng.normal(0, 0.2, n).astype(np.float32))

    def conv(self, x, from_, to, kernel=3, stride=1, group=1, dims=2):
        fan = from_ // group * kernel**dims
        w = self.weights([to, from_ // group] + [kernel] * dims, fan)
        pad = kernel // 2
        return self.add("Conv", [x, w, self.bias(to)], pads=[pad] * (2 * dims), strides=[stride] * dims, group=group)

    def dense(self, x, from_, to):
        return self.add("Gemm", [x, self.weights([from_, to], from_), self.bias(to)])

    def relu(self, x):
        return self.add("Relu", [x])

    def flat(self, x):
        return self.add("Flatten", [x], axis=1)

    def model(self, shape, output):
        info = helper.make_tensor_value_info
        graph = helper.make_graph(self.nodes, "net", [info("x", TensorProto.FLOAT, shape)],
                                  [info(output, TensorProto.FLOAT, None)], self.constants)
        model = onnx.shape_inference.infer_shapes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]))
        model.ir_version = 8
        onnx.checker.check_model(model)
        return model


def keywords(seed):
    """Separable convolutions over a spectrogram, a mean, twelve words."""
    b = Builder(seed)
    x = b.relu(b.conv("x", 1, 8, stride=2))
    for to in (12, 16):
        from_ = 8 if to == 12 else 12
        x = b.relu(b.conv(x, from_, from_, group=from_))
        x = b.relu(b.conv(x, from_, to, kernel=1))
    x = b.add("MaxPool", [x], kernel_shape=[2, 2], strides=[2, 2])
    x = b.flat(b.add("GlobalAveragePool", [x]))
    return b.model([1, 1, 20, 16], b.add("Softmax", [b.dense(x, 16, 12)], axis=-1)), [1, 1, 20, 16]


def signals(seed):
    """One-dimensional convolutions over three axes of an accelerometer."""
    b = Builder(seed)
    x = b.relu(b.conv("x", 3, 8, kernel=5, stride=2, dims=1))
    x = b.relu(b.conv(x, 8, 12, kernel=3, stride=2, dims=1))
    x = b.dense(b.flat(x), 12 * 16, 4)
    return b.model([1, 3, 64], b.add("Softmax", [x], axis=-1)), [1, 3, 64]


def autoencoder(seed):
    """What is normal about a machine: dense layers down and up again."""
    b, x, sizes = Builder(seed), "x", [48, 32, 8, 32, 48]
    for from_, to in zip(sizes, sizes[1:]):
        x = b.dense(x, from_, to)
        if to != 48:
            x = b.relu(x)
    return b.model([1, 48], x), [1, 48]


def blocks(seed):
    """Residuals, joins and gates: Add, Concat, ReduceMean, Sigmoid, HardSwish, AveragePool."""
    b = Builder(seed)
    x = b.add("HardSwish", [b.conv("x", 3, 8)])
    x = b.add("Add", [x, b.conv(x, 8, 8)])
    squeeze = b.add("ReduceMean", [x], axes=[2, 3], keepdims=1)
    x = b.add("Mul", [x, b.add("Sigmoid", [b.conv(squeeze, 8, 8, kernel=1)])])
    x = b.add("Concat", [x, b.relu(b.conv(x, 8, 4, kernel=1))], axis=1)
    x = b.add("AveragePool", [x], kernel_shape=[2, 2], strides=[2, 2])
    return b.model([1, 3, 12, 12], b.dense(b.flat(x), 12 * 36, 6)), [1, 3, 12, 12]


NETWORKS = {f.__name__: f for f in (keywords, signals, autoencoder, blocks)}


def quantize(source, result, samples, *more):
    done = subprocess.run([OREE, "quantize", source, result, "--engine", "tflm", "--calibration", samples, "--json", *more],
                          capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def scales(data):
    """(scale, zero point) of inputs and outputs."""
    graph = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(data, 0)).subgraphs[0]
    of = lambda t: (t.quantization.scale[0], t.quantization.zeroPoint[0])
    return [[of(graph.tensors[i]) for i in ids] for ids in (graph.inputs, graph.outputs)]


class Micro(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def made(self, name, seed, *more):
        """The file's bytes, the report, float samples and what the float network gives for them."""
        model, shape = NETWORKS[name](seed)
        source, result, samples = (self.folder / f for f in ("net.onnx", "net.tflite", "samples.npz"))
        onnx.save(model, source)
        x = np.random.default_rng(seed + 100).normal(0, 1, [SAMPLES, *shape]).astype(np.float32)
        np.savez(samples, x=x[:, 0])
        report = quantize(source, result, samples, *more)
        session = ort.InferenceSession(str(source), providers=["CPUExecutionProvider"])
        return result.read_bytes(), report, x, [session.run(None, {"x": s})[0] for s in x]

    def each(self, check, *more):
        for name in NETWORKS:
            for seed in (1, 2):
                with self.subTest(network=name, seed=seed):
                    check(name, *self.made(name, seed, *more))

    def test_every_file_is_integers_at_both_ends_and_inside(self):
        def check(_, data, report, *__):
            for side in engines.signature(data):
                self.assertEqual([np.int8], [np.dtype(dtype).type for _, _, dtype in side])
            self.assertEqual([], engines.float_operators(data))
            said = [(p["scale"], p["zero_point"]) for p in report["io"]]
            for (scale, zero), (told, told_zero) in zip([s for side in scales(data) for s in side], said, strict=True):
                self.assertAlmostEqual(told / scale, 1, 6)
                self.assertEqual(told_zero, zero)

        self.each(check)

    def test_the_reference_computes_what_tensorflow_lite_micro_does_byte_for_byte(self):
        def check(name, data, report, x, _):
            (scale, zero), = scales(data)[0]
            runs = [[np.clip(np.round(s / scale) + zero, -128, 127).astype(np.int8)] for s in x]
            runs += engines.random_inputs(data, np.random.default_rng(3), 8)
            micro = engines.run_micro(data, runs)
            self.assertGreater(len(np.unique(np.concatenate([m[0].ravel() for m in micro]))), 8)
            for got, want in zip(engines.run_ours(TOOL, self.folder, data, runs), micro, strict=True):
                np.testing.assert_array_equal(got[0], want[0])
            steps = max(int(np.abs(a[0].astype(int) - b[0].astype(int)).max())
                        for a, b in zip(engines.run_litert(data, runs), micro, strict=True))
            print(f"{name}: LiteRT is off TFLM by {steps}")
            self.assertLessEqual(steps, STEPS_LITERT)

        self.each(check)

    def test_what_the_integers_stand_for_is_near_to_float(self):
        def check(_, data, report, x, wanted):
            (scale, zero), = scales(data)[0]
            (out_scale, out_zero), = scales(data)[1]
            runs = [[np.clip(np.round(s / scale) + zero, -128, 127).astype(np.int8)] for s in x]
            got = np.array([(o[0].astype(np.float64) - out_zero) * out_scale for o in engines.run_micro(data, runs)])
            want = np.array(wanted)
            noise = 10 * np.log10(np.sum(want**2) / np.sum((got - want) ** 2))
            self.assertGreater(noise, 20)
            # What the report says was measured with the same integers at the ends.
            self.assertLess(abs(noise - report["outputs"][0]["engine_sqnr_db"]), 6)

        self.each(check)

    def test_unsigned_ends_differ_by_their_zero_points_alone(self):
        for name in NETWORKS:
            with self.subTest(network=name):
                signed, _, x, _ = self.made(name, 1)
                unsigned, *_ = self.made(name, 1, "--io", "uint8")
                (scale, zero), = scales(signed)[0]
                self.assertEqual([(scale, zero + 128)], scales(unsigned)[0])
                runs = [[np.clip(np.round(s / scale) + zero, -128, 127).astype(np.int8)] for s in x[:8]]
                moved = [[(r[0].astype(int) + 128).astype(np.uint8)] for r in runs]
                for a, b in zip(engines.run_micro(signed, runs), engines.run_micro(unsigned, moved), strict=True):
                    np.testing.assert_array_equal(a[0].astype(int) + 128, b[0].astype(int))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--oree", required=True)
    parser.add_argument("--tool", required=True)
    arguments, rest = parser.parse_known_args()
    OREE, TOOL = arguments.oree, arguments.tool
    unittest.main(argv=[sys.argv[0], *rest])
