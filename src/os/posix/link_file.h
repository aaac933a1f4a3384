// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/io/copy_file.h"

namespace oree {

// A hard link, or a copy where the file system has none (FAT, another file system). As copy_file() otherwise.
Status link_or_copy_file(Files& files, const std::string& from, const std::string& to);

}  // namespace oree
