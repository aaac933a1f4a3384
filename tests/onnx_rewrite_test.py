#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every conformance model of ONNX: read into a graph, written again, checked by onnx and run by ONNX Runtime.

Wherever ONNX Runtime gives the expected outputs for the original, it must for what we wrote; what we refuse is counted
by reason. Skipped (77) where onnx, onnxruntime or the models (Debian's libonnx-testdata) are not there.
"""
import argparse
import collections
import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

try:
    import numpy as np
    import onnx
    import onnxruntime as ort
    from onnx import numpy_helper
except ImportError as e:
    print(f"skipped: {e}")
    sys.exit(77)

# Refused whole: what no graph holds.
NOT_HELD = re.compile(r"is no tensor|of type (string|complex|float8)")


def load_pb(path, value_type):
    """A stored input or output, or None when it is no tensor."""
    data = path.read_bytes()
    if value_type.WhichOneof("value") != "tensor_type":
        return None
    tensor = onnx.TensorProto()
    tensor.ParseFromString(data)
    return numpy_helper.to_array(tensor)


def same(got, want):
    if got is None or want is None or isinstance(got, list):
        return False
    got, want = np.asarray(got), np.asarray(want)
    if got.shape != want.shape or got.dtype != want.dtype:
        return False
    if got.dtype.kind in "biuSUO":
        return bool(np.array_equal(got, want))
    return bool(np.allclose(got.astype(np.float64), want.astype(np.float64), rtol=1e-3, atol=1e-5, equal_nan=True))


def session(model_bytes):
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    return ort.InferenceSession(model_bytes, options, providers=["CPUExecutionProvider"])


def run_sets(case, model_bytes, model):
    """None when all sets of the case pass, else why not."""
    try:
        runner = session(model_bytes)
        names = [i.name for i in runner.get_inputs()]
        constants = {t.name for t in model.graph.initializer}
        inputs = [i for i in model.graph.input if i.name not in constants or len(names) == len(model.graph.input)]
        for data in sorted(case.glob("test_data_set_*")):
            feed = {i.name: load_pb(data / f"input_{k}.pb", i.type) for k, i in enumerate(inputs)
                    if (data / f"input_{k}.pb").exists()}
            outputs = runner.run(None, {n: v for n, v in feed.items() if n in names})
            for k, (got, o) in enumerate(zip(outputs, model.graph.output)):
                if not same(got, load_pb(data / f"output_{k}.pb", o.type)):
                    return f"output {k} differs"
    except Exception as e:  # noqa: BLE001: whatever the engine says is the answer
        return str(e).splitlines()[0][:200]
    return None


def check_case(tool, case, opset, folder):
    """(verdict, text) of one case at one opset."""
    path = case / "model.onnx"
    model = onnx.load(path)
    out = Path(folder) / f"{case.parent.name}_{case.name}_{opset}.onnx"
    done = subprocess.run([tool, "rewrite", path, out] + ([str(opset)] if opset else []), capture_output=True, text=True)
    if done.returncode != 0:
        if done.returncode == 3 or "unsupported:" in done.stderr:
            return "refused", done.stderr.strip()
        return "failed", f"exit {done.returncode}: {done.stderr.strip()}"
    before = run_sets(case, path.read_bytes(), model)
    written = out.read_bytes()
    out.unlink()
    try:
        onnx.checker.check_model(onnx.load_from_string(written), full_check=True)
    except Exception as e:  # noqa: BLE001
        try:
            onnx.checker.check_model(model, full_check=True)
        except Exception:  # noqa: BLE001: the original is no better
            pass
        else:
            return "failed", "checker: " + " ".join(str(e).split())[:300]
    after = run_sets(case, written, model)
    if after is None:
        return "passed", "" if before is None else f"only after: {before}"
    if opset and "Could not find an implementation" in after:
        return "no kernel", after  # the engine's own gap: it has the operator at other opsets only
    return ("failed", after) if before is None else ("as before", before)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tool", type=Path, required=True)
    parser.add_argument("--data", type=Path,
                        default=Path(os.environ.get("OREE_ONNX_TESTDATA", "/usr/share/libonnx-testdata/data")))
    parser.add_argument("--opsets", type=int, nargs="*", default=[0], help="0: that of the file")
    parser.add_argument("--only", default="")
    parser.add_argument("-v", action="store_true")
    args = parser.parse_args()
    cases = sorted(p.parent for p in args.data.rglob("model.onnx") if args.only in str(p))
    if not cases:
        print(f"skipped: no models in {args.data}")
        sys.exit(77)
    failures = 0
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(2) as pool:
        for opset in args.opsets:
            verdicts, refusals = collections.Counter(), collections.Counter()
            for case, (verdict, text) in zip(cases, pool.map(lambda c: check_case(args.tool, c, opset, folder), cases)):
                held = verdict != "refused" or not NOT_HELD.search(text)
                verdicts[verdict if held else "not held"] += 1
                if verdict == "refused" and held:
                    refusals[re.sub(r"'[^']*'", "'…'", text)] += 1
                if verdict == "failed" or (args.v and text):
                    print(f"{case.parent.name}/{case.name}: {verdict}: {text}")
            print(f"opset {opset or 'as it was'}: {dict(verdicts)} of {len(cases)}")
            if args.v:
                for text, count in refusals.most_common():
                    print(f"  {count:4} {text}")
            failures += verdicts["failed"]
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
