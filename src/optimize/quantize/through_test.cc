// SPDX-License-Identifier: Apache-2.0
#include "optimize/quantize/through.h"

#include "optimize/quantize/graph_fixture.h"

namespace oree {
namespace {

double silu(double x) { return x / (1 + std::exp(-x)); }

double error_through(const std::vector<float>& values, Range range, const RealFunction& f) {
  Affine affine = affine_for(range, uint8_grid());
  double sum = 0;
  for (float x : values) {
    double gap = f(to_real(to_integer(x, affine, uint8_grid()), affine)) - f(x);
    sum += gap * gap;
  }
  return sum;
}

TEST_CASE("the range before a SiLU is better behind it than the one of least error before it") {
  TensorStatistics seen;
  std::vector<float> values = laplace_values(20000, 3, 3);
  seen.histogram.add(values);
  Range plain = choose_range(seen, uint8_grid(), {});
  Range found = least_error_through(seen.histogram, uint8_grid(), silu);
  CHECK(error_through(values, found, silu) < 0.8 * error_through(values, plain, silu));
  CHECK(found.low > plain.low);  // the flat side is cut
}

TEST_CASE("a function's range is never worse than all that was seen") {
  TensorStatistics seen;
  std::vector<float> values = normal_values(5000, 9, 6);
  seen.histogram.add(values);
  Range all{seen.histogram.min(), seen.histogram.max()};
  for (const RealFunction& f : {RealFunction([](double x) { return 1 / (1 + std::exp(-x)); }),
                                RealFunction([](double x) { return x * std::clamp(x / 6 + 0.5, 0.0, 1.0); }),
                                RealFunction([](double x) { return std::tanh(x); }), RealFunction(silu)}) {
    Range found = least_error_through(seen.histogram, uint8_grid(), f);
    CHECK(error_through(values, found, f) <= 1.02 * error_through(values, all, f));
  }
}

struct Gated {
  Graph g;
  ValueId x = kNoValue, gate = kNoValue, y = kNoValue;
};

Gated gated() {
  Gated n;
  ValueId in = n.g.add_input("in", Dtype::kFloat32, to_dims({1, 4}));
  n.x = n.g.add("Abs", {in});
  n.gate = n.g.add("Sigmoid", {n.x});
  n.y = n.g.add("Mul", {n.x, n.gate});
  n.g.add_output(n.y);
  return n;
}

TEST_CASE("x times its sigmoid is known as a SiLU; with another user, or as an output, a value is none") {
  Gated n = gated();
  RealFunction f = function_of(n.g, n.x);
  REQUIRE(f);
  CHECK(f(2) == doctest::Approx(silu(2)));
  Gated used = gated();
  used.g.add_output(used.g.add("Neg", {used.x}));
  CHECK_FALSE(function_of(used.g, used.x));
  Gated shown = gated();
  shown.g.add_output(shown.x);
  CHECK_FALSE(function_of(shown.g, shown.x));
  Gated leaky = gated();
  leaky.g.add_output(leaky.gate);  // the gate itself is wanted, too
  CHECK_FALSE(function_of(leaky.g, leaky.x));
}

}  // namespace
}  // namespace oree
