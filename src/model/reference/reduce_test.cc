// SPDX-License-Identifier: Apache-2.0
// Reductions, softmax and losses. Expected values: by hand, or numpy's.
#include <limits>

#include "model/reference/kernel_fixture.h"

namespace oree {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
Tensor i8(Shape shape, const std::vector<double>& values) { return tensor_of(Dtype::kInt8, std::move(shape), values); }
Attributes number(const std::string& name, int64_t value) { return {{name, value}}; }

}  // namespace

TEST_CASE("reductions over some axes, with and without keeping them") {
  Tensor x = floats({2, 3}, {1, -2, 3, 4, 5, -6});
  check_equal(run_op("ReduceSum", {x, list({1})}), floats({2, 1}, {2, 3}));
  check_equal(run_op("ReduceSum", {x, list({-2})}, number("keepdims", 0)), floats({3}, {5, 3, -3}));
  check_equal(run_op("ReduceSum", {x}, number("keepdims", 0)), floats({}, {5}));
  check_equal(run_op("ReduceMean", {x, list({1})}), floats({2, 1}, {2.0 / 3, 1}));
  check_equal(run_op("ReduceMax", {x, list({0, 1})}), floats({1, 1}, {5}));
  check_equal(run_op("ReduceMin", {x, list({1})}), floats({2, 1}, {-2, -6}));
  check_equal(run_op("ReduceProd", {x, list({1})}), floats({2, 1}, {-6, -120}));
  check_equal(run_op("ReduceL1", {x, list({1})}), floats({2, 1}, {6, 15}));
  check_near(run_op("ReduceL2", {x, list({1})}), floats({2, 1}, {3.7416574, 8.7749644}));
  check_equal(run_op("ReduceSumSquare", {x, list({1})}), floats({2, 1}, {14, 77}));
  check_near(run_op("ReduceLogSum", {x, list({1})}), floats({2, 1}, {0.6931472, 1.0986123}));
  check_near(run_op("ReduceLogSumExp", {x, list({1})}), floats({2, 1}, {3.1328452, 5.3132737}));
  CHECK(code_of("ReduceSum", {x, list({2})}) == Code::kInvalid);
  CHECK(code_of("ReduceSum", {x, list({0, -2})}) == Code::kInvalid);
}

TEST_CASE("no axes mean all, or none where the attribute says so, and then the rest of the operator remains") {
  Tensor x = floats({2}, {-3, 2});
  check_equal(run_op("ReduceSumSquare", {x, list({})}), floats({1}, {13}));
  check_equal(run_op("ReduceSumSquare", {x, list({})}, number("noop_with_empty_axes", 1)), floats({2}, {9, 4}));
  check_equal(run_op("ReduceL1", {x}, number("noop_with_empty_axes", 1)), floats({2}, {3, 2}));
}

TEST_CASE("integers are reduced as integers and wrap") {
  Tensor x = i8({3}, {100, 27, 2});
  check_equal(run_op("ReduceSum", {x}), i8({1}, {-127}));
  check_equal(run_op("ReduceMean", {i8({2}, {-3, -4})}), i8({1}, {-3}));
  check_equal(run_op("ReduceMax", {bools({2}, {0, 1})}), bools({1}, {1}));
  check_equal(run_op("ReduceMin", {bools({2}, {0, 1})}), bools({1}, {0}));
  CHECK(run_op("ReduceSum", {ints({2}, {INT64_MAX, 1})}).as<int64_t>()[0] == INT64_MIN);
  CHECK(run_op("ReduceMax", {ints({2}, {INT64_MAX, INT64_MAX - 1})}).as<int64_t>()[0] == INT64_MAX);
}

TEST_CASE("a reduction of nothing is its neutral element") {
  Tensor none = floats({0, 2}, {});
  check_equal(run_op("ReduceSum", {none, list({0})}), floats({1, 2}, {0, 0}));
  check_equal(run_op("ReduceProd", {none, list({0})}), floats({1, 2}, {1, 1}));
  check_equal(run_op("ReduceMax", {none, list({0})}), floats({1, 2}, {-kInf, -kInf}));
  check_equal(run_op("ReduceMin", {i8({0}, {})}), i8({1}, {127}));
  check_equal(run_op("ReduceMax", {i8({0}, {})}), i8({1}, {-128}));
  check_equal(run_op("ReduceMax", {bools({0}, {})}), bools({1}, {0}));
  check_equal(run_op("ReduceLogSumExp", {none, list({0})}), floats({1, 2}, {-kInf, -kInf}));
  check_equal(run_op("ReduceMean", {none, list({0})}), floats({1, 2}, {NAN, NAN}));
  CHECK(code_of("ReduceMean", {i8({0}, {})}) == Code::kInvalid);
}

TEST_CASE("sums of reals do not lose what float cannot hold on the way") {
  check_equal(run_op("ReduceSum", {floats({3}, {1e8, 1, -1e8})}), floats({1}, {1}));
  check_near(run_op("ReduceLogSumExp", {floats({2}, {1000, 1000})}), floats({1}, {1000.6931472}), 1e-4);
  check_equal(run_op("ReduceLogSumExp", {floats({2}, {kInf, 1})}), floats({1}, {kInf}));
  check_equal(run_op("ReduceMax", {floats({3}, {1, NAN, 2})}), floats({1}, {NAN}));
}

