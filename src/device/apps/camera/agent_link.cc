// SPDX-License-Identifier: Apache-2.0
#include "device/apps/camera/agent_link.h"

namespace oree {

void AgentLink::queue(const Json& message) {
  if (!send_) return;
  if (waiting_.size() >= kAgentEventsWaitingMax) waiting_.pop_front();
  waiting_.push_back(message.dump());
  drain();
}

bool AgentLink::drain() {
  while (!waiting_.empty() && send_(waiting_.front())) waiting_.pop_front();
  return waiting_.empty();
}

void AgentLink::ready(const std::string& model, const std::string& version) {
  queue(Json::object().set("type", "ready").set("model", model).set("version", version));
}

void AgentLink::event(const Json& event) { queue(Json::object().set("type", "event").set("event", event)); }

void AgentLink::done() { queue(Json::object().set("type", "done")); }

void AgentLink::flush(int64_t now_ns, bool force) {
  if (!send_ || !drain()) return;
  if (!force && now_ns - stats_sent_ns_ < kAppStatsIntervalMs * 1'000'000) return;
  Json message = Json::object().set("type", "stats");
  const Json counts = app_stats_to_json(stats_);
  for (const auto& [key, value] : counts.members()) message.set(key, value);
  if (!send_(message.dump())) return;
  stats_ = AppStats{};
  stats_sent_ns_ = now_ns;
}

}  // namespace oree
