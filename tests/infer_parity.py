#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares `oree infer` with the Python packages of the same engines on real float models.

    tests/infer_parity.py [--oree build/bin/oree] [--deps .deps]

Every engine x model x 1 and 2 threads: the largest |a - b| must not pass 1e-5 of the output's range. The packages
(onnxruntime, openvino, ai-edge-litert, numpy) are for this check only; without one of them its rows are skipped, and
without numpy everything is: exit status 77, which ctest shows as "skipped".
"""
import argparse
import importlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile

SOURCE = pathlib.Path(__file__).resolve().parent.parent
LIMIT = 1e-5
MODELS = ["detector.tflite", "nmp.onnx", "nmp.tflite", "yolov8-shaped.onnx"]
PACKAGES = {"onnxruntime": "onnxruntime", "openvino": "openvino", "tflite": "ai_edge_litert.interpreter"}
SUFFIXES = {"onnxruntime": [".onnx"], "openvino": [".onnx", ".tflite"], "tflite": [".tflite"]}


def skip(why):
    print(f"skipped: {why}")
    sys.exit(77)


def package(name):
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def run_onnxruntime(ort, path, threads, inputs):
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, inputs)))


def run_openvino(ov, path, threads, inputs):
    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1,
                "PERFORMANCE_HINT": "LATENCY"}
    compiled = ov.Core().compile_model(path, "CPU", settings)
    results = compiled(inputs)
    return {name: results[port] for port in compiled.outputs for name in port.get_names()}


def run_tflite(litert, path, threads, inputs):
    interpreter = litert.Interpreter(path, num_threads=threads)
    for detail in interpreter.get_input_details():
        value = inputs[detail["name"]]
        if list(detail["shape"]) != list(value.shape):
            interpreter.resize_tensor_input(detail["index"], value.shape)
    interpreter.allocate_tensors()
    for detail in interpreter.get_input_details():
        interpreter.set_tensor(detail["index"], inputs[detail["name"]])
    interpreter.invoke()
    return {detail["name"]: interpreter.get_tensor(detail["index"]) for detail in interpreter.get_output_details()}


REFERENCE = {"onnxruntime": run_onnxruntime, "openvino": run_openvino, "tflite": run_tflite}


def oree(program, *arguments):
    done = subprocess.run([program, *arguments, "--json"], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"oree {' '.join(arguments)}: exit status {done.returncode}: {done.stderr.strip()}")
    return json.loads(done.stdout)


def make_inputs(np, described):
    generator = np.random.default_rng(7)
    shapes = {t["name"]: [1 if d < 0 else d for d in t["shape"]] for t in described}
    return {t["name"]: generator.uniform(-1, 1, shapes[t["name"]]).astype(t["dtype"]) for t in described}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--oree", default=str(SOURCE / "build/bin/oree"))
    parser.add_argument("--deps", default=os.environ.get("OREE_DEPS", str(SOURCE / ".deps")))
    arguments = parser.parse_args()
    os.environ["OREE_DEPS"] = arguments.deps
    np = package("numpy")
    if np is None:
        skip("the Python package numpy is not here")
    if not os.path.exists(arguments.oree):
        skip(f"{arguments.oree} is not built")
    engines = {name: package(module) for name, module in PACKAGES.items()}
    for name, module in engines.items():
        if module is None:
            print(f"skipped: {name}: the Python package {PACKAGES[name].split('.')[0]} is not here")
    worst, rows = 0.0, 0
    print(f"{'engine':12} {'model':20} {'threads':>7}  largest |a-b| / range")
    for model in MODELS:
        path = str(pathlib.Path(arguments.deps) / "models" / model)
        if not os.path.exists(path):
            print(f"skipped: {path} is not here")
            continue
        inputs = make_inputs(np, oree(arguments.oree, "inspect", path, "--no-probe")["inputs"])
        for engine, module in engines.items():
            if module is None or pathlib.Path(model).suffix not in SUFFIXES[engine]:
                continue
            for threads in (1, 2):
                expected = REFERENCE[engine](module, path, threads, inputs)
                with tempfile.TemporaryDirectory() as folder:
                    np.savez(f"{folder}/x.npz", **inputs)
                    answer = oree(arguments.oree, "infer", path, "--runtime", engine, "--threads", str(threads),
                                  "--input", f"{folder}/x.npz", "--output", f"{folder}/y.npz")
                    ours = dict(np.load(f"{folder}/y.npz"))
                if not ours or len(ours) != len(answer["outputs"]):
                    raise SystemExit(f"{engine} {model}: {len(ours)} outputs written")
                difference = 0.0
                for name, value in ours.items():
                    other = expected[name]
                    if value.shape != other.shape or value.dtype != other.dtype:
                        raise SystemExit(f"{engine} {model} {name}: {value.dtype} {value.shape}, not {other.dtype} {other.shape}")
                    span = float(other.max() - other.min()) or 1.0
                    this = float(np.abs(value.astype(np.float64) - other).max()) / span
                    if this != this:
                        raise SystemExit(f"{engine} {model} {name}: not a number")
                    difference = max(difference, this)
                print(f"{engine:12} {model:20} {threads:7}  {difference:.3g}", flush=True)
                worst, rows = max(worst, difference), rows + 1
    if rows == 0:
        skip("no engine package and no model to compare with")
    print(f"{rows} comparisons, worst {worst:.3g}, limit {LIMIT:g}")
    sys.exit(0 if worst <= LIMIT else 1)


if __name__ == "__main__":
    main()
