# SPDX-License-Identifier: Apache-2.0
"""oree quantize: a detector of YOLOv8's shape and the demo's SSD, on data made here, in every engine of this machine.
Skipped where the models are not fetched."""
import json
import os
import pathlib
import random
import struct
import subprocess
import sys
import tempfile
import unittest
import zipfile
from array import array

ROOT = pathlib.Path(__file__).resolve().parents[2]
OREE = pathlib.Path(os.environ.get("OREE_BIN", ROOT / "build/bin")) / "oree"
MODELS = pathlib.Path(os.environ.get("OREE_DEPS", ROOT / ".deps")) / "models"
SIZE, SAMPLES = 64, 12
ENGINES = {"onnxruntime": ".onnx", "openvino": ".onnx", "tflite": ".tflite"}


def npy(shape, values):
    header = str({"descr": "<f4", "fortran_order": False, "shape": tuple(shape)}).encode()
    header += b" " * (63 - (10 + len(header)) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + array("f", values).tobytes()


def pictures(count, channels_last, side, seed, scale):
    """Smooth blobs, as in a picture, not noise."""
    draw = random.Random(seed)
    values = []
    for _ in range(count):
        spots = [(draw.random() * side, draw.random() * side, draw.uniform(2, side / 2), [draw.random() for _ in range(3)]) for _ in range(6)]
        planes = []
        for c in range(3):
            plane = []
            for y in range(side):
                for x in range(side):
                    v = max(colour[c] / (1 + ((x - a) ** 2 + (y - b) ** 2) / r / r) for a, b, r, colour in spots)
                    plane.append(scale[0] * v + scale[1])
            planes.append(plane)
        values += [v for pixel in zip(*planes) for v in pixel] if channels_last else planes[0] + planes[1] + planes[2]
    return values


def quantize(*args, status=0):
    done = subprocess.run([OREE, "quantize", *map(str, args), "--json"], capture_output=True, text=True, timeout=300)
    if done.returncode != status:
        raise AssertionError(f"exit {done.returncode}, expected {status}: {done.stdout}{done.stderr}")
    return json.loads(done.stdout) if status == 0 else done.stderr + done.stdout


class Quantize(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        cls.yolo, cls.samples = cls.folder / "yolo.onnx", cls.folder / "samples.npz"
        subprocess.run([sys.executable, ROOT / "tools/make_yolov8_shaped.py", cls.yolo, "--size", str(SIZE)], check=True)
        cls.values = pictures(SAMPLES, False, SIZE, 1, (1, 0))
        cls.write(cls.samples, cls.values)

    @staticmethod
    def write(path, values, name="images", shape=(SAMPLES, 3, SIZE, SIZE)):
        with zipfile.ZipFile(path, "w") as file:
            file.writestr(name + ".npy", npy(shape, values))

    def setUp(self):
        self.out = self.folder / self.id().rsplit(".", 1)[1]
        self.out.mkdir()

    def test_every_engine_takes_its_file_and_stays_near_to_float(self):
        for engine, extension in ENGINES.items():
            with self.subTest(engine):
                result = self.out / (engine + extension)
                page = self.out / (engine + ".html")
                report = quantize(self.yolo, result, "--engine", engine, "--calibration", self.samples, "--html", page)
                self.assertGreater(report["macs_integer"], 0.95 * report["macs"])
                self.assertLess(report["bytes_after"], 0.35 * report["bytes_before"])
                self.assertEqual(SAMPLES, report["calibration"]["samples"])
                self.assertEqual(engine, report["measured"]["engine"])
                for output in report["outputs"]:
                    self.assertGreater(output["engine_sqnr_db"], 30)
                self.assertTrue(any(layer.get("sqnr_db") for layer in report["layers"]))
                self.assertIn("<svg", page.read_text())

    def test_a_coral_gets_integers_and_a_forecast(self):
        result, page = self.out / "yolo.tflite", self.out / "yolo.html"
        report = quantize(self.yolo, result, "--engine", "edgetpu", "--calibration", self.samples, "--html", page)
        taken, given = report["io"]
        self.assertEqual(("input", "int8"), (taken["kind"], taken["dtype"]))
        self.assertLess(taken["scale"], 0.01)
        # Boxes in pixels beside scores: one scale of 8 bits would leave the scores nothing.
        self.assertEqual("float32", given["dtype"])
        join = report["joins"][-1]
        self.assertTrue(join["last"] and join["in_float"])
        self.assertLess(join["steps_least"], 16)
        tpu = report["edge_tpu"]
        self.assertEqual(len(tpu["operators"]), tpu["operators_all"])
        self.assertEqual(sum(o["mapped"] for o in tpu["operators"]), tpu["operators_mapped"])
        self.assertTrue(all(o["mapped"] or o["because"] for o in tpu["operators"]))
        self.assertEqual(report["macs"], sum(o["macs"] for o in tpu["operators"]))
        self.assertLess(tpu["parameter_bytes"], report["bytes_after"])
        self.assertIn("On the Edge TPU", page.read_text())
        # Reals are given and judged, whatever the file takes.
        judged = subprocess.run([OREE, "eval", result, "--reference", self.yolo, "--data", self.samples, "--json"],
                                capture_output=True, text=True, timeout=300)
        self.assertGreater(json.loads(judged.stdout)["figures"]["cosine"], 0.999, judged.stderr)
        for output in report["outputs"]:
            self.assertGreater(output["engine_sqnr_db"], 30)

    def test_split_outputs_are_integers_with_scales_of_their_own(self):
        for io, middle in (("int8", 0), ("uint8", 128)):
            with self.subTest(io):
                result = self.out / (io + ".tflite")
                report = quantize(self.yolo, result, "--engine", "tflm", "--calibration", self.samples, "--split-outputs", "--io", io)
                outputs = [p for p in report["io"] if p["kind"] == "output"]
                self.assertEqual([io, io], [p["dtype"] for p in outputs])
                boxes, scores = outputs
                self.assertGreater(boxes["scale"], 20 * scores["scale"])
                self.assertEqual(middle - 128, scores["zero_point"])
                self.assertEqual(["output0_0", "output0_1"], [o["name"] for o in report["outputs"]])
                for output in report["outputs"]:
                    self.assertGreater(output["engine_sqnr_db"], 25)
    def test_every_precision_runs_in_the_engines_that_take_it(self):
        # At least so many dB of every output, and at most so much of the float file. The detector's weights are random:
        # what 4 bits lose of them says nothing of trained ones.
        bounds = {"int16": (35, 0.35), "weights-int8": (45, 0.35), "weights-int4": (20, 0.27), "dynamic": (30, 0.35),
                  "fp16": (70, 0.55), "bf16": (50, 0.55)}
        taken = {"onnxruntime": {"weights-int8", "weights-int4", "dynamic", "fp16", "bf16"},
                 "openvino": {"weights-int8", "weights-int4", "fp16", "bf16"},
                 "tensorrt": {"weights-int8", "weights-int4", "fp16"},
                 "tflite": {"int16", "weights-int8", "dynamic", "fp16"},
                 "tflm": {"int16"}, "edgetpu": set()}
        for engine, precisions in taken.items():
            for precision, (db, size) in bounds.items():
                result = self.out / f"{engine}-{precision}{'.onnx' if engine in ('onnxruntime', 'openvino', 'tensorrt') else '.tflite'}"
                args = [self.yolo, result, "--engine", engine, "--precision", precision, "--calibration", self.samples]
                with self.subTest(f"{engine} {precision}"):
                    if precision not in precisions:
                        message = quantize(*args, status=2)
                        self.assertIn(f"{engine} takes no {precision}: ", message)
                        self.assertIn("; use ", message)
                        self.assertFalse(result.exists())
                        continue
                    report = quantize(*args)
                    self.assertEqual(precision, report["precision"])
                    self.assertLess(report["bytes_after"], size * report["bytes_before"])
                    self.assertEqual(report["bytes_after"], result.stat().st_size)
                    for output in report["outputs"]:
                        self.assertGreater(output["engine_sqnr_db"], db)
                    integers = precision in ("int16", "dynamic")
                    self.assertEqual(integers, report["macs_integer"] > 0.9 * report["macs"])

    def test_weights_alone_need_no_samples(self):
        result, page = self.out / "w8.onnx", self.out / "w8.html"
        report = quantize(self.yolo, result, "--engine", "openvino", "--precision", "weights-int8", "--html", page)
        self.assertTrue(report["calibration"]["random"])
        self.assertTrue(all(o["engine_sqnr_db"] > 40 for o in report["outputs"]))
        self.assertTrue(any(l.get("weights") == "int8" for l in report["layers"]))
        self.assertIn("weights int8", page.read_text())
        self.assertIn("real samples", quantize(self.yolo, self.out / "a.tflite", "--engine", "tflite", "--precision", "int16", status=2))
        self.assertIn("thorough", quantize(self.yolo, result, "--precision", "fp16", "--thorough", status=2))

    def test_the_real_detector_keeps_its_outputs_apart(self):
        if not (MODELS / "detector.tflite").exists():
            self.skipTest("the detector is not fetched")
        samples = self.out / "ssd.npz"
        self.write(samples, pictures(4, True, 300, 2, (2, -1)), "normalized_input_image_tensor", (4, 300, 300, 3))
        report = quantize(MODELS / "detector.tflite", self.out / "ssd.tflite", "--engine", "tflite", "--calibration", samples)
        self.assertGreater(report["macs_integer"], 0.95 * report["macs"])
        self.assertEqual(2, len(report["outputs"]))
        for output in report["outputs"]:
            self.assertGreater(output["engine_sqnr_db"], 10)  # blobs, which it has never seen

    def test_the_result_does_not_depend_on_threads(self):
        one, two = self.out / "one.onnx", self.out / "two.onnx"
        for path, threads in ((one, 1), (two, 2)):
            quantize(self.yolo, path, "--engine", "openvino", "--calibration", self.samples, "--threads", threads)
        self.assertEqual(one.read_bytes(), two.read_bytes())

    def test_bad_samples_are_named_and_nothing_is_left(self):
        bad, result = self.out / "bad.npz", self.out / "result.onnx"
        values = list(self.values)
        values[3 * 3 * SIZE * SIZE + 5] = float("nan")
        self.write(bad, values)
        message = quantize(self.yolo, result, "--engine", "onnxruntime", "--calibration", bad, status=3)
        self.assertIn("bad.npz[3]", message)
        self.assertEqual([bad], list(self.out.iterdir()))
        report = quantize(self.yolo, result, "--engine", "onnxruntime", "--calibration", bad, "--skip-bad")
        self.assertEqual(SAMPLES - 1, report["calibration"]["samples"])
        self.assertEqual(1, report["calibration"]["skipped"])

    def test_what_is_asked_wrongly_is_said(self):
        result = self.out / "result.onnx"
        for status, what, args in [
            (2, "real samples", [self.yolo, result, "--engine", "onnxruntime"]),
            (2, ".tflite", [self.yolo, result, "--engine", "tflite", "--calibration", self.samples]),
            (2, "no engine", [self.yolo, result, "--engine", "abacus", "--calibration", self.samples]),
            (2, "no place for their scale", [self.yolo, result, "--calibration", self.samples, "--io", "int8"]),
            (2, "--io: expected", [self.yolo, result, "--calibration", self.samples, "--io", "int4"]),
            (2, "one of int8, int16", [self.yolo, result, "--calibration", self.samples, "--precision", "int3"]),
            (2, "no method", [self.yolo, result, "--calibration", self.samples, "--ranges", "guess"]),
            (3, "expected", [self.yolo, result, "--calibration", MODELS / "detector_labels.txt"]),
            (8, "gone.npz", [self.yolo, result, "--calibration", self.out / "gone.npz"]),
        ]:
            with self.subTest(what):
                self.assertIn(what, quantize(*args, status=status))
                self.assertFalse(result.exists())

    def test_a_report_overwrites_no_model(self):
        result, source = self.folder / "kept.onnx", self.yolo.read_bytes()
        options = "--engine", "onnxruntime", "--random", 4
        for path in (result, self.folder / ".." / self.folder.name / "yolo.onnx"):
            self.assertIn("would be overwritten", quantize(self.yolo, result, path, *options, status=2))
            self.assertIn("would be overwritten", quantize(self.yolo, result, "--html", path, *options, status=2))
        self.assertIn("would be overwritten", quantize(self.yolo, self.yolo, *options, status=2))
        self.assertIn("no/such", quantize(self.yolo, result, "--html", "no/such/page.html", *options, status=8))
        self.assertEqual(source, self.yolo.read_bytes())
        self.assertFalse(result.exists())

    def test_random_data_is_marked_and_a_quantized_model_refused(self):
        result = self.out / "result.onnx"
        file = self.out / "report.json"
        report = quantize(self.yolo, result, "--engine", "onnxruntime", "--random", 4, "--json", file)
        self.assertEqual(report, json.loads(file.read_text()))
        self.assertTrue(report["calibration"]["random"])
        self.assertIn("quantized already", quantize(result, self.out / "again.onnx", "--random", 4, status=3))

    def test_a_bound_on_the_drop_keeps_as_few_layers_in_float_as_it_takes(self):
        options = ["--engine", "onnxruntime", "--calibration", self.samples, "--ranges", "min-max"]
        easy = quantize(self.yolo, self.folder / "easy.onnx", *options, "--max-drop", "50%")["drops"]
        self.assertEqual([(d["layers_float"], d["metric"], d["against"]) for d in easy], [(0, "cosine", "float")])
        lost = easy[0]["drop"]
        self.assertGreater(lost, 0)
        bound = lost / 3
        report = quantize(self.yolo, self.folder / "hard.onnx", *options, "--max-drop", f"{100 * bound:.9f}%")
        last = report["drops"][-1]
        self.assertLessEqual(last["drop"], bound)
        self.assertGreater(last["layers_float"], 0)
        self.assertLess(report["macs_integer"], report["macs"])
        fewer = [d for d in report["drops"] if d["layers_float"] < last["layers_float"]]
        self.assertTrue(all(d["drop"] > bound for d in fewer), report["drops"])
        # The same file, judged by the command that users judge with.
        judged = subprocess.run([OREE, "eval", self.folder / "hard.onnx", "--reference", self.yolo, "--data", self.samples, "--json"],
                                capture_output=True, text=True, timeout=300)
        self.assertAlmostEqual(1 - json.loads(judged.stdout)["figures"]["cosine"], last["drop"], delta=1e-9)

    def test_a_bound_that_cannot_be_kept_or_judged_is_said(self):
        result = self.folder / "never.onnx"
        options = ["--engine", "onnxruntime", "--calibration", self.samples]
        said = quantize(self.yolo, result, *options, "--max-drop", "0%", "--float-macs", "0", status=1)
        self.assertIn("points lost", said)
        self.assertIn("such as 1%", quantize(self.yolo, result, *options, "--max-drop", "1", status=2))
        self.assertIn("--max-drop", quantize(self.yolo, result, *options, "--evaluation", self.samples, status=2))
        self.assertIn("real samples", quantize(self.yolo, result, "--engine", "onnxruntime", "--random", "4", "--max-drop", "1%", status=2))
        self.assertIn("sqnr", quantize(self.yolo, result, *options, "--max-drop", "1%", "--metric", "sqnr", status=2))
        self.assertFalse(result.exists())

    def test_a_layer_stays_in_float_when_told(self):
        report = quantize(self.yolo, self.out / "a.onnx", "--engine", "onnxruntime", "--random", 4, "--no-check")
        layer = next(l for l in report["layers"] if l["op"] == "Conv" and l["integer"])
        again = quantize(self.yolo, self.out / "b.onnx", "--engine", "onnxruntime", "--random", 4, "--keep-float", layer["name"])
        kept = next(l for l in again["layers"] if l["name"] == layer["name"])
        self.assertFalse(kept["integer"])
        self.assertEqual(report["macs_integer"] - layer["macs"], again["macs_integer"])


if __name__ == "__main__":
    if not OREE.exists():
        sys.exit(77)
    unittest.main()
