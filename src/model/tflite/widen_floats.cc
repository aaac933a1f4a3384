// SPDX-License-Identifier: Apache-2.0
#include "model/tflite/widen_floats.h"

#include <set>

#include "model/ops/element_types.h"
#include "model/ops/inference.h"

namespace oree {
namespace {

bool is_other_float(const std::optional<Dtype>& dtype) {
  return dtype && dtype_is_float(*dtype) && *dtype != Dtype::kFloat32;
}

Constant as_float32(const Constant& c) {
  std::vector<double> values = c.to_doubles();
  std::vector<float> narrow(values.begin(), values.end());
  return Constant::of_floats(narrow, c.shape());
}

class Widener {
 public:
  explicit Widener(Graph& graph) : graph_(graph) {}

  Status run() {
    std::vector<NodeId> nodes = graph_.all_nodes();
    if (!any()) return {};
    for (NodeId id : nodes) attributes(id);
    for (size_t i = 0, count = graph_.value_count(); i < count; ++i) {
      auto id = static_cast<ValueId>(i);
      const Value& v = graph_.value(id);
      if (!is_other_float(v.dtype) || (v.users.empty() && !graph_.is_output(id))) continue;
      if (v.constant) widen_constant(id);
    }
    inputs();
    outputs();
    // Nothing that a node makes is of another float now, whatever the file said.
    for (NodeId id : graph_.all_nodes()) {
      for (ValueId v : graph_.node(id).outputs) {
        if (v == kNoValue || casts_.contains(v) || !is_other_float(graph_.value(v).dtype)) continue;
        graph_.set_type(v, Dtype::kFloat32, graph_.value(v).dims);
      }
    }
    for (size_t block = 1; block < graph_.block_count(); ++block) {
      for (ValueId v : graph_.block(static_cast<BlockId>(block)).inputs) {
        if (is_other_float(graph_.value(v).dtype)) graph_.set_type(v, Dtype::kFloat32, graph_.value(v).dims);
      }
    }
    return infer_types(graph_);
  }

 private:
  bool any() const {
    for (size_t i = 0; i < graph_.value_count(); ++i) {
      const Value& v = graph_.value(static_cast<ValueId>(i));
      if (is_other_float(v.dtype) && !(v.constant && v.users.empty())) return true;
    }
    return false;
  }

  ValueId cast(ValueId from, Dtype to, BlockId block = kMainBlock) {
    ValueId out = graph_.add("Cast", {from}, {{"to", dtype_to_onnx(to)}}, block, graph_.value(from).name);
    graph_.set_type(out, to, graph_.value(from).dims);
    casts_.insert(out);
    return out;
  }

  // Attributes that name a type or hold a number of one.
  void attributes(NodeId id) {
    const Attributes old = graph_.node(id).attributes;
    for (const auto& [name, value] : old) {
      const auto* number = std::get_if<int64_t>(&value);
      bool type = number && (name == "to" || name == "dtype" || name == "output_dtype" || name == "stash_type");
      if (type && is_other_float(dtype_from_onnx(*number))) {
        graph_.set_attribute(id, name, dtype_to_onnx(Dtype::kFloat32));
      }
      const auto* held = std::get_if<Constant>(&value);
      if (held && is_other_float(held->dtype())) graph_.set_attribute(id, name, as_float32(*held));
    }
  }

  void use_instead(ValueId from, ValueId to, NodeId except) {
    for (NodeId user : std::vector(graph_.value(from).users)) {
      if (user == except) continue;
      for (size_t i = 0; i < graph_.node(user).inputs.size(); ++i) {
        if (graph_.node(user).inputs[i] == from) graph_.set_input(user, i, to);
      }
    }
  }

  void widen_constant(ValueId id) {
    const Constant& c = *graph_.value(id).constant;
    bool output = graph_.is_output(id);
    if (c.dtype() == Dtype::kFloat16 && c.elements() > 1 && !output) {
      // A Cast of a constant to float32 is there already, in models with weights of 16 bits.
      ValueId wide = cast(id, Dtype::kFloat32);
      use_instead(id, wide, graph_.value(wide).producer);
      return;
    }
    ValueId wide = graph_.add_constant(graph_.value(id).name, as_float32(c));
    use_instead(id, wide, kNoNode);
  }

  void inputs() {
    std::vector<ValueId> all = graph_.main().inputs;
    for (const State& s : graph_.states()) all.push_back(s.input);
    for (ValueId v : all) {
      if (!is_other_float(graph_.value(v).dtype) || graph_.value(v).users.empty()) continue;
      ValueId wide = cast(v, Dtype::kFloat32);
      use_instead(v, wide, graph_.value(wide).producer);
    }
  }

  void outputs() {
    for (size_t i = 0; i < graph_.main().outputs.size(); ++i) {
      ValueId v = graph_.main().outputs[i];
      if (!is_other_float(graph_.value(v).dtype) || graph_.value(v).producer == kNoNode || casts_.contains(v)) continue;
      Dtype dtype = *graph_.value(v).dtype;
      graph_.set_type(v, Dtype::kFloat32, graph_.value(v).dims);
      std::string name = graph_.value(v).name;
      ValueId narrow = cast(v, dtype);
      graph_.rename(v, graph_.unique_name(name));
      graph_.rename(narrow, name);
      graph_.set_output(kMainBlock, i, narrow);
    }
    for (size_t i = 0; i < graph_.states().size(); ++i) {
      ValueId v = graph_.states()[i].output;
      if (!is_other_float(graph_.value(v).dtype) || graph_.value(v).producer == kNoNode || casts_.contains(v)) continue;
      Dtype dtype = *graph_.value(v).dtype;
      graph_.set_type(v, Dtype::kFloat32, graph_.value(v).dims);
      graph_.set_state_output(i, cast(v, dtype));
    }
  }

  Graph& graph_;
  std::set<ValueId> casts_;  // values that a Cast of ours makes: they keep their type
};

}  // namespace

Status widen_floats(Graph& graph) { return Widener(graph).run(); }

}  // namespace oree
