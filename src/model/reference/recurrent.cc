// SPDX-License-Identifier: Apache-2.0
// RNN, LSTM and GRU as the ONNX operator specification writes them out. Operand X [steps, batch, inputs] (layout 0) or
// [batch, steps, inputs] (layout 1); W [directions, gates * hidden, inputs], R [directions, gates * hidden, hidden],
// B [directions, 2 * gates * hidden]: of W first, then of R.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "model/reference/access.h"
#include "model/reference/kernel_tables.h"
#include "model/reference/shapes.h"

namespace oree {
namespace {

using Function = std::function<double(double)>;

Result<Function> activation(const KernelCall& call, const std::string& given, double alpha, double beta, bool has_alpha,
                            bool has_beta) {
  std::string name;
  std::ranges::transform(given, std::back_inserter(name),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  auto a = [&](double otherwise) { return has_alpha ? alpha : otherwise; };
  auto b = [&](double otherwise) { return has_beta ? beta : otherwise; };
  if (name == "sigmoid") return Function([](double x) { return 1 / (1 + std::exp(-x)); });
  if (name == "tanh") return Function([](double x) { return std::tanh(x); });
  if (name == "relu") return Function([](double x) { return std::max(x, 0.0); });
  if (name == "softsign") return Function([](double x) { return x / (1 + std::abs(x)); });
  if (name == "softplus") return Function([](double x) { return std::log1p(std::exp(x)); });
  if (name == "elu") return Function([k = a(1)](double x) { return x >= 0 ? x : k * std::expm1(x); });
  if (name == "leakyrelu") return Function([k = a(0.01)](double x) { return x >= 0 ? x : k * x; });
  if (name == "thresholdedrelu") return Function([k = a(1)](double x) { return x > k ? x : 0; });
  if (name == "hardsigmoid")
    return Function([k = a(0.2), c = b(0.5)](double x) { return std::clamp(k * x + c, 0.0, 1.0); });
  if (name == "scaledtanh") return Function([k = a(1), c = b(1)](double x) { return k * std::tanh(c * x); });
  if (name == "affine") return Function([k = a(1), c = b(0)](double x) { return k * x + c; });
  return call.invalid(fmt::format("no activation is named '{}'", given.substr(0, 32)));
}

template <typename T>
struct Cell {
  size_t gates = 1;
  int64_t steps = 0, batch = 0, inputs = 0, hidden = 0, directions = 1;
  bool batch_first = false;
  std::vector<Function> functions;  // a direction's after the other's
  double clip = 0;                  // 0: none
  std::vector<int64_t> lengths;     // of each sequence
};

template <typename T>
Result<Cell<T>> cell_of(const KernelCall& call, size_t gates, std::vector<std::string> defaults) {
  const Tensor &x = call.need(0), &w = call.need(1), &r = call.need(2);
  Cell<T> c;
  c.gates = gates;
  if (x.shape().size() != 3 || w.shape().size() != 3 || r.shape().size() != 3)
    return call.invalid("X, W and R must have rank 3");
  c.batch_first = call.node.integer("layout", 0) != 0;
  c.steps = x.shape()[c.batch_first ? 1 : 0];
  c.batch = x.shape()[c.batch_first ? 0 : 1];
  c.inputs = x.shape()[2];
  c.hidden = r.shape()[2];
  std::string direction = call.node.text("direction", "forward");
  if (direction != "forward" && direction != "reverse" && direction != "bidirectional")
    return call.invalid(fmt::format("direction '{}'", direction.substr(0, 32)));
  c.directions = direction == "bidirectional" ? 2 : 1;
  const int64_t rows = static_cast<int64_t>(gates) * c.hidden;
  if (w.shape() != Shape{c.directions, rows, c.inputs} || r.shape() != Shape{c.directions, rows, c.hidden}) {
    return call.invalid(fmt::format("W {} and R {} for {} directions, {} inputs and {} hidden", shape_text(w.shape()),
                                    shape_text(r.shape()), c.directions, c.inputs, c.hidden));
  }
  if (call.in(3) && call.need(3).elements() != c.directions * 2 * rows) return call.invalid("B does not fit W");
  OREE_TRY(call.affordable(static_cast<double>(c.steps) * static_cast<double>(c.batch) *
                           static_cast<double>(w.elements() + r.elements())));
  if (const Tensor* lengths = call.in(4)) {
    OREE_TRY_ASSIGN(c.lengths, int_list(call, 4));
    if (static_cast<int64_t>(c.lengths.size()) != c.batch || lengths->shape().size() != 1)
      return call.invalid("one sequence length a batch entry is wanted");
    for (int64_t n : c.lengths) {
      if (n < 0 || n > c.steps) return call.invalid(fmt::format("a sequence of {} of {} steps", n, c.steps));
    }
  } else {
    c.lengths.assign(static_cast<size_t>(c.batch), c.steps);
  }
  for (size_t i = 5; i <= 6; ++i) {
    if (call.in(i) && call.need(i).elements() != c.directions * c.batch * c.hidden)
      return call.invalid(fmt::format("input {} does not fit", i));
  }
  std::vector<std::string> names;
  if (const Attribute* given = call.node.find("activations");
      given && std::holds_alternative<std::vector<std::string>>(*given)) {
    names = std::get<std::vector<std::string>>(*given);
  } else {
    for (int64_t d = 0; d < c.directions; ++d) names.insert(names.end(), defaults.begin(), defaults.end());
  }
  if (names.size() != defaults.size() * static_cast<size_t>(c.directions))
    return call.invalid(fmt::format("{} activations", names.size()));
  std::vector<float> alphas = call.node.reals("activation_alpha"), betas = call.node.reals("activation_beta");
  for (size_t i = 0; i < names.size(); ++i) {
    bool has_alpha = i < alphas.size(), has_beta = i < betas.size();
    OREE_TRY_ASSIGN(Function f, activation(call, names[i], has_alpha ? static_cast<double>(alphas[i]) : 0,
                                           has_beta ? static_cast<double>(betas[i]) : 0, has_alpha, has_beta));
    c.functions.push_back(std::move(f));
  }
  c.clip = static_cast<double>(call.node.real("clip", 0));
  return c;
}

// What all three share: walks the steps of each direction and sequence, and asks `step` for the new hidden state.
template <typename T>
class Runner {
 public:
  Runner(KernelCall& call, const Cell<T>& cell)
      : call_(call), c_(cell), x_(call.need(0)), w_(call.need(1)), r_(call.need(2)) {
    if (call.in(3)) b_.emplace(call.need(3));
  }

  // step(direction, weighted input by gate and unit, hidden, cell state): replaces hidden (and cell state).
  template <typename Step>
  Status run(Step step, const Tensor* initial_cell) {
    const Cell<T>& c = c_;
    Dtype dtype = call_.need(0).dtype();
    Shape y_shape = c.batch_first ? Shape{c.batch, c.steps, c.directions, c.hidden}
                                  : Shape{c.steps, c.directions, c.batch, c.hidden};
    Shape h_shape = c.batch_first ? Shape{c.batch, c.directions, c.hidden} : Shape{c.directions, c.batch, c.hidden};
    OREE_TRY_ASSIGN(NewElements<T> y, new_elements<T>(call_, dtype, y_shape));
    OREE_TRY_ASSIGN(NewElements<T> last, new_elements<T>(call_, dtype, h_shape));
    OREE_TRY_ASSIGN(NewElements<T> last_cell, new_elements<T>(call_, dtype, h_shape));
    std::optional<Elements<T>> h0, c0;
    if (call_.in(5)) h0.emplace(call_.need(5));
    if (initial_cell) c0.emplace(*initial_cell);
    for (int64_t d = 0; d < c.directions; ++d) {
      bool backwards = d == 1 || call_.node.text("direction", "forward") == "reverse";
      for (int64_t n = 0; n < c.batch; ++n) {
        std::vector<double> h(static_cast<size_t>(c.hidden), 0), state = h;
        auto at = [&](int64_t u) {
          return c.batch_first ? (n * c.directions + d) * c.hidden + u : (d * c.batch + n) * c.hidden + u;
        };
        for (int64_t u = 0; u < c.hidden; ++u) {
          if (h0) h[static_cast<size_t>(u)] = static_cast<double>((*h0)[at(u)]);
          if (c0) state[static_cast<size_t>(u)] = static_cast<double>((*c0)[at(u)]);
        }
        int64_t length = c.lengths[static_cast<size_t>(n)];
        for (int64_t s = 0; s < length; ++s) {
          int64_t t = backwards ? length - 1 - s : s;
          step(d, weighted_input(d, n, t), h, state);
          for (int64_t u = 0; u < c.hidden; ++u) {
            int64_t place = c.batch_first ? ((n * c.steps + t) * c.directions + d) * c.hidden + u
                                          : ((t * c.directions + d) * c.batch + n) * c.hidden + u;
            y[place] = static_cast<T>(h[static_cast<size_t>(u)]);
          }
        }
        for (int64_t u = 0; u < c.hidden; ++u) {
          last[at(u)] = static_cast<T>(h[static_cast<size_t>(u)]);
          last_cell[at(u)] = static_cast<T>(state[static_cast<size_t>(u)]);
        }
      }
    }
    call_.set(0, std::move(y).take());
    call_.set(1, std::move(last).take());
    call_.set(2, std::move(last_cell).take());
    return {};
  }

  // Row `gate * hidden + unit` of R times the hidden state, its bias added.
  double recurrent(int64_t d, size_t gate, int64_t unit, const std::vector<double>& h) const {
    int64_t row = static_cast<int64_t>(gate) * c_.hidden + unit, rows = static_cast<int64_t>(c_.gates) * c_.hidden;
    double sum = b_ ? static_cast<double>((*b_)[d * 2 * rows + rows + row]) : 0;
    for (int64_t k = 0; k < c_.hidden; ++k)
      sum += static_cast<double>(r_[(d * rows + row) * c_.hidden + k]) * h[static_cast<size_t>(k)];
    return sum;
  }
  double clipped(double v) const { return c_.clip > 0 ? std::clamp(v, -c_.clip, c_.clip) : v; }
  double apply(int64_t d, size_t function, double v) const {
    return c_.functions[static_cast<size_t>(d) * (c_.functions.size() / static_cast<size_t>(c_.directions)) + function](
        clipped(v));
  }

 private:
  std::vector<double> weighted_input(int64_t d, int64_t n, int64_t t) const {
    int64_t rows = static_cast<int64_t>(c_.gates) * c_.hidden;
    int64_t from = (c_.batch_first ? n * c_.steps + t : t * c_.batch + n) * c_.inputs;
    std::vector<double> out(static_cast<size_t>(rows));
    for (int64_t row = 0; row < rows; ++row) {
      double sum = b_ ? static_cast<double>((*b_)[d * 2 * rows + row]) : 0;
      for (int64_t k = 0; k < c_.inputs; ++k)
        sum += static_cast<double>(w_[(d * rows + row) * c_.inputs + k]) * static_cast<double>(x_[from + k]);
      out[static_cast<size_t>(row)] = sum;
    }
    return out;
  }

  KernelCall& call_;
  const Cell<T>& c_;
  Elements<T> x_, w_, r_;
  std::optional<Elements<T>> b_;
};

Status want_reals(const KernelCall& call) {
  for (size_t i = 0; i < call.inputs.size(); ++i) {
    if (i != 4 && call.in(i) && call.need(i).dtype() != call.need(0).dtype())
      return call.invalid("inputs must be of one type");
  }
  return dtype_is_float(call.need(0).dtype()) ? Status() : call.invalid("the operand must be of a float type");
}

template <typename T>
Status rnn(KernelCall& call) {
  OREE_TRY_ASSIGN(Cell<T> c, cell_of<T>(call, 1, {"Tanh"}));
  Runner<T> runner(call, c);
  return runner.run(
      [&](int64_t d, const std::vector<double>& x, std::vector<double>& h, std::vector<double>&) {
        std::vector<double> next(h.size());
        for (size_t u = 0; u < h.size(); ++u)
          next[u] = runner.apply(d, 0, x[u] + runner.recurrent(d, 0, static_cast<int64_t>(u), h));
        h = std::move(next);
      },
      nullptr);
}

// Gates in the order input, output, forget, cell; peepholes P [directions, 3 * hidden]: input, output, forget.
template <typename T>
Status lstm(KernelCall& call) {
  OREE_TRY_ASSIGN(Cell<T> c, cell_of<T>(call, 4, {"Sigmoid", "Tanh", "Tanh"}));
  if (call.in(7) && call.need(7).elements() != c.directions * 3 * c.hidden) return call.invalid("P does not fit");
  std::optional<Elements<T>> p;
  if (call.in(7)) p.emplace(call.need(7));
  bool coupled = call.node.integer("input_forget", 0) != 0;
  Runner<T> runner(call, c);
  return runner.run(
      [&](int64_t d, const std::vector<double>& x, std::vector<double>& h, std::vector<double>& state) {
        std::vector<double> next(h.size());
        for (size_t u = 0; u < h.size(); ++u) {
          auto unit = static_cast<int64_t>(u);
          auto gate = [&](size_t g) { return x[g * h.size() + u] + runner.recurrent(d, g, unit, h); };
          auto peep = [&](int64_t g) { return p ? static_cast<double>((*p)[(d * 3 + g) * c.hidden + unit]) : 0.0; };
          double i = runner.apply(d, 0, gate(0) + peep(0) * state[u]);
          double f = coupled ? 1 - i : runner.apply(d, 0, gate(2) + peep(2) * state[u]);
          double candidate = runner.apply(d, 1, gate(3));
          double now = f * state[u] + i * candidate;
          double o = runner.apply(d, 0, gate(1) + peep(1) * now);
          state[u] = now;
          next[u] = o * runner.apply(d, 2, now);
        }
        h = std::move(next);
      },
      call.in(6));
}

// Gates in the order update, reset, hidden.
template <typename T>
Status gru(KernelCall& call) {
  OREE_TRY_ASSIGN(Cell<T> c, cell_of<T>(call, 3, {"Sigmoid", "Tanh"}));
  bool before = call.node.integer("linear_before_reset", 0) != 0;
  Runner<T> runner(call, c);
  return runner.run(
      [&](int64_t d, const std::vector<double>& x, std::vector<double>& h, std::vector<double>&) {
        std::vector<double> next(h.size()), update(h.size()), reset(h.size()), gated(h.size());
        for (size_t u = 0; u < h.size(); ++u) {
          auto unit = static_cast<int64_t>(u);
          update[u] = runner.apply(d, 0, x[u] + runner.recurrent(d, 0, unit, h));
          reset[u] = runner.apply(d, 0, x[h.size() + u] + runner.recurrent(d, 1, unit, h));
          gated[u] = reset[u] * h[u];
        }
        for (size_t u = 0; u < h.size(); ++u) {
          auto unit = static_cast<int64_t>(u);
          double recurrent = before ? reset[u] * runner.recurrent(d, 2, unit, h) : runner.recurrent(d, 2, unit, gated);
          double candidate = runner.apply(d, 1, x[2 * h.size() + u] + recurrent);
          next[u] = (1 - update[u]) * candidate + update[u] * h[u];
        }
        h = std::move(next);
      },
      nullptr);
}

Status run_rnn(KernelCall& call) {
  OREE_TRY(want_reals(call));
  return with_real(call.need(0).dtype(), [&](auto zero) { return rnn<decltype(zero)>(call); });
}
Status run_lstm(KernelCall& call) {
  OREE_TRY(want_reals(call));
  return with_real(call.need(0).dtype(), [&](auto zero) { return lstm<decltype(zero)>(call); });
}
Status run_gru(KernelCall& call) {
  OREE_TRY(want_reals(call));
  return with_real(call.need(0).dtype(), [&](auto zero) { return gru<decltype(zero)>(call); });
}

constexpr KernelEntry kTable[] = {
    {"GRU", run_gru, 3},
    {"LSTM", run_lstm, 3},
    {"RNN", run_rnn, 3},
};

}  // namespace

const std::span<const KernelEntry> kRecurrentKernels = kTable;

}  // namespace oree
