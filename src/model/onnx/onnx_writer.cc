// SPDX-License-Identifier: Apache-2.0
// Field numbers are those of onnx.proto.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "core/base/text.h"
#include "core/codec/protobuf_writer.h"
#include "model/onnx/onnx_graph.h"
#include "model/onnx/onnx_prepare.h"
#include "model/onnx/onnx_versions.h"
#include "model/ops/element_types.h"
#include "model/ops/op_def.h"

namespace oree {
namespace {

constexpr int64_t kProtobufBytesMax = (int64_t{1} << 31) - 1;
constexpr size_t kExternalAlignment = 4096;  // so that engines can map the values

// AttributeProto.AttributeType, in the order of Attribute's alternatives.
constexpr int64_t kAttributeKinds[] = {2, 1, 3, 7, 6, 8, 4};

class OnnxWriter {
 public:
  OnnxWriter(const Model& model, const PreparedOnnx& prepared, const OnnxWriteOptions& options)
      : model_(model), graph_(prepared.graph), prepared_(prepared), options_(options) {}

  Status write() {
    find_homes();
    w_.number(1, onnx_ir_version(prepared_.opset));
    w_.text(2, model_.producer.empty() ? "oree" : model_.producer);
    if (!model_.producer_version.empty()) w_.text(3, model_.producer_version);
    if (!model_.domain.empty()) w_.text(4, model_.domain);
    if (model_.model_version != 0) w_.number(5, model_.model_version);
    if (!model_.doc.empty()) w_.text(6, model_.doc);
    w_.begin(7);
    OREE_TRY(graph(kMainBlock, model_.name.empty() ? "graph" : model_.name));
    w_.raw(model_.graph_unknown);
    w_.end();
    opsets();
    std::map<std::string, std::string> metadata = model_.metadata;
    describe_states(prepared_.states, metadata);
    for (const auto& [key, value] : metadata) pair(14, key, value);
    w_.raw(model_.unknown);
    if (static_cast<int64_t>(w_.size()) > kProtobufBytesMax) {
      return Error(Code::kUnsupported,
                   fmt::format("the model has {}, but one ONNX file holds 2 GiB: its constants must go to another file",
                               human_bytes(static_cast<int64_t>(w_.size()))));
    }
    return {};
  }

  Status send(const OnnxSinks& sinks) const {
    OREE_TRY(w_.write_to(sinks.model));
    size_t at = 0;
    const Bytes padding(kExternalAlignment, 0);
    for (const auto& [offset, bytes] : external_) {
      if (offset > at) OREE_TRY(sinks.external(ByteView(padding).first(offset - at)));
      OREE_TRY(sinks.external(bytes));
      at = offset + bytes.size();
    }
    return {};
  }

  size_t model_size() const { return w_.size(); }
  size_t external_size() const {
    return external_.empty() ? 0 : external_.back().first + external_.back().second.size();
  }

 private:
  // A constant is written in the block that alone uses it, else in the main one, which every block sees.
  void find_homes() {
    auto use = [&](ValueId id, BlockId block) {
      if (id == kNoValue || graph_.constant(id) == nullptr) return;
      auto [at, first] = home_.emplace(id, block);
      if (!first && at->second != block) at->second = kMainBlock;
    };
    for (NodeId id : graph_.all_nodes()) {
      for (ValueId v : graph_.node(id).inputs) use(v, graph_.node(id).block);
    }
    for (ValueId v : graph_.main().outputs) use(v, kMainBlock);
    for (const auto& [id, block] : home_) constants_[block].push_back(id);
  }

  void pair(uint32_t field, std::string_view key, std::string_view value) {
    w_.begin(field);
    w_.text(1, key);
    w_.text(2, value);
    w_.end();
  }

  void opsets() {
    std::set<std::string> domains = {""};
    for (NodeId id : graph_.all_nodes()) domains.insert(graph_.node(id).domain);
    for (const std::string& domain : domains) {
      auto custom = model_.custom_opsets.find(domain);
      w_.begin(8);
      w_.text(1, domain);
      w_.number(2, domain.empty() ? prepared_.opset : custom == model_.custom_opsets.end() ? 1 : custom->second);
      w_.end();
    }
  }

