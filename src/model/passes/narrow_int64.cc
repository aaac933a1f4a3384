// SPDX-License-Identifier: Apache-2.0
// int64 values become int32 ones. Inputs and outputs of the graph keep their type behind a Cast; so does what an
// operator's specification wants as int64 (Reshape's shape) or makes as int64 (Shape). An operator that takes either
// computes in int32.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>

#include "model/passes/passes.h"
#include "model/passes/rewrite.h"

namespace oree {
namespace {

constexpr int64_t kOnnxInt32 = 6, kOnnxInt64 = 7;  // TensorProto.DataType

struct Demand {
  std::string_view op;
  size_t input;
};
// Inputs that are int64 by the operator's specification.
constexpr std::array kDemands = {Demand{"Reshape", 1},
                                 Demand{"Expand", 1},
                                 Demand{"Tile", 1},
                                 Demand{"Pad", 1},
                                 Demand{"ConstantOfShape", 0},
                                 Demand{"Squeeze", 1},
                                 Demand{"Unsqueeze", 1},
                                 Demand{"Split", 1},
                                 Demand{"Resize", 3},
                                 Demand{"TopK", 1},
                                 Demand{"ScatterND", 1},
                                 Demand{"GatherND", 1},
                                 Demand{"Trilu", 1},
                                 Demand{"ReduceSum", 1},
                                 Demand{"ReduceMean", 1},
                                 Demand{"ReduceMax", 1},
                                 Demand{"ReduceMin", 1},
                                 Demand{"ReduceProd", 1},
                                 Demand{"ReduceL1", 1},
                                 Demand{"ReduceL2", 1},
                                 Demand{"ReduceLogSum", 1},
                                 Demand{"ReduceLogSumExp", 1},
                                 Demand{"ReduceSumSquare", 1},
                                 Demand{"ReverseSequence", 1},
                                 Demand{"Col2Im", 1},
                                 Demand{"Col2Im", 2},
                                 Demand{"RoiAlign", 2},
                                 Demand{"AffineGrid", 1},
                                 Demand{"NonMaxSuppression", 2},
                                 Demand{"MaxUnpool", 1},
                                 Demand{"MaxUnpool", 2}};
// Outputs that are int64 whatever goes in.
constexpr std::array kMakers = {"Shape",   "Size", "NonZero", "ArgMax", "ArgMin", "NonMaxSuppression",
                                "MaxPool", "TopK", "Unique"};

bool demands_int64(const Node& node, size_t input) {
  if (!node.domain.empty() || !node.blocks.empty() || find_op(node) == nullptr) return true;
  return std::ranges::any_of(kDemands, [&](const Demand& d) { return d.op == node.op && d.input == input; });
}

bool makes_int64(const Node& node, size_t output) {
  if (!node.domain.empty() || !node.blocks.empty() || find_op(node) == nullptr) return true;
  if (node.op == "TopK" || node.op == "MaxPool" || node.op == "Unique") return output > 0;
  return std::ranges::any_of(kMakers, [&](const char* op) { return node.op == op; });
}

class Narrower {
 public:
  explicit Narrower(Graph& graph) : graph_(graph) {}

  PassResult run() {
    for (NodeId id : graph_.order()) OREE_TRY(visit(id));
    for (size_t i = 0; i < graph_.main().outputs.size(); ++i) {
      ValueId v = graph_.main().outputs[i];
      auto it = wide_.find(v);
      if (it == wide_.end()) continue;
      ValueId wide = cast(v, kOnnxInt64, "_int64");
      std::string name = graph_.value(v).name;
      graph_.rename(v, graph_.unique_name(name + "_int32"));
      graph_.rename(wide, name);
      graph_.set_output(kMainBlock, i, wide);
    }
    OREE_TRY(infer_types(graph_));
    return changed_;
  }

 private:
  bool is_int64(ValueId v) const { return v != kNoValue && graph_.value(v).dtype == Dtype::kInt64; }

  ValueId cast(ValueId v, int64_t to, const char* suffix) {
    return build(graph_, "Cast", {v}, {{"to", to}}, kMainBlock, graph_.value(v).name + suffix);
  }

  // The int32 twin of an int64 value.
  Result<ValueId> narrow(ValueId v, const Node& node) {
    if (auto it = narrow_.find({v, node.is("Slice")}); it != narrow_.end()) return it->second;
    ValueId twin = kNoValue;
    if (const Constant* c = graph_.constant(v)) {
      Tensor t(Dtype::kInt32, c->shape());
      std::vector<int64_t> values = c->to_ints();
      for (size_t i = 0; i < values.size(); ++i) {
        int64_t x = values[i];
        // Slice's ends are clamped to the dimension anyway: exporters write the largest integer for "to the end".
        if (node.is("Slice")) x = std::clamp<int64_t>(x, INT32_MIN, INT32_MAX);
        if (x < INT32_MIN || x > INT32_MAX) {
          return Error(Code::kUnsupported, fmt::format("{} '{}': its constant '{}' holds {}, which does not fit int32",
                                                       node.op, node.name, graph_.value(v).name, x));
        }
        t.as<int32_t>()[i] = static_cast<int32_t>(x);
      }
      twin = graph_.add_constant(graph_.value(v).name, Constant(std::move(t)));
    } else {
      twin = cast(v, kOnnxInt32, "_int32");
    }
    narrow_[{v, node.is("Slice")}] = twin;
    return twin;
  }

  // The int64 form of a value that has been narrowed in place.
  ValueId widen(ValueId v) {
    ValueId& wide = wide_.at(v);
    if (wide == kNoValue) wide = cast(v, kOnnxInt64, "_int64");
    return wide;
  }

  Status visit(NodeId id) {
    const Node node = graph_.node(id);  // a copy: casts are added below
    bool narrowed = false;
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      ValueId v = node.inputs[i];
      if (v == kNoValue) continue;
      bool demands = demands_int64(node, i);
      if (wide_.contains(v)) {
        if (demands && !node.is("Cast"))
          graph_.set_input(id, i, widen(v));
        else
          narrowed = true;
      } else if (is_int64(v) && !demands && !node.is("Cast")) {
        OREE_TRY_ASSIGN(ValueId twin, narrow(v, node));
        graph_.set_input(id, i, twin);
        narrowed = true;
      }
    }
    bool cast_to = node.is("Cast") && node.integer("to", 0) == kOnnxInt64;
    if (cast_to) graph_.set_attribute(id, "to", kOnnxInt32);
    if (!narrowed && !cast_to) return {};
    ++changed_;
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      ValueId out = node.outputs[i];
      if (!is_int64(out) || makes_int64(node, i)) continue;
      graph_.set_type(out, Dtype::kInt32, graph_.value(out).dims);
      wide_[out] = kNoValue;
    }
    return {};
  }

  Graph& graph_;
  int changed_ = 0;
  std::map<std::pair<ValueId, bool>, ValueId> narrow_;  // int64 value (clamped for Slice or not) -> int32 twin
  std::map<ValueId, ValueId> wide_;  // value that is int32 now -> its int64 form, once somebody wants it
};

}  // namespace

PassResult narrow_int64(Graph& graph) { return Narrower(graph).run(); }

}  // namespace oree
