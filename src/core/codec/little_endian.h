// SPDX-License-Identifier: Apache-2.0
// Little-endian integers at an offset, for the codecs. Reading outside the range gives 0 and marks the reader bad, so
// that a parser may read on and check once.
#pragma once

#include "core/base/bytes.h"

namespace oree {

class LittleEndianReader {
 public:
  explicit LittleEndianReader(ByteView bytes, size_t offset = 0) : bytes_(bytes), at_(offset) {}
  uint16_t u16() { return static_cast<uint16_t>(take(2)); }
  uint32_t u32() { return static_cast<uint32_t>(take(4)); }
  uint64_t u64() { return take(8); }
  ByteView view(uint64_t size) {
    if (size > left()) {
      bad_ = true;
      return {};
    }
    ByteView v = bytes_.subspan(at_, static_cast<size_t>(size));
    at_ += v.size();
    return v;
  }
  void skip(uint64_t size) { view(size); }
  size_t at() const { return at_; }
  size_t left() const { return at_ <= bytes_.size() ? bytes_.size() - at_ : 0; }
  bool bad() const { return bad_; }

 private:
  uint64_t take(size_t n) {
    uint64_t v = 0;
    ByteView b = view(n);
    for (size_t i = b.size(); i > 0; --i) v = (v << 8) | b[i - 1];
    return v;
  }
  ByteView bytes_;
  size_t at_;
  bool bad_ = false;
};

inline void put_le(Bytes& out, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out.push_back(static_cast<uint8_t>(value >> (8 * i)));
}

}  // namespace oree
