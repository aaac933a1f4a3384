// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "core/base/limits.h"
#include "deliver/bundle/bundle.h"
#include "deliver/bundle/bundle_layout.h"

namespace oree {
namespace {

Status check_signatures(const BundleLayout& layout, const std::vector<PublicKey>& trusted, int threshold,
                        std::vector<std::string>& signed_by) {
  std::set<PublicKey> distinct(trusted.begin(), trusted.end());
  if (threshold < 1 || distinct.size() < static_cast<size_t>(threshold)) {
    return Error(Code::kUsage, fmt::format("{} trusted keys cannot give {} signatures; at least one is needed",
                                           distinct.size(), threshold));
  }
  if (layout.signatures.empty()) return Error(Code::kIntegrity, "the bundle is not signed");
  signed_by = good_signers(layout.signatures, trusted, layout.manifest_bytes);
  if (signed_by.size() < static_cast<size_t>(threshold)) {
    std::string ids;
    for (const BundleSignature& s : layout.signatures) ids += (ids.empty() ? "" : ", ") + s.key_id;
    return Error(Code::kIntegrity,
                 fmt::format("{} of {} needed signatures by trusted keys are good; the bundle names keys {}",
                             signed_by.size(), threshold, ids));
  }
  return {};
}

Result<BundleInfo> check_layout(BundleLayout& layout, std::vector<std::string> signed_by) {
  BundleInfo info;
  OREE_TRY(parse_layout(layout));
  OREE_TRY_ASSIGN(info.digest, walk_bundle(layout));
  info.manifest = layout.manifest;
  info.size = layout.file->size();
  info.signed_by = std::move(signed_by);
  return info;
}

Result<BundleInfo> verify_layout(BundleLayout& layout, const std::vector<PublicKey>& trusted, int threshold) {
  std::vector<std::string> signed_by;
  OREE_TRY(check_signatures(layout, trusted, threshold, signed_by));
  return check_layout(layout, std::move(signed_by));
}

// Writes the members under a folder, each synced before the next begins.
class Unpacker {
 public:
  Unpacker(Files& files, std::string folder) : files_(files), folder_(std::move(folder)) {}

  Status unpack(const BundleLayout& layout, const std::string& digest) {
    if (files_.exists(folder_)) {
      // The manifest goes first, and for good: a power cut must not bring it back among missing or new files.
      OREE_TRY(files_.remove(path_join(folder_, kManifestPath)));
      OREE_TRY(files_.sync_dir(folder_));
      OREE_TRY(files_.remove_all(folder_));
      OREE_TRY(files_.sync_dir(path_parent(folder_)));
    }
    OREE_TRY(files_.make_dirs(folder_));
    MemberSink sink{[this](const BundleMember& member) { return open(member.path); },
                    [this](ByteView chunk) { return file_->write(chunk); }, [this] { return close(); }};
    OREE_TRY_ASSIGN(std::string found, walk_bundle(layout, sink));
    if (found != digest) return Error(Code::kIntegrity, "the file changed while it was unpacked");
    if (!layout.signatures_bytes.empty()) OREE_TRY(write(kSignaturesPath, layout.signatures_bytes));
    for (auto it = folders_.rbegin(); it != folders_.rend(); ++it) OREE_TRY(files_.sync_dir(*it));
    OREE_TRY(files_.sync_dir(folder_));
    OREE_TRY(write(kManifestPath, layout.manifest_bytes));
    OREE_TRY(files_.sync_dir(folder_));
    return files_.sync_dir(path_parent(folder_));
  }

 private:
  Status open(const std::string& path) {
    // Every folder on the way has a new entry of its own.
    for (size_t i = path.find('/'); i != std::string::npos; i = path.find('/', i + 1)) {
      std::string dir = path_join(folder_, path.substr(0, i));
      if (folders_.insert(dir).second) OREE_TRY(files_.make_dirs(dir));
    }
    OREE_TRY_ASSIGN(file_, files_.create(path_join(folder_, path)));
    return {};
  }
  Status close() {
    OREE_TRY(file_->sync());
    file_.reset();
    return {};
  }
  Status write(const std::string& path, ByteView content) {
    OREE_TRY(open(path));
    OREE_TRY(file_->write(content));
    return close();
  }

