// SPDX-License-Identifier: Apache-2.0
#include "model/tflite/tflite_file.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/limits.h"
#include "model/tflite/tflite_types.h"

namespace oree {
namespace {

constexpr int kReshape = 22;
constexpr int kSqueeze = 43;

Error invalid(std::string text) { return Error(Code::kInvalid, std::move(text)); }

struct OpCode {
  int code = 0;
  int version = 1;
  std::string_view custom;
};

class TfliteParser {
 public:
  Result<TfliteFile> read(ByteView file) {
    file_ = file;
    OREE_TRY_ASSIGN(FlatTable model, FlatTable::root(file, "TFL3"));
    OREE_TRY_ASSIGN(uint32_t version, model.scalar<uint32_t>(0, 0));
    if (version != 3)
      return Error(Code::kUnsupported, fmt::format("TFLite schema version {}, but 3 is needed", version));
    out_.version = version;
    OREE_TRY_ASSIGN(out_.description, model.string(3));
    OREE_TRY(op_codes(model));
    OREE_TRY(buffers(model));
    OREE_TRY(metadata(model));
    OREE_TRY_ASSIGN(FlatVector subgraphs, model.vector(2, 4));
    if (subgraphs.size() == 0) return invalid("the model has no subgraph");
    OREE_TRY(count(subgraphs.size()));
    for (size_t i = 0; i < subgraphs.size(); ++i) {
      OREE_TRY_ASSIGN(FlatTable table, subgraphs.table(i));
      Status read = subgraph(table, out_.subgraphs.emplace_back());
      if (!read.ok()) return read.error().within(fmt::format("subgraph {}", i));
    }
    OREE_TRY(signatures(model));
    return std::move(out_);
  }

 private:
  // Offsets may point at one table many times over; what is read out of them is bounded all the same.
  Status count(size_t n) {
    parts_ += n;
    if (parts_ > kModelPartsMax) return invalid(fmt::format("more than {} tensors, ops and buffers", kModelPartsMax));
    return {};
  }

  Status op_codes(const FlatTable& model) {
    OREE_TRY_ASSIGN(FlatVector codes, model.vector(1, 4));
    OREE_TRY(count(codes.size()));
    for (size_t i = 0; i < codes.size(); ++i) {
      OREE_TRY_ASSIGN(FlatTable table, codes.table(i));
      // Codes over 127 outgrew the old field, which then holds 127.
      OREE_TRY_ASSIGN(int8_t old_code, table.scalar<int8_t>(0, 0));
      OREE_TRY_ASSIGN(int32_t new_code, table.scalar<int32_t>(3, 0));
      OREE_TRY_ASSIGN(int32_t version, table.scalar<int32_t>(2, 1));
      OpCode code;
      code.code = std::max<int>(old_code, new_code);
      OREE_TRY_ASSIGN(code.custom, table.string(1));
      if (code.code < 0) return invalid(fmt::format("op code {} is {}", i, code.code));
      if (code.code == kTfliteCustom && code.custom.empty()) return invalid("a custom op has no name");
      code.version = version;
      out_.op_version_max = std::max<int64_t>(out_.op_version_max, version);
      codes_.push_back(code);
    }
    return {};
  }

  Status buffers(const FlatTable& model) {
    OREE_TRY_ASSIGN(FlatVector list, model.vector(4, 4));
    OREE_TRY(count(list.size()));
    for (size_t i = 0; i < list.size(); ++i) {
      OREE_TRY_ASSIGN(FlatTable table, list.table(i));
      OREE_TRY_ASSIGN(FlatVector data, table.vector(0, 1));
      OREE_TRY_ASSIGN(uint64_t offset, table.scalar<uint64_t>(1, 0));
      OREE_TRY_ASSIGN(uint64_t size, table.scalar<uint64_t>(2, 0));
      Result<ByteView> bytes = behind(data.bytes(), offset, size);
      if (!bytes.ok()) return bytes.error().within(fmt::format("buffer {}", i));
      out_.buffers.push_back(*bytes);
    }
    return {};
  }

  // In a file over 2 GiB bytes lie behind the flatbuffer: an offset of 0 or 1 means that these do not.
  Result<ByteView> behind(ByteView within, uint64_t offset, uint64_t size) const {
    if (offset <= 1) return within;
    if (offset > file_.size() || size > file_.size() - offset) return invalid("lies outside of the file");
    return file_.subspan(static_cast<size_t>(offset), static_cast<size_t>(size));
  }

  Status signatures(const FlatTable& model) {
    OREE_TRY_ASSIGN(FlatVector list, model.vector(7, 4));
    OREE_TRY(count(list.size()));
    for (size_t i = 0; i < list.size(); ++i) {
      OREE_TRY_ASSIGN(FlatTable table, list.table(i));
      TfliteSignature& signature = out_.signatures.emplace_back();
      OREE_TRY_ASSIGN(signature.key, table.string(2));
      OREE_TRY_ASSIGN(signature.subgraph, table.scalar<uint32_t>(4, 0));
      if (signature.subgraph >= out_.subgraphs.size())
        return invalid("a signature names a subgraph that does not exist");
      OREE_TRY(tensor_map(table, 0, out_.subgraphs[signature.subgraph], signature.inputs));
      OREE_TRY(tensor_map(table, 1, out_.subgraphs[signature.subgraph], signature.outputs));
    }
    return {};
  }

