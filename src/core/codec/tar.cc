// SPDX-License-Identifier: Apache-2.0
// One member:  [pax header 512][pax records, padded]  [ustar header 512][content][zeros to 512]
// The end:     1024 zeros, and zeros only after them.
//
// ustar header: name 0..99, mode 100, uid 108, gid 116, size 124 (11 octal digits), mtime 136, checksum 148,
// type 156, link 157, magic 257 "ustar\0" "00", owner 265, group 297, device 329, prefix 345..499.
#include "core/codec/tar.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <unordered_set>

#include "core/base/limits.h"

namespace oree {
namespace {

constexpr int64_t kBlock = 512;
constexpr int64_t kPaxBytesMax = 64 << 10;
constexpr int64_t kEndBytesMax = 64 << 10;  // other programs pad to 10 KiB
constexpr int64_t kOctalSizeMax = 077777777777;

Error bad(int64_t offset, std::string_view what) {
  return Error(Code::kInvalid, fmt::format("tar at byte {}: {}", offset, what));
}

int64_t padded(int64_t size) { return (size + kBlock - 1) / kBlock * kBlock; }

std::string_view field(ByteView header, size_t offset, size_t size) {
  std::string_view text = as_text(header.subspan(offset, size));
  return text.substr(0, text.find('\0'));
}

Result<int64_t> octal(std::string_view text) {
  text = text.substr(0, text.find_last_not_of(' ') + 1);
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  int64_t n = 0;
  if (text.empty() || text.size() > 12) return Error(Code::kInvalid, "number is malformed");
  for (char c : text) {
    if (c < '0' || c > '7') return Error(Code::kInvalid, "number is malformed");
    n = n * 8 + (c - '0');
  }
  return n;
}

// The header's own checksum: the sum of its bytes, with the checksum field as blanks.
int64_t header_sum(ByteView header) {
  int64_t sum = 0;
  for (size_t i = 0; i < header.size(); ++i) sum += i >= 148 && i < 156 ? ' ' : header[i];
  return sum;
}

Status check_path(std::string_view path) {
  if (path.empty() || path.size() > static_cast<size_t>(kTarPathMax)) {
    return Error(Code::kInvalid, fmt::format("a path of {} bytes; the limit is {}", path.size(), kTarPathMax));
  }
  for (char c : path) {
    auto u = static_cast<unsigned char>(c);
    if (u < 0x20 || u == 0x7f || c == '\\') return Error(Code::kInvalid, "a path with a control character or '\\'");
  }
  while (true) {
    std::string_view part = path.substr(0, path.find('/'));
    if (part.empty() || part == "." || part == "..") {
      return Error(Code::kInvalid, "a path that is absolute or has an empty, '.' or '..' part");
    }
    if (part.size() == path.size()) return {};
    path.remove_prefix(part.size() + 1);
  }
}

struct Pax {
  std::string path;
  int64_t size = -1;
};

// Records "LENGTH KEY=VALUE\n", LENGTH counting all of the record. Keys other than path and size mean nothing to us.
Result<Pax> parse_pax(std::string_view text) {
  Pax pax;
  while (!text.empty()) {
    size_t length = 0;
    size_t i = 0;
    for (; i < text.size() && i < 6 && text[i] >= '0' && text[i] <= '9'; ++i) {
      length = length * 10 + static_cast<size_t>(text[i] - '0');
    }
    if (i == 0 || length > text.size() || length < i + 3 || text[i] != ' ' || text[length - 1] != '\n') {
      return Error(Code::kInvalid, "pax record is malformed");
    }
    std::string_view record = text.substr(i + 1, length - i - 2);
    text.remove_prefix(length);
    size_t equals = record.find('=');
    if (equals == std::string_view::npos) return Error(Code::kInvalid, "pax record lacks '='");
    std::string_view key = record.substr(0, equals);
    std::string_view value = record.substr(equals + 1);
    if (key == "path") {
      OREE_TRY(check_path(value));
      pax.path = value;
    } else if (key == "size") {
      pax.size = 0;
      if (value.empty() || value.size() > 18) return Error(Code::kInvalid, "pax size is malformed");
      for (char c : value) {
        if (c < '0' || c > '9') return Error(Code::kInvalid, "pax size is malformed");
        pax.size = pax.size * 10 + (c - '0');
      }
    } else if (key == "linkpath" || key.starts_with("GNU.sparse")) {
      return Error(Code::kUnsupported, "pax record of a link or a sparse file");
    }
  }
  return pax;
}

Result<Bytes> read_exactly(const TarReadAt& read_at, int64_t offset, int64_t size) {
  OREE_TRY_ASSIGN(Bytes bytes, read_at(offset, size));
  if (static_cast<int64_t>(bytes.size()) != size) return bad(offset, "archive ends early");
  return bytes;
}

bool all_zero(ByteView bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](uint8_t b) { return b == 0; });
}

// What follows the first zero block: nothing but zeros, so that nothing can hide behind the end.
Status check_end(const TarReadAt& read_at, int64_t offset, int64_t archive_size) {
  int64_t left = archive_size - offset;
  if (left < 2 * kBlock) return bad(offset, "the end is cut");
  if (left > kEndBytesMax) return bad(offset, "too many bytes after the end");
  OREE_TRY_ASSIGN(Bytes tail, read_exactly(read_at, offset, left));
  return all_zero(tail) ? Status() : Status(bad(offset, "data after the end"));
}

