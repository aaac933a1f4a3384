// SPDX-License-Identifier: Apache-2.0
// Fingerprint: what decides whether something must be done again, or is known already. Called by `oree ship` and
// tune().
#pragma once

#include <string>
#include <string_view>

#include "core/codec/json.h"
#include "core/crypto/crypto.h"
#include "core/io/files.h"

namespace oree {

// Digest over named inputs, in the order of adding. Files count by content, folders by the names and contents in them.
class Fingerprint {
 public:
  explicit Fingerprint(Files& files) : files_(files) {}
  Fingerprint& add(std::string_view name, std::string_view text);
  Fingerprint& add_json(std::string_view name, const Json& json);
  Fingerprint& add_path(std::string_view name, const std::string& path);  // "" is skipped
  Result<std::string> finish();                                           // the first error of a path

 private:
  Status add_tree(const std::string& path, int depth);

  Files& files_;
  Sha256 hash_;
  Status status_;
};

}  // namespace oree
