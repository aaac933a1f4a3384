// SPDX-License-Identifier: Apache-2.0
#include "core/io/files.h"

namespace oree {

std::string path_join(std::string_view folder, std::string_view name) {
  if (folder.empty() || name.starts_with('/')) return std::string(name);
  std::string out(folder);
  if (!out.ends_with('/') && !name.empty()) out += '/';
  return out.append(name);
}

std::string path_parent(std::string_view path) {
  while (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return ".";
  while (slash > 0 && path[slash - 1] == '/') --slash;
  return std::string(path.substr(0, slash == 0 ? 1 : slash));
}

std::string path_name(std::string_view path) {
  while (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  size_t slash = path.rfind('/');
  return std::string(slash == std::string_view::npos || path.size() == 1 ? path : path.substr(slash + 1));
}

std::string path_extension(std::string_view path) {
  std::string name = path_name(path);
  size_t dot = name.rfind('.');
  if (dot == std::string::npos || dot == 0) return "";  // ".hidden" has none
  std::string out = name.substr(dot);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

}  // namespace oree
