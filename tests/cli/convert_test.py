# SPDX-License-Identifier: Apache-2.0
"""oree convert on real models: the result agrees with its source in the engines of this machine, and a plain CNN keeps no
transposes inside. Skipped where the models are not fetched."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
OREE = pathlib.Path(os.environ.get("OREE_BIN", ROOT / "build/bin")) / "oree"
MODELS = pathlib.Path(os.environ.get("OREE_DEPS", ROOT / ".deps")) / "models"


def convert(*args, status=0):
    done = subprocess.run([OREE, "convert", *map(str, args), "--json"], capture_output=True, text=True, timeout=200)
    if done.returncode != status:
        raise AssertionError(f"exit {done.returncode}, expected {status}: {done.stdout}{done.stderr}")
    return json.loads(done.stdout) if status == 0 else done.stderr + done.stdout


class Convert(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.out = pathlib.Path(folder.name) / "out.onnx"

    def agrees(self, name, *args):
        document = convert(MODELS / name, self.out, *args)
        check = document["check"]
        self.assertTrue(check["agrees"])
        self.assertTrue(any(e.get("agrees") for e in check["engines"]))
        self.assertEqual([self.out], list(self.out.parent.iterdir()))  # nothing else is left there
        return document

    def test_a_tflite_detector_becomes_onnx(self):
        self.agrees("detector.tflite")
        operators = subprocess.run([OREE, "inspect", self.out, "--json"], capture_output=True, text=True, timeout=60)
        # Of the 72 convolutions none keeps one: they stand before the heads' reshapes, and at the picture.
        self.assertLessEqual(json.loads(operators.stdout)["ops"]["Transpose"], 13)

    def test_one_network_agrees_with_itself_from_both_formats(self):
        self.agrees("nmp.tflite")
        self.agrees("nmp.onnx", "--opset", "13")

    def test_a_model_goes_to_the_other_format_and_back(self):
        there = self.out.with_name("there.tflite")
        self.assertTrue(convert(MODELS / "nmp.onnx", there)["check"]["agrees"])
        back = convert(there, self.out)["check"]
        self.assertTrue(back["agrees"])
        self.assertIn("onnxruntime", [e["runtime"] for e in back["engines"] if e.get("agrees")])

    def test_the_detector_runs_in_ncnn(self):
        runtimes = json.loads(subprocess.run([OREE, "runtimes", "--json"], capture_output=True, text=True, timeout=60).stdout)
        if not next(r for r in runtimes["runtimes"] if r["name"] == "ncnn")["available"]:
            self.skipTest("ncnn is not here: ./dev setup --ncnn")
        param = self.out.with_name("detector.ncnn.param")
        for options in ([], ["--fp16"]):
            check = convert(MODELS / "detector.tflite", param, *options)["check"]
            self.assertTrue(check["agrees"])
            self.assertEqual(["ncnn"], [e["runtime"] for e in check["engines"]])
        self.assertEqual({param, self.out.with_name("detector.ncnn.bin")}, set(param.parent.iterdir()))
        seen = json.loads(subprocess.run([OREE, "inspect", param, "--json"], capture_output=True, text=True, timeout=60).stdout)
        self.assertEqual("ncnn", seen["format"])

    def test_what_ncnn_lacks_leaves_no_file(self):
        message = convert(MODELS / "okay_nabu.tflite", self.out.with_name("nabu.ncnn.param"), status=5)
        self.assertIn("ncnn", message)
        self.assertEqual([], list(self.out.parent.iterdir()))

    def test_kernels_that_saturate_are_told_apart_from_a_wrong_conversion(self):
        # For a CPU with VNNI: without it ONNX Runtime's sums of its products leave 16 bits, and only they.
        source = self.out.with_name("int8.onnx")
        subprocess.run([OREE, "quantize", MODELS / "detector.tflite", source, "--engine", "openvino", "--cpu", "vnni", "--random", "4",
                        "--float-macs", "0", "--no-check"], check=True, stdout=subprocess.DEVNULL, timeout=200)
        check = convert(source, self.out.with_name("int8.tflite"))["check"]
        self.assertTrue(check["agrees"])
        own = next(e for e in check["engines"] if e["runtime"] == "tflite")
        flags = pathlib.Path("/proc/cpuinfo").read_text() if pathlib.Path("/proc/cpuinfo").exists() else ""
        if "avx2" in flags and "vnni" not in flags:
            self.assertEqual(own["fused"]["runtime"], "onnxruntime")
            self.assertGreater(own["fused"]["max_relative_error"], 1e-2)

    def test_tflite_to_tflite_changes_no_bit_of_an_output(self):
        for name in ("detector.tflite", "nmp.tflite", "okay_nabu.tflite"):
            check = convert(MODELS / name, self.out.with_suffix(".tflite"))["check"]
            own = next(e for e in check["engines"] if e["runtime"] == "tflite")
            self.assertEqual([0] * len(own["outputs"]), [o["max_abs_error"] for o in own["outputs"]], name)

    def test_a_name_of_another_format_is_refused_before_anything_is_read(self):
        self.assertIn(".onnx, .tflite or .ncnn.param", convert(MODELS / "nmp.onnx", self.out.with_suffix(".pb"), status=2))

    def test_float16_weights_halve_the_file(self):
        self.agrees("nmp.onnx")
        whole = self.out.stat().st_size
        self.agrees("nmp.onnx", "--fp16", "--tolerance", "0.1")
        self.assertLess(self.out.stat().st_size, whole * 0.8)

    def test_a_result_that_differs_is_said_to_differ(self):
        # The logarithm of a spectrum does not bear halved weights: the check must see it, and name a layer.
        self.assertIn("the first layer that differs", convert(MODELS / "nmp.onnx", self.out, "--fp16", status=1))

    def test_a_wrong_dimension_is_refused_and_nothing_is_written(self):
        self.assertIn("no input has a dimension", convert(MODELS / "nmp.onnx", self.out, "--dim", "bach=1", status=3))
        self.assertFalse(self.out.exists())


if __name__ == "__main__":
    if not (MODELS / "detector.tflite").exists():
        print("the models are not fetched")
        sys.exit(77)
    unittest.main()
