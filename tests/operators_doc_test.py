#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""docs/operators.md against the tables of operators in the code; --write makes it anew.

    tests/operators_doc_test.py build/bin/list_operators [--write]

What each side of the conversion to and from TFLite makes is not in a table: it is found by the names in the source of the
handlers. Why an operator is missing stands below, and must go when it is there.
"""
import argparse
import pathlib
import re
import subprocess
import sys

SOURCE = pathlib.Path(__file__).resolve().parent.parent
DOC = SOURCE / "docs" / "operators.md"
TFLITE = SOURCE / "src" / "model" / "tflite"

NOT_IN_GRAPH = {
    "sequences": "ConcatFromSequence SequenceAt SequenceConstruct SequenceEmpty SequenceErase SequenceInsert SequenceLength "
                 "SequenceMap SplitToSequence",
    "optional values": "Optional OptionalGetElement OptionalHasElement",
    "strings": "RegexFullMatch StringConcat StringNormalizer StringSplit",
    "words to counts": "TfIdfVectorizer",
    "picture files": "ImageDecoder",
    "opset 27, not yet": "CausalConvWithState LinearAttention",
}
NOT_COMPUTED = {"random": "Bernoulli Multinomial RandomNormal RandomNormalLike RandomUniform RandomUniformLike"}
NOT_LOWERED = {
    "no counterpart": "BlackmanWindow CenterCropPad Col2Im DFT DeformConv Det HammingWindow HannWindow MaxRoiPool "
                      "MaxUnpool MelWeightMatrix RoiAlign STFT TensorScatter Unique",
    "not yet": "BitCast BitwiseAnd BitwiseOr CumProd Scan SwiGLU",
    "training": "NegativeLogLikelihoodLoss SoftmaxCrossEntropyLoss",
    "quantized without scales of its values": "ConvInteger DynamicQuantizeLinear MatMulInteger QLinearConv QLinearMatMul",
}
# Read into something else than nodes.
SPECIAL = {
    "states": "ASSIGN_VARIABLE CALL_ONCE READ_VARIABLE VAR_HANDLE",
    "dense constants": "DENSIFY",
    "custom operators, kept": "CUSTOM",
}
NOT_RAISED = {
    "hash tables": "HASHTABLE HASHTABLE_FIND HASHTABLE_IMPORT HASHTABLE_LOOKUP HASHTABLE_SIZE LSH_PROJECTION",
    "strings": "SKIP_GRAM",
    "complex numbers": "COMPLEX_ABS IMAG REAL RFFT2D",
    "random": "MULTINOMIAL RANDOM_STANDARD_NORMAL RANDOM_UNIFORM",
    "never in a file": "DELEGATE PLACEHOLDER_FOR_GREATER_OP_CODES",
    "StableHLO": "DILATE REDUCE_WINDOW",
}

HEAD = """# Operators

What the tables in the code say, made by `tests/operators_doc_test.py build/bin/list_operators --write`; a test compares.
What is listed as there may still be refused, by name, for a type or an attribute.

An operator that the graph does not know, or of another domain than ONNX's own, is kept as it is: what is read from an ONNX
file can be written to one again, but not run, inferred or converted.

## ONNX, opset 28

- **graph**: types and shapes are inferred, costs counted.
- **reference**: computed by the reference interpreter; **q**: on TFLite's quantized values, too.
- **to TFLite**, **from TFLite**: written there, directly or as several of TFLite's; made of what is read there.
- **to ncnn**: written there, in float and for one item of a batch ([what else it asks](adr/0010-ncnn.md)).

The last column says why an operator is not in the graph, the reference or TFLite.

| operator | graph | reference | to TFLite | from TFLite | to ncnn | why not |
|---|---|---|---|---|---|---|
"""

MIDDLE = """
## TFLite builtins

- **to ONNX**: raised to ONNX's operators where its options allow, so that passes and the reference see them.
- **from ONNX**: made when a graph is written as TFLite.
- **kept**: from TFLite to TFLite it stays what it is, with its options.

StableHLO's operators are refused.

| builtin | to ONNX | from ONNX | kept | why not |
|---|---|---|---|---|
"""


def by_name(reasons):
    return {name: reason for reason, names in reasons.items() for name in names.split()}


def quoted(pattern, files):
    """All names in quotation marks in those sources."""
    text = "".join((path.read_text() for glob in files for path in sorted(TFLITE.glob(glob))))
    return set(re.findall(f'"({pattern})"', text))


def yes(flag):
    return "yes" if flag else ""


def read_tables(tool):
    onnx, tflite = {}, {}
    for line in subprocess.run([tool], capture_output=True, text=True, check=True).stdout.splitlines():
        kind, name, *words = line.split()
        (onnx if kind == "onnx" else tflite)[name] = set(words)
    return onnx, tflite


def onnx_rows(onnx, stale):
    raised = quoted("[A-Z][A-Za-z0-9]+", ["raise*.cc", "join_dilated.cc"])
    reasons = [by_name(NOT_IN_GRAPH), by_name(NOT_COMPUTED), by_name(NOT_LOWERED)]
    for name, words in onnx.items():
        if name == "Constant":
            yield f"| {name} | yes | yes | yes | yes | yes | becomes a constant value |"
            continue
        there = ["graph" in words, "reference" in words, "lowered" in words]
        why = ""
        for flag, known in zip(there, reasons):
            if flag and name in known:
                stale.append(name)
            if not flag and not why:
                why = known.get(name, "not yet")
        reference = ("yes, q" if "quantized" in words else "yes") if there[1] else ""
        yield f"| {name} | {yes(there[0])} | {reference} | {yes(there[2])} | {yes(name in raised)} | {yes('ncnn' in words)} | {why} |"


def tflite_rows(tflite, stale):
    made = quoted("[A-Z][A-Z0-9_]+", ["compose_*.cc", "lay_out_*.cc", "lower*.cc"])
    special, reasons = by_name(SPECIAL), by_name(NOT_RAISED)
    for name, words in sorted(tflite.items()):
        if name.startswith("STABLEHLO"):
            continue
        raised = "raised" in words
        if raised and (name in special or name in reasons):
            stale.append(name)
        up = "yes" if raised else f"as {special[name]}" if name in special and name != "CUSTOM" else ""
        why = "" if up else special.get(name, reasons.get(name, "not yet"))
        yield f"| {name} | {up} | {yes(name in made)} | {yes('options' in words or name == 'CUSTOM')} | {why} |"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("tool")
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    onnx, tflite = read_tables(args.tool)
    stale = []
    text = HEAD + "\n".join(onnx_rows(onnx, stale)) + "\n" + MIDDLE + "\n".join(tflite_rows(tflite, stale)) + "\n"
    if stale:
        sys.exit(f"tests/operators_doc_test.py says why these are missing, but they are there: {' '.join(sorted(set(stale)))}")
    if args.write:
        DOC.write_text(text)
        return
    if not DOC.is_file() or DOC.read_text() != text:
        sys.exit("docs/operators.md is not what the code says: tests/operators_doc_test.py build/bin/list_operators --write")
    print(f"{len(onnx)} operators, {len(tflite)} builtins")


if __name__ == "__main__":
    main()
