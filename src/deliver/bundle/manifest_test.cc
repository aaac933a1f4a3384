// SPDX-License-Identifier: Apache-2.0
#include "deliver/bundle/manifest.h"

#include <doctest/doctest.h>

#include <cmath>

#include "deliver/bundle/test_bundle.h"

using namespace oree;
using namespace oree::test;

namespace {

const std::string kDigest(64, '0');

Json whole() {
  Manifest m = small_manifest();
  for (const char* path : {"model/detector.tflite", "recipe.json", "golden/0.input.npz", "golden/0.expected.npz"}) {
    m.members.push_back({path, 3, kDigest});
  }
  return manifest_to_json(m);
}

// `key` may name a member of an inner object: "golden.runs".
Json with(Json json, const std::string& key, const Json& value) {
  size_t dot = key.find('.');
  std::string outer = key.substr(0, dot);
  Json inner = dot == std::string::npos ? value : with(json[outer], key.substr(dot + 1), value);
  return json.set(outer, inner);
}

Json member(const std::string& path, const Json& size = 1, const std::string& digest = kDigest) {
  return Json().set("path", path).set("size", size).set("sha256", digest);
}

Json plus(Json json, const Json& extra) {
  Json members = json["members"];
  members.push(extra);
  return json.set("members", members);
}

}  // namespace

TEST_CASE("a manifest comes back from its text as it went in") {
  auto json = Json::parse(whole().dump());
  REQUIRE(json.ok());
  auto m = manifest_from_json(*json);
  REQUIRE(m.ok());
  CHECK(manifest_to_json(*m) == whole());
  CHECK(m->device_types == std::vector<std::string>{"pi5", "x86-box"});
  CHECK(m->options.threads == 2);
  CHECK(find_member(*m, "recipe.json")->size == 3);
  CHECK(find_member(*m, "recipe") == nullptr);
}

TEST_CASE("unknown keys are ignored, unknown options and formats are not") {
  CHECK(manifest_from_json(whole().set("license", "MIT")).ok());
  CHECK(manifest_from_json(with(whole(), "golden.energy", 1)).ok());
  CHECK(manifest_from_json(with(whole(), "options.affinity", 1)).error().code() == Code::kInvalid);
  CHECK(manifest_from_json(whole().set("format", 2)).error().code() == Code::kUnsupported);
}

TEST_CASE("every key is checked for presence, type and range") {
  const std::pair<const char*, Json> cases[] = {
      {"format", {}},
      {"format", "1"},
      {"format", 0},
      {"model", {}},
      {"model", "a/b"},
      {"model", ""},
      {"version", 1.0},
      {"version", std::string(200, '1')},
      {"device_types", {}},
      {"device_types", Json::array()},
      {"device_types", Json::array().push(1)},
      {"device_types", Json::array().push("a b")},
      {"runtime", "../x"},
      {"options", Json::array()},
      {"options.threads", 0},
      {"options.threads", 1000},
      {"options.precision", "f64"},
      {"model_path", "model/other"},
      {"model_path", 7},
      {"created", {}},
      {"description", std::string(5000, 'x')},
      {"golden", "none"},
      {"golden.samples", -1},
      {"golden.samples", 2},
      {"golden.samples", 1 << 30},
      {"golden.relative_error_max", -0.1},
      {"golden.relative_error_max", std::nan("")},
      {"golden.cosine_min", 1.5},
      {"golden.latency_ms_p95_max", "50"},
      {"golden.memory_bytes_max", -1},
      {"golden.runs", 0},
      {"golden.warmup_runs", 1e12},
      {"golden.random_inputs", 1},
      {"probation_seconds", -1},
      {"probation_seconds", 1e15},
      {"members", {}},
      {"members", Json::object()},
      {"members", Json::array()},
      {"members", Json::array().push("recipe.json")},
  };
  for (const auto& one : cases) {
    CAPTURE(one.first);
    CAPTURE(one.second.dump());
    auto m = manifest_from_json(with(whole(), one.first, one.second));
    REQUIRE_FALSE(m.ok());
    CHECK(m.error().code() == Code::kInvalid);
  }
  CHECK_FALSE(manifest_from_json(Json()).ok());
  CHECK_FALSE(manifest_from_json(Json::array()).ok());
}

TEST_CASE("members must be safe, distinct, bounded and with one spelling of their digest") {
  CHECK(manifest_from_json(plus(whole(), member("model/a/b.bin"))).ok());
  for (const char* path : {"", "/a", "a/", "a//b", ".", "..", "a/../b", "../a", "a\\b", "a\nb", "recipe.json",
                           "manifest.json", "signatures.json", "model", "recipe.json/x"}) {
    CAPTURE(path);
    CHECK(manifest_from_json(plus(whole(), member(path))).error().code() == Code::kInvalid);
  }
  CHECK_FALSE(manifest_from_json(plus(whole(), member(std::string(2000, 'a')))).ok());
  CHECK_FALSE(manifest_from_json(plus(whole(), member("x", -1))).ok());
  CHECK_FALSE(manifest_from_json(plus(whole(), member("x", int64_t{1} << 40))).ok());
  CHECK_FALSE(
      manifest_from_json(plus(plus(whole(), member("x", int64_t{1} << 32)), member("y", int64_t{1} << 32))).ok());
  CHECK_FALSE(manifest_from_json(plus(whole(), member("x", 1, std::string(63, '0')))).ok());
  CHECK_FALSE(manifest_from_json(plus(whole(), member("x", 1, std::string(64, 'A')))).ok());
  CHECK_FALSE(manifest_from_json(plus(whole(), member("x", 1, "sha256:" + kDigest))).ok());
}
