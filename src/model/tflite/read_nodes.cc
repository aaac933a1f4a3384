// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "core/base/limits.h"
#include "model/tflite/tflite_builtins.h"
#include "model/tflite/tflite_nodes.h"
#include "model/tflite/tflite_sparse.h"
#include "model/tflite/tflite_types.h"

namespace oree {
namespace {

Error invalid(std::string text) { return Error(Code::kInvalid, std::move(text)); }
Error unsupported(std::string text) { return Error(Code::kUnsupported, std::move(text)); }

// Nothing when the tensor's integers are just integers.
std::optional<Quantization> quantization_of(const TfliteTensor& tensor, Dtype dtype) {
  if (dtype_is_float(dtype) || dtype == Dtype::kBool || tensor.scales() == 0) return {};
  Quantization q;
  for (size_t i = 0; i < tensor.scales(); ++i) {
    float scale = tensor.scale.at<float>(i);
    if (!std::isfinite(scale) || scale < 0) return {};
    q.scales.push_back(scale);
    size_t zero = tensor.zero_point.size() == 1 ? 0 : i;
    q.zero_points.push_back(tensor.zero_point.size() == 0 ? 0 : tensor.zero_point.at<int64_t>(zero));
  }
  if (q.scales.size() > 1) q.axis = tensor.axis;
  // A single scale of zero is how exporters say "none"; a channel of zeros may well have one.
  if (!q.per_axis() && q.scales[0] == 0) return {};
  return q;
}

Shape known(Shape shape) {
  for (int64_t& d : shape) d = std::max<int64_t>(d, 1);
  return shape;
}

// A resource variable: its content before the first run, what it holds when a run begins, and now.
struct Variable {
  std::optional<Constant> initial;
  ValueId input = kNoValue;
  ValueId now = kNoValue;
};

// One subgraph while its operators are read.
struct Scope {
  const TfliteSubgraph& graph;
  BlockId block = kMainBlock;
  int depth = 0;
  std::vector<ValueId> values;                // by tensor; kNoValue: not made yet
  std::map<int32_t, std::string> handles;     // tensor -> the resource variable's name
  std::map<int32_t, std::string> in_place{};  // variable tensor -> its state's name
};

class NodeReader {
 public:
  NodeReader(const TfliteFile& file, size_t file_bytes, std::shared_ptr<const void> owner, TfliteSizes sizes)
      : file_(file),
        owner_(std::move(owner)),
        sizes_(sizes),
        dense_budget_(kSparseExpansionMax * static_cast<int64_t>(file_bytes)) {
    size_t ops = 0;
    for (const TfliteSubgraph& graph : file.subgraphs) ops += graph.ops.size();
    // One subgraph may be the body of several operators: what comes of that is bounded here.
    node_budget_ = 16 * ops + 1024;
    text_budget_ = file_bytes;
  }

  Result<Model> read() {
    Scope scope{file_.subgraphs.front(), kMainBlock, 0, {}, {}};
    OREE_TRY(signature());
    OREE_TRY(subgraph(scope));
    OREE_TRY(states());
    model_.name = std::string(scope.graph.name.substr(0, kNameCharsMax));
    model_.doc = std::string(file_.description.substr(0, 4096));
    for (const auto& [name, bytes] : file_.metadata) {
      OREE_TRY(spend_text(bytes.size()));
      model_.tflite_metadata[name] = Bytes(bytes.begin(), bytes.end());
    }
    return std::move(model_);
  }

 private:
  Graph& graph() { return model_.graph; }

  Status signature() {
    const TfliteSignature* main = nullptr;
    for (const TfliteSignature& s : file_.signatures) {
      if (s.subgraph != 0) return unsupported(fmt::format("a model with a second entry point ('{}')", s.key));
      if (main == nullptr) main = &s;
    }
    if (main == nullptr) return {};
    model_.signature_key = std::string(main->key);
    for (const auto* list : {&main->inputs, &main->outputs}) {
      for (const auto& [name, tensor] : *list) signature_names_[static_cast<int32_t>(tensor)] = std::string(name);
    }
    return {};
  }

  Status spend_text(size_t bytes) {
    if (bytes > text_budget_) return invalid("options and metadata are larger than the file");
    text_budget_ -= bytes;
    return {};
  }

  static const TfliteTensor& tensor(const Scope& scope, int32_t index) {
    return scope.graph.tensors[static_cast<size_t>(index)];
  }

  static Result<Dtype> dtype_of(const TfliteTensor& t) {
    ElementType type = tflite_type(t.type);
    if (!type.dtype) return unsupported(fmt::format("tensor '{}' of type {}", t.name, type.name));
    return *type.dtype;
  }

