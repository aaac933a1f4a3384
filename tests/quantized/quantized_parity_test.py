#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Quantized models: ours against TensorFlow Lite Micro, LiteRT and ONNX Runtime.

Models of one operator with random shapes, scales and weights, small networks, and the key-word models of
--models FOLDER (and of .deps). For each:
  - the reference interpreter equals TensorFlow Lite Micro byte for byte (LiteRT's reference kernels where that lacks it)
  - TFLite -> graph -> TFLite changes no byte of an output in either
  - TFLite -> QDQ ONNX -> TFLite changes none either
  - TFLite -> QDQ ONNX -> ONNX Runtime differs by a step of rounding, and decides the same
Skipped (77) without the packages.
"""
import argparse
import os
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
try:
    import numpy as np
    import quantized_engines as engines
    from quantized_rare_cases import CASES
    from quantized_engines import Refused
    from quantized_networks import classifier, weights_alone
except ImportError as e:
    print(f"skipped: {e}")
    sys.exit(77)

TOOL, MODELS, SEEDS = None, [], 3

LSTM = {name for name in CASES if name.startswith("lstm")}
# What only one of the two engines computes as specified: TFLM's RELU6 cuts without a change of scale; LiteRT's
# reference SUM leaves the scales out; their fully connected kernels round another product of scales;
# its RSQRT of 16 bits looks roots up in a table, its LSTM rounds its gates elsewhere, and it cuts curves elsewhere.
NOT_MICRO = {"relu6"}
NOT_LITERT = {"sum", "fully_connected", "fully_connected_per_axis", "fully_connected_int16",
              "fully_connected_no_bias", "fully_connected_3d", "sum_int16", "rsqrt_int16", "logistic_extreme", "tanh_extreme",
              *LSTM}
# LiteRT writes 16-bit states over its memory, and sums of 16 bits differ from run to run.
NEVER_IN_LITERT = {"svdf_int8_state", "sum_int16"}
# Raised from quantized operators of TFLite's own; 16-bit states need opset 21.
FROM_TFLITE_ALONE = {"rsqrt", "rsqrt_extreme", "rsqrt_int16", "svdf", "svdf_batch",
                     "svdf_int8_state", *LSTM, "squared_difference", "squared_difference_int16", "l2_normalization"}
# Not as ONNX: that has a clip of gates and none of cells, its states have no range, it has no quantized int32 and no
# slice that is moved back; and TensorFlow Lite Micro counts a zero point too often in sums, and cuts curves at none.
NOT_AS_ONNX = {name for name in LSTM if "clip" in name or "cut" in name or "coarse" in name} | {
    "svdf_int8_state", "quantize_int8_to_int32", "quantize_int16_to_int32", "dynamic_update_slice", "add_n", "cumsum",
    "cumsum_scales", "logistic_extreme", "tanh_extreme"}
# Written in other operators, of more axes than TensorFlow Lite Micro has, or with indices of 64 bits.
NOT_AGAIN_IN_MICRO = {"space_to_batch", "batch_to_space", "gather_nd"}
# Not folded back from ONNX: TFLite computes them in float then.
IN_FLOAT_BACK = {"gelu", "neg_exp", "sum", "pad_v2", "softmax_int8_int16", "abs_int16", "batch_matmul_int16", "div", "log",
                 "log_extreme", "sqrt", "maximum_int16", "minimum_int16", "resize_bilinear_int16", "sum_int16"}
# In steps; 1 unless here. The 16-bit softmax of TFLite has tables of 9 bits, its LSTM gates of 16, its bilinear
# weights 10; its difference of 16 bits has none after the point.
STEPS_MAX = {"softmax_int16": 64, "lstm_int16": 32, "lstm_int16_time_major": 32, "lstm": 2, "lstm_time_major": 2,
             "squared_difference_int16": 64, "resize_bilinear_int16": 256}


def largest(got, want):
    """The largest difference, in steps of an output."""
    worst = 0
    for outputs, expected in zip(got, want, strict=True):
        for g, w in zip(outputs, expected, strict=True):
            assert g.shape == w.shape and g.dtype == w.dtype, (g.shape, g.dtype, w.shape, w.dtype)
            worst = max(worst, float(np.max(np.abs(g.astype(np.float64) - w.astype(np.float64)), initial=0)))
    return worst


def truths(name, data, runs):
    """What the engines say that have the operator, by their runner."""
    out = {}
    for runner, without in ((engines.run_micro, NOT_MICRO), (engines.run_litert, NOT_LITERT)):
        try:
            if name not in without and not (runner == engines.run_litert and name in NEVER_IN_LITERT):
                out[runner] = runner(data, runs)
        except Refused:
            pass
    return out


class Quantized(unittest.TestCase):
    def setUp(self):
        self._folder = tempfile.TemporaryDirectory()
        self.addCleanup(self._folder.cleanup)
        self.folder = Path(self._folder.name)

    def each(self, check):
        """Runs a check on every case at once; its name and the seed stand beside a failure."""
        for name, case in CASES.items():
            for seed in range(SEEDS):
                rng = np.random.default_rng(seed)
                data = case(rng)
                runs = engines.random_inputs(data, rng, 3)
                with self.subTest(case=name, seed=seed):
                    check(name, data, runs)

    def rewritten(self, data, suffix, *more):
        source, to = self.folder / "in.tflite", self.folder / f"out{suffix}"
        source.write_bytes(data)
        engines.tool(TOOL, "rewrite", source, to, *more)
        return to

    def test_the_reference_computes_each_operator_byte_for_byte(self):
        def check(name, data, runs):
            want = truths(name, data, runs)
            self.assertTrue(want, "no engine has it")
            got = engines.run_ours(TOOL, self.folder, data, runs)
            for runner, expected in want.items():
                self.assertEqual(largest(got, expected), 0, runner.__name__)

        self.each(check)

    def test_what_is_read_and_written_computes_the_same_bytes(self):
        def check(name, data, runs):
            again = self.rewritten(data, ".tflite").read_bytes()
            for runner in (engines.run_micro, engines.run_litert):
                if name in (NOT_AGAIN_IN_MICRO if runner == engines.run_micro else NEVER_IN_LITERT):
                    continue
                try:
                    want = runner(data, runs)
                except Refused:
                    continue
                self.assertEqual(largest(runner(again, runs), want), 0, runner.__name__)

        self.each(check)

    def test_as_onnx_each_operator_is_off_by_one_step_at_most(self):
        def check(name, data, runs):
            if name in NOT_AS_ONNX:
                return
            alone = name in FROM_TFLITE_ALONE
            opset = 21 if "int16" in name or alone else 17
            optimised = not alone and name not in ("resize_bilinear_int16", "resize_nearest_int16")
            got = engines.run_onnx(self.rewritten(data, ".onnx", opset), runs, optimised)
            for runner, want in truths(name, data, runs).items():
                self.assertLessEqual(largest(got, want), STEPS_MAX.get(name, 1), runner.__name__)

        self.each(check)

    def test_there_and_back_again_computes_the_same_bytes(self):
        def check(name, data, runs):
            if name in FROM_TFLITE_ALONE | NOT_AS_ONNX:
                return  # it comes back as other operators
            there = self.rewritten(data, ".onnx", 21 if "int16" in name else 17)
            back = self.folder / "back.tflite"
            engines.tool(TOOL, "rewrite", there, back)
            again = back.read_bytes()
            self.assertEqual(bool(engines.float_operators(again)), name in IN_FLOAT_BACK)
            # LiteRT wants a bias; its logarithm of numbers below zero is the least of int8, or NaN.
            if name in NOT_LITERT or name in ("conv_batch_no_bias", "log"):
                return
            # A bound between two scales comes back as one of the operand's, and a QUANTIZE.
            off = 2 if name == "relu6" else STEPS_MAX.get(name, 1) if name in IN_FLOAT_BACK else 0
            self.assertLessEqual(largest(engines.run_litert(again, runs), engines.run_litert(data, runs)), off)

        self.each(check)

    def test_sixteen_bits_are_refused_below_opset_21(self):
        data = CASES["add_int16"](np.random.default_rng(0))
        with self.assertRaisesRegex(Refused, r"int16.*opset 21 would do"):
            self.rewritten(data, ".onnx", 17)

    def test_weights_alone_are_made_real(self):
        """TFLite's kernels quantize the operands as they come: the reference and ONNX Runtime are nearer to the reals."""
        for op in ("FULLY_CONNECTED", "CONV_2D", "DEPTHWISE_CONV_2D"):
            for how in ("one scale", "per axis", "float16"):
                if (op, how) == ("DEPTHWISE_CONV_2D", "one scale"):
                    continue  # TFLite has no such
                with self.subTest(op=op, how=how):
                    rng = np.random.default_rng(1)
                    data = weights_alone(rng, op, how)
                    runs = engines.random_inputs(data, rng, 3)
                    want = engines.run_litert(data, runs)
                    again = self.rewritten(data, ".tflite").read_bytes()
                    self.assertEqual(largest(engines.run_litert(again, runs), want), 0)
                    off = (1e-6 if how == "float16" else 0.01) * max(float(np.ptp(w[0])) for w in want)
                    self.assertLess(largest(engines.run_ours(TOOL, self.folder, data, runs), want), off)
                    self.assertLess(largest(engines.run_onnx(self.rewritten(data, ".onnx", 17), runs), want), off)

    def test_networks_compute_the_same_and_decide_the_same(self):
        for seed in range(3):
            rng = np.random.default_rng(seed)
            data = classifier(rng)
            runs = engines.random_inputs(data, rng, 150)
            for x in runs:  # pictures of one brightness each, so that the classes differ
                x[0] = np.clip(rng.normal(rng.uniform(-90, 90, 3), rng.uniform(5, 60), x[0].shape), -128, 127).astype(np.int8)
            with self.subTest(seed=seed):
                want = engines.run_micro(data, runs)
                self.assertGreater(len({int(w[0].argmax()) for w in want}), 1)
                self.assertEqual(largest(engines.run_ours(TOOL, self.folder, data, runs), want), 0)
                again = self.rewritten(data, ".tflite").read_bytes()
                self.assertEqual(largest(engines.run_micro(again, runs), want), 0)
                got = engines.run_onnx(self.rewritten(data, ".onnx", 17), runs)
                same = np.mean([g[0].argmax() == w[0].argmax() for g, w in zip(got, want)])
                print(f"network {seed}: as ONNX {largest(got, want):g} steps, {same:.1%} of decisions")
                self.assertGreaterEqual(same, 0.99)

    def test_streaming_models_carry_their_state(self):
        if not MODELS:
            self.skipTest("no models")
        for path in MODELS:
            with self.subTest(model=path.name):
                data = path.read_bytes()
                rng = np.random.default_rng(3)
                runs = engines.random_inputs(data, rng, 60)
                for k, x in enumerate(runs):  # loud and quiet by turns
                    x[0] = np.clip(rng.normal(-60 + 40 * np.sin(k / 5), 50, x[0].shape), -128, 127).astype(x[0].dtype)
                want = engines.run_micro(data, runs)
                self.assertEqual(largest(engines.run_ours(TOOL, self.folder, data, runs), want), 0)
                again = self.rewritten(data, ".tflite").read_bytes()
                self.assertEqual(largest(engines.run_micro(again, runs), want), 0)
                self.assertEqual(largest(engines.run_litert(again, runs), engines.run_litert(data, runs)), 0)
                there = self.rewritten(data, ".onnx", 17)
                engines.tool(TOOL, "rewrite", there, self.folder / "back.tflite")
                back = (self.folder / "back.tflite").read_bytes()
                self.assertEqual(largest(engines.run_micro(back, runs), want), 0)
                got = engines.run_onnx(there, runs)
                same = np.mean([(g[0] > 127) == (w[0] > 127) for g, w in zip(got, want)])
                print(f"{path.name}: as ONNX {largest(got, want):g} steps, {same:.1%} of decisions")
                self.assertGreaterEqual(same, 0.99)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--tool", required=True)
    parser.add_argument("--deps", type=Path)
    parser.add_argument("--models", type=Path, help="a folder of further streaming int8 models")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    arguments, rest = parser.parse_known_args()
    TOOL, SEEDS = arguments.tool, arguments.seeds
    if arguments.deps and (arguments.deps / "models/okay_nabu.tflite").exists():
        MODELS.append(arguments.deps / "models/okay_nabu.tflite")
    folder = arguments.models or os.environ.get("OREE_QUANTIZED_MODELS")
    if folder:
        MODELS += sorted(Path(folder).rglob("*.tflite"))
    unittest.main(argv=[sys.argv[0], *rest])
