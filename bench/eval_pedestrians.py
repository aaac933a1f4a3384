#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`oree eval` of the demo's detector on 12 frames of a real street, against pycocotools on the same finds and labels.

    python3 bench/eval_pedestrians.py [--oree build/bin/oree] [--deps .deps] [--out out/bench/pedestrians]

The labels (eval_pedestrians.json) were drawn by hand: 68 persons, and 7 that something hides, marked as crowd. Every
figure must equal pycocotools' within 1e-6. Needs numpy, pycocotools and opencv-python-headless (in a virtualenv).
"""
import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys

SOURCE = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(SOURCE / "tests"))
LIMIT = 1e-6
ROWS = [("tflite", "f32"), ("openvino", "f32"), ("openvino", "default")]

try:
    import cv2
    import eval_parity
except ImportError as missing:
    sys.exit(f"eval_pedestrians: {missing}; in a virtualenv: pip install numpy pycocotools opencv-python-headless")


def write_frames(video, coco, folder):
    """Each labelled frame as a PNG; its id is its number in the video."""
    wanted = {image["id"]: image["file_name"] for image in coco["images"]}
    capture = cv2.VideoCapture(str(video))
    for number in range(max(wanted) + 1):
        there, frame = capture.read()
        if not there:
            sys.exit(f"eval_pedestrians: {video}: ends at frame {number}")
        if number in wanted:
            cv2.imwrite(str(folder / wanted[number]), frame)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--oree", default=SOURCE / "build/bin/oree", type=pathlib.Path)
    parser.add_argument("--deps", default=os.environ.get("OREE_DEPS", SOURCE / ".deps"), type=pathlib.Path)
    parser.add_argument("--out", default=SOURCE / "out/bench/pedestrians", type=pathlib.Path)
    arguments = parser.parse_args()
    os.environ["OREE_DEPS"] = str(arguments.deps)
    out, models = arguments.out, arguments.deps / "models"
    out.mkdir(parents=True, exist_ok=True)
    labels = pathlib.Path(shutil.copy(SOURCE / "bench/eval_pedestrians.json", out / "labels.json"))
    coco = json.loads(labels.read_text())
    write_frames(models / "vtest.avi", coco, out)
    worst = 0.0
    print(f"{'engine':10} {'computes in':11}  mAP     AP 0.5  AP 0.75  F1      precision  recall  largest difference")
    for runtime, precision in ROWS:
        found = out / f"found-{runtime}-{precision}.json"
        done = subprocess.run([arguments.oree, "eval", models / "detector.tflite", "--runtime", runtime, "--precision", precision, "--json",
                               "--data", labels, "--recipe", SOURCE / "examples/camera/recipe.json",
                               "--labels", models / "detector_labels.txt", "--scratch", out, "--detections", found],
                              capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"eval_pedestrians: {runtime}: exit status {done.returncode}: {done.stderr.strip()}")
        answer = json.loads(done.stdout)
        expected, _ = eval_parity.expected_figures(coco, json.loads(found.read_text()), answer["score_min"], answer["iou_min"],
                                                   ["Person"])
        if answer["samples"] != len(coco["images"]):
            sys.exit(f"eval_pedestrians: {answer['samples']} images judged: {answer['refused_samples']}")
        figures = answer["figures"]
        difference = max(abs(figures[name] - value) for name, value in expected.items())
        worst = max(worst, difference)
        print(f"{runtime:10} {answer['facts'].get('precision', '?'):11}  {figures['map']:.4f}  {figures['map_50']:.4f}  "
              f"{figures['map_75']:.4f}   {figures['f1']:.4f}  {figures['precision']:.4f}     {figures['recall']:.4f}  {difference:.2g}")
    sys.exit(0 if worst <= LIMIT else f"eval_pedestrians: {worst:.3g} from pycocotools, limit {LIMIT:g}")


if __name__ == "__main__":
    main()
