// SPDX-License-Identifier: Apache-2.0
#include "cli/keygen.h"

#include <doctest/doctest.h>

#include "core/io/fake/fake_files.h"

using namespace oree;
using namespace oree::cli;

TEST_CASE("a key pair is written, read back and signs") {
  FakeFiles files;
  auto key = write_key_pair(files, "k", false);
  REQUIRE(key.ok());
  auto secret = load_secret_key(files, "k");
  auto trusted = load_public_keys(files, {"k.pub", "k.pub"});
  REQUIRE(secret.ok());
  REQUIRE(trusted.ok());
  CHECK(trusted->size() == 2);
  CHECK((*trusted)[0] == *key);
  CHECK(verify(*key, as_bytes("x"), sign(*secret, as_bytes("x"))));
}

TEST_CASE("keys that exist are kept unless forced") {
  FakeFiles files;
  REQUIRE(write_key_pair(files, "k", false).ok());
  std::string before = files.text("k");
  CHECK(write_key_pair(files, "k", false).error().code() == Code::kConflict);
  CHECK(files.remove("k").ok());
  CHECK(write_key_pair(files, "k", false).error().code() == Code::kConflict);  // the public one is still there
  CHECK(write_key_pair(files, "k", true).ok());
  CHECK(files.text("k") != before);
}

TEST_CASE("the wrong half of a pair and broken files are said as such") {
  FakeFiles files;
  REQUIRE(write_key_pair(files, "k", false).ok());
  CHECK(load_secret_key(files, "k.pub").error().message() == "k.pub: is a public key; signing needs the secret one");
  CHECK(load_public_keys(files, {"k"}).error().message() == "k: is a secret key; checking needs k.pub");
  CHECK(load_secret_key(files, "absent").error().code() == Code::kNotFound);
  std::string pem = files.text("k");
  for (size_t size : {size_t{0}, size_t{10}, pem.size() / 2, pem.size() - 40}) {
    files.put("cut", pem.substr(0, size));
    auto cut = load_secret_key(files, "cut");
    REQUIRE_FALSE(cut.ok());
    CHECK(cut.error().code() == Code::kInvalid);
  }
  files.put("huge", std::string(100'000, 'x'));
  CHECK(load_secret_key(files, "huge").error().code() == Code::kInvalid);
}
