// SPDX-License-Identifier: Apache-2.0
#include "core/codec/flatbuffer.h"

#include <fmt/format.h>

namespace oree {
namespace {

// The caller has checked that size bytes lie there.
template <typename T>
T load(ByteView file, size_t position) {
  T value;
  std::memcpy(&value, file.data() + position, sizeof(T));
  return value;
}

bool inside(ByteView file, uint64_t position, uint64_t size) {
  return position <= file.size() && size <= file.size() - position;
}

}  // namespace

Error FlatTable::torn(int field) {
  return Error(Code::kInvalid, fmt::format("flatbuffer field {} points outside of the file or its table", field));
}

Result<FlatTable> FlatTable::root(ByteView file, std::string_view identifier) {
  if (file.size() < 8 || as_text(file.subspan(4, 4)) != identifier) {
    return Error(Code::kInvalid, fmt::format("not a flatbuffer with the identifier {}", identifier));
  }
  return at(file, load<uint32_t>(file, 0));
}

Result<FlatTable> FlatTable::at(ByteView file, uint64_t position) {
  const Error broken(Code::kInvalid,
                     fmt::format("a flatbuffer table at byte {} is broken (file of {} bytes)", position, file.size()));
  if (position % 4 != 0 || !inside(file, position, 4)) return broken;
  int64_t vtable = static_cast<int64_t>(position) - load<int32_t>(file, static_cast<size_t>(position));
  if (vtable < 0 || vtable % 2 != 0 || !inside(file, static_cast<uint64_t>(vtable), 4)) return broken;
  FlatTable table;
  table.file_ = file;
  table.position_ = static_cast<size_t>(position);
  table.vtable_ = static_cast<size_t>(vtable);
  table.vtable_size_ = load<uint16_t>(file, table.vtable_);
  table.table_size_ = load<uint16_t>(file, table.vtable_ + 2);
  if (table.vtable_size_ < 4 || table.vtable_size_ % 2 != 0 || !inside(file, table.vtable_, table.vtable_size_) ||
      table.table_size_ < 4 || !inside(file, position, table.table_size_)) {
    return broken;
  }
  return table;
}

size_t FlatTable::offset(int field) const {
  size_t slot = 4 + 2 * static_cast<size_t>(field);
  if (slot + 2 > vtable_size_) return 0;
  return load<uint16_t>(file_, vtable_ + slot);
}

bool FlatTable::fields_inside() const {
  int count = static_cast<int>((vtable_size_ - 4) / 2);
  if (count > 256) return false;
  for (int field = 0; field < count; ++field) {
    if (offset(field) >= table_size_) return false;
  }
  return true;
}

// Where the offset in a field points: absolute.
Result<uint64_t> FlatTable::target(int field) const {
  size_t at = offset(field);
  if (at + 4 > table_size_) return torn(field);
  uint64_t position = position_ + at;
  position += load<uint32_t>(file_, static_cast<size_t>(position));
  if (!inside(file_, position, 4)) return torn(field);
  return position;
}

Result<std::string_view> FlatTable::string(int field) const {
  OREE_TRY_ASSIGN(FlatVector characters, vector(field, 1));
  return as_text(characters.bytes());
}

Result<FlatVector> FlatTable::vector(int field, size_t element_size) const {
  if (!has(field)) return FlatVector();
  OREE_TRY_ASSIGN(uint64_t position, target(field));
  uint64_t count = load<uint32_t>(file_, static_cast<size_t>(position));
  if (!inside(file_, position + 4, count * element_size)) return torn(field);
  FlatVector out;
  out.file_ = file_;
  out.count_ = static_cast<size_t>(count);
  out.bytes_ = file_.subspan(static_cast<size_t>(position) + 4, out.count_ * element_size);
  return out;
}

Result<std::optional<FlatTable>> FlatTable::table(int field) const {
  if (!has(field)) return std::optional<FlatTable>();
  OREE_TRY_ASSIGN(uint64_t position, target(field));
  OREE_TRY_ASSIGN(FlatTable found, at(file_, position));
  return std::optional<FlatTable>(found);
}

Result<FlatTable> FlatVector::table(size_t index) const {
  uint64_t position = static_cast<uint64_t>(bytes_.data() - file_.data()) + 4 * index;
  return FlatTable::at(file_, position + at<uint32_t>(index));
}

}  // namespace oree
