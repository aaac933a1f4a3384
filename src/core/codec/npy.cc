// SPDX-License-Identifier: Apache-2.0
// Format: numpy.lib.format's documentation. "\x93NUMPY", version, header length, a Python dict literal, the data.
#include "core/codec/npy.h"

#include <fmt/format.h>

#include <cstring>
#include <optional>
#include <unordered_set>

#include "core/base/limits.h"
#include "core/codec/little_endian.h"
#include "core/codec/zip.h"

namespace oree {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr uint64_t kHeaderBytesMax = 64 << 10;

Error bad(std::string_view what) { return Error(Code::kInvalid, fmt::format("npy: {}", what)); }

struct Descr {
  const char* code;  // without the byte order
  Dtype dtype;
};
constexpr Descr kDescrs[] = {{"f4", Dtype::kFloat32}, {"f2", Dtype::kFloat16}, {"f8", Dtype::kFloat64},
                             {"i1", Dtype::kInt8},    {"u1", Dtype::kUint8},   {"i2", Dtype::kInt16},
                             {"u2", Dtype::kUint16},  {"i4", Dtype::kInt32},   {"u4", Dtype::kUint32},
                             {"i8", Dtype::kInt64},   {"u8", Dtype::kUint64},  {"b1", Dtype::kBool}};

Result<Dtype> parse_descr(std::string_view text) {
  std::string_view code = text.substr(text.empty() ? 0 : 1);
  for (const Descr& d : kDescrs) {
    if (code != d.code) continue;
    if (text[0] == '>' && dtype_size(d.dtype) > 1) return Error(Code::kUnsupported, "npy: big-endian data");
    if (text[0] == '<' || text[0] == '|' || text[0] == '=' || text[0] == '>') return d.dtype;
  }
  return Error(Code::kUnsupported, "npy: the element type is none of the plain numeric ones");
}

// Just enough of Python's literals for the header that NumPy writes.
class HeaderParser {
 public:
  explicit HeaderParser(std::string_view text) : text_(text) {}

  Status parse() {
    if (!take('{')) return bad("header is no dict");
    bool descr = false, order = false, has_shape = false;
    while (!take('}')) {
      OREE_TRY_ASSIGN(std::string_view key, quoted());
      if (!take(':')) return bad("header lacks ':'");
      bool* seen = key == "descr" ? &descr : key == "fortran_order" ? &order : key == "shape" ? &has_shape : nullptr;
      if (!seen || *seen) return bad("header has an unknown or repeated key");
      *seen = true;
      OREE_TRY(seen == &descr ? parse_dtype() : seen == &order ? parse_order() : parse_shape());
      if (!take(',') && peek() != '}') return bad("header lacks ','");
    }
    if (!descr || !order || !has_shape) return bad("header lacks descr, fortran_order or shape");
    if (peek() != '\0') return bad("header has text after its dict");
    return {};
  }

  Dtype dtype = Dtype::kFloat32;
  bool fortran = false;
  Shape shape;

 private:
  char peek() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t')) ++at_;
    return at_ < text_.size() ? text_[at_] : '\0';
  }
  bool take(char c) {
    if (peek() != c || at_ >= text_.size()) return false;
    ++at_;
    return true;
  }
  bool take_word(std::string_view word) {
    peek();
    if (!text_.substr(at_).starts_with(word)) return false;
    at_ += word.size();
    return true;
  }
  Result<std::string_view> quoted() {
    char quote = peek();
    if (quote != '\'' && quote != '"') return bad("header lacks a quoted string");
    size_t end = text_.find(quote, at_ + 1);
    if (end == std::string_view::npos) return bad("header has an open string");
    std::string_view out = text_.substr(at_ + 1, end - at_ - 1);
    at_ = end + 1;
    return out;
  }
  Status parse_dtype() {
    if (peek() == '[' || peek() == '(') return Error(Code::kUnsupported, "npy: structured element types");
    OREE_TRY_ASSIGN(std::string_view text, quoted());
    OREE_TRY_ASSIGN(dtype, parse_descr(text));
    return {};
  }
  Status parse_order() {
    fortran = take_word("True");
    return fortran || take_word("False") ? Status() : bad("fortran_order is neither True nor False");
  }
  Status parse_shape() {
    if (!take('(')) return bad("shape is no tuple");
    while (!take(')')) {
      int64_t n = 0;
      int digits = 0;
      for (peek(); at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9'; ++at_, ++digits) {
        if (digits >= 18) return bad("dimension is too large");
        n = n * 10 + (text_[at_] - '0');
      }
      if (digits == 0) return bad("dimension is no number");
      take_word("L");  // Python 2 wrote long integers so
      if (shape.size() >= static_cast<size_t>(kTensorRankMax)) return bad("too many dimensions");
      shape.push_back(n);
      if (!take(',') && peek() != ')') return bad("shape lacks ','");
    }
    return {};
  }

  std::string_view text_;
  size_t at_ = 0;
};

// Column-major to row-major: walk the output in order, step the input by its own strides.
Bytes from_fortran(ByteView in, const Shape& shape, size_t item) {
  Bytes out(in.size());
  if (in.empty()) return out;
  std::vector<size_t> index(shape.size(), 0);
  std::vector<size_t> stride(shape.size(), item);
  for (size_t k = 1; k < shape.size(); ++k) stride[k] = stride[k - 1] * static_cast<size_t>(shape[k - 1]);
  size_t from = 0;
  for (size_t to = 0; to < out.size(); to += item) {
    std::memcpy(out.data() + to, in.data() + from, item);
    for (size_t k = shape.size(); k-- > 0;) {
      from += stride[k];
      if (++index[k] < static_cast<size_t>(shape[k])) break;
      from -= stride[k] * index[k];
      index[k] = 0;
    }
  }
  return out;
}

