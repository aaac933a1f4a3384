// SPDX-License-Identifier: Apache-2.0
#include "optimize/quantize/through.h"

#include <algorithm>
#include <cmath>

namespace oree {
namespace {

constexpr int kRatios = 32;  // of an end that are tried, and again around the best
constexpr int kRounds = 3;

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

RealFunction function_of_node(const Node& node) {
  if (node.is("Sigmoid")) return sigmoid;
  if (node.is("Tanh")) return [](double x) { return std::tanh(x); };
  if (node.is("HardSwish")) return [](double x) { return x * std::clamp(x / 6 + 0.5, 0.0, 1.0); };
  if (node.is("Swish") && node.real("alpha", 1) == 1) return [](double x) { return x * sigmoid(x); };
  if (node.is("Gelu")) return [](double x) { return 0.5 * x * (1 + std::erf(x * std::sqrt(0.5))); };
  if (node.is("Relu")) return [](double x) { return std::max(x, 0.0); };
  if (node.is("HardSigmoid")) {
    double alpha = static_cast<double>(node.real("alpha", 0.2F)), beta = static_cast<double>(node.real("beta", 0.5F));
    return [=](double x) { return std::clamp(alpha * x + beta, 0.0, 1.0); };
  }
  if (node.is("Elu")) {
    double alpha = static_cast<double>(node.real("alpha", 1));
    return [=](double x) { return x < 0 ? alpha * (std::exp(x) - 1) : x; };
  }
  return {};
}

// x * Sigmoid(x), as two nodes.
bool is_swish(const Graph& graph, ValueId value, const Node& gate, const Node& product) {
  if (!gate.is("Sigmoid") || !product.is("Mul")) return false;
  ValueId s = gate.outputs[0];
  bool both =
      (product.input(0) == value && product.input(1) == s) || (product.input(1) == value && product.input(0) == s);
  return both && graph.value(s).users.size() == 1 && !graph.is_output(s);
}

// Errors of ranges, over the bins that hold something.
class Through {
 public:
  Through(const Histogram& h, const IntegerGrid& grid, const RealFunction& function)
      : grid_(grid), function_(function) {
    for (int b = 0; b < Histogram::kBins; ++b) {
      uint64_t count = h.bins()[static_cast<size_t>(b)];
      if (count == 0) continue;
      double middle = std::clamp(h.edge(b) + h.width() / 2, h.min(), h.max());
      reals_.push_back(middle);
      counts_.push_back(static_cast<double>(count));
      wanted_.push_back(function(middle));
    }
  }

  double error(Range range) const {
    Affine affine = affine_for(range, grid_);
    double sum = 0;
    int64_t last = grid_.low - 1;
    double found = 0;
    for (size_t i = 0; i < reals_.size(); ++i) {
      int64_t q = to_integer(reals_[i], affine, grid_);
      if (q != last) found = function_(to_real(last = q, affine));  // reals rise, so levels do
      sum += counts_[i] * (found - wanted_[i]) * (found - wanted_[i]);
    }
    return sum;
  }

 private:
  const IntegerGrid& grid_;
  const RealFunction& function_;
  std::vector<double> reals_, counts_, wanted_;
};

}  // namespace

RealFunction function_of(const Graph& graph, ValueId value) {
  const std::vector<NodeId>& users = graph.value(value).users;
  if (users.empty() || graph.is_output(value)) return {};
  if (users.size() == 1) return function_of_node(graph.node(users[0]));
  if (users.size() != 2) return {};
  const Node &a = graph.node(users[0]), &b = graph.node(users[1]);
  if (is_swish(graph, value, a, b) || is_swish(graph, value, b, a)) return [](double x) { return x * sigmoid(x); };
  return {};
}

Range least_error_through(const Histogram& histogram, const IntegerGrid& grid, const RealFunction& function) {
  if (histogram.empty()) return {};
  Through through(histogram, grid, function);
  Range best{std::min(histogram.min(), 0.0), std::max(histogram.max(), 0.0)};
  const Range all = best;
  double least = through.error(best);
  auto attempt = [&](Range r) {
    double e = through.error(r);
    if (e >= least) return;
    least = e;
    best = r;
  };
  if (grid.symmetric) {
    double size = std::max(-all.low, all.high);
    for (int k = 1; k < kRatios; ++k) attempt({-size * k / kRatios, size * k / kRatios});
    return {std::max(best.low, all.low), std::min(best.high, all.high)};
  }
  // One end after the other, each time more finely around what is best.
  double low_step = -all.low / kRatios, high_step = all.high / kRatios;
  for (int round = 0; round < kRounds; ++round) {
    double low = best.low, high = best.high;
    for (int k = -kRatios; k <= kRatios; ++k) attempt({std::clamp(low + k * low_step, all.low, 0.0), best.high});
    for (int k = -kRatios; k <= kRatios; ++k) attempt({best.low, std::clamp(high + k * high_step, 0.0, all.high)});
    if (round > 0) {
      low_step /= 4;
      high_step /= 4;
    }
  }
  return best;
}

}  // namespace oree
