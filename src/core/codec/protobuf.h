// SPDX-License-Identifier: Apache-2.0
// Bounded reader of the protobuf wire format: fields one by one, as views into the caller's bytes, nothing allocated.
// It knows no schema; model/onnx does.
#pragma once

#include <string_view>
#include <vector>

#include "core/base/bytes.h"
#include "core/base/result.h"

namespace oree {

struct ProtoField {
  enum class Kind { kVarint, kFixed64, kBytes, kFixed32 };
  uint32_t number = 0;
  Kind kind = Kind::kVarint;
  uint64_t value = 0;  // kVarint, kFixed64, kFixed32
  ByteView bytes;      // kBytes: a string, message or packed list
  ByteView whole;      // key and all, as it lies in the message

  int64_t as_int() const { return static_cast<int64_t>(value); }  // int32 and int64 alike, negative ones too
  float as_float() const;                                         // kFixed32
  std::string_view as_string() const { return as_text(bytes); }
  bool is_bytes() const { return kind == Kind::kBytes; }
};

class ProtoReader {
 public:
  explicit ProtoReader(ByteView message) : rest_(message) {}
  // false at the end of the message. kInvalid on a torn or overlong field, a group (deprecated) or field number 0.
  Result<bool> next(ProtoField& field);

 private:
  ByteView rest_;
};

// A repeated integer field, packed or not: appends. kInvalid when torn or when `out` would pass `limit` elements.
Status append_varints(const ProtoField& field, std::vector<int64_t>& out, size_t limit);

}  // namespace oree