  enum class Role { kInput, kState, kMade };

  // A value for a tensor without data.
  Result<ValueId> declare(const Scope& scope, int32_t index, Role role) {
    const TfliteTensor& t = tensor(scope, index);
    OREE_TRY_ASSIGN(Dtype dtype, dtype_of(t));
    if (t.block_scales) return unsupported(fmt::format("tensor '{}', which is quantized in blocks", t.name));
    std::optional<Dims> dims = to_dims(sizes_ == TfliteSizes::kExported ? t.shape : t.signature);
    if (role == Role::kMade && t.signature.empty() && !t.has_rank) dims.reset();
    ValueId id = role == Role::kInput ? graph().add_input(std::string(t.name), dtype, std::move(dims), scope.block)
                                      : graph().add_value(std::string(t.name), dtype, std::move(dims));
    graph().set_quantization(id, quantization_of(t, dtype));
    if (scope.block == kMainBlock) {
      auto named = signature_names_.find(index);
      if (named != signature_names_.end()) model_.signature_names[graph().value(id).name] = named->second;
    }
    return id;
  }

  Result<Constant> constant(const TfliteTensor& t) {
    ByteView bytes = file_.buffers[t.buffer];
    OREE_TRY_ASSIGN(Dtype dtype, dtype_of(t));
    if (t.block_scales) return unsupported(fmt::format("tensor '{}', which is quantized in blocks", t.name));
    if (t.sparsity) {
      Result<Constant> dense = read_sparse_tensor(t, bytes);
      if (!dense.ok()) return dense.error().within(fmt::format("tensor '{}'", t.name));
      dense_budget_ -= static_cast<int64_t>(dense->bytes().size());
      if (dense_budget_ < 0) return Error(Code::kExhausted, "the sparse tensors are too large when dense");
      return dense;
    }
    Result<int64_t> elements = shape_elements(t.shape);
    if (!elements.ok()) return elements.error().within(fmt::format("tensor '{}'", t.name));
    size_t size = dtype_bytes(dtype, *elements);
    if (bytes.size() < size) return invalid(fmt::format("tensor '{}' has no data", t.name));
    return Constant::view(dtype, t.shape, bytes.first(size), owner_);
  }

  bool has_data(const TfliteTensor& t) const {
    bool empty = std::ranges::find(t.shape, 0) != t.shape.end();
    return !file_.buffers[t.buffer].empty() || empty;
  }

  // What a tensor holds where it is used.
  Result<ValueId> value_of(Scope& scope, int32_t index) {
    if (index < 0) return kNoValue;
    ValueId& value = scope.values[static_cast<size_t>(index)];
    if (value != kNoValue) return value;
    const TfliteTensor& t = tensor(scope, index);
    if (t.external) return unsupported(fmt::format("tensor '{}', whose bytes lie in another file", t.name));
    if (scope.handles.contains(index)) {
      return unsupported(fmt::format("variable '{}' outside of READ_VARIABLE and ASSIGN_VARIABLE", t.name));
    }
    if (t.variable) return variable_tensor(scope, index);
    if (!has_data(t)) return invalid(fmt::format("tensor '{}' is used before anything makes it", t.name));
    OREE_TRY_ASSIGN(Constant data, constant(t));
    value = graph().add_constant(std::string(t.name), std::move(data));
    graph().set_quantization(value, quantization_of(t, *graph().value(value).dtype));
    return value;
  }

  // What a state holds before the first run, where the file does not say.
  Result<Tensor> zeros(Dtype dtype, Shape shape) {
    OREE_TRY_ASSIGN(int64_t n, shape_elements(shape));
    state_budget_ -= static_cast<int64_t>(dtype_bytes(dtype, n));
    if (state_budget_ < 0)
      return Error(Code::kExhausted, fmt::format("states of more than {} bytes", kModelStateBytesMax));
    return Tensor(dtype, std::move(shape));
  }

  // A tensor that its operator changes in place, and that keeps its content from one run to the next.
  Result<ValueId> variable_tensor(Scope& scope, int32_t index) {
    const TfliteTensor& t = tensor(scope, index);
    if (scope.block != kMainBlock) return unsupported(fmt::format("variable tensor '{}' within a body", t.name));
    OREE_TRY_ASSIGN(ValueId value, declare(scope, index, Role::kState));
    OREE_TRY_ASSIGN(Dtype dtype, dtype_of(t));
    graph().set_type(value, dtype, to_dims(known(t.shape)));
    Variable& variable = variables_[graph().value(value).name];
    variable.input = variable.now = value;
    OREE_TRY_ASSIGN(Tensor rest, zeros(dtype, known(t.shape)));
    const auto& q = graph().value(value).quantization;
    if (q && dtype == Dtype::kInt8) std::ranges::fill(rest.as<int8_t>(), static_cast<int8_t>(q->zero_points[0]));
    variable.initial = Constant(std::move(rest));
    scope.in_place[index] = graph().value(value).name;
    return scope.values[static_cast<size_t>(index)] = value;
  }

