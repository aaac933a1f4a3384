// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "core/base/limits.h"
#include "model/onnx/onnx_attributes.h"
#include "model/onnx/onnx_element.h"
#include "model/onnx/onnx_graph.h"
#include "model/onnx/onnx_states.h"
#include "model/onnx/onnx_upgrade.h"
#include "model/onnx/onnx_values.h"
#include "model/ops/element_types.h"
#include "model/ops/inference.h"
#include "model/ops/op_def.h"
#include "model/ops/validate.h"

namespace oree {
namespace {

Error invalid(std::string text) { return Error(Code::kInvalid, std::move(text)); }
Error unsupported(std::string text) { return Error(Code::kUnsupported, std::move(text)); }

std::string node_text(const OnnxNode& n) {
  std::string_view name = !n.name.empty() || n.outputs.empty() ? n.name : n.outputs[0];
  return fmt::format("{} '{}'", n.op.substr(0, 128), name.substr(0, 128));
}

// Names that are seen at one place: those of a graph, then those of the graphs around it.
struct Scope {
  const Scope* outer = nullptr;
  BlockId block = kMainBlock;
  std::unordered_map<std::string_view, ValueId> values;

  std::optional<ValueId> find(std::string_view name) const {
    for (const Scope* s = this; s != nullptr; s = s->outer) {
      if (auto found = s->values.find(name); found != s->values.end()) return found->second;
    }
    return std::nullopt;
  }
};

// Where nodes come from: the file's graph, or a function in one of its calls.
struct Origin {
  const std::map<std::string, int64_t>& opsets;
  const OnnxBindings* bindings = nullptr;
  std::string prefix;  // of names
  std::vector<const OnnxFunction*> calls;
};

class OnnxReader {
 public:
  OnnxReader(const OnnxFile& file, std::shared_ptr<const void> owner, const OnnxReadOptions& options)
      : file_(file), owner_(std::move(owner)), options_(options), graph_(model_.graph) {
    for (const OnnxFunction& f : file_.functions) functions_.emplace(std::tuple(f.domain, f.name, f.overload), &f);
    note_uses(file_.graph);
    for (const OnnxFunction& f : file_.functions) {
      used_.insert(f.outputs.begin(), f.outputs.end());
      for (const OnnxNode& n : f.nodes) note_uses(n);
    }
  }

  Result<Model> read() {
    OREE_TRY(check_opset());
    Origin origin{file_.opsets, nullptr, "", {}};
    Scope scope;
    OREE_TRY(fill(file_.graph, scope, origin));
    describe();
    OREE_TRY(validate(graph_));
    // Exporters and optimizers leave declared shapes behind that are no longer true; what follows from the inputs is.
    if (!infer_types(graph_).ok()) {
      forget_types(graph_);
      OREE_TRY(infer_types(graph_));
    }
    restore_states(model_);
    return std::move(model_);
  }

 private:
  void note_uses(const OnnxNode& n) {
    used_.insert(n.inputs.begin(), n.inputs.end());
    for (const OnnxAttribute& a : n.attributes) {
      for (const OnnxGraph& g : a.graphs) note_uses(g);
    }
  }
  void note_uses(const OnnxGraph& g) {
    for (const OnnxNode& n : g.nodes) note_uses(n);
    for (const OnnxValue& v : g.outputs) used_.insert(v.name);
  }

  Status check_opset() const {
    auto found = file_.opsets.find("");
    if (found == file_.opsets.end()) return {};
    if (found->second > kOnnxOpsetMax) {
      return unsupported(fmt::format("opset {} is newer than {}, the newest known here", found->second, kOnnxOpsetMax));
    }
    if (found->second < 1) return invalid(fmt::format("opset {} does not exist", found->second));
    return {};
  }

  // Of ONNX's own domain. Files older than IR 3 name none.
  Result<int64_t> opset(const Origin& origin) const {
    for (const auto* opsets : {&origin.opsets, &file_.opsets}) {
      auto found = opsets->find("");
      if (found != opsets->end()) return std::clamp<int64_t>(found->second, 1, kOnnxOpsetMax);
    }
    if (file_.ir_version < 3) return int64_t{1};
    return invalid("ONNX's operators are used, but their opset is not named");
  }

