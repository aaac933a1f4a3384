#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Do the sums of an int8 model fit 16 bits, as an x86 without VNNI needs it? An exact emulation on real activations.

    python3 bench/saturation.py MODEL.onnx... --samples X.npz [--count 8] [--columns 200]

Takes models with QuantizeLinear and DequantizeLinear (or ConvInteger, MatMulInteger) and uint8 activations. ONNX Runtime
runs each over the first samples; its own uint8 activations are read behind the QuantizeLinear nodes. Of every layer,
columns are drawn at random, and what PMADDUBSW adds up, a0 * w0 + a1 * w1 of two neighbours, is computed in Python's
integers for every output channel: neighbours as MLAS has them (a column as one row: tap by tap, inputs of a tap side by
side) and as oneDNN has them (inputs of each tap, filled up to fours). Depthwise layers are not summed in pairs.

Needs: pip install numpy onnx onnxruntime
"""
import argparse
import json

import numpy
import onnx
import onnxruntime
from onnx import numpy_helper

LOW, HIGH = -(1 << 15), (1 << 15) - 1


def pads_of(attributes, shape, weights):
    """Begin of each spatial axis, and the number of places."""
    spatial = len(weights) - 2
    strides = attributes.get("strides", [1] * spatial)
    dilations = attributes.get("dilations", [1] * spatial)
    pads = list(attributes.get("pads", [0] * 2 * spatial))
    auto = attributes.get("auto_pad", b"NOTSET").decode()
    for i in range(spatial):
        reach = (weights[2 + i] - 1) * dilations[i] + 1
        if auto.startswith("SAME"):
            total = max(0, (-(-shape[2 + i] // strides[i]) - 1) * strides[i] + reach - shape[2 + i])
            pads[i] = total - total // 2 if auto == "SAME_LOWER" else total // 2
            pads[spatial + i] = total - pads[i]
    places = [(shape[2 + i] + pads[i] + pads[spatial + i] - (weights[2 + i] - 1) * dilations[i] - 1) // strides[i] + 1
              for i in range(spatial)]
    return pads[:spatial], places, strides, dilations


def columns_of(x, weights, attributes, zero, random, count):
    """[group][column][tap][input] of a convolution's operand."""
    groups = attributes.get("group", 1)
    begin, places, strides, dilations = pads_of(attributes, x.shape, weights)
    inputs, kernel = weights[1], weights[2:]
    taps = list(numpy.ndindex(*kernel))
    out = numpy.full((groups, count, len(taps), inputs), zero, numpy.int32)
    for c in range(count):
        sample = random.integers(x.shape[0])
        place = [int(random.integers(p)) for p in places]
        for t, tap in enumerate(taps):
            at = [p * s - b + k * d for p, s, b, k, d in zip(place, strides, begin, tap, dilations)]
            if all(0 <= a < n for a, n in zip(at, x.shape[2:])):
                out[:, c, t] = x[(sample, slice(None), *at)].reshape(groups, inputs)
    return out


def outside(columns, weights):
    """How many sums of two leave 16 bits; columns [column][k], weights [channel][k]."""
    if columns.shape[1] % 2:
        columns, weights = (numpy.pad(a, ((0, 0), (0, 1))) for a in (columns, weights))
    found = 0
    for w in weights:
        sums = columns[:, 0::2] * w[0::2] + columns[:, 1::2] * w[1::2]
        found += int(numpy.count_nonzero((sums > HIGH) | (sums < LOW)))
    return found, columns.size // 2 * len(weights)


def examine(path, samples, arguments):
    model = onnx.load(path)
    made = {o: n for n in model.graph.node for o in n.output}
    constants = {i.name: numpy_helper.to_array(i) for i in model.graph.initializer}

    def integers(name, dtype):
        """The tensor of integers that a DequantizeLinear makes real, or the tensor itself."""
        node = made.get(name)
        name = node.input[0] if node is not None and node.op_type == "DequantizeLinear" else name
        is_constant = name in constants
        return name if is_constant == (dtype == numpy.int8) and (not is_constant or constants[name].dtype == dtype) else None

    layers = []
    for node in model.graph.node:
        if node.op_type not in ("Conv", "Gemm", "MatMul", "ConvInteger", "MatMulInteger"):
            continue
        x, w = integers(node.input[0], numpy.uint8), integers(node.input[1], numpy.int8)
        maker = made.get(x)
        if x and w and (maker is not None and (maker.op_type == "QuantizeLinear" or node.op_type.endswith("Integer"))):
            zero = constants.get(maker.input[2]) if len(maker.input) > 2 else None
            layers.append((node, x, constants[w], 0 if zero is None else int(zero.ravel()[0])))
    wanted = sorted({x for _, x, _, _ in layers})
    del model.graph.output[:]
    model.graph.output.extend(onnx.helper.make_tensor_value_info(x, onnx.TensorProto.UINT8, None) for x in wanted)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    random = numpy.random.default_rng(1)
    found, summed, bad_layers, looked = 0, 0, 0, 0
    for i in range(arguments.count):
        feeds = {v.name: samples[v.name][i:i + 1] for v in session.get_inputs()}
        values = dict(zip(wanted, session.run(wanted, feeds)))
        for node, x, w, zero in layers:
            attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
            w = w.astype(numpy.int32)
            if "Conv" in node.op_type:
                groups = attributes.get("group", 1)
                if w.shape[1] == 1 and groups == w.shape[0]:
                    continue
                columns = columns_of(values[x].astype(numpy.int32), w.shape, attributes, zero, random, arguments.columns)
                filters = w.reshape(groups, w.shape[0] // groups, w.shape[1], -1).transpose(0, 1, 3, 2)
                fill = -w.shape[1] % 4
                orders = [(columns.reshape(groups, arguments.columns, -1), filters.reshape(*filters.shape[:2], -1))]
                orders.append(tuple(numpy.pad(a, [(0, 0)] * 3 + [(0, fill)]).reshape(*a.shape[:2], -1) for a in (columns, filters)))
            else:
                rows = values[x].astype(numpy.int32).reshape(-1, values[x].shape[-1])
                orders = [(rows[None, :arguments.columns], (w if attributes.get("transB") else w.T)[None])]
            counts = [outside(c, f) for order in orders for c, f in zip(*order)]
            found += sum(c for c, _ in counts)
            bad_layers += any(c for c, _ in counts)
            summed += sum(n for _, n in counts)
            looked += 1
    return {"model": str(path), "layers": looked // max(1, arguments.count), "sums": summed, "outside": found,
            "layers_and_samples_with_any": bad_layers}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--samples", required=True)
    parser.add_argument("--count", type=int, default=8)
    parser.add_argument("--columns", type=int, default=200)
    arguments = parser.parse_args()
    samples = numpy.load(arguments.samples)
    for path in arguments.models:
        print(json.dumps(examine(path, samples, arguments)), flush=True)


if __name__ == "__main__":
    main()
