#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`oree eval` on the 10,000 labelled test digits of MNIST, against scikit-learn's own count of the same answers.

    python3 bench/eval_mnist.py [--oree build/bin/oree] [--out out/bench/mnist]

Trains a small network on the 60,000 training digits (kept in --out for the next time), writes it as ONNX, and lets
`oree eval` judge it as a user would: from arrays for the model, from pictures in an array, and from one folder of
pictures a class. In f32 exactly as many digits must be right as scikit-learn says. Needs numpy, scikit-learn and onnx (in a virtualenv) and,
once, the network: the digits come from an npm package listed in deps/deps.toml.
"""
import argparse
import json
import os
import pathlib
import pickle
import struct
import subprocess
import sys
import zlib

SOURCE = pathlib.Path(__file__).resolve().parent.parent
TOP_K = 3
FILES = {"train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
         "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")}

try:
    import numpy as np
    import onnx
    from sklearn.metrics import accuracy_score, recall_score, top_k_accuracy_score
    from sklearn.neural_network import MLPClassifier
except ImportError as missing:
    sys.exit(f"eval_mnist: {missing}; in a virtualenv: pip install numpy scikit-learn onnx")


def read_digits(folder, part):
    """Pictures as bytes, N x 28 x 28, and their labels: the IDX format, big-endian counts before the bytes."""
    images, labels = ((folder / name).read_bytes() for name in FILES[part])
    magic, count, rows, columns = struct.unpack(">4I", images[:16])
    if (magic, rows, columns) != (2051, 28, 28) or struct.unpack(">2I", labels[:8]) != (2049, count):
        sys.exit(f"eval_mnist: {folder}: not the digits that were expected")
    return (np.frombuffer(images, np.uint8, offset=16).reshape(count, 28, 28), np.frombuffer(labels, np.uint8, offset=8))


def flat(pictures):
    return (pictures.reshape(len(pictures), -1) / np.float32(255)).astype(np.float32)


def trained(pictures, labels, path):
    if path.exists():
        return pickle.loads(path.read_bytes())
    model = MLPClassifier((256, 128), batch_size=200, max_iter=12, random_state=1, n_iter_no_change=12)
    model.fit(flat(pictures), labels)
    path.write_bytes(pickle.dumps(model))
    return model


def scores_of(model, inputs):
    """The last layer before the softmax, which is what the ONNX file gives."""
    for i, (weights, bias) in enumerate(zip(model.coefs_, model.intercepts_)):
        inputs = inputs @ weights + bias
        if i + 1 < len(model.coefs_):
            inputs = np.maximum(inputs, 0)
    return inputs


def write_onnx(model, path):
    """Takes 1x1x28x28; gives the raw scores (logits), as most exporters leave a classifier."""
    helper, numpy_helper = onnx.helper, onnx.numpy_helper
    nodes = [helper.make_node("Flatten", ["digit"], ["x0"])]
    weights = []
    for i, (w, b) in enumerate(zip(model.coefs_, model.intercepts_)):
        weights += [numpy_helper.from_array(w.astype(np.float32), f"w{i}"), numpy_helper.from_array(b.astype(np.float32), f"b{i}")]
        last = i + 1 == len(model.coefs_)
        nodes.append(helper.make_node("Gemm", [f"x{i}", f"w{i}", f"b{i}"], ["scores" if last else f"g{i}"]))
        if not last:
            nodes.append(helper.make_node("Relu", [f"g{i}"], [f"x{i + 1}"]))
    tensor = helper.make_tensor_value_info
    graph = helper.make_graph(nodes, "mnist", [tensor("digit", onnx.TensorProto.FLOAT, [1, 1, 28, 28])],
                              [tensor("scores", onnx.TensorProto.FLOAT, [1, 10])], weights)
    file = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(file)
    onnx.save(file, path)


def png(picture):
    """A grey PNG by the standard library: signature, header, rows without a filter, end."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    rows = b"".join(b"\0" + row.tobytes() for row in picture)
    head = struct.pack(">2I5B", picture.shape[1], picture.shape[0], 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows, 1)) + chunk(b"IEND", b"")


def write_layouts(pictures, labels, out):
    """The test digits as a user may have them, and the recipe for the pictures."""
    np.savez(out / "floats.npz", inputs=flat(pictures).reshape(-1, 1, 28, 28), labels=labels)
    np.savez(out / "pictures.npz", inputs=pictures, labels=labels)
    for i, (picture, label) in enumerate(zip(pictures, labels)):
        folder = out / "test" / str(label)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{i:05}.png").write_bytes(png(picture))
    recipe = {"kind": "image", "labels": [str(i) for i in range(10)],
              "image": {"width": 28, "height": 28, "color": "gray", "scale": 1 / 255},
              "decoder": {"kind": "classifier", "activation": "softmax"}}
    (out / "recipe.json").write_text(json.dumps(recipe))


def oree_eval(program, *arguments):
    done = subprocess.run([program, "eval", *map(str, arguments), "--json", "--top-k", str(TOP_K)], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"eval_mnist: oree eval: exit status {done.returncode}: {done.stderr.strip()}")
    return json.loads(done.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--oree", default=SOURCE / "build/bin/oree", type=pathlib.Path)
    parser.add_argument("--out", default=SOURCE / "out/bench/mnist", type=pathlib.Path)
    arguments = parser.parse_args()
    out = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("OREE_DEPS", str(SOURCE / ".deps"))
    subprocess.run([sys.executable, SOURCE / "tools/fetch_deps.py", "--only", "mnist", "--dest", out / "deps"], check=True)
    pictures, labels = read_digits(out / "deps/mnist", "test")
    model = trained(*read_digits(out / "deps/mnist", "train"), out / "model.pickle")
    write_onnx(model, out / "mnist.onnx")
    write_layouts(pictures, labels, out)

    right = {"top1": int(accuracy_score(labels, model.predict(flat(pictures)), normalize=False)),
             "topk": int(top_k_accuracy_score(labels, scores_of(model, flat(pictures)), k=TOP_K, normalize=False))}
    recalls = recall_score(labels, model.predict(flat(pictures)), average=None)
    print(f"{'who':28} {'computes in':11} {'data':13} top-1 right  top-{TOP_K} right  of")
    print(f"{'scikit-learn':28} {'f32':11} {'':13} {right['top1']:11}  {right['topk']:11}  {len(labels)}")
    wrong, recipe = 0, ["--recipe", out / "recipe.json"]
    for runtime, precision in (("onnxruntime", "f32"), ("openvino", "f32"), ("openvino", "default")):
        for data, more in (("floats.npz", []), ("pictures.npz", recipe), ("test", recipe)):
            answer = oree_eval(arguments.oree, out / "mnist.onnx", "--runtime", runtime, "--precision", precision,
                               "--data", out / data, "--scratch", out, *more)
            ours = {name: round(answer["figures"][name] * answer["samples"]) for name in right}
            computes = answer["facts"].get("precision", "?")
            print(f"{f'oree eval, {runtime}':28} {computes:11} {data:13} {ours['top1']:11}  {ours['topk']:11}  "
                  f"{answer['samples']}", flush=True)
            # A narrower type may rightly tip a digit that is nearly a tie; f32 may not.
            equal = ours == right and np.allclose(list(answer["per_class"].values()), recalls, rtol=0, atol=1e-12)
            wrong += answer["samples"] != len(labels) or (computes == "f32" and not equal)
    if wrong:
        sys.exit(f"eval_mnist: {wrong} rows differ from scikit-learn")


if __name__ == "__main__":
    main()
