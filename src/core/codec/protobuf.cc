// SPDX-License-Identifier: Apache-2.0
#include "core/codec/protobuf.h"

#include <fmt/format.h>

#include <bit>

namespace oree {
namespace {

uint64_t little_endian(ByteView bytes) {
  uint64_t v = 0;
  for (size_t i = bytes.size(); i-- > 0;) v = v << 8 | bytes[i];
  return v;
}

Status read_varint(ByteView& rest, uint64_t& value) {
  value = 0;
  for (size_t i = 0; i < 10 && i < rest.size(); ++i) {
    value |= static_cast<uint64_t>(rest[i] & 0x7f) << (7 * i);
    if ((rest[i] & 0x80) == 0) {
      rest = rest.subspan(i + 1);
      return {};
    }
  }
  return Error(Code::kInvalid, "a protobuf number is torn");
}

}  // namespace

float ProtoField::as_float() const { return std::bit_cast<float>(static_cast<uint32_t>(value)); }

Result<bool> ProtoReader::next(ProtoField& field) {
  if (rest_.empty()) return false;
  const ByteView from_here = rest_;
  auto took = [&] { field.whole = from_here.first(from_here.size() - rest_.size()); };
  uint64_t key = 0;
  OREE_TRY(read_varint(rest_, key));
  if (key >> 3 == 0 || key >> 3 > 0x1fffffff) return Error(Code::kInvalid, "a protobuf field number is out of range");
  field = ProtoField{};
  field.number = static_cast<uint32_t>(key >> 3);
  uint64_t size = 0;
  switch (key & 7) {
    case 0:
      field.kind = ProtoField::Kind::kVarint;
      OREE_TRY(read_varint(rest_, field.value));
      took();
      return true;
    case 1:
      field.kind = ProtoField::Kind::kFixed64;
      size = 8;
      break;
    case 5:
      field.kind = ProtoField::Kind::kFixed32;
      size = 4;
      break;
    case 2:
      field.kind = ProtoField::Kind::kBytes;
      OREE_TRY(read_varint(rest_, size));
      break;
    default:
      return Error(Code::kInvalid, fmt::format("protobuf field {} has unknown wire type {}", field.number, key & 7));
  }
  if (size > rest_.size()) {
    return Error(Code::kInvalid,
                 fmt::format("protobuf field {} says {} bytes, but {} are left", field.number, size, rest_.size()));
  }
  field.bytes = rest_.first(static_cast<size_t>(size));
  rest_ = rest_.subspan(static_cast<size_t>(size));
  took();
  if (field.kind != ProtoField::Kind::kBytes) field.value = little_endian(field.bytes);
  return true;
}

Status append_varints(const ProtoField& field, std::vector<int64_t>& out, size_t limit) {
  auto full = [&] {
    return Error(Code::kInvalid, fmt::format("protobuf field {} has more than {} numbers", field.number, limit));
  };
  if (field.kind == ProtoField::Kind::kVarint) {
    if (out.size() >= limit) return full();
    out.push_back(field.as_int());
    return {};
  }
  if (!field.is_bytes())
    return Error(Code::kInvalid, fmt::format("protobuf field {} is no list of integers", field.number));
  for (ByteView rest = field.bytes; !rest.empty();) {
    uint64_t value = 0;
    OREE_TRY(read_varint(rest, value));
    if (out.size() >= limit) return full();
    out.push_back(static_cast<int64_t>(value));
  }
  return {};
}

}  // namespace oree
