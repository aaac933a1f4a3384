// SPDX-License-Identifier: Apache-2.0
#include "optimize/quantize/through.h"

#include "optimize/quantize/graph_fixture.h"

namespace oree {
namespace {

struct Shown {
  const char* name;
  RealFunction function;
};

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

// Written here from their definitions, not taken from function_of().
std::vector<Shown> functions() {
  return {{"Sigmoid", sigmoid},
          {"Swish", [](double x) { return x * sigmoid(x); }},
          {"HardSwish", [](double x) { return x * std::min(std::max(x + 3, 0.0), 6.0) / 6; }},
          {"Tanh", [](double x) { return std::tanh(x); }},
          {"Gelu", [](double x) { return x * std::erfc(-x / std::sqrt(2.0)) / 2; }},
          {"Relu", [](double x) { return x > 0 ? x : 0; }},
          {"HardSigmoid", [](double x) { return std::min(std::max(0.2 * x + 0.5, 0.0), 1.0); }},
          {"Elu", [](double x) { return x > 0 ? x : std::expm1(x); }}};
}

Graph graph_of(const char* op) {
  Graph g;
  ValueId x = g.add_input("x", Dtype::kFloat32, Dims{4});
  g.add_output(g.add(op, {x}));
  return g;
}

// Mean squared error behind the function, of the values themselves and not of a histogram.
double error_behind(const std::vector<float>& values, const Affine& affine, const IntegerGrid& grid,
                    const RealFunction& function) {
  double sum = 0;
  for (float v : values) {
    double d =
        function(to_real(to_integer(static_cast<double>(v), affine, grid), affine)) - function(static_cast<double>(v));
    sum += d * d;
  }
  return sum / static_cast<double>(values.size());
}

TensorStatistics seen(const std::vector<float>& values) {
  TensorStatistics s;
  s.histogram.add(values);
  s.samples = 1;
  return s;
}

}  // namespace

TEST_CASE("the function of a value's only user is the operator's as it is defined") {
  for (const Shown& shown : functions()) {
    CAPTURE(shown.name);
    Graph g = graph_of(shown.name);
    RealFunction found = function_of(g, g.main().inputs[0]);
    REQUIRE(found);
    for (double x = -8; x <= 8; x += 0.37) CHECK(found(x) == doctest::Approx(shown.function(x)).epsilon(1e-6));
  }
}

TEST_CASE("x * Sigmoid(x) is one function, in either order") {
  for (bool turned : {false, true}) {
    Graph g;
    ValueId x = g.add_input("x", Dtype::kFloat32, Dims{4});
    ValueId s = g.add("Sigmoid", {x});
    g.add_output(turned ? g.add("Mul", {s, x}) : g.add("Mul", {x, s}));
    RealFunction found = function_of(g, x);
    REQUIRE(found);
    CHECK(found(1.5) == doctest::Approx(1.5 * sigmoid(1.5)));
  }
}

TEST_CASE("there is no function where somebody sees the value itself, or another operator does") {
  auto refused = [](auto make) {
    Graph g;
    ValueId x = g.add_input("x", Dtype::kFloat32, Dims{4});
    make(g, x);
    return !function_of(g, x);
  };
  CHECK(refused([](Graph&, ValueId) {}));
  CHECK(refused([](Graph& g, ValueId x) { g.add_output(g.add("Exp", {x})); }));
  CHECK(refused([](Graph& g, ValueId x) { g.add_output(g.add("Swish", {x}, {{"alpha", 1.7f}})); }));
  CHECK(refused([](Graph& g, ValueId x) { g.add_output(g.add("Add", {x, g.add("Sigmoid", {x})})); }));
  CHECK(refused([](Graph& g, ValueId x) {
    g.add_output(g.add("Sigmoid", {x}));
    g.add_output(x);
  }));
  CHECK(refused([](Graph& g, ValueId x) {  // a third user
    g.add_output(g.add("Mul", {x, g.add("Sigmoid", {x})}));
    g.add_output(g.add("Exp", {x}));
  }));
  CHECK(refused([](Graph& g, ValueId x) {  // the gate is seen, too
    ValueId s = g.add("Sigmoid", {x});
    g.add_output(g.add("Mul", {x, s}));
    g.add_output(s);
  }));
  CHECK(refused([](Graph& g, ValueId x) {  // another value is gated
    ValueId other = g.add_input("y", Dtype::kFloat32, Dims{4});
    g.add_output(g.add("Mul", {other, g.add("Sigmoid", {x})}));
    g.add_output(g.add("Exp", {x}));
  }));
  CHECK(refused([](Graph& g, ValueId x) {  // an operator of that name, of somebody else
    Node node;
    node.op = "Sigmoid";
    node.domain = "theirs";
    node.inputs = {x};
    node.outputs = {g.add_value("y")};
    g.add_output(node.outputs[0]);
    g.add_node(std::move(node));
  }));
}

TEST_CASE("behind the function the error is at most that of the range chosen by the error before it") {
  for (const std::vector<float>& values :
       {normal_values(20000, 1, 3), laplace_values(20000, 2, 2), normal_values(20000, 3, 0.2f)}) {
    const TensorStatistics statistics = seen(values);
    for (const IntegerGrid& grid : {int8_grid(), uint8_grid(), symmetric_int8_grid()}) {
      for (const Shown& shown : functions()) {
        CAPTURE(shown.name);
        Range range = least_error_through(statistics.histogram, grid, shown.function);
        double found = error_behind(values, affine_for(range, grid), grid, shown.function);
        Range plain = choose_range(statistics, grid, {RangeMethod::kMse});
        double before = error_behind(values, affine_for(plain, grid), grid, shown.function);
        // The histogram has bins, and the tries are steps: what they miss is a few parts of a hundred.
        CHECK(found <= before * 1.05);
      }
    }
  }
}

TEST_CASE("a SiLU's long flat side is cut, and its error falls to less than half") {
  // Far below 0, as what comes before a SiLU is.
  std::vector<float> values = normal_values(20000, 4, 1.5f);
  for (size_t i = 0; i < values.size(); i += 4) values[i] -= 25;
  const TensorStatistics statistics = seen(values);
  RealFunction silu = functions()[1].function;
  const IntegerGrid grid = uint8_grid();
  Range range = least_error_through(statistics.histogram, grid, silu);
  CHECK(range.low > -12);
  CHECK(range.high > 0.8 * statistics.histogram.max());
  Range plain = choose_range(statistics, grid, {RangeMethod::kMse});
  CHECK(error_behind(values, affine_for(range, grid), grid, silu) <
        0.5 * error_behind(values, affine_for(plain, grid), grid, silu));
}

TEST_CASE("the range holds 0 and goes no further than what was seen; nothing seen is no range") {
  RealFunction silu = functions()[1].function;
  CHECK(least_error_through(Histogram(), uint8_grid(), silu) == Range{});
  for (const IntegerGrid& grid : {uint8_grid(), symmetric_int8_grid()}) {
    for (float side : {-1.0f, 1.0f}) {
      std::vector<float> values = normal_values(1000, 5);
      for (float& v : values) v = side * (2 + std::abs(v));
      Histogram h = seen(values).histogram;
      Range r = least_error_through(h, grid, silu);
      CHECK(r.low <= 0);
      CHECK(r.high >= 0);
      CHECK(r.low >= std::min(h.min(), 0.0));
      CHECK(r.high <= std::max(h.max(), 0.0));
    }
  }
}

}  // namespace oree
