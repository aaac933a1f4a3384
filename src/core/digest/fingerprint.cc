// SPDX-License-Identifier: Apache-2.0
#include "core/digest/fingerprint.h"

#include <fmt/format.h>

#include "core/digest/file_digest.h"

namespace oree {
namespace {

constexpr int kTreeDepthMax = 16;

}  // namespace

Fingerprint& Fingerprint::add(std::string_view name, std::string_view text) {
  // Lengths in front: "a" + "bc" and "ab" + "c" differ.
  hash_.update(as_bytes(fmt::format("{}:{}{}:", name.size(), name, text.size())));
  hash_.update(as_bytes(text));
  return *this;
}

Fingerprint& Fingerprint::add_json(std::string_view name, const Json& json) {
  return add(name, std::string_view(json.dump()));
}

Fingerprint& Fingerprint::add_path(std::string_view name, const std::string& path) {
  add(name, std::string_view());
  if (!path.empty() && status_.ok()) status_ = add_tree(path, 0);
  return *this;
}

Status Fingerprint::add_tree(const std::string& path, int depth) {
  OREE_TRY_ASSIGN(FileInfo info, files_.info(path));
  if (!info.directory) {
    OREE_TRY_ASSIGN(std::string digest, file_digest(files_, path));
    add(path_name(path), digest);
    return {};
  }
  if (depth == kTreeDepthMax)
    return Error(Code::kExhausted, fmt::format("{}: folders lie over {} deep", path, kTreeDepthMax));
  OREE_TRY_ASSIGN(std::vector<std::string> names, files_.list(path));
  add(path_name(path), std::to_string(names.size()));
  for (const std::string& name : names) OREE_TRY(add_tree(path_join(path, name), depth + 1));
  return {};
}

Result<std::string> Fingerprint::finish() {
  OREE_TRY(status_);
  return digest_text(hash_.finish());
}

}  // namespace oree
