// SPDX-License-Identifier: Apache-2.0
// RNN, GRU and LSTM unrolled: a few operators for each step. TFLite's own sequence operators keep their state from one
// run to the next, which ONNX's do not. Source of the formulas: the ONNX specification.
#include <fmt/format.h>

#include <algorithm>

#include "model/tflite/lower.h"

namespace oree {
namespace {

using Ints = std::vector<int64_t>;
constexpr int64_t kStepsMax = 512;

// One direction of a recurrent operator.
class Unrolled {
 public:
  Unrolled(Lower& r, int64_t direction, int64_t hidden, std::vector<std::string> activations)
      : r_(r), d_(direction), hidden_(hidden), activations_(std::move(activations)) {}

  ValueId op(std::string_view name, std::vector<ValueId> inputs) { return r_.add(name, std::move(inputs)); }
  // [directions, …] at this direction.
  ValueId at(ValueId v) {
    ValueId part = r_.add("Slice", {v, r_.ints_constant({d_}), r_.ints_constant({d_ + 1}), r_.ints_constant({0})});
    return r_.add("Squeeze", {part, r_.ints_constant({0})});
  }
  ValueId columns(ValueId v, int64_t gate) {
    return r_.add("Slice", {v, r_.ints_constant({gate * hidden_}), r_.ints_constant({(gate + 1) * hidden_}),
                            r_.ints_constant({-1})});
  }
  Result<ValueId> activate(size_t index, ValueId v) {
    const std::string& name = activations_[index];
    static constexpr std::string_view kKnown[] = {"Sigmoid", "Tanh", "Relu", "Softsign", "Softplus"};
    bool known = std::ranges::find(kKnown, name) != std::end(kKnown);
    if (!known) return r_.unsupported(fmt::format("the activation '{}'", name));
    return op(name, {v});
  }

