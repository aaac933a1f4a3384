// SPDX-License-Identifier: Apache-2.0
// /model/{name}/latest and /api/v1/releases.
#include "core/base/limits.h"
#include "core/base/log.h"
#include "core/base/text.h"
#include "core/codec/tar.h"
#include "fleet/server/router.h"

namespace oree {
namespace {

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
      if (auto reference = drift_reference_from_json(*json); reference.ok()) peek.reference = *reference;
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
  OREE_ANSWER(Release release, call.read(release_from_json));
  if (release.model.size() + release.version.size() >= static_cast<size_t>(kNameCharsMax)) {
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
  OREE_ANSWER(auto published, fleet.releases.publish(release, peek.reference, fleet.clock.wall_ms()));
  const StoredRelease& stored = published.release;
  if (published.fresh) log_info("fleet", "published " + stored.id + " (sha256:" + release.digest + ")");
  return json_response(published.fresh ? 201 : 200, stored_release_to_json(stored));
}

ServerResponse list_releases(Fleet& fleet, const Call& call) {
  OREE_ANSWER(int64_t limit, call.number("limit", kFleetPageMax, 1, kFleetPageMax));
  OREE_ANSWER(auto releases, fleet.releases.list(call.text("after"), limit));
  return list_response("releases", releases, stored_release_to_json);
}

ServerResponse delete_release(Fleet& fleet, const Call& call) {
  const std::string& id = call.param("id");
  OREE_CHECK(fleet.releases.withdraw(id, fleet.clock.wall_ms()));
  log_info("fleet", "withdrew " + id);
  OREE_ANSWER(StoredRelease stored, fleet.releases.get(id));
  return json_response(200, stored_release_to_json(stored));
}

}  // namespace

void add_release_routes(Router& router) {
  router
      .add("GET", "/model/{name}/latest", Access::kRead, get_latest,
           {"getLatest", "The newest release of a model for a device type", "releases"},
           {{200, "The release", "Latest"},
            {400, "device_type is missing, or a name is malformed", "Error"},
            {404, "No such model, none for this type, or withdrawn", "Error"}})
      .takes_query(
          {{"device_type", "The device type that asks", Json().set("$ref", "#/components/schemas/Name"), true}});
  router
      .add("POST", kPathReleases, Access::kOperator, post_release,
           {"postRelease",
            "Publish a version of a model, or its bundle for another class of devices. Its blob must be here already. "
            "Again with "
            "the same content: 200.",
            "releases"},
           {{200, "Was published already", "StoredRelease"},
            {201, "Published", "StoredRelease"},
            {400, "Malformed", "Error"},
            {409,
             "For one of these types the version has other bytes, or these bytes have other types, or it was withdrawn",
             "Error"},
            {412, "The blob is not here", "Error"},
            {422, "Size, model or version differ from the blob's", "Error"},
            {507, "Too many releases", "Error"}})
      .takes_body("Release", kConfigBytesMax);
  router
      .add("GET", kPathReleases, Access::kOperator, list_releases, {"listReleases", "Releases by id", "releases"},
           {{200, "A page of releases", "ReleaseList"}, {400, "A query value is out of range", "Error"}})
      .takes_query({after_param(), limit_param()});
  router.add("DELETE", std::string(kPathReleases) + "/{id}", Access::kOperator, delete_release,
             {"withdrawRelease",
              "Withdraw a release: no device is offered it any more. Devices that run it keep it. Its blob is deleted "
              "after the server's grace time (a day), unless another release names it.",
              "releases"},
             {{200, "Withdrawn", "StoredRelease"}, {404, "No such release", "Error"}});
}

}  // namespace oree
