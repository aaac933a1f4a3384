// SPDX-License-Identifier: Apache-2.0
#include "model/runtime/backends/plugin_search.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <set>

namespace oree {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kEnd = ".so";
constexpr int kFilesLookedAt = 1024;  // of a folder

struct Place {
  fs::path folder;
  const char* origin;
};

std::vector<Place> places() {
  const char* named = std::getenv("OREE_ENGINES");
  if (named != nullptr && *named != '\0') return {{named, "OREE_ENGINES"}};
  std::vector<Place> out;
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  if (!error) {
    out.push_back({program.parent_path() / "engines", "system"});
    out.push_back({program.parent_path().parent_path() / "lib" / "oree" / "engines", "system"});
  }
  out.push_back({fs::path(dependency_folder()) / "engines", "orée"});
  return out;
}

}  // namespace

bool is_plugin_name(std::string_view name) {
  return !name.empty() && name.size() <= 32 &&
         std::ranges::all_of(name, [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; });
}

std::vector<std::string> plugin_names() {
  std::set<std::string> names;
  for (const Place& place : places()) {
    std::error_code error;
    int looked = 0;
    for (fs::directory_iterator it(place.folder, error), end; !error && it != end; it.increment(error)) {
      if (++looked > kFilesLookedAt) break;
      const std::string file = it->path().filename().string();
      if (!file.ends_with(kEnd)) continue;
      const std::string name = file.substr(0, file.size() - kEnd.size());
      if (is_plugin_name(name)) names.insert(name);
    }
  }
  std::vector<std::string> out(names.begin(), names.end());
  if (out.size() > kPluginsMax) out.resize(kPluginsMax);
  return out;
}

std::vector<LibraryCandidate> plugin_candidates(const std::string& name) {
  std::vector<LibraryCandidate> out;
  for (const Place& place : places()) {
    const fs::path path = place.folder / (name + std::string(kEnd));
    std::error_code error;
    if (fs::exists(path, error)) out.push_back({path.string(), place.origin});
  }
  return out;
}

std::string plugin_places() {
  std::string text;
  for (const Place& place : places()) text += (text.empty() ? "" : ", ") + place.folder.lexically_normal().string();
  return text;
}

}  // namespace oree
