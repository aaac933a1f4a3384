// SPDX-License-Identifier: Apache-2.0
// The profiles that come with the program (profiles/*.toml, built in), and those that a user adds.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/io/files.h"
#include "core/io/sensors.h"
#include "model/profile/profile.h"

namespace oree {

// Parsed on first use and kept for the life of the process; asserts that they parse, which a test makes sure of.
// By level, then name. Thread-safe.
const std::vector<DeviceProfile>& shipped_profiles();

// Those, and the user's: path is a .toml file or a folder of them. A profile of the same name takes the shipped one's
// place; two of the user's with one name are refused. Errors: those of files and of parse_profile(), led by the path;
// kNotFound when a folder has none; kExhausted above kProfilesMax.
Result<std::vector<DeviceProfile>> load_profiles(Files& files, const std::string& path);

std::vector<std::string> profile_names(const std::vector<DeviceProfile>& profiles);
// kNotFound with the names that are nearest.
Result<const DeviceProfile*> find_profile(const std::vector<DeviceProfile>& profiles, std::string_view name);
// Which of them a machine is: the one whose text is the longest that its board's or processor's name holds; else the
// first generic one of its architecture; nullptr when there is none.
const DeviceProfile* match_profile(const std::vector<DeviceProfile>& profiles, const SystemIdentity& machine);

}  // namespace oree
