# SPDX-License-Identifier: Apache-2.0
"""oree inspect and its drawings on real models: sums over layers are the whole, pictures are well-formed and hold every
layer once, pages load nothing. Skipped where the models are not fetched."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree

ROOT = pathlib.Path(__file__).resolve().parents[2]
OREE = pathlib.Path(os.environ.get("OREE_BIN", ROOT / "build/bin")) / "oree"
MODELS = pathlib.Path(os.environ.get("OREE_DEPS", ROOT / ".deps")) / "models"


def run(*args, status=0):
    done = subprocess.run([OREE, *map(str, args)], capture_output=True, text=True, timeout=200)
    if done.returncode != status:
        raise AssertionError(f"exit {done.returncode}, expected {status}: {done.stdout}{done.stderr}")
    return done.stdout + done.stderr


class Inspect(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.dir = pathlib.Path(folder.name)

    def inspect(self, name, *args):
        return json.loads(run("inspect", MODELS / name, "--no-probe", "--json", *args))

    def test_layers_add_up_to_the_whole(self):
        for name, macs in (("detector.tflite", 672993008), ("nmp.onnx", 524079648), ("okay_nabu.tflite", 36480)):
            with self.subTest(name):
                s = self.inspect(name)
                self.assertEqual(s["macs"], macs)
                self.assertEqual(sum(layer["macs"] for layer in s["layers"]), macs)
                self.assertEqual(sum(s["macs_by_op"].values()), macs)
                self.assertEqual(sum(s["macs_by_arithmetic"].values()), macs)
                # What a streaming model's states hold before the first run is in the file, but of no layer.
                states = 64 * (2 + 8 + 12 + 14 + 16) + 40 * 2 if name == "okay_nabu.tflite" else 0
                self.assertEqual(sum(layer["parameters"] for layer in s["layers"]), s["parameters"] - states)
                self.assertEqual(max(layer["live_bytes"] for layer in s["layers"]), s["live_bytes_peak"])
                self.assertIn(s["peak_layer"], [layer["name"] for layer in s["layers"]])
                self.assertTrue(s["macs_exact"] and s["live_bytes_exact"])

    def test_a_quantized_model_multiplies_integers(self):
        self.assertEqual(list(self.inspect("okay_nabu.tflite")["macs_by_arithmetic"]), ["int8"])
        self.assertEqual(list(self.inspect("detector.tflite")["macs_by_arithmetic"]), ["float32"])

    def test_the_detectors_peak_is_its_second_expansion(self):
        # 96 channels of 150x150 beside what comes of them, 96 of 75x75, all float32.
        self.assertEqual(self.inspect("detector.tflite")["live_bytes_peak"], 4 * 96 * (150 * 150 + 75 * 75))

    def test_a_free_dimension_is_named_and_can_be_set(self):
        s = self.inspect("nmp.onnx")
        symbol = list(s["symbols"])[0]
        eight = self.inspect("nmp.onnx", "--dim", f"{symbol}=8")
        self.assertEqual(eight["macs"], 8 * s["macs"])
        self.assertEqual(eight["assumptions"], [])
        run("inspect", MODELS / "nmp.onnx", "--dim", "bach=1", status=3)
        run("inspect", MODELS / "nmp.onnx", "--dim", "nonsense", status=2)

    def check_picture(self, svg, layers):
        root = xml.etree.ElementTree.fromstring(svg)
        boxes = [g for g in root.iter() if g.tag.endswith("}g") and g.get("id")]
        ids = [g.get("id") for g in boxes]
        self.assertEqual(len(ids), len(set(ids)))
        self.assertEqual(sum("io" not in g.get("class").split() for g in boxes), layers)
        places = [re.fullmatch(r"translate\(([-\d.]+) ([-\d.]+)\)", g.get("transform")).groups() for g in boxes]
        places = sorted((float(y), float(x)) for x, y in places)
        for (y, x), (below, right) in zip(places, places[1:]):
            self.assertTrue(below >= y + 64 or right >= x + 216, "two boxes overlap")

    def test_pictures_are_whole_and_load_nothing(self):
        for name in ("detector.tflite", "nmp.onnx", "okay_nabu.tflite"):
            with self.subTest(name):
                page, svg = self.dir / "m.html", self.dir / "m.svg"
                layers = len(self.inspect(name, "--html", page, "--svg", svg)["layers"])
                self.check_picture(svg.read_text(), layers)
                html = page.read_text()
                self.check_picture(re.search(r'<svg [^>]*id="graph".*?</svg>', html, re.S).group(0), layers)
                self.assertIn("default-src 'none'", html)
                for outside in re.findall(r'(?:src|href)\s*=\s*["\']?([^"\'\s>]*)', html):
                    self.assertRegex(outside, r"^#b\d+$")

    @unittest.skipUnless(shutil.which("chromium"), "no browser on this machine")
    def test_the_script_of_a_page_runs_to_its_end(self):
        page = self.dir / "m.html"
        self.inspect("nmp.onnx", "--html", page)
        # It selects what the search finds, and marks on the strip what is seen.
        page.write_text(page.read_text().replace("</body>", """<script>
            const find = document.getElementById("find");
            find.value = "Softplus, of which there is none"; find.dispatchEvent(new Event("input"));
            find.value = "reducemax"; find.dispatchEvent(new Event("input"));
            document.getElementById("all").click();</script></body>"""))
        dom = subprocess.run(["chromium", "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={self.dir}/profile",
                              "--dump-dom", f"file://{page}"], capture_output=True, text=True, timeout=100).stdout
        self.assertRegex(dom, r'<i class="seen" style="top: 0%; height: \d')
        self.assertIn('<span id="found" role="status">1 of 1</span>', dom)
        self.assertRegex(dom, r'<g class="box pool hit on" id="b\d+"')
        self.assertRegex(dom, r"<aside[^>]*><h3>ReduceMax</h3>")

    def test_convert_draws_its_result_by_errors(self):
        page = self.dir / "report.html"
        run("convert", MODELS / "nmp.tflite", self.dir / "out.onnx", "--no-check", "--html", page)
        self.assertIn("Not checked", page.read_text())
        run("convert", MODELS / "nmp.onnx", self.dir / "out.onnx", "--html", page)
        html = page.read_text()
        self.assertIn("Layer by layer", html)
        self.assertRegex(html, r'class="box \w+ e[0-4]" id="b\d+"')
        xml.etree.ElementTree.fromstring(re.search(r'<svg [^>]*id="graph".*?</svg>', html, re.S).group(0))


if __name__ == "__main__":
    if not (MODELS / "nmp.onnx").exists():
        print("the models are not fetched: skipped")
        sys.exit(77)
    unittest.main()
