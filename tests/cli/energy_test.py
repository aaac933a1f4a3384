# SPDX-License-Identifier: Apache-2.0
"""oree sensors, and oree bench --energy with a meter that gives each second of computing a known energy. What needs a model
is skipped where that is not fetched."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
OREE = pathlib.Path(os.environ.get("OREE_BIN", ROOT / "build/bin")) / "oree"
MODEL = pathlib.Path(os.environ.get("OREE_DEPS", ROOT / ".deps")) / "models/detector.tflite"
EXAMPLE = f"{sys.executable} {ROOT}/examples/power_meter.py"

# 2 W always and 3 W for each CPU that a worker keeps busy, by the kernel's count of its time. Other work does not count.
METER = '''
import json, os, time
def parent(pid):
    return int(open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[1])
oree = os.getppid()
while not os.readlink(f"/proc/{oree}/exe").endswith(("/oree", "/oree-agent")):
    oree = parent(oree)
itself = os.readlink(f"/proc/{oree}/exe").endswith("/oree-agent")  # a lent device's worker
used = {}
start = time.monotonic()
while True:
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            fields = open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()
            if int(pid) == oree if itself else int(fields[1]) == oree and int(pid) != os.getpid():
                used[pid] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        except OSError:
            pass
    print(json.dumps({"joules": 2 * (time.monotonic() - start) + 3 * sum(used.values()), "name": "simulated"}), flush=True)
    time.sleep(0.05)
'''


def run(*args, status=0, **env):
    done = subprocess.run([OREE, *map(str, args)], capture_output=True, text=True, timeout=200, env={**os.environ, **env})
    if done.returncode != status:
        raise AssertionError(f"exit {done.returncode}, expected {status}: {done.stdout}{done.stderr}")
    return done.stdout


class Energy(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.dir = pathlib.Path(folder.name)

    def script(self, text):
        path = self.dir / "meter.py"
        path.write_text(text)
        return f"{sys.executable} {path}"

    def test_the_examples_meter_is_listed_with_its_watts(self):
        meters = json.loads(run("sensors", "--json", "--power-meter", f"{EXAMPLE} --watts 4.2"))["power_meters"]
        self.assertEqual(meters[0]["method"], "external: power_meter.py")
        self.assertAlmostEqual(meters[0]["watts"], 4.2, places=6)
        power = self.dir / "power1_input"
        power.write_text("7250000\n")
        text = run("sensors", OREE_POWER_METER=f"{EXAMPLE} --file {power} --scale 1e-6")
        self.assertRegex(text, r"external: power_meter.py +whatever feeds the file +7.25 W")

    def test_sensors_answers_on_any_machine(self):
        result = json.loads(run("sensors", "--json"))
        self.assertEqual(set(result), {"power_meters", "temperature_celsius", "frequencies", "throttled", "throttle_count"})
        for meter in result["power_meters"]:
            self.assertTrue(meter["watts"] is not None or meter["not_measurable"], meter)
        text = run("sensors")
        self.assertRegex(text, "Energy: not measurable|power meter +covers")
        self.assertIn("Temperature: ", text)
        self.assertIn("Throttled", text)

    def test_a_meter_that_fails_is_told_why(self):
        for command, reason in (("exit 3", "ended with status 3"), ("echo hello", "found 'hello'")):
            meters = json.loads(run("sensors", "--json", "--power-meter", command))["power_meters"]
            self.assertIn(reason, meters[0]["not_measurable"])
            self.assertIsNone(meters[0]["watts"])

    @unittest.skipUnless(MODEL.exists(), "the model is not fetched")
    def test_the_energy_of_an_inference_is_that_of_its_computing(self):
        out = json.loads(run("bench", MODEL, "--json", "--runtimes", "tflite", "--threads", 1, "--rounds", 3, "--energy-seconds", 1,
                             "--power-meter", self.script(METER)))
        candidate = out["candidates"][0]
        if "refused" in candidate:
            self.skipTest(candidate["refused"]["message"])
        energy = candidate["energy"]
        self.assertNotIn("not_measurable", energy)
        self.assertEqual(energy["method"], "external: simulated")
        self.assertEqual(len(energy["pairs"]), 5)
        # 3 W while one CPU computes. Where others want the same CPUs an inference lasts longer than it computes.
        self.assertLessEqual(energy["load_watts"], 5.3)
        self.assertAlmostEqual(energy["idle_watts"], 2, delta=0.2)
        self.assertLess(energy["low"], energy["joules_per_inference"])
        self.assertLess(energy["joules_per_inference"], energy["high"])
        rates = [pair["inferences_per_s"] for pair in energy["pairs"]]
        per_second = sum(rates) / len(rates)
        self.assertAlmostEqual(energy["joules_per_inference"] * per_second, energy["load_watts"] - energy["idle_watts"], delta=0.3)
        # An inference of one thread computes all the time that it takes on a free CPU.
        self.assertAlmostEqual(energy["joules_per_inference"], 3 * candidate["latency_ms"]["min"] / 1000,
                               delta=0.5 * energy["joules_per_inference"])

    @unittest.skipUnless(MODEL.exists(), "the model is not fetched")
    def test_a_device_measures_itself_with_its_own_meter(self):
        (self.dir / "token").write_text("0123456789abcdef" * 2)
        agent = subprocess.Popen([OREE.parent / "oree-agent", "measure", "--listen", "127.0.0.1:0", "--token-file", "token", "--data", "device",
                                  "--power-meter", self.script(METER)], cwd=self.dir, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.addCleanup(agent.communicate)
        self.addCleanup(agent.kill)
        device = ["--device", agent.stdout.readline().split()[2], "--device-token-file", self.dir / "token"]
        bench = ["bench", MODEL, "--json", "--runtimes", "tflite", "--threads", 1, "--rounds", 2, "--energy-seconds", 1, *device]
        candidate = json.loads(run(*bench, "--energy"))["candidates"][0]
        if "refused" in candidate:
            self.skipTest(candidate["refused"]["message"])
        energy = candidate["energy"]
        self.assertNotIn("not_measurable", energy)
        self.assertEqual(energy["method"], "external: simulated")
        self.assertAlmostEqual(energy["idle_watts"], 2, delta=0.2)
        self.assertGreater(energy["load_watts"], 2.5)
        # Nobody runs a program there by naming it as a meter.
        named = json.loads(run(*bench, "--power-meter", f"touch {self.dir}/was-here"))["candidates"][0]["energy"]
        self.assertIn("no meter of the device's own", named["not_measurable"])
        self.assertFalse((self.dir / "was-here").exists())

    @unittest.skipUnless(MODEL.exists(), "the model is not fetched")
    def test_without_a_meter_there_is_no_figure(self):
        args = ["bench", MODEL, "--runtimes", "tflite", "--threads", 1, "--rounds", 2, "--runs", 2, "--energy"]
        # Named, so that a machine with a meter of its own gives the same.
        text = run(*args, "--power-meter", "exit 3")
        self.assertIn("J/inference", text)
        self.assertIn("not measurable", text)
        self.assertIn("Energy not measurable: external: exit 3 ended with status 3", text)
        result = json.loads(run(*args, "--power-meter", "exit 3", "--json"))
        self.assertIn("status 3", result["candidates"][0]["energy"]["not_measurable"])
        self.assertNotIn("joules_per_inference", result["candidates"][0]["energy"])
        self.assertEqual(result["candidates"][0]["p50_less_drift_ms"] > 0, True)
        self.assertGreaterEqual(result["thermal"]["count"], 1)
        run(*args, "--energy-seconds", 0, status=2)


if __name__ == "__main__":
    unittest.main()
