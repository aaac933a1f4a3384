// SPDX-License-Identifier: Apache-2.0
#include "core/codec/npy_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <span>
#include <unordered_set>

#include "core/base/limits.h"
#include "core/codec/npy_header.h"
#include "core/codec/zip.h"

namespace oree {
namespace {

constexpr uint64_t kPieceBytes = 256 << 10;

// The bytes of one .npy, wherever it lies.
class NpyBytes {
 public:
  virtual ~NpyBytes() = default;
  virtual uint64_t size() const = 0;
  virtual Status read(uint64_t offset, std::span<uint8_t> out) = 0;  // the range lies within size()
};

class FileBytes : public NpyBytes {
 public:
  explicit FileBytes(ByteSource file) : file_(std::move(file)) {}
  uint64_t size() const override { return static_cast<uint64_t>(file_.size); }
  Status read(uint64_t offset, std::span<uint8_t> out) override {
    while (!out.empty()) {
      auto want = static_cast<int64_t>(std::min<uint64_t>(out.size(), kPieceBytes));
      OREE_TRY_ASSIGN(Bytes piece, file_.read_at(static_cast<int64_t>(offset), want));
      if (piece.empty()) return Error(Code::kInvalid, "npy: file became shorter while it was read");
      std::copy(piece.begin(), piece.end(), out.begin());
      offset += piece.size();
      out = out.subspan(piece.size());
    }
    return {};
  }

 private:
  ByteSource file_;
};

class MemberBytes : public NpyBytes {
 public:
  explicit MemberBytes(std::unique_ptr<ZipMember> member) : member_(std::move(member)) {}
  uint64_t size() const override { return member_->size(); }
  Status read(uint64_t offset, std::span<uint8_t> out) override { return member_->read(offset, out); }

 private:
  std::unique_ptr<ZipMember> member_;
};

Result<NpyHeader> read_header(NpyBytes& bytes) {
  Bytes head(static_cast<size_t>(std::min(bytes.size(), kNpyLeadBytes)));
  OREE_TRY(bytes.read(0, head));
  OREE_TRY_ASSIGN(uint64_t end, npy_data_offset(head));
  head.resize(static_cast<size_t>(std::min(bytes.size(), end)));
  OREE_TRY(bytes.read(0, head));
  OREE_TRY_ASSIGN(NpyHeader header, parse_npy_header(head));
  OREE_TRY(check_npy_size(header, bytes.size() - header.data_offset));
  return header;
}

// What both kinds of file do with an array once its bytes can be had.
class ArrayFileBase : public ArrayFile {
 public:
  Result<Tensor> read_rows(size_t array, int64_t first, int64_t count) override {
    const Shape& shape = arrays_[array].shape;
    OREE_ASSERT(!shape.empty() && first >= 0 && count >= 0 && first <= shape[0] && count <= shape[0] - first);
    auto rows = rows_of(array, first, count);
    return rows.ok() ? std::move(rows) : told(rows.error(), array);
  }

  Result<Tensor> read(size_t array) override {
    auto whole = whole_of(array);
    return whole.ok() ? std::move(whole) : told(whole.error(), array);
  }

  Status verify(size_t array) override {
    Status verified = pass_over(array);
    return verified.ok() ? verified : told(verified.error(), array);
  }

 protected:
  virtual Result<std::unique_ptr<NpyBytes>> open(size_t array) = 0;
  virtual Error told(const Error& error, size_t array) const = 0;  // with the array's place in the file

  Status add(std::string name) {
    size_t array = headers_.size();
    OREE_TRY_ASSIGN(std::unique_ptr<NpyBytes> bytes, open(array));
    OREE_TRY_ASSIGN(NpyHeader header, read_header(*bytes));
    arrays_.push_back({std::move(name), header.dtype, header.shape});
    headers_.push_back(std::move(header));
    streams_.emplace_back();
    wholes_.emplace_back();
    return {};
  }

 private:
  Result<Tensor> rows_of(size_t array, int64_t first, int64_t count) {
    const NpyHeader& header = headers_[array];
    Shape shape = header.shape;
    shape[0] = count;
    OREE_TRY_ASSIGN(int64_t elements, shape_elements(shape));
    Tensor rows(header.dtype, shape);
    if (elements == 0) return rows;
    uint64_t at = static_cast<uint64_t>(first) * (rows.byte_size() / static_cast<uint64_t>(count));
    if (header.fortran && shape.size() > 1) {
      if (!wholes_[array]) {
        OREE_TRY_ASSIGN(wholes_[array], whole_of(array));
      }
      std::copy_n(wholes_[array]->data() + at, rows.byte_size(), rows.data());
      return rows;
    }
    if (streams_[array] == nullptr) {
      OREE_TRY_ASSIGN(streams_[array], open(array));
    }
    OREE_TRY(streams_[array]->read(header.data_offset + at, {rows.data(), rows.byte_size()}));
    return rows;
  }

