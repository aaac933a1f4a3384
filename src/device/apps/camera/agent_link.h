// SPDX-License-Identifier: Apache-2.0
// AgentLink tells the supervising agent what happens (monitor/telemetry/app_protocol.h). An agent that does not read
// never blocks the application: counts wait and merge, events wait in a bounded queue.
#pragma once

#include <deque>
#include <functional>
#include <string>

#include "monitor/telemetry/app_protocol.h"

namespace oree {

inline constexpr size_t kAgentEventsWaitingMax = 256;  // the oldest give way: they are in the store anyway

class AgentLink {
 public:
  // Takes one line without its newline; false: not now, try again later. Empty function: nobody listens.
  using Send = std::function<bool(const std::string& line)>;
  explicit AgentLink(Send send) : send_(std::move(send)) {}

  void ready(const std::string& model, const std::string& version);
  void event(const Json& event);
  void done();
  // Adds to the counts that are told by the next flush().
  AppStats& stats() { return stats_; }
  // Sends what waits, then the counts, every kAppStatsIntervalMs. `now_ns`: monotonic.
  void flush(int64_t now_ns, bool force = false);

 private:
  void queue(const Json& message);
  bool drain();

  Send send_;
  AppStats stats_;
  std::deque<std::string> waiting_;
  int64_t stats_sent_ns_ = 0;
};

}  // namespace oree
