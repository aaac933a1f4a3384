# SPDX-License-Identifier: Apache-2.0
"""QDQ models of ONNX, made here: one operator between DequantizeLinear and QuantizeLinear with random scales, and a
small network that onnxruntime.quantization quantizes."""
import numpy as np
from onnx import TensorProto, helper, numpy_helper

N = helper.make_node
CASES = {}


class Made:
    """A model in the making: quantized inputs, weights, one operator, a quantized output."""

    def __init__(self, rng, dtype):
        self.rng, self.dtype = rng, dtype
        self.nodes, self.inputs, self.constants = [], [], []

    def constant(self, name, array):
        self.constants.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def pair(self, x, scale, zero):
        """Its name after QuantizeLinear and DequantizeLinear."""
        s, z = self.constant(x + "_s", np.float32(scale)), self.constant(x + "_z", np.dtype(self.dtype).type(zero))
        self.nodes += [N("QuantizeLinear", [x, s, z], [x + "_q"]), N("DequantizeLinear", [x + "_q", s, z], [x + "_d"])]
        return x + "_d"

    def zero(self):
        if self.dtype == np.int16:
            return 0
        return int(self.rng.integers(-40, 40)) + (128 if self.dtype == np.uint8 else 0)

    def scale(self, wide=2.0):
        """For reals within about plus and minus `wide`."""
        return wide / (2**15 if self.dtype == np.int16 else 100) * self.rng.uniform(0.8, 1.6)

    def input(self, shape, scale=None, zero=None):
        name = f"x{len(self.inputs)}"
        self.inputs.append((name, shape))
        return self.pair(name, scale or self.scale(), self.zero() if zero is None else zero)

    def weights(self, shape, axis, per_axis):
        name = f"w{len(self.constants)}"
        w = self.constant(name, self.rng.integers(-127, 128, shape).astype(np.int8))
        scales = self.rng.uniform(0.002, 0.01, shape[axis]).astype(np.float32) if per_axis else np.float32(0.005)
        s, z = self.constant(name + "_s", scales), self.constant(name + "_z", np.zeros(np.shape(scales), np.int8))
        self.nodes.append(N("DequantizeLinear", [w, s, z], [name + "_d"], **({"axis": axis} if per_axis else {})))
        return name + "_d"

    def finish(self, op, inputs, shape, wide=2.0, scale=None, zero=None, bound=None, **attributes):
        self.step = scale or self.scale(wide)
        self.nodes.append(N(op, inputs, ["c"], **attributes))
        if bound:
            self.nodes.append(N(bound, ["c"], ["y"]))
        else:
            self.nodes[-1].output[0] = "y"
        out = self.pair("y", self.step, self.zero() if zero is None else zero)
        graph = helper.make_graph(
            self.nodes, "made", [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in self.inputs],
            [helper.make_tensor_value_info(out, TensorProto.FLOAT, shape)], self.constants)
        opset = 21 if self.dtype == np.int16 else 17
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8 if opset < 21 else 10)
        return made, self.step


def case(f):
    for dtype in (np.uint8, np.int8, np.int16):
        CASES[f"{f.__name__}_{np.dtype(dtype).name}"] = lambda rng, dtype=dtype: f(Made(rng, dtype))
    return f


IMAGE = [1, 4, 6, 8]


@case
def conv(m):
    w = m.weights([5, 4, 3, 3], 0, True)
    b = m.constant("b", m.rng.normal(0, 0.5, 5).astype(np.float32))
    return m.finish("Conv", [m.input(IMAGE), w, b], [1, 5, 6, 8], 4, pads=[1] * 4, bound="Relu")


@case
def conv_per_tensor(m):
    return m.finish("Conv", [m.input(IMAGE), m.weights([5, 4, 3, 3], 0, False)], [1, 5, 4, 6], 4)


@case
def conv_1d(m):
    return m.finish("Conv", [m.input([1, 4, 12]), m.weights([5, 4, 3], 0, True)], [1, 5, 10], 4)


