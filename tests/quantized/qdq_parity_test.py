#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""QDQ models of ONNX, written as TFLite: LiteRT, TensorFlow Lite Micro and our reference against ONNX Runtime.

Models of one operator with random scales, of uint8, int8 and int16; and a network as onnxruntime.quantization makes it.
Differences are in steps of the output's scale. Skipped (77) without the packages.
"""
import argparse
import logging
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
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from qdq_cases import CASES, float_network, pictures
except ImportError as e:
    print(f"skipped: {e}")
    sys.exit(77)

TOOL = None
# An operator's own rounding and that of the change to the scale that is wanted.
STEPS_MAX = 2
# They stay in float: DEQUANTIZE, operator, QUANTIZE.
IN_FLOAT = {"sine", "maximum_int16", "matmul_computed_int16", "hard_swish_int16", "resize_int16", "depth_to_space_int16"}


def run_float(model, runs):
    """ONNX Runtime without its own fusions."""
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level, options.intra_op_num_threads = 4, 1
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    names = [i.name for i in session.get_inputs()]
    return [session.run(None, dict(zip(names, x))) for x in runs]


def steps(got, want, step):
    largest = max(float(np.max(np.abs(g[0] - w[0]))) for g, w in zip(got, want, strict=True))
    return round(largest / step, 2)  # both are whole steps, but for the rounding of floats


class Calibration(CalibrationDataReader):
    def __init__(self, pictures_):
        self.left = iter(pictures_)

    def get_next(self):
        x = next(self.left, None)
        return None if x is None else {"x": x}


class Qdq(unittest.TestCase):
    def setUp(self):
        self._folder = tempfile.TemporaryDirectory()
        self.addCleanup(self._folder.cleanup)
        self.folder = Path(self._folder.name)

    def as_tflite(self, path):
        to = self.folder / "out.tflite"
        engines.tool(TOOL, "rewrite", path, to)
        return to.read_bytes()

    def test_each_operator_is_off_by_its_rounding_at_most(self):
        for name, case in CASES.items():
            for seed in range(3):
                rng = np.random.default_rng(seed)
                made, step = case(rng)
                shapes = [[d.dim_value for d in i.type.tensor_type.shape.dim] for i in made.graph.input]
                runs = [[rng.normal(0, 1, s).astype(np.float32) for s in shapes] for _ in range(3)]
                with self.subTest(case=name, seed=seed):
                    want = run_float(made.SerializeToString(), runs)
                    path = self.folder / "in.onnx"
                    onnx.save(made, path)
                    data = self.as_tflite(path)
                    self.assertLessEqual(steps(engines.run_litert(data, runs), want, step), STEPS_MAX)
                    self.assertLessEqual(steps(engines.run_micro(data, runs), want, step), STEPS_MAX)
                    ours = engines.run_ours(TOOL, self.folder, data, runs)
                    self.assertLessEqual(steps(ours, want, step), STEPS_MAX)
                    float_ops = engines.float_operators(data)
                    in_float = name in IN_FLOAT or name.rsplit("_", 1)[0] in IN_FLOAT
                    self.assertEqual(bool(float_ops), in_float, float_ops)

    def test_a_network_of_onnxruntime_quantization_decides_the_same(self):
        logging.disable(logging.WARNING)
        rng = np.random.default_rng(0)
        onnx.save(float_network(rng), self.folder / "float.onnx")
        shown = pictures(rng, 300)
        for activations in (QuantType.QUInt8, QuantType.QInt8):
            for per_channel in (False, True):
                with self.subTest(activations=activations, per_channel=per_channel):
                    path = self.folder / "quantized.onnx"
                    quantize_static(self.folder / "float.onnx", path, Calibration(shown[:60]), quant_format=QuantFormat.QDQ,
                                    per_channel=per_channel, activation_type=activations, weight_type=QuantType.QInt8)
                    made = onnx.load(path)
                    last = next(n for n in made.graph.node if made.graph.output[0].name in n.output)
                    scale = next(c for c in made.graph.initializer if c.name == last.input[1])
                    step = float(onnx.numpy_helper.to_array(scale))
                    runs = [[x] for x in shown]
                    want = run_float(path.read_bytes(), runs)
                    data = self.as_tflite(path)
                    self.assertEqual(engines.float_operators(data), [])
                    got = engines.run_litert(data, runs)
                    same = np.mean([g[0].argmax() == w[0].argmax() for g, w in zip(got, want)])
                    self.assertGreater(len({int(w[0].argmax()) for w in want}), 1)
                    print(f"{activations} per channel {per_channel}: {steps(got, want, step):.1f} steps, {same:.1%} of decisions")
                    self.assertGreaterEqual(same, 0.97)
                    ours = engines.run_ours(TOOL, self.folder, data, runs)
                    micro = engines.run_micro(data, runs)
                    self.assertTrue(all(np.array_equal(a[0], b[0]) for a, b in zip(ours, micro)))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--tool", required=True)
    arguments, rest = parser.parse_known_args()
    TOOL = arguments.tool
    unittest.main(argv=[sys.argv[0], *rest])
