// SPDX-License-Identifier: Apache-2.0
// Registered devices: their token's hash, what they last said of themselves, when they were last heard, and how their
// updates ended. "Last seen" is kept in memory and written every few seconds: a poll costs no write to the disk, and a
// crash loses seconds of it.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "core/io/clock.h"
#include "core/io/database.h"
#include "deliver/protocol/messages.h"

namespace oree {

struct Device {
  std::string id, device_type;
  int64_t created_ms = 0;
  std::optional<int64_t> last_seen_ms;
  std::optional<DeviceStatus> status;  // as it last said
  int64_t interval_ms = 0;             // between its reports; 0 when unknown
};

struct UpdateRecord {
  std::string version, digest, outcome, reason, detail;
  int64_t seq = 0, received_ms = 0;
};

class DeviceStore {
 public:
  DeviceStore(Database& database, Random& random) : db_(database), random_(random) {}
  Status open();   // reads when each device was last seen
  Status flush();  // writes it

  Result<std::string> create(const std::string& id, const std::string& device_type,
                             int64_t now_ms);         // its token; kConflict
  Result<std::string> rotate(const std::string& id);  // a new token; the old one is void; kNotFound
  Status remove(const std::string& id);               // with its reports, updates and alerts; kNotFound
  Result<std::optional<std::string>> owner(const std::string& token);  // the device that has this token

  Result<Device> get(const std::string& id);                                     // kNotFound
  Result<std::vector<Device>> list(const std::string& after_id, int64_t limit);  // by id
  void touch(const std::string& id, int64_t now_ms);
  Status set_interval(const std::string& id, int64_t interval_ms);
  // true when the status tells of an update's end that was not recorded yet.
  Result<bool> set_status(const std::string& id, const DeviceStatus& status, int64_t now_ms);
  Result<std::vector<UpdateRecord>> updates(const std::string& id, int64_t limit);  // newest first

 private:
  Device device_of(const DbRow& row);
  Database& db_;
  Random& random_;
  std::mutex mutex_;
  struct Seen {
    int64_t ms = 0;
    bool dirty = false;
  };
  std::map<std::string, Seen> seen_;  // under mutex_
};

}  // namespace oree
