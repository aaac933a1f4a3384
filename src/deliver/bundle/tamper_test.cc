// SPDX-License-Identifier: Apache-2.0
// Every way to change a signed bundle ends in a refusal, before anything of it is on the disk.
#include <doctest/doctest.h>

#include <functional>
#include <map>

#include "core/base/limits.h"
#include "core/codec/tar.h"
#include "deliver/bundle/test_bundle.h"

using namespace oree;
using namespace oree::test;

namespace {

const std::vector<PublicKey> kTrusted{public_key(key_of(1))};

struct Part {
  std::string path, content;
};

// The members of the signed small bundle, manifest and signatures first.
std::vector<Part> parts_of(const std::string& bundle) {
  auto read = [&](int64_t offset, int64_t size) -> Result<Bytes> {
    std::string piece = bundle.substr(static_cast<size_t>(offset), static_cast<size_t>(size));
    return Bytes(piece.begin(), piece.end());
  };
  auto index = read_tar_index(read, static_cast<int64_t>(bundle.size()));
  REQUIRE(index.ok());
  std::vector<Part> parts;
  for (const TarMember& m : *index) {
    parts.push_back({m.path, bundle.substr(static_cast<size_t>(m.offset), static_cast<size_t>(m.size))});
  }
  return parts;
}

void append(std::string& out, ByteView bytes) { out += as_text(bytes); }

std::string archive(const std::vector<Part>& parts) {
  std::string out;
  for (const Part& p : parts) {
    append(out, tar_header(p.path, static_cast<int64_t>(p.content.size())));
    out += p.content;
    append(out, tar_padding(static_cast<int64_t>(p.content.size())));
  }
  append(out, tar_end());
  return out;
}

// A 512-byte header after a change, with its checksum made right again.
void fix_checksum(std::string& bundle, size_t header) {
  int sum = 0;
  for (size_t i = 0; i < 512; ++i) sum += i >= 148 && i < 156 ? ' ' : static_cast<unsigned char>(bundle[header + i]);
  char text[8];
  std::snprintf(text, sizeof text, "%06o", static_cast<unsigned>(sum) & 0777777);
  bundle.replace(header + 148, 7, text, 7);
}

Code refusal(const std::string& bytes) {
  FakeFiles files;
  files.put("t.oree", bytes);
  auto verified = verify_bundle(files, "t.oree", kTrusted);
  auto unpacked = unpack_bundle(files, "t.oree", kTrusted, "slot");
  REQUIRE_FALSE(verified.ok());
  REQUIRE_FALSE(unpacked.ok());
  CHECK(verified.error().code() == unpacked.error().code());
  CHECK_FALSE(files.exists("slot"));
  // What is merely unsigned may be signed; what is damaged may not.
  CHECK(sign_bundle(files, "t.oree", "t2.oree", key_of(2)).ok() == check_bundle(files, "t.oree").ok());
  CHECK(files.exists("t2.oree") == check_bundle(files, "t.oree").ok());
  CHECK_FALSE(files.exists("t2.oree.partial"));
  return verified.error().code();
}

std::string small_bundle() {
  FakeFiles files;
  put_small_bundle(files);
  return files.text("b.oree");
}

}  // namespace

TEST_CASE("the parts put together again are the bundle: the tests below change what they mean to change") {
  std::string good = small_bundle();
  CHECK(archive(parts_of(good)) == good);
}

TEST_CASE("a flip of any single byte is refused, with a code by where it is") {
  const std::string good = small_bundle();
  std::map<size_t, std::string> contents;  // start of a content -> its path
  size_t offset = 0;
  std::vector<std::string> region(good.size(), "frame");
  for (const Part& p : parts_of(good)) {
    offset += tar_header(p.path, static_cast<int64_t>(p.content.size())).size();
    for (size_t i = 0; i < p.content.size(); ++i) region[offset + i] = p.path;
    offset += p.content.size() + tar_padding(static_cast<int64_t>(p.content.size())).size();
  }
  for (size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ (1 << (i % 8)));
    FakeFiles files;
    files.put("t.oree", bad);
    auto unpacked = unpack_bundle(files, "t.oree", kTrusted, "slot");
    CAPTURE(i);
    CAPTURE(region[i]);
    REQUIRE_FALSE(unpacked.ok());
    REQUIRE_FALSE(files.exists("slot"));
    Code code = unpacked.error().code();
    if (region[i] == "frame") {
      REQUIRE(code == Code::kInvalid);
    } else if (region[i] == kSignaturesPath) {
      REQUIRE((code == Code::kIntegrity || code == Code::kInvalid));
    } else {
      REQUIRE(code == Code::kIntegrity);
    }
  }
}

TEST_CASE("a bundle cut anywhere is refused as malformed") {
  const std::string good = small_bundle();
  for (size_t size = 0; size < good.size(); size += 512) CHECK(refusal(good.substr(0, size)) == Code::kInvalid);
  CHECK(refusal(good.substr(0, good.size() - 1)) == Code::kInvalid);
  CHECK(refusal(good.substr(0, 700)) == Code::kInvalid);
}

TEST_CASE("bytes after the end are refused, zeros too") {
  const std::string good = small_bundle();
  CHECK(refusal(good + "x") == Code::kInvalid);
  CHECK(refusal(good + std::string(512, '\0')) == Code::kInvalid);
  CHECK(refusal(good + good) == Code::kInvalid);
}

