// SPDX-License-Identifier: Apache-2.0
// Hashes and signatures: pure functions over bytes, by libsodium.
#pragma once

#include <array>
#include <memory>
#include <string>

#include "core/base/bytes.h"
#include "core/base/result.h"

namespace oree {

using Sha256Digest = std::array<uint8_t, 32>;

class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;
  void update(ByteView bytes);
  Sha256Digest finish();  // once

 private:
  struct State;
  std::unique_ptr<State> state_;
};

Sha256Digest sha256(ByteView bytes);
std::string digest_text(const Sha256Digest& digest);       // 64 lower-case hex digits
Result<Sha256Digest> parse_digest(std::string_view text);  // with or without a leading "sha256:"

using PublicKey = std::array<uint8_t, 32>;  // Ed25519, RFC 8032
using Signature = std::array<uint8_t, 64>;
struct SecretKey {  // wiped on destruction
  std::array<uint8_t, 32> seed{};
  ~SecretKey();
};

SecretKey generate_key();  // from the operating system's randomness
PublicKey public_key(const SecretKey& key);
Signature sign(const SecretKey& key, ByteView message);
bool verify(const PublicKey& key, ByteView message, const Signature& signature);
std::string key_id(const PublicKey& key);  // first 16 hex digits of the key's SHA-256

// Key files are PEM: "PRIVATE KEY" (PKCS#8, RFC 8410) and "PUBLIC KEY" (SubjectPublicKeyInfo), as OpenSSL reads them.
std::string public_key_pem(const PublicKey& key);
std::string secret_key_pem(const SecretKey& key);
Result<PublicKey> parse_public_key_pem(std::string_view pem);
Result<SecretKey> parse_secret_key_pem(std::string_view pem);

bool equal_constant_time(std::string_view a, std::string_view b);  // for tokens

}  // namespace oree
