# SPDX-License-Identifier: Apache-2.0
"""Models in the engines' own Python packages: `Runner(engine, path)(arrays) -> arrays`, by position."""
import numpy


def fit(array, shape):
    return numpy.ascontiguousarray(array.reshape([a if b in (-1, None) or isinstance(b, str) else b for a, b in zip(array.shape, shape)]))


class OnnxRuntime:
    def __init__(self, path, threads):
        import onnxruntime
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        self.session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self.names = [i.name for i in self.session.get_inputs()]
        self.outputs = [o.name for o in self.session.get_outputs()]

    def __call__(self, arrays):
        return dict(zip(self.outputs, self.session.run(None, dict(zip(self.names, arrays)))))


class Openvino:
    def __init__(self, path, threads, precision="f32"):
        import openvino
        core = openvino.Core()
        settings = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": precision, "NUM_STREAMS": 1}
        self.model = core.compile_model(str(path), "CPU", settings)
        self.request = self.model.create_infer_request()

    def __call__(self, arrays):
        self.request.infer(arrays)
        return {o.get_any_name() if o.get_names() else str(i): self.request.get_output_tensor(i).data.copy()
                for i, o in enumerate(self.model.outputs)}


class Litert:
    def __init__(self, path, threads):
        from ai_edge_litert.interpreter import Interpreter
        self.interpreter = Interpreter(str(path), num_threads=threads)
        self.interpreter.allocate_tensors()
        self.inputs = self.interpreter.get_input_details()
        self.outputs = self.interpreter.get_output_details()

    def __call__(self, arrays):
        for info, array in zip(self.inputs, arrays):
            if info["dtype"] != numpy.float32 and array.dtype == numpy.float32:
                scale, zero = info["quantization"]
                limits = numpy.iinfo(info["dtype"])
                array = numpy.clip(numpy.round(array / scale) + zero, limits.min, limits.max).astype(info["dtype"])
            self.interpreter.set_tensor(info["index"], array)
        self.interpreter.invoke()
        found = {}
        for info in self.outputs:
            value = self.interpreter.get_tensor(info["index"])
            if info["dtype"] in (numpy.int8, numpy.uint8, numpy.int16):
                scale, zero = info["quantization"]
                value = (value.astype("f") - zero) * numpy.float32(scale)
            found[info["name"]] = value
        return found


def open_model(engine, path, threads=2):
    return {"onnxruntime": OnnxRuntime, "openvino": Openvino, "tflite": Litert}[engine](path, threads)
