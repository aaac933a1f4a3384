// SPDX-License-Identifier: Apache-2.0
// Softmax and its relatives along one axis, and the losses made of them. Reals are computed in double, rounded once.
#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "model/reference/elementwise.h"
#include "model/reference/kernel_tables.h"

namespace oree {
namespace {

// One line of a tensor along an axis.
struct Line {
  int64_t first;
  int64_t step;
  int64_t length;
  int64_t at(int64_t k) const { return first + k * step; }
};

template <typename F>
void each_line(const AxisView& v, F f) {
  for (int64_t i = 0; v.length > 0 && i < v.outer * v.inner; ++i) {
    f(Line{i / v.inner * v.length * v.inner + i % v.inner, v.inner, v.length});
  }
}

Result<AxisView> soft_axis(const KernelCall& call) {
  const Shape& shape = call.need(0).shape();
  if (shape.empty()) return AxisView{};
  OREE_TRY_ASSIGN(size_t axis, normal_axis(call, call.node.integer("axis", -1), shape.size()));
  return view_at(shape, axis);
}

void log_softmax(std::span<const double> in, std::span<double> out, const Line& line) {
  auto at = [&](int64_t k) { return static_cast<size_t>(line.at(k)); };
  double largest = in[at(0)];
  for (int64_t k = 1; k < line.length; ++k) largest = std::fmax(largest, in[at(k)]);
  double sum = 0;
  for (int64_t k = 0; k < line.length; ++k) sum += std::exp(in[at(k)] - largest);
  for (int64_t k = 0; k < line.length; ++k) out[at(k)] = in[at(k)] - largest - std::log(sum);
}

// f(input, output, line) for each line along the axis; the output is 0 before.
template <typename F>
Status along_axis(KernelCall& call, F f) {
  OREE_TRY(real_input(call));
  OREE_TRY_ASSIGN(AxisView v, soft_axis(call));
  const Tensor& x = call.need(0);
  OREE_TRY_ASSIGN(NewElements<double> out, new_elements<double>(call, x.dtype(), x.shape()));
  Elements<double> in(x);
  each_line(v, [&](const Line& line) { f(in, out, line); });
  call.set(0, std::move(out).take());
  return {};
}

Status run_softmax(KernelCall& call) {
  return along_axis(call, [](const Elements<double>& in, NewElements<double>& out, const Line& line) {
    double largest = in[line.first], sum = 0;
    for (int64_t k = 1; k < line.length; ++k) largest = std::fmax(largest, in[line.at(k)]);
    for (int64_t k = 0; k < line.length; ++k) sum += out[line.at(k)] = std::exp(in[line.at(k)] - largest);
    for (int64_t k = 0; k < line.length; ++k) out[line.at(k)] /= sum;
  });
}

Status run_log_softmax(KernelCall& call) {
  return along_axis(call, [](const Elements<double>& in, NewElements<double>& out, const Line& line) {
    log_softmax(in.span(), out.span(), line);
  });
}

Status run_hardmax(KernelCall& call) {
  return along_axis(call, [](const Elements<double>& in, NewElements<double>& out, const Line& line) {
    int64_t best = 0;
    for (int64_t k = 1; k < line.length; ++k) {
      if (in[line.at(k)] > in[line.at(best)]) best = k;
    }
    out[line.at(best)] = 1;
  });
}

// --- losses. Scores are [N, C, d…], targets [N, d…] hold classes; weights are one a class.

struct Targets {
  std::vector<int64_t> classes;  // -1: to be ignored
  std::vector<double> weights;   // of each target, 0 where it is ignored
};

Result<Targets> read_targets(const KernelCall& call) {
  const Tensor &scores = call.need(0), &targets = call.need(1);
  OREE_TRY(real_input(call));
  if (scores.shape().size() < 2) return call.invalid("scores must have a batch and classes");
  Shape expected = scores.shape();
  expected.erase(expected.begin() + 1);
  if (targets.shape() != expected) {
    return call.invalid(fmt::format("targets must have the shape {}", shape_text(expected)));
  }
  if (targets.dtype() != Dtype::kInt32 && targets.dtype() != Dtype::kInt64) {
    return call.invalid("targets must be int32 or int64");
  }
  int64_t count = scores.shape()[1];
  if (call.in(2) && call.in(2)->shape() != Shape{count}) return call.invalid("there must be one weight a class");
  Elements<int64_t> in(targets);
  std::vector<double> by_class = call.in(2) ? call.in(2)->to_doubles() : std::vector<double>();
  bool may_ignore = call.node.find("ignore_index") != nullptr;
  int64_t ignored = call.node.integer("ignore_index", 0);
  Targets out;
  for (int64_t t : in.span()) {
    bool skip = may_ignore && t == ignored;
    if (!skip && (t < 0 || t >= count)) return call.invalid(fmt::format("there is no class {} of {}", t, count));
    out.classes.push_back(skip ? -1 : t);
    out.weights.push_back(skip ? 0 : by_class.empty() ? 1 : by_class[static_cast<size_t>(t)]);
  }
  return out;
}

// Output 0, from the logarithms of probabilities.
Status set_loss(KernelCall& call, std::span<const double> log_probability, const Targets& targets) {
  const Tensor& scores = call.need(0);
  AxisView v = view_at(scores.shape(), 1);
  std::vector<double> losses(targets.classes.size());
  double sum = 0, weight = 0;
  for (size_t i = 0; i < losses.size(); ++i) {
    auto at = static_cast<int64_t>(i);
    if (int64_t c = targets.classes[i]; c >= 0) {
      int64_t place = (at / v.inner * v.length + c) * v.inner + at % v.inner;
      losses[i] = -log_probability[static_cast<size_t>(place)] * targets.weights[i];
    }
    sum += losses[i];
    weight += targets.weights[i];
  }
  std::string reduction = call.node.text("reduction", "mean");
  if (reduction != "none" && reduction != "sum" && reduction != "mean") {
    return call.invalid("reduction must be none, sum or mean");
  }
  bool none = reduction == "none";
  Tensor out(scores.dtype(), none ? call.need(1).shape() : Shape{});
  std::vector<double> reduced{reduction == "mean" ? sum / weight : sum};
  narrow<double>(none ? losses : reduced, out);
  call.set(0, std::move(out));
  return {};
}

Status run_nll_loss(KernelCall& call) {
  OREE_TRY_ASSIGN(Targets targets, read_targets(call));
  return set_loss(call, Elements<double>(call.need(0)).span(), targets);
}

Status run_cross_entropy_loss(KernelCall& call) {
  OREE_TRY_ASSIGN(Targets targets, read_targets(call));
  const Tensor& scores = call.need(0);
  OREE_TRY_ASSIGN(NewElements<double> log_probability, new_elements<double>(call, scores.dtype(), scores.shape()));
  Elements<double> in(scores);
  each_line(view_at(scores.shape(), 1),
            [&](const Line& line) { log_softmax(in.span(), log_probability.span(), line); });
  OREE_TRY(set_loss(call, log_probability.span(), targets));
  call.set(1, std::move(log_probability).take());
  return {};
}

constexpr KernelEntry kTable[] = {
    {"Hardmax", run_hardmax},
    {"LogSoftmax", run_log_softmax},
    {"NegativeLogLikelihoodLoss", run_nll_loss, 2},
    {"Softmax", run_softmax},
    {"SoftmaxCrossEntropyLoss", run_cross_entropy_loss, 2},
};

}  // namespace

const std::span<const KernelEntry> kSoftmaxKernels = kTable;

}  // namespace oree
