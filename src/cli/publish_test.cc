// SPDX-License-Identifier: Apache-2.0
#include "cli/publish.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <map>
#include <set>

#include "core/io/fake/fake_files.h"
#include "core/io/fake/fake_http.h"
#include "deliver/protocol/messages.h"

using namespace oree;
using namespace oree::cli;

namespace {

// A server that keeps blobs and releases as the real one answers.
struct Shelf {
  FakeFiles files;
  FakeHttp http{&files};
  Ports ports;
  std::map<std::string, std::string> blobs, releases;  // digest -> bytes, model/version -> digest
  std::string token = "secret";
  int answer = 0;  // when not 0: every answer

  Shelf() {
    ports.files = &files;
    ports.http = &http;
    http.on("http://fleet", [this](const HttpRequest& r) { return reply(r); });
    put("1.0.0", "model one");
  }
  void put(const std::string& version, const std::string& model) {
    Manifest m;
    m.model = "detector";
    m.version = version;
    m.device_types = {"pi4", "pi5"};
    m.runtime = "tflite";
    m.model_path = "model/m";
    Bytes bytes(model.begin(), model.end());
    REQUIRE(write_bundle(files, "b.oree", m, {{"model/m", {}, bytes}, {"recipe.json", {}, {}}}).ok());
  }
  Result<HttpResponse> reply(const HttpRequest& r) {
    auto said = [](int status, const std::string& reason = {}) {
      HttpResponse out;
      out.status = status;
      if (!reason.empty()) out.body = Json().set("error", "x").set("reason", reason).dump();
      return out;
    };
    if (answer) return said(answer, "as told");
    auto authorization = r.headers.find("Authorization");
    if (authorization == r.headers.end() || authorization->second != "Bearer " + token) return said(401, "who are you");
    std::string path = r.url.substr(std::string("http://fleet").size());
    if (path.starts_with(kPathBlobs)) {
      std::string digest = path.substr(std::string(kPathBlobs).size());
      if (r.method == "HEAD") return said(blobs.contains(digest) ? 200 : 404);
      REQUIRE(r.method == "PUT");
      CHECK(digest == digest_text(sha256(as_bytes(r.body))));
      blobs[digest] = r.body;
      return said(201);
    }
    REQUIRE(r.method == "POST");
    REQUIRE(path == kPathReleases);
    auto release = release_from_json(*Json::parse(r.body));
    REQUIRE(release.ok());
    CHECK(blobs.contains(release->digest));
    CHECK(blobs[release->digest].size() == static_cast<size_t>(release->size));
    auto [it, fresh] = releases.emplace(release->model + "/" + release->version, release->digest);
    if (!fresh && it->second != release->digest) return said(409, "has another digest");
    return said(fresh ? 201 : 200);
  }
  PublishPlan plan() { return {"b.oree", "http://fleet/", token, {}, {}, "notes"}; }
};

}  // namespace

TEST_CASE("publishing sends blob and release once, and again changes nothing") {
  Shelf shelf;
  auto first = publish_bundle(shelf.ports, shelf.plan());
  REQUIRE(first.ok());
  CHECK(first->uploaded);
  CHECK(first->released);
  CHECK(shelf.blobs.at(first->info.digest) == shelf.files.text("b.oree"));
  shelf.http.requests.clear();
  auto second = publish_bundle(shelf.ports, shelf.plan());
  REQUIRE(second.ok());
  CHECK_FALSE(second->uploaded);
  CHECK_FALSE(second->released);
  for (const HttpRequest& r : shelf.http.requests) CHECK(r.method != "PUT");
}

TEST_CASE("the same version with other content is a conflict that says what to do") {
  Shelf shelf;
  REQUIRE(publish_bundle(shelf.ports, shelf.plan()).ok());
  shelf.put("1.0.0", "model two");
  auto other = publish_bundle(shelf.ports, shelf.plan());
  REQUIRE_FALSE(other.ok());
  CHECK(other.error().code() == Code::kConflict);
  CHECK(other.error().message().find(
            "detector 1.0.0 is published there with other content: has another digest. Raise the version") !=
        std::string::npos);
  shelf.put("1.0.1", "model two");
  CHECK(publish_bundle(shelf.ports, shelf.plan()).ok());
}

TEST_CASE("each kind of refusal has its code") {
  const std::pair<int, Code> cases[] = {{401, Code::kUsage},       {403, Code::kUsage},       {409, Code::kConflict},
                                        {413, Code::kExhausted},   {507, Code::kExhausted},   {429, Code::kUnavailable},
                                        {500, Code::kUnavailable}, {503, Code::kUnavailable}, {400, Code::kInvalid},
                                        {302, Code::kInvalid}};
  for (const auto& one : cases) {
    Shelf shelf;
    shelf.answer = one.first;
    auto result = publish_bundle(shelf.ports, shelf.plan());
    CAPTURE(one.first);
    REQUIRE_FALSE(result.ok());
    CHECK(result.error().code() == one.second);
  }
  Shelf shelf;
  PublishPlan plan = shelf.plan();
  plan.token = "wrong";
  CHECK(publish_bundle(shelf.ports, plan).error().code() == Code::kUsage);
  plan.token.clear();
  CHECK(publish_bundle(shelf.ports, plan).error().message().find("an operator's token is needed") != std::string::npos);
  shelf.http.set_offline(true);
  CHECK(publish_bundle(shelf.ports, shelf.plan()).error().code() == Code::kUnavailable);
}

TEST_CASE("what is wrong is refused before anything is sent") {
  Shelf shelf;
  PublishPlan plan = shelf.plan();
  plan.server = "fleet";
  CHECK(publish_bundle(shelf.ports, plan).error().code() == Code::kUsage);
  plan = shelf.plan();
  plan.device_types = {"pi5", "toaster"};
  CHECK(publish_bundle(shelf.ports, plan).error().code() == Code::kUsage);
  plan = shelf.plan();
  plan.bundle = "absent";
  CHECK(publish_bundle(shelf.ports, plan).error().code() == Code::kNotFound);
  std::string bytes = shelf.files.text("b.oree");
  bytes[bytes.find("model one")] ^= 1;
  shelf.files.put("b.oree", bytes);
  CHECK(publish_bundle(shelf.ports, shelf.plan()).error().code() == Code::kIntegrity);
  CHECK(shelf.http.requests.empty());
}

TEST_CASE("the token comes from the command line, a file or the environment, in that order") {
  FakeFiles files;
  files.put("token", "  from-file \nrest");
  files.put("empty", "\nx");
  setenv("OREE_TEST_TOKEN", "from-env", 1);
  CHECK(*find_token(files, "given", "token", "OREE_TEST_TOKEN") == "given");
  CHECK(*find_token(files, "", "token", "OREE_TEST_TOKEN") == "from-file");
  CHECK(*find_token(files, "", "", "OREE_TEST_TOKEN") == "from-env");
  CHECK(find_token(files, "", "", "OREE_TEST_ABSENT")->empty());
  CHECK(find_token(files, "", "absent", "").error().code() == Code::kNotFound);
  CHECK(find_token(files, "", "empty", "").error().code() == Code::kInvalid);
  CHECK(find_token(files, "a\r\nX-Evil: 1", "", "").error().code() == Code::kUsage);
}
