#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write an ONNX detector with the layers and the output of YOLOv8n, with seeded random weights.

It computes what such a detector costs and has its shapes, ops and two-ranged output (boxes in pixels, class scores
in 0..1), but it has learned nothing. Benchmarks and tests of the ONNX path use it. Standard library only.

  make_yolov8_shaped.py OUT.onnx [--size 320] [--classes 18] [--seed 1]
"""
import argparse
import array
import random
import struct

FLOAT, INT64 = 1, 7


def varint(value):
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def integer(field, value):
    return varint(field << 3) + varint(value)


def message(field, payload):
    if isinstance(payload, str):
        payload = payload.encode()
    return varint(field << 3 | 2) + varint(len(payload)) + payload


def tensor(name, dims, data_type, raw):
    return b"".join(integer(1, d) for d in dims) + integer(2, data_type) + message(8, name) + message(9, raw)


def value_info(name, dims):
    shape = b"".join(message(1, integer(1, d)) for d in dims)
    return message(1, name) + message(2, message(1, integer(1, FLOAT) + message(2, shape)))


def attribute(name, value):
    head = message(1, name)
    if isinstance(value, int):
        return head + integer(3, value) + integer(20, 2)
    if isinstance(value, str):
        return head + message(4, value) + integer(20, 3)
    return head + b"".join(integer(8, v) for v in value) + integer(20, 7)


class Graph:
    """Nodes and initializers in the order they are made; every method returns the name of its output."""

    def __init__(self, seed):
        self.nodes, self.initializers, self.random, self.count = [], [], random.Random(seed), 0

    def node(self, op, inputs, outputs=1, **attributes):
        self.count += 1
        names = [f"{op.lower()}_{self.count}" + (f"_{i}" if outputs > 1 else "") for i in range(outputs)]
        body = b"".join(message(1, i) for i in inputs) + b"".join(message(2, o) for o in names)
        body += message(3, f"{op}_{self.count}") + message(4, op)
        body += b"".join(message(5, attribute(k, v)) for k, v in attributes.items())
        self.nodes.append(message(1, body))
        return names[0] if outputs == 1 else names

    def floats(self, name, dims, values):
        raw = array.array("f", values)
        self.initializers.append(message(5, tensor(name, dims, FLOAT, raw.tobytes())))
        return name

    def ints(self, values):
        self.count += 1
        name = f"shape_{self.count}"
        self.initializers.append(message(5, tensor(name, [len(values)], INT64, struct.pack(f"<{len(values)}q", *values))))
        return name

    def conv(self, x, c_in, c_out, k=1, stride=1, activation=True):
        self.count += 1
        fan_in = c_in * k * k
        spread = (6.0 / fan_in) ** 0.5  # keeps the variance through the depth
        weights = [self.random.uniform(-spread, spread) for _ in range(c_out * fan_in)]
        w = self.floats(f"w_{self.count}", [c_out, c_in, k, k], weights)
        b = self.floats(f"b_{self.count}", [c_out], [self.random.uniform(-0.1, 0.1) for _ in range(c_out)])
        pad = k // 2
        y = self.node("Conv", [x, w, b], kernel_shape=[k, k], strides=[stride, stride], pads=[pad] * 4, dilations=[1, 1], group=1)
        return self.node("Mul", [y, self.node("Sigmoid", [y])]) if activation else y

    def c2f(self, x, c_in, c_out, n, shortcut):
        half = c_out // 2
        y = self.conv(x, c_in, c_out)
        a, b = self.node("Split", [y, self.ints([half, half])], outputs=2, axis=1)
        parts = [a, b]
        for _ in range(n):
            z = self.conv(self.conv(parts[-1], half, half, 3), half, half, 3)
            parts.append(self.node("Add", [parts[-1], z]) if shortcut else z)
        return self.conv(self.node("Concat", parts, axis=1), half * len(parts), c_out)

    def sppf(self, x, channels):
        half = channels // 2
        y = [self.conv(x, channels, half)]
        for _ in range(3):
            y.append(self.node("MaxPool", [y[-1]], kernel_shape=[5, 5], strides=[1, 1], pads=[2] * 4))
        return self.conv(self.node("Concat", y, axis=1), half * 4, channels)

    def upsample(self, x):
        scales = self.floats(f"scales_{self.count}", [4], [1, 1, 2, 2])
        return self.node("Resize", [x, "", scales], mode="nearest", nearest_mode="floor", coordinate_transformation_mode="asymmetric")


def head(g, features, size, classes):
    """Boxes by a distribution over 16 distances a side (DFL), class scores by sigmoid, as [1, 4 + classes, cells]."""
    bins, rows, centres, strides = 16, [], [], []
    for (x, channels), stride in zip(features, (8, 16, 32)):
        box = g.conv(g.conv(g.conv(x, channels, 64, 3), 64, 64, 3), 64, 4 * bins, activation=False)
        hidden = max(64, min(classes, 100))
        score = g.conv(g.conv(g.conv(x, channels, hidden, 3), hidden, hidden, 3), hidden, classes, activation=False)
        cells = (size // stride) ** 2
        rows.append(g.node("Reshape", [g.node("Concat", [box, score], axis=1), g.ints([1, 4 * bins + classes, cells])]))
        side = size // stride
        centres += [((i % side) + 0.5, (i // side) + 0.5) for i in range(cells)]
        strides += [float(stride)] * cells
    n = len(centres)
    both = g.node("Concat", rows, axis=2)
    box, score = g.node("Split", [both, g.ints([4 * bins, classes])], outputs=2, axis=1)
    spread = g.node("Transpose", [g.node("Reshape", [box, g.ints([1, 4, bins, n])])], perm=[0, 2, 1, 3])
    spread = g.node("Softmax", [spread], axis=1)
    taps = g.floats("dfl", [1, bins, 1, 1], list(range(bins)))
    distance = g.node("Conv", [spread, taps], kernel_shape=[1, 1], strides=[1, 1], pads=[0] * 4, dilations=[1, 1], group=1)
    distance = g.node("Reshape", [distance, g.ints([1, 4, n])])
    near, far = g.node("Split", [distance, g.ints([2, 2])], outputs=2, axis=1)
    anchors = g.floats("anchors", [1, 2, n], [c[0] for c in centres] + [c[1] for c in centres])
    low, high = g.node("Sub", [anchors, near]), g.node("Add", [anchors, far])
    half = g.floats("half", [1], [0.5])
    centre = g.node("Mul", [g.node("Add", [low, high]), half])
    boxes = g.node("Concat", [centre, g.node("Sub", [high, low])], axis=1)
    boxes = g.node("Mul", [boxes, g.floats("strides", [1, 1, n], strides)])
    return g.node("Concat", [boxes, g.node("Sigmoid", [score])], axis=1), n


def build(size, classes, seed):
    g = Graph(seed)
    x = g.conv("images", 3, 16, 3, 2)
    x = g.c2f(g.conv(x, 16, 32, 3, 2), 32, 32, 1, True)
    p3 = g.c2f(g.conv(x, 32, 64, 3, 2), 64, 64, 2, True)
    p4 = g.c2f(g.conv(p3, 64, 128, 3, 2), 128, 128, 2, True)
    p5 = g.sppf(g.c2f(g.conv(p4, 128, 256, 3, 2), 256, 256, 1, True), 256)
    up4 = g.c2f(g.node("Concat", [g.upsample(p5), p4], axis=1), 384, 128, 1, False)
    out3 = g.c2f(g.node("Concat", [g.upsample(up4), p3], axis=1), 192, 64, 1, False)
    out4 = g.c2f(g.node("Concat", [g.conv(out3, 64, 64, 3, 2), up4], axis=1), 192, 128, 1, False)
    out5 = g.c2f(g.node("Concat", [g.conv(out4, 128, 128, 3, 2), p5], axis=1), 384, 256, 1, False)
    last, cells = head(g, [(out3, 64), (out4, 128), (out5, 256)], size, classes)
    g.nodes.append(message(1, message(1, last) + message(2, "output0") + message(3, "output") + message(4, "Identity")))
    graph = b"".join(g.nodes) + message(2, "yolov8n_shaped") + b"".join(g.initializers)
    graph += message(11, value_info("images", [1, 3, size, size])) + message(12, value_info("output0", [1, 4 + classes, cells]))
    return integer(1, 8) + message(2, "oree make_yolov8_shaped") + message(7, graph) + message(8, integer(2, 17))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("out")
    parser.add_argument("--size", type=int, default=320, help="input side in pixels, a multiple of 32")
    parser.add_argument("--classes", type=int, default=18)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    if args.size < 32 or args.size % 32 or args.classes < 1:
        parser.error("--size must be a positive multiple of 32 and --classes at least 1")
    data = build(args.size, args.classes, args.seed)
    with open(args.out, "wb") as f:
        f.write(data)


if __name__ == "__main__":
    main()