  // Calls of functions must not make more of a file than its bytes could.
  Status count(size_t parts) {
    parts_ += parts;
    if (parts_ > kModelPartsMax) return invalid(fmt::format("more than {} nodes and tensors", kModelPartsMax));
    return {};
  }

  // --- values
  Status define(Scope& scope, std::string_view name, ValueId id) {
    if (name.empty()) return invalid("a value has no name");
    if (!scope.values.emplace(name, id).second) return invalid(fmt::format("'{}' is defined twice", name));
    return {};
  }

  Result<Constant> tensor(const OnnxTensor& t) {
    // Calls of a function share what was unpacked for the first.
    if (auto found = constants_.find(&t); found != constants_.end()) return found->second;
    OREE_TRY_ASSIGN(Constant value, onnx_constant(t, owner_, options_.external));
    constants_.emplace(&t, value);
    return value;
  }

  static void set_declared(Graph& graph, ValueId id, const OnnxValue& v) {
    if (!v.typed || !v.tensor) return;
    std::optional<Dims> dims;
    if (v.has_shape) {
      dims.emplace();
      for (size_t i = 0; i < v.shape.size(); ++i) {
        dims->push_back(v.shape[i] >= 0        ? Dim(v.shape[i])
                        : v.symbols[i].empty() ? Dim()
                                               : Dim(std::string(v.symbols[i])));
      }
    }
    graph.set_type(id, dtype_from_onnx(v.element), std::move(dims));
  }

  Status check_held(const OnnxValue& v, const char* what) const {
    if (!v.tensor) return unsupported(fmt::format("{} '{}' is no tensor", what, v.name));
    if (v.typed && v.element != 0 && !dtype_from_onnx(v.element)) {
      return unsupported(fmt::format("{} '{}' is of type {}", what, v.name, onnx_element(v.element).name));
    }
    return {};
  }

  // --- graphs
  Status fill(const OnnxGraph& in, Scope& scope, const Origin& origin) {
    if (in.sparse_initializers > 0) return unsupported("sparse initializers");
    bool main = scope.block == kMainBlock && scope.outer == nullptr;
    std::unordered_set<std::string_view> constants;
    for (const OnnxTensor& t : in.initializers) constants.insert(t.name);
    for (const OnnxValue& v : in.inputs) {
      if (constants.contains(v.name)) continue;  // a default that nobody here overrides
      if (main) OREE_TRY(check_held(v, "input"));
      ValueId id = graph_.add_input(origin.prefix + std::string(v.name), {}, {}, scope.block);
      set_declared(graph_, id, v);
      OREE_TRY(define(scope, v.name, id));
    }
    for (const OnnxTensor& t : in.initializers) {
      OREE_TRY_ASSIGN(Constant value, tensor(t));
      OREE_TRY(count(1));
      OREE_TRY(define(scope, t.name, graph_.add_constant(origin.prefix + std::string(t.name), std::move(value))));
    }
    for (const OnnxNode& n : in.nodes) OREE_TRY(define_outputs(n, scope, origin));
    for (const std::vector<OnnxValue>* list : {&in.values, &in.outputs}) {
      for (const OnnxValue& v : *list) {
        auto found = scope.values.find(v.name);
        if (found == scope.values.end()) continue;
        const Value& value = graph_.value(found->second);
        if (!value.dtype && !value.constant) set_declared(graph_, found->second, v);
      }
    }
    for (const OnnxNode& n : in.nodes) OREE_TRY(read_node(n, scope, origin));
    for (const OnnxValue& v : in.outputs) {
      if (main) OREE_TRY(check_held(v, "output"));
      std::optional<ValueId> id = scope.find(v.name);
      if (!id || *id == kNoValue) return invalid(fmt::format("output '{}' is made by nothing", v.name));
      graph_.add_output(*id, scope.block);
    }
    return {};
  }

