// SPDX-License-Identifier: Apache-2.0
// The shape rules of the operators, from their specification: cases that ONNX's own do not have.
#include <doctest/doctest.h>

#include "model/ops/infer_fixture.h"

namespace oree {
namespace {

using infer_fixture::type_of_node;

bool refused(const std::string& text, std::string_view why) { return text.find(why) != std::string::npos; }

}  // namespace

TEST_CASE("elementwise operators broadcast, symbols included") {
  CHECK(type_of_node("y = Add (a, b)", "float[N,1,4] a, float[3,1] b") == "float32 N,3,4");
  CHECK(type_of_node("y = Add (a, b)", "float[N] a, float[N] b") == "float32 N");
  CHECK(type_of_node("y = Add (a, b)", "float[N] a, float[M] b") == "float32 ?");
  CHECK(type_of_node("y = Add (a, b)", "float[N] a, float[1] b") == "float32 N");
  CHECK(type_of_node("y = Add (a, b)", "float[N] a, float[5] b") == "float32 5");
  CHECK(type_of_node("y = Add (a, b)", "float[0] a, float[1] b") == "float32 0");
  CHECK(type_of_node("y = Add (a, b)", "float[] a, float[5] b") == "float32 ...");
  CHECK(type_of_node("y = Sum (a, b, c)", "float[1] a, float[3] b, float[2,1] c") == "float32 2,3");
  CHECK(type_of_node("y = Less (a, b)", "float[3] a, float b") == "bool 3");
  CHECK(type_of_node("y = Pow (a, b)", "float[3] a, int64 b") == "float32 3");
  CHECK(type_of_node("y = Where (c, a, b)", "bool[2,1] c, float[3] a, float b") == "float32 2,3");
  CHECK(type_of_node("y = Cast <to = 10> (a)", "float[N] a") == "float16 N");
  CHECK(refused(type_of_node("y = Add (a, b)", "float[3] a, float[4] b"), "do not broadcast"));
  CHECK(refused(type_of_node("y = Add (a, b)", "float[3] a, int32[3] b"), "int32 beside one of float32"));
  CHECK(refused(type_of_node("y = And (a, b)", "float[3] a, float[3] b"), "must be bool"));
  CHECK(refused(type_of_node("y = PRelu (a, b)", "float[3] a, float[2,3] b"), "does not broadcast"));
  CHECK(refused(type_of_node("y = Cast <to = 99> (a)", "float[3] a"), "no element type"));
}

TEST_CASE("windows slide as ONNX's convolutions and pools let them") {
  const char* w = "float[8,3,3,3] w";
  auto conv = [&](const std::string& attributes, const std::string& x) {
    return type_of_node("y = Conv " + attributes + " (x, w)", x + ", " + w);
  };
  CHECK(conv("", "float[N,3,10,9] x") == "float32 N,8,8,7");
  CHECK(conv("<pads = [1, 1, 1, 1]>", "float[1,3,H,W] x") == "float32 1,8,H,W");
  CHECK(conv("<strides = [2, 2], pads = [1, 1, 1, 1]>", "float[1,3,9,H] x") == "float32 1,8,5,?");
  CHECK(conv("<dilations = [2, 3]>", "float[1,3,10,10] x") == "float32 1,8,6,4");
  CHECK(conv("<auto_pad = \"SAME_UPPER\", strides = [2, 3]>", "float[1,3,9,9] x") == "float32 1,8,5,3");
  CHECK(conv("<auto_pad = \"VALID\", strides = [2, 3]>", "float[1,3,9,9] x") == "float32 1,8,4,3");
  CHECK(refused(conv("", "float[1,4,9,9] x"), "channels"));
  CHECK(refused(conv("<group = 3>", "float[1,9,9,9] x"), "groups"));
  CHECK(refused(conv("<group = 0>", "float[1,3,9,9] x"), "group 0"));
  CHECK(refused(conv("", "float[1,3,2,9] x"), "does not fit"));
  CHECK(refused(conv("<kernel_shape = [5, 5]>", "float[1,3,9,9] x"), "differ"));
  CHECK(refused(conv("<strides = [0, 1]>", "float[1,3,9,9] x"), "strides of 0"));
  CHECK(refused(conv("<strides = [1]>", "float[1,3,9,9] x"), "1 numbers, not 2"));
  CHECK(refused(conv("<dilations = [2147483647, 2147483647]>", "float[1,3,9,9] x"), "dilation"));
  CHECK(refused(conv("<pads = [9223372036854775807, 1, 1, 1]>", "float[1,3,9,9] x"), "pads"));
  CHECK(refused(conv("", "float[3,9,9] x"), "rank"));

  auto pool = [&](const std::string& attributes) {
    return type_of_node("y = MaxPool <kernel_shape = [3], " + attributes + "> (x)", "float[1,2,10] x");
  };
  CHECK(pool("strides = [2]") == "float32 1,2,4");
  CHECK(pool("strides = [2], ceil_mode = 1") == "float32 1,2,5");
  // The fourth window would begin in the padding at the end.
  CHECK(pool("strides = [4], ceil_mode = 1, pads = [1, 3]") == "float32 1,2,3");
  CHECK(type_of_node("y, i = MaxPool <kernel_shape = [2]> (x)", "float[1,2,10] x", "", "i") == "int64 1,2,9");

  auto transposed = [&](const std::string& attributes) {
    return type_of_node("y = ConvTranspose " + attributes + " (x, w)", "float[1,8,5,5] x, float[8,2,3,3] w");
  };
  CHECK(transposed("<strides = [2, 2]>") == "float32 1,2,11,11");
  CHECK(transposed("<strides = [2, 2], pads = [1, 1, 1, 1], output_padding = [1, 0]>") == "float32 1,2,10,9");
  CHECK(transposed("<strides = [2, 2], output_shape = [12, 10]>") == "float32 1,2,12,10");
  CHECK(transposed("<strides = [2, 2], auto_pad = \"SAME_LOWER\">") == "float32 1,2,10,10");
  CHECK(transposed("<group = 2>") == "float32 1,4,7,7");
  CHECK(refused(transposed("<pads = [9, 9, 9, 9]>"), "dimension of"));
}

TEST_CASE("a reshape divides what is left, symbols too") {
  auto reshape = [](const std::string& x, const std::string& shape, const std::string& attributes = "") {
    return type_of_node("y = Reshape " + attributes + " (x, s)", x, "int64" + shape);
  };
  CHECK(reshape("float[2,3,4] x", "[2] s = {6, -1}") == "float32 6,4");
  CHECK(reshape("float[2,3,4] x", "[3] s = {0, 0, -1}") == "float32 2,3,4");
  CHECK(reshape("float[N,3,4] x", "[2] s = {0, -1}") == "float32 N,12");
  CHECK(reshape("float[N,3,4] x", "[2] s = {-1, 12}") == "float32 N,12");
  CHECK(reshape("float[N,3,4] x", "[2] s = {-1, 6}") == "float32 ?,6");
  CHECK(reshape("float[N,H,4] x", "[2] s = {0, -1}") == "float32 N,?");
  CHECK(reshape("float[] x", "[2] s = {0, -1}") == "float32 ?,?");
  CHECK(reshape("float[0,3] x", "[2] s = {0, 3}", "<allowzero = 1>") == "float32 0,3");
  CHECK(reshape("float[1] x", "[0] s = {}") == "float32 scalar");
  CHECK(type_of_node("y = Reshape (x, s)", "float[2] x, int64[3] s") == "float32 ?,?,?");
  CHECK(refused(reshape("float[2,3,4] x", "[2] s = {7, -1}"), "do not divide"));
  CHECK(refused(reshape("float[2,3,4] x", "[2] s = {5, 5}"), "cannot become"));
  CHECK(refused(reshape("float[2,3,4] x", "[2] s = {-1, -1}"), "two dimensions"));
  CHECK(refused(reshape("float[2,3,4] x", "[2] s = {-2, 2}"), "a dimension of -2"));
  CHECK(refused(reshape("float[2,3] x", "[3] s = {0, 0, 0}"), "has not"));
  CHECK(refused(reshape("float[2,3] x", "[2] s = {4294967296, 4294967296}"), "cannot become"));
}

TEST_CASE("scales and slopes fit the tensor that they are for") {
  CHECK(type_of_node("y = LayerNormalization (x, s)", "float[2,4,3] x, float[3] s") == "float32 2,4,3");
  CHECK(type_of_node("y = LayerNormalization (x, s)", "float[2,N,3] x, float[1,3] s") == "float32 2,N,3");
  CHECK(refused(type_of_node("y = LayerNormalization (x, s, b)", "float[2,3] x, float[3] s, float[2] b"),
                "input 2 of 2"));
  CHECK(refused(type_of_node("y = RMSNormalization (x, s)", "float[2,1] x, float[3] s"), "does not broadcast to 2,1"));
  CHECK(refused(type_of_node("y = PRelu (x, s)", "float[3] x, float[1,3] s"), "does not broadcast to 3"));
}

TEST_CASE("an image of no pixels cannot grow") {
  auto resize = [](const std::string& x, const std::string& sizes) {
    return type_of_node("y = Resize (x, \"\", \"\", s)", x, "int64[4] s = " + sizes);
  };
  CHECK(resize("float[0,4,2,3] x", "{0, 4, 5, 2}") == "float32 0,4,5,2");
  CHECK(refused(resize("float[1,4,2,0] x", "{1, 4, 5, 2}"), "2 elements are made of none"));
}

TEST_CASE("slices are cut to the tensor, forwards and backwards") {
  auto slice = [](const std::string& x, const std::string& numbers, const std::string& inputs) {
    return type_of_node("y = Slice (" + inputs + ")", x, numbers);
  };
  const std::string three = "int64[1] b = {1}, int64[1] e = {9}";
  CHECK(slice("float[6,4] x", three, "x, b, e") == "float32 5,4");
  CHECK(slice("float[6,4] x", three + ", int64[1] a = {-1}", "x, b, e, a") == "float32 6,3");
  CHECK(slice("float[6,4] x", three + ", int64[1] a = {0}, int64[1] s = {2}", "x, b, e, a, s") == "float32 3,4");
  CHECK(slice("float[6] x",
              "int64[1] b = {-1}, int64[1] e = {-9223372036854775808}, int64[1] a = {0}, int64[1] s = {-2}",
              "x, b, e, a, s") == "float32 3");
  CHECK(slice("float[6] x", "int64[1] b = {4}, int64[1] e = {1}, int64[1] a = {0}, int64[1] s = {-9223372036854775808}",
              "x, b, e, a, s") == "float32 1");
  CHECK(slice("float[N] x", "int64[1] b = {0}, int64[1] e = {9223372036854775807}", "x, b, e") == "float32 N");
  CHECK(slice("float[N] x", "int64[1] b = {1}, int64[1] e = {9223372036854775807}", "x, b, e") == "float32 ?");
  CHECK(slice("float[0] x", "int64[1] b = {-1}, int64[1] e = {-5}, int64[1] a = {0}, int64[1] s = {-1}",
              "x, b, e, a, s") == "float32 0");
  CHECK(type_of_node("y = Slice (x, b, e, a)", "float[6,4] x, int64[1] b, int64[1] e", "int64[1] a = {1}") ==
        "float32 6,?");
  CHECK(refused(slice("float[6] x", three + ", int64[1] a = {1}", "x, b, e, a"), "axis 1"));
  CHECK(refused(slice("float[6] x", three + ", int64[1] a = {0}, int64[1] s = {0}", "x, b, e, a, s"), "step of 0"));
  CHECK(refused(slice("float[6] x", three + ", int64[2] a = {0, 0}", "x, b, e, a"), "equally many"));
}

TEST_CASE("axes may count from the end, and must exist") {
  CHECK(type_of_node("y = ReduceMean (x, a)", "float[N,3,4] x", "int64[1] a = {-1}") == "float32 N,3,1");
  CHECK(type_of_node("y = ReduceMean <keepdims = 0> (x)", "float[N,3,4] x") == "float32 scalar");
  CHECK(type_of_node("y = ReduceMean <noop_with_empty_axes = 1> (x)", "float[N,3] x") == "float32 N,3");
  CHECK(type_of_node("y = ReduceMean <keepdims = 0> (x, a)", "float[2,3,4] x, int64[2] a") == "float32 ?");
  CHECK(type_of_node("y = ReduceMean (x, a)", "float[2,3,4] x, int64[K] a") == "float32 ?,?,?");
  CHECK(type_of_node("y = ArgMax <axis = 1, keepdims = 0> (x)", "float[N,3,4] x") == "int64 N,4");
  CHECK(type_of_node("y = Squeeze (x)", "float[1,3,1] x") == "float32 3");
  CHECK(type_of_node("y = Squeeze (x)", "float[N,3,1] x") == "float32 ...");
  CHECK(type_of_node("y = Squeeze (x, a)", "float[N,3,1] x", "int64[1] a = {-1}") == "float32 N,3");
  CHECK(type_of_node("y = Unsqueeze (x, a)", "float[N] x", "int64[2] a = {-1, 0}") == "float32 1,N,1");
  CHECK(type_of_node("y = Flatten <axis = -1> (x)", "float[2,3,N] x") == "float32 6,N");
  CHECK(type_of_node("y = Concat <axis = 1> (a, b)", "float[N,2] a, float[?,3] b") == "float32 N,5");
  CHECK(type_of_node("y = Transpose (x)", "float[N,2,3] x") == "float32 3,2,N");
  CHECK(type_of_node("a, y = Split <axis = 1, num_outputs = 2> (x)", "float[N,5] x") == "float32 N,2");
  CHECK(type_of_node("y, i = TopK (x, k)", "float[N,9] x", "int64[1] k = {3}") == "float32 N,3");
  CHECK(refused(type_of_node("y = ReduceMean (x, a)", "float[3] x", "int64[1] a = {1}"), "axis 1"));
  CHECK(refused(type_of_node("y = ReduceMean (x, a)", "float[3,3] x", "int64[2] a = {1, -1}"), "twice"));
  CHECK(refused(type_of_node("y = Squeeze (x, a)", "float[3] x", "int64[1] a = {0}"), "is 3, not 1"));
  CHECK(refused(type_of_node("y = Transpose <perm = [0, 0]> (x)", "float[3,4] x"), "twice"));
  CHECK(refused(type_of_node("y = Concat <axis = 0> (a, b)", "float[2,3] a, float[2,4] b"), "differ"));
  CHECK(refused(type_of_node("a, y = Split (x, s)", "float[5] x", "int64[2] s = {2, 2}"), "do not add up"));
  CHECK(refused(type_of_node("y, i = TopK (x, k)", "float[9] x", "int64[1] k = {10}"), "the largest 10"));
}

TEST_CASE("matrix products have numpy's shapes") {
  CHECK(type_of_node("y = MatMul (a, b)", "float[N,1,2,3] a, float[5,3,4] b") == "float32 N,5,2,4");
  CHECK(type_of_node("y = MatMul (a, b)", "float[3] a, float[3] b") == "float32 scalar");
  CHECK(type_of_node("y = MatMul (a, b)", "float[3] a, float[2,3,4] b") == "float32 2,4");
  CHECK(type_of_node("y = MatMul (a, b)", "float[2,3] a, float[3] b") == "float32 2");
  CHECK(type_of_node("y = Gemm <transA = 1, transB = 1> (a, b, c)", "float[3,N] a, float[4,3] b, float[4] c") ==
        "float32 N,4");
  CHECK(type_of_node("y = Einsum <equation = \"b...ij,jk->...bk\"> (a, b)", "float[N,7,2,3] a, float[3,4] b") ==
        "float32 7,N,4");
  CHECK(type_of_node("y = Einsum <equation = \"ij,jk\"> (a, b)", "float[2,3] a, float[3,4] b") == "float32 2,4");
  CHECK(refused(type_of_node("y = MatMul (a, b)", "float[2,3] a, float[4,5] b"), "inner dimensions"));
  CHECK(refused(type_of_node("y = Gemm (a, b, c)", "float[2,3] a, float[3,4] b, float[3] c"), "to be added"));
  CHECK(refused(type_of_node("y = Einsum <equation = \"ij,jk->iz\"> (a, b)", "float[2,3] a, float[3,4] b"),
                "no input has"));
  CHECK(refused(type_of_node("y = Einsum <equation = \"ij\"> (a, b)", "float[2,3] a, float[3,4] b"), "1 terms"));
  CHECK(refused(type_of_node("y = Einsum <equation = \"i.j\"> (a)", "float[2,3] a"), "ellipsis"));
}

TEST_CASE("recurrent layers check their weights") {
  const std::string x = "float[T,N,5] x, float[2,16,5] w, float[2,16,4] r";
  CHECK(type_of_node("y, h, c = LSTM <direction = \"bidirectional\"> (x, w, r)", x) == "float32 T,2,N,4");
  CHECK(type_of_node("y, h, c = LSTM <direction = \"bidirectional\", hidden_size = 4> (x, w, r)", x, "", "c") ==
        "float32 2,N,4");
  CHECK(type_of_node("y, h, c = LSTM <direction = \"bidirectional\", layout = 1> (x, w, r)", x, "", "y") ==
        "float32 T,N,2,4");
  CHECK(refused(type_of_node("y = LSTM (x, w, r)", x), "directions"));
  CHECK(refused(type_of_node("y = LSTM <direction = \"bidirectional\", hidden_size = 5> (x, w, r)", x), "hidden_size"));
  CHECK(refused(type_of_node("y = GRU <direction = \"bidirectional\"> (x, w, r)", x), "rows"));
}

TEST_CASE("images are resized by sizes or by scales") {
  CHECK(type_of_node("y = Resize (x, \"\", s)", "float[N,3,5,5] x", "float[4] s = {1.0, 1.0, 2.0, 0.5}") ==
        "float32 N,3,10,2");
  CHECK(type_of_node("y = Resize (x, \"\", \"\", z)", "float[N,3,5,5] x", "int64[4] z = {1, 3, 7, 8}") ==
        "float32 1,3,7,8");
  CHECK(type_of_node("y = Resize <axes = [3, 2]> (x, \"\", \"\", z)", "float[N,3,5,5] x", "int64[2] z = {7, 8}") ==
        "float32 N,3,8,7");
  CHECK(type_of_node("y = Resize <axes = [2, 3], keep_aspect_ratio_policy = \"not_larger\"> (x, \"\", \"\", z)",
                     "float[1,1,10,20] x", "int64[2] z = {7, 8}") == "float32 1,1,4,8");
  CHECK(type_of_node("y = DepthToSpace <blocksize = 2> (x)", "float[N,8,H,3] x") == "float32 N,2,?,6");
  CHECK(type_of_node("y = Pad (x, p)", "float[N,3,5] x", "int64[6] p = {0, 1, -1, 0, 0, 2}") == "float32 N,4,6");
  CHECK(refused(type_of_node("y = Resize (x, \"\", s)", "float[5] x", "float[1] s = {-1.0}"), "a scale of -1"));
  CHECK(refused(type_of_node("y = Resize (x, \"\", s)", "float[5] x", "float[1] s = {1e30}"), "a scale"));
  CHECK(refused(type_of_node("y = DepthToSpace <blocksize = 2> (x)", "float[1,6,2,3] x"), "do not divide"));
  CHECK(refused(type_of_node("y = Pad (x, p)", "float[5] x", "int64[2] p = {-3, -3}"), "pads"));
}

TEST_CASE("quantization has one scale, or one a slice") {
  CHECK(type_of_node("y = QuantizeLinear (x, s, z)", "float[N,3] x", "float s = {0.5}, int8 z = {0}") == "int8 N,3");
  CHECK(type_of_node("y = QuantizeLinear (x, s)", "float[N,3] x", "float[3] s = {0.5, 1.0, 2.0}") == "uint8 N,3");
  CHECK(type_of_node("y = QuantizeLinear <output_dtype = 5> (x, s)", "float[N] x", "float s = {0.5}") == "int16 N");
  CHECK(type_of_node("y = DequantizeLinear (x, s)", "int8[N,3] x", "float s = {0.5}") == "float32 N,3");
  CHECK(refused(type_of_node("y = QuantizeLinear (x, s)", "float[N,4] x", "float[3] s = {0.5, 1.0, 2.0}"), "scales"));
  CHECK(
      refused(type_of_node("y = DequantizeLinear (x, s, z)", "int8[3] x", "float s = {0.5}, uint8 z = {0}"), "uint8"));
}

TEST_CASE("a result too large for any memory is refused") {
  CHECK(refused(type_of_node("y = Expand (x, s)", "float[1] x", "int64[2] s = {2147483648, 2147483648}"), "more than"));
  CHECK(refused(type_of_node("y = Tile (x, s)", "float[9] x", "int64[1] s = {9223372036854775807}"), "too large"));
  CHECK(refused(type_of_node("y = ConstantOfShape (s)", "float x", "int64[1] s = {9223372036854775807}"),
                "out of bounds"));
  CHECK(refused(type_of_node("y = ConstantOfShape (s)", "float x", "int64[1] s = {-1}"), "a dimension of -1"));
  CHECK(refused(
      type_of_node("y = Range (a, b, c)", "float x", "int64 a = {0}, int64 b = {9223372036854775807}, int64 c = {1}"),
      "a range of"));
  CHECK(refused(
      type_of_node("y = OneHot (x, d, v)", "int64[9] x", "int64 d = {9223372036854775807}, float[2] v = {0.0, 1.0}"),
      "out of bounds"));
  CHECK(refused(type_of_node("y = RandomNormal <shape = [2147483647, 2147483647]> ()", "float x"), "more than"));
}

TEST_CASE("what is said twice must be said alike") {
  CHECK(refused(type_of_node("y = Resize (x, \"\", s, z)", "float[1,1,3,3] x",
                             "float[4] s = {1.0, 1.0, 2.0, 2.0}, int64[4] z = {1, 1, 4, 4}"),
                "both scales and sizes"));
  CHECK(refused(type_of_node("y = Loop <body = b (int64[2] i, c) => (c, i) {}> (n, \"\")", "float x", "int64 n = {2}"),
                "as one number"));
}

}  // namespace oree
