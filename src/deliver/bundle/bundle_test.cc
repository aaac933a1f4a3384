// SPDX-License-Identifier: Apache-2.0
#include "deliver/bundle/bundle.h"

#include <doctest/doctest.h>

#include "deliver/bundle/test_bundle.h"

using namespace oree;
using namespace oree::test;

namespace {

const std::vector<PublicKey> kTrusted{public_key(key_of(1))};

// Everything below `folder`, as "path=bytes".
std::vector<std::string> tree(FakeFiles& files, const std::string& folder) {
  std::vector<std::string> out;
  auto names = files.list(folder);
  if (!names.ok()) return out;
  for (const std::string& name : *names) {
    std::string path = path_join(folder, name);
    if (files.info(path)->directory) {
      for (auto& line : tree(files, path)) out.push_back(std::move(line));
    } else {
      out.push_back(path + "=" + files.text(path));
    }
  }
  return out;
}

}  // namespace

TEST_CASE("a bundle unpacks into exactly what went in") {
  FakeFiles files;
  put_small_bundle(files);
  auto info = unpack_bundle(files, "b.oree", kTrusted, "out/slot");
  REQUIRE(info.ok());
  CHECK(info->signed_by == std::vector<std::string>{key_id(kTrusted[0])});
  CHECK(info->size == files.info("b.oree")->size);
  CHECK(info->digest == digest_text(sha256(as_bytes(files.text("b.oree")))));
  for (const BundleSource& source : small_sources()) {
    CHECK(files.text("out/slot/" + source.path) == as_text(source.content));
  }
  auto manifest = open_unpacked(files, "out/slot", true);
  REQUIRE(manifest.ok());
  CHECK(manifest->members.size() == 4);
  CHECK(manifest_to_json(*manifest) == manifest_to_json(info->manifest));
  auto read = read_bundle_manifest(files, "b.oree");
  REQUIRE(read.ok());
  CHECK(read->version == "1.0.0");
}

TEST_CASE("the same input gives the same bytes, from memory or from files") {
  FakeFiles files;
  put_small_bundle(files);
  std::string first = files.text("b.oree");
  std::vector<BundleSource> sources = small_sources();
  for (BundleSource& s : sources) {
    files.put("src/" + path_name(s.path), as_text(s.content));
    s.file = "src/" + path_name(s.path);
    s.content.clear();
  }
  REQUIRE(write_bundle(files, "c.oree", small_manifest(), sources).ok());
  REQUIRE(sign_bundle(files, "c.oree", "d.oree", key_of(1)).ok());
  CHECK(files.text("d.oree") == first);
}

TEST_CASE("signing again replaces, another key adds, and the order of signing leaves no trace") {
  FakeFiles files;
  put_small_bundle(files);
  std::string once = files.text("b.oree");
  REQUIRE(sign_bundle(files, "b.oree", "b.oree", key_of(1)).ok());
  CHECK(files.text("b.oree") == once);
  REQUIRE(sign_bundle(files, "b.oree", "ab.oree", key_of(2)).ok());
  REQUIRE(write_bundle(files, "c.oree", small_manifest(), small_sources()).ok());
  REQUIRE(sign_bundle(files, "c.oree", "c.oree", key_of(2)).ok());
  REQUIRE(sign_bundle(files, "c.oree", "c.oree", key_of(1)).ok());
  CHECK(files.text("c.oree") == files.text("ab.oree"));
}

