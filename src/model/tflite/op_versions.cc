// SPDX-License-Identifier: Apache-2.0
#include "model/tflite/op_versions.h"

#include <algorithm>
#include <initializer_list>
#include <map>

#include "model/tflite/tflite_builtins.h"

namespace oree {
namespace {

class Operands {
 public:
  Operands(const Graph& graph, const Node& node) : graph_(graph), node_(node) {}
  std::optional<Dtype> in(size_t i) const { return dtype(node_.input(i)); }
  std::optional<Dtype> out() const { return dtype(node_.output(0)); }
  const std::optional<Quantization>* quantization(ValueId v) const {
    return v == kNoValue ? nullptr : &graph_.value(v).quantization;
  }
  bool quantized(size_t i) const {
    const auto* q = quantization(node_.input(i));
    return q != nullptr && q->has_value();
  }
  bool per_axis(size_t i) const { return quantized(i) && (*quantization(node_.input(i)))->per_axis(); }
  double scale(ValueId v) const {
    const auto* q = quantization(v);
    return q != nullptr && *q ? static_cast<double>((*q)->scales[0]) : 0.0;
  }
  size_t rank(size_t i) const {
    ValueId v = node_.input(i);
    return v == kNoValue || !graph_.value(v).dims ? 0 : graph_.value(v).dims->size();
  }
  // Binary operators of many axes came later.
  bool wide_broadcast() const {
    if (node_.inputs.size() < 2) return false;
    const auto &a = graph_.value(node_.inputs[0]).dims, &b = graph_.value(node_.inputs[1]).dims;
    return a != b && std::max(rank(0), rank(1)) > 4;
  }
  bool hybrid(size_t weights) const {
    return in(0) == Dtype::kFloat32 && (in(weights) == Dtype::kInt8 || in(weights) == Dtype::kInt4);
  }
  bool flag(std::string_view option) const { return tflite_option(node_, option) != 0; }
  const Node& node() const { return node_; }

