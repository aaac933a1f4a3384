// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "model/tflite/tflite_builtins.h"
#include "model/tflite/tflite_nodes.h"
#include "model/tflite/write_subgraph.h"

namespace oree {
namespace {

constexpr char kIdentifier[] = "TFL3";
constexpr size_t kAlignment = 16;  // of buffers: what engines' kernels want
// Constants above this lie behind the flatbuffer, whose own offsets end at 2 GiB.
constexpr size_t kInsideMax = size_t{1900} << 20;

size_t aligned(size_t n) { return (n + kAlignment - 1) / kAlignment * kAlignment; }

class FileWriter : public TfliteParts {
 public:
  using Object = FlatbufferWriter::Object;

  // `base`: where buffers begin that lie behind the flatbuffer; 0: none does.
  FileWriter(const Model& model, const TfliteWriteOptions& options, uint64_t base)
      : model_(model), options_(options), base_(base) {
    buffers_.emplace_back();  // number 0: no data
    (void)subgraph(kMainBlock);
  }

  Status write(const TfliteSink& sink) {
    OREE_TRY_ASSIGN(Object root, make_root());
    if (base_ == 0) return w_.finish(root, kIdentifier, sink);
    size_t written = 0;
    auto count = [&](ByteView part) {
      written += part.size();
      return sink(part);
    };
    OREE_TRY(w_.finish(root, kIdentifier, count));
    OREE_ASSERT(written <= base_);
    OREE_TRY(sink(Bytes(base_ - written, 0)));
    return append_buffers(sink);
  }

  // Of the flatbuffer alone.
  Result<size_t> size() {
    OREE_TRY_ASSIGN(Object root, make_root());
    OREE_TRY_ASSIGN(Bytes file, w_.finish(root, kIdentifier));
    return file.size();
  }

  uint32_t buffer(ByteView bytes) override {
    // Equal bytes share a buffer. A buffer without bytes means "no data".
    size_t hash = std::hash<std::string_view>{}(as_text(bytes));
    std::vector<uint32_t>& alike = buffers_of_[hash];
    for (uint32_t number : alike) {
      if (std::ranges::equal(buffers_[number], bytes)) return number;
    }
    alike.push_back(static_cast<uint32_t>(buffers_.size()));
    buffers_.push_back(bytes);
    return alike.back();
  }

  uint32_t op_code(int code, const std::string& custom, int version) override {
    auto [known, added] = code_of_.try_emplace({code, custom, version}, static_cast<uint32_t>(codes_.size()));
    if (added) codes_.push_back({code, custom, version});
    return known->second;
  }

  uint32_t subgraph(BlockId block) override {
    auto known = std::ranges::find(blocks_, block);
    if (known != blocks_.end()) return static_cast<uint32_t>(known - blocks_.begin());
    blocks_.push_back(block);
    return static_cast<uint32_t>(blocks_.size() - 1);
  }

  uint32_t first_content() override { return subgraph(kFirstContent); }

 private:
  static constexpr BlockId kFirstContent = -1;
  struct OpCode {
    int code;
    std::string custom;
    int version;
    auto operator<=>(const OpCode&) const = default;
  };

  Result<Object> make_root() {
    std::vector<Object> subgraphs;
    SubgraphWriter main(model_.graph, w_, *this);
    OREE_TRY_ASSIGN(Object first, main.write(kMainBlock));
    subgraphs.push_back(first);
    for (size_t i = 1; i < blocks_.size(); ++i) {
      SubgraphWriter body(model_.graph, w_, *this);
      Result<Object> written = blocks_[i] == kFirstContent ? body.write_first_content() : body.write(blocks_[i]);
      if (!written.ok()) return written.error();
      subgraphs.push_back(*written);
    }
    Object subgraph_list = w_.tables(subgraphs), codes = code_list(), metadata = metadata_list();
    Object signatures = signature_list(main), description = w_.string(model_.doc), buffers = buffer_list();
    Object root = w_.table();
    w_.scalar<uint32_t>(root, 0, 3);
    w_.child(root, 1, codes);
    w_.child(root, 2, subgraph_list);
    w_.child(root, 3, description);
    w_.child(root, 4, buffers);
    if (!model_.tflite_metadata.empty()) w_.child(root, 6, metadata);
    w_.child(root, 7, signatures);
    return root;
  }

