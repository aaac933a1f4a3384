#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A device that lends itself for measuring, as processes: the real agent with an application and a [measure] table, the real
oree bench --device, TLS, and kill -9 of each of them in the middle. Skipped where the model or its engine is not there.
Environment: OREE_BIN, OREE_DEPS."""
import contextlib
import hashlib
import http.server
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[1]
BIN = pathlib.Path(os.environ.get("OREE_BIN", ROOT / "build/bin"))
DEPS = pathlib.Path(os.environ.get("OREE_DEPS", ROOT / ".deps"))
MODEL = DEPS / "models/detector.tflite"
ENV = os.environ | {"OREE_DEPS": str(DEPS)}
TOKEN = "0123456789abcdef" * 2

AGENT = """data = "data"
[server]
url = "{url}"
poll_seconds = 0.5
[device]
id = "cam-1"
type = "pc"
[model]
name = "detector"
trusted_keys = ["release.key.pub"]
[app]
command = ["sh", "app.sh"]
restart = "always"
backoff_seconds = 0.2
[measure]
listen = "127.0.0.1:{port}"
token_file = "measure.token"
lease_seconds = 3
"""

APP = """echo $$ > app.pid
out=/proc/self/fd/$OREE_AGENT_FD
echo '{"type":"ready","model":"detector","version":"x"}' > $out
while :; do
  echo '{"type":"stats","predictions":5,"frames":5,"frames_dropped":0,"events":0,"confidence":{"n":0,"bins":{}},"latency_ms":{"n":0,"zero":0,"sum":0,"min":0,"max":0,"scale":3,"buckets":{}}}' > $out
  sleep 0.5
done
"""


def run(*args, cwd=None):
    done = subprocess.run([str(a) for a in args], cwd=cwd, env=ENV, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, f"{args}\n{done.stdout}{done.stderr}"
    return done.stdout


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def cmdline(pid):
    with contextlib.suppress(OSError):
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    return []


def children(pid):
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if f"\nPPid:\t{pid}\n" in (entry / "status").read_text():
                    found.append(int(entry.name))
    return found


def until(true, what, seconds=60):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.05)


class Fleet:
    """The server, as small as it can be: one release, and the device's last word."""

    def __init__(self):
        fleet = self
        self.bundle, self.version, self.status = None, None, {}

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args):
                pass

            def answer(self, status, body, kind="application/json"):
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self):
                if self.path.startswith("/blobs/"):
                    return self.answer(200, fleet.bundle)
                if fleet.bundle is None:
                    return self.answer(404, b"{}")
                digest = hashlib.sha256(fleet.bundle).hexdigest()
                latest = {"model": "detector", "version": fleet.version, "url": f"/blobs/sha256/{digest}", "checksum": f"sha256:{digest}",
                          "size": len(fleet.bundle), "compatible_devices": ["pc"], "release_id": fleet.version}
                self.answer(200, json.dumps(latest).encode())

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if self.path.endswith("/status"):
                    fleet.status = body
                    return self.answer(200, b"{}")
                accepted = [{"boot_id": r["boot_id"], "seq": r["seq"]} for r in body["reports"]]
                self.answer(200, json.dumps({"accepted": accepted}).encode())

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def offer(self, path):
        self.bundle, self.version = path.read_bytes(), path.stem


class MeasureTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.folder = pathlib.Path(cls.temporary.name)
        run(BIN / "oree", "keygen", "--out", "release.key", cwd=cls.folder)
        for version in ("1.0", "1.1"):
            run(BIN / "oree", "bundle", "--model", MODEL, "--runtime", "tflite", "--name", "detector", "--version", version, "--device-type", "pc",
                "--golden-random", 1, "--runs", 3, "--warmup-runs", 1, "--probation-seconds", 1, "--no-prove", "--out", f"{version}.oree", cwd=cls.folder)
            run(BIN / "oree", "sign", f"{version}.oree", "--key", "release.key", cwd=cls.folder)
        (cls.folder / "token").write_text(TOKEN + "\n")

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()

    def setUp(self):
        self.processes = []

    def tearDown(self):
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.communicate()

    def popen(self, *args, **more):
        process = subprocess.Popen([str(a) for a in args], env=ENV, text=True, stdout=subprocess.PIPE, **more)
        self.processes.append(process)
        return process

    def bench(self, url, *options, token="token"):
        args = [BIN / "oree", "bench", MODEL, "--runtimes", "tflite", "--threads", "1", "--device", url, "--device-token-file", self.folder / token]
        return self.popen(*args, *options, stderr=subprocess.PIPE)

    def measured(self, url, *options):
        bench = self.bench(url, "--rounds", "2", "--runs", "3", "--json", *options)
        out, err = bench.communicate(timeout=120)
        self.assertEqual(bench.returncode, 0, out + err)
        return json.loads(out)

    # --- the agent, its application, its measuring process

    def start_agent(self):
        log = open(self.device / "agent.log", "ab")
        self.agent = self.popen(BIN / "oree-agent", "run", "--config", "agent.toml", cwd=self.device, stderr=log)
        log.close()

    def app_runs(self):
        with contextlib.suppress(OSError, ValueError):
            pid = int((self.device / "app.pid").read_text())
            return pid in children(self.agent.pid) and b"app.sh" in cmdline(pid)
        return False

    def measuring_process(self):
        return next((pid for pid in children(self.agent.pid) if b"measure" in cmdline(pid)), None)

    def workers(self):
        parent = self.measuring_process()
        return [pid for pid in children(parent) if b"worker" in cmdline(pid)] if parent else []

    def until_measuring(self):
        # A worker is there a moment before, too: it looks which engines there are.
        until(lambda: self.fleet.status.get("state") == "measuring" and self.workers(), "the state tells, and a worker runs")

    def make_device(self):
        self.device = pathlib.Path(tempfile.mkdtemp(dir=self.folder))
        self.fleet, port = Fleet(), free_port()
        (self.device / "agent.toml").write_text(AGENT.format(url=self.fleet.url, port=port))
        (self.device / "app.sh").write_text(APP)
        (self.device / "measure.token").write_text("sha256:" + hashlib.sha256(TOKEN.encode()).hexdigest() + "\n")
        shutil.copy(self.folder / "release.key.pub", self.device)
        self.fleet.offer(self.folder / "1.0.oree")
        self.start_agent()
        until(lambda: self.fleet.status.get("update_outcome") == "committed", "1.0 committed")
        until(self.app_runs, "the application runs")
        return f"http://127.0.0.1:{port}"

    def test_a_device_lends_itself_and_returns_to_its_work_whatever_happens(self):
        url = self.make_device()
        document = self.measured(url)
        self.assertEqual(document["target"]["name"], "cam-1")
        self.assertGreater(document["candidates"][0]["latency_ms"]["p50"], 0)
        until(self.app_runs, "the application is back")
        runtimes = json.loads(run(BIN / "oree", "runtimes", "--json", "--device", url, "--device-token-file", self.folder / "token"))
        self.assertTrue(any(r["name"] == "tflite" and r["available"] for r in runtimes["runtimes"]))

        # In the middle: the application is paused, the state tells, another is told who measures, an update waits.
        bench = self.bench(url, "--seconds", "60")
        self.until_measuring()
        self.assertFalse(self.app_runs())
        second = self.bench(url)
        out, err = second.communicate(timeout=60)
        self.assertEqual(second.returncode, 9, out + err)
        self.assertRegex(out + err, r"busy: \S+@\S+ measures on it since \d+ s")
        self.fleet.offer(self.folder / "1.1.oree")
        time.sleep(2)
        self.assertEqual(self.fleet.status["version"], "1.0")

        # Whoever measures is gone: silence ends the job, and the update has its turn.
        bench.kill()
        until(lambda: self.fleet.status.get("update_version") == "1.1" and self.fleet.status.get("update_outcome") == "committed", "1.1 committed")
        until(self.app_runs, "the application is back")
        self.assertEqual(self.workers(), [])

        # The measuring process is killed.
        bench = self.bench(url, "--seconds", "60")
        self.until_measuring()
        workers, killed = self.workers(), self.measuring_process()
        os.kill(killed, signal.SIGKILL)
        out, err = bench.communicate(timeout=60)
        self.assertNotEqual(bench.returncode, 0)
        self.assertRegex(out + err, "knows no such job|does not answer")
        until(self.app_runs, "the application is back")
        until(lambda: not any(b"worker" in cmdline(pid) for pid in workers), "its workers are gone")
        until(lambda: self.measuring_process() not in (None, killed), "it is started again")
        self.assertIsNone(self.agent.poll())
        until(lambda: self.bench_works(url), "measuring goes on", 30)

        # A worker is killed, as the kernel does it when memory is used up.
        bench = self.bench(url, "--seconds", "60")
        self.until_measuring()
        os.kill(self.workers()[0], signal.SIGKILL)
        out, err = bench.communicate(timeout=60)
        self.assertEqual(bench.returncode, 7, out + err)
        self.assertIn("want of memory", out + err)
        until(self.app_runs, "the application is back")

        # The agent is killed: all that it started ends; the next one starts the application, and lends again.
        bench = self.bench(url, "--seconds", "60")
        self.until_measuring()
        family = [self.measuring_process(), *self.workers()]
        peak = re.search(r"VmHWM:\s+(\d+)", pathlib.Path(f"/proc/{self.agent.pid}/status").read_text())[1]
        self.agent.kill()
        self.agent.wait()
        until(lambda: not any(cmdline(pid)[1:2] in ([b"measure"], [b"worker"]) for pid in family), "all of them are gone")
        out, err = bench.communicate(timeout=90)
        self.assertEqual(bench.returncode, 6, out + err)
        self.assertIn("does not answer", out + err)
        self.start_agent()
        until(self.app_runs, "the application is back")
        until(lambda: self.bench_works(url), "measuring goes on", 30)
        self.agent.send_signal(signal.SIGTERM)
        self.assertEqual(self.agent.wait(20), 0)
        print(f"agent resident: {peak} KiB at most", file=sys.stderr)
        if "OREE_SANITIZED" not in os.environ:
            self.assertLess(int(peak), 8 << 10)

    def bench_works(self, url):
        bench = self.bench(url, "--rounds", "1", "--runs", "1")
        bench.communicate(timeout=60)
        return bench.returncode == 0

    def test_by_hand_over_tls(self):
        if shutil.which("openssl") is None:
            self.skipTest("openssl is not installed")
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=device",
            "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "device.key", "-out", "device.pem", cwd=self.folder)
        lender = self.popen(BIN / "oree-agent", "measure", "--listen", "127.0.0.1:0", "--token-file", "token", "--data", "by-hand",
                            "--certificate", "device.pem", "--key", "device.key", cwd=self.folder, stderr=subprocess.PIPE)
        url = lender.stdout.readline().split()[-1]
        self.assertTrue(url.startswith("https://127.0.0.1:"), url)
        certificate = self.folder / "device.pem"
        document = self.measured(url, "--device-ca", certificate)
        self.assertEqual(document["target"]["name"], socket.gethostname())
        stored = sorted(p.name for p in (self.folder / "by-hand/files").iterdir())
        self.assertEqual(stored, [hashlib.sha256(MODEL.read_bytes()).hexdigest()])
        self.assertFalse((self.folder / "by-hand/job").exists())

        distrust = self.bench(url)
        out, err = distrust.communicate(timeout=60)
        self.assertEqual(distrust.returncode, 2, out + err)
        self.assertIn("certificate is not trusted", err)
        (self.folder / "wrong").write_text("f" * 32)
        stranger = self.bench(url, "--device-ca", certificate, token="wrong")
        out, err = stranger.communicate(timeout=60)
        self.assertEqual(stranger.returncode, 2, out + err)
        self.assertIn("does not accept this token", err)
        again = subprocess.run([BIN / "oree-agent", "measure", "--listen", "127.0.0.1:0", "--token-file", "token", "--data", "by-hand"],
                               cwd=self.folder, capture_output=True, text=True, timeout=20)
        self.assertEqual(again.returncode, 9, again.stderr)  # one process a folder
        lender.send_signal(signal.SIGTERM)
        self.assertEqual(lender.wait(20), 0)

    def test_a_token_in_the_clear_must_be_meant(self):
        refused = subprocess.run([BIN / "oree-agent", "measure", "--listen", "0.0.0.0:0", "--token-file", "token", "--data", "x"], cwd=self.folder,
                                 capture_output=True, text=True, timeout=20)
        self.assertEqual(refused.returncode, 2)
        self.assertIn("in the clear", refused.stderr)
        self.assertFalse((self.folder / "x").exists())


if __name__ == "__main__":
    if not MODEL.exists() or subprocess.run([BIN / "oree-agent", "prove", "--runtime", "tflite"], env=ENV, capture_output=True).returncode != 0:
        print("skipped: the detector or its engine is not in .deps", file=sys.stderr)
        sys.exit(77)
    unittest.main()
