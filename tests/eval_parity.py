#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares the figures of `oree eval` for a detector with pycocotools on random boxes, scores and labels.

    tests/eval_parity.py [--oree build/bin/oree] [--deps .deps] [--sets 25] [--seed 1]

The model is made here: it gives the boxes that are written in the pixels of each picture, so that the whole command is
judged on detections known beforehand. mAP, AP at 0.5 and 0.75 and of each class must equal pycocotools' within 1e-6;
F1, precision and recall its matches at the same IoU and score. Without pycocotools, numpy or ONNX Runtime everything is
skipped: exit status 77.
"""
import argparse
import contextlib
import io
import json
import os
import pathlib
import random
import struct
import subprocess
import sys
import tempfile
import zlib

SOURCE = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(SOURCE / "tools"))
import make_yolov8_shaped as onnx_parts  # noqa: E402

LIMIT = 1e-6
UNAVAILABLE = 6  # the exit status
SIDE, SLOTS, CLASSES = 128, 160, 3
UNIT = 512  # steps a pixel; scores have 65536
LABELS = ["person", "car", "dog"]
CATEGORIES = [{"id": 90, "name": "person"}, {"id": 3, "name": "dog"}, {"id": 7, "name": "car"}, {"id": 1, "name": "tree"}]
IDS = {c["name"]: c["id"] for c in CATEGORIES}


def skip(why):
    print(f"skipped: {why}")
    sys.exit(77)


try:
    import numpy as np
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval
except ImportError as missing:
    skip(f"the Python package {missing.name} is not here")


# --- the model that reads its answer off the picture -----------------------------------------------------------------


def write_model(path):
    """Red and green are the high and the low byte of [4 + classes, slots]; the rest of the picture is not looked at."""
    g = onnx_parts.Graph(1)
    values = (4 + CLASSES) * SLOTS
    flat = g.node("Reshape", ["images", g.ints([1, 3, SIDE * SIDE])])
    high, low, _ = g.node("Split", [flat, g.ints([1, 1, 1])], outputs=3, axis=1)
    both = g.node("Add", [g.node("Mul", [high, g.floats("byte", [1], [256])]), low])
    head, _ = g.node("Split", [both, g.ints([values, SIDE * SIDE - values])], outputs=2, axis=2)
    table = g.node("Reshape", [head, g.ints([1, 4 + CLASSES, SLOTS])])
    last = g.node("Mul", [table, g.floats("units", [1, 4 + CLASSES, 1], [1 / UNIT] * 4 + [1 / 65536] * CLASSES)])
    m, i = onnx_parts.message, onnx_parts.integer
    g.nodes.append(m(1, m(1, last) + m(2, "output0") + m(3, "output") + m(4, "Identity")))
    graph = b"".join(g.nodes) + m(2, "answers") + b"".join(g.initializers)
    graph += m(11, onnx_parts.value_info("images", [1, 3, SIDE, SIDE]))
    graph += m(12, onnx_parts.value_info("output0", [1, 4 + CLASSES, SLOTS]))
    path.write_bytes(i(1, 8) + m(2, "oree eval_parity") + m(7, graph) + m(8, i(2, 17)))


def picture(detections):
    """The PNG of an image whose answer is `detections`: (x, y, w, h in steps, class, score in steps)."""
    table = np.zeros((4 + CLASSES, SLOTS), np.uint32)
    for slot, (x, y, w, h, label, score) in enumerate(detections):
        table[:4, slot] = x + w // 2, y + h // 2, w, h
        table[4 + label, slot] = score
    pixels = np.zeros((SIDE * SIDE, 3), np.uint8)
    pixels[:table.size, 0], pixels[:table.size, 1] = table.ravel() >> 8, table.ravel() & 255

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    rows = b"".join(b"\0" + row.tobytes() for row in pixels.reshape(SIDE, -1))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">2I5B", SIDE, SIDE, 8, 2, 0, 0, 0)) +
            chunk(b"IDAT", zlib.compress(rows, 1)) + chunk(b"IEND", b""))


# --- random sets ------------------------------------------------------------------------------------------------------


def random_box(r, grid):
    """In steps, inside the picture, width and height even; on a grid, overlaps fall on the thresholds exactly."""
    w, h = (max(2, r.randrange(4, SIDE * 3 // 4) * UNIT // grid * grid // 2 * 2) for _ in range(2))
    return [r.randrange(0, SIDE * UNIT - w) // grid * grid, r.randrange(0, SIDE * UNIT - h) // grid * grid, w, h]


def near(r, box, grid):
    jitter = r.choice([0, 0.05, 0.2, 0.6])
    x, y, w, h = (v + int((r.random() - 0.5) * jitter * s) for v, s in zip(box, box[2:] * 2))
    w, h = (min(max(2, v // grid * grid // 2 * 2), SIDE * UNIT - 2) for v in (w, h))
    x, y = (min(max(0, v // grid * grid), SIDE * UNIT - s) for v, s in ((x, w), (y, h)))
    return [x, y, w, h]


def random_set(r):
    """The categories, and images with truths and detections: near misses, wrong classes, ties, crowds, empty images,
    more than 100 of a class, classes without a truth or without a category."""
    grid = r.choice([1, UNIT, 4 * UNIT])
    levels = r.choice([5, 100, 60000])  # few levels: many ties
    classes = r.choice([[0], [0, 1], [0, 1, 2]])
    crowds, crowded = r.choice([0, 0, 0.15]), r.random() < 0.2
    images = []
    for _ in range(r.randrange(1, 16)):
        truths, found = [], []
        for _ in range(r.choice([0, 1, 3, 8, 20])):
            box, label = random_box(r, grid), r.choice(classes)
            truths.append((box, label if r.random() > 0.05 else 3, r.random() < crowds))
            for _ in range(r.choice([0, 1, 1, 2])):
                found.append((near(r, box, grid), label if r.random() > 0.1 else r.randrange(CLASSES)))
        for _ in range(r.choice([0, 2, 6]) + (120 if crowded else 0)):
            found.append((random_box(r, grid), classes[0] if crowded else r.randrange(CLASSES)))
        r.shuffle(found)
        scores = [r.randrange(1, levels + 1) * 65535 // levels for _ in found]
        images.append((truths, [(*box, label, score) for (box, label), score in zip(found, scores)][:SLOTS]))
    kept = [c for c in CATEGORIES if c["name"] not in LABELS or LABELS.index(c["name"]) in classes or r.random() < 0.5]
    return kept, images


def write_set(categories, images, folder, r):
    """The pictures, and labels and detections as COCO has them."""
    ids = r.sample(range(1, 1000), len(images))
    coco = {"images": [], "categories": categories, "annotations": []}
    results = []
    for image_id, (truths, found) in zip(ids, images):
        (folder / f"{image_id}.png").write_bytes(picture(found))
        coco["images"].append({"id": image_id, "file_name": f"{image_id}.png", "width": SIDE, "height": SIDE})
        for box, label, crowd in truths:
            name = LABELS[label] if label < CLASSES else "tree"
            x, y, w, h = (v / UNIT for v in box)
            coco["annotations"].append({"id": len(coco["annotations"]) + 1, "image_id": image_id, "category_id": IDS[name],
                                        "bbox": [x, y, w, h], "area": w * h * r.random(), "iscrowd": int(crowd)})
        for x, y, w, h, label, score in found:
            results.append({"image_id": image_id, "category_id": IDS[LABELS[label]], "score": score / 65536,
                            "bbox": [v / UNIT for v in (x, y, w, h)]})
    (folder / "labels.json").write_text(json.dumps(coco))
    return coco, results


# --- the reference -----------------------------------------------------------------------------------------------------


def known_ids(coco, labels=LABELS):
    return sorted(c["id"] for c in coco["categories"] if c["name"] in labels)


def judge(coco, results, ids, **settings):
    """pycocotools over the classes that both the model and the data know."""
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = coco
        truth.createIndex()
        found = truth.loadRes(results) if results else COCO()
        evaluation = COCOeval(truth, found, "bbox")
        evaluation.params.catIds = ids
        for name, value in settings.items():
            setattr(evaluation.params, name, value)
        evaluation.params.areaRng, evaluation.params.areaRngLbl = [[0, 1e10]], ["all"]
        evaluation.evaluate()
        evaluation.accumulate()
    return evaluation


def expected_figures(coco, results, score_min, iou_min, labels=LABELS):
    ids = known_ids(coco, labels)
    precision = judge(coco, results, ids, maxDets=[100]).eval["precision"][..., 0, 0].mean(axis=1)  # IoU x class; -1: no truth
    judged = precision[0] > -1
    figures = {name: float(precision[rows][:, judged].mean()) if judged.any() else -1.0
               for name, rows in (("map", slice(None)), ("map_50", [0]), ("map_75", [5]))}
    names = {c["id"]: c["name"] for c in coco["categories"]}
    classes = {names[i]: float(ap) for i, ap, known in zip(ids, precision[0], judged) if known}
    strong = [f for f in results if f["score"] >= score_min]
    hits = claims = there = 0
    for image in judge(coco, strong, ids, maxDets=[100000], iouThrs=np.array([iou_min])).evalImgs:
        if image is None:
            continue
        counted = ~image["dtIgnore"][0].astype(bool)
        hits += int(((image["dtMatches"][0] > 0) & counted).sum())
        claims += int(counted.sum())
        there += int((~np.asarray(image["gtIgnore"], bool)).sum())
    figures |= {"precision": hits / claims if claims else 1.0, "recall": hits / there if there else 1.0,
                "f1": 2 * hits / (claims + there) if claims + there else 1.0}
    return figures, classes


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--oree", default=str(SOURCE / "build/bin/oree"))
    parser.add_argument("--deps", default=os.environ.get("OREE_DEPS", str(SOURCE / ".deps")))
    parser.add_argument("--sets", type=int, default=25)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    os.environ["OREE_DEPS"] = arguments.deps
    if not os.path.exists(arguments.oree):
        skip(f"{arguments.oree} is not built")
    recipe = {"kind": "image", "labels": LABELS, "image": {"width": SIDE, "height": SIDE},
              "decoder": {"kind": "yolov8", "nms_iou": 1, "results_max": SLOTS, "score_min": 0.01}}
    worst, judged = 0.0, 0
    for number in range(arguments.sets):
        r = random.Random(arguments.seed * 1000 + number)
        score_min, iou_min = r.choice([0.5, 0.25, 0.8]), r.choice([0.5, 0.75])
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            write_model(folder / "answers.onnx")
            (folder / "recipe.json").write_text(json.dumps(recipe))
            coco, results = write_set(*random_set(r), folder, r)
            done = subprocess.run([arguments.oree, "eval", folder / "answers.onnx", "--runtime", "onnxruntime", "--json",
                                   "--data", folder / "labels.json", "--recipe", folder / "recipe.json", "--scratch", folder,
                                   "--score", str(score_min), "--iou", str(iou_min), "--detections", folder / "found.json"],
                                  capture_output=True, text=True)
            if done.returncode == UNAVAILABLE:
                skip(done.stderr.strip())
            if done.returncode != 0:
                sys.exit(f"set {number}: exit status {done.returncode}: {done.stderr.strip()}")
            answer, written = json.loads(done.stdout), json.loads((folder / "found.json").read_text())
        # pycocotools is given what the pictures hold; what oree says it found must be the same boxes.
        shown = [f for f in results if f["score"] >= 0.01 and f["category_id"] in known_ids(coco)]
        key = lambda f: (f["image_id"], f["category_id"], f["score"], f["bbox"])  # noqa: E731
        if sorted(map(key, written)) != sorted(map(key, shown)):
            sys.exit(f"set {number}: the detections that were written are not those of the pictures")
        expected, classes = expected_figures(coco, shown, score_min, iou_min)
        if answer["samples"] != len(coco["images"]) or answer.get("per_class", {}).keys() != classes.keys():
            sys.exit(f"set {number}: {answer['samples']} images, classes {answer.get('per_class')}, expected {classes}")
        pairs = [(k, answer["figures"][k], v) for k, v in expected.items()]
        pairs += [(f"AP of {k}", answer["per_class"][k], v) for k, v in classes.items()]
        for what, ours, theirs in pairs:
            worst, judged = max(worst, abs(ours - theirs)), judged + 1
            if abs(ours - theirs) > LIMIT:
                print(f"set {number}: {what}: {ours!r}, pycocotools says {theirs!r}")
    print(f"{arguments.sets} sets, {judged} figures, largest difference {worst:.3g}, limit {LIMIT:g}")
    sys.exit(0 if worst <= LIMIT else 1)


if __name__ == "__main__":
    main()
