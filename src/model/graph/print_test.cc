// SPDX-License-Identifier: Apache-2.0
#include "model/graph/print.h"

#include <doctest/doctest.h>

#include <cmath>

namespace oree {
namespace {

// What print() makes of what the parser has read of it.
std::string again(std::string_view text) {
  Result<Model> model = parse_graph_text(text);
  return model.ok() ? print(model->graph) : model.error().message();
}

std::string refusal(std::string_view text) {
  Result<Model> model = parse_graph_text(text);
  return model.ok() ? "" : model.error().message();
}

constexpr std::string_view kPlain = R"(main (float[N,3,8,8] x) => (float[N,10] y)
<
  float[2] b = {0.5, -1e-05},
  int64[2] shape = {0, -1}
>
{
  h = Relu (x)  #: float[N,3,8,8]
  [flatten] f = Reshape (h, shape)  #: float[N,192]
  y, "" = my.ops.Fancy <alpha = 1.0, axes = [1, 2], empty: floats = [], mode = "a \"b\"", t = int8[2] {1, -1}> (f, "", b)  #: float[N,10]; ?
}
)";

}  // namespace

TEST_CASE("a graph prints as the text from which it was read") { CHECK(again(kPlain) == kPlain); }

TEST_CASE("bodies print inside of their node") {
  constexpr std::string_view kText = R"(main (bool c, float[4] x) => (float[4] y)
{
  y = If <else_branch = body1 () => (float[4] b) {
      b = Abs (x)  #: float[4]
    }, then_branch = body2 () => (float[4] a) {
      a = Neg (x)  #: float[4]
    }> (c)  #: float[4]
}
)";
  CHECK(again(kText) == kText);
}

TEST_CASE("a loop's body has inputs and uses values around it") {
  constexpr std::string_view kText = R"(main (int64 n, bool c, float[4] x) => (float[4] y, float[?,4] all)
{
  k = Neg (x)
  y, all = Loop <body = body1 (int64 i, bool ci, float[4] s) => (bool ci, float[4] t, float[4] u) {
      t = Add (s, k)
      u = Identity (t)
    }> (n, c, x)
}
)";
  CHECK(again(kText) == R"(main (int64 n, bool c, float[4] x) => (float[4] y, float[?,4] all)
{
  k = Neg (x)
  y, all = Loop <body = body1 (int64 i, bool ci, float[4] s) => (bool ci, float[4] t, float[4] u) {
      t = Add (s, k)  #: float[4]
      u = Identity (t)  #: float[4]
    }> (n, c, x)  #: float[4]; float[?,4]
}
)");
}

TEST_CASE("quantization and states survive as comments of their own") {
  constexpr std::string_view kText = R"(main (
  int8[1,4] x,  #: int8[1,4] scale 0.5 zero 3
  float z
) => (int8[1,2] y)
<
  int8[2,4] w = {1, 2, 3, 4, 5, 6, 7, 8}  #: int8[2,4] axis 0 scale 0.25 0.125 zero 0 0
>
{
  y = Gemm <transB = 1> (x, w)  #: int8[1,2] scale 0.1 zero -128
  next = Add (h, z)  #: float[1]
  #: state memory h -> next = float[1] {1.5}
  #: state "a b" g -> next = float[1] zeros
}
)";
  CHECK(again(kText) == kText);
  Model m = parse_graph_text(kText).value();
  CHECK(m.graph.value(m.graph.find("w")).quantization->scales == std::vector<float>{0.25f, 0.125f});
  CHECK(m.graph.states().at(0).initial.to_doubles().at(0) == 1.5);
}

