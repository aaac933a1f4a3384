// SPDX-License-Identifier: Apache-2.0
#include "monitor/telemetry/spool.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <set>

#include "core/io/fake/fake_files.h"

using namespace oree;

namespace {

constexpr int64_t kRoom = 1 << 20;

Report report_of(int64_t seq, int64_t predictions = 1) {
  Report report;
  report.boot_id = "boot";
  report.seq = seq;
  report.start_ms = seq;
  report.end_ms = seq + 1;
  report.duration_ms = 1;
  ModelReport model;
  model.model = "m";
  model.version = "1";
  model.bundle_digest = "d";
  model.predictions = predictions;
  report.models.push_back(model);
  return report;
}

int64_t predictions_in(const std::vector<Report>& reports) {
  int64_t sum = 0;
  for (const auto& report : reports) sum += report.models[0].predictions;
  return sum;
}

// A server that counts every identity once, as ours does.
struct Ledger {
  std::set<std::pair<std::string, int64_t>> seen;
  int64_t predictions = 0;
  void take(const Report& report) {
    if (seen.insert({report.boot_id, report.seq}).second) predictions += report.models[0].predictions;
  }
};

}  // namespace

TEST_CASE("reports come back oldest first until they are acknowledged, also after a restart") {
  FakeFiles files;
  {
    auto spool = TelemetrySpool::open(files, "spool", kRoom).value();
    for (int64_t seq = 1; seq <= 3; ++seq) REQUIRE(spool.put(report_of(seq)).ok());
    auto first = spool.peek(2).value();
    REQUIRE(first.size() == 2);
    CHECK(first[0].seq == 1);
    REQUIRE(spool.acknowledge("boot", 1).ok());
    REQUIRE(spool.acknowledge("another", 2).ok());
    CHECK(spool.pending() == 2);
  }
  auto spool = TelemetrySpool::open(files, "spool", kRoom).value();
  auto left = spool.peek(10).value();
  REQUIRE(left.size() == 2);
  CHECK(left[0].seq == 2);
  CHECK(left[1].seq == 3);
}

TEST_CASE("over its cap the spool loses resolution but no count, and merges nothing that was offered") {
  FakeFiles files;
  auto spool = TelemetrySpool::open(files, "spool", 8000).value();
  Ledger ledger;
  REQUIRE(spool.put(report_of(1)).ok());
  auto offered = spool.peek(1).value();
  ledger.take(offered[0]);  // received, but the answer is lost
  for (int64_t seq = 2; seq <= 300; ++seq) REQUIRE(spool.put(report_of(seq)).ok());
  CHECK(spool.bytes() <= 8000);
  CHECK(spool.pending() == 300);
  auto all = spool.peek(1000).value();
  CHECK(all[0].seq == 1);
  CHECK(all[0].merged_reports == 1);
  CHECK(predictions_in(all) == 300);
  for (const auto& report : all) ledger.take(report);
  CHECK(ledger.predictions == 300);
}

TEST_CASE("a failure or a power cut at any operation loses no report that was put, and counts none twice") {
  for (bool power_cut : {false, true}) {
    for (int n = 1; n < 400; ++n) {
      FakeFiles files;
      Ledger ledger;
      int64_t put = 0;
      bool failed = false;
      {
        auto spool = TelemetrySpool::open(files, "spool", 3000).value();
        files.fail_after(n, Error(Code::kUnavailable, "input/output error"));
        for (int64_t seq = 1; seq <= 20 && !failed; ++seq) {
          if (spool.put(report_of(seq)).ok()) {
            put = seq;
          } else {
            failed = true;
          }
          if (seq == 10 && !failed) {
            auto reports = spool.peek(3);
            if (reports.ok()) {
              for (const auto& report : *reports) ledger.take(report);
              failed = !spool.acknowledge((*reports)[0].boot_id, (*reports)[0].seq).ok();
            } else {
              failed = true;
            }
          }
        }
      }
      files.heal();
      if (power_cut) files.crash();
      auto spool = TelemetrySpool::open(files, "spool", 3000);
      REQUIRE(spool.ok());
      auto reports = spool->peek(1000).value();
      for (const auto& report : reports) ledger.take(report);
      CAPTURE(n);
      CAPTURE(power_cut);
      // One more than was confirmed is possible: written, and the failure came after.
      CHECK(ledger.predictions >= put);
      CHECK(ledger.predictions <= put + 1);
      if (!failed) n = 400;
    }
  }
}

TEST_CASE("a full disk refuses a report and leaves the spool as it was") {
  FakeFiles files;
  auto spool = TelemetrySpool::open(files, "spool", kRoom).value();
  REQUIRE(spool.put(report_of(1)).ok());
  files.set_free_bytes(10);
  CHECK(spool.put(report_of(2)).error().code() == Code::kExhausted);
  CHECK(spool.pending() == 1);
  files.set_free_bytes(1 << 20);
  CHECK(spool.put(report_of(2)).ok());
  CHECK(TelemetrySpool::open(files, "spool", kRoom).value().pending() == 2);
}

TEST_CASE("a file that is not a report is removed at open, the others stay") {
  FakeFiles files;
  auto spool = TelemetrySpool::open(files, "spool", kRoom).value();
  REQUIRE(spool.put(report_of(1)).ok());
  REQUIRE(files.write_atomic("spool/0000000000000005-0000000000000005.new.json", as_bytes("{\"torn")).ok());
  REQUIRE(files.write_atomic("spool/stray.tmp", as_bytes("x")).ok());
  auto again = TelemetrySpool::open(files, "spool", kRoom).value();
  CHECK(again.pending() == 1);
  CHECK(files.list("spool").value().size() == 1);
  REQUIRE(again.put(report_of(2)).ok());
  CHECK(again.peek(9).value().size() == 2);
}
