// SPDX-License-Identifier: Apache-2.0
#include "optimize/quantize/edgetpu.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <set>

#include "model/passes/rewrite.h"
#include "model/runtime/files/model_file.h"
#include "model/tflite/tflite_builtins.h"
#include "model/tflite/tflite_costs.h"
#include "model/tflite/tflite_nodes.h"

namespace oree {
namespace {

constexpr int64_t kSoftmaxMax = 16000;
constexpr size_t kDimsMax = 3;  // that may be larger than 1

// --- limits of single operators: "" where they are kept. That batches are neither padded, split nor packed follows
// from the rule of three dimensions below.
std::string unlimited(const Graph&, const Node&) { return ""; }

std::string no_activation(const Graph&, const Node& n) {
  return tflite_option(n, "fused_activation_function") == 0 ? "" : "an activation is fused with it";
}

Shape shape_of(const Graph& g, ValueId v) {
  return v == kNoValue || !g.value(v).dims ? Shape() : to_shape(*g.value(v).dims);
}

int64_t elements_of(const Graph& g, ValueId v) {
  int64_t all = 1;
  for (int64_t d : shape_of(g, v)) all *= std::max<int64_t>(d, 0);
  return all;
}

std::vector<double> numbers(const Graph& g, ValueId v) {
  const Constant* c = v == kNoValue ? nullptr : g.constant(v);
  return c == nullptr ? std::vector<double>() : c->to_doubles();
}

std::string concatenation(const Graph& g, const Node& n) {
  if (std::string why = no_activation(g, n); !why.empty()) return why;
  for (ValueId v : n.inputs) {
    const Constant* c = g.constant(v);
    if (c == nullptr) continue;
    const std::optional<Quantization>& q = g.value(v).quantization;
    const double zero = q ? static_cast<double>(q->zero_points[0]) : 0;
    bool zeros = std::ranges::all_of(c->to_doubles(), [&](double x) { return x == zero; });
    if (n.inputs.size() != 2 || !zeros) return "it joins a constant that is not all zeros, or more than two operands";
  }
  return "";
}

std::string one_dilation(const Graph&, const Node& n) {
  bool same = tflite_option(n, "dilation_w_factor") == tflite_option(n, "dilation_h_factor");
  return same ? "" : "its dilations along x and y differ";
}

std::string fully_connected(const Graph& g, const Node& n) {
  if (tflite_option(n, "weights_format") != 0) return "its weights are in a shuffled format";
  const Shape shape = shape_of(g, n.output(0));
  const int64_t last = shape.empty() ? 1 : shape.back();
  return elements_of(g, n.output(0)) == last ? "" : "its result has more than one dimension above 1";
}

// Reductions, by what they reduce: indices of axes in the second operand.
std::string reduction(const Graph& g, const Node& n) {
  const auto rank = static_cast<double>(shape_of(g, n.input(0)).size());
  if (numbers(g, n.input(1)).empty()) return "its axes are not constant";
  for (double axis : numbers(g, n.input(1))) {
    if (axis < 0) axis += rank;
    if (axis == 0 && (rank == 2 || rank > 3)) return "it reduces the batch";
  }
  return "";
}

std::string mean(const Graph& g, const Node& n) {
  if (std::string why = reduction(g, n); !why.empty()) return why;
  const Shape shape = shape_of(g, n.input(0));
  for (double axis : numbers(g, n.input(1))) {
    bool last = axis == -1 || axis == static_cast<double>(shape.size()) - 1;
    if (last && shape.back() % 4 != 0) return "it reduces channels whose number is no multiple of 4";
  }
  return "";
}

std::string pad(const Graph& g, const Node& n) {
  return numbers(g, n.input(1)).empty() ? "its padding is not constant" : "";
}

std::string split(const Graph& g, const Node& n) {
  return numbers(g, n.input(0)).size() == 1 ? "" : "its axis is not constant";
}

std::string prelu(const Graph& g, const Node& n) {
  const Shape slopes = shape_of(g, n.input(1));
  bool inner = g.constant(n.input(1)) != nullptr && elements_of(g, n.input(1)) == (slopes.empty() ? 1 : slopes.back());
  return inner ? "" : "its slopes are not one a channel";
}

std::string softmax(const Graph& g, const Node& n) {
  const Shape shape = shape_of(g, n.input(0));
  const int64_t last = shape.empty() ? 1 : shape.back();
  if (elements_of(g, n.input(0)) != last) return "its operand has more than one dimension above 1";
  return last <= kSoftmaxMax ? "" : fmt::format("it takes {} values, more than {}", last, kSoftmaxMax);
}

std::string strided_slice(const Graph& g, const Node& n) {
  const std::vector<double> strides = numbers(g, n.input(3));
  if (strides.empty()) return "its strides are not constant";
  if (!std::ranges::all_of(strides, [](double s) { return s == 1; })) return "its strides are not all 1";
  bool plain = tflite_option(n, "ellipsis_mask") == 0 && tflite_option(n, "new_axis_mask") == 0;
  return plain ? "" : "it makes new axes";
}

// Leading dimensions of 1 alone may go: nothing is laid out anew.
std::string squeeze(const Graph& g, const Node& n) {
  const Shape before = shape_of(g, n.input(0)), after = shape_of(g, n.output(0));
  const size_t gone = before.size() - std::min(before.size(), after.size());
  bool leading =
      std::all_of(before.begin(), before.begin() + static_cast<ptrdiff_t>(gone), [](int64_t d) { return d == 1; });
  return leading ? "" : "it removes a dimension that is not a leading one";
}

struct Limit {
  std::string_view op;
  std::string (*broken)(const Graph&, const Node&);
};

constexpr Limit kOperators[] = {
    {"ADD", unlimited},
    {"AVERAGE_POOL_2D", no_activation},
    {"CONCATENATION", concatenation},
    {"CONV_2D", one_dilation},
    {"DEPTHWISE_CONV_2D", one_dilation},
    {"EXPAND_DIMS", unlimited},
    {"FULLY_CONNECTED", fully_connected},
    {"L2_NORMALIZATION", unlimited},
    {"LOGISTIC", unlimited},
    {"MAXIMUM", unlimited},
    {"MAX_POOL_2D", no_activation},
    {"MEAN", mean},
    {"MINIMUM", unlimited},
    {"MUL", unlimited},
    {"PACK", unlimited},
    {"PAD", pad},
    {"PRELU", prelu},
    {"QUANTIZE", unlimited},
    {"REDUCE_MAX", reduction},
    {"REDUCE_MIN", reduction},
    {"RELU", unlimited},
    {"RELU6", unlimited},
    {"RELU_N1_TO_1", unlimited},
    {"RESHAPE", unlimited},
    {"RESIZE_BILINEAR", unlimited},
    {"RESIZE_NEAREST_NEIGHBOR", unlimited},
    {"RSQRT", unlimited},
    {"SLICE", unlimited},
    {"SOFTMAX", softmax},
    {"SPACE_TO_DEPTH", unlimited},
    {"SPLIT", split},
    {"SQUARED_DIFFERENCE", unlimited},
    {"SQUEEZE", squeeze},
    {"STRIDED_SLICE", strided_slice},
    {"SUB", unlimited},
    {"SUM", reduction},
    {"TANH", unlimited},
    {"TRANSPOSE", unlimited},
    {"TRANSPOSE_CONV", unlimited},
    {"UNIDIRECTIONAL_SEQUENCE_LSTM", unlimited},
};

// --- what holds of every operator
// Operands that say where and how large, not what: integers of 32 bits.
bool describes(const Value& value) {
  return value.constant && !value.quantization && (value.dtype == Dtype::kInt32 || value.dtype == Dtype::kInt64);
}

std::string tensor_refused(const Value& value) {
  const bool bias = value.constant && value.dtype == Dtype::kInt32;
  if (value.dtype != Dtype::kInt8 && value.dtype != Dtype::kUint8 && !bias)
    return fmt::format("it works on {}", value.dtype ? dtype_name(*value.dtype) : "an unknown type");
  if (!value.quantization) return "it works on integers without a scale";
  if (value.quantization->per_axis() && !value.constant) return "its values have several scales";
  if (!value.dims || !std::ranges::all_of(*value.dims, [](const Dim& d) { return d.known(); }))
    return "its sizes are not known before it runs";
  const Shape shape = to_shape(*value.dims);
  for (size_t i = 0; !value.constant && i + kDimsMax < shape.size(); ++i) {
    if (shape[i] > 1) return fmt::format("of {} only the last three dimensions may be above 1", shape_text(shape));
  }
  return "";
}

bool has_weights(const Node& n) {
  return n.op == "CONV_2D" || n.op == "DEPTHWISE_CONV_2D" || n.op == "FULLY_CONNECTED" || n.op == "TRANSPOSE_CONV";
}

std::string refused(const Graph& g, const Node& n) {
  auto limit = std::ranges::find(kOperators, n.op, &Limit::op);
  if (n.domain != "tflite" || limit == std::end(kOperators)) return "the Edge TPU has no such operator";
  for (const std::vector<ValueId>* side : {&n.inputs, &n.outputs}) {
    for (ValueId v : *side) {
      if (v == kNoValue || describes(g.value(v))) continue;
      if (std::string why = tensor_refused(g.value(v)); !why.empty()) return why;
    }
  }
  if (has_weights(n) && (g.constant(n.input(1)) == nullptr ||
                         (n.op != "TRANSPOSE_CONV" && n.input(2) != kNoValue && g.constant(n.input(2)) == nullptr)))
    return "its parameters are not constant";
  return limit->broken(g, n);
}

int64_t constant_bytes(const Graph& g, const Node& n, std::set<ValueId>& counted) {
  int64_t bytes = 0;
  for (ValueId v : n.inputs) {
    if (v == kNoValue || g.constant(v) == nullptr || describes(g.value(v)) || !counted.insert(v).second) continue;
    bytes += static_cast<int64_t>(dtype_bytes(g.constant(v)->dtype(), g.constant(v)->elements()));
  }
  return bytes;
}

}  // namespace

EdgeTpuReport edge_tpu_report(const Graph& nodes) {
  // Where a value comes from: the caller or the CPU before the Edge TPU has run, the Edge TPU, or the CPU after it.
  enum class Place { kBefore, kOn, kAfter };
  std::vector<Place> made(nodes.value_count(), Place::kBefore);
  EdgeTpuReport out;
  std::set<ValueId> counted;
  for (NodeId id : nodes.order()) {
    const Node& n = nodes.node(id);
    EdgeTpuOp op;
    op.op = n.op;
    if (n.output(0) != kNoValue) {
      op.name = nodes.value(n.output(0)).name;
      op.shape = shape_text(shape_of(nodes, n.output(0)));
    }
    op.macs = std::max<int64_t>(0, tflite_macs(nodes, n));
    op.bytes = constant_bytes(nodes, n, counted);
    op.because = refused(nodes, n);
    bool after = false, on = false;
    for (ValueId v : n.inputs) {
      after |= v != kNoValue && made[static_cast<size_t>(v)] == Place::kAfter;
      on |= v != kNoValue && made[static_cast<size_t>(v)] == Place::kOn;
    }
    if (op.because.empty() && after) {
      op.follows = true;
      op.because = "what it takes comes from the CPU, and there is one piece on the Edge TPU";
    }
    const bool mapped = op.because.empty();
    const Place place = mapped ? Place::kOn : after || on ? Place::kAfter : Place::kBefore;
    for (ValueId v : n.outputs) {
      if (v != kNoValue) made[static_cast<size_t>(v)] = place;
    }
    out.macs += op.macs;
    if (mapped) {
      ++out.mapped;
      out.macs_mapped += op.macs;
      out.bytes_mapped += op.bytes;
    }
    out.ops.push_back(std::move(op));
  }
  return out;
}

Result<EdgeTpuReport> edge_tpu_report_of_file(const std::string& path) {
  OREE_TRY_ASSIGN(MappedFile file, MappedFile::open(path));
  auto mapped = std::make_shared<MappedFile>(std::move(file));
  OREE_TRY_ASSIGN(Model model, read_tflite_nodes(mapped->bytes(), mapped));
  return edge_tpu_report(model.graph);
}

}  // namespace oree
