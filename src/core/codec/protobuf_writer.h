// SPDX-License-Identifier: Apache-2.0
// Writer of the protobuf wire format. Large bytes are referenced, not copied, and nested messages are not copied into
// each other: a model of gigabytes costs no more than its structure until it goes to a sink.
#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include "core/base/bytes.h"
#include "core/base/result.h"

namespace oree {

class ProtoWriter {
 public:
  void number(uint32_t field, int64_t value);  // int32, int64, enum, bool
  void real(uint32_t field, float value);
  void text(uint32_t field, std::string_view value);
  // Referenced, not copied: must stay until the message has been taken.
  void bytes(uint32_t field, ByteView value);
  void packed(uint32_t field, const std::vector<int64_t>& values);
  void packed(uint32_t field, const std::vector<float>& values);
  void raw(ByteView fields);   // whole fields, key and all; copied
  void blob(ByteView fields);  // the same, referenced

  // What is written between belongs to a nested message.
  void begin(uint32_t field);
  void end();

  // All begun messages must have ended.
  size_t size() const { return total_; }
  void append_to(Bytes& out) const;
  // Piece by piece, in order; the first error ends it.
  Status write_to(const std::function<Status(ByteView)>& sink) const;

 private:
  // Either bytes of small_, bytes elsewhere, or the length of a nested message.
  struct Piece {
    const uint8_t* data = nullptr;  // nullptr: in small_, or a length
    size_t begin = 0;
    size_t size = 0;
    bool length = false;  // then `size` is the number to write
  };
  struct Open {
    size_t piece = 0;
    size_t total = 0;
  };
  void key(uint32_t field, uint32_t wire);
  void varint(uint64_t value);
  void flush();  // small_ since the last piece becomes one

  Bytes small_;
  size_t flushed_ = 0;
  std::vector<Piece> pieces_;
  std::vector<Open> open_;
  size_t total_ = 0;
};

}  // namespace oree
