# SPDX-License-Identifier: Apache-2.0
"""The peers, each as its documentation starts: `python peers.py TOOL MODEL CALIBRATION.npz RESULT` is one quantization, a
process of its own, so that its time and peak memory are its own."""
import sys

import numpy


def rows(path):
    """Samples out of the npz, one at a time, as {input: [1, ...]}."""
    arrays = dict(numpy.load(path))
    count = min(len(a) for a in arrays.values())
    for i in range(count):
        yield {name: a[i:i + 1] for name, a in arrays.items()}


def ort(model, calibration, result, method="MinMax"):
    from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static

    class Reader(CalibrationDataReader):
        def __init__(self):
            self.rows = rows(calibration)

        def get_next(self):
            return next(self.rows, None)

    quantize_static(model, result, Reader(), quant_format=QuantFormat.QDQ, per_channel=True,
                    activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
                    calibrate_method=getattr(CalibrationMethod, method))


def nncf(model, calibration, result, full=False):
    import nncf
    import openvino
    samples = list(rows(calibration))
    if model.endswith(".onnx") and result.endswith(".onnx"):
        import onnx
        quantized = nncf.quantize(onnx.load(model), nncf.Dataset(samples), subset_size=len(samples), fast_bias_correction=not full)
        onnx.save(quantized, result)
        return
    core = openvino.Core()
    read = core.read_model(model)
    values = [[row[i.get_any_name()] if i.get_any_name() in row else next(iter(row.values())) for i in read.inputs] for row in samples]
    quantized = nncf.quantize(read, nncf.Dataset(values), subset_size=len(samples), fast_bias_correction=not full)
    openvino.save_model(quantized, result, compress_to_fp16=False)


def aeq(model, calibration, result):
    from ai_edge_quantizer import quantizer, recipe
    q = quantizer.Quantizer(model, recipe.static_wi8_ai8())
    from ai_edge_litert.interpreter import Interpreter
    signatures = Interpreter(model).get_signature_list()
    key = next(iter(signatures))
    names = signatures[key]["inputs"]
    data = {key: [dict(zip(names, row.values())) for row in rows(calibration)]}
    q.quantize(q.calibrate(data)).export_model(result, overwrite=True)


TOOLS = {
    "ort": ort,
    "ort-entropy": lambda *a: ort(*a, method="Entropy"),
    "nncf": nncf,
    "nncf-full": lambda *a: nncf(*a, full=True),
    "aeq": aeq,
}

if __name__ == "__main__":
    TOOLS[sys.argv[1]](*sys.argv[2:5])
