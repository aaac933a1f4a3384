# SPDX-License-Identifier: Apache-2.0
"""Writes small TFLite models, tensor by tensor and operator by operator, with the schema of LiteRT's own package."""
import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

TYPES = {
    np.dtype(np.float32): schema.TensorType.FLOAT32,
    np.dtype(np.float16): schema.TensorType.FLOAT16,
    np.dtype(np.int8): schema.TensorType.INT8,
    np.dtype(np.uint8): schema.TensorType.UINT8,
    np.dtype(np.int16): schema.TensorType.INT16,
    np.dtype(np.int32): schema.TensorType.INT32,
    np.dtype(np.int64): schema.TensorType.INT64,
    np.dtype(np.bool_): schema.TensorType.BOOL,
}


class Net:
    def __init__(self):
        self.model = schema.ModelT()
        self.model.version = 3
        self.model.operatorCodes, self.model.buffers = [], [schema.BufferT()]
        self.graph = schema.SubGraphT()
        self.graph.tensors, self.graph.operators = [], []
        self.model.subgraphs = [self.graph]

    def tensor(self, shape, dtype, scale=None, zero=0, axis=0, data=None, variable=False):
        """Its number. `scale`: one, or a list, one a slice along `axis`; None: not quantized."""
        t = schema.TensorT()
        t.name = f"t{len(self.graph.tensors)}"
        t.shape, t.type, t.isVariable, t.hasRank = list(shape), TYPES[np.dtype(dtype)], variable, True
        if scale is not None:
            q = schema.QuantizationParametersT()
            q.scale = np.atleast_1d(np.asarray(scale, np.float32))
            q.zeroPoint = np.full(q.scale.shape, zero, np.int64)
            q.quantizedDimension = axis
            t.quantization = q
        if data is not None:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(np.ascontiguousarray(data, dtype).tobytes(), np.uint8)
            self.model.buffers.append(buffer)
            t.buffer = len(self.model.buffers) - 1
        self.graph.tensors.append(t)
        return len(self.graph.tensors) - 1

    def constant(self, data, dtype=np.int32, **how):
        data = np.asarray(data, dtype)
        return self.tensor(data.shape, dtype, data=data, **how)

    def op(self, name, inputs, outputs, options=None, version=1, intermediates=(), **fields):
        """`options`: the table's name, "Conv2DOptions"; `fields`: what it holds."""
        code = schema.OperatorCodeT()
        code.builtinCode = getattr(schema.BuiltinOperator, name)
        code.deprecatedBuiltinCode, code.version = min(code.builtinCode, 127), version
        self.model.operatorCodes.append(code)
        o = schema.OperatorT()
        o.opcodeIndex = len(self.model.operatorCodes) - 1
        o.inputs, o.outputs = list(inputs), list(outputs)
        if intermediates:
            o.intermediates = list(intermediates)
        if options:
            o.builtinOptionsType = getattr(schema.BuiltinOptions, options)
            o.builtinOptions = getattr(schema, options + "T")()
            for field, value in fields.items():
                assert hasattr(o.builtinOptions, field), field
                setattr(o.builtinOptions, field, value)
        self.graph.operators.append(o)

    def bytes(self, inputs, outputs):
        self.graph.inputs, self.graph.outputs = list(inputs), list(outputs)
        builder = flatbuffers.Builder(1024)
        builder.Finish(self.model.Pack(builder), b"TFL3")
        return bytes(builder.Output())
