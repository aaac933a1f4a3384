// SPDX-License-Identifier: Apache-2.0
// RNN, GRU and LSTM: X [time, batch, size], W [directions, gates * hidden, size], R [directions, gates * hidden,
// hidden].
#include <fmt/format.h>

#include <algorithm>

#include "model/ops/infer_parts.h"

namespace oree {
namespace {

using enum AttributeKind;

Status infer_recurrent(Inference& in, int64_t gates) {
  const Node& node = in.node();
  std::string direction = node.text("direction", "forward");
  if (direction != "forward" && direction != "reverse" && direction != "bidirectional")
    return in.fail(fmt::format("direction '{}'", direction.substr(0, 32)));
  const int64_t directions = direction == "bidirectional" ? 2 : 1;
  for (size_t i : {0, 1, 2}) OREE_TRY(want_rank(in, i, 3));
  OREE_TRY(want_same_dtype(in, {0, 1, 2, 3}));
  std::optional<Dims> x = in.dims(0), w = in.dims(1), r = in.dims(2);
  Dim hidden = node.find("hidden_size") != nullptr ? Dim(std::max<int64_t>(node.integer("hidden_size", 0), 0)) : Dim();
  if (hidden.size == 0) return in.fail("hidden_size must be above 0");
  if (r) {
    OREE_TRY_ASSIGN(hidden, same_dim(in, hidden, (*r)[2], "hidden_size and recurrent weights differ"));
    OREE_TRY(same_dim(in, (*r)[0], Dim(directions), "directions"));
  }
  Dim rows = hidden.known() ? Dim(hidden.size * gates) : Dim();
  if (r) OREE_TRY(same_dim(in, (*r)[1], rows, "rows of the recurrent weights"));
  if (w) {
    OREE_TRY(same_dim(in, (*w)[0], Dim(directions), "directions"));
    OREE_TRY(same_dim(in, (*w)[1], rows, "rows of the weights"));
    if (x) OREE_TRY(same_dim(in, (*w)[2], (*x)[2], "columns of the weights and size of the input differ"));
  }
  const bool batch_first = node.integer("layout", 0) != 0;
  Dim time = x ? (*x)[batch_first ? 1 : 0] : Dim(), batch = x ? (*x)[batch_first ? 0 : 1] : Dim();
  Dims all{time, directions, batch, hidden}, last{directions, batch, hidden};
  if (batch_first) {
    all = {batch, time, directions, hidden};
    last = {batch, directions, hidden};
  }
  in.set(0, in.dtype(0), all);
  for (size_t i = 1; i < in.outputs(); ++i) in.set(i, in.dtype(0), last);
  return {};
}

Status infer_rnn(Inference& in) { return infer_recurrent(in, 1); }
Status infer_gru(Inference& in) { return infer_recurrent(in, 3); }
Status infer_lstm(Inference& in) { return infer_recurrent(in, 4); }

// Every step multiplies all weights.
int64_t recurrent_macs(const Graph& g, const Node& n) {
  int64_t w = volume(g, n.input(1)), r = volume(g, n.input(2));
  int64_t steps = cost_product(dim_at(g, n.input(0), 0), dim_at(g, n.input(0), 1));
  return w < 0 || r < 0 ? -1 : cost_product(steps, w + r);
}

constexpr AttributeDef kRnn[] = {
    {"activation_alpha", kFloats}, {"activation_beta", kFloats}, {"activations", kTexts}, {"clip", kFloat},
    {"direction", kText},          {"hidden_size", kInt},        {"layout", kInt}};
constexpr AttributeDef kGru[] = {{"activation_alpha", kFloats},
                                 {"activation_beta", kFloats},
                                 {"activations", kTexts},
                                 {"clip", kFloat},
                                 {"direction", kText},
                                 {"hidden_size", kInt},
                                 {"layout", kInt},
                                 {"linear_before_reset", kInt}};
constexpr AttributeDef kLstm[] = {
    {"activation_alpha", kFloats}, {"activation_beta", kFloats}, {"activations", kTexts}, {"clip", kFloat},
    {"direction", kText},          {"hidden_size", kInt},        {"input_forget", kInt},  {"layout", kInt}};

constexpr OpDef kOps[] = {
    // op, inputs, outputs, traits, attributes, infer, macs
    {"GRU", 3, 6, 0, 2, kNoTraits, kGru, infer_gru, recurrent_macs},
    {"LSTM", 3, 8, 0, 3, kNoTraits, kLstm, infer_lstm, recurrent_macs},
    {"RNN", 3, 6, 0, 2, kNoTraits, kRnn, infer_rnn, recurrent_macs},
};

}  // namespace

std::span<const OpDef> recurrent_ops() { return kOps; }

}  // namespace oree
