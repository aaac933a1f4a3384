// SPDX-License-Identifier: Apache-2.0
#include "cli/inspect_report.h"

#include <doctest/doctest.h>

#include <algorithm>

namespace oree::cli {

TEST_CASE("the joined names of a fused layer are cut where live memory is told") {
  ModelSummary s;
  s.live_bytes_peak = 2048;
  auto told = [&] {
    for (const auto& [key, value] : inspect_facts(s)) {
      if (key == "live memory") return value;
    }
    return std::string();
  };
  s.peak_layer = "conv1";
  CHECK(told() == "2.0 KiB at conv1");
  s.peak_layer = std::string(95, 'a') + "é;" + std::string(500, 'b');
  CHECK(told() == "2.0 KiB at " + std::string(95, 'a') + "…");
}

}  // namespace oree::cli
