// SPDX-License-Identifier: Apache-2.0
// Recurrent operators in float. Their variable tensors are states: inputs of the node, and its further outputs.
// Quantized ones, and forms that ONNX has not, stay as they are.
#include <algorithm>

#include "model/tflite/raise.h"

namespace oree {
namespace {

using Ints = std::vector<int64_t>;

ValueId unsqueeze(Raise& r, ValueId v, int64_t axis) { return r.add("Unsqueeze", {v, r.ints_constant(Ints{axis})}); }

// [batch, time, x] and [time, batch, x], one from the other.
ValueId swap_time(Raise& r, ValueId v) { return r.permute(v, Ints{1, 0, 2}); }

// The gates' parts in ONNX's order, one behind the other.
ValueId gates(Raise& r, std::span<const size_t> inputs) {
  std::vector<ValueId> parts;
  for (size_t i : inputs) parts.push_back(r.in(i));
  return unsqueeze(r, r.add("Concat", std::move(parts), {{"axis", int64_t{0}}}), 0);
}

// Gates in TFLite's order: input, forget, cell, output. In ONNX's: input, output, forget, cell.
// The first output, from ONNX's [time, directions, batch, units]: of one step without the time, else as the input is
// laid out.
void finish_sequence(Raise& r, ValueId all, bool sequence, bool time_major) {
  ValueId y = r.add("Squeeze", {all, r.ints_constant(Ints{1})});
  if (!sequence) {
    r.finish("Squeeze", {y, r.ints_constant(Ints{0})});
  } else if (time_major) {
    r.finish("Identity", {y});
  } else {
    r.finish("Transpose", {y}, {{"perm", Ints{1, 0, 2}}});
  }
}

Status lstm(Raise& r) {
  OREE_TRY(r.want(9));
  OREE_TRY(r.want_plain());
  bool sequence = r.node().op == "UNIDIRECTIONAL_SEQUENCE_LSTM";
  if (!sequence && r.option("kernel_type") != 0) return r.unsupported("a basic kernel");
  for (size_t i : {12, 13, 14, 15, 18, 19}) {
    if (!r.has(i)) return r.unsupported("without biases or states");
  }
  for (size_t i : {16, 17, 20, 21, 22, 23}) {
    if (r.has(i)) return r.unsupported("with projection or layer normalisation");
  }
  if (r.real_option("cell_clip") != 0 || r.real_option("proj_clip") != 0) return r.unsupported("with a clip");
  if (r.option("fused_activation_function") != kTfliteTanh) return r.unsupported("without tanh");
  if (sequence && r.flag("diagonal_recurrent_tensors")) return r.unsupported("with diagonal weights");
  bool peepholes = r.has(9) && r.has(10) && r.has(11);
  if (!peepholes && (r.has(9) || r.has(10) || r.has(11))) return r.unsupported("with some peepholes");
  std::optional<Shape> recurrent = r.shape(r.in(5));
  if (!recurrent || recurrent->size() != 2) return r.unsupported("the shape of its weights is not known");
  int64_t units = (*recurrent)[0];
  ValueId x = r.in(0);
  bool time_major = sequence && r.flag("time_major");
  if (!sequence) x = unsqueeze(r, x, 0);
  if (sequence && !time_major) x = swap_time(r, x);
  Tensor none(Dtype::kFloat32, {4 * units});
  ValueId bias = r.add("Concat", {r.in(12), r.in(15), r.in(13), r.in(14), r.constant(Constant(std::move(none)))},
                       {{"axis", int64_t{0}}});
  std::vector<ValueId> inputs{x,
                              gates(r, std::vector<size_t>{1, 4, 2, 3}),
                              gates(r, std::vector<size_t>{5, 8, 6, 7}),
                              unsqueeze(r, bias, 0),
                              kNoValue,
                              unsqueeze(r, r.in(18), 0),
                              unsqueeze(r, r.in(19), 0)};
  if (peepholes) inputs.push_back(gates(r, std::vector<size_t>{9, 11, 10}));
  r.drop_activation();
  std::vector<ValueId> out = r.add_many("LSTM", std::move(inputs), 3, {{"hidden_size", units}});
  finish_sequence(r, out[0], sequence, time_major);
  ValueId axis_0 = r.ints_constant(Ints{0});
  for (size_t i : {1, 2}) {
    if (r.out(i) != kNoValue) r.finish("Squeeze", {out[i], axis_0}, {}, i);
  }
  return {};
}

// One vector in the feature's memory a step: the memory moves on by one, and is weighed as a whole.
Status svdf(Raise& r) {
  OREE_TRY(r.want(3));
  OREE_TRY(r.want_plain());
  std::optional<Shape> features = r.shape(r.in(1)), time = r.shape(r.in(2));
  int64_t rank = r.option("rank");
  if (!r.has(4) || !features || !time || features->size() != 2 || time->size() != 2) {
    return r.unsupported("its state or the shapes of its weights are not known");
  }
  int64_t filters = (*features)[0], memory = (*time)[1];
  if (rank < 1 || filters % rank != 0) return r.invalid("filters are no multiple of its rank");
  ValueId axis = r.ints_constant(Ints{2});
  Attributes drop{{"keepdims", int64_t{0}}};
  ValueId state = r.reshape(r.in(4), Ints{-1, filters, memory});
  ValueId rest = r.add("Slice", {state, r.ints_constant(Ints{1}), r.ints_constant(Ints{INT64_MAX}), axis});
  ValueId now = r.add("MatMul", {r.in(0), r.permute(r.in(1), Ints{1, 0})});
  ValueId moved = r.add("Concat", {rest, unsqueeze(r, now, 2)}, {{"axis", int64_t{2}}});
  ValueId weighed = r.add("ReduceSum", {r.add("Mul", {moved, r.in(2)}), axis}, drop);
  ValueId y = r.add("ReduceSum", {r.reshape(weighed, Ints{-1, filters / rank, rank}), axis}, drop);
  if (r.has(3)) {
    r.finish("Add", {y, r.in(3)});
  } else {
    r.finish("Identity", {y});
  }
  if (r.out(1) != kNoValue) r.finish("Reshape", {moved, r.ints_constant(Ints{-1, filters * memory})}, {}, 1);
  return {};
}

// Inputs: x, weights, recurrent weights, bias, state.
Status rnn(Raise& r) {
  OREE_TRY(r.want(5));
  OREE_TRY(r.want_plain());
  bool sequence = r.node().op == "UNIDIRECTIONAL_SEQUENCE_RNN";
  std::optional<Shape> recurrent = r.shape(r.in(2));
  if (!recurrent || recurrent->size() != 2) return r.unsupported("the shape of its weights is not known");
  int64_t units = (*recurrent)[0];
  std::string activation;
  switch (r.option("fused_activation_function")) {
    case kTfliteTanh: activation = "Tanh"; break;
    case kTfliteRelu: activation = "Relu"; break;
    default: return r.unsupported("its activation");
  }
  r.drop_activation();
  bool time_major = sequence && r.flag("time_major");
  ValueId x = sequence ? (time_major ? r.in(0) : swap_time(r, r.in(0))) : unsqueeze(r, r.in(0), 0);
  ValueId none = r.zeros(Dtype::kFloat32, {units});
  ValueId bias = unsqueeze(r, r.add("Concat", {r.in(3), none}, {{"axis", int64_t{0}}}), 0);
  std::vector<ValueId> out = r.add_many(
      "RNN", {x, unsqueeze(r, r.in(1), 0), unsqueeze(r, r.in(2), 0), bias, kNoValue, unsqueeze(r, r.in(4), 0)}, 2,
      {{"hidden_size", units}, {"activations", std::vector<std::string>{activation}}});
  finish_sequence(r, out[0], sequence, time_major);
  ValueId axis_0 = r.ints_constant(Ints{0});
  if (r.out(1) != kNoValue) r.finish("Squeeze", {out[1], axis_0}, {}, 1);
  return {};
}

constexpr RaiseEntry kEntries[] = {
    {"LSTM", lstm}, {"UNIDIRECTIONAL_SEQUENCE_LSTM", lstm}, {"SVDF", svdf},
    {"RNN", rnn},   {"UNIDIRECTIONAL_SEQUENCE_RNN", rnn},
};

}  // namespace

std::span<const RaiseEntry> raise_recurrent() { return kEntries; }

}  // namespace oree