TEST_CASE("a threshold of two needs two distinct trusted keys") {
  FakeFiles files;
  put_small_bundle(files);
  PublicKey a = public_key(key_of(1)), b = public_key(key_of(2)), c = public_key(key_of(3));
  CHECK(verify_bundle(files, "b.oree", {a, b}, 2).error().code() == Code::kIntegrity);
  CHECK(verify_bundle(files, "b.oree", {a, a}, 2).error().code() == Code::kUsage);
  CHECK(verify_bundle(files, "b.oree", {a, a, b}, 2).error().code() == Code::kIntegrity);
  REQUIRE(sign_bundle(files, "b.oree", "b.oree", key_of(2)).ok());
  CHECK(verify_bundle(files, "b.oree", {a, b}, 2).ok());
  CHECK(verify_bundle(files, "b.oree", {a, b, c}, 2).ok());
  CHECK(verify_bundle(files, "b.oree", {a, c}, 2).error().code() == Code::kIntegrity);
  CHECK(verify_bundle(files, "b.oree", {a, b, c}, 3).error().code() == Code::kIntegrity);
}

TEST_CASE(
    "an unsigned bundle and a stranger's bundle are refused, and no key or a senseless threshold is a usage error") {
  FakeFiles files;
  REQUIRE(write_bundle(files, "u.oree", small_manifest(), small_sources()).ok());
  CHECK(verify_bundle(files, "u.oree", kTrusted).error().code() == Code::kIntegrity);
  CHECK(check_bundle(files, "u.oree").ok());
  REQUIRE(sign_bundle(files, "u.oree", "s.oree", key_of(9)).ok());
  CHECK(verify_bundle(files, "s.oree", kTrusted).error().code() == Code::kIntegrity);
  CHECK(unpack_bundle(files, "s.oree", kTrusted, "slot").error().code() == Code::kIntegrity);
  CHECK_FALSE(files.exists("slot"));
  CHECK(verify_bundle(files, "s.oree", {}).error().code() == Code::kUsage);
  CHECK(verify_bundle(files, "s.oree", kTrusted, 0).error().code() == Code::kUsage);
}

TEST_CASE("a large member passes through in pieces and empty ones are kept") {
  FakeFiles files;
  Bytes big(3'500'001);
  for (size_t i = 0; i < big.size(); ++i) big[i] = static_cast<uint8_t>(i * 31 + i / 4096);
  files.put("big", as_text(big));
  std::vector<BundleSource> sources = small_sources();
  sources.push_back({"model/big.bin", "big", {}});
  sources.push_back({"model/empty", "", {}});
  REQUIRE(write_bundle(files, "b.oree", small_manifest(), sources).ok());
  REQUIRE(sign_bundle(files, "b.oree", "b.oree", key_of(1)).ok());
  REQUIRE(unpack_bundle(files, "b.oree", kTrusted, "slot").ok());
  CHECK(files.text("slot/model/big.bin") == as_text(big));
  CHECK(files.text("slot/model/empty").empty());
}

TEST_CASE("what no reader would take is not written") {
  FakeFiles files;
  std::vector<BundleSource> sources = small_sources();
  sources.push_back({"../evil", "", {}});
  CHECK(write_bundle(files, "b.oree", small_manifest(), sources).error().code() == Code::kInvalid);
  sources.back().path = "recipe.json";
  CHECK(write_bundle(files, "b.oree", small_manifest(), sources).error().code() == Code::kInvalid);
  sources.back().path = "manifest.json";
  CHECK(write_bundle(files, "b.oree", small_manifest(), sources).error().code() == Code::kInvalid);
  Manifest manifest = small_manifest();
  manifest.golden.samples = 2;
  CHECK(write_bundle(files, "b.oree", manifest, small_sources()).error().code() == Code::kInvalid);
  CHECK(write_bundle(files, "b.oree", small_manifest(), {{"recipe.json", "absent", {}}}).error().code() ==
        Code::kNotFound);
  CHECK(tree(files, ".").empty());
}

