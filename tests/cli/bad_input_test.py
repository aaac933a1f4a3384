#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every command meets every kind of bad input: it must say what is wrong, exit with a documented status, and neither
crash, hang nor leave its output half-written. The programs' folder is given by OREE_BIN."""
import io
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

BIN = pathlib.Path(os.environ["OREE_BIN"])
SOURCE = pathlib.Path(__file__).resolve().parents[2]
DOCUMENTED = {1, 2, 3, 4, 5, 6, 7, 8, 9}
USAGE, NOT_FOUND = 2, 8


def npy(dtype, shape, raw):
    head = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    head += b" " * (-(len(head) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head + raw


def npz(**arrays):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as z:
        for name, data in arrays.items():
            z.writestr(name + ".npy", data)
    return out.getvalue()


class BadInput(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.dir = pathlib.Path(cls.folder.name)
        cls.model = cls.dir / "good.onnx"
        subprocess.run([sys.executable, SOURCE / "tools/make_yolov8_shaped.py", cls.model, "--size", "64"], check=True)
        data = cls.model.read_bytes()
        noise = random.Random(7)
        cls.bad_models = {
            "missing": cls.dir / "nowhere.onnx",
            "folder": cls.dir,
            "empty": cls.file("empty.onnx", b""),
            "text": cls.file("text.onnx", b"this is not a model\n" * 50),
            "noise": cls.file("noise.onnx", noise.randbytes(5000)),
            "truncated": cls.file("truncated.onnx", data[: len(data) // 2]),
            "head only": cls.file("head.onnx", data[:100]),
            "huge dims": cls.file("huge.onnx", data.replace(b"\x08\x40", b"\x08\x80\x80\x80\x80\x80\x80\x80\x40", 2)),
            "empty tflite": cls.file("empty.tflite", b""),
            "noise tflite": cls.file("noise.tflite", b"\x1c\0\0\0TFL3" + noise.randbytes(4000)),
            "broken IR": cls.file("broken.xml", b"<net name='x' version='11'><layers><layer id='0'"),
            "IR without weights": cls.file("alone.xml", b"<?xml version='1.0'?><net name='x' version='11'><layers/><edges/></net>"),
        }
        pixels = struct.pack("<12288f", *([0.5] * 12288))
        cls.good_input = cls.file("good.npz", npz(images=npy("<f4", "(1, 3, 64, 64)", pixels)))

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    @classmethod
    def file(cls, name, data):
        path = cls.dir / name
        path.write_bytes(data)
        return path

    def run_oree(self, *args, program="oree", timeout=120):
        return subprocess.run([BIN / program, *map(str, args)], capture_output=True, timeout=timeout, cwd=self.dir)

    def refuse(self, *args, status=None, program="oree"):
        with self.subTest(" ".join(map(str, args))):
            done = self.run_oree(*args, program=program)
            text = done.stderr.decode(errors="replace")
            self.assertGreater(done.returncode, 0, f"was accepted or died of a signal ({done.returncode}): {text}")
            self.assertIn(done.returncode, DOCUMENTED if status is None else {status}, text)
            self.assertGreater(len(text.strip()), 10, "says nothing")
            return text

    def test_models_that_are_none(self):
        for kind, path in self.bad_models.items():
            status = NOT_FOUND if kind == "missing" else None
            self.refuse("inspect", path, status=status)
            self.refuse("profile", path, status=status)
            self.refuse("infer", path, "--input", self.good_input, "--output", self.dir / "out.npz", status=status)
        self.assertFalse((self.dir / "out.npz").exists(), "an output was written for a broken model")

    def test_models_that_are_none_in_every_runtime(self):
        for runtime in ("onnxruntime", "openvino", "tflite"):
            for kind in ("text", "truncated", "noise tflite", "broken IR"):
                self.refuse("infer", self.bad_models[kind], "--runtime", runtime, "--input", self.good_input, "--output", self.dir / "o.npz")

    def test_bench_and_tune_name_the_model_that_they_cannot_open(self):
        for command in (("bench", "--rounds", "1"), ("tune", "--out", self.dir / "t")):
            for kind in ("missing", "empty", "truncated"):
                text = self.refuse(*command[:1], self.bad_models[kind], *command[1:])
                self.assertIn(self.bad_models[kind].name, text or "")

    def test_tensors_that_do_not_fit(self):
        f4 = lambda n: struct.pack(f"<{n}f", *([0.0] * n))  # noqa: E731
        cases = {
            "missing": self.dir / "nowhere.npz",
            "empty": self.file("empty.npz", b""),
            "no zip": self.file("nozip.npz", b"PK\x03\x04 but no more"),
            "truncated": self.file("cut.npz", self.good_input.read_bytes()[:500]),
            "wrong shape": self.file("shape.npz", npz(images=npy("<f4", "(1, 3, 32, 32)", f4(3072)))),
            "wrong type": self.file("dtype.npz", npz(images=npy("|u1", "(1, 3, 64, 64)", bytes(12288)))),
            "wrong name": self.file("name.npz", npz(pictures=npy("<f4", "(1, 3, 64, 64)", f4(12288)))),
            "huge shape": self.file("huge.npz", npz(images=npy("<f4", "(999999999, 999999999, 64, 64)", f4(4)))),
            "negative shape": self.file("negative.npz", npz(images=npy("<f4", "(-1, 3, 64, 64)", f4(4)))),
            "objects": self.file("object.npz", npz(images=npy("|O", "(1,)", b"\x80\x04."))),
        }
        for kind, path in cases.items():
            text = self.refuse("infer", self.model, "--input", path, "--output", self.dir / "out.npz")
            if kind in ("wrong shape", "wrong type", "wrong name"):
                self.assertIn("images", text, "does not name the input that it expected")
        self.assertFalse((self.dir / "out.npz").exists())

    def test_options_that_mean_nothing(self):
        ok = ("infer", self.model, "--input", self.good_input, "--output", self.dir / "never.npz")
        self.refuse(*ok, "--threads", "0", status=USAGE)
        self.refuse(*ok, "--threads", "many", status=USAGE)
        self.refuse(*ok, "--runtime", "caffe")
        self.refuse(*ok, "--no-such-option", status=USAGE)
        self.refuse("no-such-command", status=USAGE)
        self.refuse("bench", self.model, "--threads", "1,x", status=USAGE)
        self.refuse("profile", "--device", "no-such-board", status=NOT_FOUND)
        self.refuse("profile", "--profiles", self.dir / "nowhere", status=NOT_FOUND)
        self.refuse("profile", "--profiles", self.file("not.toml", b"name = 3"), status=USAGE)
        self.refuse("profile", "--profiles", self.file("large.toml", b"#" * 70000))

    def test_a_place_that_cannot_be_written(self):
        self.refuse("infer", self.model, "--input", self.good_input, "--output", self.dir / "no/such/folder/out.npz")
        self.refuse("infer", self.model, "--input", self.good_input, "--output", "/dev/full")

    def test_keys_and_bundles_that_are_none(self):
        self.assertEqual(self.run_oree("keygen", "--out", "k.pem").returncode, 0)
        self.refuse("keygen", "--out", "k.pem")  # never overwrites
        public = self.dir / "k.pem.pub"
        self.assertTrue(public.exists())
        for name, data in {"none": None, "zero": b"", "text": b"hello", "noise": random.Random(1).randbytes(3000), "zeros": bytes(10240)}.items():
            path = self.dir / f"{name}.oree" if data is None else self.file(f"{name}.oree", data)
            self.refuse("verify", path, "--key", public)
            self.refuse("sign", path, "--key", "k.pem")
            self.refuse("publish", path, "--server", "http://127.0.0.1:9", "--token", "t")
        self.refuse("verify", self.file("b.oree", b"x"), "--key", self.file("bad.pem", b"-----BEGIN PUBLIC KEY-----\nnonsense\n"))

    def test_products_that_are_none(self):
        for name, text in {"empty": "", "broken": "[product\nname=", "unknown": "[product]\nname='x'\ncolour='red'\n", "types": "[product]\nname=7\n"}.items():
            self.refuse("ship", "--product", self.file(f"{name}.toml", text.encode()))
        self.refuse("ship", "--product", self.dir / "nowhere.toml", status=NOT_FOUND)

    def test_an_error_is_json_where_json_was_asked_for(self):
        done = self.run_oree("inspect", self.bad_models["missing"], "--json")
        error = json.loads(done.stderr)["error"]
        self.assertEqual(error["code"], "not_found")
        self.assertIn("nowhere.onnx", error["message"])

    def test_agent_and_server_refuse_bad_configurations(self):
        for text in ("", "[", "[server]\nurl = 7\n", "nonsense = true\n"):
            self.refuse("run", "--config", self.file("agent.toml", text.encode()), program="oree-agent")
        self.refuse("run", "--config", self.dir / "nowhere.toml", program="oree-agent")
        self.refuse("--listen", "nonsense", "--data", self.dir / "data", program="oree-server")
        self.refuse("--no-such-option", program="oree-server", status=USAGE)


if __name__ == "__main__":
    unittest.main()
