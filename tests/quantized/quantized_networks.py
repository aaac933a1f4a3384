# SPDX-License-Identifier: Apache-2.0
"""A small network of quantized values, and operators whose weights alone are stored as integers or float16."""
import numpy as np

from quantized_cases import NONE, RELU, RELU6, SAME, VALID, one
from tflite_builder import Net


def weights_alone(rng, op, how):
    """Real operands beside weights that are stored as int8, a scale for all or a channel, or as float16."""
    net = Net()
    shape, axis = {"FULLY_CONNECTED": ([6, 9], 0), "CONV_2D": ([6, 3, 3, 3], 0), "DEPTHWISE_CONV_2D": ([1, 3, 3, 6], 3)}[op]
    integers = rng.integers(-127, 128, shape)
    if how == "float16":
        stored = net.constant(integers * 0.01, np.float16)
        w = net.tensor(shape, np.float32)
        net.op("DEQUANTIZE", [stored], [w], "DequantizeOptions", 3)
    else:
        w = net.constant(integers, np.int8, scale=np.float32(rng.uniform(0.002, 0.02, 6 if how == "per axis" else 1)), axis=axis)
    b = net.constant(rng.normal(0, 1, 6), np.float32)
    x, y = net.tensor([2, 9], np.float32), net.tensor([2, 6], np.float32)
    if op != "FULLY_CONNECTED":
        x, y = net.tensor([1, 6, 6, 3], np.float32), net.tensor([1, 4, 4, 6], np.float32)
    window = dict(padding=VALID, strideH=1, strideW=1, dilationHFactor=1, dilationWFactor=1)
    version = 1 if how == "float16" else {"FULLY_CONNECTED": 9, "CONV_2D": 5, "DEPTHWISE_CONV_2D": 6}[op]
    if op == "FULLY_CONNECTED":
        net.op(op, [x, w, b], [y], "FullyConnectedOptions", version, asymmetricQuantizeInputs=how != "float16")
    elif op == "CONV_2D":
        net.op(op, [x, w, b], [y], "Conv2DOptions", version, **window)
    else:
        net.op(op, [x, w, b], [y], "DepthwiseConv2DOptions", version, depthMultiplier=2, **window)
    return one(net, x, y)


def classifier(rng, dtype=np.int8):
    """A small network: convolution, depthwise convolution, addition, pooling, a dense layer, softmax."""
    net = Net()
    size, channels, classes = 12, 8, 6
    x = net.tensor([1, size, size, 3], dtype, 2 / 256, 0)
    s_x = 2 / 256

    def conv(x, s_x, kernel, cin, cout, stride, depthwise, act):
        shape = [1, kernel, kernel, cout] if depthwise else [cout, kernel, kernel, cin]
        scales = np.float32(rng.uniform(0.004, 0.012, cout))
        w = net.constant(rng.integers(-127, 128, shape), np.int8, scale=scales, axis=3 if depthwise else 0)
        b = net.constant(rng.integers(-2000, 2000, cout), np.int32, scale=scales * np.float32(s_x))
        n = net.graph.tensors[x].shape[1]
        n = -(-n // stride)
        s_y = s_x * 0.008 * 74 * 50 * np.sqrt(kernel * kernel * (1 if depthwise else cin)) / 45
        y = net.tensor([1, n, n, cout], dtype, s_y, -128 if act else int(rng.integers(-20, 20)))
        common = dict(padding=SAME, strideH=stride, strideW=stride, fusedActivationFunction=act, dilationHFactor=1, dilationWFactor=1)
        if depthwise:
            net.op("DEPTHWISE_CONV_2D", [x, w, b], [y], "DepthwiseConv2DOptions", 3, depthMultiplier=1, **common)
        else:
            net.op("CONV_2D", [x, w, b], [y], "Conv2DOptions", 3, **common)
        return y, s_y

    a, s_a = conv(x, s_x, 3, 3, channels, 2, False, RELU)
    b, s_b = conv(a, s_a, 3, channels, channels, 1, True, RELU6 if s_a * 255 > 6 else RELU)
    c, s_c = conv(b, s_b, 1, channels, channels, 1, False, NONE)
    d = net.tensor([1, size // 2, size // 2, channels], dtype, float(np.float32(s_a + s_c)), -30)
    net.op("ADD", [a, c], [d], "AddOptions", 2, fusedActivationFunction=NONE)
    e = net.tensor([1, channels], dtype, float(np.float32((s_a + s_c) * 0.4)), -100)
    net.op("MEAN", [d, net.constant([1, 2])], [e], "ReducerOptions", 2, keepDims=False)
    s_e = float(np.float32((s_a + s_c) * 0.4))
    w = net.constant(rng.integers(-127, 128, [classes, channels]), np.int8, scale=0.02)
    bias_ = net.constant(rng.integers(-900, 900, classes), np.int32, scale=np.float32(s_e) * np.float32(0.02))
    f = net.tensor([1, classes], dtype, s_e * 0.02 * 74 * 50 * np.sqrt(channels) / 45, 3)
    net.op("FULLY_CONNECTED", [e, w, bias_], [f], "FullyConnectedOptions", 4)
    y = net.tensor([1, classes], dtype, 1 / 256, -128)
    net.op("SOFTMAX", [f], [y], "SoftmaxOptions", 2, beta=1.0)
    return one(net, x, y)
