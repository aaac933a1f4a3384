// SPDX-License-Identifier: Apache-2.0
// signatures.json of a bundle: who vouches for the exact bytes of manifest.json. Used by the reader and the writer.
#pragma once

#include <string>
#include <vector>

#include "core/codec/json.h"
#include "core/crypto/crypto.h"

namespace oree {

inline constexpr int kBundleSignaturesMax = 64;
inline constexpr int64_t kSignaturesBytesMax = 64 << 10;

struct BundleSignature {
  std::string key_id;
  std::string algorithm;  // "ed25519"; another one is kept and not counted
  Bytes signature;
};

Json signatures_to_json(const std::vector<BundleSignature>& signatures);
Result<std::vector<BundleSignature>> signatures_from_json(const Json& json);  // kInvalid; a key id at most once

// Adds this key's signature over `manifest`, or replaces it; the list is kept in the order of the key ids.
void add_signature(std::vector<BundleSignature>& signatures, const SecretKey& key, ByteView manifest);

// The ids of the trusted keys (each once) whose signature over `manifest` is good.
std::vector<std::string> good_signers(const std::vector<BundleSignature>& signatures,
                                      const std::vector<PublicKey>& trusted, ByteView manifest);

}  // namespace oree
