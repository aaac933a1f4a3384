// SPDX-License-Identifier: Apache-2.0
#include "model/ncnn/ncnn_lower.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace oree {
namespace {

constexpr int64_t kElementsMax = int64_t{1} << 28;  // of a blob: ncnn counts in 32 bits

const NcnnEntry* find_entry(std::string_view op) {
  for (auto table :
       {ncnn_elementwise(), ncnn_windows(), ncnn_linear(), ncnn_normalise(), ncnn_movements(), ncnn_images()}) {
    for (const NcnnEntry& entry : table) {
      if (entry.op == op) return &entry;
    }
  }
  return nullptr;
}

// A Cast of weights that are stored in other floats: nothing to compute, they are read through it.
bool is_stored_weight(const Graph& graph, const Node& node) {
  return node.is("Cast") && graph.constant(node.input(0)) != nullptr;
}

}  // namespace

Status NcnnBuilder::build() {
  if (!graph_.states().empty())
    return Error(Code::kUnsupported,
                 fmt::format("state '{}': ncnn keeps nothing between runs", graph_.states()[0].name));
  for (ValueId v : graph_.main().inputs) {
    const Value& value = graph_.value(v);
    if (!value.dims || !known_shape(*value.dims))
      return Error(Code::kUnsupported,
                   fmt::format("input '{}' has the shape {}: ncnn's writer wants it whole (--dim, --shape)", value.name,
                               value.dims ? dims_text(*value.dims) : "?"));
    if (value.dtype != Dtype::kFloat32)
      return Error(Code::kUnsupported, fmt::format("input '{}' is {}: ncnn computes in float32", value.name,
                                                   value.dtype ? dtype_name(*value.dtype) : "of no known type"));
    const Shape shape = *known_shape(*value.dims);
    if (ncnn_mat(shape).size() > static_cast<size_t>(kNcnnMatRankMax))
      return Error(Code::kUnsupported,
                   fmt::format("input '{}' has {} dimensions: ncnn has four", value.name, shape.size()));
    if (std::ranges::count(shape, 0) > 0)
      return Error(Code::kUnsupported, fmt::format("input '{}' has no elements", value.name));
    blobs_[v] = net_.add_input(value.name, shape);
  }
  for (NodeId id : graph_.order()) {
    const Node& node = graph_.node(id);
    if (absorbed_.contains(id) || is_stored_weight(graph_, node)) continue;
    NcnnNode one(*this, id);
    const NcnnEntry* entry = node.domain.empty() && node.blocks.empty() ? find_entry(node.op) : nullptr;
    if (entry == nullptr) return one.unsupported("ncnn has no layer for it");
    OREE_TRY(one.check());
    OREE_TRY(entry->handler(one));
  }
  for (ValueId v : graph_.main().outputs) {
    const Value& value = graph_.value(v);
    auto it = blobs_.find(v);
    if (it == blobs_.end())
      return Error(Code::kUnsupported, fmt::format("output '{}' is a constant: ncnn has no such", value.name));
    net_.add_output(it->second, value.name, *known_shape(*value.dims));
  }
  return {};
}

Error NcnnNode::unsupported(const std::string& why) const {
  return Error(Code::kUnsupported, fmt::format("{} '{}': {}", node_.op, node_.name.empty() ? name() : node_.name, why));
}

Error NcnnNode::invalid(const std::string& what) const {
  return Error(Code::kInvalid, fmt::format("{} '{}': {}", node_.op, node_.name.empty() ? name() : node_.name, what));
}

Status NcnnNode::check() const {
  for (ValueId v : node_.inputs) {
    if (v != kNoValue) OREE_TRY(check_value(v, true));
  }
  for (ValueId v : node_.outputs) {
    if (v != kNoValue) OREE_TRY(check_value(v, false));
  }
  return {};
}

Status NcnnNode::check_value(ValueId id, bool constant_allowed) const {
  const Value& value = b_.graph_.value(id);
  if (!value.dims || !known_shape(*value.dims))
    return unsupported(fmt::format("'{}' has the shape {}, which is not known before a run", value.name,
                                   value.dims ? dims_text(*value.dims) : "?"));
  if (constant_allowed && value.is_constant()) return {};
  if (value.quantization) return unsupported(fmt::format("'{}' is quantized: ncnn's int8 has no writer", value.name));
  if (value.dtype != Dtype::kFloat32)
    return unsupported(fmt::format("'{}' is {}: ncnn computes in float32", value.name,
                                   value.dtype ? dtype_name(*value.dtype) : "of no known type"));
  const Shape shape = *known_shape(*value.dims);
  if (ncnn_mat(shape).size() > static_cast<size_t>(kNcnnMatRankMax))
    return unsupported(
        fmt::format("'{}' has {} dimensions: ncnn has four, and one item of a batch", value.name, shape.size()));
  OREE_TRY_ASSIGN(int64_t elements, shape_elements(shape));
  if (elements == 0 || elements > kElementsMax)
    return unsupported(fmt::format("'{}' has {} elements", value.name, elements));
  return {};
}

const Shape& NcnnNode::shape_of(ValueId id) const {
  auto [it, added] = shapes_.try_emplace(id);
  if (added) it->second = *known_shape(*b_.graph_.value(id).dims);
  return it->second;
}

Status NcnnNode::want_one_item(size_t input) const {
  const Shape& s = shape(input);
  if (s.size() > 1 && s[0] == 1) return {};
  return unsupported(fmt::format("its operand has the shape {}: ncnn has one item of a batch", shape_text(s)));
}

