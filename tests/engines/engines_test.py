# SPDX-License-Identifier: Apache-2.0
"""The engines behind plug-ins, torchscript and executorch, as a user meets them: one network in each format (make_models.py)
gives what ONNX Runtime gives. What needs an engine that is not here is skipped by name."""
import io
import json
import os
import pathlib
import struct
import subprocess
import sys
import tempfile
import unittest
import zipfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
OREE = pathlib.Path(os.environ.get("OREE_BIN", ROOT / "build/bin")) / "oree"
HERE = pathlib.Path(__file__).resolve().parent
CODES = {"<f4": "f", "<i8": "q"}


def oree(*args, status=0):
    done = subprocess.run([OREE, *map(str, args)], capture_output=True, text=True, timeout=200)
    if done.returncode != status:
        raise AssertionError(f"exit {done.returncode}, expected {status}: {done.stdout}{done.stderr}")
    return done.stdout if status == 0 else done.stdout + done.stderr


def write_npz(path, arrays):
    """name -> (dtype, shape, values)"""
    with zipfile.ZipFile(path, "w") as z:
        for name, (dtype, shape, values) in arrays.items():
            head = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {tuple(shape)}, }}"
            head += " " * (63 - (10 + len(head)) % 64) + "\n"
            data = struct.pack(f"<{len(values)}{CODES[dtype]}", *values)
            z.writestr(f"{name}.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode() + data)


def read_npz(path):
    arrays = {}
    with zipfile.ZipFile(path) as z:
        for member in z.namelist():
            data = io.BytesIO(z.read(member))
            data.seek(8)
            head = data.read(struct.unpack("<H", data.read(2))[0]).decode()
            code = next(c for dtype, c in CODES.items() if dtype in head)
            rest = data.read()
            arrays[member.removesuffix(".npy")] = struct.unpack(f"<{len(rest) // struct.calcsize(code)}{code}", rest)
    return arrays


class Case(unittest.TestCase):
    ENGINE = None

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        runtimes = json.loads(oree("runtimes", "--json"))["runtimes"]
        self.absent = {r["name"]: r["absent"][r["name"]] for r in runtimes if not r["available"]}
        for engine in ["onnxruntime", self.ENGINE] if self.ENGINE else []:
            if engine in self.absent:
                self.skipTest(f"{engine} is not here: {self.absent[engine]}")
        self.input = self.folder / "x.npz"
        write_npz(self.input, {"x": ("<f4", (1, 1, 6, 6), [((i * 37) % 17) / 8 - 1 for i in range(36)])})

    def infer(self, model, *options, data=None):
        out = self.folder / "y.npz"
        oree("infer", HERE / model, "--input", data or self.input, "--output", out, *options)
        return read_npz(out)

    def check_same(self, wanted, got):
        self.assertEqual(len(wanted), len(got))
        for a, b in zip(wanted.values(), got.values()):
            self.assertEqual(len(a), len(b))
            self.assertLess(max(abs(x - y) for x, y in zip(a, b)), 1e-5)

    def check_cuts(self, name, whole_but_one):
        whole = (HERE / name).read_bytes()
        for keep in (1, 9, 100, len(whole) // 2, len(whole) - 1):
            cut = self.folder / name
            cut.write_bytes(whole[:keep])
            done = subprocess.run([OREE, "infer", cut, "--input", self.input, "--output", self.folder / "y.npz"],
                                  capture_output=True, text=True, timeout=60)
            allowed = range(0 if keep == len(whole) - 1 and whole_but_one else 1, 10)
            self.assertIn(done.returncode, allowed, f"{name} cut to {keep}: {done.stderr}")


class Torchscript(Case):
    ENGINE = "torchscript"

    def test_it_computes_what_onnxruntime_does(self):
        wanted = self.infer("small.onnx")
        for model, names in (("small.pt", ["scores", "features"]), ("bare.pt", ["output0", "output1"])):
            for threads in ("1", "2"):
                got = self.infer(model, "--threads", threads)
                self.assertEqual(names, list(got))
                self.check_same(wanted, got)

    def test_a_dict_of_tensors_of_two_types(self):
        data = self.folder / "pair.npz"
        write_npz(data, {"a": ("<f4", (2, 4), range(8)), "index": ("<i8", (2,), [0, 3])})
        self.assertEqual({"sum": (6.0, 22.0), "picked": (0.0, 3.0, 4.0, 7.0)}, self.infer("named.pt", data=data))

    def test_bench_takes_what_says_its_sizes(self):
        document = json.loads(oree("bench", HERE / "small.pt", "--rounds", "2", "--runs", "2", "--threads", "1", "--json"))
        self.assertEqual(["torchscript"], [c["runtime"] for c in document["candidates"]])
        self.assertEqual("f32", document["candidates"][0]["facts"]["precision"])
        self.assertIn("docs/engines.md", oree("bench", HERE / "bare.pt", "--rounds", "2", "--runs", "2", status=3))

    def test_cut_files_are_refused(self):
        self.check_cuts("small.pt", False)


class Executorch(Case):
    ENGINE = "executorch"

    def test_it_computes_what_onnxruntime_does(self):
        wanted = self.infer("small.onnx")
        for model in ("xnnpack.pte", "portable.pte"):  # which have no names for their inputs
            for threads in ("1", "2"):
                self.check_same(wanted, self.infer(model, "--threads", threads))

    def test_cut_files_are_refused(self):
        self.check_cuts("portable.pte", True)  # its last byte fills up a segment


class Files(Case):
    """With and without the engines."""

    def test_tune_has_the_other_format_among_its_candidates(self):
        out = self.folder / "tuned"
        oree("tune", HERE / "small.onnx", HERE / "small.pt", "--threads", "1", "--out", out, "--fresh")
        rows = json.loads((out / "tune.json").read_text())["candidates"]
        own = [c for c in rows if c["runtime"] == "torchscript" and c["model"].endswith("small.pt")]
        self.assertEqual(1, len(own))
        self.assertEqual("torchscript" in self.absent, "./dev setup --torch" in json.dumps(own[0]))
        # Where it is not here, nobody is told so of a file that it would not read.
        self.assertNotIn("./dev setup", json.dumps([c for c in rows if c["model"].endswith("small.onnx")]))

    def test_a_checkpoint_is_told_to_be_no_program(self):
        self.assertIn("torch.save holds weights alone", oree("inspect", HERE / "checkpoint.pth", "--no-probe", status=3))

    def test_inspect_says_the_note(self):
        document = json.loads(oree("inspect", HERE / "small.pt", "--no-probe", "--json"))
        self.assertEqual("torchscript", document["format"])
        self.assertEqual(["x"], [i["name"] for i in document["inputs"]])
        self.assertEqual("executorch", json.loads(oree("inspect", HERE / "xnnpack.pte", "--no-probe", "--json"))["format"])


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v", *sys.argv[1:]])