 private:
  std::optional<Dtype> dtype(ValueId v) const { return v == kNoValue ? std::nullopt : graph_.value(v).dtype; }
  const Graph& graph_;
  const Node& node_;
};

struct ByType {
  Dtype dtype;
  int version;
};

// Operators whose version follows from the type of one operand alone.
struct Rule {
  std::initializer_list<std::string_view> ops;
  size_t operand;
  std::initializer_list<ByType> versions;
};

const std::map<std::string_view, const Rule*>& rules() {
  using enum Dtype;
  static const Rule kRules[] = {
      {{"MAX_POOL_2D", "AVERAGE_POOL_2D", "SOFTMAX", "MEAN", "MIRROR_PAD", "REDUCE_MAX", "REDUCE_MIN", "RELU6", "RSQRT",
        "TANH", "LOGISTIC", "RELU", "LESS", "GREATER_EQUAL"},
       0,
       {{kInt16, 3}, {kInt8, 2}}},
      {{"SPACE_TO_DEPTH", "DEPTH_TO_SPACE", "SPLIT_V", "SUM", "LOG_SOFTMAX", "GREATER", "LESS_EQUAL",
        "SQUARED_DIFFERENCE", "NOT_EQUAL", "L2_NORMALIZATION"},
       0,
       {{kInt8, 2}}},
      {{"EXP", "LOG", "REDUCE_PROD", "FLOOR_MOD"}, 0, {{kInt8, 2}, {kInt16, 2}}},
      {{"SPLIT"}, 1, {{kInt16, 4}, {kInt32, 3}, {kInt8, 2}}},
      {{"CONCATENATION"}, 0, {{kUint32, 4}, {kInt16, 3}, {kInt8, 2}}},
      {{"PACK"}, 0, {{kUint32, 4}, {kInt16, 3}, {kInt8, 2}}},
      {{"UNPACK"}, 0, {{kInt8, 2}, {kUint8, 2}, {kBool, 3}, {kInt16, 4}}},
      {{"GATHER_ND"}, 0, {{kBool, 5}, {kInt16, 3}}},
      {{"EQUAL"}, 0, {{kInt16, 4}, {kInt8, 2}}},
      {{"TILE"}, 0, {{kInt8, 3}}},
      {{"REVERSE_V2"}, 0, {{kInt8, 3}, {kBool, 2}}},
      {{"FILL"}, 1, {{kFloat16, 4}, {kInt8, 3}, {kInt16, 3}, {kBool, 2}}},
      {{"FLOOR_DIV"}, 0, {{kInt8, 3}, {kInt16, 3}, {kFloat32, 2}}},
      {{"LEAKY_RELU"}, 0, {{kInt16, 2}}},
      {{"RANGE"}, 0, {{kInt64, 2}}},
      {{"ARG_MAX", "ARG_MIN"}, 0, {{kBool, 3}, {kInt8, 2}}},
      {{"TOPK_V2"}, 0, {{kInt16, 3}, {kInt8, 2}}},
      {{"SIGN"}, 0, {{kInt32, 2}}},
      {{"GELU"}, 0, {{kInt8, 2}, {kUint8, 2}}},
      {{"SELECT_V2"}, 0, {{kUint32, 2}}},
      {{"SPARSE_TO_DENSE"}, 2, {{kInt8, 3}, {kUint8, 3}, {kInt64, 2}}},
  };
  static const auto table = [] {
    std::map<std::string_view, const Rule*> out;
    for (const Rule& rule : kRules) {
      for (std::string_view op : rule.ops) out.emplace(op, &rule);
    }
    return out;
  }();
  return table;
}

using Special = int (*)(const Operands&);

int conv_2d(const Operands& o) {
  if (o.in(0) == Dtype::kInt16 && o.flag("quantized_bias_type")) return 8;
  if (o.in(0) == Dtype::kInt8) return o.in(1) == Dtype::kInt4 ? 7 : 3;
  if (o.hybrid(1)) return o.per_axis(1) ? 5 : 2;
  return 1;
}

int depthwise_conv_2d(const Operands& o) {
  if (o.in(0) == Dtype::kInt8) return o.in(1) == Dtype::kInt4 ? 7 : 3;
  if (o.hybrid(1)) return o.per_axis(1) ? 6 : 4;
  bool dilated = tflite_option(o.node(), "dilation_w_factor") != 1 || tflite_option(o.node(), "dilation_h_factor") != 1;
  return dilated ? 2 : 1;
}

int transpose_conv(const Operands& o) {
  if (o.flag("quantized_bias_type")) return 5;
  if (o.flag("fused_activation_function")) return 4;
  if (o.in(3)) return 3;
  return o.in(1) == Dtype::kInt8 ? 2 : 1;
}

int fully_connected(const Operands& o) {
  if (o.in(0) == Dtype::kInt16 && o.in(1) == Dtype::kInt4) return 13;
  if (o.hybrid(1) && o.per_axis(1)) return 12;
  if (o.in(0) == Dtype::kInt16 && o.flag("quantized_bias_type")) return 11;
  if (o.in(1) == Dtype::kInt16) return 7;
  if (!o.in(2)) return 6;
  if (o.flag("keep_num_dims")) return 5;
  if (o.in(0) == Dtype::kInt8) return o.in(1) == Dtype::kInt4 ? 10 : 4;
  if (o.hybrid(1)) return o.flag("asymmetric_quantize_inputs") ? 9 : 3;
  return 1;
}

int batch_matmul(const Operands& o) {
  if (o.in(0) == Dtype::kInt16) return 3;
  if (o.in(0) == Dtype::kInt8) return 2;
  return o.hybrid(1) && o.flag("asymmetric_quantize_inputs") ? 4 : 1;
}

int gather(const Operands& o) {
  if (o.in(0) == Dtype::kInt4) return 7;
  if (o.in(1) == Dtype::kInt16) return 6;
  if (o.flag("batch_dims")) return 5;
  if (o.in(0) == Dtype::kInt16) return 4;
  if (o.in(0) == Dtype::kBool) return 3;
  return o.in(0) == Dtype::kInt8 ? 2 : 1;
}

int add(const Operands& o) {
  if (o.in(0) == Dtype::kInt16) return !o.quantized(0) ? 5 : o.flag("pot_scale_int16") ? 1 : 3;
  if (o.in(0) == Dtype::kInt64) return 4;
  return o.in(0) == Dtype::kInt8 ? 2 : 1;
}

int sub(const Operands& o) {
  if (o.in(0) == Dtype::kInt16 && !o.flag("pot_scale_int16")) return 5;
  if (o.in(0) == Dtype::kInt64) return 4;
  if (o.wide_broadcast()) return 3;
  return o.in(0) == Dtype::kInt8 ? 2 : 1;
}

int mul(const Operands& o) {
  if (o.in(0) == Dtype::kUint32) return 7;
  if (o.in(0) == Dtype::kInt64) return 5;
  if (o.in(0) == Dtype::kInt16) return o.quantized(0) ? 4 : 7;
  double out = o.scale(o.node().output(0));
  double product = o.scale(o.node().input(0)) * o.scale(o.node().input(1));
  if (out != 0 && product / out >= 1) return 3;
  return o.in(0) == Dtype::kInt8 ? 2 : 1;
}

int div(const Operands& o) { return o.wide_broadcast() ? 2 : 1; }

int extreme(const Operands& o) {
  if (o.in(0) == Dtype::kInt16) return 4;
  if (o.wide_broadcast()) return 3;
  return o.in(0) == Dtype::kInt8 ? 2 : 1;
}

int transpose(const Operands& o) {
  if (o.rank(0) > 5) return 6;
  if (o.in(0) == Dtype::kInt16) return 5;
  if (o.rank(0) > 4) return 4;
  if (o.in(0) == Dtype::kBool) return 3;
  return o.in(0) == Dtype::kInt8 ? 2 : 1;
}

int slice(const Operands& o) {
  if (o.in(0) == Dtype::kUint32) return 6;
  if (o.rank(0) > 4) return 5;
  if (o.in(0) == Dtype::kInt16) return 4;
  return o.in(0) == Dtype::kInt8 ? 2 : 1;
}

int strided_slice(const Operands& o) {
  if (o.flag("offset")) return 8;
  if (o.in(0) == Dtype::kUint32) return 7;
  if (o.flag("ellipsis_mask") || o.flag("new_axis_mask")) return 6;
  if (o.rank(0) > 4) return 4;
  if (o.in(0) == Dtype::kBool) return 3;
  return o.in(0) == Dtype::kInt8 ? 2 : 1;
}

int pad(const Operands& o) {
  if (o.rank(0) > 4) return 4;
  if (o.in(0) == Dtype::kInt16) return 3;
  return o.in(0) == Dtype::kInt8 ? 2 : 1;
}

int resize_bilinear(const Operands& o) {
  if (o.in(0) == Dtype::kInt16) return 4;
  if (o.flag("half_pixel_centers")) return 3;
  return o.in(0) == Dtype::kInt8 ? 2 : 1;
}

int resize_nearest(const Operands& o) {
  if (o.in(0) == Dtype::kInt16) return 4;
  if (o.flag("half_pixel_centers") || o.flag("align_corners")) return 3;
  return o.in(0) == Dtype::kInt8 ? 2 : 1;
}

int blocks(const Operands& o) {
  if (o.in(0) == Dtype::kInt16) return 4;
  if (o.rank(0) != 4) return 3;
  return o.in(0) == Dtype::kInt8 ? 2 : 1;
}

int dequantize(const Operands& o) {
  if (o.in(0) == Dtype::kInt4) return 6;
  if (o.in(0) == Dtype::kInt16 || o.in(0) == Dtype::kFloat16) return 3;
  if (o.in(0) == Dtype::kInt8) return o.per_axis(0) ? 5 : 2;
  return 1;
}

int quantize(const Operands& o) {
  if (o.in(0) == Dtype::kInt4 || o.out() == Dtype::kInt4) return 4;
  const auto* q = o.quantization(o.node().output(0));
  if (q != nullptr && *q && (*q)->per_axis()) return 3;
  return o.out() == Dtype::kInt16 ? 2 : 1;
}

int abs(const Operands& o) {
  if (o.in(0) == Dtype::kInt32) return 5;
  if (o.in(0) == Dtype::kInt16) return o.quantized(0) ? 3 : 4;
  return o.in(0) == Dtype::kInt8 ? 2 : 1;
}

int broadcast_to(const Operands& o) { return o.in(0) == Dtype::kInt8 || o.in(0) == Dtype::kInt16 ? 3 : 2; }

int cast(const Operands& o) {
  auto is = [&](Dtype dtype) { return o.in(0) == dtype || o.out() == dtype; };
  if (is(Dtype::kBfloat16)) return 7;
  if (o.in(0) == Dtype::kInt4) return 6;
  if (is(Dtype::kFloat64) || is(Dtype::kFloat16)) return 5;
  if (is(Dtype::kUint16)) return 4;
  if (is(Dtype::kInt8)) return 3;
  return is(Dtype::kUint32) ? 2 : 1;
}

int where(const Operands& o) { return o.in(0) == Dtype::kBool ? 1 : 2; }
int fake_quant(const Operands& o) { return o.flag("narrow_range") ? 2 : 1; }

int svdf(const Operands& o) {
  if (o.in(0) == Dtype::kInt8) return 3;
  return !o.hybrid(1) ? 1 : o.flag("asymmetric_quantize_inputs") ? 4 : 2;
}

int sequence_lstm(const Operands& o) {
  if (o.in(0) == Dtype::kInt16) return 5;
  if (o.flag("diagonal_recurrent_tensors")) return 4;
  return !o.hybrid(2) ? 1 : o.flag("asymmetric_quantize_inputs") ? 3 : 2;
}

int lstm(const Operands& o) {
  if (o.in(0) == Dtype::kInt16) return 5;
  if (o.flag("kernel_type")) return 2;
  return !o.hybrid(2) ? 1 : o.flag("asymmetric_quantize_inputs") ? 4 : 3;
}

// Recurrent operators whose weights are operand 1.
int recurrent(const Operands& o) { return o.in(1) != Dtype::kInt8 ? 1 : o.flag("asymmetric_quantize_inputs") ? 3 : 2; }

int select(const Operands& o) {
  if (std::max({o.rank(0), o.rank(1), o.rank(2)}) > 4) return 3;
  return o.in(1) == Dtype::kInt8 ? 2 : 1;
}

const std::map<std::string_view, Special>& specials() {
  static const std::map<std::string_view, Special> table{
      {"CONV_2D", conv_2d},
      {"DEPTHWISE_CONV_2D", depthwise_conv_2d},
      {"TRANSPOSE_CONV", transpose_conv},
      {"FULLY_CONNECTED", fully_connected},
      {"BATCH_MATMUL", batch_matmul},
      {"GATHER", gather},
      {"ADD", add},
      {"SUB", sub},
      {"MUL", mul},
      {"DIV", div},
      {"MAXIMUM", extreme},
      {"MINIMUM", extreme},
      {"TRANSPOSE", transpose},
      {"SLICE", slice},
      {"STRIDED_SLICE", strided_slice},
      {"PAD", pad},
      {"PADV2", pad},
      {"RESIZE_BILINEAR", resize_bilinear},
      {"RESIZE_NEAREST_NEIGHBOR", resize_nearest},
      {"SPACE_TO_BATCH_ND", blocks},
      {"BATCH_TO_SPACE_ND", blocks},
      {"DEQUANTIZE", dequantize},
      {"QUANTIZE", quantize},
      {"ABS", abs},
      {"BROADCAST_TO", broadcast_to},
      {"CAST", cast},
      {"WHERE", where},
      {"FAKE_QUANT", fake_quant},
      {"SVDF", svdf},
      {"UNIDIRECTIONAL_SEQUENCE_LSTM", sequence_lstm},
      {"LSTM", lstm},
      {"RNN", recurrent},
      {"UNIDIRECTIONAL_SEQUENCE_RNN", recurrent},
      {"BIDIRECTIONAL_SEQUENCE_RNN", recurrent},
      {"BIDIRECTIONAL_SEQUENCE_LSTM", recurrent},
      {"SELECT", select},
  };
  return table;
}

}  // namespace

int tflite_op_version(const Graph& graph, const Node& node) {
  Operands operands(graph, node);
  if (auto special = specials().find(node.op); special != specials().end()) return special->second(operands);
  auto rule = rules().find(node.op);
  if (rule == rules().end()) return 1;
  for (const ByType& v : rule->second->versions) {
    if (operands.in(rule->second->operand) == v.dtype) return v.version;
  }
  return 1;
}

}  // namespace oree
