// SPDX-License-Identifier: Apache-2.0
// Key files, as the commands that sign and verify read them.
#pragma once

#include <string>
#include <vector>

#include "core/crypto/crypto.h"
#include "core/io/files.h"

namespace oree::cli {

// kNotFound, or kInvalid naming the file. A public key given where a secret one is needed is said as such, and back.
Result<SecretKey> load_secret_key(Files& files, const std::string& path);
Result<std::vector<PublicKey>> load_public_keys(Files& files, const std::vector<std::string>& paths);

// Writes `path` (readable by its owner only) and `path`.pub. kConflict when one exists, unless `force`.
Result<PublicKey> write_key_pair(Files& files, const std::string& path, bool force);

}  // namespace oree::cli
