// SPDX-License-Identifier: Apache-2.0
#include "model/onnx/onnx_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <set>

#include "core/base/limits.h"
#include "core/codec/protobuf.h"
#include "model/onnx/onnx_element.h"

namespace oree {
namespace {

constexpr size_t kSmall = 64;  // elements kept of a typed field

Error invalid(std::string text) { return Error(Code::kInvalid, std::move(text)); }

// Calls `take` for each field of a message.
template <typename F>
Status each_field(ByteView message, F take) {
  ProtoReader reader(message);
  ProtoField field;
  for (;;) {
    OREE_TRY_ASSIGN(bool more, reader.next(field));
    if (!more) return {};
    OREE_TRY(take(field));
  }
}

class OnnxParser {
 public:
  Result<OnnxFile> model(ByteView file) {
    OnnxFile out;
    bool graph_seen = false;
    OREE_TRY(each_field(file, [&](const ProtoField& f) -> Status {
      switch (f.number) {
        case 1: out.ir_version = f.as_int(); return {};
        case 2: out.producer = f.as_string(); return {};
        case 3: out.producer_version = f.as_string(); return {};
        case 4: out.domain = f.as_string(); return {};
        case 5: out.model_version = f.as_int(); return {};
        case 6: out.doc = f.as_string(); return {};
        case 7:
          if (!f.is_bytes() || graph_seen) return invalid("the model's graph is malformed");
          graph_seen = true;
          return graph(f.bytes, out.graph, 0);
        case 8: return opset(f.bytes, out.opsets);
        case 14: return metadata(f.bytes, out.metadata);
        case 25: return function(f.bytes, out.functions.emplace_back());
        default: return keep(f, out.unknown);
      }
    }));
    if (!graph_seen) return invalid("no graph in it: not an ONNX model, or cut off");
    if (out.opsets.empty() && out.ir_version >= 3) return invalid("no opset in it: not an ONNX model, or cut off");
    return out;
  }

 private:
  // Each node, tensor or value costs memory that its bytes in the file need not pay for.
  Status count() {
    if (++parts_ > kModelPartsMax) return invalid(fmt::format("more than {} nodes and tensors", kModelPartsMax));
    return {};
  }

  // What is not understood is kept for whoever writes the model again.
  Status keep(const ProtoField& f, std::vector<ByteView>& out) {
    out.push_back(f.whole);
    return count();
  }

  Status pair(ByteView message, std::string_view& key, std::string_view& value) {
    return each_field(message, [&](const ProtoField& f) -> Status {
      if (f.number == 1) key = f.as_string();
      if (f.number == 2) value = f.as_string();
      return {};
    });
  }

  Status metadata(ByteView message, std::map<std::string, std::string>& out) {
    std::string_view key, value;
    OREE_TRY(pair(message, key, value));
    out.insert_or_assign(std::string(key), std::string(value));
    return count();
  }

  Status opset(ByteView message, std::map<std::string, int64_t>& out) {
    std::string domain;
    int64_t version = 0;
    OREE_TRY(each_field(message, [&](const ProtoField& f) -> Status {
      if (f.number == 1) domain = std::string(f.as_string());
      if (f.number == 2) version = f.as_int();
      return {};
    }));
    if (domain == "ai.onnx") domain.clear();
    out[domain] = version;
    return count();
  }

  Status function(ByteView message, OnnxFunction& out) {
    OREE_TRY(count());
    return each_field(message, [&](const ProtoField& f) -> Status {
      switch (f.number) {
        case 1: out.name = f.as_string(); return {};
        case 4: out.inputs.push_back(f.as_string()); return count();
        case 5: out.outputs.push_back(f.as_string()); return count();
        case 7: OREE_TRY(count()); return node(f.bytes, out.nodes.emplace_back(), 0);
        case 9: return opset(f.bytes, out.opsets);
        case 10: out.domain = own_domain(f.as_string()); return {};
        case 11: OREE_TRY(count()); return attribute(f.bytes, out.defaults.emplace_back(), 0);
        case 13: out.overload = f.as_string(); return {};
        default: return {};
      }
    });
  }

  Status graph(ByteView message, OnnxGraph& out, int depth) {
    if (depth > kModelNestingMax) return invalid("graphs are nested too deeply");
    return each_field(message, [&](const ProtoField& f) -> Status {
      switch (f.number) {
        case 1: OREE_TRY(count()); return node(f.bytes, out.nodes.emplace_back(), depth);
        case 2: out.name = f.as_string(); return {};
        case 5: OREE_TRY(count()); return tensor(f.bytes, out.initializers.emplace_back());
        case 11: return value(f.bytes, out.inputs.emplace_back());
        case 12: return value(f.bytes, out.outputs.emplace_back());
        case 13: return value(f.bytes, out.values.emplace_back());
        case 15: ++out.sparse_initializers; return {};
        default: return keep(f, out.unknown);
      }
    });
  }

