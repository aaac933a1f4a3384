// SPDX-License-Identifier: Apache-2.0
#include "model/ops/inference.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "model/ops/infer_fixture.h"
#include "model/ops/op_def.h"

namespace oree {
namespace {

using infer_fixture::graph_of;
using infer_fixture::type_of;

TEST_CASE("a small CNN gets all its types") {
  Graph g;
  ValueId x = g.add_input("x", Dtype::kFloat32, Dims{Dim("batch"), 3, 32, 32});
  ValueId w = g.add_constant("w", Constant(Tensor(Dtype::kFloat32, {8, 3, 3, 3})));
  ValueId conv =
      g.add("Conv", {x, w}, {{"strides", std::vector<int64_t>{2, 2}}, {"pads", std::vector<int64_t>{1, 1, 1, 1}}});
  ValueId pool = g.add("GlobalAveragePool", {g.add("Relu", {conv})});
  ValueId flat = g.add("Flatten", {pool});
  ValueId y = g.add("Gemm", {flat, g.add_constant("m", Constant(Tensor(Dtype::kFloat32, {8, 10})))});
  g.add_output(y);
  Status s = infer_types(g);
  REQUIRE_MESSAGE(s.ok(), s.error().message());
  CHECK(*g.value(conv).dims == Dims{Dim("batch"), 8, 16, 16});
  CHECK(*g.value(flat).dims == Dims{Dim("batch"), 8});
  CHECK(*g.value(y).dims == Dims{Dim("batch"), 10});
  CHECK(g.value(y).dtype == Dtype::kFloat32);
}

TEST_CASE("what a file declares fills gaps, and what it contradicts is refused") {
  CHECK(type_of("main (float[] x) => (float[2,3] y) { y = Relu (x) }") == "float32 2,3");
  CHECK(type_of("main (float[N,?] x) => (float[?,M] y) { y = Relu (x) }") == "float32 N,M");
  CHECK(type_of("main (float[2,3] x) => (float[N,M] y) { y = Relu (x) }") == "float32 2,3");
  CHECK(type_of("main (float[2,3] x) => (float[2,4] y) { y = Relu (x) }").find("the model says float32[2,4]") !=
        std::string::npos);
  CHECK(type_of("main (float[2] x) => (float16[2] y) { y = Relu (x) }").find("the model says") != std::string::npos);
  CHECK(type_of("main (float[2] x) => (float[2,1] y) { y = Relu (x) }").find("the model says") != std::string::npos);
}

TEST_CASE("a truth, an index or a real is no quantized value") {
  auto quantized = [](const std::string& inputs, const std::string& node) {
    return type_of("main (" + inputs + ") => (int8[2] y) {\n y = " + node + "  #: int8[2] scale 0.5 zero 3\n}");
  };
  const std::string x = "\n int8[2] x,  #: int8[2] scale 0.5 zero 3\n int8[2] z  #: int8[2] scale 0.25 zero 0\n";
  CHECK(quantized(x, "Add (x, z)") == "int8 2");
  CHECK(quantized(x, "Less (x, z)").find("'y' is bool, but the model says quantized int8") != std::string::npos);
  CHECK(quantized(x, "Shape (x)").find("'y' is int64, but the model says quantized int8") != std::string::npos);
  CHECK(quantized("uint8[2] x", "Identity (x)").find("'y' is uint8, but the model") != std::string::npos);
  CHECK(quantized("float[2] x", "Relu (x)").find("'y' is float32, but the model") != std::string::npos);
}

TEST_CASE("what is declared in between reaches what follows") {
  CHECK(type_of("main (x) => (y) <float[N,3,8,8] h> { h = my.ops.Backbone (x) y = GlobalAveragePool (h) }") ==
        "float32 N,3,1,1");
}

TEST_CASE("new inputs are inferred anew once the old types are forgotten") {
  Graph g = graph_of("main (float[1,4] x) => (y) { h = Relu (x) y = Neg (h) }");
  g.set_type(g.find("x"), Dtype::kFloat16, Dims{2, 5});
  CHECK_FALSE(infer_types(g).ok());
  forget_types(g);
  REQUIRE(infer_types(g).ok());
  CHECK(*g.value(g.find("y")).dims == Dims{2, 5});
}

TEST_CASE("hostile types and graphs are refused, not computed with") {
  CHECK(type_of("main (float[2147483649] x) => (y) { y = Relu (x) }").find("out of bounds") != std::string::npos);
  CHECK(type_of("main (float[2147483648,2] x) => (y) { y = Relu (x) }").find("more than") != std::string::npos);
  CHECK(type_of("main (float[N] x) => (y) { y = Relu (z) z = Relu (y) }").find("cycle") != std::string::npos);
  CHECK(type_of("main (float[N] x) => (y) { y = Relu (x, x) }").find("inputs") != std::string::npos);
  CHECK(type_of("main (float[N] x) => (y) { y = Elu <alpha = 1> (x) }").find("attribute") != std::string::npos);
  std::string many = "1";
  for (int i = 0; i < 40; ++i) many += ",1";
  CHECK(type_of("main (float[" + many + "] x) => (y) { y = Relu (x) }").find("rank 41") != std::string::npos);
}

TEST_CASE("the branch that does not fit is left alone when it cannot run") {
  // As torch exports a squeeze of what may be 1.
  const std::string branches =
      "y = If <then_branch = a () => (t) { t = Squeeze (x, axis) }, else_branch = b () => (e) {"
      " e = Identity (x) }> (c)";
  CHECK(type_of("main (float[2,3] x, bool c) => (y) <int64[1] axis = {1}> { " + branches + " }") == "float32 2,3");
  CHECK(type_of("main (float[2,1] x, bool c) => (y) <int64[1] axis = {1}> { " + branches + " }") == "float32 ...");
  CHECK(type_of("main (float[2,1] x) => (y) <int64[1] axis = {1}, bool c = {1}> { " + branches + " }") == "float32 2");
  CHECK(type_of("main (float[2,3] x) => (y) <int64[1] axis = {1}, bool c = {1}> { " + branches + " }").find("not 1") !=
        std::string::npos);
}

TEST_CASE("what grows in a loop has no size, what does not keeps it") {
  const std::string loop =
      "y, k, rows = Loop <body = b (i, ci, s, q) => (ci, t, q, u) { t = Concat <axis = 0> (s, x) u = Neg (q) }>"
      " (n, \"\", x, x)";
  const std::string head = "main (float[2,3] x, int64 n) => (y, k, rows) { ";
  CHECK(type_of(head + loop + " }") == "float32 ?,3");
  CHECK(type_of(head + loop + " }", "k") == "float32 2,3");
  CHECK(type_of(head + loop + " }", "rows") == "float32 ?,2,3");
  CHECK(type_of("main (float[2,3] x) => (y, k, rows) <int64 n = {5}> { " + loop + " }", "rows") == "float32 5,2,3");
}

TEST_CASE("a scan takes slices and gives them back along its axes") {
  CHECK(
      type_of("main (float[4] h, float[T,4,2] x) => (z, y) { z, y = Scan <num_scan_inputs = 1, scan_output_axes = [1],"
              "body = b (s, e) => (t, o) { p = ReduceSum <keepdims = 0> (e, axes) t = Add (s, p) o = Neg (e) }> (h, x)"
              "axes = Cast <to = 7> (one) one = ConstantOfShape (shape) shape = Shape (h) }")
          .find("Scan") == std::string::npos);
  CHECK(type_of("main (float[4] h, float[T,4] x) => (z, y) { z, y = Scan <num_scan_inputs = 1, scan_output_axes = [1],"
                "body = b (s, e) => (t, o) { t = Add (s, e) o = Neg (e) }> (h, x) }") == "float32 4,T");
}

TEST_CASE("loops within loops do not take exponential time") {
  std::string text = "y15 = Concat <axis = 0> (x, x)";
  for (int i = 14; i >= 0; --i) {
    text = fmt::format(
        "y{0} = Loop <body = b{0} (i{0}, c{0}, s{0}) => (c{0}, t{0}) {{ {1} t{0} = Concat <axis = 0> "
        "(s{0}, s{0}) }}> (n, \"\", x)",
        i, text);
  }
  CHECK(type_of("main (float[2,3] x, int64 n) => (y0) { " + text + " }", "y0").starts_with("float32 "));
}

TEST_CASE("a quantized value keeps the type that its kernel makes") {
  CHECK(type_of("main (int8[1,4] x) => (y) <int8[2,4] w = {1, 2, 3, 4, 5, 6, 7, 8}, int32[2] b = {0, 0}> {"
                "y = Gemm <transB = 1> (x, w, b)  #: int16[] scale 0.5 zero 0\n }") == "int16 1,2");
  CHECK(type_of("main (int8[1,4] x) => (y) <int8[2,4] w = {1, 2, 3, 4, 5, 6, 7, 8}, int32[2] b = {0, 0}> {"
                "y = Gemm <transB = 1> (x, w, b) }")
            .find("int32 beside") != std::string::npos);
}

TEST_CASE("a pass that builds a node gets its type") {
  Graph g;
  ValueId x = g.add_input("x", Dtype::kFloat32, Dims{Dim("N"), 4});
  ValueId y = build(g, "Unsqueeze", {x, g.add_constant("axes", Constant::vector(std::vector<int64_t>{0}))});
  CHECK(*g.value(y).dims == Dims{1, Dim("N"), 4});
  g.set_type(x, Dtype::kFloat16, Dims{3});
  REQUIRE(infer_node(g, g.value(y).producer).ok());
  CHECK(*g.value(y).dims == Dims{1, 3});
  CHECK(g.value(y).dtype == Dtype::kFloat16);
}

TEST_CASE("the table is sorted, has no operator twice and knows ONNX's domain by both names") {
  std::vector<const OpDef*> ops = all_ops();
  CHECK(ops.size() >= 150);
  for (size_t i = 1; i < ops.size(); ++i) CHECK(ops[i - 1]->op < ops[i]->op);
  CHECK(find_op("", "Conv") == find_op("ai.onnx", "Conv"));
  CHECK(find_op("com.microsoft", "Gelu") == nullptr);
  CHECK(find_op("", "Convolution") == nullptr);
}

}  // namespace
}  // namespace oree
