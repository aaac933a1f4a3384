#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds the graph's text and the table of operators to the onnx package: its parser reads what print() writes, as the
same model, and its schemas have the inputs, outputs and attributes that our table has.

    tests/graph_text_test.py build/bin/graph_text

Without the package everything is skipped: exit status 77, which ctest shows as "skipped".
"""
import subprocess
import sys
import unittest

try:
    import onnx
    import onnx.defs
    import onnx.numpy_helper
    import onnx.parser
except ImportError as e:
    print(f"skipped: {e}")
    sys.exit(77)

TOOL = ""

# Not in the table on purpose.
STRINGS = {"RegexFullMatch", "StringConcat", "StringNormalizer", "StringSplit", "TfIdfVectorizer", "ImageDecoder"}
SEQUENCES = {"ConcatFromSequence", "Optional", "OptionalGetElement", "OptionalHasElement", "SequenceAt",
             "SequenceConstruct", "SequenceEmpty", "SequenceErase", "SequenceInsert", "SequenceLength", "SequenceMap",
             "SplitToSequence"}
READ_AWAY = {"Constant", "Scatter", "Upsample"}  # values, or older names
NEW = {"CausalConvWithState", "LinearAttention"}  # of opset 27, which no exporter writes yet

VARIADIC = 1 << 16

GRAPHS = {
    "plain": """<ir_version: 10, opset_import: ["" : 21, "my.ops" : 2], producer_name: "a \\"tool\\"", model_version: 3>
main (float[N,3,8,8] x, int64[2] "odd name:0") => (y, float16[] z)
<float[8,3,3,3] w, float[2] b = {0.5, -1e-05}, int64[2] shape = {0, -1}, int8[3] q = {-128, 0, 127},
 double[1] d = {1e-300}, float16[2] h = {15360, 0}, bool[2] t = {1, 0}, float[0] none = {}, float one = {1.0},
 uint64[1] u = {18446744073709551615}, float[3] odd = {inf, -inf, nan}>
{
  h1 = Relu (x)
  [flatten] f = Reshape (h1, shape)
  y, "" = my.ops.Fancy <alpha = 1.0, axes = [1, 2], empty: floats = [], mode = "a \\"b\\" \\\\", t = int8[2] {1, -1},
    reals = [1.0, 2.5], texts = ["a", "b"], big = 9223372036854775807> (f, "", b, q, d, h, t, none, one, u, odd)
  z = Cast <to = 10> ("odd name:0")
}""",
    "bodies": """<ir_version: 10, opset_import: ["" : 21]>
main (bool c, float[4] x, int64 n) => (y, r)
{
  y = If <else_branch = a () => (float[4] b) { b = Abs (x) }, then_branch = d () => (float[4] e) { e = Neg (x) }> (c)
  s, r = Loop <body = l (int64 i, bool ci, float[4] v) => (ci, w, k) { w = Add (v, x) k = Identity (w) }> (n, c, y)
}""",
    "quantized": """<ir_version: 10, opset_import: ["" : 21]>
main (
  int8[1,4] x,  #: int8[1,4] scale 0.5 zero 3
  float[1] z
) => (int8[1,2] y)
<
  int8[2,4] w = {1, 2, 3, 4, 5, 6, 7, 8}  #: int8[2,4] axis 0 scale 0.25 0.125 zero 0 0
