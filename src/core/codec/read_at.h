// SPDX-License-Identifier: Apache-2.0
// Where a parser that does not want a whole file in memory gets its bytes: of an open file, or of memory.
#pragma once

#include <algorithm>
#include <functional>

#include "core/base/bytes.h"
#include "core/base/result.h"

namespace oree {

struct ByteSource {
  // Up to `size` bytes at `offset`; fewer only at the end.
  std::function<Result<Bytes>(int64_t offset, int64_t size)> read_at;
  int64_t size = 0;  // of everything
};

// `bytes` must outlive it.
inline ByteSource source_of(ByteView bytes) {
  auto read_at = [bytes](int64_t offset, int64_t size) -> Result<Bytes> {
    auto at = static_cast<size_t>(std::clamp<int64_t>(offset, 0, static_cast<int64_t>(bytes.size())));
    ByteView piece = bytes.subspan(at, std::min(static_cast<size_t>(std::max<int64_t>(size, 0)), bytes.size() - at));
    return Bytes(piece.begin(), piece.end());
  };
  return {read_at, static_cast<int64_t>(bytes.size())};
}

}  // namespace oree
