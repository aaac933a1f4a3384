#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A power meter as a plug-in of Orée (docs/formats/power-meter.md): a line of JSON every tenth of a second.

  power_meter.py --watts 4.2                     always the same, to try the protocol
  power_meter.py --file PATH --scale 1e-6        a file that holds a momentary power, such as hwmon's power1_input (in microwatts)

For a meter of your own (a USB-C tester, a smart plug, a laboratory supply) write another read_watts().
"""
import argparse
import json
import sys
import time


def main():
    parser = argparse.ArgumentParser(description="A power meter as a plug-in of Orée.")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--watts", type=float, help="a constant")
    source.add_argument("--file", help="a file that holds a number")
    parser.add_argument("--scale", type=float, default=1, help="what the file's number is multiplied by, to be watts")
    args = parser.parse_args()

    def read_watts():
        if args.file is None:
            return args.watts
        with open(args.file) as f:
            return float(f.read()) * args.scale

    first = {"name": "power_meter.py", "covers": "whatever feeds the file" if args.file else "nothing: a constant"}
    while True:
        # Flushed line by line: Orée takes the time at which a line comes as the time of the reading.
        print(json.dumps({"watts": read_watts(), **first}), flush=True)
        first = {}
        time.sleep(0.1)


if __name__ == "__main__":
    try:
        main()
    except (KeyboardInterrupt, BrokenPipeError):
        sys.exit(0)
