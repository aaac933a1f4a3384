#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Prints the figures of an `oree bench --json` file as a table: bench/table.py FILE"""
import json
import sys


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        report = json.load(file)
    head = ["candidate", "computes in", "p50 ms", "p95", "p99", "mean", "per s", "peak MiB", "load ms"]
    rows = []
    for c in report["candidates"]:
        name = f"{c['runtime']} {c['provider'] or 'cpu'} {c['threads']}T {c['precision']}"
        if "refused" in c:
            print(f"refused  {name}: {c['refused']['message']}")
            continue
        ms = c["latency_ms"]
        rows.append([name, c["facts"].get("precision", "?"), *(f"{ms[k]:.3f}" for k in ("p50", "p95", "p99", "mean")),
                     f"{c['throughput_per_s']:.1f}", f"{c['rss_bytes_peak'] / 2**20:.1f}", f"{c['load_ms']:.0f}"])
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    for row in [head, *rows]:
        cells = [cell.ljust(width) if i < 2 else cell.rjust(width) for i, (cell, width) in enumerate(zip(row, widths))]
        print("  ".join(cells).rstrip())
    load = report.get("load_1min")
    if load is not None and load > 0.5:
        print(f"busy: load {load:.1f} before the start; figures are disturbed by other work")


if __name__ == "__main__":
    main()
