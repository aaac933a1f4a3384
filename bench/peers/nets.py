# SPDX-License-Identifier: Apache-2.0
"""Small networks of the kinds that are hard to quantize, trained here: ONNX graphs, and a trainer that runs ONNX in JAX.

A network is written once, as ONNX with random weights; `train` finds the weights by Adam, batch normalizations with the
statistics of the batch, and leaves running ones in the file, as exporters do."""
import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper


class Net:
    """An ONNX graph as it grows; values are names."""

    def __init__(self, shape, seed=0):
        self.nodes, self.weights, self.random = [], {}, numpy.random.default_rng(seed)
        self.shapes = {"x": list(shape)}
        self.input = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)

    def op(self, op, *inputs, **attributes):
        name = f"{op.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [name], **attributes))
        return name

    def weight(self, value):
        name = f"w_{len(self.weights)}"
        self.weights[name] = numpy.asarray(value)
        return name

    def normal(self, *shape, fan):
        return self.weight(self.random.normal(0, numpy.sqrt(2 / fan), shape).astype("f"))

    def zeros(self, n):
        return self.weight(numpy.zeros(n, "f"))

    def ones(self, n):
        return self.weight(numpy.ones(n, "f"))

    def conv(self, x, cin, cout, kernel, stride=1, groups=1, act="Relu", norm=True):
        fan = cin // groups * int(numpy.prod(kernel))
        pads = [k // 2 for k in kernel] * 2
        inputs = [x, self.normal(cout, cin // groups, *kernel, fan=fan)] + ([] if norm else [self.zeros(cout)])
        y = self.op("Conv", *inputs, strides=[stride] * len(kernel), pads=pads, group=groups)
        if norm:
            y = self.op("BatchNormalization", y, self.ones(cout), self.zeros(cout), self.zeros(cout), self.ones(cout), epsilon=1e-3)
        return self.act(y, act)

    def act(self, y, act):
        if act == "Relu6":
            return self.op("Clip", y, self.weight(numpy.float32(0)), self.weight(numpy.float32(6)))
        if act == "Gelu":  # as PyTorch's exporter writes it out
            gate = self.op("Erf", self.op("Div", y, self.weight(numpy.float32(2 ** 0.5))))
            gate = self.op("Mul", y, self.op("Add", gate, self.weight(numpy.float32(1))))
            return self.op("Mul", gate, self.weight(numpy.float32(0.5)))
        return self.op(act, y) if act else y

    def dense(self, x, cin, cout, act=None):
        return self.act(self.op("Gemm", x, self.normal(cout, cin, fan=cin), self.zeros(cout), transB=1), act)

    def linear(self, x, cin, cout):
        """Of the last axis, as transformers have it."""
        return self.op("Add", self.op("MatMul", x, self.normal(cin, cout, fan=cin * 2)), self.zeros(cout))

    def reshape(self, x, *shape):
        return self.op("Reshape", x, self.weight(numpy.array(shape, "int64")))

    def flat(self, x):
        return self.op("Flatten", self.op("GlobalAveragePool", x))

    def model(self, result, shape):
        graph = helper.make_graph(self.nodes, "net", [self.input], [helper.make_tensor_value_info(result, TensorProto.FLOAT, shape)],
                                  [numpy_helper.from_array(w, n) for n, w in self.weights.items()])
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def mnist_cnn():
    n = Net([1, 1, 28, 28])
    x = n.conv("x", 1, 16, (3, 3))
    x = n.op("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    x = n.conv(x, 16, 32, (3, 3))
    x = n.op("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    x = n.dense(n.op("Flatten", x), 32 * 49, 64, "Relu")
    return n.model(n.dense(x, 64, 10), [1, 10])


def ds_cnn():
    n = Net([1, 1, 49, 10])
    x = n.conv("x", 1, 64, (9, 5), stride=2)
    for _ in range(4):
        x = n.conv(x, 64, 64, (3, 3), groups=64)
        x = n.conv(x, 64, 64, (1, 1))
    return n.model(n.op("Softmax", n.dense(n.flat(x), 64, len(WORDS))), [1, len(WORDS)])


def cnn_1d():
    n = Net([1, 1, 1024])
    x, before = "x", 1
    for channels, kernel in ((16, 15), (32, 9), (32, 5), (64, 5)):
        x = n.conv(x, before, channels, (kernel,), stride=2)
        x = n.op("MaxPool", x, kernel_shape=[2], strides=[2])
        before = channels
    return n.model(n.dense(n.flat(x), 64, 5), [1, 5])


def autoencoder():
    n = Net([1, 320])
    x, before = "x", 320
    for width in (128, 128, 8, 128, 128):
        x, before = n.dense(x, before, width, "Relu"), width
    return n.model(n.dense(x, 128, 320), [1, 320])


def inverted(n, x, cin, cout, expand, kernel, stride, act, squeeze=False):
    wide = cin * expand
    y = n.conv(x, cin, wide, (1, 1), act=act)
    y = n.conv(y, wide, wide, (kernel, kernel), stride, wide, act)
    if squeeze:
        gate = n.op("GlobalAveragePool", y)
        gate = n.conv(gate, wide, wide // 4, (1, 1), act="Relu", norm=False)
        gate = n.conv(gate, wide // 4, wide, (1, 1), act=None, norm=False)
        y = n.op("Mul", y, n.op("HardSigmoid", gate, alpha=1 / 6, beta=0.5))
    y = n.conv(y, wide, cout, (1, 1), act=None)
    return n.op("Add", x, y) if stride == 1 and cin == cout else y


def mobilenet_v2():
    n = Net([1, 1, 28, 28])
    x = n.conv("x", 1, 16, (3, 3), act="Relu6")
    for cin, cout, stride in ((16, 16, 1), (16, 24, 2), (24, 24, 1), (24, 32, 2), (32, 32, 1)):
        x = inverted(n, x, cin, cout, 4, 3, stride, "Relu6")
    x = n.conv(x, 32, 96, (1, 1), act="Relu6")
    return n.model(n.dense(n.flat(x), 96, 10), [1, 10])


def mobilenet_v3():
    n = Net([1, 1, 28, 28])
    x = n.conv("x", 1, 16, (3, 3), act="HardSwish")
    for cin, cout, stride, kernel, act, squeeze in ((16, 16, 1, 3, "Relu", True), (16, 24, 2, 3, "HardSwish", False),
                                                   (24, 24, 1, 5, "HardSwish", True), (24, 32, 2, 5, "HardSwish", True),
                                                   (32, 32, 1, 5, "HardSwish", True)):
        x = inverted(n, x, cin, cout, 4, kernel, stride, act, squeeze)
    x = n.conv(x, 32, 96, (1, 1), act="HardSwish")
    return n.model(n.dense(n.act(n.dense(n.flat(x), 96, 96), "HardSwish"), 96, 10), [1, 10])


def transformer(dim=64, heads=4, depth=3):
    n = Net([1, 1, 28, 28])
    x = n.op("Conv", "x", n.normal(dim, 1, 4, 4, fan=16), n.zeros(dim), strides=[4, 4])
    x = n.op("Transpose", n.reshape(x, 1, dim, 49), perm=[0, 2, 1])
    x = n.op("Add", x, n.weight(n.random.normal(0, 0.1, (1, 49, dim)).astype("f")))
    for _ in range(depth):
        y = n.op("LayerNormalization", x, n.ones(dim), n.zeros(dim), axis=-1)
        q, k, v = (n.op("Transpose", n.reshape(n.linear(y, dim, dim), 1, 49, heads, dim // heads), perm=perm)
                   for perm in ([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3]))
        scores = n.op("Mul", n.op("MatMul", q, k), n.weight(numpy.float32((dim // heads) ** -0.5)))
        y = n.op("MatMul", n.op("Softmax", scores, axis=-1), v)
        y = n.reshape(n.op("Transpose", y, perm=[0, 2, 1, 3]), 1, 49, dim)
        x = n.op("Add", x, n.linear(y, dim, dim))
        y = n.op("LayerNormalization", x, n.ones(dim), n.zeros(dim), axis=-1)
        x = n.op("Add", x, n.linear(n.act(n.linear(y, dim, 4 * dim), "Gelu"), 4 * dim, dim))
    x = n.op("LayerNormalization", x, n.ones(dim), n.zeros(dim), axis=-1)
    x = n.op("ReduceMean", x, axes=[1], keepdims=0)
    return n.model(n.dense(x, dim, 10), [1, 10])


WORDS = ["yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go"]


# --- ONNX in JAX, of the operators above; any number of samples at once.

def depthwise(jax, x, w, strides, pads):
    """A product a tap, in a loop: XLA's own is many times as slow on a CPU, and compiles for minutes without the loop."""
    x = jax.numpy.pad(x, ((0, 0), (0, 0), (pads[0], pads[2]), (pads[1], pads[3])))
    rows, columns = w.shape[2:]
    size = (*x.shape[:2], x.shape[2] - rows + 1, x.shape[3] - columns + 1)

    @jax.checkpoint
    def add_tap(y, tap):
        place, weight = tap
        return y + jax.lax.dynamic_slice(x, (0, 0, *place), size) * weight[None, :, None, None], None

    places = jax.numpy.array([(i, j) for i in range(rows) for j in range(columns)])
    taps = w.reshape(w.shape[0], rows * columns).T
    y, _ = jax.lax.scan(add_tap, jax.numpy.zeros(size, x.dtype), (places, taps))
    return y[:, :, ::strides[0], ::strides[1]]


def run_node(node, inputs, training, stats):
    import jax
    import jax.numpy as jnp
    a = {k.name: helper.get_attribute_value(k) for k in node.attribute}
    x = inputs[0]
    op = node.op_type
    if op == "Conv":
        rank = x.ndim - 2
        pads = a.get("pads", [0] * 2 * rank)
        if x.shape[1] == a.get("group", 1) == inputs[1].shape[0] and rank == 2:
            return depthwise(jax, x, inputs[1], a["strides"], pads)
        y = jax.lax.conv_general_dilated(x, inputs[1], a["strides"], list(zip(pads[:rank], pads[rank:])), feature_group_count=a.get("group", 1))
        return y if len(inputs) < 3 else y + inputs[2].reshape(1, -1, *[1] * rank)
    if op == "BatchNormalization":
        side = (1, -1) + (1,) * (x.ndim - 2)
        mean, variance = inputs[3], inputs[4]
        if training:
            axes = (0,) + tuple(range(2, x.ndim))
            mean, variance = x.mean(axes), x.var(axes)
            stats[node.input[3]], stats[node.input[4]] = mean, variance
        return (x - mean.reshape(side)) * (inputs[1] * jax.lax.rsqrt(variance + a["epsilon"])).reshape(side) + inputs[2].reshape(side)
    if op == "MaxPool":
        window = (1, 1, *a["kernel_shape"])
        return jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, window, window, "VALID")
    if op == "Reshape":
        shape = [int(d) for d in inputs[1]]
        return x.reshape((x.shape[0], *shape[1:]))
    if op == "LayerNormalization":
        y = (x - x.mean(-1, keepdims=True)) * jax.lax.rsqrt(x.var(-1, keepdims=True) + 1e-5)
        return y * inputs[1] + inputs[2]
    simple = {
        "Relu": lambda: jax.nn.relu(x), "Clip": lambda: jnp.clip(x, 0, 6), "HardSwish": lambda: jax.nn.hard_swish(x),
        "HardSigmoid": lambda: jnp.clip(x / 6 + 0.5, 0, 1), "Erf": lambda: jax.scipy.special.erf(x),
        "Gemm": lambda: x @ inputs[1].T + inputs[2], "MatMul": lambda: x @ inputs[1], "Add": lambda: x + inputs[1],
        "Mul": lambda: x * inputs[1], "Div": lambda: x / inputs[1], "Flatten": lambda: x.reshape(x.shape[0], -1),
        "GlobalAveragePool": lambda: x.mean(tuple(range(2, x.ndim)), keepdims=True),
        "Softmax": lambda: jax.nn.softmax(x, -1), "Transpose": lambda: x.transpose(a["perm"]),
        "ReduceMean": lambda: x.mean(tuple(a["axes"])),
    }
    return simple[op]()


def run(model, weights, x, training=False):
    values, stats = {**weights, "x": x}, {}
    for node in model.graph.node:
        values[node.output[0]] = run_node(node, [values[i] for i in node.input], training, stats)
    return values[model.graph.output[0].name], stats


def train(model, x, y, epochs, batch=64, rate=2e-3, seed=0):
    """Weights by Adam: cross-entropy where y holds classes, else squares. Returns the model with them."""
    import jax
    import jax.numpy as jnp
    weights = {w.name: numpy_helper.to_array(w) for w in model.graph.initializer}
    # What the nodes name as running statistics, shapes and scalars is not learned.
    running = {i for n in model.graph.node if n.op_type == "BatchNormalization" for i in n.input[3:5]}
    fixed = {k: w for k, w in weights.items() if w.dtype != numpy.float32 or w.ndim == 0 or k in running}
    learned = {k: jnp.asarray(w) for k, w in weights.items() if k not in fixed}
    softmax = model.graph.node[-1].op_type == "Softmax"

    def loss(learned, x, y):
        out, stats = run(model, {**fixed, **learned}, x, True)
        if y.ndim > 1:
            return jnp.mean((out - y) ** 2), stats
        logs = jnp.log(out + 1e-9) if softmax else jax.nn.log_softmax(out)
        return -jnp.mean(logs[jnp.arange(len(y)), y]), stats

    @jax.jit
    def step(learned, first, second, x, y, rate, t):
        (_, stats), gradient = jax.value_and_grad(loss, has_aux=True)(learned, x, y)
        first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, first, gradient)
        second = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, second, gradient)
        learned = jax.tree.map(lambda w, m, v: w - rate * (m / (1 - 0.9 ** t)) / (jnp.sqrt(v / (1 - 0.999 ** t)) + 1e-8), learned, first, second)
        return learned, first, second, stats

    first = jax.tree.map(jnp.zeros_like, learned)
    second = first
    order = numpy.random.default_rng(seed)
    steps, t, mean = epochs * (len(x) // batch), 0, {}
    for _ in range(epochs):
        shuffled = order.permutation(len(x))
        for i in range(len(x) // batch):
            t += 1
            rows = shuffled[i * batch:(i + 1) * batch]
            now = rate * 0.5 * (1 + numpy.cos(numpy.pi * t / steps))
            learned, first, second, stats = step(learned, first, second, x[rows], y[rows], now, t)
            mean = {k: 0.95 * mean.get(k, v) + 0.05 * v for k, v in stats.items()}
    result = onnx.ModelProto()
    result.CopyFrom(model)
    for w in result.graph.initializer:
        value = mean.get(w.name, learned.get(w.name))
        if value is not None:
            w.CopyFrom(numpy_helper.from_array(numpy.asarray(value, "f"), w.name))
    return result
