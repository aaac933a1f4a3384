// SPDX-License-Identifier: Apache-2.0
// EventStore keeps alarms and their snapshots on disk, within limits, and remembers which ones the webhook still owes.
// A folder holds snapshots/<id>.jpg beside the database that the caller opened. Safe to call from several threads.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/codec/json.h"
#include "core/io/database.h"
#include "core/io/files.h"
#include "device/apps/camera/camera_config.h"

namespace oree {

struct Event {
  std::string id;       // 32 hex digits, unique: a receiver that sees one twice drops the second
  int64_t time_ms = 0;  // wall clock
  std::string label;
  double score = 0;
  Box box;                    // pixels of the frame
  int width = 0, height = 0;  // of the frame
  int64_t track = 0;
  std::string zone;   // "" when no zones are set
  int64_t frame = 0;  // index in the source
  int64_t stream_ms = 0;
  std::string snapshot;        // path, "" when there is none; set by the store
  std::string model, version;  // of the bundle, "" without one
};
Json event_to_json(const Event& event);

struct PendingEvent {
  std::string id;
  std::string json;  // event_to_json's text, as it was stored
};

class EventStore {
 public:
  // Makes the folders and tables; removes snapshots that no event knows (a power cut between the two).
  // `webhook`: new events are owed to it.
  static Result<std::unique_ptr<EventStore>> open(Files& files, Database& database, const StoreConfig& config,
                                                  bool webhook, int64_t pending_max);

  // Stores the event, with its picture unless that is empty or cannot be written (then event.snapshot stays ""), and
  // removes the oldest events and snapshots beyond the limits.
  Status add(Event& event, ByteView jpeg);
  Result<std::vector<PendingEvent>> pending(int64_t count_max);  // oldest first
  Status settle(const std::string& id);                          // delivered, or refused for good: no longer owed
  Result<std::vector<PendingEvent>> latest(int64_t count_max);   // newest first
  int64_t shed() const;  // events that left before the webhook took them, since open

 private:
  EventStore(Files& files, Database& database, const StoreConfig& config, bool webhook, int64_t pending_max)
      : files_(files), database_(database), config_(config), webhook_(webhook), pending_max_(pending_max) {}
  Status sweep();
  Status trim();
  std::string snapshot_folder() const { return path_join(config_.folder, "snapshots"); }

  Files& files_;
  Database& database_;
  StoreConfig config_;
  bool webhook_;
  int64_t pending_max_;
  mutable std::mutex mutex_;
  int64_t shed_ = 0;
};

}  // namespace oree
