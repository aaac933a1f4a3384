// SPDX-License-Identifier: Apache-2.0
// What oree profile prints, as text and as JSON. For profile.cc only.
#pragma once

#include <string>
#include <vector>

#include "core/codec/json.h"
#include "core/io/sensors.h"
#include "model/profile/assess.h"
#include "model/profile/profile.h"

namespace oree::cli {

// All profiles, and which of them this machine is.
Json profiles_json(const std::vector<DeviceProfile>& profiles, const DeviceProfile* here,
                   const SystemIdentity& machine);
std::string profiles_text(const std::vector<DeviceProfile>& profiles, const DeviceProfile* here,
                          const SystemIdentity& machine);

// One in full, with its sources.
Json profile_json(const DeviceProfile& profile);
std::string profile_text(const DeviceProfile& profile);

// What a model needs, and every device's verdict. The first is this machine's where `here` says so; `level` is empty
// when one device alone was asked for.
struct ModelVerdicts {
  ModelNeeds needs;
  bool here = false;
  std::vector<Assessment> devices;
  std::optional<LevelVerdict> level;
};
Json verdicts_json(const ModelVerdicts& verdicts);
std::string verdicts_text(const ModelVerdicts& verdicts);

}  // namespace oree::cli
