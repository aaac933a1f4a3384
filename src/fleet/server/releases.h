// SPDX-License-Identifier: Apache-2.0
// What was published: one digest a model and version, for some device types, for ever. A release can be withdrawn but
// its version is never given to other bytes, so that a version names the same model everywhere.
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
  std::string id;  // "model@version"
  int64_t created_ms = 0;
  std::optional<int64_t> withdrawn_ms;
};

Json stored_release_to_json(const StoredRelease& stored);
std::string release_id(const std::string& model, const std::string& version);

class ReleaseStore {
 public:
  explicit ReleaseStore(Database& database) : db_(database) {}
  // true: new; false: the same was there already. kConflict: the version has another digest or other device types, or
  // was withdrawn. `reference` is kept for drift.
  Result<bool> publish(const Release& release, const std::optional<DriftReference>& reference, int64_t now_ms);
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
