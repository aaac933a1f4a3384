// SPDX-License-Identifier: Apache-2.0
// Shapes that exporters compute with nodes of the graph.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include "model/ops/infer_fixture.h"

namespace oree {
namespace {

using infer_fixture::type_of;

// y is x reshaped to what the nodes make of its shape.
std::string reshaped(std::string_view nodes, std::string_view x = "float[N,12,7,8] x",
                     std::string_view constants = "") {
  return type_of(
      fmt::format("main ({}) => (y) <int64 zero = {{0}}, int64 one = {{1}}, int64 two = {{2}}, int64[1] axis "
                  "= {{0}}, int64[1] rest = {{-1}} {}> {{ sh = Shape (x) {} y = Reshape (x, s) }}",
                  x, constants, nodes));
}

}  // namespace

TEST_CASE("flattening by a gathered batch keeps the batch") {
  CHECK(reshaped("b = Gather (sh, zero) c = Unsqueeze (b, axis) s = Concat <axis = 0> (c, rest)") == "float32 N,672");
  CHECK(reshaped("b = Gather (sh, axis) s = Concat <axis = 0> (b, rest)") == "float32 N,672");
  CHECK(reshaped("c = Shape <start = 0, end = 1> (x) s = Concat <axis = 0> (c, rest)") == "float32 N,672");
  CHECK(reshaped("c = Shape <start = -4, end = -3> (x) s = Concat <axis = 0> (c, rest)") == "float32 N,672");
  CHECK(reshaped("c = Slice (sh, axis, e) s = Concat <axis = 0> (c, rest)", "float[N,12,7,8] x",
                 ", int64[1] e = {1}") == "float32 N,672");
  CHECK(reshaped("i = Cast <to = 6> (sh) j = Cast <to = 7> (i) c, d = Split (j, parts) s = Concat <axis = 0> (c, rest)",
                 "float[N,12,7,8] x", ", int64[2] parts = {1, 3}") == "float32 N,672");
}

TEST_CASE("arithmetic on dimensions is followed") {
  // Attention's heads: (N, 12, 7, 8) -> (N, 12 / 3, 3, 7 * 8)
  CHECK(reshaped(
            "b = Gather (sh, zero) c = Gather (sh, one) h = Div (c, three) t = Gather (sh, two) w = Gather (sh, three)"
            "m = Mul (t, w) b1 = Unsqueeze (b, axis) h1 = Unsqueeze (h, axis) t1 = Unsqueeze (three, axis)"
            "m1 = Unsqueeze (m, axis) s = Concat <axis = 0> (b1, h1, t1, m1)",
            "float[N,12,7,8] x", ", int64 three = {3}") == "float32 N,4,3,56");
  CHECK(reshaped("p = ReduceProd <keepdims = 1> (sh) s = Identity (p)", "float[2,3,4] x") == "float32 24");
  CHECK(reshaped("n = Size (x) s = Unsqueeze (n, axis)", "float[2,3,4] x") == "float32 24");
  CHECK(reshaped("a = Sub (sh, sh) b = Add (a, sh) s = Mul (b, one)") == "float32 N,12,7,8");
  CHECK(reshaped("s = Max (sh, zero)") == "float32 N,12,7,8");
  CHECK(reshaped("s = Mod (sh, hundred)", "float[2,3] x", ", int64 hundred = {100}") == "float32 2,3");
}

TEST_CASE("a scale of a half goes through reals and is rounded down") {
  CHECK(type_of("main (float[1,3,13,9] x) => (y) <int64[2] from = {2, 3}, float half = {0.5}> {"
                "sh = Shape (x) hw = Gather (sh, from) f = Cast <to = 1> (hw) g = Mul (f, half) h = Floor (g)"
                "i = Cast <to = 7> (h) nc = Shape <end = 2> (x) z = Concat <axis = 0> (nc, i)"
                "y = Resize (x, \"\", \"\", z) }") == "float32 1,3,6,4");
}

TEST_CASE("an Expand's shape with -1 replaced is followed past the symbol") {
  CHECK(type_of("main (float[N,1] x, float[N,5] z) => (y) <int64 minus = {-1}> {"
                "sh = Shape (z) q = Equal (sh, minus) ones = ConstantOfShape <value = int64[1] {1}> (r)"
                "r = Shape (sh) s = Where (q, ones, sh) y = Expand (x, s) }") == "float32 N,5");
}

TEST_CASE("pads that are turned round in a matrix are followed") {
  CHECK(
      type_of("main (float[1,3,4,5] x) => (y) <int64[4] p = {1, 2, 3, 4}, int64[1] many = {4}, int64[2] two = {-1, 2},"
              "int64[1] b = {-1}, int64[1] e = {-9223372036854775807}, int64[1] a = {0}, int64[1] all = {-1}> {"
              "zeros = ConstantOfShape <value = int64[1] {0}> (many) full = Concat <axis = 0> (p, zeros)"
              "m = Reshape (full, two) r = Slice (m, b, e, a, b) t = Transpose <perm = [1, 0]> (r)"
              "pads = Reshape (t, all) y = Pad (x, pads) }") == "float32 1,3,11,8");
}

TEST_CASE("ranges and repeats are followed") {
  CHECK(
      reshaped("r = Range (two, five, one) g = Gather (r, one) t = Unsqueeze (g, axis) s = Concat <axis = 0> (t, rest)",
               "float[6] x", ", int64 five = {5}") == "float32 3,2");
  CHECK(reshaped("t = Tile (two1, count) s = Concat <axis = 0> (t, rest)", "float[8,2] x",
                 ", int64[1] two1 = {2}, int64[1] count = {3}") == "float32 2,2,2,2");
  CHECK(type_of("main (float[N,4] x) => (y) <int64 zero = {0}, int64 one = {1}> {"
                "sh = Shape (x) n = Gather (sh, zero) y = Range (zero, n, one) }") == "int64 N");
}

TEST_CASE("what cannot be known stays open, and nothing overflows") {
  CHECK(reshaped("d = Mul (sh, two) s = Identity (d)", "float[N,M] x") == "float32 ?,?");
  CHECK(type_of("main (float[4] x) => (y) <int64[2] big = {9223372036854775807, 9223372036854775807}> {"
                "s = Add (big, big) y = ConstantOfShape (s) }") == "float32 ?,?");
  CHECK(type_of("main (float[4] x) => (y) <int64[1] low = {-9223372036854775808}, int64[1] minus = {-1}> {"
                "a = Div (low, minus) b = Neg (low) c = Abs (low) d = Sub (low, minus) e = Mul (low, minus)"
                "s = Concat <axis = 0> (a, b, c, e) y = ConstantOfShape (s) }") == "float32 ?,?,?,?");
  CHECK(type_of("main (float[4] x) => (y) <int64 zero = {0}> { sh = Shape (x) a = Div (sh, zero) b = Mod (a, zero)"
                "y = ConstantOfShape (b) }") == "float32 ?");
  CHECK(type_of("main (float[4] x) => (y) <int64[1] k = {4294967296}> { i = Cast <to = 6> (k) y = Tile (x, k2)"
                "k2 = Cast <to = 7> (i) }") == "float32 ?");
  CHECK(type_of("main (float[4] x, int64[1] i) => (y) <int64[2] k = {3, 4}> { s = Gather (k, i) y = ConstantOfShape (s)"
                "}") == "float32 ?");
}

TEST_CASE("a declared shape that stands in for an unknown one reads no element that is not there") {
  CHECK(type_of("main (int64[2] p) => (y) <int64[6] k = {1, 2, 3, 4, 5, 6}, int64[5] a, int64[5] b> {"
                "a, b = Split (k, p) y = ConstantOfShape (b) }") == "float32 ?,?,?,?,?");
  CHECK(type_of("main (int64[K] s) => (y) <int64[2] k = {1, 2}, int64[4] e> { e = Expand (k, s) y = ConstantOfShape (e)"
                "}") == "float32 ?,?,?,?");
  CHECK(type_of("main (int64[1] r) => (y) <int64[0] k = {}, int64[4] t> { t = Tile (k, r) y = ConstantOfShape (t)"
                "}") == "float32 ?,?,?,?");
}

}  // namespace oree
