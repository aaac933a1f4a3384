# SPDX-License-Identifier: Apache-2.0
"""oree tune on a small classifier that is written here, with labels that it nearly always finds: what is chosen, what is
refused and why, batches, the lock and the cache. Skipped where no engine that reads ONNX is here."""
import fcntl
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
sys.path.insert(0, str(ROOT / "tools"))
import make_yolov8_shaped as onnx  # noqa: E402

INPUTS, HIDDEN, CLASSES, SAMPLES = 16, 64, 4, 600
DRAW = random.Random(5)
PROTOTYPES = [[DRAW.gauss(0, 1) for _ in range(INPUTS)] for _ in range(CLASSES)]
FIRST = [[DRAW.gauss(0, 0.25) for _ in range(HIDDEN)] for _ in range(INPUTS)]


def relu_layer(x):
    return [max(0.0, sum(a * row[h] for a, row in zip(x, FIRST))) for h in range(HIDDEN)]


def value_info(name, batch, size):
    first = onnx.message(1, onnx.integer(1, batch) if isinstance(batch, int) else onnx.message(2, batch))
    shape = first + onnx.message(1, onnx.integer(1, size))
    return onnx.message(1, name) + onnx.message(2, onnx.message(1, onnx.integer(1, 1) + onnx.message(2, shape)))


def write_model(path, batch, damaged=False, scale=1):
    """Scores by the distance to what the first layer makes of each prototype; damaged: two classes change places."""
    middles = [relu_layer(p) for p in PROTOTYPES]
    if damaged:
        middles[0], middles[1] = middles[1], middles[0]
    weights = [scale * middles[c][h] for h in range(HIDDEN) for c in range(CLASSES)]
    bias = [-scale * sum(v * v for v in m) / 2 for m in middles]

    def floats(name, dims, values):
        return onnx.message(5, onnx.tensor(name, dims, onnx.FLOAT, array("f", values).tobytes()))

    def node(op, inputs, output):
        return onnx.message(1, b"".join(onnx.message(1, i) for i in inputs) + onnx.message(2, output) + onnx.message(4, op))

    graph = node("MatMul", ["inputs", "w1"], "a") + node("Relu", ["a"], "b") + node("Gemm", ["b", "w2", "c"], "scores")
    graph += onnx.message(2, "classifier") + floats("w1", [INPUTS, HIDDEN], [v for row in FIRST for v in row])
    graph += floats("w2", [HIDDEN, CLASSES], weights) + floats("c", [CLASSES], bias)
    graph += onnx.message(11, value_info("inputs", batch, INPUTS)) + onnx.message(12, value_info("scores", batch, CLASSES))
    path.write_bytes(onnx.integer(1, 8) + onnx.message(7, graph) + onnx.message(8, onnx.integer(2, 13)))


