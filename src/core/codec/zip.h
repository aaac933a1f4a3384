// SPDX-License-Identifier: Apache-2.0
// The part of zip that npz files need: members stored or deflated, zip64, CRC checked. Only npy_file.cc and npy.cc use
// it. Reading needs no more memory than the directory and a piece of a member.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/base/bytes.h"
#include "core/base/result.h"
#include "core/codec/read_at.h"

namespace oree {

struct ZipEntry {
  std::string name;
  int method = 0;  // 0 stored, 8 deflated: any other is refused by ZipMember
  uint32_t crc = 0;
  uint64_t packed_size = 0;    // bytes in the file
  uint64_t size = 0;           // bytes unpacked; at most 1032 times packed_size, which is as far as deflate goes
  uint64_t header_offset = 0;  // of the local header
};

// At most kNpzEntriesMax entries with distinct names; sizes are checked against the file's before anything is unpacked.
Result<std::vector<ZipEntry>> read_zip_index(const ByteSource& file);

// The content of one member, a range at a time. A stored member is read by position; a deflated one is inflated
// forwards, from its start again when a range lies before what was read last. Whoever reads it from its start to its
// end, in order and with no gap, has its CRC checked with the last range: kIntegrity. One thread at a time.
class ZipMember {
 public:
  // kInvalid when its local header is damaged or it is cut, kUnsupported when it is packed otherwise.
  static Result<std::unique_ptr<ZipMember>> open(ByteSource file, const ZipEntry& entry);
  virtual ~ZipMember() = default;
  uint64_t size() const { return entry_.size; }
  // Fills `out`; the range must lie within size().
  Status read(uint64_t offset, std::span<uint8_t> out);

 protected:
  ZipMember(ByteSource file, const ZipEntry& entry, uint64_t start)
      : file_(std::move(file)), entry_(entry), start_(start) {}
  Result<Bytes> packed_at(uint64_t offset, uint64_t size);  // of the bytes in the file; all of them or an error
  virtual Status fill(uint64_t offset, std::span<uint8_t> out) = 0;
  virtual Status end() { return {}; }  // everything was read: nothing may be left over

  ByteSource file_;
  ZipEntry entry_;

 private:
  uint64_t start_;       // of the packed bytes in the file
  uint64_t summed_ = 0;  // bytes from the start that are in crc_
  uint32_t crc_ = 0;
};

// Stored members with zip64 records throughout, so that there is one layout whatever the size. Same members, same
// bytes.
class ZipWriter {
 public:
  void add(const std::string& name, ByteView content);
  Bytes finish();  // once

 private:
  Bytes out_;
  Bytes directory_;
  uint64_t entries_ = 0;
};

}  // namespace oree
