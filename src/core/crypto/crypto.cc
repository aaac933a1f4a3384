// SPDX-License-Identifier: Apache-2.0
#include "core/crypto/crypto.h"

#include <fmt/format.h>
#include <sodium.h>

#include <cstring>

namespace oree {
namespace {

// Chooses the CPU's fast paths; safe from any thread, and only the first call works.
void init() {
  static const bool ready = sodium_init() >= 0;
  OREE_ASSERT(ready);
}

// RFC 8410: everything of the DER before the 32 raw bytes. Only this one form exists for a key without attributes.
constexpr uint8_t kPrivatePrefix[] = {0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06,
                                      0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20};
constexpr uint8_t kPublicPrefix[] = {0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00};
constexpr size_t kPemBytesMax = 4096;

// Wipes what it holds when it goes: every copy of a secret on its way to and from text.
struct Secret {
  Bytes bytes;
  ~Secret() { sodium_memzero(bytes.data(), bytes.size()); }
};

std::string to_pem(std::string_view label, ByteView prefix, ByteView raw) {
  Secret der{Bytes(prefix.begin(), prefix.end())};
  der.bytes.reserve(prefix.size() + raw.size());  // no reallocation leaves a copy behind
  der.bytes.insert(der.bytes.end(), raw.begin(), raw.end());
  // 44 and 48 bytes make at most 64 characters: one line, as PEM wants.
  return fmt::format("-----BEGIN {0}-----\n{1}\n-----END {0}-----\n", label, to_base64(der.bytes));
}

Status from_pem(std::string_view label, std::string_view pem, ByteView prefix, std::array<uint8_t, 32>& raw) {
  if (pem.size() > kPemBytesMax) return Error(Code::kInvalid, "key file: larger than any PEM key");
  std::string begin = fmt::format("-----BEGIN {}-----", label);
  std::string end = fmt::format("-----END {}-----", label);
  size_t from = pem.find(begin);
  size_t to = pem.find(end, from);
  if (from == std::string_view::npos || to == std::string_view::npos) {
    return Error(Code::kInvalid, fmt::format("key file: expected a PEM '{}'", label));
  }
  std::string text;
  text.reserve(kPemBytesMax);
  for (char c : pem.substr(from + begin.size(), to - from - begin.size())) {
    if (c != '\n' && c != '\r' && c != ' ' && c != '\t') text += c;
  }
  Result<Bytes> decoded = from_base64(text);
  sodium_memzero(text.data(), text.size());
  if (!decoded.ok()) return decoded.error().within("key file");
  Secret der{std::move(decoded).value()};
  if (der.bytes.size() != prefix.size() + raw.size() ||
      std::memcmp(der.bytes.data(), prefix.data(), prefix.size()) != 0) {
    return Error(Code::kUnsupported, "key file: not a plain Ed25519 key");
  }
  std::memcpy(raw.data(), der.bytes.data() + prefix.size(), raw.size());
  return {};
}

}  // namespace

struct Sha256::State {
  crypto_hash_sha256_state hash;
};

Sha256::Sha256() : state_(std::make_unique<State>()) {
  init();
  crypto_hash_sha256_init(&state_->hash);
}
Sha256::~Sha256() = default;

void Sha256::update(ByteView bytes) {
  OREE_ASSERT(state_ != nullptr);
  crypto_hash_sha256_update(&state_->hash, bytes.data(), bytes.size());
}

Sha256Digest Sha256::finish() {
  OREE_ASSERT(state_ != nullptr);
  Sha256Digest digest;
  crypto_hash_sha256_final(&state_->hash, digest.data());
  state_.reset();
  return digest;
}

Sha256Digest sha256(ByteView bytes) {
  Sha256 hash;
  hash.update(bytes);
  return hash.finish();
}

std::string digest_text(const Sha256Digest& digest) { return to_hex(digest); }

Result<Sha256Digest> parse_digest(std::string_view text) {
  if (text.starts_with("sha256:")) text.remove_prefix(7);
  Sha256Digest digest;
  if (text.size() != 2 * digest.size()) {
    return Error(Code::kInvalid, fmt::format("a SHA-256 digest has 64 hex digits, not {}", text.size()));
  }
  OREE_TRY_ASSIGN(Bytes bytes, from_hex(text));
  std::memcpy(digest.data(), bytes.data(), digest.size());
  return digest;
}

SecretKey::~SecretKey() { sodium_memzero(seed.data(), seed.size()); }

SecretKey generate_key() {
  init();
  SecretKey key;
  randombytes_buf(key.seed.data(), key.seed.size());
  return key;
}

PublicKey public_key(const SecretKey& key) {
  init();
  PublicKey pub;
  uint8_t expanded[crypto_sign_SECRETKEYBYTES];
  crypto_sign_seed_keypair(pub.data(), expanded, key.seed.data());
  sodium_memzero(expanded, sizeof expanded);
  return pub;
}

Signature sign(const SecretKey& key, ByteView message) {
  init();
  PublicKey pub;
  uint8_t expanded[crypto_sign_SECRETKEYBYTES];
  crypto_sign_seed_keypair(pub.data(), expanded, key.seed.data());
  Signature signature;
  crypto_sign_detached(signature.data(), nullptr, message.data(), message.size(), expanded);
  sodium_memzero(expanded, sizeof expanded);
  return signature;
}

bool verify(const PublicKey& key, ByteView message, const Signature& signature) {
  init();
  return crypto_sign_verify_detached(signature.data(), message.data(), message.size(), key.data()) == 0;
}

std::string key_id(const PublicKey& key) { return digest_text(sha256(key)).substr(0, 16); }

std::string public_key_pem(const PublicKey& key) { return to_pem("PUBLIC KEY", kPublicPrefix, key); }
std::string secret_key_pem(const SecretKey& key) { return to_pem("PRIVATE KEY", kPrivatePrefix, key.seed); }

Result<PublicKey> parse_public_key_pem(std::string_view pem) {
  PublicKey key;
  OREE_TRY(from_pem("PUBLIC KEY", pem, kPublicPrefix, key));
  return key;
}

Result<SecretKey> parse_secret_key_pem(std::string_view pem) {
  SecretKey key;
  OREE_TRY(from_pem("PRIVATE KEY", pem, kPrivatePrefix, key.seed));
  return key;
}

bool equal_constant_time(std::string_view a, std::string_view b) {
  return a.size() == b.size() && sodium_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace oree