  Status make(Scope& scope, int32_t index, ValueId value) {
    ValueId& slot = scope.values[static_cast<size_t>(index)];
    if (slot != kNoValue) return invalid(fmt::format("tensor '{}' is made twice", tensor(scope, index).name));
    slot = value;
    return {};
  }

  Status subgraph(Scope& scope) {
    if (scope.depth > kModelNestingMax)
      return invalid(fmt::format("bodies nested more than {} deep", kModelNestingMax));
    scope.values.assign(scope.graph.tensors.size(), kNoValue);
    for (int32_t i : scope.graph.inputs) {
      OREE_TRY_ASSIGN(ValueId value, declare(scope, i, Role::kInput));
      OREE_TRY(make(scope, i, value));
    }
    if (scope.block == kMainBlock) name_free_dimensions();
    for (size_t i = 0; i < scope.graph.ops.size(); ++i) {
      const TfliteOp& op = scope.graph.ops[i];
      Status read = operation(scope, op);
      if (!read.ok()) return read.error().within(fmt::format("op {} ({})", i, tflite_op_name(op)));
    }
    for (int32_t i : scope.graph.outputs) {
      OREE_TRY_ASSIGN(ValueId value, value_of(scope, i));
      graph().add_output(value, scope.block);
    }
    return {};
  }

  // A free first dimension of the only input that has one is the batch; other free ones each have their own name.
  void name_free_dimensions() {
    auto is_free = [&](ValueId v) {
      return std::ranges::any_of(*graph().value(v).dims, [](const Dim& d) { return !d.known(); });
    };
    std::vector<ValueId> inputs = graph().main().inputs;
    auto count = std::ranges::count_if(inputs, is_free);
    for (ValueId v : inputs) {
      Dims dims = *graph().value(v).dims;
      for (size_t d = 0; d < dims.size(); ++d) {
        if (dims[d].known()) continue;
        dims[d] = Dim(count == 1 && d == 0 ? std::string("batch") : fmt::format("{}_{}", graph().value(v).name, d));
      }
      graph().set_type(v, graph().value(v).dtype, std::move(dims));
    }
  }

  Status operation(Scope& scope, const TfliteOp& op) {
    if (node_budget_-- == 0) return invalid("its bodies repeat each other too often");
    std::string name = tflite_op_name(op);
    bool custom = op.code == kTfliteCustom;
    if (!custom) {
      if (name == "VAR_HANDLE") return var_handle(scope, op);
      if (name == "READ_VARIABLE") return read_variable(scope, op);
      if (name == "ASSIGN_VARIABLE") return assign_variable(scope, op);
      if (name == "CALL_ONCE") return call_once(scope, op);
      if (name == "DENSIFY") return densify(scope, op);
    }
    Node node;
    node.op = name;
    node.domain = custom ? kTfliteCustomDomain : kTfliteDomain;
    if (custom && op.version != 1) node.attributes.emplace("version", int64_t{op.version});
    const TfliteBuiltin* builtin = custom ? nullptr : find_tflite_builtin(name);
    if (!custom && builtin == nullptr) return unsupported("an operator that is not known here");
    if (custom) {
      OREE_TRY(spend_text(op.custom_options.size()));
      if (!op.custom_options.empty()) {
        node.attributes.emplace("custom_options", std::string(as_text(op.custom_options)));
      }
    } else {
      OREE_TRY_ASSIGN(node.attributes, read_tflite_options(*builtin, op));
      for (const auto& [key, value] : node.attributes) OREE_TRY(spend_text(bytes_of(value)));
    }
    OREE_TRY(intermediates(scope, op, node));
    return add(scope, op, std::move(node));
  }

  static size_t bytes_of(const Attribute& value) {
    if (const auto* text = std::get_if<std::string>(&value)) return text->size();
    if (const auto* ints = std::get_if<std::vector<int64_t>>(&value)) return 4 * ints->size();
    if (const auto* reals = std::get_if<std::vector<float>>(&value)) return 4 * reals->size();
    return 0;
  }

