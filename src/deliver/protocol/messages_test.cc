// SPDX-License-Identifier: Apache-2.0
#include "deliver/protocol/messages.h"

#include <doctest/doctest.h>

using namespace oree;

namespace {

const std::string kDigest(64, 'a');

Latest some_latest() {
  return {"detector", "1.0.0", "/blobs/sha256/" + kDigest, "sha256:" + kDigest, 12345, {"pi4", "pi5"}, "7"};
}

DeviceStatus some_status() {
  DeviceStatus s;
  s.device_type = "pi5";
  s.agent_version = "0.1.0";
  s.architecture = "aarch64";
  s.cpu_model = "Cortex-A76";
  s.os = "Debian GNU/Linux 12 (bookworm)";
  s.model = "detector";
  s.version = "1.0.0";
  s.bundle_digest = kDigest;
  s.state = "idle";
  s.update_version = "1.1.0";
  s.update_digest = kDigest;
  s.update_outcome = "rolled_back";
  s.update_reason = "golden_mismatch";
  s.update_detail = "scores: relative error 0.4 over 0.01\ncosine 0.8";
  s.update_seq = 3;
  s.telemetry_pending = 12;
  return s;
}

// The text of a message with one member replaced, or dropped when `value` is null.
Json with(const Json& message, const std::string& key, const Json& value) {
  Json out = Json::object();
  for (const auto& [name, member] : message.members()) {
    if (name != key) out.set(name, member);
  }
  if (!value.is_null()) out.set(key, value);
  return out;
}

}  // namespace

TEST_CASE("every message comes back from its JSON text as it went in") {
  auto latest = Json::parse(latest_to_json(some_latest()).dump());
  REQUIRE(latest.ok());
  auto l = latest_from_json(*latest);
  REQUIRE(l.ok());
  CHECK(latest_to_json(*l) == latest_to_json(some_latest()));
  CHECK(l->compatible_devices == std::vector<std::string>{"pi4", "pi5"});

  Release release{"detector", "1.0.0", kDigest, 99, {"pi5"}, "first\nrelease"};
  auto r = release_from_json(release_to_json(release));
  REQUIRE(r.ok());
  CHECK(release_to_json(*r) == release_to_json(release));

  auto s = device_status_from_json(device_status_to_json(some_status()));
  REQUIRE(s.ok());
  CHECK(device_status_to_json(*s) == device_status_to_json(some_status()));
}

TEST_CASE("unknown members are ignored, so that the other side may be newer") {
  CHECK(latest_from_json(latest_to_json(some_latest()).set("delta_from", "0.9.0")).ok());
  CHECK(device_status_from_json(device_status_to_json(some_status()).set("battery", 0.5)).ok());
}

TEST_CASE("a device that has nothing yet says only its type") {
  auto s = device_status_from_json(Json().set("device_type", "pi5"));
  REQUIRE(s.ok());
  CHECK(s->model.empty());
  CHECK(s->update_seq == 0);
}

TEST_CASE("a latest answer that is malformed is refused with the key's name") {
  struct Bad {
    const char* key;
    Json value;
  };
  const Bad cases[] = {
      {"model", {}},
      {"model", "../x"},
      {"model", 3},
      {"version", "a b"},
      {"url", {}},
      {"url", "ftp://x/y"},
      {"url", "//evil/x"},
      {"url", "/a\nb"},
      {"url", "/a b"},
      {"url", std::string(3000, '/')},
      {"checksum", kDigest},
      {"checksum", "sha256:12"},
      {"checksum", "md5:" + kDigest},
      {"size", 0},
      {"size", -1},
      {"size", int64_t{1} << 40},
      {"size", 1.5},
      {"size", "12"},
      {"compatible_devices", Json::array()},
      {"compatible_devices", "pi"},
      {"compatible_devices", Json::array().push(1)},
      {"compatible_devices", Json::array().push("a/b")},
      {"release_id", 7},
  };
  for (const Bad& bad : cases) {
    CAPTURE(bad.key);
    CAPTURE(bad.value.dump());
    auto result = latest_from_json(with(latest_to_json(some_latest()), bad.key, bad.value));
    REQUIRE_FALSE(result.ok());
    CHECK(result.error().code() == Code::kInvalid);
    CHECK(result.error().message().find(bad.key) != std::string::npos);
  }
}

TEST_CASE("a device status that is malformed is refused") {
  struct Bad {
    const char* key;
    Json value;
  };
  const Bad cases[] = {
      {"device_type", {}},
      {"device_type", ""},
      {"state", "sleeping"},
      {"update_outcome", "maybe"},
      {"bundle_digest", "zz"},
      {"update_seq", -1},
      {"update_seq", "1"},
      {"telemetry_pending", 0.5},
      {"os", 7},
      {"model", "a/b"},
      {"cpu_model", "a\x1b[31mred"},
      {"update_detail", std::string(5000, 'x')},
  };
  for (const Bad& bad : cases) {
    CAPTURE(bad.key);
    auto result = device_status_from_json(with(device_status_to_json(some_status()), bad.key, bad.value));
    REQUIRE_FALSE(result.ok());
    CHECK(result.error().code() == Code::kInvalid);
  }
  CHECK_FALSE(device_status_from_json(Json("text")).ok());
  CHECK_FALSE(device_status_from_json(Json()).ok());
}

TEST_CASE("a release's digest may carry its algorithm and is normalised") {
  Release release{"detector", "1.0.0", "sha256:" + kDigest, 99, {"pi5"}, ""};
  auto r = release_from_json(release_to_json(release));
  REQUIRE(r.ok());
  CHECK(r->digest == kDigest);
  release.digest = "sha256:" + std::string(63, 'a');
  CHECK_FALSE(release_from_json(release_to_json(release)).ok());
}

TEST_CASE("a status is always written so that the other side takes it, whatever the application printed") {
  DeviceStatus status = some_status();
  status.update_detail = "\x1b[31m" + std::string(10000, 'x');
  status.os = std::string("a\0b", 3);
  auto back = device_status_from_json(device_status_to_json(status));
  REQUIRE(back.ok());
  CHECK(back->update_detail.starts_with(" [31mxxx"));
  CHECK(back->os == "a b");
}
