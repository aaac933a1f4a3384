// SPDX-License-Identifier: Apache-2.0
// TFLite's quantized LSTM as TensorFlow Lite for Microcontrollers computes it: gates of 16 bits with 12 after the point
// before their curve and 15 behind it, whatever the operator's intermediate tensors say; and a cell of 16 bits.
#include "model/reference/quantized_lstm.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

#include "model/reference/access.h"
#include "model/reference/quantized_curves.h"

namespace oree {
namespace {

// Places among the operator's inputs; of what has a part for each gate, the first.
constexpr size_t kX = 0, kWeights = 1, kRecurrent = 5, kPeepholes = 9, kBiases = 12, kProjection = 16, kHidden = 18,
                 kCell = 19, kNorms = 20, kInputs = 24;
constexpr size_t kInputGate = 0, kForgetGate = 1, kCellGate = 2, kOutputGate = 3, kGates = 4;
constexpr double kGateStep = 0x1p-15, kBeforeCurveStep = 0x1p-12;
constexpr int64_t kTanh = 4;  // of the schema's activations
constexpr IntRange kInt16{INT16_MIN, INT16_MAX};

struct Sizes {
  int64_t batch = 0, time = 0, depth = 0, units = 0;
  bool time_major = false;
  int64_t row(int64_t b, int64_t t) const { return time_major ? t * batch + b : b * time + t; }
};

struct Gate {
  Elements<int64_t> weights, recurrent;
  std::optional<Elements<int64_t>> bias;
  Multiplier from_x, from_hidden;
};

// Of one line of the batch.
struct Memory {
  std::vector<int64_t> hidden, cell;
};

class Lstm {
 public:
  static Result<Lstm> of(const KernelCall& call);
  const Sizes& sizes() const { return sizes_; }
  void step(const Elements<int64_t>& x, int64_t first, Memory& memory) const;

 private:
  std::vector<int32_t> gate(size_t index, const Elements<int64_t>& x, int64_t first,
                            const std::vector<int64_t>& hidden) const;
  int32_t rescaled(int64_t sum, Multiplier factor) const {
    if (wide_) return multiply_wide(sum, factor);
    return multiply(wrap(sum), factor);
  }