  Lower& r_;
  int64_t d_, hidden_;
  std::vector<std::string> activations_;
};

struct Shared {
  int64_t steps = 0, batch = 0, hidden = 0, directions = 1;
  std::vector<std::string> activations;
  bool reverse_first = false;
};

Result<Shared> shared(Lower& r, const std::vector<std::string>& otherwise) {
  OREE_TRY(r.want(3, 0));
  OREE_TRY(r.want_plain());
  Shared s;
  if (r.integer("layout", 0) != 0) return r.unsupported("batch first");
  if (r.node().find("clip")) return r.unsupported("a clip");
  if (r.node().find("activation_alpha") || r.node().find("activation_beta"))
    return r.unsupported("activations with parameters");
  std::optional<Dims> dims = r.dims(r.in(0));
  if (!dims || dims->size() != 3 || !(*dims)[0].known() || !(*dims)[1].known())
    return r.unsupported("a sequence of unknown length or batch");
  s.steps = (*dims)[0].size;
  s.batch = (*dims)[1].size;
  if (s.steps < 1 || s.steps > kStepsMax) return r.unsupported(fmt::format("{} steps, at most {}", s.steps, kStepsMax));
  OREE_TRY_ASSIGN(Shape weights, r.known(r.in(2)));
  if (weights.size() != 3) return r.invalid("its recurrent weights");
  s.hidden = weights[2];
  s.directions = weights[0];
  std::string direction = r.text("direction", "forward");
  s.reverse_first = direction == "reverse";
  const Attribute* given = r.node().find("activations");
  const auto* names = given ? std::get_if<std::vector<std::string>>(given) : nullptr;
  for (int64_t d = 0; d < s.directions; ++d)
    s.activations.insert(s.activations.end(), otherwise.begin(), otherwise.end());
  if (names != nullptr && !names->empty()) s.activations = *names;
  if (s.activations.size() != otherwise.size() * static_cast<size_t>(s.directions)) return r.invalid("its activations");
  if (r.has(4)) {
    OREE_TRY_ASSIGN(Ints lengths, r.ints(4));
    if (std::ranges::any_of(lengths, [&](int64_t n) { return n != s.steps; }))
      return r.unsupported("sequences of different lengths");
  }
  return s;
}

// What one direction makes: h of each step in the sequence's order, and the last h and c.
struct Trace {
  std::vector<ValueId> h;
  ValueId last_h = kNoValue, last_c = kNoValue;
};

using Step = Result<std::pair<ValueId, ValueId>> (*)(Unrolled&, ValueId x, ValueId h, ValueId c,
                                                     const std::vector<ValueId>& parts);

// gates: x W^T + h R^T + Wb + Rb, all gates side by side.
std::pair<ValueId, ValueId> biases(Unrolled& u, int64_t gates) {
  if (!u.r_.has(3)) return {kNoValue, kNoValue};
  ValueId b = u.at(u.r_.in(3));
  auto half = [&](int64_t i) {
    return u.r_.add("Slice", {b, u.r_.ints_constant({i * gates * u.hidden_}),
                              u.r_.ints_constant({(i + 1) * gates * u.hidden_}), u.r_.ints_constant({0})});
  };
  return {half(0), half(1)};
}

ValueId product(Unrolled& u, ValueId x, ValueId weights, ValueId bias) {
  std::vector<ValueId> inputs{x, weights};
  if (bias != kNoValue) inputs.push_back(bias);
  return u.r_.add("Gemm", std::move(inputs), {{"transB", int64_t{1}}});
}

Result<std::pair<ValueId, ValueId>> rnn_step(Unrolled& u, ValueId x, ValueId h, ValueId,
                                             const std::vector<ValueId>& p) {
  ValueId sum = u.op("Add", {product(u, x, p[0], p[2]), product(u, h, p[1], p[3])});
  OREE_TRY_ASSIGN(ValueId out, u.activate(0, sum));
  return std::pair(out, kNoValue);
}

// Gates z, r, h.
Result<std::pair<ValueId, ValueId>> gru_step(Unrolled& u, ValueId x, ValueId h, ValueId,
                                             const std::vector<ValueId>& p) {
  ValueId from_x = product(u, x, p[0], p[2]);
  bool linear = u.r_.integer("linear_before_reset", 0) != 0;
  ValueId from_h = product(u, h, p[1], p[3]);
  OREE_TRY_ASSIGN(ValueId z, u.activate(0, u.op("Add", {u.columns(from_x, 0), u.columns(from_h, 0)})));
  OREE_TRY_ASSIGN(ValueId reset, u.activate(0, u.op("Add", {u.columns(from_x, 1), u.columns(from_h, 1)})));
  ValueId recurrent = kNoValue;
  if (linear) {
    recurrent = u.op("Mul", {reset, u.columns(from_h, 2)});
  } else {
    ValueId rows = u.r_.add("Slice", {p[1], u.r_.ints_constant({2 * u.hidden_}), u.r_.ints_constant({3 * u.hidden_}),
                                      u.r_.ints_constant({0})});
    ValueId bias = p[3] == kNoValue ? kNoValue : u.columns(p[3], 2);
    recurrent = product(u, u.op("Mul", {reset, h}), rows, bias);
  }
  OREE_TRY_ASSIGN(ValueId fresh, u.activate(1, u.op("Add", {u.columns(from_x, 2), recurrent})));
  // (1 - z) fresh + z h
  ValueId out = u.op("Add", {fresh, u.op("Mul", {z, u.op("Sub", {h, fresh})})});
  return std::pair(out, kNoValue);
}

// Gates i, o, f, c.
Result<std::pair<ValueId, ValueId>> lstm_step(Unrolled& u, ValueId x, ValueId h, ValueId c,
                                              const std::vector<ValueId>& p) {
  ValueId gates = u.op("Add", {product(u, x, p[0], p[2]), product(u, h, p[1], p[3])});
  auto peep = [&](ValueId gate, ValueId cell, int64_t index) {
    if (p[4] == kNoValue) return gate;
    return u.op("Add", {gate, u.op("Mul", {cell, u.columns(p[4], index)})});
  };
  OREE_TRY_ASSIGN(ValueId i, u.activate(0, peep(u.columns(gates, 0), c, 0)));
  OREE_TRY_ASSIGN(ValueId f, u.activate(0, peep(u.columns(gates, 2), c, 2)));
  OREE_TRY_ASSIGN(ValueId fresh, u.activate(1, u.columns(gates, 3)));
  ValueId cell = u.op("Add", {u.op("Mul", {f, c}), u.op("Mul", {i, fresh})});
  OREE_TRY_ASSIGN(ValueId o, u.activate(0, peep(u.columns(gates, 1), cell, 1)));
  OREE_TRY_ASSIGN(ValueId shown, u.activate(2, cell));
  return std::pair(u.op("Mul", {o, shown}), cell);
}

Result<Trace> unroll(Lower& r, const Shared& s, int64_t direction, int64_t gates, Step step) {
  size_t each = s.activations.size() / static_cast<size_t>(s.directions), from = each * static_cast<size_t>(direction);
  Unrolled u(r, direction, s.hidden,
             {s.activations.begin() + static_cast<ptrdiff_t>(from),
              s.activations.begin() + static_cast<ptrdiff_t>(from + each)});
  auto [wb, rb] = biases(u, gates);
  bool lstm = gates == 4;
  ValueId peepholes = lstm && r.has(7) ? u.at(r.in(7)) : kNoValue;
  std::vector<ValueId> parts{u.at(r.in(1)), u.at(r.in(2)), wb, rb, peepholes};
  auto first = [&](size_t input) {
    return r.has(input) ? u.at(r.in(input)) : r.zeros(Dtype::kFloat32, {s.batch, s.hidden});
  };
  Trace t;
  t.h.resize(static_cast<size_t>(s.steps));
  ValueId h = first(5), c = lstm ? first(6) : kNoValue, axis = r.ints_constant({0});
  bool backward = s.reverse_first || direction == 1;
  for (int64_t i = 0; i < s.steps; ++i) {
    int64_t place = backward ? s.steps - 1 - i : i;
    ValueId x = r.add("Squeeze",
                      {r.add("Slice", {r.in(0), r.ints_constant({place}), r.ints_constant({place + 1}), axis}), axis});
    OREE_TRY_ASSIGN(auto made, step(u, x, h, c, parts));
    std::tie(h, c) = made;
    t.h[static_cast<size_t>(place)] = h;
  }
  t.last_h = h;
  t.last_c = c;
  return t;
}

Result<bool> recurrent(Lower& r, int64_t gates, const std::vector<std::string>& activations, Step step) {
  OREE_TRY_ASSIGN(Shared s, shared(r, activations));
  std::vector<Trace> traces;
  for (int64_t d = 0; d < s.directions; ++d) {
    OREE_TRY_ASSIGN(Trace t, unroll(r, s, d, gates, step));
    traces.push_back(std::move(t));
  }
  // Y: [steps, directions, batch, hidden]; Y_h, Y_c: [directions, batch, hidden].
  auto joined = [&](std::vector<ValueId> parts, int64_t axis) {
    for (ValueId& v : parts) v = r.add("Unsqueeze", {v, r.ints_constant({axis})});
    return parts.size() == 1 ? parts[0] : r.add("Concat", parts, {{"axis", axis}});
  };
  if (r.out(0) != kNoValue) {
    std::vector<ValueId> steps;
    for (size_t i = 0; i < static_cast<size_t>(s.steps); ++i) {
      std::vector<ValueId> both;
      for (const Trace& t : traces) both.push_back(t.h[i]);
      steps.push_back(joined(std::move(both), 0));
    }
    r.finish("Identity", {joined(std::move(steps), 0)});
  }
  for (size_t k : {1, 2}) {
    if (r.out(k) == kNoValue) continue;
    std::vector<ValueId> both;
    for (const Trace& t : traces) both.push_back(k == 1 ? t.last_h : t.last_c);
    r.finish("Identity", {joined(std::move(both), 0)}, {}, k);
  }
  return true;
}

Result<bool> rnn(Lower& r) { return recurrent(r, 1, {"Tanh"}, rnn_step); }
Result<bool> gru(Lower& r) { return recurrent(r, 3, {"Sigmoid", "Tanh"}, gru_step); }
Result<bool> lstm(Lower& r) {
  if (r.integer("input_forget", 0) != 0) return r.unsupported("coupled gates");
  return recurrent(r, 4, {"Sigmoid", "Tanh", "Tanh"}, lstm_step);
}

constexpr LowerEntry kEntries[] = {
    {"GRU", gru},
    {"LSTM", lstm},
    {"RNN", rnn},
};

}  // namespace

std::span<const LowerEntry> compose_recurrent() { return kEntries; }

}  // namespace oree
