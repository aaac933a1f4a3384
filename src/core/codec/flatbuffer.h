// SPDX-License-Identifier: Apache-2.0
// Bounded reader of flatbuffers: every access is checked against the file before it is made, so that any bytes can be
// read. It knows no schema; model/runtime/files does. Fields are numbered from 0 in the order of the schema.
//
//   table:  int32 back to its vtable | fields …
//   vtable: uint16 size of itself | uint16 size of the table | uint16 offset of field 0 in the table (0: absent) | …
#pragma once

#include <cstring>
#include <optional>
#include <string_view>
#include <type_traits>

#include "core/base/bytes.h"
#include "core/base/result.h"

namespace oree {

class FlatTable;

// A vector inside the file: scalars, or offsets to tables.
class FlatVector {
 public:
  FlatVector() = default;
  size_t size() const { return count_; }
  ByteView bytes() const { return bytes_; }
  template <typename T>
  T at(size_t index) const {  // asserts on the index and on the element size asked for in FlatTable::vector
    OREE_ASSERT(index < count_ && sizeof(T) * count_ == bytes_.size());
    T value;
    std::memcpy(&value, bytes_.data() + index * sizeof(T), sizeof(T));
    return value;
  }
  Result<FlatTable> table(size_t index) const;  // of a vector with element size 4

 private:
  friend class FlatTable;
  ByteView file_;
  ByteView bytes_;
  size_t count_ = 0;
};

class FlatTable {
 public:
  FlatTable() = default;  // no fields
  // kInvalid unless the file carries the identifier ("TFL3") and its root table lies within it.
  static Result<FlatTable> root(ByteView file, std::string_view identifier);

  bool has(int field) const { return offset(field) != 0; }
  // Every field, known or not, begins within the table, and there are no more than 256: safe for another's reader.
  bool fields_inside() const;
  // The default of the schema when the field is absent. kInvalid when it does not lie within the table.
  template <typename T>
  Result<T> scalar(int field, T otherwise) const {
    static_assert(std::is_arithmetic_v<T>);
    size_t at = offset(field);
    if (at == 0) return otherwise;
    if (at + sizeof(T) > table_size_) return torn(field);
    T value;
    std::memcpy(&value, file_.data() + position_ + at, sizeof(T));
    return value;
  }
  Result<std::string_view> string(int field) const;                 // "" when absent
  Result<FlatVector> vector(int field, size_t element_size) const;  // empty when absent
  Result<std::optional<FlatTable>> table(int field) const;

 private:
  friend class FlatVector;
  static Result<FlatTable> at(ByteView file, uint64_t position);
  size_t offset(int field) const;  // within the table, 0 when absent
  Result<uint64_t> target(int field) const;
  static Error torn(int field);

  ByteView file_;
  size_t position_ = 0;
  size_t table_size_ = 0;
  size_t vtable_ = 0;
  size_t vtable_size_ = 0;
};

}  // namespace oree
