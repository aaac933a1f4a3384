#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""oree quantize against onnxruntime.quantization, NNCF and ai-edge-quantizer on small networks of hard kinds.

    python3 bench/peers/small.py [NAME ...] [--out out/bench/peers/small] [--json FILE]

Networks (nets.py) are trained once on the data of small_data.py and kept in --out. In a virtualenv as for run.py, with
jax and scipy; npm and espeak-ng fetch and make data.

Metric: percent of right classes; of the autoencoder, 100 x the area under the ROC of the reconstruction's error. Drop: points
against the float model in the same engine. Noise: one standard error of that drop, of paired samples: sqrt(changed) / n
for classes, where `changed` are the samples that only one of the two has right; by 50 resamplings for the area.
"""
import argparse
import json
import pathlib
import subprocess
import sys

import numpy

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import engines  # noqa: E402
import nets  # noqa: E402
import small_data  # noqa: E402
from run import OREE, ROOT, timed  # noqa: E402

# name: (network, data, epochs)
SET = {
    "mnist_cnn": (nets.mnist_cnn, small_data.digits, 6),
    "ds_cnn": (nets.ds_cnn, small_data.words, 12),
    "cnn_1d": (nets.cnn_1d, small_data.vibration, 12),
    "autoencoder": (nets.autoencoder, small_data.spectra, 60),
    "mobilenet_v2": (nets.mobilenet_v2, small_data.digits, 2),
    "mobilenet_v3": (nets.mobilenet_v3, small_data.digits, 2),
    "transformer": (nets.transformer, small_data.digits, 3),
}
SAMPLES = 200  # to calibrate


def area(scores, faulty):
    ranks = numpy.argsort(numpy.argsort(scores)) + 1
    wrong, right = int(faulty.sum()), int((~faulty).sum())
    return float((ranks[faulty].sum() - wrong * (wrong + 1) / 2) / (wrong * right))


class Metric:
    def __init__(self, x, y, areas):
        self.x, self.y, self.areas = x, y, areas

    def outputs(self, model):
        return numpy.concatenate([next(iter(model([row[None]]).values())).reshape(1, -1) for row in self.x])

    def drop(self, wanted, found):
        """(metric of float, points lost, its standard error)"""
        if not self.areas:
            right = [o.argmax(1) == self.y for o in (wanted, found)]
            changed = numpy.sum(right[0] != right[1])
            return 100 * right[0].mean(), 100 * (right[0].mean() - right[1].mean()), 100 * numpy.sqrt(changed) / len(self.y)
        errors = [((o - self.x) ** 2).mean(1) for o in (wanted, found)]
        faulty = self.y > 1
        areas = [100 * area(e, faulty) for e in errors]
        random = numpy.random.default_rng(0)
        drops = []
        for _ in range(50):
            rows = random.integers(0, len(self.y), len(self.y))
            drops.append(100 * (area(errors[0][rows], faulty[rows]) - area(errors[1][rows], faulty[rows])))
        return areas[0], areas[0] - areas[1], float(numpy.std(drops))


def sources(name, out):
    network, data, epochs = SET[name]
    x, y, test_x, test_y = small_data.cached(out, data.__name__, data)
    onnx_path, tflite, samples = out / f"{name}.onnx", out / f"{name}.tflite", out / f"{name}-calibration.npz"
    areas = name == "autoencoder"
    if not onnx_path.exists():
        print(f"training {name}", file=sys.stderr, flush=True)
        import onnx
        onnx.save(nets.train(network(), x, x if areas else y, epochs), onnx_path)
    numpy.savez(samples, x=x[:SAMPLES])
    subprocess.run([OREE, "convert", onnx_path, tflite], check=True, stdout=subprocess.DEVNULL)
    return onnx_path, tflite, samples, Metric(test_x, test_y, areas)


def candidates(name, out, onnx_path, tflite, samples):
    for engine in ("onnxruntime", "openvino", "tflite"):
        result = out / f"{name}-oree-{engine}.{'tflite' if engine == 'tflite' else 'onnx'}"
        yield "oree", engine, [OREE, "quantize", onnx_path, result, "--engine", engine, "--calibration", samples], result
    for tool, engine, source, kind in (("ort", "onnxruntime", onnx_path, "onnx"), ("nncf", "openvino", onnx_path, "xml"),
                                       ("nncf-full", "openvino", onnx_path, "xml"), ("aeq", "tflite", tflite, "tflite")):
        result = out / f"{name}-{tool}-{engine}.{kind}"
        yield tool, engine, [sys.executable, HERE / "peers.py", tool, source, samples, result], result


def compare(name, out, ours):
    onnx_path, tflite, samples, metric = sources(name, out)
    wanted = {e: metric.outputs(engines.open_model(e, tflite if e == "tflite" else onnx_path, 1))
              for e in ("onnxruntime", "openvino", "tflite")}
    for tool, engine, command, result in candidates(name, out, onnx_path, tflite, samples):
        if ours and tool != "oree":
            continue
        seconds, memory, failed = timed(command)
        row = {"net": name, "tool": tool, "engine": engine, "seconds": seconds, "memory_mb": memory}
        if not failed:
            try:
                row["float"], row["drop"], row["noise"] = metric.drop(wanted[engine], metric.outputs(engines.open_model(engine, result, 1)))
            except Exception as error:  # a peer's file that its engine does not take is a finding, too
                failed = str(error).splitlines()[0][:120]
        if failed:
            row["failed"] = failed
        yield row


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", nargs="*", metavar="NAME", help=", ".join(SET))
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "out/bench/peers/small")
    parser.add_argument("--ours", action="store_true", help="without the peers")
    parser.add_argument("--json", type=pathlib.Path)
    arguments = parser.parse_args()
    unknown = set(arguments.what) - set(SET)
    if unknown:
        parser.error(f"no network {', '.join(unknown)}; there are {', '.join(SET)}")
    arguments.out.mkdir(parents=True, exist_ok=True)
    rows = []
    print("| net | tool | engine | float | drop | noise | s | MB |\n|---|---|---|---|---|---|---|---|")
    for name in arguments.what or SET:
        for row in compare(name, arguments.out, arguments.ours):
            rows.append(row)
            figures = row.get("failed") or f"{row['float']:.2f} | {row['drop']:.2f} | {row['noise']:.2f}"
            print(f"| {name} | {row['tool']} | {row['engine']} | {figures} | {row['seconds']:.1f} | {row['memory_mb']:.0f} |", flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
