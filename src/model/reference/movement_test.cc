// SPDX-License-Identifier: Apache-2.0
// Operators that move elements, by place and by index. Expected values: by hand, or numpy's.
#include <limits>

#include "model/reference/kernel_fixture.h"

namespace oree {
namespace {

Tensor i4(Shape shape, const std::vector<double>& values) { return tensor_of(Dtype::kInt4, std::move(shape), values); }
Attributes number(const std::string& name, int64_t value) { return {{name, value}}; }
Attributes word(const std::string& name, const std::string& value) { return {{name, value}}; }
Tensor counted(Shape shape) {
  Tensor t(Dtype::kFloat32, std::move(shape));
  for (size_t i = 0; i < t.as<float>().size(); ++i) t.as<float>()[i] = static_cast<float>(i);
  return t;
}

}  // namespace

TEST_CASE("Reshape knows 0, -1 and allowzero, and refuses what does not fit") {
  Tensor x = counted({2, 3});
  check_equal(run_op("Reshape", {x, list({3, -1})}), floats({3, 2}, {0, 1, 2, 3, 4, 5}));
  check_equal(run_op("Reshape", {x, list({0, -1, 1})}), floats({2, 3, 1}, {0, 1, 2, 3, 4, 5}));
  check_equal(run_op("Reshape", {floats({0, 2}, {}), list({5, 0})}, number("allowzero", 1)), floats({5, 0}, {}));
  CHECK(code_of("Reshape", {x, list({4, 2})}) == Code::kInvalid);
  CHECK(code_of("Reshape", {x, list({4, -1})}) == Code::kInvalid);
  CHECK(code_of("Reshape", {x, list({-1, -1})}) == Code::kInvalid);
  CHECK(code_of("Reshape", {x, list({INT64_MAX, 2})}) == Code::kInvalid);
}

TEST_CASE("shapes are flattened, squeezed, unsqueezed and told") {
  Tensor x = counted({2, 1, 3});
  check_equal(run_op("Flatten", {x}, number("axis", -1)), floats({2, 3}, {0, 1, 2, 3, 4, 5}));
  check_equal(run_op("Flatten", {x}, number("axis", 0)), floats({1, 6}, {0, 1, 2, 3, 4, 5}));
  check_equal(run_op("Squeeze", {x}), counted({2, 3}));
  check_equal(run_op("Squeeze", {x, list({-2})}), counted({2, 3}));
  CHECK(code_of("Squeeze", {x, list({0})}) == Code::kInvalid);
  check_equal(run_op("Unsqueeze", {x, list({4, 0})}), counted({1, 2, 1, 3, 1}));
  CHECK(code_of("Unsqueeze", {x, list({0, -5})}) == Code::kInvalid);
  check_equal(run_op("Shape", {x}), list({2, 1, 3}));
  check_equal(run_op("Shape", {x}, {{"start", int64_t{-2}}, {"end", int64_t{9}}}), list({1, 3}));
  check_equal(run_op("Shape", {x}, {{"start", int64_t{2}}, {"end", int64_t{1}}}), list({}));
  check_equal(run_op("Size", {x}), ints({}, {6}));
  check_equal(run_op("Identity", {x}), x);
}

TEST_CASE("Dropout drops nothing outside of training, and is refused where it would") {
  Tensor x = floats({2}, {1, 2});
  Result<std::vector<Tensor>> out = OneNode{"Dropout", {x, floats({}, {0.5})}, {}, 2}.run();
  REQUIRE(out);
  check_equal((*out)[0], x);
  check_equal((*out)[1], bools({2}, {1, 1}));
  check_equal(run_op("Dropout", {x, floats({}, {0}), bools({}, {1})}), x);
  CHECK(code_of("Dropout", {x, floats({}, {0.5}), bools({}, {1})}) == Code::kUnsupported);
  CHECK(code_of("Dropout", {x, std::nullopt, bools({}, {1})}) == Code::kUnsupported);
}

TEST_CASE("Transpose and the moves between depth and space") {
  check_equal(run_op("Transpose", {counted({2, 3})}), floats({3, 2}, {0, 3, 1, 4, 2, 5}));
  check_equal(run_op("Transpose", {i4({3, 1}, {1, -2, 3})}), i4({1, 3}, {1, -2, 3}));
  check_equal(run_op("Transpose", {counted({1, 2, 3})}, {{"perm", std::vector<int64_t>{1, 2, 0}}}), counted({2, 3, 1}));
  CHECK(code_of("Transpose", {counted({2, 3})}, {{"perm", std::vector<int64_t>{0, 0}}}) == Code::kInvalid);
  Tensor deep = counted({1, 8, 1, 1});
  Attributes by_two = number("blocksize", 2);
  check_equal(run_op("DepthToSpace", {deep}, by_two), floats({1, 2, 2, 2}, {0, 2, 4, 6, 1, 3, 5, 7}));
  by_two["mode"] = std::string("CRD");
  check_equal(run_op("DepthToSpace", {deep}, by_two), floats({1, 2, 2, 2}, {0, 1, 2, 3, 4, 5, 6, 7}));
  check_equal(run_op("SpaceToDepth", {floats({1, 2, 2, 2}, {0, 2, 4, 6, 1, 3, 5, 7})}, number("blocksize", 2)), deep);
  CHECK(code_of("DepthToSpace", {deep}, number("blocksize", 3)) == Code::kInvalid);
  CHECK(code_of("SpaceToDepth", {deep}, number("blocksize", 0)) == Code::kInvalid);
}

TEST_CASE("Concat and Split undo each other") {
  Tensor x = counted({2, 3});
  Result<std::vector<Tensor>> parts = OneNode{"Split", {x}, number("axis", 1), 2}.run();
  REQUIRE(parts);
  check_equal((*parts)[0], floats({2, 2}, {0, 1, 3, 4}));
  check_equal((*parts)[1], floats({2, 1}, {2, 5}));
  check_equal(run_op("Concat", {(*parts)[0], (*parts)[1]}, number("axis", -1)), x);
  parts = OneNode{"Split", {i4({5}, {1, 2, 3, 4, 5}), list({3, 0, 2})}, {}, 3}.run();
  REQUIRE(parts);
  check_equal((*parts)[2], i4({2}, {4, 5}));
  check_equal(run_op("Concat", {(*parts)[0], (*parts)[1], (*parts)[2]}, number("axis", 0)), i4({5}, {1, 2, 3, 4, 5}));
  CHECK(!OneNode{"Split", {x, list({1, 1})}, number("axis", 1), 2}.run().ok());
  CHECK(!OneNode{"Split", {x}, {}, 4}.run().ok());
  CHECK(code_of("Concat", {x, counted({3, 2})}, number("axis", 0)) == Code::kInvalid);
  CHECK(code_of("Concat", {x, std::nullopt}, number("axis", 0)) == Code::kInvalid);
}

TEST_CASE("Slice clamps its bounds, goes backwards and picks axes") {
  Tensor x = counted({2, 4});
  check_equal(run_op("Slice", {x, list({1}), list({100})}), floats({1, 4}, {4, 5, 6, 7}));
  check_equal(run_op("Slice", {x, list({-1}), list({-100}), list({1}), list({-2})}), floats({2, 2}, {3, 1, 7, 5}));
  check_equal(run_op("Slice", {x, list({INT64_MAX}), list({INT64_MIN}), list({-1}), list({-1})}),
              floats({2, 4}, {3, 2, 1, 0, 7, 6, 5, 4}));
  check_equal(run_op("Slice", {x, list({3}), list({1}), list({1})}), floats({2, 0}, {}));
  CHECK(code_of("Slice", {x, list({0}), list({1}), list({1}), list({0})}) == Code::kInvalid);
  CHECK(code_of("Slice", {x, list({0, 0}), list({1}), list({1})}) == Code::kInvalid);
}

TEST_CASE("Expand, Tile and Trilu") {
  check_equal(run_op("Expand", {floats({2, 1}, {1, 2}), list({3})}), floats({2, 3}, {1, 1, 1, 2, 2, 2}));
  check_equal(run_op("Expand", {floats({2, 3}, {1, 2, 3, 4, 5, 6}), list({1})}), floats({2, 3}, {1, 2, 3, 4, 5, 6}));
  CHECK(code_of("Expand", {floats({2}, {1, 2}), list({3})}) == Code::kInvalid);
  CHECK(code_of("Expand", {floats({1}, {1}), list({1 << 20, 1 << 10})}) == Code::kExhausted);
  check_equal(run_op("Tile", {floats({1, 2}, {1, 2}), list({2, 2})}), floats({2, 4}, {1, 2, 1, 2, 1, 2, 1, 2}));
  CHECK(code_of("Tile", {floats({1}, {1}), list({-1})}) == Code::kInvalid);
  Tensor x = counted({2, 3});
  check_equal(run_op("Trilu", {x}), floats({2, 3}, {0, 1, 2, 0, 4, 5}));
  check_equal(run_op("Trilu", {x, ints({}, {1})}, number("upper", 0)), floats({2, 3}, {0, 1, 0, 3, 4, 5}));
}

TEST_CASE("Pad in every mode, on chosen axes, and where a pad is negative") {
  Tensor x = floats({3}, {1, 2, 3});
  check_equal(run_op("Pad", {x, list({1, 2}), floats({}, {9})}), floats({6}, {9, 1, 2, 3, 9, 9}));
  check_equal(run_op("Pad", {x, list({3, 3})}, word("mode", "reflect")), floats({9}, {2, 3, 2, 1, 2, 3, 2, 1, 2}));
  check_equal(run_op("Pad", {x, list({2, 1})}, word("mode", "edge")), floats({6}, {1, 1, 1, 2, 3, 3}));
  check_equal(run_op("Pad", {x, list({2, 4})}, word("mode", "wrap")), floats({9}, {2, 3, 1, 2, 3, 1, 2, 3, 1}));
  check_equal(run_op("Pad", {x, list({-1, 1})}), floats({3}, {2, 3, 0}));
  check_equal(run_op("Pad", {counted({1, 2}), list({1, 0}), std::nullopt, list({-1})}), floats({1, 3}, {0, 0, 1}));
  CHECK(code_of("Pad", {x, list({1})}) == Code::kInvalid);
  CHECK(code_of("Pad", {x, list({-2, -2})}) == Code::kInvalid);
  CHECK(code_of("Pad", {floats({0}, {}), list({1, 1})}, word("mode", "edge")) == Code::kInvalid);
  CHECK(code_of("Pad", {x, list({1, 1})}, word("mode", "sideways")) == Code::kInvalid);
}

TEST_CASE("ReverseSequence turns the beginning of each sequence") {
  Tensor x = floats({2, 3}, {0, 1, 2, 3, 4, 5});
  check_equal(run_op("ReverseSequence", {x, list({3, 2})}, {{"batch_axis", int64_t{0}}, {"time_axis", int64_t{1}}}),
              floats({2, 3}, {2, 1, 0, 4, 3, 5}));
  check_equal(run_op("ReverseSequence", {x, list({2, 1, 0})}), floats({2, 3}, {3, 1, 2, 0, 4, 5}));
  CHECK(code_of("ReverseSequence", {x, list({3, 1, 0})}) == Code::kInvalid);
}

TEST_CASE("Gather and its relatives count negative indices from the end and refuse others") {
  Tensor x = counted({3, 2});
  check_equal(run_op("Gather", {x, ints({1, 2}, {-1, 0})}), floats({1, 2, 2}, {4, 5, 0, 1}));
  check_equal(run_op("Gather", {x, ints({}, {1})}, number("axis", 1)), floats({3}, {1, 3, 5}));
  CHECK(code_of("Gather", {x, list({3})}) == Code::kInvalid);
  CHECK(code_of("Gather", {x, floats({1}, {0})}) == Code::kInvalid);
  check_equal(run_op("GatherElements", {x, ints({1, 2}, {2, -2})}), floats({1, 2}, {4, 3}));
  CHECK(code_of("GatherElements", {x, ints({1, 3}, {0, 0, 0})}) == Code::kInvalid);
  check_equal(run_op("GatherND", {x, ints({2, 2}, {0, 1, -1, 0})}), floats({2}, {1, 4}));
  check_equal(run_op("GatherND", {x, ints({2, 1}, {1, 0})}), floats({2, 2}, {2, 3, 0, 1}));
  check_equal(run_op("GatherND", {x, ints({3, 1}, {1, 0, 1})}, number("batch_dims", 1)), floats({3}, {1, 2, 5}));
  CHECK(code_of("GatherND", {x, ints({1, 3}, {0, 0, 0})}) == Code::kInvalid);
  check_equal(run_op("Compress", {x, bools({2}, {0, 1})}, number("axis", 0)), floats({1, 2}, {2, 3}));
  check_equal(run_op("Compress", {x, bools({4}, {1, 0, 0, 1})}), floats({2}, {0, 3}));
}

TEST_CASE("scatters place updates one after the other, and combine them where asked") {
  Tensor x = floats({3}, {1, 2, 3}), at = list({1, -2}), updates = floats({2}, {5, 4});
  check_equal(run_op("ScatterElements", {x, at, updates}), floats({3}, {1, 4, 3}));
  check_equal(run_op("ScatterElements", {x, at, updates}, word("reduction", "add")), floats({3}, {1, 11, 3}));
  check_equal(run_op("ScatterElements", {x, at, updates}, word("reduction", "mul")), floats({3}, {1, 40, 3}));
  check_equal(run_op("ScatterElements", {x, at, updates}, word("reduction", "max")), floats({3}, {1, 5, 3}));
  check_equal(run_op("ScatterElements", {x, at, updates}, word("reduction", "min")), floats({3}, {1, 2, 3}));
  check_equal(run_op("ScatterElements", {counted({2, 2}), ints({1, 1}, {1}), floats({1, 1}, {9})}, number("axis", 1)),
              floats({2, 2}, {0, 9, 2, 3}));
  CHECK(code_of("ScatterElements", {x, list({3}), floats({1}, {0})}) == Code::kInvalid);
  CHECK(code_of("ScatterElements", {x, at, floats({1}, {0})}) == Code::kInvalid);
  check_equal(run_op("ScatterND", {counted({2, 2}), ints({1, 1}, {1}), floats({1, 2}, {8, 9})}),
              floats({2, 2}, {0, 1, 8, 9}));
  check_equal(run_op("ScatterND", {x, ints({2, 1}, {0, 0}), updates}, word("reduction", "add")),
              floats({3}, {10, 2, 3}));
  CHECK(code_of("ScatterND", {x, ints({1, 2}, {0, 0}), updates}) == Code::kInvalid);
  CHECK(code_of("ScatterND", {x, ints({1, 1}, {0}), updates}) == Code::kInvalid);
  Tensor cache = counted({2, 3, 1});
  check_equal(run_op("TensorScatter", {cache, floats({2, 2, 1}, {6, 7, 8, 9}), list({1, 2})}, word("mode", "circular")),
              floats({2, 3, 1}, {0, 6, 7, 9, 4, 8}));
  CHECK(code_of("TensorScatter", {cache, floats({2, 2, 1}, {6, 7, 8, 9}), list({1, 2})}) == Code::kInvalid);
}

}  // namespace oree