  static std::string_view own_domain(std::string_view domain) {
    return domain == "ai.onnx" ? std::string_view() : domain;
  }

  Status node(ByteView message, OnnxNode& out, int depth) {
    return each_field(message, [&](const ProtoField& f) -> Status {
      switch (f.number) {
        case 1: out.inputs.push_back(f.as_string()); return count();
        case 2: out.outputs.push_back(f.as_string()); return count();
        case 3: out.name = f.as_string(); return {};
        case 4: out.op = f.as_string(); return {};
        case 5: OREE_TRY(count()); return attribute(f.bytes, out.attributes.emplace_back(), depth);
        case 7: out.domain = own_domain(f.as_string()); return {};
        case 8: out.overload = f.as_string(); return {};
        default: return keep(f, out.unknown);
      }
    });
  }

  Status attribute(ByteView message, OnnxAttribute& out, int depth) {
    out.message = message;
    return each_field(message, [&](const ProtoField& f) -> Status {
      switch (f.number) {
        case 1: out.name = f.as_string(); return {};
        case 2: out.f = f.as_float(); return {};
        case 3: out.i = f.as_int(); return {};
        case 4: out.s = f.as_string(); return {};
        case 5:
        case 10: OREE_TRY(count()); return tensor(f.bytes, out.tensors.emplace_back());
        case 6:
        case 11: OREE_TRY(count()); return graph(f.bytes, out.graphs.emplace_back(), depth + 1);
        case 7: return floats(f, out.floats);
        case 8: return ints(f, out.ints);
        case 9: out.strings.push_back(f.as_string()); return count();
        case 20: out.type = f.as_int(); return {};
        case 21: out.reference = f.as_string(); return {};
        default: return {};
      }
    });
  }

  // Numbers cost more memory than they take in the file.
  Status numbers(size_t more) {
    numbers_ += more;
    if (numbers_ > kModelNumbersMax)
      return invalid(fmt::format("more than {} numbers in attributes", kModelNumbersMax));
    return {};
  }

  Status ints(const ProtoField& f, std::vector<int64_t>& out) {
    size_t before = out.size();
    OREE_TRY(append_varints(f, out, before + (kModelNumbersMax - numbers_)));
    return numbers(out.size() - before);
  }

  Status floats(const ProtoField& f, std::vector<float>& out) {
    if (!f.is_bytes()) {
      out.push_back(f.as_float());
      return numbers(1);
    }
    if (f.bytes.size() % 4 != 0) return invalid("a list of floats is torn");
    OREE_TRY(numbers(f.bytes.size() / 4));
    for (size_t i = 0; i < f.bytes.size(); i += 4) {
      uint32_t bits = 0;
      for (size_t k = 4; k-- > 0;) bits = bits << 8 | f.bytes[i + k];
      out.push_back(std::bit_cast<float>(bits));
    }
    return {};
  }

  Status tensor(ByteView message, OnnxTensor& out) {
    size_t typed_bytes = 0, typed_fields = 0;
    bool outside = false;
    out.message = message;
    OREE_TRY(each_field(message, [&](const ProtoField& f) -> Status {
      switch (f.number) {
        case 1: return append_varints(f, out.dims, static_cast<size_t>(kTensorRankMax));
        case 2: out.element = f.as_int(); return {};
        case 8: out.name = f.as_string(); return {};
        case 9:
          out.raw = f.bytes;
          out.has_raw = true;
          return {};
        case 13: return external(f.bytes, out);
        case 14: outside = f.value == 1; return {};
        case 4:
        case 5:
        case 6:
        case 7:
        case 10:
        case 11:
          typed_bytes += f.is_bytes() ? f.bytes.size() : 8;
          ++typed_fields;
          if ((f.number == 5 || f.number == 7) && f.bytes.size() <= kSmall * 10 && out.integers.size() <= kSmall) {
            return append_varints(f, out.integers, kModelPartsMax);
          }
          return {};
        default: return {};
      }
    }));
    if (!outside) out.external = {};
    if (outside && out.external.empty())
      return invalid(fmt::format("tensor '{}': no file is named for its values", out.name));
    return fits(out, typed_bytes + typed_fields);
  }