def npy(kind, shape, data):
    header = str({"descr": kind, "fortran_order": False, "shape": tuple(shape)}).encode()
    header += b" " * (63 - (10 + len(header)) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + data


def write_samples(path, count, shuffled=False):
    draw = random.Random(7)
    labels = [draw.randrange(CLASSES) for _ in range(count)]
    values = [v + draw.gauss(0, 0.5) for label in labels for v in PROTOTYPES[label]]
    if shuffled:
        draw.shuffle(labels)
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("inputs.npy", npy("<f4", (count, INPUTS), array("f", values).tobytes()))
        file.writestr("labels.npy", npy("<i8", (count,), array("q", labels).tobytes()))


class Tune(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.dir = pathlib.Path(folder.name)
        cls.fixed, cls.free, cls.damaged = cls.dir / "fixed.onnx", cls.dir / "free.onnx", cls.dir / "damaged.onnx"
        write_model(cls.fixed, 1)
        write_model(cls.free, "samples")
        write_model(cls.damaged, 1, damaged=True)
        cls.samples = cls.dir / "samples.npz"
        write_samples(cls.samples, SAMPLES)

    def tune(self, *args, status=0, out=None):
        """(tune.json or None, all that was said)"""
        out = out or self.dir / self.id().rsplit(".", 1)[1]
        env = {**os.environ, "OREE_CACHE_DIR": str(self.dir / "cache" / out.name)}
        done = subprocess.run([OREE, "tune", *map(str, args), "--out", out, "--rounds", "3"], env=env, capture_output=True,
                              text=True, timeout=300)
        said = done.stdout + done.stderr
        self.assertEqual(done.returncode, status, said)
        path = out / "tune.json"
        return (json.loads(path.read_text()) if path.exists() else None), said

    def test_a_folder_is_for_one_tune_at_a_time_and_loses_what_another_left(self):
        out = self.dir / "held"
        out.mkdir()
        with open(out / ".lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self.assertIn("another process works there", self.tune(self.fixed, "--threads", "1", out=out, status=9)[1])
        (out / ".scratch-1").mkdir()
        (out / ".scratch-1" / "first.npz").write_bytes(b"old")
        self.tune(self.fixed, "--evaluation", self.samples, "--threads", "1", out=out)
        self.assertFalse((out / ".scratch-1").exists())

    def test_the_accurate_is_chosen_and_the_damaged_refused(self):
        result, _ = self.tune(self.fixed, self.damaged, "--evaluation", self.samples, "--max-drop", "1%", "--threads", "1")
        self.assertEqual(result["chosen"]["model"], str(self.fixed))
        damaged = [c for c in result["candidates"] if c["model"] == str(self.damaged) and "latency_ms" in c]
        self.assertTrue(damaged)
        for candidate in damaged:
            self.assertFalse(candidate["within_bounds"])
        page = (self.dir / "test_the_accurate_is_chosen_and_the_damaged_refused/report.html").read_text()
        self.assertIn("damaged.onnx", page)
        self.assertNotIn("<script", page)

    def test_a_damaged_model_alone_ends_with_the_nearest_misses(self):
        self.tune(self.fixed, "--evaluation", self.samples, "--max-size", "0.0001", "--threads", "1", status=1)
        _, said = self.tune(self.fixed, "--evaluation", self.samples, "--max-latency-ms", "0.0000001", "--threads", "1", status=1)
        self.assertIn("nearest", said)

    def test_shuffled_labels_are_no_labels(self):
        shuffled = self.dir / "shuffled.npz"
        write_samples(shuffled, SAMPLES, shuffled=True)
        result, said = self.tune(self.fixed, "--evaluation", shuffled, "--max-drop", "1%", "--threads", "1", status=3)
        self.assertIsNone(result)
        self.assertIn("labels", said)

    def test_too_few_samples_prove_nothing(self):
        few = self.dir / "few.npz"
        write_samples(few, 40)
        other = self.dir / "other.onnx"  # other numbers, the same classes
        write_model(other, 1, scale=1.01)
        result, _ = self.tune(self.fixed, other, "--evaluation", few, "--max-drop", "1%", "--threads", "1", "--exhaustive")
        notes = [c["note"] for c in result["candidates"] if c["model"] == str(other) and "latency_ms" in c]
        self.assertTrue(notes)
        for note in notes:
            self.assertIn("not enough samples", note)
        self.assertEqual(result["chosen"]["model"], str(self.fixed))

    def test_batches_are_candidates_where_the_first_dimension_is_free(self):
        result, said = self.tune(self.free, "--evaluation", self.samples, "--batch", "1,8", "--threads", "1", "--exhaustive")
        batched = [c for c in result["candidates"] if c.get("batch") == 8 and "latency_ms" in c]
        self.assertTrue(batched, said)
        for candidate in batched:
            self.assertGreaterEqual(candidate["agreement"]["value"], 0.999, candidate)
        self.assertIn("batch 8", said)
        result, _ = self.tune(self.fixed, "--evaluation", self.samples, "--batch", "1,8", "--threads", "1",
                              out=self.dir / "fixed_batch")
        refused = [c for c in result["candidates"] if c.get("batch") == 8]
        self.assertTrue(refused)
        for candidate in refused:
            self.assertIn("first dimension", candidate["refused"]["message"])
        self.tune(self.free, "--batch", "0", status=2, out=self.dir / "no_batch")

    def test_the_lock_repeats_and_the_cache_remembers(self):
        out = self.dir / "locked"
        first, _ = self.tune(self.fixed, "--evaluation", self.samples, "--max-drop", "1%", "--threads", "1", out=out)
        again, _ = self.tune(self.fixed, "--evaluation", self.samples, "--max-drop", "1%", "--threads", "1", out=out)
        self.assertEqual(first["chosen"]["runtime"], again["chosen"]["runtime"])
        self.assertGreater(again["cost"]["remembered"], 0)  # times too, unless the machine was busy then and is not now
        lock = json.loads((out / "tune.lock").read_text())
        self.assertEqual(lock["request"]["models"], [str(self.fixed)])
        for beside in ([self.fixed], ["--goal", "size"], ["--max-drop", "50%"]):
            self.assertIn("found", self.tune("--lock", out / "tune.lock", *beside, out=self.dir / "other", status=2)[1])
        done = subprocess.run([OREE, "tune", "--lock", out / "tune.lock", "--out", self.dir / "again"], capture_output=True,
                              text=True, timeout=300)
        self.assertIn(done.returncode, (0, 1), done.stderr)  # which of two equals is faster may change
        self.assertTrue(any(word in done.stdout + done.stderr for word in ("same choice", "was chosen then")), done.stdout)


if __name__ == "__main__":
    runtimes = json.loads(subprocess.run([OREE, "runtimes", "--json"], capture_output=True, text=True).stdout)["runtimes"]
    if not any(r["available"] and "onnx" in r["formats"] for r in runtimes):
        print("no engine that reads ONNX is here")
        sys.exit(77)
    unittest.main()
