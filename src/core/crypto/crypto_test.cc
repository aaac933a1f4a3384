// SPDX-License-Identifier: Apache-2.0
#include "core/crypto/crypto.h"

#include <doctest/doctest.h>

#include <cstring>

using namespace oree;

namespace {

struct Vector {
  const char* seed;
  const char* pub;
  const char* message;
  const char* signature;
};
// RFC 8032 section 7.1, tests 1 to 3.
constexpr Vector kRfc8032[] = {
    {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
     "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe2"
     "4655141438e7a100b"},
    {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
     "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302ae"
     "eb00d291612bb0c00"},
    {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
     "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28"
     "dc027beceea1ec40a"}};

// openssl genpkey -algorithm ed25519; openssl pkey -pubout; openssl pkeyutl -sign -rawin of "hello oree".
constexpr const char* kOpensslPrivate =
    "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIAfCC1clCt2E7kWMrfhZ6MeHf1H34H+2tWPmnfw35eoh\n"
    "-----END PRIVATE KEY-----\n";
constexpr const char* kOpensslPublic =
    "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAVambQwoD4ja2gh9bsXkYMnuoUTZ4ioxFW4AoqdFnCts=\n"
    "-----END PUBLIC KEY-----\n";
constexpr const char* kOpensslSignature =
    "3bd3be6ac84cb46bbbd61920a3dca26faed6953c488f966055dc263f723c2091d6962b5d35bcfae66e82b4aa5745b5c225fe88782c10f41e"
    "486bdc124ad88206";

template <size_t N>
std::array<uint8_t, N> fixed(const char* hex) {
  std::array<uint8_t, N> out{};
  Bytes bytes = from_hex(hex).value();
  REQUIRE(bytes.size() == N);
  std::memcpy(out.data(), bytes.data(), N);
  return out;
}

}  // namespace

TEST_CASE("SHA-256 gives the vectors of FIPS 180, whole and in pieces") {
  CHECK(digest_text(sha256(as_bytes("abc"))) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(digest_text(sha256({})) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  std::string million(1'000'000, 'a');
  Sha256 hash;
  for (size_t i = 0; i < million.size(); i += 777) hash.update(as_bytes(std::string_view(million).substr(i, 777)));
  CHECK(digest_text(hash.finish()) == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST_CASE("a digest's text is read with and without its prefix, and nothing else is") {
  Sha256Digest d = sha256(as_bytes("abc"));
  CHECK(parse_digest(digest_text(d)).value() == d);
  CHECK(parse_digest("sha256:" + digest_text(d)).value() == d);
  CHECK_FALSE(parse_digest(digest_text(d).substr(1)).ok());
  CHECK_FALSE(parse_digest("sha512:" + digest_text(d)).ok());
  CHECK_FALSE(parse_digest(std::string(64, 'g')).ok());
}

TEST_CASE("Ed25519 gives the vectors of RFC 8032") {
  for (const Vector& v : kRfc8032) {
    SecretKey key{fixed<32>(v.seed)};
    Bytes message = from_hex(v.message).value();
    CHECK(to_hex(public_key(key)) == v.pub);
    CHECK(to_hex(sign(key, message)) == v.signature);
    CHECK(verify(fixed<32>(v.pub), message, fixed<64>(v.signature)));
  }
}

TEST_CASE("one changed bit in message, signature or key is refused") {
  const Vector& v = kRfc8032[2];
  Bytes message = from_hex(v.message).value();
  for (size_t i = 0; i < 64 * 8; ++i) {
    Signature broken = fixed<64>(v.signature);
    broken[i / 8] ^= static_cast<uint8_t>(1 << (i % 8));
    CHECK_FALSE(verify(fixed<32>(v.pub), message, broken));
  }
  for (size_t i = 0; i < 32 * 8; ++i) {
    PublicKey broken = fixed<32>(v.pub);
    broken[i / 8] ^= static_cast<uint8_t>(1 << (i % 8));
    CHECK_FALSE(verify(broken, message, fixed<64>(v.signature)));
  }
  message[0] ^= 1;
  CHECK_FALSE(verify(fixed<32>(v.pub), message, fixed<64>(v.signature)));
  // The zero key is of small order: it would accept forged signatures.
  CHECK_FALSE(verify(PublicKey{}, message, Signature{}));
}

TEST_CASE("key files of OpenSSL are read, and ours are the same bytes") {
  SecretKey secret = parse_secret_key_pem(kOpensslPrivate).value();
  PublicKey pub = parse_public_key_pem(kOpensslPublic).value();
  CHECK(public_key(secret) == pub);
  CHECK(secret_key_pem(secret) == kOpensslPrivate);
  CHECK(public_key_pem(pub) == kOpensslPublic);
  CHECK(to_hex(sign(secret, as_bytes("hello oree"))) == kOpensslSignature);
  CHECK(key_id(pub).size() == 16);
}

TEST_CASE("key files with carriage returns or text around them are read, others refused") {
  std::string crlf;
  for (char c : std::string("comment\n") + kOpensslPublic) crlf += c == '\n' ? "\r\n" : std::string(1, c);
  CHECK(parse_public_key_pem(crlf).ok());
  CHECK(parse_public_key_pem(kOpensslPrivate).error().code() == Code::kInvalid);
  CHECK(parse_secret_key_pem(kOpensslPublic).error().code() == Code::kInvalid);
  CHECK_FALSE(parse_public_key_pem("").ok());
  CHECK_FALSE(parse_public_key_pem("-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n").ok());
  CHECK_FALSE(parse_public_key_pem("-----BEGIN PUBLIC KEY-----\nMCow\n-----END PUBLIC KEY-----\n").ok());
  CHECK_FALSE(parse_public_key_pem("-----END PUBLIC KEY-----\n-----BEGIN PUBLIC KEY-----\n").ok());
  // X25519 (1.3.101.110) looks the same but for one byte.
  CHECK(
      parse_public_key_pem("-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VuAyEAVambQwoD4ja2gh9bsXkYMnuoUTZ4ioxFW4AoqdFnCts=\n"
                           "-----END PUBLIC KEY-----\n")
          .error()
          .code() == Code::kUnsupported);
}

TEST_CASE("generated keys differ and sign") {
  SecretKey a = generate_key();
  SecretKey b = generate_key();
  CHECK(a.seed != b.seed);
  CHECK(verify(public_key(a), as_bytes("x"), sign(a, as_bytes("x"))));
  CHECK_FALSE(verify(public_key(b), as_bytes("x"), sign(a, as_bytes("x"))));
}

TEST_CASE("tokens are compared by all of their bytes") {
  CHECK(equal_constant_time("abc", "abc"));
  CHECK(equal_constant_time("", ""));
  CHECK_FALSE(equal_constant_time("abc", "abd"));
  CHECK_FALSE(equal_constant_time("abc", "abcd"));
}