  Object code_list() {
    std::vector<Object> list;
    for (const OpCode& c : codes_) {
      std::optional<Object> custom;
      if (!c.custom.empty()) custom = w_.string(c.custom);
      list.push_back(w_.table());
      // Old readers look at the small field; what does not fit there is 127.
      w_.scalar<int8_t>(list.back(), 0, static_cast<int8_t>(std::min(c.code, 127)));
      if (custom) w_.child(list.back(), 1, *custom);
      w_.scalar<int32_t>(list.back(), 2, c.version, 1);
      w_.scalar<int32_t>(list.back(), 3, c.code);
    }
    return w_.tables(list);
  }

  Object metadata_list() {
    std::vector<Object> list;
    for (const auto& [name, bytes] : model_.tflite_metadata) {
      Object text = w_.string(name);
      uint32_t number = buffer(bytes);
      list.push_back(w_.table());
      w_.child(list.back(), 0, text);
      w_.scalar<uint32_t>(list.back(), 1, number);
    }
    return w_.tables(list);
  }

  Object tensor_map(const SubgraphWriter& main, std::span<const ValueId> values) {
    std::vector<Object> list;
    for (ValueId v : values) {
      const std::string& name = model_.graph.value(v).name;
      auto given = model_.signature_names.find(name);
      Object text = w_.string(given == model_.signature_names.end() ? name : given->second);
      list.push_back(w_.table());
      w_.child(list.back(), 0, text);
      w_.scalar<uint32_t>(list.back(), 1, main.tensor(v));
    }
    return w_.tables(list);
  }

  Object signature_list(const SubgraphWriter& main) {
    Object inputs = tensor_map(main, model_.graph.main().inputs),
           outputs = tensor_map(main, model_.graph.main().outputs);
    Object key = w_.string(model_.signature_key.empty() ? options_.signature_key : model_.signature_key);
    Object table = w_.table();
    w_.child(table, 0, inputs);
    w_.child(table, 1, outputs);
    w_.child(table, 2, key);
    return w_.tables(std::span(&table, 1));
  }

  Object buffer_list() {
    std::vector<Object> list;
    uint64_t at = base_;
    for (ByteView bytes : buffers_) {
      bool outside = base_ != 0 && !bytes.empty();
      std::optional<Object> data;
      if (!bytes.empty() && !outside) data = w_.bytes(bytes, kAlignment);
      list.push_back(w_.table());
      if (data) w_.child(list.back(), 0, *data);
      if (!outside) continue;
      w_.scalar<uint64_t>(list.back(), 1, at);
      w_.scalar<uint64_t>(list.back(), 2, bytes.size());
      at += aligned(bytes.size());
    }
    return w_.tables(list);
  }

  Status append_buffers(const TfliteSink& sink) const {
    for (ByteView bytes : buffers_) {
      OREE_TRY(sink(bytes));
      OREE_TRY(sink(Bytes(aligned(bytes.size()) - bytes.size(), 0)));
    }
    return {};
  }

  const Model& model_;
  const TfliteWriteOptions& options_;
  uint64_t base_;
  FlatbufferWriter w_;
  std::vector<ByteView> buffers_;
  std::map<size_t, std::vector<uint32_t>> buffers_of_;  // by hash
  std::vector<OpCode> codes_;
  std::map<OpCode, uint32_t> code_of_;
  std::vector<BlockId> blocks_;
};

size_t constant_bytes(const Graph& graph) {
  size_t n = 0;
  for (size_t i = 0; i < graph.value_count(); ++i) {
    const Value& v = graph.value(static_cast<ValueId>(i));
    if (v.constant && !v.users.empty()) n += v.constant->bytes().size();
  }
  return n;
}

}  // namespace

Status write_tflite_nodes(const Model& model, const TfliteWriteOptions& options, const TfliteSink& sink) {
  if (constant_bytes(model.graph) <= kInsideMax) return FileWriter(model, options, 0).write(sink);
  // The size of the flatbuffer itself does not depend on where the buffers lie, so long as the numbers are not zero.
  OREE_TRY_ASSIGN(size_t without, FileWriter(model, options, kAlignment).size());
  return FileWriter(model, options, aligned(without)).write(sink);
}

Result<Bytes> write_tflite_nodes(const Model& model, const TfliteWriteOptions& options) {
  return to_bytes([&](const TfliteSink& sink) { return write_tflite_nodes(model, options, sink); });
}

Result<Bytes> to_bytes(const std::function<Status(const TfliteSink&)>& write) {
  Bytes file;
  OREE_TRY(write([&](ByteView part) {
    file.insert(file.end(), part.begin(), part.end());
    return Status();
  }));
  return file;
}

}  // namespace oree