  Status define_outputs(const OnnxNode& n, Scope& scope, const Origin& origin) {
    for (std::string_view name : n.outputs) {
      if (name.empty() || bound_.erase(name) > 0) continue;
      OREE_TRY(define(scope, name, graph_.add_value(origin.prefix + std::string(name))));
    }
    return {};
  }

  // --- nodes
  Status read_node(const OnnxNode& n, Scope& scope, const Origin& origin) {
    OREE_TRY(count(1 + n.inputs.size() + n.outputs.size() + n.attributes.size()));
    auto function = functions_.find(std::tuple(n.domain, n.op, n.overload));
    Status status = function != functions_.end()             ? call(*function->second, n, scope, origin)
                    : n.domain.empty() && n.op == "Constant" ? read_constant(n, scope, origin)
                                                             : read_operator(n, scope, origin);
    if (!status.ok() && !named_) {
      named_ = true;
      return status.error().message().starts_with(n.op) ? status.error() : status.error().within(node_text(n));
    }
    return status;
  }

  Result<std::vector<ValueId>> inputs(const OnnxNode& n, const Scope& scope) const {
    std::vector<ValueId> out;
    for (std::string_view name : n.inputs) {
      if (name.empty()) {
        out.push_back(kNoValue);
        continue;
      }
      std::optional<ValueId> id = scope.find(name);
      if (!id) return invalid(fmt::format("input '{}' is made by nothing", name));
      out.push_back(*id);
    }
    while (!out.empty() && out.back() == kNoValue) out.pop_back();
    return out;
  }

  std::vector<ValueId> outputs(const OnnxNode& n, const Scope& scope) const {
    std::vector<ValueId> out;
    for (std::string_view name : n.outputs) out.push_back(name.empty() ? kNoValue : scope.values.at(name));
    while (!out.empty() && out.back() == kNoValue) out.pop_back();
    return out;
  }

  Status read_constant(const OnnxNode& n, Scope& scope, const Origin& origin) {
    if (n.outputs.size() != 1 || n.outputs[0].empty()) return invalid("it must have one output");
    for (const OnnxAttribute& named : n.attributes) {
      const OnnxAttribute* a = onnx_resolve(named, origin.bindings);
      if (a == nullptr || !named.name.starts_with("value")) continue;
      OREE_TRY_ASSIGN(std::optional<Attribute> value,
                      onnx_attribute_value(*a, [this](const OnnxTensor& t) { return tensor(t); }));
      std::optional<Constant> constant;
      if (value) {
        if (auto* t = std::get_if<Constant>(&*value)) constant = *t;
        if (auto* i = std::get_if<int64_t>(&*value)) constant = Constant::scalar(*i);
        if (auto* f = std::get_if<float>(&*value)) constant = Constant::scalar(*f);
        if (auto* is = std::get_if<std::vector<int64_t>>(&*value)) constant = Constant::vector(*is);
        if (auto* fs = std::get_if<std::vector<float>>(&*value)) {
          constant = Constant::of_floats(*fs, {static_cast<int64_t>(fs->size())});
        }
      }
      if (!constant) return unsupported(fmt::format("attribute '{}'", named.name));
      graph_.set_constant(scope.values.at(n.outputs[0]), std::move(*constant));
      return {};
    }
    return invalid("it has no value");
  }

  Status read_operator(const OnnxNode& n, Scope& scope, const Origin& origin) {
    Node node;
    node.op = n.op;
    node.domain = n.domain;
    if (!n.name.empty()) node.name = origin.prefix + std::string(n.name);
    OREE_TRY_ASSIGN(node.inputs, inputs(n, scope));
    node.outputs = outputs(n, scope);
    if (!n.overload.empty()) return unsupported(fmt::format("there is no function '{}'", n.overload.substr(0, 128)));
    std::vector<std::pair<std::string_view, const OnnxGraph*>> bodies;
    OREE_TRY(read_attributes(n, origin, node, bodies));
    for (ByteView field : n.unknown) node.unknown.insert(node.unknown.end(), field.begin(), field.end());
    Upgrade upgrade(graph_, scope.block, std::move(node));
    if (n.domain.empty()) {
      for (std::string_view name : n.outputs) upgrade.used.push_back(used_.contains(name));
      OREE_TRY_ASSIGN(int64_t version, opset(origin));
      OREE_TRY(upgrade.run(version));
    }
    NodeId id = graph_.add_node(std::move(upgrade.node), upgrade.block);
    for (auto& [name, body] : bodies) {
      Scope inner;
      inner.outer = &scope;
      inner.block = graph_.add_block(id, std::string(name));
      OREE_TRY(fill(*body, inner, origin));
    }
    for (NodeId made : upgrade.before) infer(made);
    infer(id);
    for (Node& next : upgrade.after) infer(graph_.add_node(std::move(next), upgrade.block));
    return {};
  }

