#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""An agent for another processor, under emulation, as the device that candidates are measured on: what comes back over the
protocol (docs/formats/measure.md) against this machine's own engines, and `oree bench --device` against it. Emulated figures
say that it works and what comes out, nothing about a device's speed. Called by cross_aarch64.py; by hand, with this machine's
agent and no emulator:

    tools/cross_measure.py --agent build/bin/oree-agent --host-oree build/bin/oree
"""
import argparse
import hashlib
import json
import os
import random
import shlex
import signal
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

from cross_aarch64 import ROOT, TOLERANCE, difference, infer, read_npz, write_npz

MODEL, RUNTIME, INPUT, SHAPE = "detector.tflite", "tflite", "normalized_input_image_tensor", (1, 300, 300, 3)


class Device:
    """The asking end of the protocol, as little of it as one inference needs."""

    def __init__(self, url, token):
        self.base, self.token = url + "/measure/v1", token
        self.job = f"/jobs/{random.SystemRandom().getrandbits(128):032x}"

    def call(self, method, path, body=None):
        data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data=data, method=method, headers={"Authorization": "Bearer " + self.token})
        try:
            with urllib.request.urlopen(request, timeout=900) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def good(self, method, path, body=None):
        status, answer = self.call(method, path, body)
        if status // 100 != 2:
            sys.exit(f"cross_measure: {method} {path}: {status} {answer.decode(errors='replace')}")
        return status, answer

    def put_file(self, path):
        data = Path(path).read_bytes()
        digest = hashlib.sha256(data).hexdigest()
        self.good("PUT", f"{self.job}/files/{digest}", data)
        return digest

    def command(self, number, command, **files):
        body = {"command": command, "timeout_ms": 900_000, "wait_ms": 10_000, **files}
        while True:
            status, answer = self.good("POST", f"{self.job}/workers/1/commands/{number}", body)
            if status == 200:
                answer = json.loads(answer)
                if not answer.get("answer", {}).get("ok"):
                    sys.exit(f"cross_measure: {command['cmd']}: {answer}")
                return answer


def outputs_there(device, model, given, got):
    device.good("PUT", device.job, {"by": "cross_measure"})
    device.good("PUT", device.job + "/workers/1", {"memory_bytes_max": 0})
    files = [{"name": Path(model).name, "sha256": device.put_file(model)}]
    device.command(1, {"cmd": "open", "runtime": RUNTIME, "threads": 1, "provider": "", "precision": "f32"}, model=files)
    answer = device.command(2, {"cmd": "outputs", "reals": False}, input=device.put_file(given))
    data = device.good("GET", device.job + "/workers/1/output")[1]
    if hashlib.sha256(data).hexdigest() != answer["output"]["sha256"]:
        sys.exit("cross_measure: the outputs are not those that were named")
    got.write_bytes(data)
    device.good("DELETE", device.job)
    return read_npz(got)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--agent", type=Path, required=True)
    parser.add_argument("--emulator", default="", help="command line before the agent's; none: it runs by itself")
    parser.add_argument("--deps", type=Path, default=ROOT / ".deps", help="the agent's engines")
    parser.add_argument("--host-oree", type=Path, required=True)
    args = parser.parse_args()
    model = ROOT / ".deps" / "models" / MODEL
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        # An emulated program cannot start another of its kind: a script of this machine's does.
        program = work / "agent"
        program.write_text(f"#!/bin/sh\nexec {args.emulator} {shlex.quote(str(args.agent.resolve()))} \"$@\"\n")
        program.chmod(0o755)
        token = "%032x" % random.SystemRandom().getrandbits(128)
        (work / "token").write_text(token)
        lender = subprocess.Popen([program, "measure", "--listen", "127.0.0.1:0", "--token-file", work / "token", "--data", work / "data",
                                   "--name", "emulated", "--worker", program],
                                  env=os.environ | {"OREE_DEPS": str(args.deps)}, stdout=subprocess.PIPE, text=True)
        try:
            url = lender.stdout.readline().split()[-1]
            device = Device(url, token)
            described = json.loads(device.good("GET", "/device")[1])
            print(f"device: {described['machine']['architecture']}, engines: "
                  + ", ".join(f"{r['name']} {r['version']}" for r in described["runtimes"] if r["available"]), flush=True)
            noise = random.Random(7)
            given = work / "in.npz"
            write_npz(given, {INPUT: (SHAPE, [noise.uniform(-1, 1) for _ in range(300 * 300 * 3)])})
            there = outputs_there(device, model, given, work / "there.npz")
            here = infer([args.host_oree], ROOT / ".deps", RUNTIME, model, given, work / "here.npz")
            worst = difference(here, there)
            print(f"{RUNTIME} {MODEL}: {len(there)} outputs over the protocol, largest difference to here: {worst:.1e} of the range"
                  f" ({'good' if worst <= TOLERANCE else 'BAD'})", flush=True)
            bench = subprocess.run([args.host_oree, "bench", model, "--runtimes", RUNTIME, "--threads", "1", "--rounds", "2", "--runs", "1",
                                    "--warmup", "1", "--device", url, "--device-token-file", work / "token"], timeout=900)
            if worst > TOLERANCE or bench.returncode != 0:
                sys.exit("cross_measure: the device does not measure as it should")
        finally:
            lender.send_signal(signal.SIGTERM)
            lender.wait(30)


if __name__ == "__main__":
    main()
