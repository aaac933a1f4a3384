// SPDX-License-Identifier: Apache-2.0
// /api/v1/devices: registering devices and their tokens.
#include "core/base/limits.h"
#include "core/base/log.h"
#include "core/base/text.h"
#include "fleet/server/router.h"

namespace oree {
namespace {

constexpr int64_t kUpdatesShown = 50;

Json device_to_json(const Fleet& fleet, const Device& device, int64_t now_ms) {
  Json json;
  json.set("id", device.id).set("device_type", device.device_type).set("created_ms", device.created_ms);
  json.set("last_seen_ms", device.last_seen_ms);
  json.set("state", !device.last_seen_ms ? "never" : fleet.is_silent(device, now_ms) ? "offline" : "online");
  json.set("status", device.status ? device_status_to_json(*device.status) : Json());
  return json;
}

ServerResponse post_device(Fleet& fleet, const Call& call) {
  OREE_ANSWER(Json json, Json::parse(call.body));
  OREE_ANSWER(std::string id, json.get_string("id"));
  OREE_ANSWER(std::string type, json.get_string("device_type"));
  OREE_CHECK(check_name(id, "device id"));
  OREE_CHECK(check_name(type, "device_type"));
  OREE_ANSWER(std::string token, fleet.devices.create(id, type, fleet.clock.wall_ms()));
  log_info("fleet", "registered device " + id);
  return json_response(201, Json().set("id", id).set("device_type", type).set("token", token));
}

ServerResponse list_devices(Fleet& fleet, const Call& call) {
  OREE_ANSWER(int64_t limit, call.number("limit", kFleetPageMax, 1, kFleetPageMax));
  OREE_ANSWER(auto devices, fleet.devices.list(call.text("after"), limit));
  return list_response("devices", devices,
                       [&](const Device& device) { return device_to_json(fleet, device, fleet.clock.wall_ms()); });
}

ServerResponse get_device(Fleet& fleet, const Call& call) {
  OREE_ANSWER(Device device, fleet.devices.get(call.param("id")));
  OREE_ANSWER(auto updates, fleet.devices.updates(device.id, kUpdatesShown));
  Json list = Json::array();
  for (const UpdateRecord& u : updates) {
    list.push(Json()
                  .set("seq", u.seq)
                  .set("version", u.version)
                  .set("digest", u.digest)
                  .set("outcome", u.outcome)
                  .set("reason", u.reason)
                  .set("detail", u.detail)
                  .set("received_ms", u.received_ms));
  }
  return json_response(200, device_to_json(fleet, device, fleet.clock.wall_ms()).set("updates", std::move(list)));
}

ServerResponse delete_device(Fleet& fleet, const Call& call) {
  const std::string& id = call.param("id");
  OREE_CHECK(fleet.devices.remove(id));
  fleet.reports.forget(id);
  log_info("fleet", "removed device " + id);
  return json_response(200, Json::object());
}

ServerResponse rotate_token(Fleet& fleet, const Call& call) {
  const std::string& id = call.param("id");
  OREE_ANSWER(std::string token, fleet.devices.rotate(id));
  log_info("fleet", "new token for device " + id);
  return json_response(200, Json().set("id", id).set("token", token));
}

}  // namespace

void add_device_routes(Router& router) {
  const std::string devices = kPathDevices, device = devices + "/{id}";
  router
      .add("POST", devices, Access::kOperator, post_device,
           {"postDevice", "Register a device. Its token is shown this once.", "devices"},
           {{201, "Registered", "NewDevice"},
            {400, "Malformed", "Error"},
            {409, "Exists already", "Error"},
            {507, "Too many devices", "Error"}})
      .takes_body("DeviceRegistration", kConfigBytesMax);
  router
      .add("GET", devices, Access::kOperator, list_devices, {"listDevices", "Devices by id", "devices"},
           {{200, "A page of devices", "DeviceList"}, {400, "A query value is out of range", "Error"}})
      .takes_query({after_param(), limit_param()});
  router.add("GET", device, Access::kOperator, get_device,
             {"getDevice", "One device, with how its last updates ended", "devices"},
             {{200, "The device", "DeviceDetail"}, {404, "No such device", "Error"}});
  router.add("DELETE", device, Access::kOperator, delete_device,
             {"deleteDevice", "Remove a device with its reports and alerts; its token is void", "devices"},
             {{200, "Removed", "Empty"}, {404, "No such device", "Error"}});
  router.add("POST", device + "/token", Access::kOperator, rotate_token,
             {"rotateToken", "Give the device a new token; the old one is void", "devices"},
             {{200, "The token, shown this once", "NewToken"}, {404, "No such device", "Error"}});
}

}  // namespace oree
