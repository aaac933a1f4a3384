// SPDX-License-Identifier: Apache-2.0
// Elementwise mathematics: unary_math.cc, activations.cc, arithmetic.cc. Expected values: by hand, or numpy's.
#include <limits>

#include "model/reference/kernel.h"
#include "model/reference/kernel_fixture.h"

namespace oree {
namespace {

Tensor i8(Shape shape, const std::vector<double>& values) { return tensor_of(Dtype::kInt8, std::move(shape), values); }
Tensor u8(Shape shape, const std::vector<double>& values) { return tensor_of(Dtype::kUint8, std::move(shape), values); }
constexpr double kInf = std::numeric_limits<double>::infinity();

}  // namespace

TEST_CASE("functions of one real") {
  Tensor x = floats({5}, {-2, -0.5, 0, 0.5, 2});
  check_near(run_op("Sigmoid", {x}), floats({5}, {0.1192029, 0.3775407, 0.5, 0.6224593, 0.8807971}));
  check_near(run_op("Softplus", {x}), floats({5}, {0.1269280, 0.4740769, 0.6931472, 0.9740770, 2.1269280}));
  check_near(run_op("Softsign", {x}), floats({5}, {-0.6666667, -0.3333333, 0, 0.3333333, 0.6666667}));
  check_near(run_op("Mish", {x}), floats({5}, {-0.2525015, -0.2207440, 0, 0.3752452, 1.9439590}));
  check_near(run_op("HardSwish", {x}), floats({5}, {-0.3333333, -0.2083333, 0, 0.2916667, 1.6666667}));
  check_near(run_op("Erf", {x}), floats({5}, {-0.9953223, -0.5204999, 0, 0.5204999, 0.9953223}));
  check_near(run_op("Round", {floats({6}, {0.5, 1.5, 2.5, -0.5, -1.5, 2.6})}), floats({6}, {0, 2, 2, 0, -2, 3}));
  check_near(run_op("Softplus", {floats({2}, {1000, -1000})}), floats({2}, {1000, 0}));
  check_near(run_op("Sigmoid", {floats({3}, {1000, -1000, NAN})}), floats({3}, {1, 0, NAN}));
  CHECK(code_of("Exp", {i8({1}, {1})}) == Code::kInvalid);
}

TEST_CASE("float16 is computed in float and rounded once, float64 in double") {
  Tensor x = tensor_of(Dtype::kFloat16, {2}, {0.1, 3});
  double tenth = x.to_doubles()[0];
  check_equal(run_op("Exp", {x}), tensor_of(Dtype::kFloat16, {2}, {std::exp(tenth), std::exp(3.0)}));
  check_equal(run_op("Exp", {tensor_of(Dtype::kFloat64, {1}, {0.1})}),
              tensor_of(Dtype::kFloat64, {1}, {std::exp(0.1)}));
}

TEST_CASE("Abs, Neg, Sign and Relu take integers, which wrap") {
  check_equal(run_op("Abs", {i8({3}, {-128, -3, 4})}), i8({3}, {-128, 3, 4}));
  check_equal(run_op("Neg", {i8({3}, {-128, -3, 4})}), i8({3}, {-128, 3, -4}));
  check_equal(run_op("Sign", {i8({3}, {-128, 0, 4})}), i8({3}, {-1, 0, 1}));
  check_equal(run_op("Relu", {i8({3}, {-128, 0, 4})}), i8({3}, {0, 0, 4}));
  check_equal(run_op("Sign", {floats({3}, {-0.5, 0, NAN})}), floats({3}, {-1, 0, NAN}));
  CHECK(run_op("Abs", {ints({1}, {INT64_MIN})}).as<int64_t>()[0] == INT64_MIN);
}

TEST_CASE("activations use their parameters and the specified defaults") {
  Tensor x = floats({5}, {-2, -0.5, 0, 0.5, 2});
  auto alpha = [](float a) { return Attributes{{"alpha", a}}; };
  check_near(run_op("Celu", {x}, alpha(2)), floats({5}, {-1.2642411, -0.4423984, 0, 0.5, 2}));
  check_near(run_op("Elu", {x}, alpha(2)), floats({5}, {-1.7293294, -0.7869387, 0, 0.5, 2}));
  check_near(run_op("Selu", {x}), floats({5}, {-1.5201665, -0.6917582, 0, 0.5253505, 2.1014020}));
  check_near(run_op("Gelu", {x}), floats({5}, {-0.0455003, -0.1542688, 0, 0.3457312, 1.9544997}));
  check_near(run_op("Gelu", {x}, {{"approximate", std::string("tanh")}}),
             floats({5}, {-0.0454023, -0.1542860, 0, 0.3457140, 1.9545977}));
  check_near(run_op("HardSigmoid", {x}), floats({5}, {0.1, 0.4, 0.5, 0.6, 0.9}));
  check_near(run_op("LeakyRelu", {x}), floats({5}, {-0.02, -0.005, 0, 0.5, 2}));
  check_near(run_op("ThresholdedRelu", {x}), floats({5}, {0, 0, 0, 0, 2}));
  check_near(run_op("Swish", {x}, alpha(2)), floats({5}, {-0.0359724, -0.1344707, 0, 0.3655293, 1.9640276}));
  check_near(run_op("Shrink", {x}, {{"bias", 0.25f}}), floats({5}, {-1.75, 0, 0, 0, 1.75}));
  check_equal(run_op("Shrink", {i8({3}, {-2, 0, 2})}, {{"bias", 1.0f}}), i8({3}, {-1, 0, 1}));
  check_near(run_op("PRelu", {floats({1, 2, 2}, {-1, 1, -2, -3}), floats({2, 1}, {0.5, 2})}),
             floats({1, 2, 2}, {-0.5, 1, -4, -6}));
  CHECK(code_of("PRelu", {floats({2}, {1, 2}), floats({2, 1}, {1, 2})}) == Code::kInvalid);
}

TEST_CASE("integer arithmetic wraps, and divides towards zero") {
  check_equal(run_op("Add", {i8({2}, {127, 1}), i8({1}, {1})}), i8({2}, {-128, 2}));
  check_equal(run_op("Sub", {u8({2}, {0, 3}), u8({}, {1})}), u8({2}, {255, 2}));
  check_equal(run_op("Mul", {i8({1}, {100}), i8({1}, {3})}), i8({1}, {44}));
  check_equal(run_op("Div", {i8({4}, {-7, 7, -128, 9}), i8({4}, {2, -2, -1, 3})}), i8({4}, {-3, -3, -128, 3}));
  CHECK(run_op("Div", {ints({1}, {INT64_MIN}), ints({1}, {-1})}).as<int64_t>()[0] == INT64_MIN);
  Tensor most = tensor_of(Dtype::kUint64, {1}, {0x1p63}), two = tensor_of(Dtype::kUint64, {1}, {2});
  check_equal(run_op("Div", {most, two}), tensor_of(Dtype::kUint64, {1}, {0x1p62}));
  CHECK(code_of("Div", {i8({2}, {1, 2}), i8({2}, {1, 0})}) == Code::kInvalid);
  CHECK(code_of("Add", {i8({1}, {1}), u8({1}, {1})}) == Code::kInvalid);
  CHECK(code_of("Add", {bools({1}, {1}), bools({1}, {1})}) == Code::kInvalid);
  check_equal(run_op("Div", {floats({3}, {1, -1, 0}), floats({}, {0})}), floats({3}, {kInf, -kInf, NAN}));
}

TEST_CASE("Mod follows the divisor's sign, with fmod the dividend's") {
  Tensor a = i8({5}, {-7, 7, -7, 7, -128}), b = i8({5}, {3, -3, -3, 3, -1});
  check_equal(run_op("Mod", {a, b}), i8({5}, {2, -2, -1, 1, 0}));
  check_equal(run_op("Mod", {a, b}, {{"fmod", int64_t{1}}}), i8({5}, {-1, 1, -1, 1, 0}));
  CHECK(run_op("Mod", {ints({1}, {INT64_MIN}), ints({1}, {-1})}).as<int64_t>()[0] == 0);
  check_near(run_op("Mod", {floats({2}, {-7.5, 7.5}), floats({}, {2})}, {{"fmod", int64_t{1}}}),
             floats({2}, {-1.5, 1.5}));
  check_near(run_op("Mod", {floats({4}, {-7.5, 7.5, -1, NAN}), floats({4}, {2, -2, kInf, 1})}),
             floats({4}, {0.5, -0.5, kInf, NAN}));
  CHECK(code_of("Mod", {i8({1}, {1}), i8({1}, {0})}) == Code::kInvalid);
}

TEST_CASE("Pow keeps the base's type and takes any exponent") {
  check_equal(run_op("Pow", {i8({3}, {2, -3, 3}), ints({3}, {6, 3, 5})}), i8({3}, {64, -27, -13}));
  check_equal(run_op("Pow", {ints({4}, {1, -1, -1, 2}), ints({4}, {-3, -3, -2, -1})}), ints({4}, {1, -1, 1, 0}));
  check_equal(run_op("Pow", {ints({1}, {2}), floats({1}, {0.5})}), ints({1}, {1}));
  check_near(run_op("Pow", {floats({2}, {4, 0.5}), floats({}, {0.5})}), floats({2}, {2, 0.70710678}));
  check_near(run_op("Pow", {floats({2}, {4, 0.5}), i8({}, {-2})}), floats({2}, {0.0625, 4}));
  CHECK(code_of("Pow", {ints({1}, {0}), ints({1}, {-1})}) == Code::kInvalid);
}

TEST_CASE("Max, Min, Sum and Mean take any number of inputs, and NaN wins") {
  Tensor a = floats({2, 1}, {1, NAN}), b = floats({2}, {0, 3}), c = floats({}, {2});
  check_equal(run_op("Max", {a, b, c}), floats({2, 2}, {2, 3, NAN, NAN}));
  check_equal(run_op("Min", {c, b, a}), floats({2, 2}, {0, 1, NAN, NAN}));
  check_equal(run_op("Sum", {b, c, c}), floats({2}, {4, 7}));
  check_near(run_op("Mean", {b, c, c}), floats({2}, {1.3333333, 2.3333333}));
  check_equal(run_op("Max", {c}), c);
  check_equal(run_op("Max", {u8({2}, {255, 1}), u8({}, {2})}), u8({2}, {255, 2}));
  CHECK(code_of("Sum", {a, std::nullopt, b}) == Code::kInvalid);
}

TEST_CASE("Clip bounds on either side, and max wins over min") {
  Tensor x = i8({3}, {-5, 0, 5});
  check_equal(run_op("Clip", {x, i8({}, {-1}), i8({}, {3})}), i8({3}, {-1, 0, 3}));
  check_equal(run_op("Clip", {x, std::nullopt, i8({}, {3})}), i8({3}, {-5, 0, 3}));
  check_equal(run_op("Clip", {x, i8({}, {1})}), i8({3}, {1, 1, 5}));
  check_equal(run_op("Clip", {x}), x);
  check_equal(run_op("Clip", {x, i8({}, {4}), i8({}, {2})}), i8({3}, {2, 2, 2}));
  check_equal(run_op("Clip", {floats({1}, {NAN}), floats({}, {0})}), floats({1}, {NAN}));
  CHECK(code_of("Clip", {x, i8({2}, {1, 2})}) == Code::kInvalid);
}

}  // namespace oree
