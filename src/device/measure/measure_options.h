// SPDX-License-Identifier: Apache-2.0
// MeasureOptions: what `oree-agent measure` is told, by hand or by the agent that starts it out of its [measure] table.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/base/result.h"

namespace oree {

struct MeasureOptions {
  std::string listen;                      // HOST:PORT, [IPv6]:PORT or :PORT
  std::string token_file;                  // the token itself, or "sha256:" and the hash of it in hex
  std::string certificate_file, key_file;  // PEM
  bool plain_http = false;                 // tokens and models may travel in the clear
  std::string data;                        // folder of the files that were sent
  std::string worker_program;              // that is started as a worker; "": this one
  std::string name;                        // the device's own, for reports; "": its host name
  std::string power_meter;  // the command line of a plug-in that measures this device's energy; "": its own sensors
  int64_t disk_bytes_max = int64_t{1} << 30;
  int64_t reserve_bytes = 32 << 20;  // of free disk that measuring never touches
  int64_t memory_bytes_max = 0;      // of all workers together; 0: three quarters of the machine's
  int64_t job_ms_max = 4 * 3'600'000;
  int64_t lease_ms = 60'000;  // a job ends after so long a silence
};

// As arguments of the command, and back. kUsage names the option that is unknown, has no value or is out of bounds.
std::vector<std::string> measure_arguments(const MeasureOptions& options);
Result<MeasureOptions> measure_options(const std::vector<std::string>& arguments);

// kUsage: an option is missing, or the token would travel in the clear.
Status check_measure_options(const MeasureOptions& options);

inline constexpr int64_t kMeasureLeaseMsMin = 1'000, kMeasureLeaseMsMax = 3'600'000;

}  // namespace oree