  // Steps of later nodes ask for ranks and types. What does not fit is said at the end, by infer_types().
  void infer(NodeId id) {
    std::vector<std::pair<ValueId, Value>> declared;
    for (ValueId v : graph_.node(id).outputs) {
      if (v != kNoValue) declared.emplace_back(v, graph_.value(v));
    }
    bool fits = infer_node(graph_, id).ok();
    for (auto& [v, before] : declared) {
      const Value& now = graph_.value(v);
      std::optional<Dims> dims = fits ? now.dims : before.dims;
      if (!dims) dims = before.dims;
      if (dims && before.dims && dims->size() == before.dims->size()) {
        for (size_t i = 0; i < dims->size(); ++i) {
          if (!(*dims)[i].known()) (*dims)[i] = (*before.dims)[i];
        }
      }
      graph_.set_type(v, fits && now.dtype ? now.dtype : before.dtype, std::move(dims));
    }
  }

  static bool has_attribute(const OpDef* def, std::string_view name) {
    return def && std::ranges::any_of(def->attributes, [&](const AttributeDef& a) { return a.name == name; });
  }

  Status read_attributes(const OnnxNode& n, const Origin& origin, Node& node,
                         std::vector<std::pair<std::string_view, const OnnxGraph*>>& bodies) {
    std::unordered_set<std::string_view> seen;
    for (const OnnxAttribute& named : n.attributes) {
      if (!seen.insert(named.name).second) return invalid(fmt::format("attribute '{}' is there twice", named.name));
      const OnnxAttribute* a = onnx_resolve(named, origin.bindings);
      if (a == nullptr) continue;
      OnnxKind kind = onnx_kind(*a);
      if (kind == OnnxKind::kGraph) {
        if (a->graphs.size() != 1) return invalid(fmt::format("attribute '{}' has no graph", named.name));
        if (a != &named) return unsupported(fmt::format("attribute '{}': a graph handed to a function", named.name));
        bodies.emplace_back(named.name, &a->graphs[0]);
        continue;
      }
      if (kind == OnnxKind::kGraphs) return unsupported(fmt::format("attribute '{}': a list of graphs", named.name));
      OREE_TRY(count((a->ints.size() + a->floats.size() + a->strings.size()) / 4));
      Result<std::optional<Attribute>> value =
          onnx_attribute_value(*a, [this](const OnnxTensor& t) { return tensor(t); });
      bool strange = !value.ok() && value.error().code() == Code::kUnsupported && !n.domain.empty();
      if (!value.ok() && !strange) return value.error();
      if (!strange && !*value && (onnx_kind(*a) == OnnxKind::kNone || has_attribute(find_op(node), named.name))) {
        return invalid(
            fmt::format("attribute '{}' is of kind {}, which its operator cannot hold", named.name, a->type));
      }
      if (!strange && *value) {
        node.attributes.emplace(named.name, std::move(**value));
      } else {
        append_raw_attribute(*a, named.name, node.unknown);
      }
    }
    return {};
  }

