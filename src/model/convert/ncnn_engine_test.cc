// SPDX-License-Identifier: Apache-2.0
// What the writer of ncnn's format makes, in ncnn itself against the reference interpreter. Skipped without ncnn.
#include "model/convert/ncnn_fixture.h"

namespace oree {
namespace {

std::string unary(const std::string& node, const std::string& shape = "1,5,6,7") {
  return "(float[" + shape + "] x) => (float y) { y = " + node + " (x) }";
}

}  // namespace

TEST_CASE("convolutions: borders, steps, groups, dilations, an activation of their own") {
  if (!ncnn_is_here()) return;
  const std::string x = "(float[1,8,11,13] x, ";
  check_same(x + "float[6,8,3,3] w, float[6] wb) => (float y) { y = Conv <pads = [1,1,1,1]> (x, w, wb) }");
  check_same(x + "float[16,8,3,3] w) => (float y) { y = Conv <pads = [0,1,2,3], strides = [2,1]> (x, w) }");
  check_same(x + "float[16,8,3,3] w) => (float y) { y = Conv <auto_pad = \"SAME_UPPER\", strides = [2,2]> (x, w) }");
  check_same(x + "float[16,8,3,3] w) => (float y) { y = Conv <auto_pad = \"SAME_LOWER\", strides = [2,2]> (x, w) }");
  check_same(x + "float[16,8,3,3] w) => (float y) { y = Conv <dilations = [2,3]> (x, w) }");
  check_same(x + "float[16,8,1,1] w) => (float y) { y = Conv (x, w) }");
  check_same(x + "float[16,8,5,2] w) => (float y) { y = Conv <strides = [3,2]> (x, w) }");
  check_same(x + "float[8,1,3,3] w, float[8] wb) => (float y) { y = Conv <group = 8, pads = [1,1,1,1]> (x, w, wb) }");
  check_same(x + "float[12,2,3,3] w) => (float y) { y = Conv <group = 4, pads = [1,1,1,1], strides = [2,2]> (x, w) }");
  for (const char* activation : {"Relu (h)", "LeakyRelu <alpha = 0.3> (h)", "Sigmoid (h)", "HardSwish (h)"}) {
    check_same(x + "float[6,8,3,3] w) => (float y) { h = Conv (x, w) y = " + activation + " }");
  }
  check_same(
      x +
      "float[6,8,3,3] w) => (float y) < float a = {-0.5}, float b = {3.0} > { h = Conv (x, w) y = Clip (h, a, b) }");
  check_same(
      "(float[1,8,21] x, float[6,8,3] w, float[6] wb) => (float y) { y = Conv <pads = [1,0], strides = [2]> (x, w, wb) "
      "}");
}

TEST_CASE("transposed convolutions") {
  if (!ncnn_is_here()) return;
  const std::string x = "(float[1,8,7,5] x, ";
  check_same(x + "float[8,6,3,3] w, float[6] wb) => (float y) { y = ConvTranspose <strides = [2,2]> (x, w, wb) }");
  check_same(x + "float[8,6,3,3] w) => (float y) { y = ConvTranspose <strides = [2,2], pads = [1,0,2,1]> (x, w) }");
  check_same(x +
             "float[8,6,2,4] w) => (float y) { y = ConvTranspose <strides = [2,3], output_padding = [1,2]> (x, w) }");
  check_same(x + "float[8,3,3,3] w) => (float y) { y = ConvTranspose <group = 2, strides = [2,2]> (x, w) }");
  check_same(
      x + "float[8,1,4,4] w) => (float y) { y = ConvTranspose <group = 8, strides = [2,2], pads = [1,1,1,1]> (x, w) }");
  check_same("(float[1,8,9] x, float[8,6,3] w) => (float y) { h = ConvTranspose <strides = [2]> (x, w) y = Relu (h) }");
}

TEST_CASE("pools") {
  if (!ncnn_is_here()) return;
  for (const std::string op : {"MaxPool", "AveragePool"}) {
    check_same(unary(op + " <kernel_shape = [3,2], strides = [2,2]>", "1,8,11,13"));
    check_same(unary(op + " <kernel_shape = [3,3], strides = [2,2], pads = [1,1,1,1]>", "1,8,11,12"));
    check_same(unary(op + " <kernel_shape = [3,3], strides = [2,2], ceil_mode = 1>", "1,8,10,12"));
    check_same(unary(op + " <kernel_shape = [5,5], pads = [2,2,2,2]>", "1,6,7,8"));
    check_same(unary(op + " <kernel_shape = [2,2], strides = [2,2], auto_pad = \"SAME_UPPER\">", "1,8,11,13"));
    check_same(unary(op + " <kernel_shape = [3], strides = [2]>", "1,8,11"));
    check_same(unary("Global" + op, "1,8,5,7"));
    check_same(unary("Global" + op, "1,5,9"));
  }
  check_same(unary("AveragePool <kernel_shape = [3,3], pads = [1,1,1,1], count_include_pad = 1>", "1,8,6,7"));
}

TEST_CASE("functions of one operand, at every rank") {
  if (!ncnn_is_here()) return;
  for (const char* shape : {"1,7", "1,4,9", "1,5,6,7", "1,3,4,5,6", "6,5", "9"}) {
    for (const char* op :
         {"Abs",  "Ceil", "Cos",     "Elu", "Exp",      "Floor", "HardSigmoid", "HardSwish", "LeakyRelu", "Mish", "Neg",
          "Relu", "Selu", "Sigmoid", "Sin", "Softplus", "Tanh",  "Gelu",        "Swish",     "Celu",      "Sign"}) {
      check_same(unary(op, shape));
    }
  }
  for (const char* op : {"Gelu <approximate = \"tanh\">", "Erf", "HardSigmoid <alpha = 0.3, beta = 0.4>",
                         "Elu <alpha = 0.5>", "Atan", "Sinh", "Cosh", "Asinh", "Round"}) {
    check_same(unary(op));
  }
  for (const char* op : {"Asin", "Acos", "Atanh"}) check_same(unary(op), {-0.9F, 0.9F});
  for (const char* op : {"Sqrt", "Log", "Reciprocal"}) check_same(unary(op), {0.5F, 3});
  check_same("(float[1,5,6,7] x) => (float y) < float a = {-0.5}, float b = {1.0} > { y = Clip (x, a, b) }");
  check_same("(float[1,5,6,7] x) => (float y) < float b = {1.0} > { y = Clip (x, \"\", b) }");
  for (const char* slope : {"5,1,1", "1", "1,6,1", "5,6,7"}) {
    check_same("(float[1,5,6,7] x, float[" + std::string(slope) + "] w) => (float y) { y = PRelu (x, w) }");
  }
  check_same("(float[1,7] x, float[7] w) => (float y) { y = PRelu (x, w) }");
  check_same("(float[1,6,7] x, float[6,1] w) => (float y) { y = PRelu (x, w) }");
}

TEST_CASE("functions of two operands broadcast as ONNX says") {
  if (!ncnn_is_here()) return;
  const char* pairs[][2] = {
      {"1,8,6,7", "1,8,6,7"}, {"1,8,6,7", "1,8,1,1"}, {"1,8,6,7", "1,1,6,7"}, {"1,8,6,7", "7"},  {"1,8,6,7", "6,1"},
      {"1,8,1,7", "1,1,6,1"}, {"1,4,9", "1,4,1"},     {"1,4,9", "9"},         {"1,9,9", "9"},    {"1,8,8,8", "8"},
      {"1,8,8,8", "8,1"},     {"1,8,8,8", "8,1,1"},   {"1,12", "12"},         {"1,12", "1"},     {"5,12", "12"},
      {"5,12", "5,1"},        {"1,3,4,5,6", "4,1,6"}, {"1,1,1,6", "1,8,5,1"}, {"1,6", "1,8,5,6"}};
  for (auto& pair : pairs) {
    const std::string a = pair[0], b = pair[1];
    for (const char* op : {"Add", "Sub", "Mul", "Div", "Max", "Min"}) {
      check_same("(float[" + a + "] x, float[" + b + "] xx) => (float y) { y = " + op + " (x, xx) }", {0.5F, 2});
      check_same("(float[" + a + "] x, float[" + b + "] v) => (float y) { y = " + op + " (x, v) }");
      check_same("(float[" + a + "] x, float[" + b + "] v) => (float y) { y = " + op + " (v, x) }", {0.5F, 2});
    }
  }
  for (const char* number : {"2.0", "3.0", "4.0", "1.0", "-1.0", "-2.0"})
    check_same("(float[1,5,6] x) => (float y) < float n = {" + std::string(number) + "} > { y = Pow (x, n) }");
  for (const char* number : {"0.5", "-0.5"})
    check_same("(float[1,5,6] x) => (float y) < float n = {" + std::string(number) + "} > { y = Pow (x, n) }",
               {0.5F, 2});
  check_same("(float[1,5,6] x, float[6] v) => (float y) { y = Pow (v, x) }");
  check_same("(float[1,5,6] x) => (float y) < float n = {2.5} > { y = Pow (n, x) }");
  for (const char* shape : {"", "[1,1,1,1]"}) {
    check_same("(float[1,5,6] x) => (float y) < float" + std::string(shape) + " n = {-1.5} > { y = Sub (n, x) }");
    check_same("(float[1,5,6] x) => (float y) < float" + std::string(shape) + " n = {-1.5} > { y = Div (n, x) }",
               {0.5F, 2});
  }
  check_same("(float[1,5,6] x) => (float y) { y = Mul (x, x) }");
  check_same("(float[1,5,6] x, float[5,1] w) => (float y) { y = Max (x, w, x) }");
}

TEST_CASE("products of matrices") {
  if (!ncnn_is_here()) return;
  check_same("(float[1,20] x, float[20,7] w) => (float y) { y = MatMul (x, w) }");
  check_same("(float[1,5,20] x, float[20,8] w) => (float y) { y = MatMul (x, w) }");
  check_same("(float[1,3,5,20] x, float[20,8] w) => (float y) { y = MatMul (x, w) }");
  check_same("(float[1,3,5,20] x, float[1,3,20,8] xx) => (float y) { y = MatMul (x, xx) }");
  check_same("(float[1,5,20] x, float[1,20,8] xx) => (float y) { y = MatMul (x, xx) }");
  check_same("(float[4,5,20] x, float[20,8] xx) => (float y) { y = MatMul (x, xx) }");
  check_same("(float[1,3,5,20] x, float[1,3,20,8] w) => (float y) { y = MatMul (x, w) }");
  check_same("(float[1,20,5] x, float[8,20] w) => (float y) { y = MatMul (w, x) }");
  check_same("(float[1,20] x, float[20,7] w, float[7] wb) => (float y) { y = Gemm (x, w, wb) }");
  check_same(
      "(float[1,20] x, float[7,20] w, float[7] wb) => (float y) { y = Gemm <transB = 1, alpha = 0.5, beta = 2.0> (x, "
      "w, wb) }");
  check_same(
      "(float[6,20] x, float[7,20] w, float[1,7] wb) => (float y) { h = Gemm <transB = 1> (x, w, wb) y = Relu (h) }");
  check_same("(float[6,20] x, float[20,7] xx) => (float y) { y = Gemm <alpha = 0.5> (x, xx) }");
  check_same(
      "(float[20,6] x, float[20,7] w, float[6,1] wb) => (float y) { y = Gemm <transA = 1, beta = 0.5> (x, w, wb) }");
}

TEST_CASE("normalizations and softmax") {
  if (!ncnn_is_here()) return;
  for (const char* shape : {"1,6,5,7", "1,6,5", "1,6"}) {
    check_same("(float[" + std::string(shape) +
               "] x, float[6] w, float[6] wb, float[6] wm, float[6] v) => (float y) "
               "{ y = BatchNormalization <epsilon = 0.001> (x, w, wb, wm, v) }");
  }
  check_same("(float[1,6,5,7] x, float[6] w, float[6] wb) => (float y) { y = InstanceNormalization (x, w, wb) }");
  check_same("(float[1,6,9] x, float[6] w, float[6] wb) => (float y) { y = InstanceNormalization (x, w, wb) }");
  check_same(
      "(float[1,6,5,7] x, float[6] w, float[6] wb) => (float y) { y = GroupNormalization <num_groups = 3> (x, w, wb) "
      "}");
  check_same("(float[1,6,16] x, float[16] w, float[16] wb) => (float y) { y = LayerNormalization (x, w, wb) }");
  check_same("(float[1,6,5,8] x, float[8] w) => (float y) { y = LayerNormalization (x, w) }");
  check_same(
      "(float[1,6,5,8] x, float[5,8] w, float[5,8] wb) => (float y) { y = LayerNormalization <axis = 2> (x, w, wb) }");
  for (const char* shape : {"1,6,5,7", "1,8,4,4", "1,6,5", "6,5"}) {
    for (const char* axis : {"-1", "-2"}) check_same(unary("Softmax <axis = " + std::string(axis) + ">", shape));
  }
  check_same(unary("Softmax <axis = 1>", "1,6,5,7"));
  check_same(unary("Softmax <axis = 1>", "1,10"));
}

TEST_CASE("sums along axes") {
  if (!ncnn_is_here()) return;
  for (const char* op : {"ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2",
                         "ReduceLogSumExp", "ReduceSumSquare"}) {
    for (const char* axes : {"[2] a = {2,3}", "[1] a = {1}", "[1] a = {-1}", "[2] a = {0,2}", "[3] a = {1,2,3}"}) {
      for (const char* keep : {"0", "1"}) {
        check_same("(float[1,6,5,7] x) => (float y) < int64" + std::string(axes) + " > { y = " + op +
                   " <keepdims = " + keep + "> (x, a) }");
      }
    }
    check_same(unary(op, "1,5,3"));
  }
}

TEST_CASE("what moves elements") {
  if (!ncnn_is_here()) return;
  for (const char* perm : {"0,2,3,1", "0,3,1,2", "0,1,3,2", "0,2,1,3", "1,0,2,3", "3,2,1,0", "0,3,2,1"}) {
    check_same(unary("Transpose <perm = [" + std::string(perm) + "]>", "1,5,6,7"));
  }
  for (const char* perm : {"0,1,2,3", "0,1,3,2", "0,2,1,3", "0,2,3,1", "0,3,1,2", "0,3,2,1", "1,0,2,3", "1,2,3,0",
                           "1,3,0,2", "2,0,1,3", "2,1,3,0", "2,3,1,0", "3,0,1,2", "3,1,2,0", "3,2,0,1", "2,3,0,1"}) {
    check_same(unary("Transpose <perm = [" + std::string(perm) + "]>", "3,5,6,7"));
  }
  check_same(unary("Transpose <perm = [1,0]>", "5,6"));
  check_same(unary("Flatten", "1,5,6,7"));
  check_same("(float[1,6,5,7] x) => (float y) < int64[3] s = {1,30,7} > { y = Reshape (x, s) }");
  check_same("(float[1,6,5,7] x) => (float y) < int64[5] s = {1,2,3,5,7} > { y = Reshape (x, s) }");
  check_same("(float[1,6,5,7] x) => (float y) < int64[2] s = {42,5} > { y = Reshape (x, s) }");
  check_same("(float[1,6,1,7] x) => (float y) < int64[1] a = {2} > { y = Squeeze (x, a) }");
  check_same("(float[1,6,7] x) => (float y) < int64[1] a = {0} > { y = Unsqueeze (x, a) }");
  for (const char* axis : {"1", "2", "3"}) {
    check_same("(float[1,8,6,7] x, float[1,8,6,7] xx) => (float y) { y = Concat <axis = " + std::string(axis) +
               "> (x, xx, x) }");
    check_same("(float[1,8,6,6] x) => (float y, float z) { y, z = Split <axis = " + std::string(axis) + "> (x) }");
  }
  check_same("(float[1,8] x, float[1,8] w) => (float y) { y = Concat <axis = 0> (x, w) }");
  check_same("(float[1,8,6,7] x) => (float y, float z) < int64[2] n = {3,5} > { y, z = Split <axis = 1> (x, n) }");
  check_same(
      "(float[1,8,6,7] x) => (float y) < int64[2] s = {1,-4}, int64[2] e = {5,999}, int64[2] a = {1,3} > { y = Slice "
      "(x, s, e, a) }");
  check_same("(float[1,8,6,7] x) => (float y) < int64 i = {-2} > { y = Gather <axis = 2> (x, i) }");
  check_same("(float[1,8,6,7] x) => (float y) < int64[2] i = {3,4} > { y = Gather <axis = 1> (x, i) }");
}

TEST_CASE("pictures: resized, bordered, channels as places") {
  if (!ncnn_is_here()) return;
  for (const char* how :
       {"mode = \"nearest\", coordinate_transformation_mode = \"asymmetric\", nearest_mode = \"floor\"",
        "mode = \"nearest\"", "mode = \"linear\"",
        "mode = \"linear\", coordinate_transformation_mode = \"pytorch_half_pixel\"",
        "mode = \"linear\", coordinate_transformation_mode = \"align_corners\""}) {
    check_same("(float[1,6,5,7] x) => (float y) < float[4] s = {1.0,1.0,2.0,2.0} > { y = Resize <" + std::string(how) +
               "> (x, \"\", s) }");
  }
  check_same(
      "(float[1,6,5,7] x) => (float y) < int64[4] s = {1,6,9,11} > { y = Resize <mode = \"linear\"> (x, \"\", \"\", s) "
      "}");
  check_same(
      "(float[1,6,8,8] x) => (float y) < int64[4] s = {1,6,4,4} > { y = Resize <mode = \"linear\"> (x, \"\", \"\", s) "
      "}");
  for (const char* mode : {"constant", "edge", "reflect"}) {
    check_same("(float[1,8,6,7] x) => (float y) < int64[8] p = {0,0,1,2,0,0,3,1} > { y = Pad <mode = \"" +
               std::string(mode) + "\"> (x, p) }");
  }
  check_same(
      "(float[1,8,6,7] x) => (float y) < int64[8] p = {0,1,1,2,0,3,3,1}, float v = {0.5} > { y = Pad (x, p, v) }");
  for (const char* mode : {"DCR", "CRD"}) {
    check_same(unary("DepthToSpace <blocksize = 2, mode = \"" + std::string(mode) + "\">", "1,16,5,6"));
  }
}

TEST_CASE("values with several takers, outputs that are used again, an input that is an output") {
  if (!ncnn_is_here()) return;
  check_same("(float[1,8,6,7] x) => (float a, float b, float c) { a = Relu (x) b = Neg (a) c = Add (a, b) }");
  check_same("(float[1,8,6,7] x) => (float a, float b) { a = Relu (x) h = Exp (a) b = Add (h, x) }");
  check_same("(float[1,8,6,7] x) => (float a, float b) { a = Identity (x) b = Relu (x) }");
}

}  // namespace oree