// A file cannot at once be a folder of another member.
Status check_tree(const std::vector<TarMember>& members, const std::unordered_set<std::string>& paths) {
  for (const TarMember& m : members) {
    for (size_t i = m.path.find('/'); i != std::string::npos; i = m.path.find('/', i + 1)) {
      if (paths.contains(m.path.substr(0, i))) return bad(m.offset, "a path is both a file and a folder");
    }
  }
  return {};
}

Bytes plain_header(std::string_view name, int64_t size, char type) {
  Bytes h(kBlock, 0);
  auto put = [&](size_t offset, std::string_view text) { std::memcpy(h.data() + offset, text.data(), text.size()); };
  put(0, name.substr(0, 100));
  put(100, "0000644");
  put(108, "0000000");
  put(116, "0000000");
  put(124, fmt::format("{:011o}", size));
  put(136, "00000000000");
  h[156] = static_cast<uint8_t>(type);
  put(257, std::string_view("ustar\00000", 8));
  put(329, "0000000");
  put(337, "0000000");
  put(148, fmt::format("{:06o}", header_sum(h)));
  h[155] = ' ';
  return h;
}

std::string pax_record(std::string_view key, std::string_view value) {
  size_t rest = key.size() + value.size() + 3;  // blank, '=', newline
  size_t length = rest + 1;
  while (std::to_string(length).size() + rest != length) ++length;
  return fmt::format("{} {}={}\n", length, key, value);
}

}  // namespace

Result<std::vector<TarMember>> read_tar_index(const TarReadAt& read_at, int64_t archive_size) {
  std::vector<TarMember> members;
  std::unordered_set<std::string> paths;
  Pax pax;
  bool after_pax = false;
  int64_t headers = 0;
  for (int64_t offset = 0;;) {
    // Each member may bring one pax header and the archive one global one.
    if (++headers > 2 * int64_t{kTarEntriesMax} + 2) return bad(offset, "too many headers");
    if (archive_size - offset < kBlock) return bad(offset, "archive ends early");
    OREE_TRY_ASSIGN(Bytes h, read_exactly(read_at, offset, kBlock));
    if (all_zero(h)) {
      if (after_pax) return bad(offset, "pax header without a member");
      OREE_TRY(check_end(read_at, offset, archive_size));
      OREE_TRY(check_tree(members, paths));
      return members;
    }
    Result<int64_t> sum = octal(field(h, 148, 8));
    if (!sum.ok() || *sum != header_sum(h)) return bad(offset, "header checksum is wrong");
    if (field(h, 257, 6) != "ustar") return Error(Code::kUnsupported, "tar: not the ustar format");
    Result<int64_t> own_size = octal(field(h, 124, 12));
    if (!own_size.ok()) return bad(offset, "size is malformed");
    int64_t size = after_pax && pax.size >= 0 ? pax.size : *own_size;
    int64_t content = offset + kBlock;
    if (size > archive_size - content || padded(size) > archive_size - content) return bad(offset, "content is cut");
    char type = static_cast<char>(h[156]);
    if (type == 'x' || type == 'g') {
      if (after_pax || size > kPaxBytesMax) return bad(offset, "pax header is too large or repeated");
      OREE_TRY_ASSIGN(Bytes records, read_exactly(read_at, content, size));
      Result<Pax> parsed = parse_pax(as_text(records));
      if (!parsed.ok()) return parsed.error().within(fmt::format("tar at byte {}", offset));
      if (type == 'g' && (!parsed->path.empty() || parsed->size >= 0)) return bad(offset, "global path or size");
      if (type == 'x') pax = std::move(parsed).value();
      after_pax = type == 'x';
    } else if (type == '0' || type == '\0') {
      std::string path(field(h, 0, 100));
      std::string_view prefix = field(h, 345, 155);
      if (!prefix.empty()) path = fmt::format("{}/{}", prefix, path);
      if (after_pax && !pax.path.empty()) path = pax.path;
      Status good = check_path(path);
      if (!good.ok()) return good.error().within(fmt::format("tar at byte {}", offset));
      if (members.size() >= static_cast<size_t>(kTarEntriesMax)) return bad(offset, "too many members");
      if (!paths.insert(path).second) return bad(offset, "a path is repeated");
      members.push_back({std::move(path), content, size});
      after_pax = false;
      pax = Pax();
    } else {
      return Error(Code::kUnsupported, fmt::format("tar at byte {}: a member that is no regular file", offset));
    }
    offset = content + padded(size);
  }
}

Bytes tar_header(const std::string& path, int64_t size) {
  OREE_ASSERT(check_path(path).ok() && size >= 0);
  std::string records;
  if (path.size() > 100) records += pax_record("path", path);
  if (size > kOctalSizeMax) records += pax_record("size", std::to_string(size));
  Bytes out;
  if (!records.empty()) {
    auto records_size = static_cast<int64_t>(records.size());
    out = plain_header("pax_header", records_size, 'x');
    out.insert(out.end(), records.begin(), records.end());
    out.resize(static_cast<size_t>(kBlock + padded(records_size)));
  }
  Bytes header = plain_header(path, std::min(size, kOctalSizeMax), '0');
  out.insert(out.end(), header.begin(), header.end());
  return out;
}

Bytes tar_padding(int64_t size) { return Bytes(static_cast<size_t>(padded(size) - size), 0); }
Bytes tar_end() { return Bytes(static_cast<size_t>(2 * kBlock), 0); }

}  // namespace oree