// numpy has no bfloat16 and no 4-bit integers of its own: the next wider type holds the same values.
std::optional<Tensor> widened(const Tensor& tensor) {
  auto convert = [&](Dtype dtype) {
    Tensor out(dtype, tensor.shape());
    std::vector<double> values = tensor.to_doubles();
    for (size_t i = 0; i < values.size(); ++i) {
      if (dtype == Dtype::kFloat32) out.as<float>()[i] = static_cast<float>(values[i]);
      if (dtype != Dtype::kFloat32) out.data()[i] = static_cast<uint8_t>(static_cast<int>(values[i]));
    }
    return out;
  };
  switch (tensor.dtype()) {
    case Dtype::kBfloat16: return convert(Dtype::kFloat32);
    case Dtype::kInt4: return convert(Dtype::kInt8);
    case Dtype::kUint4: return convert(Dtype::kUint8);
    default: return std::nullopt;
  }
}

}  // namespace

Result<Tensor> read_npy(ByteView file) {
  if (file.size() < 10 || !as_text(file).starts_with(kMagic)) return bad("not an npy file");
  int version = file[6];
  if (version < 1 || version > 3 || file[7] != 0) {
    return Error(Code::kUnsupported, fmt::format("npy: format version {}.{}", version, file[7]));
  }
  LittleEndianReader r(file, 8);
  uint64_t header_size = version == 1 ? r.u16() : r.u32();
  if (header_size > kHeaderBytesMax) return bad(fmt::format("header of {} bytes", header_size));
  HeaderParser header(as_text(r.view(header_size)));
  if (r.bad()) return bad("file is cut inside its header");
  OREE_TRY(header.parse());
  OREE_TRY_ASSIGN(int64_t elements, shape_elements(header.shape));
  uint64_t expected = static_cast<uint64_t>(elements) * dtype_size(header.dtype);
  if (r.left() != expected) {
    return bad(fmt::format("{} of shape {} needs {} bytes of data, found {}", dtype_name(header.dtype),
                           shape_text(header.shape), expected, r.left()));
  }
  ByteView data = r.view(expected);
  Bytes bytes = header.fortran && header.shape.size() > 1 ? from_fortran(data, header.shape, dtype_size(header.dtype))
                                                          : Bytes(data.begin(), data.end());
  return Tensor::from_bytes(header.dtype, std::move(header.shape), std::move(bytes));
}

Bytes write_npy(const Tensor& given) {
  std::optional<Tensor> wide = widened(given);
  const Tensor& tensor = wide ? *wide : given;
  const char* code = "";
  for (const Descr& d : kDescrs) {
    if (d.dtype == tensor.dtype()) code = d.code;
  }
  std::string header = fmt::format("{{'descr': '{}{}', 'fortran_order': False, 'shape': (",
                                   dtype_size(tensor.dtype()) == 1 ? '|' : '<', code);
  for (size_t i = 0; i < tensor.shape().size(); ++i) {
    header += fmt::format("{}{}", i > 0 ? ", " : "", tensor.shape()[i]);
  }
  header += tensor.shape().size() == 1 ? ",), }" : "), }";
  // The data starts at a multiple of 64, so that a mapped file is aligned. Rank 32 fits version 1's 16-bit length.
  header.append(63 - (kMagic.size() + 4 + header.size()) % 64, ' ');
  header += '\n';
  Bytes out(kMagic.begin(), kMagic.end());
  out.reserve(kMagic.size() + 4 + header.size() + tensor.byte_size());
  put_le(out, 1, 2);  // version 1.0
  put_le(out, header.size(), 2);
  out.insert(out.end(), header.begin(), header.end());
  out.insert(out.end(), tensor.bytes().begin(), tensor.bytes().end());
  return out;
}

Result<NamedTensors> read_npz(ByteView file) {
  OREE_TRY_ASSIGN(std::vector<ZipEntry> entries, read_zip_index(file));
  NamedTensors out;
  std::unordered_set<std::string> names;  // "x" and "x.npy" would be the same tensor
  for (const ZipEntry& entry : entries) {
    std::string name = entry.name.ends_with(".npy") ? entry.name.substr(0, entry.name.size() - 4) : entry.name;
    std::string context = fmt::format("npz entry {}", out.size() + 1);
    if (!names.insert(name).second) return Error(Code::kInvalid, context + ": its name came before");
    Result<Bytes> content = read_zip_entry(file, entry);
    if (!content.ok()) return content.error().within(context);
    Result<Tensor> tensor = read_npy(*content);
    if (!tensor.ok()) return tensor.error().within(context);
    out.push_back({std::move(name), std::move(tensor).value()});
  }
  return out;
}

Result<Bytes> write_npz(const NamedTensors& tensors) {
  ZipWriter zip;
  std::unordered_set<std::string> names;
  for (const NamedTensor& t : tensors) {
    if (t.name.size() > 1024) return Error(Code::kInvalid, "npz: a tensor's name is longer than 1024 bytes");
    if (!names.insert(t.name).second) return Error(Code::kInvalid, fmt::format("npz: two tensors named '{}'", t.name));
    zip.add(t.name + ".npy", write_npy(t.tensor));
  }
  return zip.finish();
}

}  // namespace oree
