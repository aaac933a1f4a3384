#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Type inference and the reference against the operator cases that the onnx package makes: newer operators than Debian's
test data has.

    tests/onnx_cases_test.py build/bin/test_model_onnx [--conformance build/bin/onnx_conformance] [--keep FOLDER]

Writes each case as test data is laid out (model.onnx, test_data_set_0/input_0.pb …), runs the doctest over them, and each
case in the reference.
Without the package everything is skipped: exit status 77, which ctest shows as "skipped".
"""
import argparse
import os
import pathlib
import subprocess
import sys
import tempfile
import warnings

try:
    import numpy
    import onnx
    from onnx import numpy_helper
    from onnx.backend.test.case.node import collect_testcases
except ImportError as e:
    print(f"skipped: {e}")
    sys.exit(77)

CASES_MIN = 1000  # fewer: the package has changed, and this test would say nothing
PASSED_MIN = 1605  # of the 1,884 cases of onnx 1.23; an older package has fewer
PASSED_OPSET = 28


def write_tensors(folder, kind, values):
    for i, value in enumerate(values):
        try:
            tensor = value if isinstance(value, onnx.TensorProto) else numpy_helper.from_array(numpy.asarray(value))
        except (RuntimeError, TypeError, ValueError, KeyError):
            continue  # a sequence, or a type that numpy lacks: the test skips a case that lacks a tensor it wants
        (folder / f"{kind}_{i}.pb").write_bytes(tensor.SerializeToString())


def write_cases(root):
    count = 0
    for case in collect_testcases(None):
        if case.model is None or not case.data_sets:
            continue
        folder = root / case.name
        data = folder / "test_data_set_0"
        data.mkdir(parents=True)
        (folder / "model.onnx").write_bytes(case.model.SerializeToString())
        inputs, outputs = case.data_sets[0][:2]
        write_tensors(data, "input", inputs)
        write_tensors(data, "output", outputs)
        count += 1
    return count


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("test")
    parser.add_argument("--conformance")
    parser.add_argument("--keep", help="an empty folder for the cases, which stay there")
    args = parser.parse_args()
    warnings.filterwarnings("ignore")
    with tempfile.TemporaryDirectory() as temporary:
        root = pathlib.Path(args.keep or temporary)
        count = write_cases(root)
        print(f"{count} cases")
        if count < CASES_MIN:
            sys.exit(1)
        environment = dict(os.environ, OREE_ONNX_TESTDATA=str(root))
        done = subprocess.run([args.test, "-tc=inferred types*"], env=environment, check=False)
        if done.returncode == 0 and args.conformance:
            passed_min = PASSED_MIN if onnx.defs.onnx_opset_version() >= PASSED_OPSET else 0
            done = subprocess.run([args.conformance, "--passed-min", str(passed_min)], env=environment, check=False)
        sys.exit(done.returncode)


if __name__ == "__main__":
    main()
