// SPDX-License-Identifier: Apache-2.0
#include "device/agent/slots.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/limits.h"
#include "core/base/text.h"
#include "deliver/bundle/bundle.h"

namespace oree {
namespace {

Result<std::string> manifest_digest(Files& files, const std::string& folder) {
  OREE_TRY_ASSIGN(Bytes bytes, files.read(path_join(folder, "manifest.json"), kManifestBytesMax));
  return digest_text(sha256(bytes));
}

InstallResult failed(std::string reason, std::string detail, bool forever, Remedy remedy = {}) {
  return {InstallResult::kFailed, "", std::move(reason), std::move(detail), forever, std::move(remedy)};
}

InstallResult of_error(const Error& error) {
  switch (error.code()) {
    case Code::kExhausted: return failed("disk_full", error.message(), false);
    case Code::kInvalid: return failed("invalid_bundle", error.message(), true);
    // Of a format that this program does not know; its successor may.
    case Code::kUnsupported: return failed("incompatible", error.message(), true, {kOwnProgram, OREE_VERSION});
    case Code::kIntegrity: return failed("integrity", error.message(), true);
    case Code::kUsage: return failed("signature", error.message(), true);
    default: return {InstallResult::kRetry, "", "", error.message(), false, {}};
  }
}

// A good signature says who made it, not that it is what was offered, or for this device.
InstallResult judge_identity(const BundleInfo& info, const InstallRequest& r) {
  const Manifest& manifest = info.manifest;
  if (info.digest != r.digest) {
    return failed("digest", fmt::format("the file has digest {} but {} was announced", info.digest, r.digest), true);
  }
  if (manifest.model != r.model) {
    return failed("incompatible", fmt::format("the bundle is of model {}, expected {}", manifest.model, r.model), true);
  }
  if (manifest.version != r.version) {
    return failed("invalid_bundle",
                  fmt::format("the bundle says version {}, {} was offered", manifest.version, r.version), true);
  }
  const auto& types = manifest.device_types;
  if (std::find(types.begin(), types.end(), r.device_type) == types.end()) {
    return failed("incompatible", "the bundle is not for device type " + r.device_type, true);
  }
  return {InstallResult::kInstalled, "", "", "", false, {}};
}

}  // namespace

std::string slot_folder(const std::string& data, int slot) {
  return path_join(path_join(data, "slots"), kSlotNames[slot]);
}
std::string download_folder(const std::string& data) { return path_join(data, "download"); }
std::string part_path(const std::string& data, const std::string& digest) {
  return path_join(download_folder(data), digest + ".part");
}

bool slot_intact(Files& files, const std::string& data, int slot, const Slot& record) {
  if (record.digest.empty()) return false;
  std::string folder = slot_folder(data, slot);
  auto digest = manifest_digest(files, folder);
  return digest.ok() && *digest == record.manifest_sha256 && open_unpacked(files, folder, true).ok();
}

InstallResult install_bundle(Files& files, const InstallRequest& r) {
  if (!files.exists(r.part)) return {InstallResult::kLost, "", "", "", false, {}};
  if (auto s = files.make_dirs(path_parent(r.folder)); !s.ok()) return of_error(s.error());
  auto info = unpack_bundle(files, r.part, r.trusted, r.folder, r.threshold);
  if (!info.ok()) {
    // What is whole but not vouched for, and what is vouched for but not whole, are two different alarms.
    bool whole = info.error().code() == Code::kIntegrity && check_bundle(files, r.part).ok();
    return whole ? failed("signature", info.error().message(), true) : of_error(info.error());
  }
  InstallResult wrong = judge_identity(*info, r);
  if (wrong.kind == InstallResult::kFailed) {
    (void)files.remove_all(r.folder);  // what stays is removed with the slot
    return wrong;
  }
  auto digest = manifest_digest(files, r.folder);
  if (!digest.ok()) return of_error(digest.error());
  return {InstallResult::kInstalled, *digest, "", "", false, {}};
}

AgentState rescue(Files& files, const std::string& data) {
  AgentState state;
  for (int i = 0; i < 2; ++i) {
    std::string folder = slot_folder(data, i);
    auto manifest = open_unpacked(files, folder, true);
    auto digest = manifest_digest(files, folder);
    if (!manifest.ok() || !digest.ok()) continue;
    Slot& slot = state.slots[static_cast<size_t>(i)];
    // The bundle file's own digest is gone with the journal; the manifest's stands in for it, so that the server's
    // release counts as another one and is fetched, proven and watched again.
    slot.digest = slot.manifest_sha256 = *digest;
    slot.version = manifest->version;
    slot.committed = true;
    for (const BundleMember& member : manifest->members) slot.bytes += member.size;
    bool older =
        state.active < 0 || compare_versions(slot.version, state.slots[static_cast<size_t>(state.active)].version) < 0;
    if (older) state.active = i;
  }
  return state;
}

}  // namespace oree
