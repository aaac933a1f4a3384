// SPDX-License-Identifier: Apache-2.0
// docs/formats/bundle.md and its example.oree: the page, the file and the code say the same. The file is never made
// anew: it stands for the bundles that lie on devices already.
#include <doctest/doctest.h>

#include <fstream>
#include <sstream>

#include "core/base/text.h"
#include "deliver/bundle/bundle_layout.h"
#include "deliver/bundle/golden.h"
#include "deliver/bundle/test_bundle.h"

using namespace oree;
using namespace oree::test;

namespace {

std::string source_file(const std::string& path) {
  std::ifstream in(std::string(OREE_SOURCE_DIR) + "/" + path, std::ios::binary);
  REQUIRE(in.good());
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

std::string between(const std::string& text, const std::string& from, const std::string& to) {
  size_t begin = text.find(from);
  REQUIRE(begin != std::string::npos);
  size_t end = text.find(to, begin + from.size());
  REQUIRE(end != std::string::npos);
  return text.substr(begin, end - begin + to.size());
}

}  // namespace

TEST_CASE("the page tells the example's bytes") {
  const std::string page = source_file("docs/formats/bundle.md");
  const std::string bundle = source_file("docs/formats/example.oree");
  FakeFiles files;
  files.put("e.oree", bundle);
  auto layout = open_layout(files, "e.oree");
  REQUIRE(layout.ok());
  size_t rows = 0;
  for (const std::string& line : split(page.substr(page.find("| offset |")), '\n')) {
    std::vector<std::string> cells = split(line, '|');
    if (cells.size() != 6 || !trim(cells[3]).starts_with("`")) continue;
    auto unquoted = [](std::string_view cell) { return std::string(trim(cell).substr(1, trim(cell).size() - 2)); };
    REQUIRE(rows < layout->index.size());
    const TarMember& member = layout->index[rows++];
    CHECK(std::to_string(member.offset) == trim(cells[1]));
    CHECK(std::to_string(member.size) == trim(cells[2]));
    CHECK(member.path == unquoted(cells[3]));
    std::string content = bundle.substr(static_cast<size_t>(member.offset), static_cast<size_t>(member.size));
    CHECK(digest_text(sha256(as_bytes(content))) == unquoted(cells[4]));
  }
  CHECK(rows == layout->index.size());
  CHECK(page.find("```json\n" + std::string(as_text(layout->manifest_bytes)) + "\n```") != std::string::npos);
}

TEST_CASE("the example verifies with the page's key, unpacks, and would be written the same today") {
  const std::string page = source_file("docs/formats/bundle.md");
  FakeFiles files;
  files.put("e.oree", source_file("docs/formats/example.oree"));
  auto key = parse_public_key_pem(between(page, "-----BEGIN PUBLIC KEY-----", "-----END PUBLIC KEY-----") + "\n");
  REQUIRE(key.ok());
  auto info = unpack_bundle(files, "e.oree", {*key}, "slot");
  REQUIRE(info.ok());
  CHECK(page.find(info->digest) != std::string::npos);
  CHECK(info->manifest.model == "thermometer");
  CHECK(info->manifest.options.threads == 2);
  CHECK(info->manifest.golden.latency_ms_p95_max == 20);
  auto sample = load_golden(files, "slot", 0);
  REQUIRE(sample.ok());
  CHECK(sample->expected[0].tensor == floats({68, 69.8f}));

  std::vector<BundleSource> sources;
  for (const BundleMember& m : info->manifest.members) sources.push_back({m.path, path_join("slot", m.path), {}});
  REQUIRE(write_bundle(files, "again.oree", info->manifest, sources).ok());
  SecretKey secret;
  for (size_t i = 0; i < secret.seed.size(); ++i) secret.seed[i] = static_cast<uint8_t>(i);
  REQUIRE(sign_bundle(files, "again.oree", "again.oree", secret).ok());
  CHECK(files.text("again.oree") == files.text("e.oree"));
}