TEST_CASE("members that were added, dropped, exchanged or renamed are refused") {
  const std::vector<Part> parts = parts_of(small_bundle());
  auto with = [&](const std::function<void(std::vector<Part>&)>& change) {
    std::vector<Part> changed = parts;
    change(changed);
    return refusal(archive(changed));
  };
  CHECK(with([](auto& p) { p.push_back({"model/extra", "x"}); }) == Code::kIntegrity);
  CHECK(with([](auto& p) { p.insert(p.begin() + 2, {"model/extra", ""}); }) == Code::kIntegrity);
  CHECK(with([](auto& p) { p.pop_back(); }) == Code::kIntegrity);
  CHECK(with([](auto& p) { std::swap(p[2], p[3]); }) == Code::kIntegrity);
  CHECK(with([](auto& p) { std::swap(p[2].content, p[3].content); }) == Code::kIntegrity);
  CHECK(with([](auto& p) { p[2].path = "model/other"; }) == Code::kIntegrity);
  CHECK(with([](auto& p) { p[2].content += "x"; }) == Code::kIntegrity);
  CHECK(with([](auto& p) { p[2].content.pop_back(); }) == Code::kIntegrity);
  CHECK(with([](auto& p) { p[2].content.clear(); }) == Code::kIntegrity);
  CHECK(with([](auto& p) { p.erase(p.begin() + 1); }) == Code::kIntegrity);  // not signed
  CHECK(with([](auto& p) { std::swap(p[0], p[1]); }) == Code::kInvalid);     // no manifest in front
  CHECK(with([](auto& p) { std::swap(p[1], p[2]); }) == Code::kIntegrity);   // not signed where it counts
  CHECK(with([](auto& p) { p.erase(p.begin()); }) == Code::kInvalid);
  CHECK(with([](auto& p) { p.push_back(p.back()); }) == Code::kInvalid);  // a path twice
  CHECK(with([](auto& p) { p[1].content = "[]"; }) == Code::kIntegrity);
  CHECK(with([](auto& p) { p[1].content = "{}"; }) == Code::kInvalid);
  CHECK(with([](auto& p) { p[1].content.insert(1, p[1].content.substr(1, p[1].content.size() - 2) + ","); }) ==
        Code::kInvalid);
  CHECK(with([](auto& p) { p[0].content = "{}"; }) == Code::kIntegrity);  // not what was signed
  CHECK(with([](auto& p) { p[0].content = std::string(kManifestBytesMax + 1, ' '); }) == Code::kInvalid);
}

TEST_CASE("a header with a right checksum but another mode, owner, time, path or type is refused") {
  const std::string good = small_bundle();
  const std::vector<Part> parts = parts_of(good);
  size_t header = 0;  // of the model
  for (size_t i = 0; i < 2; ++i) {
    auto size = static_cast<int64_t>(parts[i].content.size());
    header += tar_header(parts[i].path, size).size() + parts[i].content.size() + tar_padding(size).size();
  }
  auto with = [&](size_t offset, std::string_view text) {
    std::string bad = good;
    bad.replace(header + offset, text.size(), text);
    fix_checksum(bad, header);
    return refusal(bad);
  };
  REQUIRE(good.compare(header, 21, "model/detector.tflite") == 0);
  CHECK(with(100, "0000755") == Code::kInvalid);
  CHECK(with(108, "0000001") == Code::kInvalid);
  CHECK(with(136, "00000000001") == Code::kInvalid);
  CHECK(with(500, "hidden") == Code::kInvalid);
  CHECK(with(157, "target") == Code::kInvalid);
  CHECK(with(0, "../el/detector.tflite") == Code::kInvalid);
  CHECK(with(0, "/odel/detector.tflite") == Code::kInvalid);
  for (const char* type : {"1", "2", "3", "5", "6", "7", "L", "x"}) {
    CAPTURE(type);
    CHECK(with(156, type) == Code::kInvalid);
  }
  Code code = with(124, "00000001300");  // 704 bytes instead of 700: the padding is claimed as content
  CHECK(code == Code::kIntegrity);
  CHECK(with(124, "77777777777") == Code::kInvalid);
}

TEST_CASE("a manifest signed by a trusted key with an unsafe path is still refused") {
  // A key may be used by a careless tool; the reader's rules do not rest on the writer's.
  const std::vector<Part> parts = parts_of(small_bundle());
  for (std::string path : {"../evil", "/etc/passwd", "a//b", "a/./b", "a/..", "model", "a\\b", "signatures.json"}) {
    auto json = Json::parse(parts[0].content);
    REQUIRE(json.ok());
    Json members = (*json)["members"];
    members.push(Json().set("path", path).set("size", 0).set("sha256", digest_text(sha256({}))));
    json->set("members", members);
    std::vector<Part> changed = parts;
    changed[0].content = json->dump();
    Signature s = sign(key_of(1), as_bytes(changed[0].content));
    changed[1].content =
        Json()
            .push(Json().set("key_id", key_id(kTrusted[0])).set("algorithm", "ed25519").set("signature", to_base64(s)))
            .dump();
    CAPTURE(path);
    CHECK(refusal(archive(changed)) == Code::kInvalid);
  }
}

TEST_CASE("a file that is no bundle is refused") {
  CHECK(refusal("") == Code::kInvalid);
  CHECK(refusal("TFL3") == Code::kInvalid);
  CHECK(refusal(std::string(2048, '\0')) == Code::kInvalid);
  CHECK(refusal(std::string(100'000, 'a')) == Code::kInvalid);
  FakeFiles files;
  CHECK(verify_bundle(files, "absent", kTrusted).error().code() == Code::kNotFound);
}
