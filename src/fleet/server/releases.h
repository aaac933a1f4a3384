// SPDX-License-Identifier: Apache-2.0
// What was published: one digest a model, version and device type, for ever. A version may have a bundle for each class
// of devices, with the settings that are best there. A release can be withdrawn but its version is never given to other
// bytes for the same devices.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/io/database.h"
#include "deliver/protocol/messages.h"
#include "monitor/stats/drift.h"

namespace oree {

struct StoredRelease {
  Release release;
  std::string id;  // "model@version"; of the version's further bundles with "@" and the first device type behind it
  int64_t created_ms = 0;
  std::optional<int64_t> withdrawn_ms;
};

Json stored_release_to_json(const StoredRelease& stored);

class ReleaseStore {
 public:
  explicit ReleaseStore(Database& database) : db_(database) {}
  // The release, and whether it is new; the same may have been there already. kConflict: for one of these device types
  // the version has another digest, or this digest is there for others, or it was withdrawn. `reference` is kept for
  // drift.
  struct Published {
    StoredRelease release;
    bool fresh = false;
  };
  Result<Published> publish(const Release& release, const std::optional<DriftReference>& reference, int64_t now_ms);
  Status withdraw(const std::string& id, int64_t now_ms);  // kNotFound; again is success
  // The highest version of a model for a device type. kNotFound says whether it is the model or the type.
  Result<StoredRelease> latest(const std::string& model, const std::string& device_type);
  Result<StoredRelease> get(const std::string& id);
  Result<std::vector<StoredRelease>> list(const std::string& after_id, int64_t limit);  // by id
  Result<std::vector<StoredRelease>> newest(int64_t limit);                             // by time, newest first
  Result<std::optional<DriftReference>> reference(const std::string& model, const std::string& version);

 private:
  Database& db_;
};

}  // namespace oree