  Sizes sizes_;
  bool wide_ = false;  // operands of 16 bits
  Scale x_, hidden_;
  IntRange range_;
  std::vector<Gate> gates_;
  Multiplier forget_, remember_, show_;
  int cell_power_ = 0;
  std::optional<int64_t> clip_;
};

Result<Sizes> sizes_of(const KernelCall& call) {
  for (size_t i : {kHidden, kCell}) {
    if (!call.in(i)) return call.invalid("its state is absent");
  }
  for (size_t i = 0; i < kInputs; ++i) {
    bool spare = (i >= kPeepholes && i < kBiases) || (i >= kProjection && i < kHidden) || i >= kNorms;
    if (spare && call.in(i)) return call.unsupported("peepholes, a projection or layer normalisation");
    bool weights = i < kPeepholes;
    if (weights && !call.in(i)) return call.unsupported("a gate without weights");
  }
  const Shape &x = call.need(kX).shape(), &cell = call.need(kCell).shape();
  if (x.size() != 3 || cell.size() != 2) {
    return call.invalid(fmt::format("an operand {} and a cell {}", shape_text(x), shape_text(cell)));
  }
  Sizes s;
  s.time_major = call.node.integer("time_major", 0) != 0;
  s.batch = x[s.time_major ? 1 : 0];
  s.time = x[s.time_major ? 0 : 1];
  s.depth = x[2];
  s.units = cell[1];
  const Shape state{s.batch, s.units};
  if (cell != state || call.need(kHidden).shape() != state) {
    return call.invalid(fmt::format("a cell {} for an operand {}", shape_text(cell), shape_text(x)));
  }
  for (size_t g = 0; g < kGates; ++g) {
    const Tensor* bias = call.in(kBiases + g);
    if (call.need(kWeights + g).shape() != Shape{s.units, s.depth} ||
        call.need(kRecurrent + g).shape() != Shape{s.units, s.units} || (bias && bias->shape() != Shape{s.units})) {
      return call.invalid(fmt::format("the weights of gate {} for {} units", g, s.units));
    }
  }
  return s;
}

Status check_types(const KernelCall& call) {
  const Dtype x = call.need(kX).dtype();
  bool known = (x == Dtype::kInt8 || x == Dtype::kInt16) && call.need(kHidden).dtype() == x &&
               output_dtype(call) == x && call.need(kCell).dtype() == Dtype::kInt16;
  for (size_t g = 0; g < kGates; ++g) {
    const Tensor* bias = call.in(kBiases + g);
    known = known && call.need(kWeights + g).dtype() == Dtype::kInt8 &&
            call.need(kRecurrent + g).dtype() == Dtype::kInt8 &&
            (!bias || bias->dtype() == (x == Dtype::kInt8 ? Dtype::kInt32 : Dtype::kInt64));
  }
  if (!known) return call.unsupported("its types");
  if (call.node.integer("fused_activation_function", 0) != kTanh) return call.unsupported("without tanh");
  if (call.node.integer("diagonal_recurrent_tensors", 0) != 0) return call.unsupported("with diagonal weights");
  return {};
}

// The exponent of a scale that is a power of two, or nearly.
Result<int> power_of(const KernelCall& call, float scale) {
  double power = std::log2(static_cast<double>(scale)), nearest = std::round(power);
  if (!(std::abs(power - nearest) < 1e-3) || nearest < kTanhPowerMin || nearest > kTanhPowerMax)
    return call.unsupported(fmt::format("a cell with the scale {}", scale));
  return static_cast<int>(nearest);
}

Result<Lstm> Lstm::of(const KernelCall& call) {
  Lstm l;
  OREE_TRY_ASSIGN(l.sizes_, sizes_of(call));
  OREE_TRY(check_types(call));
  OREE_TRY_ASSIGN(l.range_, output_range(call));
  OREE_TRY_ASSIGN(l.x_, input_scale(call, kX));
  OREE_TRY_ASSIGN(l.hidden_, input_scale(call, kHidden));
  OREE_TRY_ASSIGN(Scale cell, input_scale(call, kCell));
  OREE_TRY_ASSIGN(l.cell_power_, power_of(call, cell.scale));
  l.wide_ = call.need(kX).dtype() == Dtype::kInt16;
  auto factor = [&](const Scale& operand, const Scale& weights) {
    return quantized_multiplier(static_cast<double>(operand.scale) * static_cast<double>(weights.scale) /
                                kBeforeCurveStep);
  };
  for (size_t g = 0; g < kGates; ++g) {
    OREE_TRY_ASSIGN(Scale weights, input_scale(call, kWeights + g));
    OREE_TRY_ASSIGN(Scale recurrent, input_scale(call, kRecurrent + g));
    const Tensor* bias = call.in(kBiases + g);
    l.gates_.push_back({Elements<int64_t>(call.need(kWeights + g)), Elements<int64_t>(call.need(kRecurrent + g)),
                        bias ? std::optional(Elements<int64_t>(*bias)) : std::nullopt, factor(l.x_, weights),
                        factor(l.hidden_, recurrent)});
  }
  const double step = static_cast<double>(cell.scale);
  l.forget_ = quantized_multiplier(kGateStep);
  l.remember_ = quantized_multiplier(kGateStep * kGateStep / step);
  l.show_ = quantized_multiplier(kGateStep * kGateStep / static_cast<double>(l.hidden_.scale));
  float clip = call.node.real("cell_clip", 0);
  if (clip > 0) l.clip_ = static_cast<int64_t>(std::min(static_cast<double>(clip) / step, 32767.0));
  return l;
}

std::vector<int32_t> Lstm::gate(size_t index, const Elements<int64_t>& x, int64_t first,
                                const std::vector<int64_t>& hidden) const {
  const Gate& g = gates_[index];
  std::vector<int32_t> out;
  for (int64_t u = 0; u < sizes_.units; ++u) {
    int64_t from_x = g.bias ? (*g.bias)[u] : 0, from_hidden = 0;
    for (int64_t d = 0; d < sizes_.depth; ++d) from_x += (x[first + d] - x_.zero) * g.weights[u * sizes_.depth + d];
    for (int64_t h = 0; h < sizes_.units; ++h)
      from_hidden += (hidden[static_cast<size_t>(h)] - hidden_.zero) * g.recurrent[u * sizes_.units + h];
    int32_t sum =
        kInt16.clamp(kInt16.clamp(rescaled(from_x, g.from_x)) + kInt16.clamp(rescaled(from_hidden, g.from_hidden)));
    out.push_back(index == kCellGate ? tanh_16(sum) : sigmoid_16(sum));
  }
  return out;
}

void Lstm::step(const Elements<int64_t>& x, int64_t first, Memory& memory) const {
  std::array<std::vector<int32_t>, kGates> gates;
  for (size_t g = 0; g < kGates; ++g) gates[g] = gate(g, x, first, memory.hidden);
  for (size_t u = 0; u < memory.cell.size(); ++u) {
    int32_t kept = kInt16.clamp(multiply(gates[kForgetGate][u] * static_cast<int32_t>(memory.cell[u]), forget_));
    int32_t added = kInt16.clamp(multiply(gates[kInputGate][u] * gates[kCellGate][u], remember_));
    int64_t& cell = memory.cell[u];
    cell = kInt16.clamp(int64_t{kept} + added);
    if (clip_) cell = std::clamp(cell, -*clip_, *clip_);
    int32_t shown = tanh_16(static_cast<int32_t>(cell), cell_power_);
    memory.hidden[u] = range_.clamp(int64_t{multiply(gates[kOutputGate][u] * shown, show_)} + hidden_.zero);
  }
}

}  // namespace

Status run_quantized_lstm(KernelCall& call) {
  OREE_TRY_ASSIGN(Lstm lstm, Lstm::of(call));
  const Sizes& s = lstm.sizes();
  auto real = [](int64_t n) { return static_cast<double>(n); };
  OREE_TRY(call.affordable(real(s.batch) * real(s.time) * real(s.units) * (real(s.depth) + real(s.units)) * kGates));
  const Dtype type = output_dtype(call);
  Shape shape = call.need(kX).shape();
  shape[2] = s.units;
  OREE_TRY_ASSIGN(NewElements<int64_t> y, new_elements<int64_t>(call, type, shape));
  OREE_TRY_ASSIGN(NewElements<int64_t> hidden, new_elements<int64_t>(call, type, {s.batch, s.units}));
  OREE_TRY_ASSIGN(NewElements<int64_t> cell, new_elements<int64_t>(call, Dtype::kInt16, {s.batch, s.units}));
  Elements<int64_t> x(call.need(kX)), hidden_before(call.need(kHidden)), cell_before(call.need(kCell));
  for (int64_t b = 0; b < s.batch; ++b) {
    Memory memory;
    for (int64_t u = b * s.units; u < (b + 1) * s.units; ++u) {
      memory.hidden.push_back(hidden_before[u]);
      memory.cell.push_back(cell_before[u]);
    }
    for (int64_t t = 0; t < s.time; ++t) {
      lstm.step(x, s.row(b, t) * s.depth, memory);
      std::ranges::copy(memory.hidden, y.span().begin() + s.row(b, t) * s.units);
    }
    std::ranges::copy(memory.hidden, hidden.span().begin() + b * s.units);
    std::ranges::copy(memory.cell, cell.span().begin() + b * s.units);
  }
  call.set(0, std::move(y).take());
  call.set(1, std::move(hidden).take());
  call.set(2, std::move(cell).take());
  return {};
}

}  // namespace oree
