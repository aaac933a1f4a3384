// SPDX-License-Identifier: Apache-2.0
// TelemetrySpool: reports on the device's disk until the server has acknowledged them. Survives kill -9 and power cut
// at any instant: a report is either wholly there or not. When the spool passes its cap, neighbouring reports merge:
// resolution is lost, counts are not. A report that was ever offered to the server is never merged, because the
// server may hold it although its answer got lost: what it counted once must keep its identity (boot_id, seq).
//
// One file a report (or a merged run of reports): `FIRST-LAST.STATE.json`, FIRST and LAST the running numbers of the
// reports it stands for (16 digits), STATE `new` or `offered`. A merge writes the wide file before it removes the
// narrow ones; a file whose numbers lie within another's is the rest of an interrupted merge and is removed at open.
#pragma once

#include <string>
#include <vector>

#include "core/io/files.h"
#include "monitor/telemetry/report.h"

namespace oree {

class TelemetrySpool {
 public:
  // Opens or creates the folder. A file that cannot be read as a report is removed and said in the log. `files` is
  // borrowed for the life of the spool. One process at a time.
  static Result<TelemetrySpool> open(Files& files, std::string folder, int64_t bytes_max);

  Status put(const Report& report);  // durable when it returns; kExhausted on a full disk, nothing half-written
  // The oldest reports not yet acknowledged, at most `max`; the same again until they are acknowledged.
  Result<std::vector<Report>> peek(int max);
  Status acknowledge(const std::string& boot_id, int64_t seq);  // an unknown identity is success
  int64_t pending() const;  // reports, merged ones counted as many as they stand for
  int64_t bytes() const;
  bool holds(const std::string& boot_id, int64_t seq) const;  // the identity of a waiting report

 private:
  struct Entry {
    int64_t first = 0, last = 0;
    bool offered = false;
    int64_t bytes = 0;
    std::string boot_id;
    int64_t seq = 0;
    int64_t reports = 1;
  };

  TelemetrySpool(Files& files, std::string folder, int64_t bytes_max);
  std::string path_of(const Entry& entry) const;
  Result<Report> load(const Entry& entry) const;
  Status make_room();
  Status merge_at(size_t index);

  Files* files_;
  std::string folder_;
  int64_t bytes_max_;
  int64_t next_number_ = 1;
  std::vector<Entry> entries_;  // oldest first
};

}  // namespace oree
