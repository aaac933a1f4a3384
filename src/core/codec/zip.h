// SPDX-License-Identifier: Apache-2.0
// The part of zip that npz files need: members stored or deflated, zip64, CRC checked. Only npy.cc uses it.
#pragma once

#include <string>
#include <vector>

#include "core/base/bytes.h"
#include "core/base/result.h"

namespace oree {

struct ZipEntry {
  std::string name;
  int method = 0;  // 0 stored, 8 deflated: any other is refused by read_zip_entry
  uint32_t crc = 0;
  uint64_t packed_size = 0;    // bytes in the file
  uint64_t size = 0;           // bytes unpacked; at most 1032 times packed_size, which is as far as deflate goes
  uint64_t header_offset = 0;  // of the local header
};

// At most kNpzEntriesMax entries with distinct names; sizes are checked against the file's before anything is unpacked.
Result<std::vector<ZipEntry>> read_zip_index(ByteView file);
Result<Bytes> read_zip_entry(ByteView file, const ZipEntry& entry);

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
