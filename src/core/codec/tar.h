// SPDX-License-Identifier: Apache-2.0
// Plain tar (POSIX ustar with pax size/path records read), regular files only: links, devices, absolute paths,
// ".." and repeated names are refused. Written deterministically: same members, same bytes.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/base/bytes.h"
#include "core/base/result.h"

namespace oree {

struct TarMember {
  std::string path;    // relative, '/'-separated
  int64_t offset = 0;  // of its content in the archive
  int64_t size = 0;
};

// Reads only the headers through `read_at(offset, size)` (fewer bytes than asked: end of file).
using TarReadAt = std::function<Result<Bytes>(int64_t offset, int64_t size)>;
Result<std::vector<TarMember>> read_tar_index(const TarReadAt& read_at, int64_t archive_size);

// The header (and pax records where needed) that goes before a member's content, the padding after it, and the end.
Bytes tar_header(const std::string& path, int64_t size);  // asserts on a path that read_tar_index would refuse
Bytes tar_padding(int64_t size);
Bytes tar_end();

}  // namespace oree
