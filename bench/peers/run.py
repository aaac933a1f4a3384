#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""oree quantize against onnxruntime.quantization, NNCF and ai-edge-quantizer, on the same files and samples, in one run.

    python3 bench/peers/run.py [yolo] [ssd] [--out out/bench/peers] [--rounds 5] [--json FILE]

Runs in a virtualenv (Python 3.10 to 3.13): pip install numpy onnx onnxruntime nncf openvino ai-edge-litert
ai-edge-quantizer opencv-python-headless. A peer that is not there, or fails, gets a line that says so.

yolo   a detector of YOLOv8n's shape (tools/make_yolov8_shaped.py), 320x320: 100 frames to calibrate, 40 to compare
ssd    the demo's SSD MobileNetV2, 300x300: 200 crops of the video to calibrate, 480 to compare

Ours twice, by default and with --thorough; NNCF with fast and with full bias correction (nncf-full).

SQNR: of each output over all samples, against the float model in the same engine. F1: of the anchors whose score for a
person is over 0.5, against the float model's. Latency: medians of interleaved rounds, 2 threads. Time and memory: of
the whole process that quantizes, start and reading included, the median of the rounds.
"""
import argparse
import importlib.util
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

import numpy

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
OREE = pathlib.Path(os.environ.get("OREE_BIN", ROOT / "build/bin")) / "oree"
DEPS = pathlib.Path(os.environ.get("OREE_DEPS", ROOT / ".deps"))
sys.path.insert(0, str(HERE))
import data  # noqa: E402
import engines  # noqa: E402

PERSON = 4  # of the SSD's classes, the background counted


# Runs a command, and says what it took; apart, as a child's peak memory begins with that of the process that starts it.
LAUNCH = """import os, subprocess, sys, time
start = time.monotonic()
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, usage = os.wait4(process.pid, 0)
print(time.monotonic() - start, usage.ru_maxrss / 1024, status)"""


def timed(command):
    """(seconds, peak MB, what went wrong or None)"""
    done = subprocess.run([sys.executable, "-S", "-c", LAUNCH, *map(str, command)], capture_output=True, text=True,
                          env={**os.environ, "OREE_DEPS": str(DEPS)})
    seconds, memory, status = map(float, done.stdout.split())
    wrong = None if status == 0 else (done.stderr.strip().splitlines() or ["failed"])[-1][:160]
    return seconds, memory, wrong


def sqnr(wanted, found):
    noise = numpy.sum((found.astype("d") - wanted) ** 2)
    return float("inf") if noise == 0 else 10 * numpy.log10(numpy.sum(wanted.astype("d") ** 2) / noise)


def find(outputs, columns):
    return next(a for a in outputs.values() if a.shape[-1] == columns)


def yolo_figures(wanted, found):
    """Boxes and classes: what one array holds, or two."""
    split = [numpy.concatenate([next(iter(o.values())) for o in side]) for side in (wanted, found)]
    return {"boxes_db": sqnr(split[0][:, :4], split[1][:, :4]), "classes_db": sqnr(split[0][:, 4:], split[1][:, 4:])}


def ssd_figures(wanted, found):
    boxes = [numpy.concatenate([find(o, 4) for o in side]) for side in (wanted, found)]
    logits = [numpy.concatenate([find(o, 24) for o in side]) for side in (wanted, found)]
    over = [side[..., PERSON] > 0 for side in logits]
    both = numpy.sum(over[0] & over[1])
    return {"boxes_db": sqnr(*boxes), "classes_db": sqnr(*logits), "persons": int(over[0].sum()),
            "missed": int(over[0].sum() - both), "more": int(over[1].sum() - both),
            "f1": float(2 * both / (over[0].sum() + over[1].sum()))}


def prepare(name, out):
    """The float models by format, the samples, and how a result is judged."""
    video = DEPS / "models/vtest.avi"
    calibration = out / f"{name}-calibration.npz"
    if name == "yolo":
        onnx = out / "yolo.onnx"
        frames = data.for_yolo(data.crops(video, 100, 320, 0, 5, 1))
        if not onnx.exists():
            subprocess.run([sys.executable, ROOT / "tools/make_yolov8_shaped.py", onnx], check=True)
        numpy.savez(calibration, images=frames)
        return {"onnx": onnx}, calibration, data.for_yolo(data.crops(video, 40, 320, 550, 5, 2)), yolo_figures
    tflite, onnx = DEPS / "models/detector.tflite", out / "ssd.onnx"
    subprocess.run([OREE, "convert", tflite, onnx], check=True, stdout=subprocess.DEVNULL, env={**os.environ, "OREE_DEPS": str(DEPS)})
    # Its weights are float16 behind a Cast, which the peers do not see through: folded, they are constants.
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(onnx)
    options.log_severity_level = 3
    key = onnxruntime.InferenceSession(onnx.read_bytes(), options).get_inputs()[0].name
    numpy.savez(calibration, **{key: data.for_ssd(data.crops(video, 200, 300, 0, 3, 3))})
    samples = data.for_ssd(numpy.concatenate([data.crops(video, 120, 300, 601, 1, seed) for seed in (4, 5, 6, 7)]))
    return {"onnx": onnx, "tflite": tflite}, calibration, samples, ssd_figures


def candidates(name, sources, calibration, out, arguments):
    """(tool, engine, command, result)"""
    for tool, *more in ("oree",), ("oree-thorough", "--thorough"):
        for engine in ("onnxruntime", "openvino", "tflite"):
            result = out / f"{name}-{tool}-{engine}.{'tflite' if engine == 'tflite' else 'onnx'}"
            source = sources["onnx"] if engine != "tflite" else sources.get("tflite", sources["onnx"])
            yield tool, engine, [OREE, "quantize", source, result, "--engine", engine, "--calibration", calibration,
                                 "--report", result.with_suffix(".json"), "--threads", 2, *more], result
    if arguments.ours:
        return
    peers = [("ort", "onnxruntime", "onnx", "onnx"), ("nncf", "openvino", "onnx" if name == "yolo" else "tflite", "xml"),
             ("nncf-full", "openvino", "onnx" if name == "yolo" else "tflite", "xml"), ("nncf", "onnxruntime", "onnx", "onnx"),
             ("nncf-full", "onnxruntime", "onnx", "onnx"), ("aeq", "tflite", "tflite", "tflite")]
    for tool, engine, source, extension in peers:
        result = out / f"{name}-{tool}-{engine}.{extension}"
        if source in sources:
            yield tool, engine, [sys.executable, HERE / "peers.py", tool, sources[source], calibration, result], result


def latencies(models, samples, rounds):
    """Median ms of each, interleaved."""
    times = {key: [] for key in models}
    for round_ in range(rounds * 8 + 2):
        for key, model in models.items():
            start = time.perf_counter()
            model([samples[round_ % len(samples)][None]])
            if round_ >= 2:
                times[key].append(time.perf_counter() - start)
    return {key: statistics.median(t) * 1000 for key, t in times.items()}


def compare(name, out, arguments):
    sources, calibration, samples, figures = prepare(name, out)
    rows, opened = [], {}
    for engine in ("onnxruntime", "openvino", "tflite"):
        path = sources.get("tflite", sources["onnx"]) if engine == "tflite" else sources["onnx"]
        if str(path).endswith(".onnx") and engine == "tflite":
            path = out / f"{name}-float.tflite"
            subprocess.run([OREE, "convert", sources["onnx"], path], check=True, stdout=subprocess.DEVNULL, env={**os.environ, "OREE_DEPS": str(DEPS)})
        opened["float", engine] = engines.open_model(engine, path)
        rows.append({"tool": "float", "engine": engine, "mb": path.stat().st_size / 1e6})
    wanted = {engine: [opened["float", engine]([s[None]]) for s in samples] for engine in ("onnxruntime", "openvino", "tflite")}
    for tool, engine, command, result in candidates(name, sources, calibration, out, arguments):
        runs = [timed(command) for _ in range(arguments.rounds)]
        row = {"tool": tool, "engine": engine, "seconds": statistics.median(r[0] for r in runs), "memory_mb": max(r[1] for r in runs)}
        rows.append(row)
        if runs[-1][2]:
            row["failed"] = runs[-1][2]
            continue
        weights = result.with_suffix(".bin") if result.suffix == ".xml" else result
        row["mb"] = weights.stat().st_size / 1e6
        if tool.startswith("oree"):
            report = json.loads(result.with_suffix(".json").read_text())
            row["int8_macs"] = 100 * report["macs_integer"] / report["macs"]
        try:
            opened[tool, engine] = engines.open_model(engine, result)
            row.update(figures(wanted[engine], [opened[tool, engine]([s[None]]) for s in samples]))
        except Exception as error:  # a peer's file that its engine does not take is a finding, too
            row["failed"] = str(error).splitlines()[0][:160]
    if arguments.rounds > 1:
        for (tool, engine), ms in latencies(opened, samples, arguments.rounds).items():
            next(r for r in rows if (r["tool"], r["engine"]) == (tool, engine))["ms"] = ms
    return rows


def show(name, rows):
    columns = [("tool", "s"), ("engine", "s"), ("ms", ".2f"), ("seconds", ".1f"), ("memory_mb", ".0f"), ("mb", ".2f"), ("int8_macs", ".1f"),
               ("boxes_db", ".1f"), ("classes_db", ".1f"), ("f1", ".4f"), ("missed", "d"), ("more", "d"), ("persons", "d"), ("failed", "s")]
    columns = [c for c in columns if any(c[0] in r for r in rows)]
    print(f"\n### {name}\n")
    print("| " + " | ".join(c for c, _ in columns) + " |\n|" + "---|" * len(columns))
    for row in rows:
        print("| " + " | ".join(format(row[c], f) if c in row else "" for c, f in columns) + " |")
    sys.stdout.flush()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", nargs="*", choices=[[], "yolo", "ssd"], default=[])
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "out/bench/peers")
    parser.add_argument("--rounds", type=int, default=3, help="1: latencies are left out")
    parser.add_argument("--ours", action="store_true", help="without the peers")
    parser.add_argument("--json", type=pathlib.Path)
    arguments = parser.parse_args()
    missing = [m for m in ("onnx", "onnxruntime", "openvino", "ai_edge_litert", "cv2") if importlib.util.find_spec(m) is None]
    if missing:
        sys.exit(f"run.py: not there: {', '.join(missing)}; see --help")
    arguments.out.mkdir(parents=True, exist_ok=True)
    found = {}
    for name in arguments.what or ["yolo", "ssd"]:
        found[name] = compare(name, arguments.out, arguments)
        show(name, found[name])
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