  const std::string& name(ValueId id) const { return graph_.value(id).name; }

  // --- graphs
  Status graph(BlockId block, std::string_view title) {
    std::vector<NodeId> order = graph_.order(block);
    for (NodeId id : order) OREE_TRY(node(id));
    w_.text(2, title);
    if (auto found = constants_.find(block); found != constants_.end()) {
      for (ValueId id : found->second) initializer(id);
    }
    for (ValueId id : graph_.block(block).inputs) OREE_TRY(value(11, id, block));
    if (block == kMainBlock) OREE_TRY(replaceable());
    for (ValueId id : graph_.block(block).outputs) OREE_TRY(value(12, id, block));
    for (NodeId id : order) {
      for (ValueId v : graph_.node(id).outputs) {
        if (v == kNoValue || !graph_.value(v).dtype || !graph_.value(v).dims) continue;
        if (std::ranges::find(graph_.block(block).outputs, v) == graph_.block(block).outputs.end()) {
          OREE_TRY(value(13, v, block));
        }
      }
    }
    return {};
  }

  Status replaceable() {
    for (ValueId id : constants_[kMainBlock]) {
      if (options_.replaceable.contains(name(id))) OREE_TRY(value(11, id, kMainBlock));
    }
    return {};
  }

  Status node(NodeId id) {
    const Node& n = graph_.node(id);
    // Operators with any number of outputs count them: one that nobody wants needs a name all the same.
    bool counted = n.domain.empty() && (n.op == "Split" || n.op == "If" || n.op == "Loop" || n.op == "Scan");
    w_.begin(1);
    size_t inputs = n.inputs.size();
    while (inputs > 0 && n.inputs[inputs - 1] == kNoValue) --inputs;
    for (size_t i = 0; i < inputs; ++i) w_.text(1, n.inputs[i] == kNoValue ? "" : name(n.inputs[i]));
    for (ValueId v : n.outputs) {
      w_.text(2, v != kNoValue ? name(v) : counted ? graph_.unique_name(fmt::format("unused_{}", unused_++)) : "");
    }
    if (!n.name.empty()) w_.text(3, n.name);
    w_.text(4, n.op);
    for (const auto& [key, held] : n.attributes) {
      if (key.starts_with(kHintPrefix)) continue;
      if (!n.domain.empty() || !onnx_needless(n, key, prepared_.opset)) attribute(key, held);
    }
    for (const auto& [key, body] : n.blocks) {
      w_.begin(5);
      w_.text(1, key);
      w_.begin(6);
      OREE_TRY(graph(body, key));
      w_.end();
      w_.number(20, 5);
      w_.end();
    }
    if (!n.domain.empty()) w_.text(7, n.domain);
    w_.raw(n.unknown);
    w_.end();
    return {};
  }

  void attribute(const std::string& key, const Attribute& held) {
    w_.begin(5);
    w_.text(1, key);
    if (auto* f = std::get_if<float>(&held)) w_.real(2, *f);
    if (auto* i = std::get_if<int64_t>(&held)) w_.number(3, *i);
    if (auto* s = std::get_if<std::string>(&held)) w_.text(4, *s);
    if (auto* t = std::get_if<Constant>(&held)) {
      w_.begin(5);
      tensor_type(*t);
      if (!t->bytes().empty()) w_.bytes(9, t->bytes());
      w_.end();
    }
    if (auto* fs = std::get_if<std::vector<float>>(&held)) w_.packed(7, *fs);
    if (auto* is = std::get_if<std::vector<int64_t>>(&held)) w_.packed(8, *is);
    if (auto* ss = std::get_if<std::vector<std::string>>(&held)) {
      for (const std::string& s : *ss) w_.text(9, s);
    }
    w_.number(20, kAttributeKinds[held.index()]);
    w_.end();
  }