  Status intermediates(const Scope& scope, const TfliteOp& op, Node& node) {
    std::vector<int64_t> types, zero_points;
    std::vector<float> scales;
    if (op.intermediates.size() > 16) return invalid("too many intermediate tensors");
    for (int32_t i : op.intermediates) {
      if (i < 0) return unsupported("an absent intermediate tensor");
      const TfliteTensor& t = tensor(scope, i);
      if (t.scales() > 1 || t.zero_point.size() > 1) return unsupported("an intermediate tensor with many scales");
      types.push_back(t.type);
      scales.push_back(t.scales() == 0 ? 0.0F : t.scale.at<float>(0));
      zero_points.push_back(t.zero_point.size() == 0 ? 0 : t.zero_point.at<int64_t>(0));
    }
    if (types.empty()) return {};
    node.attributes.emplace("intermediate_types", std::move(types));
    node.attributes.emplace("intermediate_scales", std::move(scales));
    node.attributes.emplace("intermediate_zero_points", std::move(zero_points));
    return {};
  }

  Status add(Scope& scope, const TfliteOp& op, Node node) {
    for (int32_t i : op.inputs) {
      OREE_TRY_ASSIGN(ValueId value, value_of(scope, i));
      node.inputs.push_back(value);
    }
    for (int32_t i : op.outputs) {
      OREE_TRY_ASSIGN(ValueId value, declare(scope, i, Role::kMade));
      OREE_TRY(make(scope, i, value));
      node.outputs.push_back(value);
    }
    std::set<int32_t> seen;
    for (int32_t i : op.inputs) {
      auto state = scope.in_place.find(i);
      if (state == scope.in_place.end() || !seen.insert(i).second) continue;
      ValueId before = scope.values[static_cast<size_t>(i)];
      const Value& v = graph().value(before);
      ValueId after = graph().add_value(v.name, v.dtype, v.dims);
      graph().set_quantization(after, graph().value(before).quantization);
      node.outputs.push_back(after);
      scope.values[static_cast<size_t>(i)] = variables_[state->second].now = after;
    }
    bool branch = node.op == "IF" && node.domain == kTfliteDomain;
    bool loop = node.op == "WHILE" && node.domain == kTfliteDomain;
    int64_t first = node.integer(branch ? "then_subgraph_index" : "cond_subgraph_index", 0);
    int64_t second = node.integer(branch ? "else_subgraph_index" : "body_subgraph_index", 0);
    for (const char* index :
         {"then_subgraph_index", "else_subgraph_index", "cond_subgraph_index", "body_subgraph_index"}) {
      node.attributes.erase(index);
    }
    NodeId id = graph().add_node(std::move(node), scope.block);
    if (!branch && !loop) return {};
    OREE_TRY(body(scope, id, branch ? "then" : "cond", first));
    return body(scope, id, branch ? "else" : "body", second);
  }

  Status body(const Scope& scope, NodeId owner, const char* name, int64_t subgraph_index) {
    OREE_TRY(check_subgraph(subgraph_index));
    Scope inner{
        file_.subgraphs[static_cast<size_t>(subgraph_index)], graph().add_block(owner, name), scope.depth + 1, {}, {}};
    Status read = subgraph(inner);
    return read.ok() ? read : Status(read.error().within(fmt::format("subgraph {}", subgraph_index)));
  }

  Status check_subgraph(int64_t index) const {
    bool exists = index > 0 && index < static_cast<int64_t>(file_.subgraphs.size());
    return exists ? Status() : Status(invalid(fmt::format("subgraph {} is none that can be called", index)));
  }

  static Status arity(const TfliteOp& op, size_t inputs, size_t outputs) {
    bool fits = op.inputs.size() == inputs && op.outputs.size() == outputs &&
                std::ranges::none_of(op.inputs, [](int32_t i) { return i < 0; });
    return fits ? Status()
                : Status(invalid(fmt::format("{} inputs and {} outputs", op.inputs.size(), op.outputs.size())));
  }

  Status var_handle(Scope& scope, const TfliteOp& op) {
    OREE_TRY(arity(op, 0, 1));
    OREE_TRY_ASSIGN(Attributes options, read_tflite_options(*find_tflite_builtin("VAR_HANDLE"), op));
    std::string name;
    for (const char* part : {"container", "shared_name"}) {
      auto it = options.find(part);
      if (it == options.end()) continue;
      name += (name.empty() ? "" : "/") + std::get<std::string>(it->second).substr(0, 1024);
    }
    scope.handles[op.outputs[0]] = name;
    return {};
  }

  Result<Variable*> variable(const Scope& scope, int32_t handle) {
    auto it = scope.handles.find(handle);
    if (it == scope.handles.end()) return invalid("its first input is no VAR_HANDLE");
    if (scope.block != kMainBlock) return unsupported(fmt::format("variable '{}' within a body", it->second));
    return &variables_[it->second];
  }