  Status tensor_map(const FlatTable& signature, int field, const TfliteSubgraph& graph,
                    std::vector<std::pair<std::string_view, uint32_t>>& out) {
    OREE_TRY_ASSIGN(FlatVector list, signature.vector(field, 4));
    OREE_TRY(count(list.size()));
    for (size_t i = 0; i < list.size(); ++i) {
      OREE_TRY_ASSIGN(FlatTable table, list.table(i));
      OREE_TRY_ASSIGN(std::string_view name, table.string(0));
      OREE_TRY_ASSIGN(uint32_t tensor, table.scalar<uint32_t>(1, 0));
      if (tensor >= graph.tensors.size()) return invalid("a signature names a tensor that does not exist");
      out.emplace_back(name, tensor);
    }
    return {};
  }

  Status metadata(const FlatTable& model) {
    OREE_TRY_ASSIGN(FlatVector list, model.vector(6, 4));
    OREE_TRY(count(list.size()));
    for (size_t i = 0; i < list.size(); ++i) {
      OREE_TRY_ASSIGN(FlatTable table, list.table(i));
      OREE_TRY_ASSIGN(std::string_view name, table.string(0));
      OREE_TRY_ASSIGN(uint32_t buffer, table.scalar<uint32_t>(1, 0));
      if (buffer >= out_.buffers.size()) return invalid("metadata refers to a buffer that does not exist");
      out_.metadata[std::string(name.substr(0, 128))] = out_.buffers[buffer];
    }
    return {};
  }

  Status subgraph(const FlatTable& table, TfliteSubgraph& out) {
    OREE_TRY_ASSIGN(out.name, table.string(4));
    OREE_TRY_ASSIGN(FlatVector tensors, table.vector(0, 4));
    OREE_TRY(count(tensors.size()));
    for (size_t i = 0; i < tensors.size(); ++i) {
      OREE_TRY_ASSIGN(FlatTable t, tensors.table(i));
      Status read = tensor(t, out.tensors.emplace_back());
      if (!read.ok()) return read.error().within(fmt::format("tensor {} '{}'", i, out.tensors.back().name));
    }
    OREE_TRY(indices(table, 1, out, out.inputs, "inputs", false));
    OREE_TRY(indices(table, 2, out, out.outputs, "outputs", false));
    OREE_TRY_ASSIGN(FlatVector ops, table.vector(3, 4));
    OREE_TRY(count(ops.size()));
    for (size_t i = 0; i < ops.size(); ++i) {
      OREE_TRY_ASSIGN(FlatTable o, ops.table(i));
      Status read = op(o, out, out.ops.emplace_back());
      if (!read.ok()) return read.error().within(fmt::format("op {}", i));
    }
    return {};
  }

  Status indices(const FlatTable& table, int field, const TfliteSubgraph& graph, std::vector<int32_t>& out,
                 const char* what, bool optional) {
    OREE_TRY_ASSIGN(FlatVector list, table.vector(field, 4));
    OREE_TRY(count(list.size()));
    for (size_t i = 0; i < list.size(); ++i) {
      int32_t index = list.at<int32_t>(i);
      bool absent = optional && index == -1;
      if (!absent && (index < 0 || static_cast<size_t>(index) >= graph.tensors.size())) {
        return invalid(fmt::format("{} name tensor {}, but there are {}", what, index, graph.tensors.size()));
      }
      out.push_back(index);
    }
    return {};
  }

  static Status shape(const FlatTable& table, int field, Shape& out) {
    OREE_TRY_ASSIGN(FlatVector list, table.vector(field, 4));
    if (list.size() > static_cast<size_t>(kTensorRankMax)) return invalid("too many dimensions");
    for (size_t i = 0; i < list.size(); ++i) {
      int32_t d = list.at<int32_t>(i);
      if (d < -1) return invalid(fmt::format("dimension {} is {}", i, d));
      out.push_back(d);
    }
    Shape known = out;
    for (int64_t& d : known) d = d < 0 ? 1 : d;
    Result<int64_t> elements = shape_elements(known);
    return elements.ok() ? Status() : Status(elements.error());
  }

