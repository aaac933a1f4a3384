// SPDX-License-Identifier: Apache-2.0
// /model/{name}/latest and /api/v1/releases.
#include "core/base/limits.h"
#include "core/base/log.h"
#include "core/base/text.h"
#include "core/codec/tar.h"
#include "fleet/server/router.h"

namespace oree {
namespace {

Json stored_to_json(const StoredRelease& stored) {
  Json json = release_to_json(stored.release);
  json.set("id", stored.id).set("created_ms", stored.created_ms);
  json.set("withdrawn_ms", stored.withdrawn_ms ? Json(*stored.withdrawn_ms) : Json());
  return json;
}

ServerResponse get_latest(Fleet& fleet, const Call& call) {
  OREE_CHECK(check_name(call.param("name"), "model name"));
  auto type = call.query.find("device_type");
  if (type == call.query.end()) return error_response(400, "invalid", "query device_type: expected, not found");
  OREE_CHECK(check_name(type->second, "device_type"));
  OREE_ANSWER(StoredRelease found, fleet.releases.latest(call.param("name"), type->second));
  Latest latest;
  latest.model = found.release.model;
  latest.version = found.release.version;
  latest.url = kPathBlobs + found.release.digest;
  latest.checksum = "sha256:" + found.release.digest;
  latest.size = found.release.size;
  latest.compatible_devices = found.release.device_types;
  latest.release_id = found.id;
  return json_response(200, latest_to_json(latest));
}

// What the server looks at in a bundle: whether it is what the release says, and its drift reference. The server
// trusts neither; devices check signatures. A blob that is no tar is taken as it is.
struct Peek {
  std::optional<DriftReference> reference;
};
Result<Peek> peek_bundle(ReadFile& file, const Release& release) {
  Peek peek;
  auto members = read_tar_index([&](int64_t offset, int64_t size) { return file.read_at(offset, size); }, file.size());
  if (!members.ok()) return peek;
  for (const TarMember& member : *members) {
    bool manifest = member.path == "manifest.json";
    if ((!manifest && member.path != "reference.json") || member.size > kManifestBytesMax) continue;
    OREE_TRY_ASSIGN(Bytes bytes, file.read_at(member.offset, member.size));
    auto json = Json::parse(as_text(bytes));
    if (!json.ok()) continue;
    if (!manifest) {
      if (auto reference = drift_reference_from_json(*json); reference.ok()) peek.reference = std::move(*reference);
      continue;
    }
    for (const auto& [key, expected] : {std::pair{"model", release.model}, std::pair{"version", release.version}}) {
      const std::string& found = (*json)[key].as_string();
      if (found != expected) {
        return Error(Code::kIntegrity, std::string("the bundle's ") + key + ": expected " + expected + ", found \"" +
                                           found.substr(0, kNameCharsMax) + "\"");
      }
    }
  }
  return peek;
}

ServerResponse post_release(Fleet& fleet, const Call& call) {
  OREE_ANSWER(Json json, Json::parse(call.body));
  OREE_ANSWER(Release release, release_from_json(json));
  std::string id = release_id(release.model, release.version);
  if (id.size() > static_cast<size_t>(kNameCharsMax)) {
    return error_response(
        400, "invalid",
        "model and version: expected at most " + std::to_string(kNameCharsMax - 1) + " characters together");
  }
  auto file = fleet.blobs.read(release.digest);
  if (!file.ok() && file.error().code() == Code::kNotFound) {
    return error_response(412, "not_found", "blob sha256:" + release.digest + " is not here: PUT it first");
  }
  OREE_CHECK(file);
  if ((*file)->size() != release.size) {
    return error_response(422, "integrity",
                          "size: expected " + std::to_string((*file)->size()) + " as the blob has, found " +
                              std::to_string(release.size));
  }
  OREE_ANSWER(Peek peek, peek_bundle(**file, release));
  OREE_CHECK(fleet.blobs.settle(release.digest));
  // `file` is held until the release is committed: the blob cannot be collected before.
  OREE_ANSWER(bool fresh, fleet.releases.publish(release, peek.reference, fleet.clock.wall_ms()));
  if (fresh) log_info("fleet", "published " + id + " (sha256:" + release.digest + ")");
  OREE_ANSWER(StoredRelease stored, fleet.releases.get(id));
  return json_response(fresh ? 201 : 200, stored_to_json(stored));
}

ServerResponse list_releases(Fleet& fleet, const Call& call) {
  OREE_ANSWER(int64_t limit, call.number("limit", kFleetPageMax, 1, kFleetPageMax));
  auto after = call.query.find("after");
  OREE_ANSWER(auto releases, fleet.releases.list(after == call.query.end() ? "" : after->second, limit));
  Json list = Json::array();
  for (const auto& stored : releases) list.push(stored_to_json(stored));
  return json_response(200, Json().set("releases", std::move(list)));
}

ServerResponse delete_release(Fleet& fleet, const Call& call) {
  const std::string& id = call.param("id");
  OREE_CHECK(fleet.releases.withdraw(id, fleet.clock.wall_ms()));
  log_info("fleet", "withdrew " + id);
  OREE_ANSWER(StoredRelease stored, fleet.releases.get(id));
  return json_response(200, stored_to_json(stored));
}

}  // namespace

void add_release_routes(Router& router) {
  Route latest;
  latest.method = "GET";
  latest.pattern = "/model/{name}/latest";
  latest.access = Access::kRead;
  latest.handle = get_latest;
  latest.operation = "getLatest";
  latest.summary = "The newest release of a model for a device type";
  latest.tag = "releases";
  latest.query = {{"device_type", "The device type that asks", Json().set("$ref", "#/components/schemas/Name"), true}};
  latest.answers = {{200, "The release", "Latest"},
                    {400, "device_type is missing, or a name is malformed", "Error"},
                    {404, "No such model, none for this type, or withdrawn", "Error"}};
  router.add(latest);

  Route post;
  post.method = "POST";
  post.pattern = kPathReleases;
  post.access = Access::kOperator;
  post.handle = post_release;
  post.body_bytes_max = kConfigBytesMax;
  post.operation = "postRelease";
  post.summary = "Publish a version of a model. Its blob must be here already. Again with the same content: 200.";
  post.tag = "releases";
  post.body_schema = "Release";
  post.answers = {{200, "Was published already", "StoredRelease"},
                  {201, "Published", "StoredRelease"},
                  {400, "Malformed", "Error"},
                  {409, "The version has other bytes or types, or was withdrawn", "Error"},
                  {412, "The blob is not here", "Error"},
                  {422, "Size, model or version differ from the blob's", "Error"},
                  {507, "Too many releases", "Error"}};
  router.add(post);

  Route list;
  list.method = "GET";
  list.pattern = kPathReleases;
  list.access = Access::kOperator;
  list.handle = list_releases;
  list.operation = "listReleases";
  list.summary = "Releases by id";
  list.tag = "releases";
  list.query = {
      {"after", "Only ids after this one: the last of the previous page", Json().set("type", "string")},
      {"limit", "At most so many", Json().set("type", "integer").set("minimum", 1).set("maximum", kFleetPageMax)}};
  list.answers = {{200, "A page of releases", "ReleaseList"}, {400, "A query value is out of range", "Error"}};
  router.add(list);

  Route withdraw;
  withdraw.method = "DELETE";
  withdraw.pattern = std::string(kPathReleases) + "/{id}";
  withdraw.access = Access::kOperator;
  withdraw.handle = delete_release;
  withdraw.operation = "withdrawRelease";
  withdraw.summary =
      "Withdraw a release: no device is offered it any more. Devices that run it keep it. Its blob is deleted after "
      "the "
      "server's grace time (a day), unless another release names it.";
  withdraw.tag = "releases";
  withdraw.answers = {{200, "Withdrawn", "StoredRelease"}, {404, "No such release", "Error"}};
  router.add(withdraw);
}

}  // namespace oree