  Status read_variable(Scope& scope, const TfliteOp& op) {
    OREE_TRY(arity(op, 1, 1));
    OREE_TRY_ASSIGN(Variable * v, variable(scope, op.inputs[0]));
    if (v->now == kNoValue) {
      OREE_TRY_ASSIGN(v->input, declare(scope, op.outputs[0], Role::kState));
      v->now = v->input;
      const Value& value = graph().value(v->input);
      if (v->initial) {
        graph().set_type(v->input, v->initial->dtype(), to_dims(v->initial->shape()));
      } else if (!known_shape(*value.dims)) {
        return unsupported(fmt::format("variable '{}' without a known shape", value.name));
      }
    }
    return make(scope, op.outputs[0], v->now);
  }

  Status assign_variable(Scope& scope, const TfliteOp& op) {
    OREE_TRY(arity(op, 2, 0));
    OREE_TRY_ASSIGN(Variable * v, variable(scope, op.inputs[0]));
    OREE_TRY_ASSIGN(v->now, value_of(scope, op.inputs[1]));
    return {};
  }

  // The subgraph that runs before the first run: it may give variables their first content, nothing else.
  Status call_once(Scope& scope, const TfliteOp& op) {
    OREE_TRY_ASSIGN(Attributes options, read_tflite_options(*find_tflite_builtin("CALL_ONCE"), op));
    auto it = options.find("init_subgraph_index");
    int64_t index = it == options.end() ? 0 : std::get<int64_t>(it->second);
    OREE_TRY(check_subgraph(index));
    if (scope.block != kMainBlock) return unsupported("within a body");
    const TfliteSubgraph& init = file_.subgraphs[static_cast<size_t>(index)];
    Scope inner{init, kMainBlock, 1, {}, {}};
    for (const TfliteOp& o : init.ops) {
      std::string name = tflite_op_name(o);
      if (name == "VAR_HANDLE") {
        OREE_TRY(var_handle(inner, o));
        continue;
      }
      if (name != "ASSIGN_VARIABLE") return unsupported(fmt::format("{} in the subgraph that it calls", name));
      OREE_TRY(arity(o, 2, 0));
      OREE_TRY_ASSIGN(Variable * v, variable(inner, o.inputs[0]));
      const TfliteTensor& t = tensor(inner, o.inputs[1]);
      if (!has_data(t)) return unsupported(fmt::format("variable content '{}' that is computed", t.name));
      OREE_TRY_ASSIGN(v->initial, constant(t));
    }
    return {};
  }

  Status densify(Scope& scope, const TfliteOp& op) {
    OREE_TRY(arity(op, 1, 1));
    OREE_TRY_ASSIGN(ValueId value, value_of(scope, op.inputs[0]));
    return make(scope, op.outputs[0], value);
  }

  Status states() {
    for (auto& [name, v] : variables_) {
      if (v.input == kNoValue) continue;  // written, never read
      const Value& value = graph().value(v.input);
      if (!v.initial) {
        OREE_TRY_ASSIGN(Tensor rest, zeros(*value.dtype, *known_shape(*value.dims)));
        v.initial = Constant(std::move(rest));
      }
      if (v.now == v.input) {
        graph().set_constant(v.input, *std::move(v.initial));
        continue;
      }
      const Value& now = graph().value(v.now);
      std::optional<Shape> shape = now.dims ? known_shape(*now.dims) : std::nullopt;
      if (now.dtype != v.initial->dtype() || (shape && *shape != v.initial->shape())) {
        return unsupported(fmt::format("variable '{}', whose type changes", name));
      }
      graph().add_state({name, v.input, v.now, *std::move(v.initial)});
    }
    return {};
  }

  const TfliteFile& file_;
  std::shared_ptr<const void> owner_;
  const TfliteSizes sizes_;
  Model model_;
  std::map<int32_t, std::string> signature_names_;  // by tensor of the first subgraph
  std::map<std::string, Variable> variables_;
  int64_t dense_budget_;
  int64_t state_budget_ = kModelStateBytesMax;
  size_t node_budget_ = 0;
  size_t text_budget_ = 0;
};

}  // namespace

Result<Model> read_tflite_nodes(ByteView file, std::shared_ptr<const void> owner, TfliteSizes sizes) {
  OREE_TRY_ASSIGN(TfliteFile parsed, read_tflite(file));
  return NodeReader(parsed, file.size(), std::move(owner), sizes).read();
}

}  // namespace oree