TEST_CASE("an unpacked folder that was changed is noticed when digests are asked for") {
  FakeFiles files;
  put_small_bundle(files);
  REQUIRE(unpack_bundle(files, "b.oree", kTrusted, "slot").ok());
  std::string model = files.text("slot/model/detector.tflite");
  model[5] ^= 1;
  files.put("slot/model/detector.tflite", model);
  CHECK(open_unpacked(files, "slot", false).ok());
  CHECK(open_unpacked(files, "slot", true).error().code() == Code::kIntegrity);
  files.put("slot/model/detector.tflite", model.substr(1));
  CHECK(open_unpacked(files, "slot", true).error().code() == Code::kIntegrity);
  CHECK(files.remove("slot/model/detector.tflite").ok());
  CHECK(open_unpacked(files, "slot", true).error().code() == Code::kNotFound);
  CHECK(open_unpacked(files, "nothing", true).error().code() == Code::kNotFound);
}

TEST_CASE("whichever operation fails, writing leaves the old bundle or the new one") {
  for (bool crash : {false, true}) {
    for (int64_t n = 1;; ++n) {
      REQUIRE(n < 200);
      FakeFiles files(static_cast<uint64_t>(n));
      files.put("b.oree", "old");
      files.fail_after(n, Error(Code::kUnavailable, "I/O error"));
      Status written = write_bundle(files, "b.oree", small_manifest(), small_sources());
      files.heal();
      if (crash) files.crash();
      CHECK((files.text("b.oree") == "old" || check_bundle(files, "b.oree").ok()));
      if (written.ok()) {
        CHECK(check_bundle(files, "b.oree").ok());
        break;
      }
      CHECK(written.error().code() == Code::kUnavailable);
    }
  }
}

TEST_CASE("whichever operation fails, signing leaves the unsigned bundle or the signed one") {
  for (int64_t n = 1;; ++n) {
    REQUIRE(n < 200);
    FakeFiles files(static_cast<uint64_t>(n));
    REQUIRE(write_bundle(files, "b.oree", small_manifest(), small_sources()).ok());
    files.fail_after(n, Error(Code::kUnavailable, "I/O error"));
    Status done = sign_bundle(files, "b.oree", "b.oree", key_of(1));
    files.heal();
    files.crash();
    CHECK(check_bundle(files, "b.oree").ok());
    if (done.ok()) {
      CHECK(verify_bundle(files, "b.oree", kTrusted).ok());
      break;
    }
  }
}

TEST_CASE("whichever operation fails, a folder with a manifest is whole, also after a power cut") {
  for (bool crash : {false, true}) {
    for (bool before : {false, true}) {
      for (int64_t n = 1;; ++n) {
        REQUIRE(n < 300);
        FakeFiles files(static_cast<uint64_t>(n));
        put_small_bundle(files);
        if (before) REQUIRE(unpack_bundle(files, "b.oree", kTrusted, "slots/a").ok());
        files.fail_after(n, Error(Code::kUnavailable, "I/O error"));
        auto done = unpack_bundle(files, "b.oree", kTrusted, "slots/a");
        files.heal();
        if (crash) files.crash();
        if (open_unpacked(files, "slots/a", false).ok()) CHECK(open_unpacked(files, "slots/a", true).ok());
        if (!done.ok()) {
          CHECK(done.error().code() == Code::kUnavailable);
          continue;
        }
        CHECK(open_unpacked(files, "slots/a", true).ok());
        break;
      }
    }
  }
}

TEST_CASE("a full disk stops writing and unpacking with nothing left behind") {
  for (int64_t room = 0;; room += 512) {
    FakeFiles files;
    put_small_bundle(files);
    size_t before = tree(files, ".").size();
    files.set_free_bytes(room);
    auto done = unpack_bundle(files, "b.oree", kTrusted, "slot");
    if (done.ok()) break;
    CHECK(done.error().code() == Code::kExhausted);
    CHECK_FALSE(files.exists("slot"));
    CHECK(tree(files, ".").size() == before);
  }
  for (int64_t room = 0;; room += 512) {
    FakeFiles files;
    files.set_free_bytes(room);
    Status done = write_bundle(files, "b.oree", small_manifest(), small_sources());
    if (done.ok()) break;
    CHECK(done.error().code() == Code::kExhausted);
    CHECK(tree(files, ".").empty());
  }
}
