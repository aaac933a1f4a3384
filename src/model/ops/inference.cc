// SPDX-License-Identifier: Apache-2.0
#include "model/ops/inference.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "core/base/limits.h"
#include "model/ops/check_node.h"
#include "model/ops/infer_parts.h"
#include "model/ops/op_def.h"

namespace oree {
namespace {

// A dimension is bounded so that sums and products of a few never overflow.
Status check_dims(const Dims& dims) {
  if (dims.size() > static_cast<size_t>(kTensorRankMax)) {
    return Error(Code::kInvalid, fmt::format("rank {} is above the limit of {}", dims.size(), kTensorRankMax));
  }
  for (const Dim& d : dims) {
    if (d.size < -1 || d.size > kTensorElementsMax) {
      return Error(Code::kInvalid, fmt::format("a dimension of {} is out of bounds", d.size));
    }
  }
  Shape shape = to_shape(dims);
  for (int64_t& d : shape) d = std::abs(d);  // what is not known is 1 at least, or there is nothing to compute
  Result<int64_t> elements = shape_elements(shape);
  return elements.ok() ? Status() : Status(elements.error());
}

using Type = InferenceState::Type;

std::string type_text(const Type& type) {
  return fmt::format("{}[{}]", type.dtype ? dtype_name(*type.dtype) : "?", type.dims ? dims_text(*type.dims) : "...");
}

// What is declared fills the gaps of what is inferred; false when they contradict each other.
bool merge(Type& type, const Type& declared) {
  if (!type.dtype) type.dtype = declared.dtype;
  if (declared.dtype && type.dtype != declared.dtype) return false;
  if (!type.dims) type.dims = declared.dims;
  if (!declared.dims) return true;
  if (type.dims->size() != declared.dims->size()) return false;
  for (size_t i = 0; i < type.dims->size(); ++i) {
    Dim& d = (*type.dims)[i];
    const Dim& other = (*declared.dims)[i];
    if (d.known() && other.known() && d.size != other.size) return false;
    if (!d.known() && (other.known() || d.symbol.empty())) d = other;
  }
  return true;
}

Status infer_one(Graph& graph, NodeId id, InferenceState& state) {
  const Node& node = graph.node(id);
  const OpDef* def = find_op(node);
  if (def == nullptr) return {};
  OREE_TRY(check_node(graph, node, *def));
  Inference in(graph, node, state);
  if (def->infer != nullptr) OREE_TRY(def->infer(in));
  if (in.contradiction()) return *in.contradiction();
  follow_values(in);
  return {};
}

// Loops within loops multiply, so their nodes are visited only so often before inference becomes coarser.
int64_t visits_max(const Graph& graph) { return 8 * static_cast<int64_t>(graph.node_count()) + 1000; }

Status infer_block(Graph& graph, BlockId block, InferenceState& state) {
  std::optional<std::vector<NodeId>> order = graph.acyclic_order(block);
  if (!order) return Error(Code::kInvalid, "the graph has a cycle");
  for (NodeId n : *order) OREE_TRY(infer_one(graph, n, state));
  return {};
}

}  // namespace

std::optional<Dtype> Inference::dtype(size_t input) const {
  ValueId id = node_.input(input);
  return id == kNoValue ? std::nullopt : graph_.value(id).dtype;
}

std::optional<Dims> Inference::dims(size_t input) const {
  ValueId id = node_.input(input);
  return id == kNoValue ? std::nullopt : graph_.value(id).dims;
}

const Constant* Inference::constant(size_t input) const { return graph_.constant(node_.input(input)); }

std::optional<SymInts> Inference::ints(size_t input) const {
  if (const Constant* c = constant(input)) {
    if (dtype_is_float(c->dtype()) || c->elements() > kShapeIntsMax) return std::nullopt;
    SymInts out;
    for (int64_t v : c->to_ints()) out.emplace_back(v);
    return out;
  }
  auto it = state_.ints.find(node_.input(input));
  return it == state_.ints.end() ? std::nullopt : std::optional(it->second);
}

std::optional<std::vector<double>> Inference::reals(size_t input) const {
  if (const Constant* c = constant(input)) {
    if (!dtype_is_float(c->dtype()) || c->elements() > kShapeIntsMax) return std::nullopt;
    return c->to_doubles();
  }
  auto it = state_.reals.find(node_.input(input));
  return it == state_.reals.end() ? std::nullopt : std::optional(it->second);
}

bool Inference::quantized() const {
  auto is = [&](ValueId v) { return v != kNoValue && graph_.value(v).quantization; };
  return std::ranges::any_of(node_.inputs, is) || std::ranges::any_of(node_.outputs, is);
}

void Inference::set(size_t output, std::optional<Dtype> dtype, std::optional<Dims> dims) {
  if (node_.output(output) != kNoValue) set_value(node_.output(output), dtype, std::move(dims));
}

void Inference::set_value(ValueId id, std::optional<Dtype> dtype, std::optional<Dims> dims) {
  state_.ints.erase(id);
  state_.reals.erase(id);
  const Value& value = graph_.value(id);
  if (dims) {
    Status bounded = check_dims(*dims);
    if (!bounded.ok()) {
      contradiction_ = fail(fmt::format("'{}': {}", value.name, bounded.error().message()));
      return;
    }
  }
  if (value.quantization && value.dtype) {
    // What is computed may have other integers than its operands; a real, a truth or an index is none, and what is
    // moved stays as it is.
    const OpDef* def = find_op(node_);
    bool moved = def != nullptr && def->has(kMoves);
    bool other = dtype && (dtype_is_float(*dtype) || *dtype == Dtype::kBool || *dtype == Dtype::kInt64 || moved);
    if (other && *dtype != *value.dtype) {
      contradiction_ = fail(fmt::format("'{}' is {}, but the model says quantized {}", value.name, dtype_name(*dtype),
                                        dtype_name(*value.dtype)));
      return;
    }
    dtype = value.dtype;
  }
  if (auto at = static_cast<size_t>(id); at < state_.declared.size()) {
    const InferenceState::Type& declared = state_.declared[at];
    InferenceState::Type merged{dtype, dims};
    if (!merge(merged, declared)) {
      contradiction_ = fail(
          fmt::format("'{}' is {}, but the model says {}", value.name, type_text({dtype, dims}), type_text(declared)));
      return;
    }
    graph_.set_type(id, merged.dtype, std::move(merged.dims));
    return;
  }
  graph_.set_type(id, dtype, std::move(dims));
}

void Inference::set_ints(size_t output, SymInts values) {
  if (values.size() > static_cast<size_t>(kShapeIntsMax) || node_.output(output) == kNoValue) return;
  state_.ints.insert_or_assign(node_.output(output), std::move(values));
}

void Inference::set_reals(size_t output, std::vector<double> values) {
  if (values.size() > static_cast<size_t>(kShapeIntsMax) || node_.output(output) == kNoValue) return;
  state_.reals.insert_or_assign(node_.output(output), std::move(values));
}

Status Inference::infer_body(BlockId body) {
  state_.visits_left -= static_cast<int64_t>(graph_.block(body).nodes.size());
  return infer_block(graph_, body, state_);
}

Error Inference::fail(const std::string& text) const {
  std::string name = node_.name;
  if (name.empty() && node_.output(0) != kNoValue) name = graph_.value(node_.outputs[0]).name;
  return Error(Code::kInvalid, fmt::format("{} '{}': {}", node_.op, name, text));
}

Status infer_types(Graph& graph) {
  InferenceState state;
  state.declared.resize(graph.value_count());
  for (size_t i = 0; i < graph.value_count(); ++i) {
    const Value& v = graph.value(static_cast<ValueId>(i));
    if (v.dims) {
      Status bounded = check_dims(*v.dims);
      if (!bounded.ok()) return bounded.error().within("'" + v.name + "'");
    }
    state.declared[i] = {v.dtype, v.dims};
  }
  state.visits_left = visits_max(graph);
  return infer_block(graph, kMainBlock, state);
}

Status infer_node(Graph& graph, NodeId node) {
  InferenceState state;
  state.visits_left = visits_max(graph);
  for (ValueId out : graph.node(node).outputs) {
    if (out != kNoValue && !graph.value(out).quantization) graph.set_type(out, {}, {});
  }
  return infer_one(graph, node, state);
}

void forget_types(Graph& graph) {
  for (NodeId id : graph.all_nodes()) {
    const Node& node = graph.node(id);
    if (find_op(node) == nullptr) continue;
    auto forget = [&](ValueId v) {  // which integers hold quantized numbers follows from nothing
      if (v != kNoValue) graph.set_type(v, graph.value(v).quantization ? graph.value(v).dtype : std::nullopt, {});
    };
    std::ranges::for_each(node.outputs, forget);
    for (const auto& [name, body] : node.blocks) std::ranges::for_each(graph.block(body).inputs, forget);
  }
}

ValueId build(Graph& graph, std::string_view op, std::vector<ValueId> inputs, Attributes attributes, BlockId block,
              std::string_view name) {
  ValueId out = graph.add(op, std::move(inputs), std::move(attributes), block, name);
  Status fits = infer_node(graph, graph.value(out).producer);
  if (!fits.ok()) assertion_failed(fits.error().message().c_str(), __FILE__, __LINE__);
  return out;
}

Result<Dims> broadcast(const Dims& a, const Dims& b) {
  Dims out(std::max(a.size(), b.size()));
  for (size_t i = 0; i < out.size(); ++i) {
    Dim x = i < a.size() ? a[a.size() - 1 - i] : Dim(1);
    Dim y = i < b.size() ? b[b.size() - 1 - i] : Dim(1);
    Dim& d = out[out.size() - 1 - i];
    if (x == y || y.size == 1) {
      d = std::move(x);
    } else if (x.size == 1 || (!x.known() && y.known())) {
      d = std::move(y);
    } else if (x.known() && !y.known()) {
      d = std::move(x);
    } else if (x.known()) {
      return Error(Code::kInvalid, fmt::format("{} and {} do not broadcast", dims_text(a), dims_text(b)));
    }
  }
  return out;
}

}  // namespace oree
