// SPDX-License-Identifier: Apache-2.0
// Writer of flatbuffers, without a schema: the counterpart of flatbuffer.h.
//
// Objects (strings, vectors, tables) are made children first: what refers to another object is made after it. They lie
// in the file the other way round, because offsets point forward. Long vectors of bytes are not copied: they go from
// the caller's memory to the sink. Equal vtables are written once.
#pragma once

#include <cstring>
#include <functional>
#include <map>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

#include "core/base/bytes.h"
#include "core/base/result.h"

namespace oree {

class FlatbufferWriter {
 public:
  using Object = uint32_t;
  using Sink = std::function<Status(ByteView)>;  // takes the file's bytes in their order

  Object string(std::string_view text);
  // The bytes must stay until finish(); the first one lies at a multiple of `alignment` (a power of two) in the file.
  Object bytes(ByteView view, size_t alignment = 4);
  template <typename T>
  Object vector(std::span<const T> values) {
    static_assert(std::is_arithmetic_v<T>);
    Bytes copy(values.size_bytes());
    if (!copy.empty()) std::memcpy(copy.data(), values.data(), copy.size());
    return add_vector(std::move(copy), values.size(), sizeof(T));
  }
  Object tables(std::span<const Object> objects);  // a vector of tables or strings

  Object table();
  // Fields of the table that was made last. A value that is the schema's default is left out.
  template <typename T>
  void scalar(Object table, int field, T value, T otherwise = {}) {
    static_assert(std::is_arithmetic_v<T>);
    if (value == otherwise) return;
    uint64_t bits = 0;
    std::memcpy(&bits, &value, sizeof(T));
    add_field(table, {field, sizeof(T), bits, false});
  }
  void child(Object table, int field, Object object);

  // kExhausted when the file would pass 2 GiB, which its offsets cannot.
  Status finish(Object root, std::string_view identifier, const Sink& sink);
  Result<Bytes> finish(Object root, std::string_view identifier);

 private:
  struct Field {
    int number = 0;
    size_t size = 0;
    uint64_t bits = 0;  // a scalar's, or the child
    bool is_child = false;
    size_t offset = 0;  // within the table, set when it is laid out
  };
  enum class Kind { kVector, kOffsets, kTable };
  struct Record {
    Kind kind = Kind::kTable;
    size_t count = 0;      // of a vector's elements
    size_t alignment = 4;  // of what follows the count; of a table's beginning
    bool ends_in_zero = false;
    Bytes own;      // a vector's bytes, unless they are the caller's
    ByteView view;  // those
    std::vector<Object> objects;
    std::vector<Field> fields;
    size_t position = 0, vtable = 0, size = 0;
  };

  Object add(Record record);
  Object add_vector(Bytes bytes, size_t count, size_t element_size);
  void add_field(Object table, Field field);
  void place_table(Record& record, size_t& end);
  void lay_out_fields(Record& record);
  static size_t content_size(const Record& record) { return record.own.size() + record.view.size(); }  // one of them
  Result<size_t> lay_out();  // the file's size
  Status emit(Object root, std::string_view identifier, size_t size, const Sink& sink) const;
  // At its place in `out`, which begins at `base` of the file; a view is left to the caller.
  void write(const Record& record, Bytes& out, size_t base) const;

  std::vector<Record> records_;
  std::map<std::vector<uint16_t>, size_t> vtables_;  // content -> where it lies
  std::vector<std::pair<size_t, std::vector<uint16_t>>> vtable_list_;
};

}  // namespace oree