TEST_CASE("ArgMax and ArgMin choose the first of equals, or the last, and NaN before all") {
  Tensor x = floats({2, 3}, {1, 3, 3, 2, 0, 0});
  check_equal(run_op("ArgMax", {x}, number("axis", 1)), ints({2, 1}, {1, 0}));
  check_equal(run_op("ArgMax", {x}, {{"axis", int64_t{1}}, {"select_last_index", int64_t{1}}}), ints({2, 1}, {2, 0}));
  check_equal(run_op("ArgMin", {x}, {{"axis", int64_t{-1}}, {"keepdims", int64_t{0}}}), ints({2}, {0, 1}));
  check_equal(run_op("ArgMin", {x}), ints({1, 3}, {0, 1, 1}));
  check_equal(run_op("ArgMax", {floats({3}, {1, NAN, 9})}), ints({1}, {1}));
  CHECK(code_of("ArgMax", {floats({0}, {})}) == Code::kInvalid);
}

TEST_CASE("running sums and products go either way, with or without the element itself") {
  Tensor x = floats({2, 3}, {1, 2, 3, 4, 5, 6});
  check_equal(run_op("CumSum", {x, ints({}, {1})}), floats({2, 3}, {1, 3, 6, 4, 9, 15}));
  check_equal(run_op("CumSum", {x, ints({}, {-2})}), floats({2, 3}, {1, 2, 3, 5, 7, 9}));
  check_equal(run_op("CumSum", {x, list({1})}, number("exclusive", 1)), floats({2, 3}, {0, 1, 3, 0, 4, 9}));
  check_equal(run_op("CumSum", {x, list({1})}, number("reverse", 1)), floats({2, 3}, {6, 5, 3, 15, 11, 6}));
  check_equal(run_op("CumProd", {x, list({1})}, {{"exclusive", int64_t{1}}, {"reverse", int64_t{1}}}),
              floats({2, 3}, {6, 3, 1, 30, 6, 1}));
  CHECK(code_of("CumSum", {x, list({2})}) == Code::kInvalid);
}

TEST_CASE("softmax along any axis, whatever the size of the numbers") {
  Tensor x = floats({2, 2}, {0, 1, 1000, 1000});
  check_near(run_op("Softmax", {x}), floats({2, 2}, {0.2689414, 0.7310586, 0.5, 0.5}));
  check_near(run_op("Softmax", {x}, number("axis", 0)), floats({2, 2}, {0, 0, 1, 1}));
  check_near(run_op("LogSoftmax", {x}), floats({2, 2}, {-1.3132617, -0.3132617, -0.6931472, -0.6931472}));
  check_equal(run_op("Hardmax", {x}), floats({2, 2}, {0, 1, 1, 0}));
  check_equal(run_op("Softmax", {floats({}, {3})}), floats({}, {1}));
  CHECK(code_of("Softmax", {x}, number("axis", 2)) == Code::kInvalid);
  CHECK(code_of("Softmax", {i8({1}, {1})}) == Code::kInvalid);
}

TEST_CASE("losses weigh classes, ignore one and are reduced in three ways") {
  Tensor log_p = floats({3, 2}, {-1, -2, -3, -4, -5, -6}), target = ints({3}, {0, 1, 1}), weight = floats({2}, {1, 3});
  auto with = [](const char* reduction) { return Attributes{{"reduction", std::string(reduction)}}; };
  check_near(run_op("NegativeLogLikelihoodLoss", {log_p, target}), floats({}, {11.0 / 3}));
  check_near(run_op("NegativeLogLikelihoodLoss", {log_p, target, weight}), floats({}, {31.0 / 7}));
  check_near(run_op("NegativeLogLikelihoodLoss", {log_p, target, weight}, with("sum")), floats({}, {31}));
  check_near(run_op("NegativeLogLikelihoodLoss", {log_p, target}, with("none")), floats({3}, {1, 4, 6}));
  check_near(run_op("NegativeLogLikelihoodLoss", {log_p, ints({3}, {0, 9, 1})}, number("ignore_index", 9)),
             floats({}, {3.5}));
  CHECK(code_of("NegativeLogLikelihoodLoss", {log_p, ints({3}, {0, 9, 1})}) == Code::kInvalid);
  CHECK(code_of("NegativeLogLikelihoodLoss", {log_p, ints({2}, {0, 1})}) == Code::kInvalid);
  Result<std::vector<Tensor>> out =
      OneNode{"SoftmaxCrossEntropyLoss", {floats({1, 2, 1}, {0, 1}), ints({1, 1}, {1})}, {}, 2}.run();
  REQUIRE(out);
  check_near((*out)[0], floats({}, {0.3132617}));
  check_near((*out)[1], floats({1, 2, 1}, {-1.3132617, -0.3132617}));
}

}  // namespace oree
