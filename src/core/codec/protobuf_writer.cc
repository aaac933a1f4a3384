// SPDX-License-Identifier: Apache-2.0
#include "core/codec/protobuf_writer.h"

#include <bit>

namespace oree {
namespace {

constexpr uint32_t kVarint = 0, kBytes = 2, kFixed32 = 5;
constexpr size_t kCopied = 256;  // up to here a copy costs less than a piece

size_t varint_size(uint64_t value) {
  size_t n = 1;
  for (; value >= 128; value >>= 7) ++n;
  return n;
}

void append_varint(uint64_t value, Bytes& out) {
  for (; value >= 128; value >>= 7) out.push_back(static_cast<uint8_t>(value | 0x80));
  out.push_back(static_cast<uint8_t>(value));
}

}  // namespace

void ProtoWriter::varint(uint64_t value) {
  append_varint(value, small_);
  total_ += varint_size(value);
}

void ProtoWriter::key(uint32_t field, uint32_t wire) { varint(uint64_t{field} << 3 | wire); }

void ProtoWriter::number(uint32_t field, int64_t value) {
  key(field, kVarint);
  varint(static_cast<uint64_t>(value));
}

void ProtoWriter::real(uint32_t field, float value) {
  key(field, kFixed32);
  auto bits = std::bit_cast<uint32_t>(value);
  for (int shift = 0; shift < 32; shift += 8) small_.push_back(static_cast<uint8_t>(bits >> shift));
  total_ += 4;
}

void ProtoWriter::text(uint32_t field, std::string_view value) {
  key(field, kBytes);
  varint(value.size());
  raw(as_bytes(value));
}

void ProtoWriter::bytes(uint32_t field, ByteView value) {
  key(field, kBytes);
  varint(value.size());
  blob(value);
}

void ProtoWriter::packed(uint32_t field, const std::vector<int64_t>& values) {
  key(field, kBytes);
  size_t size = 0;
  for (int64_t v : values) size += varint_size(static_cast<uint64_t>(v));
  varint(size);
  for (int64_t v : values) varint(static_cast<uint64_t>(v));
}

void ProtoWriter::packed(uint32_t field, const std::vector<float>& values) {
  key(field, kBytes);
  varint(values.size() * 4);
  for (float v : values) {
    auto bits = std::bit_cast<uint32_t>(v);
    for (int shift = 0; shift < 32; shift += 8) small_.push_back(static_cast<uint8_t>(bits >> shift));
  }
  total_ += values.size() * 4;
}

void ProtoWriter::raw(ByteView fields) {
  small_.insert(small_.end(), fields.begin(), fields.end());
  total_ += fields.size();
}

void ProtoWriter::blob(ByteView fields) {
  if (fields.size() <= kCopied) return raw(fields);
  flush();
  pieces_.push_back({fields.data(), 0, fields.size(), false});
  total_ += fields.size();
}

void ProtoWriter::flush() {
  if (flushed_ == small_.size()) return;
  pieces_.push_back({nullptr, flushed_, small_.size() - flushed_, false});
  flushed_ = small_.size();
}

void ProtoWriter::begin(uint32_t field) {
  key(field, kBytes);
  flush();
  open_.push_back({pieces_.size(), total_});
  pieces_.push_back({nullptr, 0, 0, true});
}

void ProtoWriter::end() {
  OREE_ASSERT(!open_.empty());
  size_t length = total_ - open_.back().total;
  pieces_[open_.back().piece].size = length;
  total_ += varint_size(length);
  open_.pop_back();
}

Status ProtoWriter::write_to(const std::function<Status(ByteView)>& sink) const {
  OREE_ASSERT(open_.empty());
  Bytes number;
  for (const Piece& piece : pieces_) {
    if (piece.length) {
      number.clear();
      append_varint(piece.size, number);
      OREE_TRY(sink(number));
    } else {
      OREE_TRY(sink({piece.data != nullptr ? piece.data : small_.data() + piece.begin, piece.size}));
    }
  }
  if (flushed_ < small_.size()) OREE_TRY(sink(ByteView(small_).subspan(flushed_)));
  return {};
}

void ProtoWriter::append_to(Bytes& out) const {
  out.reserve(out.size() + total_);
  Status status = write_to([&](ByteView part) -> Status {
    out.insert(out.end(), part.begin(), part.end());
    return {};
  });
  OREE_ASSERT(status.ok());
}

}  // namespace oree
