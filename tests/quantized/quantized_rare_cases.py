# SPDX-License-Identifier: Apache-2.0
"""Further quantized operators of TensorFlow Lite Micro: 16-bit forms, rarer operators, and scales at the ends. They join
those of quantized_cases."""
import numpy as np

from quantized_cases import (CASES, NONE, RELU, SAME, VALID, activation, arithmetic, bias, case, moved, one, operands,
                             params, pool, product_scale, reduce, RELU6, scale, unary, weights, zero)
from tflite_builder import Net

# --- one operand
case("abs_int16", "ABS", np.int16, None, None, "AbsOptions")(unary)
case("abs_same_scale", "ABS", np.int8, 0.05, (0.05, -128), "AbsOptions")(unary)
case("log", "LOG", np.int8, None, None)(unary)
case("log_extreme", "LOG", np.int8, 1e-3, (0.05, 127))(unary)


@case("logistic_extreme", "LOGISTIC", (1 / 256, -128))
@case("tanh_extreme", "TANH", (1 / 128, 0))
@case("hard_swish_extreme", "HARD_SWISH")
@case("elu_extreme", "ELU")
@case("relu_extreme", "RELU")
@case("leaky_relu_extreme", "LEAKY_RELU")
@case("requantize_extreme", "QUANTIZE")
@case("softmax_extreme", "SOFTMAX", (1 / 256, -128))
@case("abs_extreme", "ABS")
def unary_extreme(rng, op, out=None):
    """A zero point at an end, scales far from each other."""
    options = {"LEAKY_RELU": ("LeakyReluOptions", {"alpha": float(rng.choice([-0.5, 0.01, 1, 3]))}),
               "SOFTMAX": ("SoftmaxOptions", {"beta": 1.0}), "QUANTIZE": ("QuantizeOptions", {}), "ABS": ("AbsOptions", {})}
    name, fields = options.get(op, (None, {}))
    net = Net()
    s = scale(rng, 1e-4, 20)
    x = net.tensor([2, 40], np.int8, s, int(rng.choice([-128, 0, 127])))
    y = net.tensor([2, 40], np.int8, *(out or (s * scale(rng, 1.1 if op == "HARD_SWISH" else 0.02, 50), int(rng.choice([-128, 0, 127])))))
    net.op(op, [x], [y], name, 1 if op in ("ELU", "HARD_SWISH") else 2, **fields)
    return one(net, x, y)


@case("sqrt")
def sqrt(rng):
    net = Net()
    s, z = scale(rng, 0.001, 1), int(rng.choice([-128, 127, rng.integers(-128, 127)]))
    x, middle = (net.tensor([2, 40], np.int8, s, z) for _ in range(2))
    y = activation(net, rng, [2, 40], s=float(np.float32(np.sqrt(s * 255) / rng.uniform(100, 400))))
    net.op("RELU", [x], [middle], None, 2)
    net.op("SQRT", [middle], [y], None, 2)
    return one(net, x, y)


@case("quantize_int8_to_int16", np.int8, np.int16)
@case("quantize_int16_to_int8", np.int16, np.int8)
@case("quantize_int8_to_int32", np.int8, np.int32)
@case("quantize_int16_to_int32", np.int16, np.int32)
@case("quantize_uint8_to_int8", np.uint8, np.int8)
def requantize(rng, source, to):
    net = Net()
    x, y = activation(net, rng, [3, 9], source), net.tensor([3, 9], to, scale(rng), zero(rng, to) if to == np.int8 else 0)
    net.op("QUANTIZE", [x], [y], "QuantizeOptions", 2)
    return one(net, x, y)


@case("dequantize_int16", np.int16)
@case("dequantize_uint8", np.uint8)
def dequantize(rng, dtype):
    net = Net()
    x, y = activation(net, rng, [3, 9], dtype), net.tensor([3, 9], np.float32)
    net.op("DEQUANTIZE", [x], [y], "DequantizeOptions", 2)
    return one(net, x, y)


@case("quantize_int16", np.int16)
def quantize(rng, dtype):
    net = Net()
    x, y = net.tensor([3, 9], np.float32), activation(net, rng, [3, 9], dtype)
    net.op("QUANTIZE", [x], [y], "QuantizeOptions", 2)
    return one(net, x, y)


