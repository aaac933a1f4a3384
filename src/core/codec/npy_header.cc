// SPDX-License-Identifier: Apache-2.0
// Format: numpy.lib.format's documentation. "\x93NUMPY", version, header length, a Python dict literal, the data.
#include "core/codec/npy_header.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "core/base/limits.h"
#include "core/codec/little_endian.h"

namespace oree {
namespace {

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

}  // namespace

const char* npy_code(Dtype dtype) {
  for (const Descr& d : kDescrs) {
    if (d.dtype == dtype) return d.code;
  }
  return "";
}

Result<uint64_t> npy_data_offset(ByteView lead) {
  if (lead.size() < 10 || !as_text(lead).starts_with(kNpyMagic)) return bad("not an npy file");
  int version = lead[6];
  if (version < 1 || version > 3 || lead[7] != 0) {
    return Error(Code::kUnsupported, fmt::format("npy: format version {}.{}", version, lead[7]));
  }
  LittleEndianReader r(lead, 8);
  uint64_t header_size = version == 1 ? r.u16() : r.u32();
  if (r.bad()) return bad("file is cut inside its header");
  if (header_size > kNpyHeaderBytesMax) return bad(fmt::format("header of {} bytes", header_size));
  return r.at() + header_size;
}

Result<NpyHeader> parse_npy_header(ByteView head) {
  OREE_TRY_ASSIGN(uint64_t end, npy_data_offset(head.first(std::min<size_t>(head.size(), kNpyLeadBytes))));
  if (head.size() < end) return bad("file is cut inside its header");
  size_t begin = head[6] == 1 ? 10 : 12;
  HeaderParser parser(as_text(head.subspan(begin, static_cast<size_t>(end) - begin)));
  OREE_TRY(parser.parse());
  return NpyHeader{parser.dtype, parser.fortran, std::move(parser.shape), end};
}

Status check_npy_size(const NpyHeader& header, uint64_t data_bytes) {
  uint64_t expected = dtype_size(header.dtype);
  for (int64_t n : header.shape) {
    // An axis of 0 empties the array, whatever the others are.
    if (n != 0 && expected > std::numeric_limits<uint64_t>::max() / static_cast<uint64_t>(n)) {
      return bad(fmt::format("shape {} is too large", shape_text(header.shape)));
    }
    expected *= static_cast<uint64_t>(n);
  }
  if (data_bytes == expected) return {};
  return bad(fmt::format("{} of shape {} needs {} bytes of data, found {}", dtype_name(header.dtype),
                         shape_text(header.shape), expected, data_bytes));
}

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

}  // namespace oree