  // --- values
  void tensor_type(const Constant& c) {
    w_.packed(1, c.shape());
    w_.number(2, dtype_to_onnx(c.dtype()));
  }

  void initializer(ValueId id) {
    const Constant& c = *graph_.constant(id);
    w_.begin(5);
    tensor_type(c);
    w_.text(8, name(id));
    ByteView bytes = c.bytes();
    if (options_.external_threshold > 0 && static_cast<int64_t>(bytes.size()) >= options_.external_threshold) {
      size_t offset = (external_size() + kExternalAlignment - 1) / kExternalAlignment * kExternalAlignment;
      external_.emplace_back(offset, bytes);
      pair(13, "location", options_.external_name);
      pair(13, "offset", std::to_string(offset));
      pair(13, "length", std::to_string(bytes.size()));
      w_.number(14, 1);
    } else if (!bytes.empty()) {
      w_.bytes(9, bytes);
    }
    w_.end();
  }

  Status value(uint32_t field, ValueId id, BlockId block) {
    const Value& v = graph_.value(id);
    if (!v.dtype && block == kMainBlock) {
      return Error(Code::kUnsupported, fmt::format("'{}' has no known type, but the model takes or gives it", v.name));
    }
    w_.begin(field);
    w_.text(1, v.name);
    if (v.dtype) {
      w_.begin(2);
      w_.begin(1);
      w_.number(1, dtype_to_onnx(*v.dtype));
      if (v.dims) shape(*v.dims);
      w_.end();
      w_.end();
    }
    w_.end();
    return {};
  }

  void shape(const Dims& dims) {
    w_.begin(2);
    for (const Dim& d : dims) {
      w_.begin(1);
      if (d.known()) {
        w_.number(1, d.size);
      } else if (!d.symbol.empty()) {
        w_.text(2, d.symbol);
      }
      w_.end();
    }
    w_.end();
  }

  const Model& model_;
  const Graph& graph_;
  const PreparedOnnx& prepared_;
  const OnnxWriteOptions& options_;
  ProtoWriter w_;
  std::map<ValueId, BlockId> home_;
  std::map<BlockId, std::vector<ValueId>> constants_;
  std::vector<std::pair<size_t, ByteView>> external_;  // by offset
  int unused_ = 0;
};

Status check_options(const OnnxWriteOptions& options) {
  if (options.opset != 0 && (options.opset < kOnnxWriteMin || options.opset > kOnnxWriteMax)) {
    return Error(Code::kUsage,
                 fmt::format("opset {} is not among {} to {}", options.opset, kOnnxWriteMin, kOnnxWriteMax));
  }
  if (options.external_threshold > 0 && options.external_name.empty()) {
    return Error(Code::kUsage, "a file for the constants has no name");
  }
  return {};
}

}  // namespace

Status write_onnx_model(const Model& model, const OnnxWriteOptions& options, const OnnxSinks& sinks) {
  OREE_TRY(check_options(options));
  OREE_TRY_ASSIGN(PreparedOnnx prepared, prepare_onnx(model, options.opset));
  OnnxWriter writer(model, prepared, options);
  OREE_TRY(writer.write());
  return writer.send(sinks);
}

Result<OnnxFiles> write_onnx_model(const Model& model, const OnnxWriteOptions& options) {
  OREE_TRY(check_options(options));
  OREE_TRY_ASSIGN(PreparedOnnx prepared, prepare_onnx(model, options.opset));
  OnnxWriter writer(model, prepared, options);
  OREE_TRY(writer.write());
  OnnxFiles out;
  out.model.reserve(writer.model_size());
  out.external.reserve(writer.external_size());
  auto to = [](Bytes& bytes) {
    return [&bytes](ByteView part) -> Status {
      bytes.insert(bytes.end(), part.begin(), part.end());
      return {};
    };
  };
  OREE_TRY(writer.send({to(out.model), to(out.external)}));
  return out;
}

}  // namespace oree
