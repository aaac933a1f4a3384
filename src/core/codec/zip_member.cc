// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>

#include "core/codec/little_endian.h"
#include "core/codec/zip.h"

namespace oree {
namespace {

constexpr uint32_t kLocalMagic = 0x04034b50;
constexpr int64_t kLocalSize = 30;
constexpr uint64_t kPieceBytes = 256 << 10;  // read from the file, or skipped, at a time

Error bad(std::string_view what) { return Error(Code::kInvalid, fmt::format("zip: {}", what)); }

class StoredMember : public ZipMember {
 public:
  StoredMember(ByteSource file, const ZipEntry& entry, uint64_t start) : ZipMember(std::move(file), entry, start) {}

 private:
  Status fill(uint64_t offset, std::span<uint8_t> out) override {
    for (size_t done = 0; done < out.size();) {
      OREE_TRY_ASSIGN(Bytes piece, packed_at(offset + done, std::min<uint64_t>(out.size() - done, kPieceBytes)));
      std::copy(piece.begin(), piece.end(), out.begin() + static_cast<ptrdiff_t>(done));
      done += piece.size();
    }
    return {};
  }
};

class DeflatedMember : public ZipMember {
 public:
  DeflatedMember(ByteSource file, const ZipEntry& entry, uint64_t start) : ZipMember(std::move(file), entry, start) {}
  ~DeflatedMember() override { stop(); }

 private:
  Status fill(uint64_t offset, std::span<uint8_t> out) override {
    Status filled = go(offset, out);
    if (!filled.ok()) stop();  // where it is, is not known then
    return filled;
  }

  Status go(uint64_t offset, std::span<uint8_t> out) {
    if (!ready_ || offset < at_) OREE_TRY(restart());
    Bytes skipped(static_cast<size_t>(std::min(offset - at_, kPieceBytes)));
    while (at_ < offset) OREE_TRY(inflate_to({skipped.data(), std::min<size_t>(offset - at_, skipped.size())}));
    while (!out.empty()) {
      auto piece = out.first(std::min<size_t>(out.size(), kPieceBytes));
      OREE_TRY(inflate_to(piece));
      out = out.subspan(piece.size());
    }
    return {};
  }

  void stop() {
    if (ready_) inflateEnd(&z_);
    ready_ = false;
  }

  Status restart() {
    stop();
    z_ = {};
    ready_ = inflateInit2(&z_, -MAX_WBITS) == Z_OK;
    if (!ready_) return Error(Code::kExhausted, "zip: no memory to inflate");
    at_ = 0;
    packed_used_ = 0;
    ended_ = false;
    return {};
  }

  Status inflate_to(std::span<uint8_t> out) {
    z_.next_out = out.data();
    z_.avail_out = static_cast<uInt>(out.size());
    while (z_.avail_out > 0) {
      if (ended_) return bad("deflated content is damaged");
      OREE_TRY(step());
    }
    at_ += out.size();
    return {};
  }

  // One call of zlib, with more of the file when it has used what it got.
  Status step() {
    if (z_.avail_in == 0 && packed_used_ < entry_.packed_size) {
      OREE_TRY_ASSIGN(packed_, packed_at(packed_used_, std::min(entry_.packed_size - packed_used_, kPieceBytes)));
      packed_used_ += packed_.size();
      z_.next_in = packed_.data();
      z_.avail_in = static_cast<uInt>(packed_.size());
    }
    uInt in_before = z_.avail_in, out_before = z_.avail_out;
    int status = inflate(&z_, Z_NO_FLUSH);
    ended_ = status == Z_STREAM_END;
    bool moved = in_before != z_.avail_in || out_before != z_.avail_out;
    return ended_ || (status == Z_OK && moved) ? Status() : bad("deflated content is damaged");
  }

  Status end() override {
    // What is left of the stream says only that it is at its end.
    uint8_t nothing = 0;  // zlib refuses a null pointer, even for no bytes
    z_.next_out = &nothing;
    z_.avail_out = 0;
    while (!ended_) OREE_TRY(step());
    if (z_.avail_in > 0 || packed_used_ != entry_.packed_size) return bad("deflated content is damaged");
    return {};
  }

  z_stream z_{};
  bool ready_ = false, ended_ = false;
  Bytes packed_;              // the piece that zlib is reading
  uint64_t packed_used_ = 0;  // bytes of the file that were given to it
  uint64_t at_ = 0;           // bytes that came out
};

}  // namespace

Result<std::unique_ptr<ZipMember>> ZipMember::open(ByteSource file, const ZipEntry& entry) {
  const auto file_size = static_cast<uint64_t>(file.size);
  if (entry.header_offset > file_size) return bad("entry lies outside the file");
  OREE_TRY_ASSIGN(Bytes header, file.read_at(static_cast<int64_t>(entry.header_offset), kLocalSize));
  LittleEndianReader r(header);
  if (r.u32() != kLocalMagic) return bad("local header is missing");
  r.skip(22);
  uint64_t start = entry.header_offset + kLocalSize + r.u16();
  start += r.u16();
  if (r.bad() || start > file_size || entry.packed_size > file_size - start) return bad("entry is cut");
  if (entry.method == 0) return std::unique_ptr<ZipMember>(new StoredMember(std::move(file), entry, start));
  if (entry.method == 8) return std::unique_ptr<ZipMember>(new DeflatedMember(std::move(file), entry, start));
  return Error(Code::kUnsupported, fmt::format("zip: compression method {}", entry.method));
}

Result<Bytes> ZipMember::packed_at(uint64_t offset, uint64_t size) {
  OREE_TRY_ASSIGN(Bytes bytes, file_.read_at(static_cast<int64_t>(start_ + offset), static_cast<int64_t>(size)));
  if (bytes.size() != size) return bad("entry is cut");
  return bytes;
}

Status ZipMember::read(uint64_t offset, std::span<uint8_t> out) {
  OREE_ASSERT(offset <= entry_.size && out.size() <= entry_.size - offset);
  OREE_TRY(fill(offset, out));
  if (offset == 0) summed_ = crc_ = 0;
  if (offset != summed_) return {};  // a gap: the sum says nothing any more
  if (!out.empty()) crc_ = static_cast<uint32_t>(crc32_z(crc_, out.data(), out.size()));
  summed_ += out.size();
  if (summed_ != entry_.size) return {};
  OREE_TRY(end());
  if (crc_ != entry_.crc) return Error(Code::kIntegrity, "zip: CRC-32 does not match the content");
  return {};
}

}  // namespace oree
