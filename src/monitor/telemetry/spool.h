// SPDX-License-Identifier: Apache-2.0
// TelemetrySpool: reports on the device's disk until the server has acknowledged them. Survives kill -9 and power cut
// at any instant: a report is either wholly there or not, and is never sent under two identities. When the spool
// passes its cap the oldest reports merge pairwise (resolution is lost, counts are not).
#pragma once

#include <string>
#include <vector>

#include "core/io/files.h"
#include "monitor/telemetry/report.h"

namespace oree {

class TelemetrySpool {
 public:
  // Opens or creates the folder; a torn tail is dropped and said in the log.
  static Result<TelemetrySpool> open(Files& files, std::string folder, int64_t bytes_max);
  Status put(const Report& report);                        // durable when it returns
  // The oldest unacknowledged reports, at most `max`. The same until acknowledged.
  Result<std::vector<Report>> peek(int max);
  Status acknowledge(const std::string& boot_id, int64_t seq);  // absent is success
  int64_t pending() const;

 private:
  TelemetrySpool(Files& files, std::string folder, int64_t bytes_max);
  Files* files_;
  std::string folder_;
  int64_t bytes_max_;
  std::vector<std::string> names_;  // file names, oldest first
};

}  // namespace oree
