// SPDX-License-Identifier: Apache-2.0
#include "core/base/bytes.h"

#include <doctest/doctest.h>

using namespace oree;

TEST_CASE("hex goes there and back, and refuses what is not hex") {
  Bytes bytes{0x00, 0x7f, 0xff, 0x10};
  CHECK(to_hex(bytes) == "007fff10");
  CHECK(from_hex("007FFF10").value() == bytes);
  CHECK(from_hex("0").error().code() == Code::kInvalid);
  CHECK(from_hex("0g").error().code() == Code::kInvalid);
}

TEST_CASE("base64 gives the vectors of RFC 4648 section 10") {
  const char* plain[] = {"", "f", "fo", "foo", "foob", "fooba", "foobar"};
  const char* coded[] = {"", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"};
  for (int i = 0; i < 7; ++i) {
    CHECK(to_base64(as_bytes(plain[i])) == coded[i]);
    CHECK(as_text(from_base64(coded[i]).value()) == plain[i]);
  }
}

TEST_CASE("base64 refuses every text that is not canonical") {
  for (const char* text : {"Zg=", "Zg", "Z===", "Zh==", "Zm9=", "Zg==Zg==", "Z g=", "===="}) {
    CAPTURE(text);
    CHECK_FALSE(from_base64(text).ok());
  }
}
