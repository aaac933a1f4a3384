# SPDX-License-Identifier: Apache-2.0
"""One quantized operator a model, with random shapes, scales and weights. A case is a function of a random generator
that gives a model's bytes; CASES has them by name."""
import numpy as np

from tflite_builder import Net

CASES = {}
SAME, VALID = 0, 1
NONE, RELU, RELU6 = 0, 1, 3


def case(name, *arguments):
    def register(f):
        CASES[name] = lambda rng: f(rng, *arguments)
        return f

    return register


def cases(names, *arguments):
    """The same for several operators: their name is the first argument."""

    def register(f):
        for name in names:
            CASES[name.lower()] = lambda rng, name=name: f(rng, name, *arguments)
        return f

    return register


def scale(rng, low=0.005, high=0.1):
    return float(np.float32(np.exp(rng.uniform(np.log(low), np.log(high)))))


def zero(rng, dtype):
    return 0 if dtype == np.int16 else int(rng.integers(-40, 40) + (128 if dtype == np.uint8 else 0))


def activation(net, rng, shape, dtype=np.int8, s=None, z=None):
    return net.tensor(shape, dtype, s or scale(rng), zero(rng, dtype) if z is None else z)


def params(net, t):
    q = net.graph.tensors[t].quantization
    return float(q.scale[0]), int(q.zeroPoint[0])


def weights(net, rng, shape, axis, per_axis=True, x_scale=1.0):
    """int8 weights and what a bias of theirs has as scales."""
    count = shape[axis]
    scales = np.float32(rng.uniform(0.002, 0.02, count if per_axis else 1))
    w = net.constant(rng.integers(-127, 128, shape), np.int8, scale=scales, axis=axis)
    return w, scales * np.float32(x_scale)


def product_scale(x_scale, w_scales, depth):
    """For sums of so many products: most of them within the range."""
    return float(np.float32(x_scale * np.mean(w_scales) / x_scale * 74 * 74 * np.sqrt(depth) / 45))


def bias(net, rng, scales, count, dtype):
    return net.constant(rng.integers(-9000, 9000, count), np.int64 if dtype == np.int16 else np.int32, scale=scales)


def one(net, x, y):
    return net.bytes([x] if isinstance(x, int) else x, [y])


