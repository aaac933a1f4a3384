// SPDX-License-Identifier: Apache-2.0
#include "deliver/bundle/signatures.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/limits.h"

namespace oree {
namespace {

constexpr char kEd25519[] = "ed25519";

}  // namespace

Json signatures_to_json(const std::vector<BundleSignature>& signatures) {
  Json list = Json::array();
  for (const BundleSignature& s : signatures) {
    list.push(Json().set("key_id", s.key_id).set("algorithm", s.algorithm).set("signature", to_base64(s.signature)));
  }
  return list;
}

Result<std::vector<BundleSignature>> signatures_from_json(const Json& json) {
  if (!json.is_array()) return Error(Code::kInvalid, "the signatures must be a JSON array");
  if (json.items().size() > static_cast<size_t>(kBundleSignaturesMax)) {
    return Error(Code::kInvalid,
                 fmt::format("there are {} signatures; the limit is {}", json.items().size(), kBundleSignaturesMax));
  }
  std::vector<BundleSignature> signatures;
  for (const Json& item : json.items()) {
    BundleSignature s;
    OREE_TRY_ASSIGN(s.key_id, item.get_string("key_id"));
    OREE_TRY_ASSIGN(s.algorithm, item.get_string("algorithm"));
    OREE_TRY_ASSIGN(std::string base64, item.get_string("signature"));
    auto bytes = from_base64(base64);
    if (!bytes.ok()) return bytes.error().within("'signature'");
    s.signature = std::move(*bytes);
    for (const BundleSignature& other : signatures) {
      if (other.key_id == s.key_id) return Error(Code::kInvalid, "a key has two signatures");
    }
    signatures.push_back(std::move(s));
  }
  return signatures;
}

void add_signature(std::vector<BundleSignature>& signatures, const SecretKey& key, ByteView manifest) {
  std::string id = key_id(public_key(key));
  std::erase_if(signatures, [&](const BundleSignature& s) { return s.key_id == id; });
  Signature signature = sign(key, manifest);
  signatures.push_back({id, kEd25519, Bytes(signature.begin(), signature.end())});
  std::sort(signatures.begin(), signatures.end(), [](const auto& a, const auto& b) { return a.key_id < b.key_id; });
}

std::vector<std::string> good_signers(const std::vector<BundleSignature>& signatures,
                                      const std::vector<PublicKey>& trusted, ByteView manifest) {
  std::vector<std::string> ids;
  for (const PublicKey& key : trusted) {
    std::string id = key_id(key);
    if (std::find(ids.begin(), ids.end(), id) != ids.end()) continue;
    for (const BundleSignature& s : signatures) {
      Signature signature;
      if (s.key_id != id || s.algorithm != kEd25519 || s.signature.size() != signature.size()) continue;
      std::copy(s.signature.begin(), s.signature.end(), signature.begin());
      if (verify(key, manifest, signature)) ids.push_back(id);
    }
  }
  return ids;
}

}  // namespace oree
