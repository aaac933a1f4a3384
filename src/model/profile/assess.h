// SPDX-License-Identifier: Apache-2.0
// Would a model run on a device of this kind? Pure arithmetic over what the file needs (model_needs.h) and what the
// profile says. Nothing here is a measurement: `oree bench` on the device is.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "model/profile/model_needs.h"
#include "model/profile/profile.h"

namespace oree {

enum class Fit { kYes, kNo, kUnknown };
const char* fit_name(Fit fit);  // "fits", "does not fit", "not known"

// From published runs on such a device, scaled by multiply-accumulates: between the slowest and the fastest of them.
// Only for models of about the runs' sizes.
struct LatencyEstimate {
  std::string precision;
  double ms_min = 0, ms_max = 0;
  int runs = 0;  // that it is made from: two at least
};

struct Assessment {
  const DeviceProfile* profile = nullptr;
  Fit fit = Fit::kUnknown;
  std::string why;     // one sentence, whatever the verdict
  std::string engine;  // "tflite/xnnpack": the first of the profile's that takes the model; "" when none does
  std::string needs;   // software that this engine needs and orée does not fetch
  int64_t memory_bytes_needed = -1;  // RAM; -1: not known
  int64_t memory_bytes_available =
      -1;                           // what a model may take of the smallest version that holds it, or of the largest
  int64_t flash_bytes_needed = -1;  // of an MCU
  std::optional<LatencyEstimate> latency;
};

// memory_bytes: of the machine itself, where it is one; else the profile's sizes count.
Assessment assess(const ModelNeeds& needs, const DeviceProfile& profile, std::optional<int64_t> memory_bytes = {});

struct LevelVerdict {
  std::optional<DeviceLevel> level;  // nothing: no profile holds the model, or its needs are not known
  std::string why;                   // one sentence
};
// The smallest level of which a profile holds the model, by its smallest device that does; and what the level below
// lacks.
LevelVerdict level_needed(const std::vector<Assessment>& all);

}  // namespace oree