  Files& files_;
  std::string folder_;
  std::set<std::string> folders_;  // parents sort before their children
  std::unique_ptr<WriteFile> file_;
};

Status check_member_file(Files& files, const std::string& folder, const BundleMember& member) {
  OREE_TRY_ASSIGN(std::unique_ptr<ReadFile> file, files.open(path_join(folder, member.path)));
  if (file->size() != member.size) {
    return Error(Code::kIntegrity,
                 fmt::format("member {} has {} bytes; the manifest says {}", member.path, file->size(), member.size));
  }
  Sha256 hash;
  for (int64_t offset = 0; offset < member.size;) {
    OREE_TRY_ASSIGN(Bytes chunk, file->read_at(offset, std::min(member.size - offset, kBundleChunkBytes)));
    if (chunk.empty()) return Error(Code::kIntegrity, fmt::format("member {} ends early", member.path));
    hash.update(chunk);
    offset += static_cast<int64_t>(chunk.size());
  }
  std::string found = digest_text(hash.finish());
  if (found == member.sha256) return {};
  return Error(Code::kIntegrity,
               fmt::format("member {} has SHA-256 {}; the manifest says {}", member.path, found, member.sha256));
}

}  // namespace

Result<Manifest> read_bundle_manifest(Files& files, const std::string& path) {
  auto layout = open_layout(files, path);
  if (!layout.ok()) return layout.error().within(path);
  Status parsed = parse_layout(*layout);
  if (!parsed.ok()) return parsed.error().within(path);
  return std::move(layout->manifest);
}

Result<BundleInfo> check_bundle(Files& files, const std::string& path) {
  auto layout = open_layout(files, path);
  if (!layout.ok()) return layout.error().within(path);
  auto info = check_layout(*layout, {});
  if (!info.ok()) return info.error().within(path);
  return info;
}

Result<BundleInfo> verify_bundle(Files& files, const std::string& path, const std::vector<PublicKey>& trusted,
                                 int threshold) {
  auto layout = open_layout(files, path);
  if (!layout.ok()) return layout.error().within(path);
  auto info = verify_layout(*layout, trusted, threshold);
  if (!info.ok()) return info.error().within(path);
  return info;
}

Result<BundleInfo> unpack_bundle(Files& files, const std::string& path, const std::vector<PublicKey>& trusted,
                                 const std::string& folder, int threshold) {
  auto layout = open_layout(files, path);
  if (!layout.ok()) return layout.error().within(path);
  auto info = verify_layout(*layout, trusted, threshold);
  if (!info.ok()) return info.error().within(path);
  Status unpacked = Unpacker(files, folder).unpack(*layout, info->digest);
  if (!unpacked.ok()) {
    (void)files.remove_all(folder).ok();  // the first error is the one to tell; a rest has no manifest
    return unpacked.error().within(path);
  }
  return info;
}

Result<Manifest> open_unpacked(Files& files, const std::string& folder, bool check_digests) {
  std::string path = path_join(folder, kManifestPath);
  OREE_TRY_ASSIGN(Bytes bytes, files.read(path, kManifestBytesMax));
  auto json = Json::parse(as_text(bytes));
  if (!json.ok()) return json.error().within(path);
  auto manifest = manifest_from_json(*json);
  if (!manifest.ok()) return manifest.error().within(path);
  if (check_digests) {
    for (const BundleMember& member : manifest->members) {
      Status good = check_member_file(files, folder, member);
      if (!good.ok()) return good.error().within(folder);
    }
  }
  return std::move(*manifest);
}

}  // namespace oree