>
{
  y = Gemm <transB = 1> (x, w)  #: int8[1,2] scale 0.1 zero -128
  next = Add (h, z)
  #: state memory h -> next = float[1] zeros
}""",
}


def run(*arguments, text=""):
    return subprocess.run([TOOL, *arguments], input=text, capture_output=True, text=True, timeout=60, check=True).stdout


def facts(graph):
    """What must be the same in both, bodies included; their names are not."""
    nodes = []
    for n in graph.node:
        attributes = sorted((a.name, facts(a.g) if a.type == onnx.AttributeProto.GRAPH else
                             onnx.numpy_helper.to_array(a.t).tolist() if a.type == onnx.AttributeProto.TENSOR else
                             onnx.helper.get_attribute_value(a), a.type) for a in n.attribute)
        nodes.append((n.op_type, n.domain, n.name, list(n.input), list(n.output), attributes))
    constants = sorted((t.name, t.data_type, list(t.dims), repr(onnx.numpy_helper.to_array(t).tolist()))
                       for t in graph.initializer)
    return [v.name for v in graph.input], [v.name for v in graph.output], nodes, constants


class TextTest(unittest.TestCase):
    def test_onnx_reads_what_we_print_as_the_model_that_it_was(self):
        for name, text in GRAPHS.items():
            with self.subTest(name):
                printed = run(text=text)
                ours, theirs = onnx.parser.parse_model(printed), onnx.parser.parse_model(text)
                self.assertEqual(facts(ours.graph), facts(theirs.graph))
                self.assertEqual(ours.producer_name, theirs.producer_name)
                self.assertEqual(ours.model_version, theirs.model_version)
                self.assertEqual({o.domain for o in ours.opset_import}, {o.domain for o in theirs.opset_import})
                for i, v in enumerate(theirs.graph.input):
                    self.assertEqual(ours.graph.input[i].type, v.type)

    def test_printing_what_was_printed_changes_nothing(self):
        for name, text in GRAPHS.items():
            with self.subTest(name):
                printed = run(text=text.replace("float[8,3,3,3] w, ", ""))
                self.assertEqual(run(text=printed), printed)

    def test_inferred_types_are_those_that_onnx_infers(self):
        model = onnx.parser.parse_model(run(text=GRAPHS["bodies"]))
        inferred = onnx.shape_inference.infer_shapes(onnx.parser.parse_model(GRAPHS["bodies"]), strict_mode=True)
        for ours, theirs in zip(model.graph.output, inferred.graph.output):
            self.assertEqual(ours.type.tensor_type.elem_type, theirs.type.tensor_type.elem_type)
            self.assertEqual(len(ours.type.tensor_type.shape.dim), len(theirs.type.tensor_type.shape.dim))


class TableTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.table = {}
        for line in run("--ops").splitlines():
            op, *numbers = line.split()[:5]
            attributes = {tuple(a.split(":")) for a in line.split()[5:]}
            cls.table[op] = (*map(int, numbers), attributes)
        cls.newest = {}
        for schema in onnx.defs.get_all_schemas_with_history():
            if schema.domain == "" and schema.since_version > getattr(cls.newest.get(schema.name), "since_version", 0):
                cls.newest[schema.name] = schema

    def test_every_operator_is_in_the_table_or_left_out_on_purpose(self):
        missing = set(self.newest) - set(self.table) - STRINGS - SEQUENCES - READ_AWAY - NEW
        self.assertEqual(missing, set())

    def test_operators_are_as_their_schemas_have_them(self):
        for op, (inputs_min, inputs_max, outputs_min, outputs_max, attributes) in self.table.items():
            schema = self.newest.get(op)
            if schema is None:
                continue  # newer than the package
            with self.subTest(op):
                def most(n):
                    return min(n, VARIADIC)
                self.assertEqual((inputs_min, inputs_max, outputs_min, outputs_max),
                                 (schema.min_input, most(schema.max_input), schema.min_output, most(schema.max_output)))
                theirs = {(a.name, a.type.name, "1" if a.required else "0") for a in schema.attributes.values()
                          if a.type.name != "GRAPH"}
                # An older package lacks what later opsets added; the newest one must agree in full.
                extra = attributes - theirs
                self.assertEqual(theirs - attributes, set())
                if onnx.defs.onnx_opset_version() >= 28:
                    self.assertEqual(extra, set())


if __name__ == "__main__":
    TOOL = sys.argv.pop(1)
    unittest.main()