  // A declared shape shall never make anybody allocate more than the file can fill.
  static Status fits(const OnnxTensor& t, size_t typed_bytes) {
    Result<int64_t> elements = shape_elements(t.dims);
    if (!elements.ok()) return elements.error().within(fmt::format("tensor '{}'", t.name));
    int bits = onnx_element(t.element).bits;
    if (bits == 0 || !t.external.empty()) return {};
    int64_t bytes = (*elements * bits + 7) / 8;
    if (t.has_raw && static_cast<int64_t>(t.raw.size()) != bytes) {
      return invalid(fmt::format("tensor '{}' of shape {} needs {} bytes, but has {}", t.name, shape_text(t.dims),
                                 bytes, t.raw.size()));
    }
    // Packed small types share an integer, so eight elements a byte is what the file must at least hold.
    if (!t.has_raw && static_cast<int64_t>(typed_bytes) < *elements / 8) {
      return invalid(fmt::format("tensor '{}' of shape {} has too few values", t.name, shape_text(t.dims)));
    }
    return {};
  }

  Status external(ByteView message, OnnxTensor& out) {
    std::string_view key, value;
    OREE_TRY(pair(message, key, value));
    auto number = [&](int64_t& n) -> Status {
      auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), n);
      if (error == std::errc() && end == value.data() + value.size() && n >= 0) return {};
      return invalid(fmt::format("tensor '{}': '{}' is no {}", out.name, value.substr(0, 32), key));
    };
    if (key == "length") return number(out.external_bytes);
    if (key == "offset") return number(out.external_offset);
    if (key != "location") return {};
    // A model must not make an engine read files elsewhere.
    bool escapes = value.empty() || value.front() == '/' || value.find('\0') != std::string_view::npos;
    for (size_t at = 0; at <= value.size();) {
      size_t end = std::min(value.find('/', at), value.size());
      if (value.substr(at, end - at) == "..") escapes = true;
      at = end + 1;
    }
    if (escapes)
      return invalid(fmt::format("tensor '{}': its file '{}' lies outside of the model's folder", out.name, value));
    out.external = value;
    return {};
  }

  Status value(ByteView message, OnnxValue& out) {
    OREE_TRY(count());
    return each_field(message, [&](const ProtoField& f) -> Status {
      if (f.number == 1) out.name = f.as_string();
      if (f.number != 2) return {};
      out.typed = true;
      bool plain = false;
      OREE_TRY(each_field(f.bytes, [&](const ProtoField& type) -> Status {
        if (type.number == 6) return {};  // denotation
        plain = type.number == 1;
        return plain ? tensor_type(type.bytes, out) : Status();
      }));
      out.tensor = plain;
      return {};
    });
  }

  static Status tensor_type(ByteView message, OnnxValue& out) {
    OREE_TRY(each_field(message, [&](const ProtoField& f) -> Status {
      if (f.number == 1) out.element = f.as_int();
      if (f.number != 2) return {};
      out.has_shape = true;
      return each_field(f.bytes, [&](const ProtoField& dim) { return dimension(dim, out); });
    }));
    // Known dimensions are bounded even where others are free.
    Shape known = out.shape;
    for (int64_t& d : known) d = d < 0 ? 1 : d;
    Result<int64_t> elements = shape_elements(known);
    if (!elements.ok()) return elements.error().within(fmt::format("'{}'", out.name));
    return {};
  }

  static Status dimension(const ProtoField& field, OnnxValue& out) {
    if (field.number != 1) return {};
    if (out.shape.size() >= static_cast<size_t>(kTensorRankMax))
      return invalid(fmt::format("'{}': too many dimensions", out.name));
    int64_t size = -1;
    std::string_view symbol;
    OREE_TRY(each_field(field.bytes, [&](const ProtoField& f) -> Status {
      if (f.number == 1) size = f.as_int();
      if (f.number == 2) symbol = f.as_string();
      return {};
    }));
    out.shape.push_back(size < 0 ? -1 : size);
    out.symbols.push_back(symbol);
    return {};
  }

  size_t parts_ = 0;
  size_t numbers_ = 0;
};

}  // namespace

const OnnxAttribute* OnnxNode::find(std::string_view attribute) const {
  for (const OnnxAttribute& a : attributes) {
    if (a.name == attribute) return &a;
  }
  return nullptr;
}

int64_t OnnxNode::integer(std::string_view attribute, int64_t otherwise) const {
  const OnnxAttribute* a = find(attribute);
  return a != nullptr ? a->i : otherwise;
}

Result<OnnxFile> read_onnx(ByteView file) { return OnnxParser().model(file); }

bool looks_like_onnx(ByteView file) {
  ProtoReader reader(file.first(std::min<size_t>(file.size(), 64)));
  ProtoField field;
  // Exporters write ir_version first: a small number; then strings or the graph.
  Result<bool> more = reader.next(field);
  return more.ok() && *more && field.number == 1 && field.kind == ProtoField::Kind::kVarint && field.value > 0 &&
         field.value < 1000;
}

}  // namespace oree
