// SPDX-License-Identifier: Apache-2.0
// Layout (APPNOTE 6.3): local header + content, …; central directory; [zip64 end, its locator]; end record.
#include "core/codec/zip.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <unordered_set>

#include "core/base/limits.h"
#include "core/codec/little_endian.h"

namespace oree {
namespace {

constexpr uint32_t kLocalMagic = 0x04034b50;
constexpr uint32_t kEntryMagic = 0x02014b50;
constexpr uint32_t kEndMagic = 0x06054b50;
constexpr uint32_t kEnd64Magic = 0x06064b50;
constexpr uint32_t kLocatorMagic = 0x07064b50;
constexpr size_t kEndSize = 22;
constexpr size_t kLocatorSize = 20;
constexpr int64_t kEnd64Size = 56;
constexpr uint64_t kDirectoryBytesMax = 16 << 20;
constexpr uint64_t kDeflateRatioMax = 1032;
constexpr uint32_t kIn64 = 0xffffffff;  // "the value stands in the zip64 record"
constexpr int kVersion64 = 45;

Error bad(std::string_view what) { return Error(Code::kInvalid, fmt::format("zip: {}", what)); }

struct Directory {
  uint64_t entries = 0;
  uint64_t size = 0;
  uint64_t offset = 0;
};

Result<Directory> read_end64(const ByteSource& file, uint64_t at) {
  if (at > static_cast<uint64_t>(file.size)) return bad("zip64 end record lies outside the file");
  OREE_TRY_ASSIGN(Bytes bytes, file.read_at(static_cast<int64_t>(at), kEnd64Size));
  LittleEndianReader e(bytes);
  if (e.u32() != kEnd64Magic) return bad("zip64 end record is missing");
  e.skip(28);
  Directory d;
  d.entries = e.u64();
  d.size = e.u64();
  d.offset = e.u64();
  if (e.bad()) return bad("zip64 end record is cut");
  return d;
}

Result<Directory> find_directory(const ByteSource& file) {
  if (file.size < static_cast<int64_t>(kEndSize)) return bad("file is shorter than an end record");
  // The end record may be followed by a comment of up to 65535 bytes.
  int64_t tail_size = std::min<int64_t>(file.size, kLocatorSize + kEndSize + 0xffff);
  OREE_TRY_ASSIGN(Bytes tail, file.read_at(file.size - tail_size, tail_size));
  if (tail.size() < kEndSize) return bad("file is shorter than an end record");
  size_t lowest = tail.size() - std::min<size_t>(tail.size(), kEndSize + 0xffff);
  for (size_t at = tail.size() - kEndSize + 1; at-- > lowest;) {
    LittleEndianReader r(tail, at);
    if (r.u32() != kEndMagic) continue;
    r.skip(6);
    Directory d;
    d.entries = r.u16();
    d.size = r.u32();
    d.offset = r.u32();
    if (at + kEndSize + r.u16() != tail.size()) continue;
    if (at < kLocatorSize) return d;
    LittleEndianReader locator(tail, at - kLocatorSize);
    if (locator.u32() != kLocatorMagic) return d;
    locator.skip(4);
    return read_end64(file, locator.u64());
  }
  return bad("no end record: not a zip file, or cut short");
}

// The zip64 extra field holds, in this order, only those values that are 0xffffffff in the entry.
Status read_extra64(ByteView extra, ZipEntry& entry) {
  LittleEndianReader r(extra);
  while (r.left() >= 4) {
    uint16_t id = r.u16();
    ByteView field = r.view(r.u16());
    if (r.bad()) break;
    if (id != 1) continue;
    LittleEndianReader f(field);
    for (uint64_t* v : {&entry.size, &entry.packed_size, &entry.header_offset}) {
      if (*v == kIn64) *v = f.u64();
    }
    if (f.bad()) return bad("zip64 field is cut");
    return {};
  }
  if (entry.size == kIn64 || entry.packed_size == kIn64 || entry.header_offset == kIn64) {
    return bad("zip64 field is missing");
  }
  return {};
}

uint32_t crc_of(ByteView bytes) { return static_cast<uint32_t>(crc32_z(0, bytes.data(), bytes.size())); }

}  // namespace

Result<std::vector<ZipEntry>> read_zip_index(const ByteSource& file) {
  const auto file_size = static_cast<uint64_t>(file.size);
  OREE_TRY_ASSIGN(Directory d, find_directory(file));
  if (d.entries > static_cast<uint64_t>(kNpzEntriesMax)) {
    return bad(fmt::format("{} entries are above the limit of {}", d.entries, kNpzEntriesMax));
  }
  if (d.offset > file_size || d.size > file_size - d.offset) return bad("directory lies outside the file");
  if (d.size > kDirectoryBytesMax) {
    return bad(fmt::format("a directory of {} bytes is above the limit of {}", d.size, kDirectoryBytesMax));
  }
  OREE_TRY_ASSIGN(Bytes directory, file.read_at(static_cast<int64_t>(d.offset), static_cast<int64_t>(d.size)));
  LittleEndianReader r(directory);
  std::vector<ZipEntry> entries;
  std::unordered_set<std::string> names;
  uint64_t packed_total = 0;
  for (uint64_t i = 0; i < d.entries; ++i) {
    ZipEntry e;
    if (r.u32() != kEntryMagic) return bad("directory entry is damaged");
    r.skip(4);
    if (r.u16() & 1) return Error(Code::kUnsupported, "zip: encrypted entries");
    e.method = r.u16();
    r.skip(4);
    e.crc = r.u32();
    e.packed_size = r.u32();
    e.size = r.u32();
    uint16_t name_size = r.u16();
    uint16_t extra_size = r.u16();
    uint16_t comment_size = r.u16();
    r.skip(8);
    e.header_offset = r.u32();
    e.name = std::string(as_text(r.view(name_size)));
    ByteView extra = r.view(extra_size);
    r.skip(comment_size);
    if (r.bad()) return bad("directory is cut");
    OREE_TRY(read_extra64(extra, e));
    // Entries that share bytes would let a small file unpack into a huge one.
    if (e.packed_size > file_size - packed_total) return bad("entries hold more bytes than the file");
    packed_total += e.packed_size;
    if (e.header_offset > file_size) return bad("entry lies outside the file");
    if (e.method == 0 ? e.size != e.packed_size : e.size / kDeflateRatioMax > e.packed_size) {
      return bad("an entry's sizes contradict each other");
    }
    if (!names.insert(e.name).second) return bad("two entries have the same name");
    entries.push_back(std::move(e));
  }
  return entries;
}

void ZipWriter::add(const std::string& name, ByteView content) {
  constexpr int kDate1980 = 0x21;  // the earliest that zip knows: no clock in the bytes
  uint64_t offset = out_.size();
  uint32_t crc = crc_of(content);
  auto common = [&](Bytes& out) {
    put_le(out, kVersion64, 2);
    put_le(out, 0x0800, 2);  // the name is UTF-8
    put_le(out, 0, 4);       // stored; time 0:00
    put_le(out, kDate1980, 2);
    put_le(out, crc, 4);
    put_le(out, kIn64, 4);
    put_le(out, kIn64, 4);
    put_le(out, name.size(), 2);
  };
  put_le(out_, kLocalMagic, 4);
  common(out_);
  put_le(out_, 20, 2);
  out_.insert(out_.end(), name.begin(), name.end());
  put_le(out_, 1, 2);
  put_le(out_, 16, 2);
  put_le(out_, content.size(), 8);
  put_le(out_, content.size(), 8);
  out_.insert(out_.end(), content.begin(), content.end());

  put_le(directory_, kEntryMagic, 4);
  put_le(directory_, kVersion64, 2);  // made by: MS-DOS, so no file mode
  common(directory_);
  put_le(directory_, 28, 2);
  put_le(directory_, 0, 6);  // no comment, disk 0, binary
  put_le(directory_, 0, 4);
  put_le(directory_, kIn64, 4);
  directory_.insert(directory_.end(), name.begin(), name.end());
  put_le(directory_, 1, 2);
  put_le(directory_, 24, 2);
  put_le(directory_, content.size(), 8);
  put_le(directory_, content.size(), 8);
  put_le(directory_, offset, 8);
  ++entries_;
}

Bytes ZipWriter::finish() {
  uint64_t start = out_.size();
  out_.insert(out_.end(), directory_.begin(), directory_.end());
  uint64_t end64 = out_.size();
  put_le(out_, kEnd64Magic, 4);
  put_le(out_, 44, 8);  // what follows of this record
  put_le(out_, kVersion64, 2);
  put_le(out_, kVersion64, 2);
  put_le(out_, 0, 8);
  put_le(out_, entries_, 8);
  put_le(out_, entries_, 8);
  put_le(out_, directory_.size(), 8);
  put_le(out_, start, 8);
  put_le(out_, kLocatorMagic, 4);
  put_le(out_, 0, 4);
  put_le(out_, end64, 8);
  put_le(out_, 1, 4);
  put_le(out_, kEndMagic, 4);
  put_le(out_, 0, 4);
  put_le(out_, 0xffff, 2);
  put_le(out_, 0xffff, 2);
  put_le(out_, kIn64, 4);
  put_le(out_, kIn64, 4);
  put_le(out_, 0, 2);
  return std::move(out_);
}

}  // namespace oree
