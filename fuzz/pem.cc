// SPDX-License-Identifier: Apache-2.0
#include "core/crypto/crypto.h"

using namespace oree;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view text = as_text(ByteView(data, size));
  Result<PublicKey> pub = parse_public_key_pem(text);
  if (pub.ok()) {
    OREE_ASSERT(parse_public_key_pem(public_key_pem(*pub)).value() == *pub);
    OREE_ASSERT(!verify(*pub, as_bytes("x"), Signature{}));
  }
  Result<SecretKey> secret = parse_secret_key_pem(text);
  if (secret.ok()) {
    OREE_ASSERT(parse_secret_key_pem(secret_key_pem(*secret)).value().seed == secret->seed);
    OREE_ASSERT(verify(public_key(*secret), as_bytes("x"), sign(*secret, as_bytes("x"))));
  }
  Result<Sha256Digest> digest = parse_digest(text);
  if (digest.ok()) OREE_ASSERT(parse_digest(digest_text(*digest)).value() == *digest);
  return 0;
}