@case("l2_normalization")
def l2_normalization(rng):
    net = Net()
    rows, depth = int(rng.integers(1, 4)), int(rng.integers(1, 20))
    x, y = activation(net, rng, [rows, depth], z=int(rng.choice([-128, 0, 127, 5]))), net.tensor([rows, depth], np.int8, 1 / 128, 0)
    net.op("L2_NORMALIZATION", [x], [y], "L2NormOptions", 2)
    return one(net, x, y)


# --- two operands and more
@case("add_extreme", "ADD")
@case("sub_extreme", "SUB")
@case("mul_extreme", "MUL")
def arithmetic_extreme(rng, op):
    net, shape = Net(), [2, 3, 5]
    a, b, y = (net.tensor(shape, np.int8, scale(rng, 1e-3, 10), int(rng.choice([-128, 0, 127]))) for _ in range(3))
    net.op(op, [a, b], [y], op.capitalize() + "Options", 2, fusedActivationFunction=int(rng.choice([NONE, RELU])))
    return one(net, [a, b], y)


@case("div")
def div(rng):
    """A fine output: where a quotient is far below its step, the engines shift by more than 31 bits, undefined in C++."""
    net, shape = Net(), [2, 3, 5]
    a = activation(net, rng, shape)
    s, z = scale(rng), int(rng.choice([-128, 127]))
    b = net.constant(rng.integers(-127, 127, shape), np.int8, scale=s, zero=z)
    y = activation(net, rng, shape, s=params(net, a)[0] / s / rng.uniform(257, 1000))
    net.op("DIV", [a, b], [y], "DivOptions", 1, fusedActivationFunction=int(rng.choice([NONE, RELU, RELU6])))
    return one(net, a, y)


@case("add_n")
def add_n(rng):
    net, shape = Net(), [2, 3, 4]
    p = scale(rng), zero(rng, np.int8)
    xs = [activation(net, rng, shape, np.int8, *p) for _ in range(int(rng.integers(2, 5)))]
    y = activation(net, rng, shape, s=scale(rng, 0.05, 0.3))
    net.op("ADD_N", xs, [y], "AddNOptions", 1)
    return one(net, xs, y)


@case("squared_difference_int16", np.int16)
def squared_difference(rng, dtype):
    net = Net()
    a, b, shape = operands(net, rng, dtype)
    y = activation(net, rng, shape, dtype, 2.0)
    net.op("SQUARED_DIFFERENCE", [a, b], [y], "SquaredDifferenceOptions", 2)
    return one(net, [a, b], y)


@case("maximum_int16", "MAXIMUM")
@case("minimum_int16", "MINIMUM")
def extreme_int16(rng, op):
    net = Net()
    a, _, shape = operands(net, rng, np.int16)
    b, y = (activation(net, rng, shape, np.int16, *params(net, a)) for _ in range(2))
    net.op(op, [a, b], [y], "MaximumMinimumOptions", 2)
    return one(net, [a, b], y)


@case("batch_matmul_int16", np.int16, False, False)
@case("batch_matmul_adjoint", np.int8, True, False)
@case("batch_matmul_adjoint_y", np.int8, False, True)
def batch_matmul(rng, dtype, adj_x, adj_y):
    net = Net()
    n, rows, depth, columns = (int(v) for v in rng.integers(1, 6, 4))
    a = activation(net, rng, [n, depth, rows] if adj_x else [n, rows, depth], dtype)
    b = activation(net, rng, [n, columns, depth] if adj_y else [n, depth, columns], dtype)
    y = activation(net, rng, [n, rows, columns], dtype, params(net, a)[0] * params(net, b)[0] * 100 * np.sqrt(depth))
    net.op("BATCH_MATMUL", [a, b], [y], "BatchMatMulOptions", 2, adjX=adj_x, adjY=adj_y)
    return one(net, [a, b], y)


@case("select_v2")
def select(rng):
    net, shape = Net(), [2, 3, 4]
    c, a = net.tensor(shape, np.bool_), activation(net, rng, shape)
    b, y = (activation(net, rng, shape, np.int8, *params(net, a)) for _ in range(2))
    zero_ = net.constant(params(net, a)[1], np.int8, scale=params(net, a)[0], zero=params(net, a)[1])
    net.op("GREATER", [a, zero_], [c], "GreaterOptions", 2)
    net.op("SELECT_V2", [c, a, b], [y], "SelectV2Options", 1)
    return one(net, [a, b], y)


