// SPDX-License-Identifier: Apache-2.0
#include "model/tflite/node_rewrite.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/base/limits.h"
#include "model/ops/element_types.h"
#include "model/ops/inference.h"
#include "model/passes/quantization_nodes.h"

namespace oree {
namespace {

// Towards zero, within the type's range: a bound in steps of a tiny scale lies outside.
template <typename T>
T nearest(double value) {
  using Range = std::numeric_limits<T>;
  if (std::isnan(value)) return 0;
  if (value <= static_cast<double>(Range::min())) return Range::min();
  return value >= static_cast<double>(Range::max()) ? Range::max() : static_cast<T>(value);
}

}  // namespace

std::vector<int64_t> channels_first_order(size_t rank) {
  std::vector<int64_t> order{0, static_cast<int64_t>(rank) - 1};
  for (size_t d = 1; d + 1 < rank; ++d) order.push_back(static_cast<int64_t>(d));
  return order;
}

std::vector<int64_t> channels_last_order(size_t rank) {
  std::vector<int64_t> order{0};
  for (size_t d = 2; d < rank; ++d) order.push_back(static_cast<int64_t>(d));
  order.push_back(1);
  return order;
}

NodeRewrite::NodeRewrite(Graph& graph, NodeId id, PermutedConstants& permuted)
    : graph_(graph), id_(id), node_(graph.node(id)), permuted_(permuted) {
  graph_.set_outputs(id_, {});
}

void NodeRewrite::fail(Error error) {
  if (!error_) error_ = std::move(error);
}

Result<Shape> NodeRewrite::known(ValueId id) const {
  if (auto s = shape(id)) return *s;
  return unsupported(fmt::format("the shape of '{}' is not known", value(id).name));
}

bool NodeRewrite::is_float(ValueId id) const { return dtype(id) && dtype_is_float(*dtype(id)); }

// What a Cast makes a value of: how weights of 16 bits are kept. On the way down it may be TFLite's DEQUANTIZE by now.
ValueId NodeRewrite::behind_cast(ValueId id) const {
  NodeId producer = graph_.value(id).producer;
  if (producer == kNoNode) return kNoValue;
  const Node& node = graph_.node(producer);
  bool casts = node.is("Cast") || (node.domain == "tflite" && node.op == "DEQUANTIZE");
  if (!casts || graph_.constant(node.inputs[0]) == nullptr || graph_.value(node.inputs[0]).quantization)
    return kNoValue;
  return node.inputs[0];
}

std::optional<NodeRewrite::Stored> NodeRewrite::stored(ValueId id) const {
  NodeId producer = graph_.value(id).producer;
  if (producer == kNoNode) return std::nullopt;
  const Node& node = graph_.node(producer);
  const bool down = node.domain == "tflite" && node.op == "DEQUANTIZE";
  const Constant* integers = node.is("DequantizeLinear") || down ? graph_.constant(node.inputs[0]) : nullptr;
  if (integers == nullptr) return std::nullopt;
  std::optional<Quantization> q = down ? graph_.value(node.inputs[0]).quantization : parameters_of(graph_, node);
  return q ? std::optional(Stored{*integers, std::move(*q)}) : std::nullopt;
}

ValueId NodeRewrite::dequantize(Stored stored, std::string_view name) {
  const Dims dims = to_dims(stored.integers.shape());
  const ValueId integers = constant(std::move(stored.integers), name);
  graph_.set_quantization(integers, std::move(stored.q));
  const ValueId reals = graph_.add_value(std::string(name), Dtype::kFloat32, dims);
  put({.op = "DEQUANTIZE", .domain = "tflite", .inputs = {integers}, .outputs = {reals}});
  return reals;
}

void NodeRewrite::finish(std::string_view op, std::vector<ValueId> inputs, Attributes attributes, size_t output) {
  finish_many(op, std::move(inputs), {out(output)}, std::move(attributes));
}

void NodeRewrite::commit() { graph_.remove_node(id_); }

void NodeRewrite::roll_back() {
  for (NodeId id : added_) graph_.remove_node(id);
  graph_.set_outputs(id_, node_.outputs);
}

Error NodeRewrite::invalid(const std::string& text) const {
  std::string name = out() == kNoValue ? "" : graph_.value(out()).name;
  return Error(Code::kInvalid, fmt::format("{} '{}': {}", node_.op, name, text));
}

Error NodeRewrite::unsupported(const std::string& text) const {
  return Error(Code::kUnsupported, invalid(text).message());
}

Status NodeRewrite::want(size_t inputs, size_t outputs) const {
  bool enough = node_.inputs.size() >= inputs && node_.outputs.size() >= outputs;
  for (size_t i = 0; i < inputs && enough; ++i) enough = has(i);
  if (enough) return {};
  return invalid(fmt::format("needs {} inputs and {} outputs, has {} and {}", inputs, outputs, node_.inputs.size(),
                             node_.outputs.size()));
}

std::optional<Shape> NodeRewrite::shape(ValueId id) const {
  std::optional<Dims> d = dims(id);
  return d ? known_shape(*d) : std::nullopt;
}

std::optional<size_t> NodeRewrite::rank(ValueId id) const {
  std::optional<Dims> d = dims(id);
  return d ? std::optional(d->size()) : std::nullopt;
}

Result<size_t> NodeRewrite::known_rank(ValueId id) const {
  if (auto r = rank(id)) return *r;
  return unsupported(fmt::format("the rank of '{}' is not known", value(id).name));
}

bool NodeRewrite::quantized() const {
  auto is = [&](ValueId v) { return v != kNoValue && graph_.value(v).quantization; };
  return std::ranges::any_of(node_.inputs, is) || std::ranges::any_of(node_.outputs, is);
}

Status NodeRewrite::want_plain() const { return quantized() ? Status(unsupported("it is quantized")) : Status(); }

Result<std::vector<int64_t>> NodeRewrite::ints(size_t input) const {
  if (!has(input)) return invalid(fmt::format("input {} is absent", input));
  std::optional<Constant> c = constant_of(in(input));
  if (!c) return unsupported(fmt::format("'{}' is no constant", value(in(input)).name));
  if (dtype_is_float(c->dtype())) return invalid(fmt::format("'{}' must be integers", value(in(input)).name));
  return c->to_ints();
}

Result<size_t> NodeRewrite::axis(int64_t axis, size_t rank) const {
  auto r = static_cast<int64_t>(rank);
  if (axis < -r || axis >= r) return invalid(fmt::format("axis {} of rank {}", axis, rank));
  return static_cast<size_t>(axis < 0 ? axis + r : axis);
}

// What the file says of an output stands where inference knows less.
NodeId NodeRewrite::put(Node node) {
  std::vector<std::optional<Dims>> declared;
  std::vector<std::optional<Dtype>> types;
  for (ValueId v : node.outputs) {
    declared.push_back(v == kNoValue ? std::nullopt : graph_.value(v).dims);
    types.push_back(v == kNoValue ? std::nullopt : graph_.value(v).dtype);
  }
  NodeId id = graph_.add_node(std::move(node), node_.block);
  added_.push_back(id);
  Status inferred = infer_node(graph_, id);
  if (!inferred.ok()) fail(inferred.error());
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

ValueId NodeRewrite::add(std::string_view op, std::vector<ValueId> inputs, Attributes attributes) {
  return add_many(op, std::move(inputs), 1, std::move(attributes))[0];
}

ValueId NodeRewrite::add_like(ValueId like, std::string_view op, std::vector<ValueId> inputs, Attributes attributes) {
  return add_many(op, std::move(inputs), 1, std::move(attributes), like)[0];
}

std::vector<ValueId> NodeRewrite::add_many(std::string_view op, std::vector<ValueId> inputs, size_t outputs,
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

void NodeRewrite::finish_many(std::string_view op, std::vector<ValueId> inputs, std::vector<ValueId> outputs,
                              Attributes attributes) {
  put({.op = std::string(op),
       .inputs = std::move(inputs),
       .outputs = std::move(outputs),
       .attributes = std::move(attributes)});
}

NodeId NodeRewrite::add_node(std::string_view op, std::vector<ValueId> inputs, std::vector<ValueId> outputs) {
  Node node{.op = std::string(op), .inputs = std::move(inputs), .outputs = std::move(outputs)};
  added_.push_back(graph_.add_node(std::move(node), node_.block));
  return added_.back();
}

void NodeRewrite::adopt_nodes_since(size_t node_count) {
  for (size_t id = node_count; id < graph_.node_count(); ++id) {
    if (graph_.node(static_cast<NodeId>(id)).block == node_.block) added_.push_back(static_cast<NodeId>(id));
  }
}

ValueId NodeRewrite::constant(Constant constant, std::string_view name) {
  return graph_.add_constant(std::string(name.empty() ? "constant" : name), std::move(constant));
}

ValueId NodeRewrite::number_like(ValueId like, double value) {
  std::optional<Dtype> dtype = graph_.value(like).dtype;
  if (!dtype) fail(unsupported(fmt::format("the type of '{}' is not known", graph_.value(like).name)));
  return number(dtype.value_or(Dtype::kFloat32), value);
}

bool NodeRewrite::affordable(Dtype dtype, const Shape& shape) {
  Result<int64_t> n = shape_elements(shape);
  if (n.ok() && dtype_bytes(dtype, *n) <= kMadeConstantBytesMax) return true;
  fail(unsupported(fmt::format("it takes a constant of shape {}", shape_text(shape))));
  return false;
}

ValueId NodeRewrite::zeros(Dtype dtype, const Shape& shape) {
  return constant(Constant(Tensor(dtype, affordable(dtype, shape) ? shape : Shape())), "zeros");
}

ValueId NodeRewrite::number(Dtype dtype, double value) {
  Tensor t(dtype_bits(dtype) < 8 ? Dtype::kInt8 : dtype, {});
  switch (dtype) {
    case Dtype::kFloat32: t.as<float>()[0] = static_cast<float>(value); break;
    case Dtype::kFloat64: t.as<double>()[0] = value; break;
    case Dtype::kFloat16: t.as<uint16_t>()[0] = float_to_half(static_cast<float>(value)); break;
    case Dtype::kInt8: t.as<int8_t>()[0] = nearest<int8_t>(value); break;
    case Dtype::kUint8: t.as<uint8_t>()[0] = nearest<uint8_t>(value); break;
    case Dtype::kInt16: t.as<int16_t>()[0] = nearest<int16_t>(value); break;
    case Dtype::kUint16: t.as<uint16_t>()[0] = nearest<uint16_t>(value); break;
    case Dtype::kInt32: t.as<int32_t>()[0] = nearest<int32_t>(value); break;
    case Dtype::kUint32: t.as<uint32_t>()[0] = nearest<uint32_t>(value); break;
    case Dtype::kInt64: t.as<int64_t>()[0] = nearest<int64_t>(value); break;
    case Dtype::kUint64: t.as<uint64_t>()[0] = nearest<uint64_t>(value); break;
    case Dtype::kBool: t.as<uint8_t>()[0] = value != 0; break;
    default: fail(unsupported(fmt::format("a number of type {}", dtype_name(dtype))));
  }
  return constant(Constant(std::move(t)));
}

Attributes NodeRewrite::cast_to(Dtype dtype) { return {{"to", dtype_to_onnx(dtype)}}; }

ValueId NodeRewrite::cast(ValueId value, Dtype dtype) {
  return graph_.value(value).dtype == dtype ? value : add("Cast", {value}, cast_to(dtype));
}

ValueId NodeRewrite::as_int64(ValueId value) {
  std::optional<Constant> c = constant_of(value);
  if (!c) return cast(value, Dtype::kInt64);
  return c->dtype() == Dtype::kInt64 ? value : constant(Constant::of_ints(c->to_ints(), c->shape()));
}

ValueId NodeRewrite::as_vector(ValueId value) {
  if (std::optional<Constant> c = constant_of(value)) {
    return c->shape().size() == 1 ? value : constant(c->reshaped({c->elements()}));
  }
  return rank(value) == 1 ? value : add("Reshape", {value, ints_constant(std::vector<int64_t>{-1})});
}

ValueId NodeRewrite::permute(ValueId value, std::span<const int64_t> order) {
  if (rank(value) && *rank(value) != order.size()) {
    fail(invalid(fmt::format("'{}' has rank {}, not {}", graph_.value(value).name, *rank(value), order.size())));
    return value;
  }
  if (std::optional<Constant> c = constant_of(value)) {
    std::optional<Quantization> q = graph_.value(value).quantization;
    if (q && q->per_axis()) {
      q->axis = static_cast<int>(std::ranges::find(order, q->axis) - order.begin());
    }
    ValueId moved = constant(permuted_.get(*c, order), graph_.value(value).name);
    graph_.set_quantization(moved, std::move(q));
    return moved;
  }
  if (ValueId narrow = behind_cast(value); narrow != kNoValue && graph_.value(value).dtype) {
    Attributes to = cast_to(*graph_.value(value).dtype);
    return add("Cast", {permute(narrow, order)}, std::move(to));
  }
  if (std::optional<Stored> s = stored(value); s && s->q.per_axis()) {
    s->integers = permuted_.get(s->integers, order);
    s->q.axis = static_cast<int>(std::ranges::find(order, s->q.axis) - order.begin());
    return dequantize(std::move(*s), graph_.value(value).name);
  }
  return add_like(value, "Transpose", {value}, {{"perm", std::vector<int64_t>(order.begin(), order.end())}});
}

ValueId NodeRewrite::reshape(ValueId value, std::span<const int64_t> shape) {
  std::optional<Constant> c = constant_of(value);
  bool known = std::ranges::none_of(shape, [](int64_t d) { return d < 0; });
  bool per_axis = graph_.value(value).quantization && graph_.value(value).quantization->per_axis();
  if (c && known && !per_axis && shape_elements(Shape(shape.begin(), shape.end())).value() == c->elements()) {
    std::optional<Quantization> q = graph_.value(value).quantization;
    ValueId out = constant(c->reshaped(Shape(shape.begin(), shape.end())), graph_.value(value).name);
    graph_.set_quantization(out, std::move(q));
    return out;
  }
  if (ValueId narrow = behind_cast(value); narrow != kNoValue && graph_.value(value).dtype) {
    Attributes to = cast_to(*graph_.value(value).dtype);
    return add("Cast", {reshape(narrow, shape)}, std::move(to));
  }
  return add_like(value, "Reshape", {value, ints_constant(shape)});
}

ValueId NodeRewrite::transposed_last_two(ValueId value) {
  auto r = rank(value);
  if (!r || *r < 2) {
    fail(unsupported(fmt::format("'{}' is no matrix of known rank", graph_.value(value).name)));
    return value;
  }
  std::vector<int64_t> order(*r);
  for (size_t d = 0; d < *r; ++d) order[d] = static_cast<int64_t>(d);
  std::swap(order[*r - 1], order[*r - 2]);
  return permute(value, order);
}

}  // namespace oree
