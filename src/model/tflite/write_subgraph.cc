// SPDX-License-Identifier: Apache-2.0
#include "model/tflite/write_subgraph.h"

#include <fmt/format.h>

#include <algorithm>

#include "model/tflite/op_versions.h"
#include "model/tflite/tflite_builtins.h"
#include "model/tflite/tflite_types.h"

namespace oree {
namespace {

constexpr int kResource = 13;  // TensorType
constexpr size_t kAny = SIZE_MAX;

// How many outputs an operator has in the file; a node has the new contents of its variable tensors besides.
size_t own_outputs(const Node& node) {
  if (node.domain != kTfliteDomain) return kAny;
  if (node.op == "SVDF" || node.op == "RNN" || node.op == "UNIDIRECTIONAL_SEQUENCE_RNN" ||
      node.op == "UNIDIRECTIONAL_SEQUENCE_LSTM") {
    return 1;
  }
  if (node.op == "LSTM") return tflite_option(node, "kernel_type") == 0 ? 1 : 4;
  if (node.op == "BIDIRECTIONAL_SEQUENCE_RNN" || node.op == "BIDIRECTIONAL_SEQUENCE_LSTM") {
    return tflite_option(node, "merge_outputs") != 0 ? 1 : 2;
  }
  return kAny;
}

Error unsupported(const Graph& graph, const Node& node, const std::string& why) {
  std::string name = node.output(0) == kNoValue ? node.name : graph.value(node.outputs[0]).name;
  return Error(Code::kUnsupported, fmt::format("{} '{}': {}", node.op, name, why));
}

std::vector<int32_t> small(std::span<const int64_t> values) { return {values.begin(), values.end()}; }

}  // namespace

std::set<size_t> SubgraphWriter::in_place_states(const Graph& graph) {
  std::set<size_t> out;
  for (size_t i = 0; i < graph.states().size(); ++i) {
    const Value& now = graph.value(graph.states()[i].output);
    if (now.producer == kNoNode) continue;
    size_t own = own_outputs(graph.node(now.producer));
    if (own != kAny && static_cast<size_t>(now.producer_output) >= own) out.insert(i);
  }
  return out;
}

Status SubgraphWriter::plan_states() {
  in_place_ = in_place_states(graph_);
  bool resources = in_place_.size() < graph_.states().size();
  if (resources) {
    int32_t number = static_cast<int32_t>(parts_.first_content());
    const TfliteBuiltin* builtin = find_tflite_builtin("CALL_ONCE");
    Object table = w_.table();
    w_.scalar<int32_t>(table, 0, number);
    add_operator(parts_.op_code(tflite_builtin_code("CALL_ONCE"), "", 1), {}, {}, builtin->options_type, table, {}, "");
  }
  for (size_t i = 0; i < graph_.states().size(); ++i) {
    const State& state = graph_.states()[i];
    if (in_place_.contains(i)) {
      OREE_TRY(in_place(state));
      continue;
    }
    handles_[i] = add_tensor(state.name, kResource, {}, 0, {}, false);
    add_variable_op("VAR_HANDLE", {}, {static_cast<int32_t>(handles_[i])}, state.name);
  }
  return {};
}

// A variable tensor begins as zeros, of quantized values as what stands for zero.
Status SubgraphWriter::in_place(const State& state) {
  const Value& value = graph_.value(state.input);
  const Node& node = graph_.node(graph_.value(state.output).producer);
  bool alone =
      value.users.size() == 1 && graph_.node(value.users[0]).outputs == node.outputs && !graph_.is_output(state.input);
  if (!alone) return unsupported(graph_, node, fmt::format("state '{}' is used elsewhere, too", state.name));
  std::vector<int64_t> content = state.initial.to_ints();
  int64_t rest = value.quantization && value.dtype == Dtype::kInt8 ? value.quantization->zero_points[0] : 0;
  if (std::ranges::any_of(content, [&](int64_t v) { return v != rest; })) {
    return unsupported(graph_, node, fmt::format("state '{}' does not begin as zeros", state.name));
  }
  if (!value.dims || !value.dtype) return unsupported(graph_, node, fmt::format("state '{}' has no type", state.name));
  tensor_of_[state.input] =
      add_tensor(value.name, tflite_type_code(*value.dtype), *value.dims, 0, value.quantization, true);
  tensor_of_[state.output] = tensor_of_[state.input];
  return {};
}

void SubgraphWriter::read_state(size_t index) {
  if (in_place_.contains(index) || !read_.insert(index).second) return;
  ValueId value = graph_.states()[index].input;
  if (graph_.value(value).users.empty() && !graph_.is_output(value)) return;
  Result<uint32_t> tensor = use(value);
  OREE_ASSERT(tensor.ok());  // checked before: states are typed
  add_variable_op("READ_VARIABLE", {static_cast<int32_t>(handles_[index])}, {static_cast<int32_t>(*tensor)}, "");
}

// After the old content was read.
void SubgraphWriter::assign_state(size_t index) {
  if (in_place_.contains(index) || !assigned_.insert(index).second) return;
  read_state(index);
  Result<uint32_t> tensor = use(graph_.states()[index].output);
  OREE_ASSERT(tensor.ok());
  add_variable_op("ASSIGN_VARIABLE", {static_cast<int32_t>(handles_[index]), static_cast<int32_t>(*tensor)}, {}, "");
}

// Contents are read as late and written as early as can be: their tensors then live shortly.
void SubgraphWriter::before(const Node& node) {
  for (size_t i = 0; i < graph_.states().size(); ++i) {
    if (std::ranges::find(node.inputs, graph_.states()[i].input) != node.inputs.end()) read_state(i);
  }
}

void SubgraphWriter::after(const Node& node) {
  for (size_t i = 0; i < graph_.states().size(); ++i) {
    if (std::ranges::find(node.outputs, graph_.states()[i].output) != node.outputs.end()) assign_state(i);
  }
}

Result<SubgraphWriter::Object> SubgraphWriter::write(BlockId block) {
  const Block& b = graph_.block(block);
  OREE_TRY_ASSIGN(std::vector<int32_t> inputs, use_all(b.inputs));
  bool main = block == kMainBlock;
  for (const State& s : graph_.states()) {
    const Value &in = graph_.value(s.input), &now = graph_.value(s.output);
    if (!in.dtype || !in.dims || !now.dtype || !now.dims) {
      return Error(Code::kUnsupported, fmt::format("state '{}' has no known type", s.name));
    }
  }
  if (main) OREE_TRY(plan_states());
  for (NodeId id : graph_.order(block)) {
    const Node& node = graph_.node(id);
    if (main) before(node);
    OREE_TRY(operation(id));
    if (main) after(node);
  }
  for (size_t i = 0; main && i < graph_.states().size(); ++i) read_state(i);
  for (size_t i = 0; main && i < graph_.states().size(); ++i) assign_state(i);
  OREE_TRY_ASSIGN(std::vector<int32_t> outputs, use_all(b.outputs));
  return finish(main ? "main" : fmt::format("body_{}", block), inputs, outputs);
}

Result<SubgraphWriter::Object> SubgraphWriter::write_first_content() {
  std::set<size_t> in_place = in_place_states(graph_);
  for (size_t i = 0; i < graph_.states().size(); ++i) {
    if (in_place.contains(i)) continue;
    const State& s = graph_.states()[i];
    auto handle = static_cast<int32_t>(add_tensor(s.name, kResource, {}, 0, {}, false));
    add_variable_op("VAR_HANDLE", {}, {handle}, s.name);
    auto content = static_cast<int32_t>(add_tensor(s.name + "/first", tflite_type_code(s.initial.dtype()),
                                                   to_dims(s.initial.shape()), parts_.buffer(s.initial.bytes()),
                                                   graph_.value(s.input).quantization, false));
    add_variable_op("ASSIGN_VARIABLE", {handle, content}, {}, "");
  }
  return finish("first_content", {}, {});
}

Result<uint32_t> SubgraphWriter::use(ValueId id) {
  if (auto known = tensor_of_.find(id); known != tensor_of_.end()) return known->second;
  const Value& v = graph_.value(id);
  if (!v.dtype || !v.dims) return Error(Code::kUnsupported, fmt::format("the type of '{}' is not known", v.name));
  Shape least = to_shape(*v.dims);  // a free dimension is at least 1
  for (int64_t& d : least) d = d < 0 ? 1 : d;
  Result<int64_t> elements = shape_elements(least);
  if (!elements.ok()) return elements.error().within(fmt::format("'{}'", v.name));
  uint32_t buffer = v.constant ? parts_.buffer(v.constant->bytes()) : 0;
  return tensor_of_[id] = add_tensor(v.name, tflite_type_code(*v.dtype), *v.dims, buffer, v.quantization, false);
}

Result<std::vector<int32_t>> SubgraphWriter::use_all(std::span<const ValueId> values) {
  std::vector<int32_t> out;
  for (ValueId v : values) {
    if (v == kNoValue) {
      out.push_back(-1);
      continue;
    }
    OREE_TRY_ASSIGN(uint32_t tensor, use(v));
    out.push_back(static_cast<int32_t>(tensor));
  }
  return out;
}

SubgraphWriter::Object SubgraphWriter::quantization(const Quantization& q) {
  Object scales = w_.vector<float>(q.scales), zeros = w_.vector<int64_t>(q.zero_points);
  Object table = w_.table();
  w_.child(table, 2, scales);
  w_.child(table, 3, zeros);
  w_.scalar<int32_t>(table, 6, std::max(q.axis, 0));
  return table;
}

uint32_t SubgraphWriter::add_tensor(const std::string& name, int type, const Dims& dims, uint32_t buffer,
                                    const std::optional<Quantization>& q, bool variable) {
  std::vector<int32_t> shape, signature;
  for (const Dim& d : dims) {
    shape.push_back(d.known() ? static_cast<int32_t>(d.size) : 1);
    signature.push_back(d.known() ? static_cast<int32_t>(d.size) : -1);
  }
  Object shape_object = w_.vector<int32_t>(shape), name_object = w_.string(name);
  std::optional<Object> signature_object, quantization_object;
  if (shape != signature) signature_object = w_.vector<int32_t>(signature);
  if (q) quantization_object = quantization(*q);
  Object table = w_.table();
  w_.child(table, 0, shape_object);
  w_.scalar<int8_t>(table, 1, static_cast<int8_t>(type));
  w_.scalar<uint32_t>(table, 2, buffer);
  w_.child(table, 3, name_object);
  if (quantization_object) w_.child(table, 4, *quantization_object);
  w_.scalar<bool>(table, 5, variable);
  if (signature_object) w_.child(table, 7, *signature_object);
  w_.scalar<bool>(table, 8, type != kResource);
  tensors_.push_back(table);
  return static_cast<uint32_t>(tensors_.size() - 1);
}

Status SubgraphWriter::operation(NodeId id) {
  const Node& node = graph_.node(id);
  bool custom = node.domain == kTfliteCustomDomain;
  const TfliteBuiltin* builtin = node.domain == kTfliteDomain ? find_tflite_builtin(node.op) : nullptr;
  if (!custom && builtin == nullptr) return unsupported(graph_, node, "TFLite has no such operator");
  OREE_TRY_ASSIGN(std::vector<int32_t> inputs, use_all(node.inputs));
  std::span<const ValueId> own(node.outputs);
  OREE_TRY_ASSIGN(std::vector<int32_t> outputs, use_all(own.first(std::min(own.size(), own_outputs(node)))));
  for (size_t i = outputs.size(); i < node.outputs.size(); ++i) {
    bool state = node.outputs[i] == kNoValue || tensor_of_.contains(node.outputs[i]);
    if (!state) return unsupported(graph_, node, "a variable tensor that is no state of the graph");
  }
  // TFLite has no absent outputs.
  if (std::ranges::find(outputs, -1) != outputs.end()) return unsupported(graph_, node, "an output that nobody wants");
  if (custom) {
    uint32_t code =
        parts_.op_code(tflite_builtin_code("CUSTOM"), node.op, static_cast<int>(node.integer("version", 1)));
    add_operator(code, inputs, outputs, 0, {}, {}, node.text("custom_options", ""));
    return {};
  }
  int type = 0;
  OREE_TRY_ASSIGN(Object table, options(node, type));
  uint32_t code = parts_.op_code(tflite_builtin_code(node.op), "", tflite_op_version(graph_, node));
  add_operator(code, inputs, outputs, type, type == 0 ? std::nullopt : std::optional(table), intermediates(node), "");
  return {};
}

Result<SubgraphWriter::Object> SubgraphWriter::options(const Node& node, int& type) {
  using K = TfliteOption::Kind;
  const TfliteBuiltin& builtin = *find_tflite_builtin(node.op);
  type = builtin.options_type;
  Attributes attributes = node.attributes;
  for (const auto& [name, block] : node.blocks) {
    attributes[name + "_subgraph_index"] = static_cast<int64_t>(parts_.subgraph(block));
  }
  std::map<int, Object> children;
  for (const TfliteOption& o : builtin.options) {
    auto given = attributes.find(std::string(o.name));
    if (given == attributes.end()) continue;
    if (const auto* ints = std::get_if<std::vector<int64_t>>(&given->second); ints && o.kind == K::kInts) {
      children[o.field] = w_.vector<int32_t>(small(*ints));
    } else if (const auto* reals = std::get_if<std::vector<float>>(&given->second); reals && o.kind == K::kFloats) {
      children[o.field] = w_.vector<float>(*reals);
    } else if (const auto* text = std::get_if<std::string>(&given->second); text && o.kind == K::kText) {
      children[o.field] = w_.string(*text);
    }
  }
  Object table = w_.table();
  for (const auto& [field, child] : children) w_.child(table, field, child);
  for (const TfliteOption& o : builtin.options) {
    auto given = attributes.find(std::string(o.name));
    if (given == attributes.end() || children.contains(o.field)) continue;
    const auto* integer = std::get_if<int64_t>(&given->second);
    const auto* real = std::get_if<float>(&given->second);
    bool fits = o.kind == K::kFloat ? real != nullptr : integer != nullptr;
    if (!fits) return unsupported(graph_, node, fmt::format("option '{}' of another type", o.name));
    auto otherwise = static_cast<int64_t>(o.otherwise);
    switch (o.kind) {
      case K::kBool: w_.scalar<bool>(table, o.field, *integer != 0, otherwise != 0); break;
      case K::kInt8: w_.scalar(table, o.field, static_cast<int8_t>(*integer), static_cast<int8_t>(otherwise)); break;
      case K::kInt32: w_.scalar(table, o.field, static_cast<int32_t>(*integer), static_cast<int32_t>(otherwise)); break;
      case K::kUint32:
        w_.scalar(table, o.field, static_cast<uint32_t>(*integer), static_cast<uint32_t>(otherwise));
        break;
      case K::kInt64: w_.scalar(table, o.field, *integer, otherwise); break;
      case K::kFloat: w_.scalar(table, o.field, *real, static_cast<float>(o.otherwise)); break;
      default: return unsupported(graph_, node, fmt::format("option '{}' of another type", o.name));
    }
  }
  return table;
}

std::vector<int32_t> SubgraphWriter::intermediates(const Node& node) {
  std::vector<int64_t> types = node.integers("intermediate_types"), zeros = node.integers("intermediate_zero_points");
  std::vector<float> scales = node.reals("intermediate_scales");
  std::vector<int32_t> out;
  for (size_t i = 0; i < types.size() && i < zeros.size() && i < scales.size(); ++i) {
    Quantization q{{scales[i]}, {zeros[i]}, -1};
    std::string name = fmt::format("{}/inside_{}", graph_.value(node.outputs[0]).name, i);
    // Of no elements: TensorFlow Lite Micro refuses to open a file where such a tensor could hold something.
    out.push_back(static_cast<int32_t>(add_tensor(name, static_cast<int>(types[i]), Dims{0}, 0, q, false)));
  }
  return out;
}

void SubgraphWriter::add_operator(uint32_t code, std::span<const int32_t> inputs, std::span<const int32_t> outputs,
                                  int options_type, std::optional<Object> options,
                                  std::span<const int32_t> intermediates, std::string_view custom) {
  Object in = w_.vector<int32_t>(inputs), out = w_.vector<int32_t>(outputs);
  std::optional<Object> inside, bytes;
  if (!intermediates.empty()) inside = w_.vector<int32_t>(intermediates);
  if (!custom.empty()) {
    ByteView view = as_bytes(custom);
    bytes = w_.vector<uint8_t>(view);
  }
  Object table = w_.table();
  w_.scalar<uint32_t>(table, 0, code);
  w_.child(table, 1, in);
  w_.child(table, 2, out);
  if (options) {
    w_.scalar<uint8_t>(table, 3, static_cast<uint8_t>(options_type));
    w_.child(table, 4, *options);
  }
  if (bytes) w_.child(table, 5, *bytes);
  if (inside) w_.child(table, 8, *inside);
  operators_.push_back(table);
}

void SubgraphWriter::add_variable_op(std::string_view op, std::vector<int32_t> inputs, std::vector<int32_t> outputs,
                                     std::string_view shared_name) {
  const TfliteBuiltin* builtin = find_tflite_builtin(op);
  std::optional<Object> name;
  if (!shared_name.empty()) name = w_.string(shared_name);
  Object table = w_.table();
  if (name) w_.child(table, 1, *name);
  add_operator(parts_.op_code(tflite_builtin_code(op), "", 1), inputs, outputs, builtin->options_type, table, {}, "");
}

SubgraphWriter::Object SubgraphWriter::finish(std::string_view name, std::span<const int32_t> inputs,
                                              std::span<const int32_t> outputs) {
  Object tensors = w_.tables(tensors_), operators = w_.tables(operators_);
  Object in = w_.vector<int32_t>(inputs), out = w_.vector<int32_t>(outputs), text = w_.string(name);
  Object table = w_.table();
  w_.child(table, 0, tensors);
  w_.child(table, 1, in);
  w_.child(table, 2, out);
  w_.child(table, 3, operators);
  w_.child(table, 4, text);
  return table;
}

}  // namespace oree