  Result<Tensor> whole_of(size_t array) {
    const NpyHeader& header = headers_[array];
    OREE_TRY(shape_elements(header.shape));
    OREE_TRY_ASSIGN(std::unique_ptr<NpyBytes> bytes, open(array));
    if (bytes->size() > static_cast<uint64_t>(kModelBytesMax)) {
      return Error(Code::kExhausted,
                   fmt::format("an array of {} bytes is above the limit of {}", bytes->size(), kModelBytesMax));
    }
    Bytes head(static_cast<size_t>(header.data_offset));
    OREE_TRY(bytes->read(0, head));  // from the start, for the CRC
    Bytes data(static_cast<size_t>(bytes->size() - header.data_offset));
    OREE_TRY(bytes->read(header.data_offset, data));
    if (header.fortran && header.shape.size() > 1) data = from_fortran(data, header.shape, dtype_size(header.dtype));
    return Tensor::from_bytes(header.dtype, header.shape, std::move(data));
  }

  Status pass_over(size_t array) {
    OREE_TRY_ASSIGN(std::unique_ptr<NpyBytes> bytes, open(array));
    Bytes piece(static_cast<size_t>(std::min(bytes->size(), kPieceBytes)));
    for (uint64_t at = 0; at < bytes->size();) {
      auto size = static_cast<size_t>(std::min<uint64_t>(piece.size(), bytes->size() - at));
      OREE_TRY(bytes->read(at, {piece.data(), size}));
      at += size;
    }
    return {};
  }

  std::vector<NpyHeader> headers_;
  std::vector<std::unique_ptr<NpyBytes>> streams_;  // of those arrays whose rows were read
  std::vector<std::optional<Tensor>> wholes_;       // in Fortran's order, of which rows were read
};

class NpyFile : public ArrayFileBase {
 public:
  explicit NpyFile(ByteSource file) : file_(std::move(file)) {}
  Status start() { return add(""); }
  Status verify(size_t) override { return {}; }  // it has no sum, and its size was checked

 private:
  Result<std::unique_ptr<NpyBytes>> open(size_t) override {
    return std::unique_ptr<NpyBytes>(std::make_unique<FileBytes>(file_));
  }
  Error told(const Error& error, size_t) const override { return error; }
  ByteSource file_;
};

class NpzFile : public ArrayFileBase {
 public:
  explicit NpzFile(ByteSource file) : file_(std::move(file)) {}
  Status start() {
    OREE_TRY_ASSIGN(entries_, read_zip_index(file_));
    std::unordered_set<std::string> names;  // "x" and "x.npy" would be the same array
    for (const ZipEntry& entry : entries_) {
      std::string name = entry.name.ends_with(".npy") ? entry.name.substr(0, entry.name.size() - 4) : entry.name;
      size_t array = arrays_.size();
      if (!names.insert(name).second) return told(Error(Code::kInvalid, "its name came before"), array);
      Status added = add(std::move(name));
      if (!added.ok()) return told(added.error(), array);
    }
    return {};
  }

 private:
  Result<std::unique_ptr<NpyBytes>> open(size_t array) override {
    OREE_TRY_ASSIGN(std::unique_ptr<ZipMember> member, ZipMember::open(file_, entries_[array]));
    return std::unique_ptr<NpyBytes>(std::make_unique<MemberBytes>(std::move(member)));
  }
  Error told(const Error& error, size_t array) const override {
    return error.within(fmt::format("npz entry {}", array + 1));
  }

  ByteSource file_;
  std::vector<ZipEntry> entries_;
};

template <typename File>
Result<std::unique_ptr<ArrayFile>> open_file(ByteSource source) {
  auto file = std::make_unique<File>(std::move(source));
  OREE_TRY(file->start());
  return std::unique_ptr<ArrayFile>(std::move(file));
}

}  // namespace

Result<std::unique_ptr<ArrayFile>> ArrayFile::open_npy(ByteSource file) { return open_file<NpyFile>(std::move(file)); }

Result<std::unique_ptr<ArrayFile>> ArrayFile::open_npz(ByteSource file) { return open_file<NpzFile>(std::move(file)); }

}  // namespace oree