@case
def depthwise(m):
    return m.finish("Conv", [m.input(IMAGE), m.weights([8, 1, 3, 3], 0, True)], [1, 8, 3, 4], 2, group=4, strides=[2, 2],
                    pads=[1] * 4)


@case
def conv_transpose(m):
    return m.finish("ConvTranspose", [m.input(IMAGE), m.weights([4, 3, 2, 2], 1, True)], [1, 3, 12, 16], 4, strides=[2, 2])


@case
def gemm(m):
    b = m.constant("b", m.rng.normal(0, 0.5, 7).astype(np.float32))
    return m.finish("Gemm", [m.input([3, 12]), m.weights([7, 12], 0, False), b], [3, 7], 4, transB=1)


@case
def matmul(m):
    return m.finish("MatMul", [m.input([3, 12]), m.weights([12, 7], 1, False)], [3, 7], 4)


@case
def matmul_computed(m):
    return m.finish("MatMul", [m.input([2, 3, 5]), m.input([2, 5, 4])], [2, 3, 4], 5)


@case
def add(m):
    return m.finish("Add", [m.input(IMAGE), m.input([1, 4, 1, 1])], IMAGE, 3, bound="Relu")


@case
def sub(m):
    return m.finish("Sub", [m.input(IMAGE), m.input(IMAGE)], IMAGE, 3)


@case
def mul(m):
    return m.finish("Mul", [m.input(IMAGE), m.input([1, 4, 1, 1])], IMAGE, 3)


@case
def mul_by_a_number(m):
    return m.finish("Mul", [m.input(IMAGE), m.constant("k", np.float32(0.37))], IMAGE, 1)


@case
def maximum(m):
    return m.finish("Max", [m.input(IMAGE), m.input(IMAGE)], IMAGE)


@case
def concat(m):
    return m.finish("Concat", [m.input(IMAGE), m.input([1, 2, 6, 8])], [1, 6, 6, 8], axis=1)


@case
def average_pool(m):
    return m.finish("AveragePool", [m.input(IMAGE)], [1, 4, 3, 4], 1, kernel_shape=[2, 2], strides=[2, 2])


@case
def max_pool(m):
    return m.finish("MaxPool", [m.input(IMAGE)], [1, 4, 3, 4], kernel_shape=[2, 2], strides=[2, 2])


@case
def global_average_pool(m):
    return m.finish("GlobalAveragePool", [m.input(IMAGE)], [1, 4, 1, 1], 0.5)


@case
def reduce_mean(m):
    x = m.input(IMAGE)
    if m.dtype == np.int16:  # opset 21
        return m.finish("ReduceMean", [x, m.constant("axes", np.int64([3]))], [1, 4, 6, 1], 0.8)
    return m.finish("ReduceMean", [x], [1, 4, 6, 1], 0.8, axes=[3])


@case
def sigmoid(m):
    return m.finish("Sigmoid", [m.input(IMAGE)], IMAGE, scale=1 / 255, zero={np.uint8: 0, np.int8: -128}.get(m.dtype, 0))


@case
def tanh(m):
    return m.finish("Tanh", [m.input(IMAGE)], IMAGE, 1)


@case
def softmax(m):
    zero = {np.uint8: 0, np.int8: -128}.get(m.dtype, 0)
    return m.finish("Softmax", [m.input([2, 9])], [2, 9], scale=1 / 200, zero=zero, axis=1)


@case
def relu(m):
    return m.finish("Relu", [m.input(IMAGE)], IMAGE)


@case
def leaky_relu(m):
    return m.finish("LeakyRelu", [m.input(IMAGE)], IMAGE, alpha=0.1)


@case
def clip(m):
    return m.finish("Clip", [m.input(IMAGE), m.constant("lo", np.float32(0)), m.constant("hi", np.float32(1))], IMAGE)


@case
def hard_swish(m):
    return m.finish("HardSwish", [m.input(IMAGE)], IMAGE)


@case
def resize(m):
    sizes = m.constant("sizes", np.int64([1, 4, 12, 16]))
    return m.finish("Resize", [m.input(IMAGE), "", "", sizes], [1, 4, 12, 16], mode="linear")


