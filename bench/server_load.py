#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Puts simulated devices on an oree-server of its own, on the loopback interface, for a bounded time.

    bench/server_load.py build/bin/oree-server --devices 1000 --seconds 20

Each device keeps one connection and repeats, as fast as the pace allows: two polls, a status, a telemetry report.
Prints requests/s, latency percentiles as the client sees them, and the server's memory and CPU time. The client is
Python and shares the machine: the server's own cost is the CPU time per request.
"""
import argparse, asyncio, hashlib, json, os, random, signal, subprocess, sys, tempfile, time

SECONDS_MAX, DEVICES_MAX = 120, 5000


def report(seq, rng):
    bins = {str(rng.randrange(150, 250)): rng.randrange(1, 40) for _ in range(20)}
    histogram = {"n": sum(bins.values()), "bins": bins}
    count = 3000
    latency = {"n": count, "zero": 0, "sum": 20.0 * count, "min": 12.5, "max": 32.0, "scale": 3,
               "buckets": {str(i): count // 10 for i in range(30, 40)}}
    return {"boot_id": "load", "seq": seq, "start_ms": 0, "end_ms": int(time.time() * 1000), "duration_ms": 300000, "merged_reports": 1,
            "cpu_percent": 35.5, "memory_used_bytes": 900 << 20, "memory_total_bytes": 4 << 30, "agent_rss_bytes": 6 << 20,
            "app_rss_bytes": 120 << 20, "app_cpu_ms": 9000, "app_restarts": 0, "models": [
                {"model": "detector", "version": "1.0", "bundle_digest": "a" * 64, "predictions": count, "frames_dropped": 0, "events": 3,
                 "confidence": histogram, "latency_ms": latency, "drift": {"level": "none", "distance": 0.02, "samples": 500}}]}


class Connection:
    def __init__(self, port):
        self.port, self.reader, self.writer = port, None, None

    async def call(self, method, path, token, body=None):
        if self.writer is None:
            self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        self.writer.write(f"{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Length: {len(data)}\r\n\r\n".encode() + data)
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length"))
        return int(head[9:12]), await self.reader.readexactly(length)


async def device(number, port, token, pace, until, times, failures):
    rng, connection, seq = random.Random(number), Connection(port), 0
    name = f"dev-{number:04}"
    status = {"device_type": "pi5", "agent_version": "0.1", "model": "detector", "version": "1.0", "state": "idle"}
    await asyncio.sleep(rng.random() * pace)
    while time.monotonic() < until:
        seq += 1
        for method, path, body in (("GET", "/model/detector/latest?device_type=pi5", None), ("GET", "/model/detector/latest?device_type=pi5", None),
                                   ("POST", f"/api/v1/devices/{name}/status", status),
                                   ("POST", f"/api/v1/devices/{name}/telemetry", {"reports": [report(seq, rng)]})):
            started = time.monotonic()
            code, answer = await connection.call(method, path, token, body)
            times.setdefault(path.rsplit("/", 1)[1].split("?")[0], []).append(time.monotonic() - started)
            if code != 200 or (body and "reports" in body and not json.loads(answer)["accepted"]):
                failures.append((code, answer[:200]))
        await asyncio.sleep(pace * (0.5 + rng.random()))


async def load(port, operator, args):
    boss, tokens = Connection(port), []
    blob = os.urandom(100_000)
    digest = hashlib.sha256(blob).hexdigest()
    await boss.call("PUT", "/blobs/sha256/" + digest, operator, blob)
    await boss.call("POST", "/api/v1/releases", operator, {"model": "detector", "version": "1.0", "digest": digest, "size": len(blob), "device_types": ["pi5"]})
    for number in range(args.devices):
        _, answer = await boss.call("POST", "/api/v1/devices", operator, {"id": f"dev-{number:04}", "device_type": "pi5"})
        tokens.append(json.loads(answer)["token"])
    times, failures, started = {}, [], time.monotonic()
    until = started + args.seconds
    await asyncio.gather(*(device(n, port, t, args.pace, until, times, failures) for n, t in enumerate(tokens)))
    wall = time.monotonic() - started
    before = time.monotonic()
    _, overview = await boss.call("GET", "/api/v1/overview", operator)
    first = time.monotonic() - before
    before = time.monotonic()
    await boss.call("GET", "/api/v1/overview", operator)
    return times, failures, wall, first, time.monotonic() - before, len(overview)


def percentile(values, q):
    values = sorted(values)
    return values[min(len(values) - 1, int(q * len(values)))] * 1000


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("server")
    parser.add_argument("--devices", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--pace", type=float, default=5, help="mean seconds between a device's rounds of four requests")
    args = parser.parse_args()
    if not (1 <= args.devices <= DEVICES_MAX and 0 < args.seconds <= SECONDS_MAX):
        parser.error(f"at most {DEVICES_MAX} devices and {SECONDS_MAX} seconds")
    with tempfile.TemporaryDirectory() as folder:
        operator = "op_" + "load" * 10
        server = subprocess.Popen([args.server, "--data", folder, "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                  text=True, env={**os.environ, "OREE_OPERATOR_TOKEN": operator})
        try:
            port = int(server.stdout.readline().strip().rsplit(":", 1)[1])
            times, failures, wall, first, again, size = asyncio.run(load(port, operator, args))
            with open(f"/proc/{server.pid}/status") as f:
                memory = {line.split(":")[0]: int(line.split()[1]) for line in f if line.startswith(("VmRSS", "VmHWM"))}
            with open(f"/proc/{server.pid}/stat") as f:
                ticks = f.read().rsplit(")", 1)[1].split()
            cpu = (int(ticks[11]) + int(ticks[12])) / os.sysconf("SC_CLK_TCK")
        finally:
            server.send_signal(signal.SIGTERM)
            code = server.wait(timeout=30)
    everything = [t for one in times.values() for t in one]
    print(f"{args.devices} devices, {wall:.1f} s: {len(everything)} requests, {len(everything) / wall:.0f}/s, {len(failures)} failed")
    for name, one in {**times, "all": everything}.items():
        print(f"  {name:10} n={len(one):6} p50={percentile(one, .5):7.2f} p95={percentile(one, .95):7.2f} p99={percentile(one, .99):7.2f} ms")
    print(f"  server: {memory['VmRSS'] / 1024:.1f} MiB resident (peak {memory['VmHWM'] / 1024:.1f}), {cpu:.1f} s CPU, "
          f"{1e6 * cpu / len(everything):.0f} us a request, exit status {code}")
    print(f"  overview: {first * 1000:.0f} ms cold, {again * 1000:.0f} ms cached, {size / 1024:.0f} KiB")
    for failure in failures[:5]:
        print("  failed:", failure, file=sys.stderr)
    return 1 if failures or code else 0


if __name__ == "__main__":
    sys.exit(main())