# --- windows and weights
@case("fully_connected_no_bias", False, False)
@case("fully_connected_3d", True, True)
def fully_connected(rng, with_bias, keep):
    net = Net()
    shape, depth, outputs = [int(v) for v in rng.integers(1, 4, 2)], int(rng.integers(1, 9)), int(rng.integers(1, 9))
    x = activation(net, rng, [*shape, depth])
    wt, scales = weights(net, rng, [outputs, depth], 0, False, params(net, x)[0])
    y = activation(net, rng, [*shape, outputs] if keep else [shape[0] * shape[1], outputs], np.int8,
                   product_scale(params(net, x)[0], scales, depth))
    b = bias(net, rng, scales, outputs, np.int8) if with_bias else -1
    net.op("FULLY_CONNECTED", [x, wt, b], [y], "FullyConnectedOptions", 5, keepNumDims=keep)
    return one(net, x, y)


@case("conv_batch_no_bias", 1)
@case("conv_groups", 2)
def conv(rng, groups):
    net = Net()
    n, h, w, channels, outputs = 2, int(rng.integers(3, 7)), int(rng.integers(3, 7)), 2 * groups, 3 * groups
    x = activation(net, rng, [n, h, w, channels])
    wt, scales = weights(net, rng, [outputs, 3, 2, channels // groups], 0, True, params(net, x)[0])
    y = activation(net, rng, [n, h, w, outputs], np.int8, product_scale(params(net, x)[0], scales, 6 * channels // groups))
    b = -1 if groups == 1 else bias(net, rng, scales, outputs, np.int8)
    net.op("CONV_2D", [x, wt, b], [y], "Conv2DOptions", 6, padding=SAME, strideH=1, strideW=1, dilationHFactor=1, dilationWFactor=1)
    return one(net, x, y)


case("average_pool_batch", "AVERAGE_POOL_2D", np.int8)(pool)
case("mean_all", "MEAN", np.int8)(reduce)
case("sum_int16", "SUM", np.int16)(reduce)
case("reduce_min", "REDUCE_MIN", np.int8)(reduce)


@case("svdf_int8_state", np.int8)
@case("svdf_batch", np.int16)
def svdf(rng, state_type):
    net, rank = Net(), int(rng.integers(1, 4))
    batch, units, depth, memory = (int(v) for v in rng.integers(1, 6, 4))
    filters = units * rank
    x = activation(net, rng, [batch, depth])
    features = net.constant(rng.integers(-127, 128, [filters, depth]), np.int8, scale=scale(rng, 0.002, 0.05))
    time = net.constant(rng.integers(-127, 128, [filters, memory]), state_type, scale=scale(rng, 0.002, 0.05))
    s_state = params(net, x)[0] if state_type == np.int8 else scale(rng, 0.001, 0.02)
    b = net.constant(rng.integers(-99, 99, units), np.int32, scale=params(net, time)[0] * s_state)
    state = net.tensor([batch, memory * filters], state_type, s_state, 0, variable=True)
    y = activation(net, rng, [batch, units])
    net.op("SVDF", [x, features, time, b, state], [y], "SVDFOptions", 3, rank=rank, fusedActivationFunction=RELU)
    return one(net, x, y)


# --- what only moves elements
case("pad_int16", "PAD", [1, 7, 7, 2], [[[0, 0], [1, 2], [0, 1], [0, 0]]], "PadOptions", 2, (1, 4, 6, 2), np.int16)(moved)
case("transpose_int16", "TRANSPOSE", [1, 6, 2, 4], [[0, 2, 3, 1]], "TransposeOptions", 2, (1, 4, 6, 2), np.int16)(moved)
case("reshape_int16", "RESHAPE", [1, 48], [[1, 48]], "ReshapeOptions", 1, (1, 4, 6, 2), np.int16)(moved)
case("strided_slice_int16", "STRIDED_SLICE", [1, 2, 3, 2], [[0, 1, 0, 0], [1, 3, 6, 2], [1, 1, 2, 1]],
     "StridedSliceOptions", 2, (1, 4, 6, 2), np.int16)(moved)
case("strided_slice_backwards", "STRIDED_SLICE", [1, 3, 6, 2], [[0, 3, 0, 0], [1, 0, 6, 2], [1, -1, 1, 1]],
     "StridedSliceOptions", 2, (1, 4, 6, 2))(moved)
case("mirror_pad_symmetric", "MIRROR_PAD", [1, 7, 9, 2], [[[0, 0], [2, 1], [1, 2], [0, 0]]], "MirrorPadOptions", 2)(
    lambda rng, *a: moved(rng, *a, mode=1))
case("broadcast_to", "BROADCAST_TO", [3, 4, 6, 2], [[3, 4, 6, 2]], None)(moved)
case("reverse", "REVERSE_V2", [1, 4, 6, 2], [[2]], "ReverseV2Options")(moved)
case("cumsum", "CUMSUM", [1, 4, 6, 2], [2], "CumsumOptions", 1)(
    lambda rng, *a: moved(rng, *a, exclusive=bool(rng.random() < 0.5), reverse=bool(rng.random() < 0.5)))
case("gather_nd", "GATHER_ND", [3, 2], [[[0, 1, 2], [0, 3, 5], [0, 0, 0]]], "GatherNdOptions", 2)(moved)
case("slice_int16", "SLICE", [1, 2, 6, 1], [[0, 1, 0, 1], [1, 2, 6, 1]], "SliceOptions", 2, (1, 4, 6, 2), np.int16)(moved)


@case("cumsum_scales")
def cumsum_scales(rng):
    net = Net()
    x, y = activation(net, rng, [2, 5]), activation(net, rng, [2, 5], s=scale(rng, 0.05, 0.3))
    net.op("CUMSUM", [x, net.constant(1)], [y], "CumsumOptions", 1, exclusive=False, reverse=False)
    return one(net, x, y)


@case("unpack", np.int8)
@case("unpack_int16", np.int16)
def unpack(rng, dtype):
    net = Net()
    x = activation(net, rng, [2, 3, 4], dtype)
    parts = [activation(net, rng, [2, 4], dtype, *params(net, x)) for _ in range(3)]
    net.op("UNPACK", [x], parts, "UnpackOptions", 2, num=3, axis=1)
    return net.bytes([x], parts)


@case("split_v", np.int8)
@case("split_v_int16", np.int16)
def split_v(rng, dtype):
    net = Net()
    x = activation(net, rng, [1, 4, 6], dtype)
    parts = [activation(net, rng, [1, 4, n], dtype, *params(net, x)) for n in (1, 3, 2)]
    net.op("SPLIT_V", [x, net.constant([1, 3, 2]), net.constant(2)], parts, "SplitVOptions", 2, numSplits=3)
    return net.bytes([x], parts)


@case("concat_int16")
def concat(rng):
    net = Net()
    a = activation(net, rng, [1, 2, 3], np.int16)
    b, y = (activation(net, rng, [1, n, 3], np.int16, *params(net, a)) for n in (4, 6))
    net.op("CONCATENATION", [a, b], [y], "ConcatenationOptions", 3, axis=1)
    return one(net, [a, b], y)


@case("resize_bilinear_int16", "RESIZE_BILINEAR", "ResizeBilinearOptions")
@case("resize_nearest_int16", "RESIZE_NEAREST_NEIGHBOR", "ResizeNearestNeighborOptions")
def resize(rng, op, options):
    net = Net()
    size, out = [int(v) for v in rng.integers(2, 6, 2)], [int(v) for v in rng.integers(2, 11, 2)]
    x = activation(net, rng, [1, *size, 2], np.int16)
    y = activation(net, rng, [1, *out, 2], np.int16, *params(net, x))
    net.op(op, [x, net.constant(out)], [y], options, 3, halfPixelCenters=True)
    return one(net, x, y)


@case("arg_min", "ARG_MIN", np.int8)
def arg(rng, op, dtype):
    net = Net()
    x, y = activation(net, rng, [2, 3, 9], dtype), net.tensor([2, 3], np.int32)
    net.op(op, [x, net.constant(2)], [y], op.title().replace("_", "") + "Options", 2, outputType=2)
    return one(net, x, y)


@case("dynamic_update_slice")
def dynamic_update_slice(rng):
    net = Net()
    x = activation(net, rng, [2, 5, 3])
    part, y = (activation(net, rng, s, np.int8, *params(net, x)) for s in ([1, 2, 3], [2, 5, 3]))
    net.op("DYNAMIC_UPDATE_SLICE", [x, part, net.constant([1, 2, 0])], [y], "DynamicUpdateSliceOptions", 1)
    return one(net, [x, part], y)
