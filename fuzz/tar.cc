// SPDX-License-Identifier: Apache-2.0
#include "core/codec/tar.h"

#include <algorithm>

using namespace oree;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto total = static_cast<int64_t>(size);
  auto read_at = [&](int64_t offset, int64_t count) -> Result<Bytes> {
    OREE_ASSERT(offset >= 0 && count >= 0 && offset <= total);
    count = std::min(count, total - offset);
    return Bytes(data + offset, data + offset + count);
  };
  Result<std::vector<TarMember>> members = read_tar_index(read_at, total);
  if (!members.ok()) return 0;
  for (const TarMember& m : *members) {
    OREE_ASSERT(m.offset >= 512 && m.size >= 0 && m.size <= total - m.offset);
    OREE_ASSERT(!m.path.empty() && m.path[0] != '/' && ("/" + m.path + "/").find("/../") == std::string::npos);
    OREE_ASSERT(tar_header(m.path, m.size).size() % 512 == 0);
  }
  return 0;
}
