#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""oree quantize in every precision for every engine: size, SQNR in the engine, latency.

    python3 bench/precisions.py [yolo] [ssd] [--out out/bench/precisions] [--samples 40] [--rounds 10]

Needs numpy and opencv-python-headless. The models and the video are those of bench/peers/run.py. SQNR: the least of the
outputs', against float, as `oree quantize` measures it in the engine. Latency: medians of interleaved rounds over all files
of a model, 1 thread.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys

import numpy

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
OREE = pathlib.Path(os.environ.get("OREE_BIN", ROOT / "build/bin")) / "oree"
DEPS = pathlib.Path(os.environ.get("OREE_DEPS", ROOT / ".deps"))
sys.path.insert(0, str(HERE / "peers"))
import data  # noqa: E402

PRECISIONS = ["float", "int8", "int16", "weights-int8", "weights-int4", "dynamic", "fp16", "bf16"]
ENGINES = {"onnxruntime": ".onnx", "openvino": ".onnx", "tflite": ".tflite"}


def oree(*args, want=(0,)):
    done = subprocess.run([OREE, *map(str, args)], capture_output=True, text=True)
    if done.returncode not in want:
        raise SystemExit(f"oree {' '.join(map(str, args))}: {done.stdout}{done.stderr}")
    return done


def files_of(model, samples, out):
    """By engine and precision: the file and the least SQNR; what is refused is left out."""
    found = {}
    for engine, extension in ENGINES.items():
        for precision in PRECISIONS:
            path = out / f"{engine}-{precision}{extension}"
            if precision == "float":
                oree("convert", model, path, want=(0, 1, 5))
                found[engine, precision] = (path, None)
                continue
            done = oree("quantize", model, path, "--engine", engine, "--precision", precision, "--calibration", samples, "--json",
                        want=(0, 2))
            if done.returncode == 0:
                outputs = [o["engine_sqnr_db"] for o in json.loads(done.stdout)["outputs"]]
                found[engine, precision] = (path, min(1000 if o == "equal" else o for o in outputs))
    return found


def latencies(found, rounds):
    times = {}
    for engine in ENGINES:
        of = {path: precision for (e, precision), (path, _) in found.items() if e == engine}
        done = oree("bench", *of, "--runtimes", engine, "--threads", 1, "--precision", "f32", "--rounds", rounds, "--json")
        for candidate in json.loads(done.stdout)["candidates"]:
            times[engine, of[pathlib.Path(candidate["model"])]] = candidate
    return times


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("models", nargs="*", default=["yolo", "ssd"])
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "out/bench/precisions")
    parser.add_argument("--samples", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=10)
    args = parser.parse_args()
    for name in args.models:
        out = args.out / name
        out.mkdir(parents=True, exist_ok=True)
        samples = out / "samples.npz"
        video = DEPS / "models/vtest.avi"
        if name == "yolo":
            model = out / "yolo.onnx"
            subprocess.run([sys.executable, ROOT / "tools/make_yolov8_shaped.py", model, "--size", "320"], check=True)
            numpy.savez(samples, images=data.for_yolo(data.crops(video, args.samples, 320, 0, 4, 1)))
        else:
            model = DEPS / "models/detector.tflite"
            numpy.savez(samples, normalized_input_image_tensor=data.for_ssd(data.crops(video, args.samples, 300, 0, 4, 1)))
        found = files_of(model, samples, out)
        times = latencies(found, args.rounds)
        print(f"\n{name}\n| engine | precision | MB | SQNR dB | p50 ms |\n|---|---|---|---|---|")
        for (engine, precision), (path, db) in found.items():
            ms = times[engine, precision]["latency_ms"]["p50"]
            print(f"| {engine} | {precision} | {path.stat().st_size / 1e6:.2f} | {'' if db is None else f'{db:.1f}'} | {ms:.1f} |")


if __name__ == "__main__":
    main()
