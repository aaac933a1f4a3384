// SPDX-License-Identifier: Apache-2.0
// Where engine plug-ins lie: NAME.so in the folder that OREE_ENGINES names, and in no other when it is set; else in
// engines/ beside the program, in ../lib/oree/engines from there, and in engines/ of the dependency folder.
#pragma once

#include <string>
#include <vector>

#include "model/runtime/backends/dynamic_library.h"

namespace oree {

inline constexpr size_t kPluginsMax = 16;  // that are taken up under their own names

// a-z, 0-9 and _, at most 32 of them.
bool is_plugin_name(std::string_view name);
// The names of all that are there, sorted; at most kPluginsMax. Nothing is loaded.
std::vector<std::string> plugin_names();
std::vector<LibraryCandidate> plugin_candidates(const std::string& name);
// The folders in words, for who looks for a plug-in in vain.
std::string plugin_places();

}  // namespace oree
