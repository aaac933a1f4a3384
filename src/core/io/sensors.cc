// SPDX-License-Identifier: Apache-2.0
#include "core/io/sensors.h"

#include <algorithm>

namespace oree {

std::optional<FrequencySpread> frequency_spread(const SystemReading& reading) {
  if (reading.frequencies.empty()) return std::nullopt;
  FrequencySpread spread{reading.frequencies[0].mhz, 0, reading.frequencies[0].mhz};
  for (const CpuFrequency& f : reading.frequencies) {
    spread.mhz_min = std::min(spread.mhz_min, f.mhz);
    spread.mhz_max = std::max(spread.mhz_max, f.mhz);
    spread.mhz_mean += f.mhz / static_cast<double>(reading.frequencies.size());
  }
  return spread;
}

}  // namespace oree