  // --- functions
  Status call(const OnnxFunction& f, const OnnxNode& n, Scope& scope, const Origin& origin) {
    if (std::ranges::find(origin.calls, &f) != origin.calls.end()) return invalid("the function calls itself");
    if (origin.calls.size() >= static_cast<size_t>(kModelNestingMax)) return invalid("functions call too deeply");
    if (n.inputs.size() > f.inputs.size() || n.outputs.size() > f.outputs.size()) {
      return invalid("it has more inputs or outputs than its function");
    }
    OREE_TRY_ASSIGN(std::vector<ValueId> given, inputs(n, scope));
    given.resize(f.inputs.size(), kNoValue);
    std::vector<ValueId> wanted = outputs(n, scope);
    wanted.resize(f.outputs.size(), kNoValue);
    OnnxBindings bindings;
    for (const OnnxAttribute& a : f.defaults) bindings[a.name] = &a;
    for (const OnnxAttribute& a : n.attributes) {
      const OnnxAttribute* meant = onnx_resolve(a, origin.bindings);
      if (meant != nullptr) bindings[a.name] = meant;
    }
    Origin inner{f.opsets, &bindings, origin.prefix, origin.calls};
    inner.prefix += std::string(n.name.empty() ? n.op : n.name) + "/";
    inner.calls.push_back(&f);
    Scope body;
    body.block = scope.block;
    for (size_t i = 0; i < given.size(); ++i) OREE_TRY(define(body, f.inputs[i], given[i]));
    // What the function makes for the caller is the caller's value from the start.
    std::unordered_set<std::string_view> made;
    for (const OnnxNode& inside : f.nodes) made.insert(inside.outputs.begin(), inside.outputs.end());
    std::unordered_set<std::string_view> bound;
    for (size_t i = 0; i < wanted.size(); ++i) {
      if (wanted[i] == kNoValue || !made.contains(f.outputs[i]) || body.values.contains(f.outputs[i])) continue;
      OREE_TRY(define(body, f.outputs[i], wanted[i]));
      bound.insert(f.outputs[i]);
    }
    std::swap(bound, bound_);
    Status defined;
    for (const OnnxNode& inside : f.nodes) {
      if (defined.ok()) defined = define_outputs(inside, body, inner);
    }
    std::swap(bound, bound_);
    OREE_TRY(std::move(defined));
    for (const OnnxNode& inside : f.nodes) OREE_TRY(read_node(inside, body, inner));
    for (size_t i = 0; i < wanted.size(); ++i) {
      if (wanted[i] == kNoValue) continue;
      std::optional<ValueId> value = body.find(f.outputs[i]);
      if (!value || *value == kNoValue) return invalid(fmt::format("output '{}' is made by nothing", f.outputs[i]));
      if (*value == wanted[i]) continue;
      Node handed;
      handed.op = "Identity";
      handed.inputs = {*value};
      handed.outputs = {wanted[i]};
      graph_.add_node(std::move(handed), scope.block);
    }
    return {};
  }

  // --- the rest of the file
  void describe() {
    model_.name = file_.graph.name;
    model_.doc = file_.doc;
    model_.producer = file_.producer;
    model_.producer_version = file_.producer_version;
    model_.domain = file_.domain;
    model_.model_version = file_.model_version;
    model_.metadata = file_.metadata;
    for (const auto& [domain, version] : file_.opsets) {
      if (!domain.empty()) model_.custom_opsets.emplace(domain, version);
    }
    for (ByteView field : file_.unknown) model_.unknown.insert(model_.unknown.end(), field.begin(), field.end());
    for (ByteView field : file_.graph.unknown) {
      model_.graph_unknown.insert(model_.graph_unknown.end(), field.begin(), field.end());
    }
  }

  const OnnxFile& file_;
  std::shared_ptr<const void> owner_;
  const OnnxReadOptions& options_;
  Model model_;
  Graph& graph_;
  std::map<std::tuple<std::string_view, std::string_view, std::string_view>, const OnnxFunction*> functions_;
  std::unordered_set<std::string_view> used_;
  std::unordered_set<std::string_view> bound_;  // outputs of the function being begun that are its caller's values
  std::unordered_map<const OnnxTensor*, Constant> constants_;
  size_t parts_ = 0;
  bool named_ = false;  // the error names its node already
};

}  // namespace

Result<Model> read_onnx_model(ByteView file, std::shared_ptr<const void> owner, const OnnxReadOptions& options) {
  OREE_TRY_ASSIGN(OnnxFile parsed, read_onnx(file));
  return OnnxReader(parsed, std::move(owner), options).read();
}

}  // namespace oree