  Status tensor(const FlatTable& table, TfliteTensor& out) {
    OREE_TRY_ASSIGN(out.name, table.string(3));
    OREE_TRY(shape(table, 0, out.shape));
    OREE_TRY_ASSIGN(int8_t type, table.scalar<int8_t>(1, 0));
    out.type = static_cast<int>(type);  // with its sign: a negative one is no type
    OREE_TRY_ASSIGN(out.buffer, table.scalar<uint32_t>(2, 0));
    OREE_TRY_ASSIGN(uint8_t variable, table.scalar<uint8_t>(5, 0));
    out.variable = variable != 0;
    OREE_TRY_ASSIGN(uint8_t has_rank, table.scalar<uint8_t>(8, 0));
    out.has_rank = has_rank != 0;
    if (table.has(7)) {
      OREE_TRY(shape(table, 7, out.signature));
      if (!out.signature.empty() && out.signature.size() != out.shape.size())
        return invalid("shape and signature differ in rank");
    }
    if (out.signature.empty()) out.signature = out.shape;
    if (out.buffer >= out_.buffers.size()) return invalid(fmt::format("buffer {} does not exist", out.buffer));
    OREE_TRY(quantization(table, out));
    OREE_TRY_ASSIGN(out.sparsity, table.table(6));
    OREE_TRY_ASSIGN(uint32_t external, table.scalar<uint32_t>(10, 0));
    out.external = external != 0;
    ElementType element = tflite_type(out.type);
    size_t have = out_.buffers[out.buffer].size();
    if (element.bits == 0 || have == 0 || out.sparsity.has_value()) return {};
    Shape known = out.shape;
    for (int64_t& d : known) d = d < 0 ? 1 : d;
    OREE_TRY_ASSIGN(int64_t elements, shape_elements(known));
    int64_t need = (elements * element.bits + 7) / 8;
    if (static_cast<int64_t>(have) < need) {
      return invalid(fmt::format("shape {} needs {} bytes, but its buffer has {}", shape_text(out.shape), need, have));
    }
    return {};
  }

  static Status inside(const FlatTable& table, int field, size_t element_size) {
    Result<FlatVector> list = table.vector(field, element_size);
    return list.ok() ? Status() : Status(list.error());
  }

  static Status quantization(const FlatTable& table, TfliteTensor& out) {
    OREE_TRY_ASSIGN(std::optional<FlatTable> q, table.table(4));
    if (!q) return {};
    OREE_TRY(inside(*q, 0, 4));  // minima and maxima: engines read them, we do not
    OREE_TRY(inside(*q, 1, 4));
    OREE_TRY_ASSIGN(out.scale, q->vector(2, 4));
    OREE_TRY_ASSIGN(out.zero_point, q->vector(3, 8));
    OREE_TRY_ASSIGN(uint8_t details, q->scalar<uint8_t>(4, 0));
    OREE_TRY_ASSIGN(out.axis, q->scalar<int32_t>(6, 0));
    out.block_scales = details != 0;
    if (out.scales() <= 1) return {};
    bool axis_fits = out.axis >= 0 && static_cast<size_t>(out.axis) < out.shape.size() &&
                     static_cast<int64_t>(out.scales()) == out.shape[static_cast<size_t>(out.axis)];
    bool zeros_fit = out.zero_point.size() == out.scales() || out.zero_point.size() <= 1;
    if (!axis_fits || !zeros_fit) return invalid("as many scales and zero points are needed as the axis has channels");
    return {};
  }

  Status op(const FlatTable& table, const TfliteSubgraph& graph, TfliteOp& out) {
    OREE_TRY_ASSIGN(uint32_t code, table.scalar<uint32_t>(0, 0));
    if (code >= codes_.size()) return invalid(fmt::format("op code {} does not exist", code));
    out.code = codes_[code].code;
    out.version = codes_[code].version;
    out.custom = codes_[code].custom;
    OREE_TRY(indices(table, 1, graph, out.inputs, "inputs", true));
    OREE_TRY(indices(table, 2, graph, out.outputs, "outputs", false));
    OREE_TRY(indices(table, 8, graph, out.intermediates, "intermediates", true));
    OREE_TRY_ASSIGN(std::optional<FlatTable> options, table.table(4));
    OREE_TRY_ASSIGN(uint8_t type, table.scalar<uint8_t>(3, 0));
    if (options) {
      if (!options->fields_inside()) return invalid("its options are broken");
      out.options = *options;
      out.options_type = type;
      // The only two ops whose options engines read a list from.
      bool has_list = out.code == kReshape || out.code == kSqueeze;
      if (has_list) OREE_TRY(inside(*options, 0, 4));
    }
    OREE_TRY_ASSIGN(std::optional<FlatTable> options_2, table.table(12));
    OREE_TRY_ASSIGN(uint8_t type_2, table.scalar<uint8_t>(11, 0));
    if (options_2) {
      if (!options_2->fields_inside()) return invalid("its second options are broken");
      out.options_2 = *options_2;
      out.options_type_2 = type_2;
    }
    OREE_TRY_ASSIGN(FlatVector custom, table.vector(5, 1));
    OREE_TRY_ASSIGN(uint64_t offset, table.scalar<uint64_t>(9, 0));
    OREE_TRY_ASSIGN(uint64_t size, table.scalar<uint64_t>(10, 0));
    Result<ByteView> bytes = behind(custom.bytes(), offset, size);
    if (!bytes.ok()) return bytes.error().within("its custom options");
    out.custom_options = *bytes;
    return {};
  }

  ByteView file_;
  TfliteFile out_;
  std::vector<OpCode> codes_;
  size_t parts_ = 0;
};

}  // namespace

Result<TfliteFile> read_tflite(ByteView file) { return TfliteParser().read(file); }

}  // namespace oree
