// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "core/io/files.h"

namespace oree {

// SHA-256 of a file as 64 lower-case hex digits, in constant memory. kUnavailable when it became shorter meanwhile.
Result<std::string> file_digest(Files& files, const std::string& path);

}  // namespace oree
