// SPDX-License-Identifier: Apache-2.0
#include "model/profile/profiles.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "core/base/limits.h"
#include "core/base/shown_name.h"
#include "core/base/text.h"
#include "model/profile/profile_files.h"

namespace oree {
namespace {

void sort(std::vector<DeviceProfile>& profiles) {
  std::ranges::stable_sort(profiles, {}, [](const DeviceProfile& p) { return std::pair(p.level, p.name); });
}

std::vector<DeviceProfile> parse_shipped() {
  std::vector<DeviceProfile> out;
  for (const ProfileFile& file : profile_files()) {
    Result<DeviceProfile> profile = parse_profile(file.bytes);
    OREE_ASSERT(profile.ok());
    out.push_back(std::move(*profile));
  }
  sort(out);
  return out;
}

// What one must change to make a of b: letters put in, taken out or exchanged. Within: of some part of b.
size_t distance(std::string_view a, std::string_view b, bool within) {
  std::vector<size_t> row(b.size() + 1, 0);
  if (!within) std::iota(row.begin(), row.end(), size_t{0});
  for (char letter : a) {
    size_t corner = row[0]++;
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t change = corner + (letter == b[j] ? 0 : 1);
      corner = row[j + 1];
      row[j + 1] = std::min({change, row[j] + 1, corner + 1});
    }
  }
  return within ? std::ranges::min(row) : row.back();
}

// "pi-5" is meant to be raspberry-pi-5, although esp32-s3 has fewer other letters.
std::pair<size_t, size_t> farness(std::string_view wanted, std::string_view name) {
  return {distance(wanted, name, true), distance(wanted, name, false)};
}

Result<std::vector<std::string>> files_at(Files& files, const std::string& path) {
  OREE_TRY_ASSIGN(FileInfo info, files.info(path));
  if (!info.directory) return std::vector<std::string>{path};
  OREE_TRY_ASSIGN(std::vector<std::string> names, files.list(path));
  std::vector<std::string> out;
  for (const std::string& name : names) {
    if (path_extension(name) == ".toml") out.push_back(path_join(path, name));
  }
  if (out.empty()) return Error(Code::kNotFound, path + ": no .toml file in this folder");
  if (out.size() > kProfilesMax) {
    return Error(Code::kExhausted, fmt::format("{}: {} profiles, at most {}", path, out.size(), kProfilesMax));
  }
  return out;
}

Result<DeviceProfile> load_profile(Files& files, const std::string& path) {
  OREE_TRY_ASSIGN(Bytes bytes, files.read(path, kProfileBytesMax));
  Result<DeviceProfile> profile = parse_profile(as_text(bytes));
  if (!profile.ok()) return profile.error().within(path);
  return profile;
}

}  // namespace

const std::vector<DeviceProfile>& shipped_profiles() {
  static const std::vector<DeviceProfile> profiles = parse_shipped();
  return profiles;
}

Result<std::vector<DeviceProfile>> load_profiles(Files& files, const std::string& path) {
  OREE_TRY_ASSIGN(std::vector<std::string> paths, files_at(files, path));
  std::vector<DeviceProfile> out;
  for (const std::string& file : paths) {
    OREE_TRY_ASSIGN(DeviceProfile profile, load_profile(files, file));
    if (std::ranges::find(out, profile.name, &DeviceProfile::name) != out.end()) {
      return Error(Code::kUsage, fmt::format("{}: another file has a profile '{}', too", file, profile.name));
    }
    out.push_back(std::move(profile));
  }
  for (const DeviceProfile& shipped : shipped_profiles()) {
    if (std::ranges::find(out, shipped.name, &DeviceProfile::name) == out.end()) out.push_back(shipped);
  }
  sort(out);
  return out;
}

std::vector<std::string> profile_names(const std::vector<DeviceProfile>& profiles) {
  std::vector<std::string> names;
  names.reserve(profiles.size());
  for (const DeviceProfile& p : profiles) names.push_back(p.name);
  return names;
}

Result<const DeviceProfile*> find_profile(const std::vector<DeviceProfile>& profiles, std::string_view name) {
  for (const DeviceProfile& p : profiles) {
    if (p.name == name) return &p;
  }
  constexpr size_t kNearest = 3;
  std::vector<std::string> names = profile_names(profiles);
  const std::string_view wanted = name.substr(0, kNameCharsMax);
  std::ranges::stable_sort(names, {}, [&](const std::string& n) { return farness(wanted, n); });
  names.resize(std::min(names.size(), kNearest));
  return Error(Code::kNotFound, fmt::format("no device profile '{}'; the nearest: {} (oree profile lists all)",
                                            shown_name(wanted), fmt::join(names, ", ")));
}

const DeviceProfile* match_profile(const std::vector<DeviceProfile>& profiles, const SystemIdentity& machine) {
  const DeviceProfile* best = nullptr;
  const DeviceProfile* generic = nullptr;
  size_t length = 0;
  for (const DeviceProfile& p : profiles) {
    const auto& architectures = p.match.architectures;
    if (std::ranges::find(architectures, machine.architecture) == architectures.end()) continue;
    if (p.match.generic && generic == nullptr) generic = &p;
    for (const std::string& text : p.match.texts) {
      const bool found =
          machine.board.find(text) != std::string::npos || machine.cpu_model.find(text) != std::string::npos;
      if (found && text.size() > length) {
        best = &p;
        length = text.size();
      }
    }
  }
  return best != nullptr ? best : generic;
}

}  // namespace oree