Result<size_t> NcnnNode::axis(int64_t axis, size_t rank) const {
  const auto r = static_cast<int64_t>(rank);
  if (axis < -r || axis >= r) return invalid(fmt::format("axis {} of {} dimensions", axis, rank));
  return static_cast<size_t>(axis < 0 ? axis + r : axis);
}

std::optional<Constant> NcnnNode::stored(size_t input) const {
  if (!has(input)) return std::nullopt;
  const Value& value = b_.graph_.value(in(input));
  if (value.is_constant()) return *value.constant;
  if (value.producer == kNoNode || !is_stored_weight(b_.graph_, b_.graph_.node(value.producer))) return std::nullopt;
  const Constant& behind = *b_.graph_.constant(b_.graph_.node(value.producer).input(0));
  if (behind.dtype() == Dtype::kFloat16 || behind.dtype() == Dtype::kFloat64) return behind;
  return std::nullopt;
}

std::optional<Constant> NcnnNode::floats(size_t input) const {
  std::optional<Constant> c = stored(input);
  if (!c || !dtype_is_float(c->dtype())) return std::nullopt;
  return c->dtype() == Dtype::kFloat32 ? c : Constant(ncnn_floats(*c));
}

Result<std::vector<int64_t>> NcnnNode::ints(size_t input) const {
  const Constant* c = has(input) ? b_.graph_.constant(in(input)) : nullptr;
  if (c == nullptr) return unsupported(fmt::format("its operand {} is no constant", input));
  return c->to_ints();
}

std::optional<float> NcnnNode::number(size_t input) const {
  std::optional<Constant> c = floats(input);
  if (!c || c->elements() != 1) return std::nullopt;
  return c->to_tensor().as<float>()[0];
}

Result<NcnnBlob> NcnnNode::operand(size_t input) { return operand(input, ncnn_mat(shape(input))); }

Result<NcnnBlob> NcnnNode::operand(size_t input, const Shape& mat) {
  if (auto it = b_.blobs_.find(in(input)); it != b_.blobs_.end()) return net().reshaped(it->second, mat);
  std::optional<Constant> c = floats(input);
  if (!c) return unsupported(fmt::format("its operand {} is not of floats", input));
  if (c->elements() == 0) return unsupported(fmt::format("its operand {} is empty", input));
  auto [it, added] = b_.constants_.try_emplace({in(input), mat});
  if (added) {
    it->second = net().add("MemoryData", b_.graph_.value(in(input)).name, {}, mat, ncnn_mat_params(mat), {{*c}});
  }
  return it->second;
}

NcnnBlob NcnnNode::layer(std::string_view type, std::vector<NcnnBlob> bottoms, Shape mat, NcnnParams params,
                         std::vector<NcnnWeights> weights) {
  return net().add(type, name(), std::move(bottoms), std::move(mat), std::move(params), std::move(weights));
}

void NcnnNode::finish(std::string_view type, std::vector<NcnnBlob> bottoms, NcnnParams params,
                      std::vector<NcnnWeights> weights) {
  finish(type, std::move(bottoms), ncnn_mat(out_shape()), std::move(params), std::move(weights));
}

void NcnnNode::finish(std::string_view type, std::vector<NcnnBlob> bottoms, const Shape& mat, NcnnParams params,
                      std::vector<NcnnWeights> weights) {
  finish_with(layer(type, std::move(bottoms), mat, std::move(params), std::move(weights)));
}

void NcnnNode::finish_with(NcnnBlob blob, size_t output) {
  const ValueId value = output == 0 ? out_ : node_.output(output);
  b_.blobs_[value] = net().reshaped(blob, ncnn_mat(shape_of(value)));
}

void NcnnNode::absorb_activation(NcnnParams& params) {
  const NodeId user = b_.graph_.only_user(node_.output(0));
  if (user == kNoNode) return;
  const Node& a = b_.graph_.node(user);
  NcnnNode other(b_, user);
  if (!a.domain.empty() || a.inputs.empty() || a.inputs[0] != node_.output(0) || !other.check().ok()) return;
  std::vector<float> numbers;
  int type = 0;
  if (a.op == "Relu") type = 1;
  if (a.op == "LeakyRelu") type = 2, numbers = {a.real("alpha", 0.01F)};
  if (a.op == "Clip") {
    const std::optional<float> low = other.number(1), high = other.number(2);
    if ((other.has(1) && !low) || (other.has(2) && !high)) return;
    type = 3, numbers = {low.value_or(-INFINITY), high.value_or(INFINITY)};
  }
  if (a.op == "Sigmoid") type = 4;
  if (a.op == "HardSwish") type = 6, numbers = {1.0F / 6, 0.5F};
  if (type == 0) return;
  params.set(9, type);
  if (!numbers.empty()) params.set(10, std::span<const float>(numbers));
  b_.absorbed_.insert(user);
  out_ = a.output(0);
}

Tensor ncnn_floats(const Constant& constant) {
  if (constant.dtype() == Dtype::kFloat32) return constant.to_tensor();
  OREE_ASSERT(dtype_is_float(constant.dtype()));
  Tensor out(Dtype::kFloat32, constant.shape());
  const std::vector<double> values = constant.to_doubles();
  std::ranges::transform(values, out.as<float>().begin(), [](double v) { return static_cast<float>(v); });
  return out;
}

Status write_ncnn_model(const Model& model, const NcnnSinks& sinks) {
  NcnnBuilder builder(model.graph);
  OREE_TRY(builder.build());
  return builder.net().write(sinks);
}

bool lowers_to_ncnn(std::string_view op) { return find_entry(op) != nullptr; }

}  // namespace oree
