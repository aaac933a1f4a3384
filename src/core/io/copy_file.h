// SPDX-License-Identifier: Apache-2.0
// A file under a second name, where there is no port for it.
#pragma once

#include <functional>
#include <string>

#include "core/io/files.h"

namespace oree {

// `to` must be new and its folder there. Not synced: for what a restart throws away.
Status copy_file(Files& files, const std::string& from, const std::string& to);

// The same by another way, such as a link, that writes no bytes.
using PlaceFile = std::function<Status(Files& files, const std::string& from, const std::string& to)>;

}  // namespace oree
