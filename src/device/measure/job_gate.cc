// SPDX-License-Identifier: Apache-2.0
#include "device/measure/job_gate.h"

#include <chrono>

#include "core/codec/json.h"

namespace oree {

Status AgentGate::begin(const std::string& by) {
  std::unique_lock lock(mutex_);
  ++job_;
  word_.reset();
  Error gone(Code::kUnavailable, "the agent does not answer");
  if (!say_(Json().set("type", "begin").set("job", job_).set("by", by).dump())) return gone;
  heard_.wait_for(lock, std::chrono::milliseconds(wait_ms_), [&] { return word_.has_value(); });
  if (word_) return *word_;
  // Should it be granted yet, nobody would use it.
  (void)say_(Json().set("type", "end").set("job", job_).dump());
  ++job_;
  return gone;
}

void AgentGate::end() {
  std::lock_guard lock(mutex_);
  (void)say_(Json().set("type", "end").set("job", job_).dump());
}

void AgentGate::on_line(const std::string& line) {
  auto json = Json::parse(line);
  if (!json.ok()) return;
  const std::string& type = (*json)["type"].as_string();
  std::lock_guard lock(mutex_);
  if ((*json)["job"].as_int() != job_) return;
  if (type == "granted") word_ = Status();
  if (type == "refused") word_ = Status(Error(Code::kConflict, (*json)["reason"].as_string()));
  heard_.notify_all();
}

}  // namespace oree