@case
def resize_nearest(m):
    sizes = m.constant("sizes", np.int64([1, 4, 12, 16]))
    return m.finish("Resize", [m.input(IMAGE), "", "", sizes], [1, 4, 12, 16], mode="nearest",
                    coordinate_transformation_mode="asymmetric", nearest_mode="floor")


@case
def reshape(m):
    return m.finish("Reshape", [m.input(IMAGE), m.constant("to", np.int64([1, -1]))], [1, 192])


@case
def transpose(m):
    return m.finish("Transpose", [m.input(IMAGE)], [1, 6, 8, 4], perm=[0, 2, 3, 1])


@case
def pad(m):
    return m.finish("Pad", [m.input(IMAGE), m.constant("pads", np.int64([0, 0, 1, 2, 0, 0, 1, 0]))], [1, 4, 8, 10])


@case
def slice_(m):
    inputs = [m.input(IMAGE), *(m.constant(n, np.int64(v)) for n, v in (("from", [1]), ("to", [3]), ("axes", [1])))]
    return m.finish("Slice", inputs, [1, 2, 6, 8])


@case
def depth_to_space(m):
    return m.finish("DepthToSpace", [m.input(IMAGE)], [1, 1, 12, 16], blocksize=2)


@case
def sine(m):
    return m.finish("Sin", [m.input(IMAGE)], IMAGE, 1)


@case
def grouped_conv(m):
    return m.finish("Conv", [m.input(IMAGE), m.weights([6, 2, 1, 1], 0, True)], [1, 6, 6, 8], 2, group=2)


def float_network(rng, classes=6):
    """Depthwise and plain convolutions, an addition, pools, a concatenation, swish, a dense layer; its logits."""
    nodes, constants = [], []

    def constant(name, array):
        constants.append(numpy_helper.from_array(np.asarray(array, np.float32), name))
        return name

    def conv(x, y, cin, cout, k, stride=1, group=1, act=None):
        w = constant(y + "_w", rng.normal(0, np.sqrt(2 / (cin // group * k * k)), (cout, cin // group, k, k)))
        b = constant(y + "_b", rng.normal(0, 0.1, cout))
        nodes.append(N("Conv", [x, w, b], [y + "_c" if act else y], kernel_shape=[k, k], strides=[stride] * 2,
                       pads=[k // 2] * 4, group=group))
        if act == "Relu":
            nodes.append(N("Relu", [y + "_c"], [y]))
        elif act == "Clip":
            nodes.append(N("Clip", [y + "_c", constant(y + "_lo", 0), constant(y + "_hi", 6)], [y]))
        return y

    a = conv("x", "a", 3, 16, 3, 2, 1, "Relu")
    conv(conv(a, "d", 16, 16, 3, 1, 16, "Clip"), "e", 16, 16, 1)
    nodes.append(N("Add", [a, "e"], ["s"]))
    nodes.append(N("MaxPool", ["s"], ["p"], kernel_shape=[2, 2], strides=[2, 2]))
    f = conv("p", "f", 16, 24, 3)
    nodes += [N("Sigmoid", [f], ["fs"]), N("Mul", [f, "fs"], ["sw"])]
    nodes.append(N("AveragePool", ["p"], ["ap"], kernel_shape=[3, 3], strides=[1, 1], pads=[1] * 4))
    nodes.append(N("Concat", ["sw", "ap"], ["cat"], axis=1))
    nodes += [N("GlobalAveragePool", ["cat"], ["g"]), N("Flatten", ["g"], ["fl"])]
    nodes.append(N("Gemm", ["fl", constant("gw", rng.normal(0, 0.4, (classes, 40))), constant("gb", rng.normal(0, 0.1, classes))],
                   ["y"], transB=1))
    graph = helper.make_graph(nodes, "net", [helper.make_tensor_value_info("x", 1, [1, 3, 24, 24])],
                              [helper.make_tensor_value_info("y", 1, [1, classes])], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def pictures(rng, n):
    return [(rng.normal(0, rng.uniform(0.3, 2), (1, 3, 24, 24)) + rng.uniform(-1, 1, (1, 3, 1, 1))).astype(np.float32)
            for _ in range(n)]
