# SPDX-License-Identifier: Apache-2.0
"""Models, data and bounds for the checks of `oree tune`; made once and kept in --out."""
import pathlib
import subprocess
import sys

import numpy

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "bench/peers"))
import data  # noqa: E402


def npz(path, make):
    if not path.exists():
        numpy.savez(path, **make())
    return path


def ssd(out, deps):
    """The demo's SSD MobileNetV2; crops of the pedestrian video; agreement of its boxes with float's."""
    video = deps / "models/vtest.avi"
    calibration = npz(out / "ssd-calibration.npz", lambda: {"inputs": data.crops(video, 200, 300, 0, 3, 3)})
    evaluation = npz(out / "ssd-evaluation.npz", lambda: {"inputs": data.crops(video, 190, 300, 601, 1, 4)})
    recipe = ROOT / "examples/camera/recipe.json"
    return deps / "models/detector.tflite", ["--calibration", calibration, "--evaluation", evaluation, "--recipe", recipe,
                                             "--score", "0.5", "--min-agreement", "0.97"]


def yolo(out, deps):
    """A network of YOLOv8n's shape without training: its raw outputs are compared."""
    model = out / "yolo.onnx"
    if not model.exists():
        subprocess.run([sys.executable, ROOT / "tools/make_yolov8_shaped.py", model], check=True)
    video = deps / "models/vtest.avi"
    calibration = npz(out / "yolo-calibration.npz",
                      lambda: {"images": data.for_yolo(data.crops(video, 100, 320, 0, 5, 1))})
    evaluation = npz(out / "yolo-evaluation.npz",
                     lambda: {"images": data.for_yolo(data.crops(video, 40, 320, 550, 5, 2))})
    return model, ["--calibration", calibration, "--evaluation", evaluation, "--metric", "sqnr", "--min-agreement", "12"]


def nmp(out, deps):
    """basic-pitch, as it is published in ONNX: no int8, whose data are not here; noise."""
    return deps / "models/nmp.onnx", []


def trained(name, classes_lost="1%"):
    def make(out, _):
        import onnx
        import nets
        import small
        import small_data
        network, samples, epochs = small.SET[name]
        x, y, test_x, test_y = small_data.cached(out, samples.__name__, samples)
        model = out / f"{name}.onnx"
        if not model.exists():
            onnx.save(nets.train(network(), x, y, epochs), model)
        calibration = npz(out / f"{name}-calibration.npz", lambda: {"inputs": x[:200]})
        evaluation = npz(out / f"{name}-evaluation.npz", lambda: {"inputs": test_x, "labels": test_y})
        return model, ["--calibration", calibration, "--evaluation", evaluation, "--max-drop", classes_lost,
                       "--samples", "2000"]
    return make


MODELS = {"ssd": ssd, "yolo": yolo, "nmp": nmp, "mnist_cnn": trained("mnist_cnn"), "mobilenet_v2": trained("mobilenet_v2"),
          "transformer": trained("transformer")}