def conv_like(rng, dtype, depthwise, per_axis):
    net, act = Net(), int(rng.choice([NONE, RELU, RELU6]))
    h, w, channels = int(rng.integers(5, 9)), int(rng.integers(5, 9)), int(rng.integers(1, 5))
    kernel, stride = (int(rng.integers(1, 4)), int(rng.integers(1, 4))), int(rng.integers(1, 3))
    dilation = int(rng.integers(1, 3)) if stride == 1 else 1
    multiplier, outputs = int(rng.integers(1, 3)), int(rng.integers(1, 6))
    if depthwise:
        outputs = channels * multiplier
    x = activation(net, rng, [1, h, w, channels], dtype)
    shape = [1, *kernel, outputs] if depthwise else [outputs, *kernel, channels]
    wt, scales = weights(net, rng, shape, 3 if depthwise else 0, per_axis, params(net, x)[0])
    b = bias(net, rng, scales, outputs, dtype)
    padding = int(rng.choice([SAME, VALID]))
    size = [-(-n // stride) if padding == SAME else -(-(n - (k - 1) * dilation) // stride) for n, k in zip((h, w), kernel)]
    if min(size) < 1:
        return conv_like(rng, dtype, depthwise, per_axis)
    s = product_scale(params(net, x)[0], scales, kernel[0] * kernel[1] * (1 if depthwise else channels))
    y = activation(net, rng, [1, *size, outputs], dtype, s)
    common = dict(padding=padding, strideH=stride, strideW=stride, fusedActivationFunction=act,
                  dilationHFactor=dilation, dilationWFactor=dilation)
    if depthwise:
        net.op("DEPTHWISE_CONV_2D", [x, wt, b], [y], "DepthwiseConv2DOptions", 3, depthMultiplier=multiplier, **common)
    else:
        net.op("CONV_2D", [x, wt, b], [y], "Conv2DOptions", 3, **common)
    return one(net, x, y)


case("conv", np.int8, False, True)(conv_like)
case("conv_per_tensor", np.int8, False, False)(conv_like)
case("conv_int16", np.int16, False, True)(conv_like)
case("depthwise_conv", np.int8, True, True)(conv_like)
case("depthwise_conv_per_tensor", np.int8, True, False)(conv_like)
case("depthwise_conv_int16", np.int16, True, True)(conv_like)


@case("transpose_conv", np.int8)
@case("transpose_conv_int16", np.int16)
def transpose_conv(rng, dtype):
    net = Net()
    h, w, channels, outputs = (int(v) for v in rng.integers(2, 5, 4))
    kernel, stride = int(rng.integers(1, 4)), int(rng.integers(1, 3))
    padding = int(rng.choice([SAME, VALID]))
    size = [n * stride if padding == SAME else (n - 1) * stride + max(kernel, stride) for n in (h, w)]
    x = activation(net, rng, [1, h, w, channels], dtype)
    wt, scales = weights(net, rng, [outputs, kernel, kernel, channels], 0, True, params(net, x)[0])
    y = activation(net, rng, [1, *size, outputs], dtype, product_scale(params(net, x)[0], scales, kernel * channels))
    b = bias(net, rng, scales, outputs, dtype)
    net.op("TRANSPOSE_CONV", [net.constant([1, *size, outputs]), wt, x, b], [y], "TransposeConvOptions", 3,
           padding=padding, strideH=stride, strideW=stride)
    return one(net, x, y)


@case("fully_connected", np.int8, False)
@case("fully_connected_per_axis", np.int8, True)
@case("fully_connected_int16", np.int16, False)
def fully_connected(rng, dtype, per_axis):
    net = Net()
    rows, depth, outputs = (int(v) for v in rng.integers(1, 9, 3))
    x = activation(net, rng, [rows, depth], dtype)
    wt, scales = weights(net, rng, [outputs, depth], 0, per_axis, params(net, x)[0])
    y = activation(net, rng, [rows, outputs], dtype, product_scale(params(net, x)[0], scales, depth))
    b = bias(net, rng, scales, outputs, dtype)
    net.op("FULLY_CONNECTED", [x, wt, b], [y], "FullyConnectedOptions", 4,
           fusedActivationFunction=int(rng.choice([NONE, RELU])), keepNumDims=False)
    return one(net, x, y)


@case("batch_matmul")
def batch_matmul(rng):
    net = Net()
    n, rows, depth, columns = (int(v) for v in rng.integers(1, 6, 4))
    a, b = activation(net, rng, [n, rows, depth]), activation(net, rng, [n, depth, columns])
    y = activation(net, rng, [n, rows, columns], np.int8, params(net, a)[0] * params(net, b)[0] * 100 * np.sqrt(depth))
    net.op("BATCH_MATMUL", [a, b], [y], "BatchMatMulOptions", 2)
    return one(net, [a, b], y)


def operands(net, rng, dtype):
    shape = [1, *(int(v) for v in rng.integers(1, 5, 3))]
    other = list(shape)
    if rng.random() < 0.4:
        other[int(rng.integers(1, 4))] = 1
    return activation(net, rng, shape, dtype), activation(net, rng, other, dtype), shape


def arithmetic(rng, op, dtype):
    net = Net()
    a, b, shape = operands(net, rng, dtype)
    p, q = params(net, a)[0], params(net, b)[0]
    y = activation(net, rng, shape, dtype, p * q * 70 if op == "MUL" else (p + q) * 0.8)
    fields = dict(fusedActivationFunction=int(rng.choice([NONE, RELU, RELU6])))
    if dtype == np.int16 and op != "MUL":
        fields["potScaleInt16"] = False
    net.op(op, [a, b], [y], op.capitalize() + "Options", 2, **fields)
    return one(net, [a, b], y)


for _op in ("ADD", "SUB", "MUL"):
    for _dtype in (np.int8, np.int16):
        case(f"{_op.lower()}_{np.dtype(_dtype).name}", _op, _dtype)(arithmetic)


@cases(["MAXIMUM", "MINIMUM"])
def extreme(rng, op):
    net = Net()
    a, _, shape = operands(net, rng, np.int8)
    b = activation(net, rng, shape, np.int8, *params(net, a))
    y = activation(net, rng, shape, np.int8, *params(net, a))
    net.op(op, [a, b], [y], "MaximumMinimumOptions", 2)
    return one(net, [a, b], y)


@cases(["EQUAL", "LESS", "GREATER", "LESS_EQUAL", "GREATER_EQUAL", "NOT_EQUAL"])
def comparison(rng, op):
    net = Net()
    a, b, shape = operands(net, rng, np.int8)
    y = net.tensor(shape, np.bool_)
    net.op(op, [a, b], [y], "".join(p.capitalize() for p in op.split("_")) + "Options", 2)
    return one(net, [a, b], y)


@case("average_pool", "AVERAGE_POOL_2D", np.int8)
@case("average_pool_int16", "AVERAGE_POOL_2D", np.int16)
@case("max_pool", "MAX_POOL_2D", np.int8)
@case("max_pool_int16", "MAX_POOL_2D", np.int16)
def pool(rng, op, dtype):
    net = Net()
    h, w, channels, kernel = int(rng.integers(4, 9)), int(rng.integers(4, 9)), int(rng.integers(1, 4)), int(rng.integers(1, 4))
    stride, padding = int(rng.integers(1, 3)), int(rng.choice([SAME, VALID]))
    size = [-(-n // stride) if padding == SAME else -(-(n - kernel + 1) // stride) for n in (h, w)]
    x = activation(net, rng, [1, h, w, channels], dtype)
    y = activation(net, rng, [1, *size, channels], dtype, *params(net, x))
    net.op(op, [x], [y], "Pool2DOptions", 2, padding=padding, strideH=stride, strideW=stride, filterHeight=kernel,
           filterWidth=kernel, fusedActivationFunction=int(rng.choice([NONE, RELU])))
    return one(net, x, y)


def unary(rng, op, dtype, in_scale, out, options=None, version=2, **fields):
    net = Net()
    shape = [1, int(rng.integers(1, 9)), int(rng.integers(2, 30))]
    x = net.tensor(shape, dtype, in_scale or scale(rng), zero(rng, dtype))
    s, z = out or (scale(rng), zero(rng, dtype))
    y = net.tensor(shape, dtype, s, z)
    net.op(op, [x], [y], options, version, **fields)
    return one(net, x, y)


case("logistic", "LOGISTIC", np.int8, None, (1 / 256, -128))(unary)
case("logistic_int16", "LOGISTIC", np.int16, 1 / 4096, (1 / 32768, 0))(unary)
case("tanh", "TANH", np.int8, None, (1 / 128, 0))(unary)
case("tanh_int16", "TANH", np.int16, 1 / 4096, (1 / 32768, 0))(unary)
case("relu", "RELU", np.int8, None, None)(unary)
case("relu6", "RELU6", np.int8, None, None)(unary)
case("relu_int16", "RELU", np.int16, None, None)(unary)
case("hard_swish", "HARD_SWISH", np.int8, None, None, None, 1)(unary)
case("elu", "ELU", np.int8, None, None, None, 1)(unary)
case("abs", "ABS", np.int8, None, None, "AbsOptions")(unary)
case("requantize", "QUANTIZE", np.int8, None, None, "QuantizeOptions")(unary)
case("requantize_int16", "QUANTIZE", np.int16, None, None, "QuantizeOptions")(unary)


@case("neg_exp", "EXP", "ExpOptions")
@case("gelu", "GELU", "GeluOptions")
def curve(rng, op, options):
    return unary(rng, op, np.int8, None, None, options)


@case("log_softmax", 0.005, 0.1)
@case("log_softmax_wide", 0.5, 20)
@case("log_softmax_narrow", 1e-7, 1e-3)
def log_softmax(rng, low, high):
    return unary(rng, "LOG_SOFTMAX", np.int8, scale(rng, low, high), (16 / 256, 127), "LogSoftmaxOptions")


@case("rsqrt", np.int8, 0.005, 0.1)
@case("rsqrt_extreme", np.int8, 1e-6, 1e4)
@case("rsqrt_int16", np.int16, 1e-6, 1e4)
def rsqrt(rng, dtype, low, high):
    """Of what RELU leaves: numbers from the zero point on, wherever that is."""
    net = Net()
    s, z = scale(rng, low, high), 0 if dtype == np.int16 else int(rng.choice([-128, 127, rng.integers(-128, 127)]))
    x, middle = net.tensor([2, 40], dtype, s, z), net.tensor([2, 40], dtype, s, z)
    y = net.tensor([2, 40], dtype, float(np.float32(rng.uniform(0.2, 3) / np.sqrt(s) / 100)), zero(rng, dtype))
    net.op("RELU", [x], [middle], None, 2)
    net.op("RSQRT", [middle], [y], None, 2)
    return one(net, x, y)


@case("leaky_relu", np.int8)
@case("leaky_relu_int16", np.int16)
def leaky_relu(rng, dtype):
    return unary(rng, "LEAKY_RELU", dtype, None, None, "LeakyReluOptions", alpha=float(rng.uniform(0.01, 0.5)))


@case("prelu")
def prelu(rng):
    net = Net()
    h, w, c = (int(v) for v in rng.integers(1, 5, 3))
    x, y = activation(net, rng, [1, h, w, c]), activation(net, rng, [1, h, w, c])
    slope = net.constant(rng.integers(-128, 128, [1, 1, c]), np.int8, scale=0.01, zero=zero(rng, np.int8))
    net.op("PRELU", [x, slope], [y], None)
    return one(net, x, y)


@case("softmax", np.int8)
@case("softmax_int16", np.int16)
def softmax(rng, dtype):
    return unary(rng, "SOFTMAX", dtype, None, (1 / 256, -128) if dtype == np.int8 else (1 / 32768, 0),
                 "SoftmaxOptions", beta=1.0)


@case("softmax_int8_int16")
def softmax_wide(rng):
    net = Net()
    x, y = activation(net, rng, [3, 11]), net.tensor([3, 11], np.int16, 1 / 65536, -32768)
    net.op("SOFTMAX", [x], [y], "SoftmaxOptions", 2, beta=1.0)
    return one(net, x, y)


@case("mean", "MEAN", np.int8)
@case("mean_int16", "MEAN", np.int16)
@case("sum", "SUM", np.int8)
@case("reduce_max", "REDUCE_MAX", np.int8)
def reduce(rng, op, dtype):
    net, keep = Net(), bool(rng.random() < 0.5)
    shape = [1, *(int(v) for v in rng.integers(1, 7, 3))]
    axes = [[1, 2], [3], [1]][int(rng.integers(0, 3))]
    out = [1 if i in axes else n for i, n in enumerate(shape) if keep or i not in axes]
    x = activation(net, rng, shape, dtype)
    y = activation(net, rng, out, dtype, *(params(net, x) if op in ("REDUCE_MAX", "REDUCE_MIN") else (None, None)))
    net.op(op, [x, net.constant(axes)], [y], "ReducerOptions", 2, keepDims=keep)
    return one(net, x, y)


@case("arg_max")
def arg_max(rng):
    net = Net()
    x, y = activation(net, rng, [2, 3, 9]), net.tensor([2, 3], np.int32)
    net.op("ARG_MAX", [x, net.constant(2)], [y], "ArgMaxOptions", 2, outputType=2)
    return one(net, x, y)


@case("concat")
def concat(rng):
    net, axis = Net(), int(rng.integers(1, 4))
    shape = [1, *(int(v) for v in rng.integers(1, 5, 3))]
    p = (scale(rng), zero(rng, np.int8))
    parts, total = [], 0
    for _ in range(int(rng.integers(2, 4))):
        part = list(shape)
        part[axis] = int(rng.integers(1, 4))
        total += part[axis]
        parts.append(activation(net, rng, part, np.int8, *p))
    shape[axis] = total
    y = activation(net, rng, shape, np.int8, *p)
    net.op("CONCATENATION", parts, [y], "ConcatenationOptions", 2, axis=axis)
    return one(net, parts, y)


def moved(rng, op, out_shape, extra, options=None, version=2, shape=(1, 4, 6, 2), dtype=np.int8, **fields):
    net = Net()
    x = activation(net, rng, shape, dtype)
    y = activation(net, rng, out_shape, dtype, *params(net, x))
    net.op(op, [x, *(net.constant(e) for e in extra)], [y], options, version, **fields)
    return one(net, x, y)


case("pad", "PAD", [1, 7, 7, 2], [[[0, 0], [1, 2], [0, 1], [0, 0]]], "PadOptions")(moved)
case("mirror_pad", "MIRROR_PAD", [1, 6, 8, 2], [[[0, 0], [1, 1], [1, 1], [0, 0]]], "MirrorPadOptions", 2)(moved)
case("reshape", "RESHAPE", [1, 48], [[1, 48]], "ReshapeOptions", 1)(moved)
case("transpose", "TRANSPOSE", [1, 6, 2, 4], [[0, 2, 3, 1]], "TransposeOptions")(moved)
case("strided_slice", "STRIDED_SLICE", [1, 2, 3, 2], [[0, 1, 0, 0], [1, 3, 6, 2], [1, 1, 2, 1]],
     "StridedSliceOptions")(moved)
case("slice", "SLICE", [1, 2, 6, 1], [[0, 1, 0, 1], [1, 2, 6, 1]], "SliceOptions")(moved)
case("gather", "GATHER", [1, 2, 6, 2], [[3, 1]], "GatherOptions", 2, (1, 4, 6, 2), np.int8)(
    lambda rng, *a: moved(rng, *a, axis=1))
case("tile", "TILE", [1, 8, 6, 2], [[1, 2, 1, 1]], None)(moved)
case("space_to_depth", "SPACE_TO_DEPTH", [1, 2, 3, 8], [], "SpaceToDepthOptions")(
    lambda rng, *a: moved(rng, *a, blockSize=2))
case("depth_to_space", "DEPTH_TO_SPACE", [1, 8, 12, 1], [], "DepthToSpaceOptions", 1, (1, 4, 6, 4))(
    lambda rng, *a: moved(rng, *a, blockSize=2))
case("space_to_batch", "SPACE_TO_BATCH_ND", [4, 2, 3, 2], [[2, 2], [[0, 0], [0, 0]]], None)(moved)
case("batch_to_space", "BATCH_TO_SPACE_ND", [1, 8, 12, 2], [[2, 2], [[0, 0], [0, 0]]], None, 2, (4, 4, 6, 2))(moved)
case("squeeze", "SQUEEZE", [4, 6, 2], [], "SqueezeOptions", 1)(moved)
case("expand_dims", "EXPAND_DIMS", [1, 1, 4, 6, 2], [1], "ExpandDimsOptions", 1)(moved)


@case("pad_v2")
def pad_v2(rng):
    net = Net()
    x = activation(net, rng, [1, 3, 4, 2])
    y = activation(net, rng, [1, 5, 5, 2], np.int8, *params(net, x))
    s, z = params(net, x)
    net.op("PADV2", [x, net.constant([[0, 0], [1, 1], [0, 1], [0, 0]]), net.constant([int(rng.integers(-99, 99))], np.int8, scale=s, zero=z)],
           [y], "PadV2Options", 2)
    return one(net, x, y)


@case("split")
def split(rng):
    net = Net()
    x = activation(net, rng, [1, 4, 6])
    parts = [activation(net, rng, [1, 4, 2], np.int8, *params(net, x)) for _ in range(3)]
    net.op("SPLIT", [net.constant(2), x], parts, "SplitOptions", 2, numSplits=3)
    return net.bytes([x], parts)


@case("pack")
def pack(rng):
    net = Net()
    a = activation(net, rng, [2, 3])
    b, y = activation(net, rng, [2, 3], np.int8, *params(net, a)), activation(net, rng, [2, 2, 3], np.int8, *params(net, a))
    net.op("PACK", [a, b], [y], "PackOptions", 2, valuesCount=2, axis=1)
    return one(net, [a, b], y)


@cases(["RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"])
def resize(rng, op):
    net = Net()
    size, out = [int(v) for v in rng.integers(2, 6, 2)], [int(v) for v in rng.integers(2, 11, 2)]
    x = activation(net, rng, [1, *size, 2])
    y = activation(net, rng, [1, *out, 2], np.int8, *params(net, x))
    corners = bool(rng.random() < 0.3)
    net.op(op, [x, net.constant(out)], [y], "ResizeBilinearOptions" if "BI" in op else "ResizeNearestNeighborOptions", 3,
           alignCorners=corners, halfPixelCenters=not corners and bool(rng.random() < 0.6))
    return one(net, x, y)


@case("svdf")
def svdf(rng):
    net, rank = Net(), 2
    units, depth, memory = 3, 5, 4
    x = net.tensor([1, depth], np.int8, 0.05, 2)
    features = net.constant(rng.integers(-127, 128, [units * rank, depth]), np.int8, scale=0.01)
    time = net.constant(rng.integers(-127, 128, [units * rank, memory]), np.int16, scale=0.005)
    b = net.constant(rng.integers(-99, 99, units), np.int32, scale=0.005 * 0.01)
    state = net.tensor([1, memory * units * rank], np.int16, 0.01, 0, variable=True)
    y = net.tensor([1, units], np.int8, 0.05, -3)
    net.op("SVDF", [x, features, time, b, state], [y], "SVDFOptions", 3, rank=rank, fusedActivationFunction=RELU)
    return one(net, x, y)


@case("lstm", np.int8, False)
@case("lstm_time_major", np.int8, True)
@case("lstm_int16", np.int16, False)
@case("lstm_int16_time_major", np.int16, True)
@case("lstm_cell_clip", np.int8, False, "clip")
@case("lstm_cut", np.int8, False, "cut")
@case("lstm_cut_time_major", np.int8, True, "cut")
@case("lstm_cut_int16", np.int16, False, "cut")
@case("lstm_coarse", np.int8, False, "cut", 40)
@case("lstm_coarse_int16", np.int16, False, "cut", 40)
def lstm(rng, dtype, time_major, how="", coarser=1):
    """`how`: "cut": gates and states would reach further than their scales do."""
    net = Net()
    batch, time, depth, units = (int(rng.integers(1, most)) for most in (4, 8, 9, 17))
    narrow = dtype == np.int8
    s_x, s_h, zero_x, zero_h = scale(rng, 0.002, 0.2), 1 / 127, zero(rng, dtype), 0
    s_w = [rng.uniform(0.5, 1.5) / (74 * 74 * s_x * np.sqrt(depth)) for _ in range(4)]
    s_w += [rng.uniform(0.5, 1.5) / (74 * np.sqrt(units)) for _ in range(4)]
    if how == "cut":
        s_h, s_w = scale(rng, 1 / 300, 1 / 60), [scale(rng, 0.0005, 0.05) * coarser for _ in range(8)]
        zero_x, zero_h = ((int(rng.choice([-128, 127, rng.integers(-20, 20)])) if narrow else 0) for _ in range(2))
    if not narrow:
        s_x, s_h = s_x / 256, s_h / 256
    x = net.tensor([time, batch, depth] if time_major else [batch, time, depth], dtype, s_x, zero_x)
    wx = [net.constant(rng.integers(-127, 128, [units, depth]), np.int8, scale=s) for s in s_w[:4]]
    wh = [net.constant(rng.integers(-127, 128, [units, units]), np.int8, scale=s) for s in s_w[4:]]
    biases = [net.constant(rng.normal(0, 0.3, units) / (s_x * s), np.int32 if narrow else np.int64, scale=s_x * s) for s in s_w[:4]]
    hidden = net.tensor([batch, units], dtype, s_h, zero_h, variable=True)
    cell_scale = 2.0 ** int(rng.integers(-15, -8) if how else -12)
    cell = net.tensor([batch, units], np.int16, cell_scale, 0, variable=True)
    y = net.tensor([time, batch, units] if time_major else [batch, time, units], dtype, s_h, zero_h)
    inner = [net.tensor([0], np.int16, 2.0**-12, 0) for _ in range(4)] + [net.tensor([0], dtype, s_h, zero_h)]
    net.op("UNIDIRECTIONAL_SEQUENCE_LSTM", [x, *wx, *wh, -1, -1, -1, *biases, -1, -1, hidden, cell, -1, -1, -1, -1], [y],
           "UnidirectionalSequenceLSTMOptions", 3, inner, fusedActivationFunction=4,
           cellClip=float(np.float32(cell_scale * rng.uniform(50, 20000))) if how == "clip" else 0.0, projClip=0.0,
           timeMajor=time_major, asymmetricQuantizeInputs=False)
    return one(net, x, y)


@case("quantize_uint8")
def quantize_uint8(rng):
    net = Net()
    x, y = activation(net, rng, [3, 9]), None
    s, z = params(net, x)
    y = net.tensor([3, 9], np.uint8, s, z + 128)
    net.op("QUANTIZE", [x], [y], "QuantizeOptions", 2)
    return one(net, x, y)


@case("quantize_dequantize")
def quantize_dequantize(rng):
    net = Net()
    x, q, y = net.tensor([3, 9], np.float32), activation(net, rng, [3, 9]), net.tensor([3, 9], np.float32)
    net.op("QUANTIZE", [x], [q], "QuantizeOptions", 2)
    net.op("DEQUANTIZE", [q], [y], "DequantizeOptions", 2)
    return one(net, x, y)


@case("squared_difference")
def squared_difference(rng):
    net = Net()
    a, b, shape = operands(net, rng, np.int8)
    y = activation(net, rng, shape, np.int8, 0.2)
    net.op("SQUARED_DIFFERENCE", [a, b], [y], "SquaredDifferenceOptions", 2)
    return one(net, [a, b], y)
