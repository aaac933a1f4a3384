# SPDX-License-Identifier: Apache-2.0
"""oree ship for three classes of devices at once: this machine, a device that lends itself (the real agent, on another port
with its own folder and token) and one that is not at hand (by its profile), up to a real server, which offers each its own
bundle of the same version. Skipped where the model or its engine is not there. Environment: OREE_BIN, OREE_DEPS."""
import json
import os
import pathlib
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
import unittest
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("OREE_BIN", ROOT / "build/bin"))
DEPS = pathlib.Path(os.environ.get("OREE_DEPS", ROOT / ".deps"))
MODEL = DEPS / "models/detector.tflite"
TOKEN = "fedcba9876543210" * 2

PRODUCT = """
[product]
name = "camera"
version = "{version}"
[model]
file = "{model}"
[data]
golden_random = 2
[tune]
runtimes = ["tflite"]
threads = [1]
metric = "cosine"
samples_max = 4
rounds = 2
[bundle]
relative_error_max = 0.05
nice = 3
[sign]
key = "release.key"
[publish]
server = "{server}"
token_file = "operator.token"

[[target]]
name = "here"
device_types = ["x86-box"]

[[target]]
name = "camera"
device_types = ["door-camera", "yard-camera"]
device = "{device}"
device_token_file = "measure.token"
nice = 0
governor = "performance"

[[target]]
name = "pi"
device_types = ["pi5"]
profile = "raspberry-pi-5"
device_latency_ms_max = 90
"""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Ship(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.dir = pathlib.Path(temporary.name)
        self.oree("keygen", "--out", "release.key")
        (self.dir / "measure.token").write_text(TOKEN)
        port = free_port()
        self.device = self.start("oree-agent", "measure", "--listen", f"127.0.0.1:{port}", "--token-file", "measure.token",
                                 "--data", "device", "--name", "cam-1", stdout=subprocess.DEVNULL)
        self.device_url = f"http://127.0.0.1:{port}"
        server = self.start("oree-server", "--data", "server", "--listen", "127.0.0.1:0", stdout=subprocess.PIPE, text=True)
        self.addCleanup(server.stdout.close)
        for line in server.stdout:
            if line.startswith("listening on "):
                self.server_url = line.split()[2]
                break
        self.token = (self.dir / "server/operator.token").read_text().strip()
        (self.dir / "operator.token").write_text(self.token)
        while True:
            with socket.socket() as s:
                if s.connect_ex(("127.0.0.1", port)) == 0:
                    break
            self.assertIsNone(self.device.poll())
            time.sleep(0.05)

    def start(self, program, *args, **more):
        process = subprocess.Popen([str(BIN / program), *args], cwd=self.dir, env={**os.environ, "OREE_DEPS": str(DEPS)},
                                   stderr=subprocess.DEVNULL, **more)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def oree(self, *args, status=0):
        done = subprocess.run([str(BIN / "oree"), *args], cwd=self.dir, env={**os.environ, "OREE_DEPS": str(DEPS)},
                              capture_output=True, text=True, timeout=300)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def product(self, version="1.0.0"):
        (self.dir / "oree.toml").write_text(PRODUCT.format(version=version, model=MODEL, server=self.server_url, device=self.device_url))

    def ship(self, *args):
        return json.loads(self.oree("ship", "--json", *args))

    def manifest(self, path):
        with tarfile.open(self.dir / path) as tar:
            return json.load(tar.extractfile("manifest.json"))

    def latest(self, device_type):
        request = urllib.request.Request(f"{self.server_url}/model/camera/latest?device_type={device_type}",
                                         headers={"Authorization": "Bearer " + self.token})
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.load(answer)

    def test_each_class_gets_its_own_bundle_of_the_version(self):
        self.product()
        shipped = self.ship()
        results = {s["step"]: s["result"] for s in shipped["steps"]}
        self.assertEqual([s["status"] for s in shipped["steps"]], ["done"] * len(results))
        self.assertIn("measured on cam-1", results["tune camera"])
        self.assertIn("unmeasured, by the profile raspberry-pi-5", results["tune pi"])
        here, camera, pi = (self.manifest(shipped["bundles"][n]) for n in ("here", "camera", "pi"))
        self.assertEqual([m["device_types"] for m in (here, camera, pi)], [["x86-box"], ["door-camera", "yard-camera"], ["pi5"]])
        self.assertEqual(here["host"], {"nice": 3, "governor": ""})
        self.assertEqual(camera["host"], {"nice": 0, "governor": "performance"})
        self.assertNotIn("unmeasured_profile", camera)
        self.assertEqual(pi["unmeasured_profile"], "raspberry-pi-5")
        self.assertEqual((pi["runtime"], pi["options"]["threads"]), ("tflite", 4))
        self.assertEqual(pi["golden"]["latency_ms_p95_max"], 90)
        digests = {t: self.latest(t)["checksum"] for t in ("x86-box", "door-camera", "yard-camera", "pi5")}
        self.assertEqual(digests["door-camera"], digests["yard-camera"])
        self.assertEqual(len(set(digests.values())), 3)
        self.assertEqual({self.latest(t)["version"] for t in digests}, {"1.0.0"})
        # Again: nothing to do, and the device need not be there.
        self.device.kill()
        again = self.ship()
        self.assertEqual({s["status"] for s in again["steps"]}, {"up to date"})
        some = self.ship("--only", "tune pi", "--force")
        self.assertEqual([s["step"] for s in some["steps"] if s["status"] == "done"], ["tune pi"])
        # A new version without it is bundled from what was measured; a new measurement is not to be had.
        self.product("1.1.0")
        self.assertEqual({s["status"] for s in self.ship()["steps"] if s["step"].startswith("tune")}, {"up to date"})
        said = self.oree("ship", "--only", "tune camera", "--force", status=6)
        self.assertIn("tune camera", said)

    def test_what_does_not_fit_a_profile_is_not_bundled(self):
        self.product()
        text = (self.dir / "oree.toml").read_text().replace("raspberry-pi-5", "esp32-s3")
        (self.dir / "oree.toml").write_text(text)
        self.assertIn("tune pi: ", self.oree("ship", status=1))
        (self.dir / "oree.toml").write_text(text.replace("esp32-s3", "raspberry-pi-6"))
        self.assertIn("raspberry-pi-5", self.oree("ship", "--only", "tune pi", status=2))


if __name__ == "__main__":
    if not MODEL.exists():
        print("skipped: the model is not fetched (./dev setup)")
        sys.exit(77)
    engines = json.loads(subprocess.run([str(BIN / "oree"), "runtimes", "--json"], capture_output=True, text=True,
                                        env={**os.environ, "OREE_DEPS": str(DEPS)}).stdout)
    if not any(e["name"] == "tflite" and e["available"] for e in engines["runtimes"]):
        print("skipped: TensorFlow Lite is not here")
        sys.exit(77)
    unittest.main()