TEST_CASE("a model prints its header too, and names that are none are quoted") {
  Model m;
  m.name = "torch-jit";
  m.producer = "py\"torch";
  m.custom_opsets["my.ops"] = 3;
  m.metadata["classes"] = "cat,dog";
  ValueId x = m.graph.add_input("images:0", Dtype::kFloat16, Dims{Dim("batch size"), Dim()});
  m.graph.add_output(m.graph.add("Neg", {x}, {}, kMainBlock, "float"));
  std::string text = print(m);
  CHECK(text == R"(<
  ir_version: 14,
  opset_import: ["" : 28, "my.ops" : 3],
  producer_name: "py\"torch",
  metadata_props: ["classes": "cat,dog"]
>
"torch-jit" (float16["batch size",?] "images:0") => ("float")
{
  "float" = Neg ("images:0")
}
)");
  Result<Model> read = parse_graph_text(text);
  REQUIRE_MESSAGE(read.ok(), read.error().message());
  CHECK(print(*read) == text);
}

TEST_CASE("every type of constant reads back as the same bits") {
  Model m;
  for (Dtype dtype : {Dtype::kFloat32, Dtype::kFloat16, Dtype::kFloat64, Dtype::kInt8, Dtype::kUint8, Dtype::kInt16,
                      Dtype::kUint16, Dtype::kInt32, Dtype::kUint32, Dtype::kInt64, Dtype::kUint64, Dtype::kBool,
                      Dtype::kBfloat16, Dtype::kInt4, Dtype::kUint4}) {
    Tensor t(dtype, {3});
    for (size_t i = 0; i < t.byte_size(); ++i)
      t.data()[i] = dtype == Dtype::kBool ? 1 : static_cast<uint8_t>(0x3f + 37 * i);
    if (dtype_bits(dtype) == 4) t.data()[1] &= 15;
    m.graph.add_output(m.graph.add_constant(dtype_name(dtype), Constant(t)));
  }
  Tensor odd(Dtype::kFloat32, {4});
  odd.as<float>()[0] = INFINITY;
  odd.as<float>()[1] = -INFINITY;
  odd.as<float>()[2] = -0.0f;
  odd.as<float>()[3] = 16777216.0f;
  m.graph.add_output(m.graph.add_constant("odd", Constant(odd)));
  Result<Model> read = parse_graph_text(print(m));
  REQUIRE_MESSAGE(read.ok(), read.error().message());
  for (ValueId v : m.graph.main().outputs) {
    const std::string& name = m.graph.value(v).name;
    CHECK_MESSAGE(*read->graph.constant(read->graph.find(name)) == *m.graph.constant(v), name);
  }
}

TEST_CASE("a large constant is declared without its elements, and then cannot be read") {
  Graph g;
  g.add_output(g.add("Neg", {g.add_constant("w", Constant(Tensor(Dtype::kFloat32, {17})))}, {}, kMainBlock, "y"));
  CHECK(print(g).find("  float[17] w  # 17 elements\n") != std::string::npos);
  CHECK(refusal(print(g)).find("'w' is made by nothing") != std::string::npos);
  CHECK(refusal(print(g, 17)) == "");
}

TEST_CASE("text that is no graph is refused with its line") {
  CHECK(refusal("") != "");
  CHECK(refusal("main (float x) => (y) {\n  y = Relu x\n}").find("line 2") != std::string::npos);
  CHECK(refusal("main () => (y) { y = Neg(z) }").find("'z'") != std::string::npos);
  CHECK(refusal("main (x) => (y) { y = Neg(x) y = Abs(x) }").find("twice") != std::string::npos);
  CHECK(refusal("main (x) => (y) { y, y = Neg(x) }").find("twice") != std::string::npos);
  CHECK(refusal("main (x) => (x) { x = Neg(x) }").find("twice") != std::string::npos);
  CHECK(refusal("main () => (w) <float[3] w = {1.0, 2.0}> {}") != "");
  CHECK(refusal("main () => (w) <float[99999999] w = {}> {}") != "");
  CHECK(refusal("main (x) => (y) { y = Neg <a = [1, \"b\"]> (x) }") != "");
  CHECK(refusal("main (x) => (y) { y = Neg <a = \"b> (x) }") != "");
  CHECK(refusal("main (x) => (y) { y = Neg (x) } rest") != "");
}

}  // namespace oree
