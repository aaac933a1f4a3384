// SPDX-License-Identifier: Apache-2.0
#include "model/tflite/raise.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "model/ops/element_types.h"
#include "model/ops/inference.h"
#include "model/tflite/permute.h"

namespace oree {
namespace {

const std::map<std::string_view, RaiseHandler>& handlers() {
  static const auto table = [] {
    std::map<std::string_view, RaiseHandler> out;
    for (std::span<const RaiseEntry> family :
         {raise_convolutions(), raise_elementwise(), raise_movements(), raise_slices(), raise_reductions(),
          raise_images(), raise_indices(), raise_recurrent(), raise_control()}) {
      for (const RaiseEntry& entry : family) OREE_ASSERT(out.emplace(entry.op, entry.handler).second);
    }
    return out;
  }();
  return table;
}

std::vector<int64_t> first_channels(size_t rank) {
  std::vector<int64_t> order{0, static_cast<int64_t>(rank) - 1};
  for (size_t d = 1; d + 1 < rank; ++d) order.push_back(static_cast<int64_t>(d));
  return order;
}

std::vector<int64_t> last_channels(size_t rank) {
  std::vector<int64_t> order{0};
  for (size_t d = 2; d < rank; ++d) order.push_back(static_cast<int64_t>(d));
  order.push_back(1);
  return order;
}

}  // namespace

Status raise_tflite(Graph& graph) {
  join_dilated_convolutions(graph);
  // Blocks that a WHILE makes come behind the others and are met in their turn.
  for (BlockId block = 0; block < static_cast<BlockId>(graph.block_count()); ++block) {
    NodeId owner = graph.block(block).owner;
    if (owner != kNoNode && graph.node(owner).removed) continue;
    for (NodeId id : graph.order(block)) {
      if (graph.node(id).removed || graph.node(id).domain != kTfliteDomain) continue;
      auto found = handlers().find(graph.node(id).op);
      if (found == handlers().end()) continue;
      Raise raise(graph, id);
      Status done = found->second(raise);
      if (done.ok()) done = raise.status();
      if (!done.ok() && done.error().code() != Code::kUnsupported) return done;
      done.ok() ? raise.commit() : raise.roll_back();
    }
  }
  graph.sweep();
  return {};
}

Raise::Raise(Graph& graph, NodeId id) : graph_(graph), id_(id), node_(graph.node(id)) {
  const TfliteBuiltin* builtin = find_tflite_builtin(node_.op);
  OREE_ASSERT(builtin != nullptr);
  if (std::ranges::find(builtin->options, "fused_activation_function", &TfliteOption::name) != builtin->options.end()) {
    activation_ = option("fused_activation_function");
  }
  graph_.set_outputs(id_, {});
}

void Raise::commit() { graph_.remove_node(id_); }

void Raise::roll_back() {
  for (NodeId id : added_) graph_.remove_node(id);
  graph_.set_outputs(id_, node_.outputs);
}

Error Raise::invalid(const std::string& text) const {
  std::string name = out() == kNoValue ? "" : graph_.value(out()).name;
  return Error(Code::kInvalid, fmt::format("{} '{}': {}", node_.op, name, text));
}

Error Raise::unsupported(const std::string& text) const { return Error(Code::kUnsupported, invalid(text).message()); }

Status Raise::want(size_t inputs, size_t outputs) const {
  bool enough = node_.inputs.size() >= inputs && node_.outputs.size() >= outputs;
  for (size_t i = 0; i < inputs && enough; ++i) enough = has(i);
  if (enough) return {};
  return invalid(fmt::format("needs {} inputs and {} outputs, has {} and {}", inputs, outputs, node_.inputs.size(),
                             node_.outputs.size()));
}

std::optional<Shape> Raise::shape(ValueId id) const {
  const auto& d = dims(id);
  return d ? known_shape(*d) : std::nullopt;
}

std::optional<size_t> Raise::rank(ValueId id) const {
  const auto& d = dims(id);
  return d ? std::optional(d->size()) : std::nullopt;
}

Result<size_t> Raise::known_rank(ValueId id) const {
  if (auto r = rank(id)) return *r;
  return unsupported(fmt::format("the rank of '{}' is not known", value(id).name));
}

bool Raise::quantized() const {
  auto is = [&](ValueId v) { return v != kNoValue && graph_.value(v).quantization; };
  return std::ranges::any_of(node_.inputs, is) || std::ranges::any_of(node_.outputs, is);
}

Status Raise::want_plain() const { return quantized() ? Status(unsupported("it is quantized")) : Status(); }

Result<std::vector<int64_t>> Raise::ints(size_t input) const {
  if (!has(input)) return invalid(fmt::format("input {} is absent", input));
  const Constant* c = graph_.constant(in(input));
  if (c == nullptr) return unsupported(fmt::format("'{}' is no constant", value(in(input)).name));
  if (dtype_is_float(c->dtype())) return invalid(fmt::format("'{}' must be integers", value(in(input)).name));
  return c->to_ints();
}

Result<size_t> Raise::axis(int64_t axis, size_t rank) const {
  auto r = static_cast<int64_t>(rank);
  if (axis < -r || axis >= r) return invalid(fmt::format("axis {} of rank {}", axis, rank));
  return static_cast<size_t>(axis < 0 ? axis + r : axis);
}

// What the file says of an output stands where inference knows less.
NodeId Raise::put(Node node) {
  std::vector<std::optional<Dims>> declared;
  std::vector<std::optional<Dtype>> types;
  for (ValueId v : node.outputs) {
    declared.push_back(v == kNoValue ? std::nullopt : graph_.value(v).dims);
    types.push_back(v == kNoValue ? std::nullopt : graph_.value(v).dtype);
  }
  NodeId id = graph_.add_node(std::move(node), node_.block);
  added_.push_back(id);
  Status inferred = infer_node(graph_, id);
  if (!inferred.ok() && !error_) error_ = inferred.error();
  for (size_t i = 0; i < declared.size(); ++i) {
    ValueId v = graph_.node(id).outputs[i];
    if (v == kNoValue) continue;
    std::optional<Dims> now = graph_.value(v).dims;
    if (!now) now = declared[i];
    if (now && declared[i] && now->size() == declared[i]->size()) {
      for (size_t d = 0; d < now->size(); ++d) {
        if (!(*now)[d].known() && (*now)[d].symbol.empty()) (*now)[d] = (*declared[i])[d];
      }
    }
    std::optional<Dtype> dtype = graph_.value(v).dtype;
    graph_.set_type(v, dtype ? dtype : types[i], std::move(now));
  }
  return id;
}

ValueId Raise::add(std::string_view op, std::vector<ValueId> inputs, Attributes attributes) {
  return add_many(op, std::move(inputs), 1, std::move(attributes))[0];
}

ValueId Raise::add_like(ValueId like, std::string_view op, std::vector<ValueId> inputs, Attributes attributes) {
  return add_many(op, std::move(inputs), 1, std::move(attributes), like)[0];
}

std::vector<ValueId> Raise::add_many(std::string_view op, std::vector<ValueId> inputs, size_t outputs,
                                     Attributes attributes, ValueId like) {
  Node node;
  node.op = op;
  node.inputs = std::move(inputs);
  node.attributes = std::move(attributes);
  for (size_t i = 0; i < outputs; ++i) {
    ValueId v = graph_.add_value(std::string(op));
    if (like != kNoValue) {
      graph_.set_type(v, graph_.value(like).dtype, {});
      graph_.set_quantization(v, graph_.value(like).quantization);
    }
    node.outputs.push_back(v);
  }
  std::vector<ValueId> made = node.outputs;
  put(std::move(node));
  return made;
}

ValueId Raise::bound(ValueId like, double real) {
  const Value& v = graph_.value(like);
  if (!v.quantization || !v.dtype) return number_like(like, real);
  // As TFLite's CalculateActivationRangeQuantized rounds it.
  float scale = v.quantization->scales[0];
  double q = std::round(static_cast<float>(real) / scale) + static_cast<double>(v.quantization->zero_points[0]);
  int bits = dtype_bits(*v.dtype);
  double low = dtype_is_signed(*v.dtype) ? -std::exp2(bits - 1) : 0.0;
  q = std::clamp(q, low, low + std::exp2(bits) - 1);
  std::optional<Quantization> quantization = v.quantization;
  ValueId out = number_like(like, q);
  graph_.set_quantization(out, std::move(quantization));
  return out;
}

ValueId Raise::activation(ValueId value, ValueId target) {
  auto make = [&](std::string_view op, std::vector<ValueId> inputs) {
    if (target == kNoValue) return add_like(value, op, std::move(inputs));
    Node node;
    node.op = op;
    node.inputs = std::move(inputs);
    node.outputs = {target};
    put(std::move(node));
    return target;
  };
  switch (activation_) {
    case kTfliteRelu: return make("Relu", {value});
    case kTfliteReluN1To1: return make("Clip", {value, bound(value, -1), bound(value, 1)});
    case kTfliteRelu6: return make("Clip", {value, bound(value, 0), bound(value, 6)});
    case kTfliteTanh: return make("Tanh", {value});
    default: {
      if (!error_) error_ = unsupported(fmt::format("fused activation {}", activation_));
      return value;
    }
  }
}

void Raise::finish(std::string_view op, std::vector<ValueId> inputs, Attributes attributes, size_t output) {
  bool plain = output > 0 || activation_ == kTfliteNoActivation;
  ValueId target = out(output);
  if (plain) {
    Node node;
    node.op = op;
    node.inputs = std::move(inputs);
    node.attributes = std::move(attributes);
    node.outputs = {target};
    put(std::move(node));
    return;
  }
  activation(add_like(target, op, std::move(inputs), std::move(attributes)), target);
}

void Raise::finish_channels_first(std::string_view op, std::vector<ValueId> inputs, Attributes attributes) {
  ValueId y = add_like(out(), op, std::move(inputs), std::move(attributes));
  if (activation_ != kTfliteNoActivation) y = activation(y, kNoValue);
  activation_ = kTfliteNoActivation;
  auto r = rank(y) ? rank(y) : rank(out());
  if (!r || *r < 3) {
    if (!error_) error_ = unsupported("the rank of its output is not known");
    return;
  }
  finish("Transpose", {y}, {{"perm", last_channels(*r)}});
}

void Raise::finish_many(std::string_view op, std::vector<ValueId> inputs, std::vector<ValueId> outputs,
                        Attributes attributes) {
  Node node;
  node.op = op;
  node.inputs = std::move(inputs);
  node.outputs = std::move(outputs);
  node.attributes = std::move(attributes);
  put(std::move(node));
}

NodeId Raise::add_node(std::string_view op, std::vector<ValueId> inputs, std::vector<ValueId> outputs) {
  Node node;
  node.op = op;
  node.inputs = std::move(inputs);
  node.outputs = std::move(outputs);
  added_.push_back(graph_.add_node(std::move(node), node_.block));
  return added_.back();
}

void Raise::adopt_nodes_since(size_t node_count) {
  for (size_t id = node_count; id < graph_.node_count(); ++id) {
    if (graph_.node(static_cast<NodeId>(id)).block == node_.block) added_.push_back(static_cast<NodeId>(id));
  }
}

ValueId Raise::constant(Constant constant, std::string_view name) {
  return graph_.add_constant(std::string(name.empty() ? "constant" : name), std::move(constant));
}

ValueId Raise::number_like(ValueId like, double value) {
  std::optional<Dtype> dtype = graph_.value(like).dtype;
  if (!dtype) {
    if (!error_) error_ = unsupported(fmt::format("the type of '{}' is not known", graph_.value(like).name));
    return constant(Constant::scalar(static_cast<float>(value)));
  }
  Tensor t(*dtype, {});
  switch (*dtype) {
    case Dtype::kFloat32: t.as<float>()[0] = static_cast<float>(value); break;
    case Dtype::kFloat64: t.as<double>()[0] = value; break;
    case Dtype::kFloat16: t.as<uint16_t>()[0] = float_to_half(static_cast<float>(value)); break;
    case Dtype::kInt8: t.as<int8_t>()[0] = static_cast<int8_t>(value); break;
    case Dtype::kUint8: t.as<uint8_t>()[0] = static_cast<uint8_t>(value); break;
    case Dtype::kInt16: t.as<int16_t>()[0] = static_cast<int16_t>(value); break;
    case Dtype::kInt32: t.as<int32_t>()[0] = static_cast<int32_t>(value); break;
    case Dtype::kInt64: t.as<int64_t>()[0] = static_cast<int64_t>(value); break;
    case Dtype::kBool: t.as<uint8_t>()[0] = value != 0; break;
    default:
      if (!error_) error_ = unsupported(fmt::format("a number of type {}", dtype_name(*dtype)));
  }
  return constant(Constant(std::move(t)));
}

Attributes Raise::cast_to(Dtype dtype) { return {{"to", dtype_to_onnx(dtype)}}; }

ValueId Raise::cast(ValueId value, Dtype dtype) {
  return graph_.value(value).dtype == dtype ? value : add("Cast", {value}, cast_to(dtype));
}

ValueId Raise::as_int64(ValueId value) {
  const Constant* c = graph_.constant(value);
  if (c == nullptr) return cast(value, Dtype::kInt64);
  return c->dtype() == Dtype::kInt64 ? value : constant(Constant::of_ints(c->to_ints(), c->shape()));
}

ValueId Raise::as_vector(ValueId value) {
  if (const Constant* c = graph_.constant(value)) {
    return c->shape().size() == 1 ? value : constant(c->reshaped({c->elements()}));
  }
  return rank(value) == 1 ? value : add("Reshape", {value, ints_constant(std::vector<int64_t>{-1})});
}

ValueId Raise::permute(ValueId value, std::span<const int64_t> order) {
  if (rank(value) && *rank(value) != order.size()) {
    if (!error_)
      error_ = invalid(fmt::format("'{}' has rank {}, not {}", graph_.value(value).name, *rank(value), order.size()));
    return value;
  }
  if (const Constant* c = graph_.constant(value)) {
    std::optional<Quantization> q = graph_.value(value).quantization;
    if (q && q->per_axis()) {
      q->axis = static_cast<int>(std::ranges::find(order, q->axis) - order.begin());
    }
    ValueId moved = constant(permuted(*c, order), graph_.value(value).name);
    graph_.set_quantization(moved, std::move(q));
    return moved;
  }
  NodeId producer = graph_.value(value).producer;
  if (producer != kNoNode && graph_.node(producer).is("Cast") && graph_.constant(graph_.node(producer).inputs[0])) {
    Attributes to = graph_.node(producer).attributes;
    ValueId moved = permute(graph_.node(producer).inputs[0], order);
    return add("Cast", {moved}, std::move(to));
  }
  return add_like(value, "Transpose", {value}, {{"perm", std::vector<int64_t>(order.begin(), order.end())}});
}

ValueId Raise::channels_first(ValueId value) {
  auto r = rank(value);
  if (!r || *r < 3) {
    if (!error_)
      error_ = r ? invalid(fmt::format("'{}' has rank {}", graph_.value(value).name, *r))
                 : unsupported(fmt::format("the rank of '{}' is not known", graph_.value(value).name));
    return value;
  }
  return permute(value, first_channels(*r));
}

ValueId Raise::reshape(ValueId value, std::span<const int64_t> shape) {
  const Constant* c = graph_.constant(value);
  bool known = std::ranges::none_of(shape, [](int64_t d) { return d < 0; });
  if (c != nullptr && known && shape_elements(Shape(shape.begin(), shape.end())).value() == c->elements()) {
    std::optional<Quantization> q = graph_.value(value).quantization;
    if (!q || !q->per_axis()) {
      ValueId out = constant(c->reshaped(Shape(shape.begin(), shape.end())), graph_.value(value).name);
      graph_.set_quantization(out, std::move(q));
      return out;
    }
  }
  return add_like(value, "Reshape", {value, ints_constant(shape)});
}

ValueId Raise::transposed_last_two(ValueId value) {
  auto r = rank(value);
  if (!r || *r < 2) {
    if (!error_) error_ = unsupported(fmt::format("'{}' is no matrix of known rank", graph_.value(value).name));
    return value;
  }
  std::vector<int64_t> order(*r);
  for (size_t d = 0; d < *r; ++d) order[d] = static_cast<int64_t>(d);
  std::swap(order[*r - 1], order[*r - 2]);
  return permute(value, order);
}

}  // namespace oree
