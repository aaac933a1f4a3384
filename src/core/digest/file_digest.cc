// SPDX-License-Identifier: Apache-2.0
#include "core/digest/file_digest.h"

#include "core/crypto/crypto.h"

namespace oree {
namespace {

constexpr int64_t kChunkBytes = 64 << 10;  // the agent, which hashes bundles, has little memory

}  // namespace

Result<std::string> file_digest(Files& files, const std::string& path) {
  OREE_TRY_ASSIGN(auto file, files.open(path));
  Sha256 hash;
  for (int64_t offset = 0; offset < file->size();) {
    OREE_TRY_ASSIGN(Bytes chunk, file->read_at(offset, kChunkBytes));
    if (chunk.empty()) return Error(Code::kUnavailable, path + ": ended while it was read");
    hash.update(chunk);
    offset += static_cast<int64_t>(chunk.size());
  }
  return digest_text(hash.finish());
}

}  // namespace oree
