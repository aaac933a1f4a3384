// SPDX-License-Identifier: Apache-2.0
#include "core/io/copy_file.h"

namespace oree {
namespace {

constexpr int64_t kCopyBytes = 1 << 20;

Status copy_bytes(Files& files, ReadFile& source, const std::string& from, const std::string& to) {
  OREE_TRY_ASSIGN(std::unique_ptr<WriteFile> target, files.create(to));
  for (int64_t offset = 0; offset < source.size();) {
    OREE_TRY_ASSIGN(Bytes chunk, source.read_at(offset, kCopyBytes));
    if (chunk.empty()) return Error(Code::kConflict, from + ": became shorter while it was read");
    OREE_TRY(target->write(chunk));
    offset += static_cast<int64_t>(chunk.size());
  }
  return {};
}

}  // namespace

Status copy_file(Files& files, const std::string& from, const std::string& to) {
  OREE_TRY_ASSIGN(std::unique_ptr<ReadFile> source, files.open(from));
  if (files.exists(to)) return Error(Code::kConflict, to + ": exists already");
  Status copied = copy_bytes(files, *source, from, to);
  if (!copied.ok()) (void)files.remove(to);
  return copied;
}

}  // namespace oree
