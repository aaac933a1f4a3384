// SPDX-License-Identifier: Apache-2.0
#include "fleet/server/fleet_fixture.h"

namespace oree {

TEST_CASE("a device is offered the highest version for its type") {
  FleetFixture f;
  CHECK(f.publish("detector", "1.9.0", "nine") == 201);
  CHECK(f.publish("detector", "1.10.0", "ten") == 201);
  CHECK(f.publish("detector", "1.10.0-rc.1", "candidate") == 201);
  CHECK(f.publish("detector", "2.0.0", "two", {"jetson"}) == 201);
  auto latest = latest_from_json(f.json("GET", "/model/detector/latest?device_type=pi5"));
  REQUIRE(latest.ok());
  CHECK(latest->version == "1.10.0");
  CHECK(latest->size == 3);
  CHECK(latest->checksum == "sha256:" + digest_text(sha256(as_bytes("ten"))));
  CHECK(latest->compatible_devices == std::vector<std::string>{"pi5"});
  ServerResponse blob = f.call("GET", latest->url);
  CHECK(blob.status == 200);
  auto bytes = blob.file->read_at(blob.offset, blob.length);
  CHECK(as_text(*bytes) == "ten");
  CHECK(f.json("GET", "/model/detector/latest?device_type=jetson")["version"] == Json("2.0.0"));
}

TEST_CASE("what cannot be offered is refused with a reason") {
  FleetFixture f;
  CHECK(f.publish("detector", "1.0", "one") == 201);
  CHECK(f.status("GET", "/model/detector/latest") == 400);
  CHECK(f.status("GET", "/model/detector/latest?device_type=") == 400);
  CHECK(f.status("GET", "/model/detector/latest?device_type=a%20b") == 400);
  CHECK(f.status("GET", "/model/..%2f..%2fetc/latest?device_type=pi5") == 400);
  Json unknown = f.json("GET", "/model/other/latest?device_type=pi5");
  CHECK(unknown["error"] == Json("not_found"));
  CHECK(unknown["reason"].as_string().find("other") != std::string::npos);
  CHECK(f.json("GET", "/model/detector/latest?device_type=jetson")["reason"].as_string().find("jetson") !=
        std::string::npos);
  CHECK(f.status("DELETE", "/api/v1/releases/detector@1.0", "", f.operator_token) == 200);
  CHECK(f.status("DELETE", "/api/v1/releases/detector%401.0", "", f.operator_token) == 200);
  CHECK(f.status("DELETE", "/api/v1/releases/detector@9", "", f.operator_token) == 404);
  CHECK(f.json("GET", "/model/detector/latest?device_type=pi5")["reason"].as_string().find("withdrawn") !=
        std::string::npos);
}

TEST_CASE("a version names the same bytes for ever") {
  FleetFixture f;
  std::string body = f.release_body("detector", "1.0", "one");
  CHECK(f.status("POST", "/api/v1/releases", body, f.operator_token) == 201);
  CHECK(f.status("POST", "/api/v1/releases", body, f.operator_token) == 200);
  CHECK(f.publish("detector", "1.0", "other") == 409);
  CHECK(f.publish("detector", "1.0", "one", {"pi5", "pi4"}) == 409);
  CHECK(f.status("DELETE", "/api/v1/releases/detector@1.0", "", f.operator_token) == 200);
  CHECK(f.status("POST", "/api/v1/releases", body, f.operator_token) == 409);
  CHECK(f.as_operator("GET", "/api/v1/releases")["releases"].items().size() == 1);
}

TEST_CASE("a version may have a bundle for each class of devices") {
  FleetFixture f;
  CHECK(f.publish("detector", "1.0", "for the pi", {"pi5"}) == 201);
  CHECK(f.publish("detector", "1.0", "for the jetson", {"orin", "jetson"}) == 201);
  CHECK(f.publish("detector", "1.0", "for the jetson", {"jetson", "orin"}) == 200);
  CHECK(f.publish("detector", "1.0", "another", {"nuc", "orin"}) == 409);
  CHECK(f.publish("detector", "1.0", "for the pi", {"nuc"}) == 409);
  auto digest = [&](const std::string& type) {
    return f.json("GET", "/model/detector/latest?device_type=" + type)["checksum"].as_string();
  };
  CHECK(digest("pi5") == "sha256:" + digest_text(sha256(as_bytes("for the pi"))));
  CHECK(digest("orin") == "sha256:" + digest_text(sha256(as_bytes("for the jetson"))));
  Json list = f.as_operator("GET", "/api/v1/releases")["releases"];
  REQUIRE(list.items().size() == 2);
  CHECK(list.items()[0]["id"] == Json("detector@1.0"));
  CHECK(list.items()[1]["id"] == Json("detector@1.0@jetson"));
  CHECK(f.status("DELETE", "/api/v1/releases/detector@1.0@jetson", "", f.operator_token) == 200);
  CHECK(f.status("GET", "/model/detector/latest?device_type=orin") == 404);
  CHECK(f.status("GET", "/model/detector/latest?device_type=pi5") == 200);
  CHECK(f.publish("detector", "1.0", "for the jetson", {"orin", "jetson"}) == 409);
}

TEST_CASE("a release needs its blob, of the size it says") {
  FleetFixture f;
  Release release{"detector", "1.0", std::string(64, '0'), 3, {"pi5"}, ""};
  CHECK(f.status("POST", "/api/v1/releases", release_to_json(release).dump(), f.operator_token) == 412);
  release.digest = f.put_blob("one");
  release.size = 4;
  CHECK(f.status("POST", "/api/v1/releases", release_to_json(release).dump(), f.operator_token) == 422);
  release.size = 3;
  release.model = std::string(100, 'm');
  release.version = std::string(100, '1');
  CHECK(f.status("POST", "/api/v1/releases", release_to_json(release).dump(), f.operator_token) == 400);
  for (const char* body : {"", "{", "[]", "null", "{\"model\":1}", "{\"model\":\"a/b\"}"}) {
    CHECK(f.status("POST", "/api/v1/releases", body, f.operator_token) == 400);
  }
}

TEST_CASE("releases are listed in pages") {
  FleetFixture f;
  for (const char* version : {"1", "2", "3"}) CHECK(f.publish("m", version, version) == 201);
  Json first = f.as_operator("GET", "/api/v1/releases?limit=2")["releases"];
  REQUIRE(first.items().size() == 2);
  Json rest = f.as_operator("GET", "/api/v1/releases?limit=2&after=" + first.items()[1]["id"].as_string())["releases"];
  REQUIRE(rest.items().size() == 1);
  CHECK(rest.items()[0]["version"] == Json("3"));
  for (const char* limit : {"0", "-1", "1001", "x", "", "99999999999999999999"}) {
    CHECK(f.status("GET", std::string("/api/v1/releases?limit=") + limit, "", f.operator_token) == 400);
  }
}

}  // namespace oree
