// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "core/base/limits.h"
#include "deliver/bundle/bundle.h"
#include "deliver/bundle/bundle_layout.h"

namespace oree {
namespace {

// The content of a source in chunks, wherever it lies.
Status each_chunk(Files& files, const BundleSource& source, const std::function<Status(ByteView)>& chunk) {
  if (source.file.empty()) return source.content.empty() ? Status() : chunk(source.content);
  OREE_TRY_ASSIGN(std::unique_ptr<ReadFile> file, files.open(source.file));
  for (int64_t offset = 0; offset < file->size();) {
    OREE_TRY_ASSIGN(Bytes bytes, file->read_at(offset, kBundleChunkBytes));
    if (bytes.empty()) return Error(Code::kConflict, fmt::format("{} became shorter while it was read", source.file));
    OREE_TRY(chunk(bytes));
    offset += static_cast<int64_t>(bytes.size());
  }
  return {};
}

Result<BundleMember> measure(Files& files, const BundleSource& source) {
  BundleMember member{source.path, 0, {}};
  Sha256 hash;
  OREE_TRY(each_chunk(files, source, [&](ByteView bytes) -> Status {
    hash.update(bytes);
    member.size += static_cast<int64_t>(bytes.size());
    return {};
  }));
  member.sha256 = digest_text(hash.finish());
  return member;
}

Status copy(Files& files, const BundleSource& source, const BundleMember& member, BundleOutput& output) {
  OREE_TRY(output.begin(member.path, member.size));
  Sha256 hash;
  int64_t size = 0;
  OREE_TRY(each_chunk(files, source, [&](ByteView bytes) -> Status {
    hash.update(bytes);
    size += static_cast<int64_t>(bytes.size());
    return size <= member.size ? output.write(bytes) : Status();
  }));
  if (size == member.size && digest_text(hash.finish()) == member.sha256) return {};
  return Error(Code::kConflict, fmt::format("{} changed while it was bundled", source.file));
}

}  // namespace

Status write_bundle(Files& files, const std::string& path, Manifest manifest,
                    const std::vector<BundleSource>& sources) {
  manifest.members.clear();
  int64_t total = 0;
  for (const BundleSource& source : sources) {
    OREE_TRY_ASSIGN(BundleMember member, measure(files, source));
    total += member.size;
    manifest.members.push_back(std::move(member));
  }
  if (total > kBundleBytesMax) {
    return Error(Code::kExhausted,
                 fmt::format("the members have {} bytes together; a bundle holds {}", total, kBundleBytesMax));
  }
  Json json = manifest_to_json(manifest);
  // What no reader would take is not written: the same rules, in the same place.
  if (auto readable = manifest_from_json(json); !readable.ok()) return readable.error().within("manifest");
  std::string text = json.dump();
  if (static_cast<int64_t>(text.size()) > kManifestBytesMax) {
    return Error(Code::kExhausted,
                 fmt::format("the manifest has {} bytes; the limit is {}", text.size(), kManifestBytesMax));
  }
  OREE_TRY_ASSIGN(BundleOutput output, BundleOutput::open(files, path));
  OREE_TRY(output.add(kManifestPath, as_bytes(text)));
  for (size_t i = 0; i < sources.size(); ++i) OREE_TRY(copy(files, sources[i], manifest.members[i], output));
  return output.finish();
}

Status sign_bundle(Files& files, const std::string& in, const std::string& out, const SecretKey& key) {
  auto layout = open_layout(files, in);
  if (!layout.ok()) return layout.error().within(in);
  Status parsed = parse_layout(*layout);
  if (!parsed.ok()) return parsed.error().within(in);
  auto signatures = layout->signatures;
  add_signature(signatures, key, layout->manifest_bytes);
  if (signatures.size() > static_cast<size_t>(kBundleSignaturesMax)) {
    return Error(Code::kExhausted, fmt::format("{}: a bundle has at most {} signatures", in, kBundleSignaturesMax));
  }
  OREE_TRY_ASSIGN(BundleOutput output, BundleOutput::open(files, out));
  OREE_TRY(output.add(kManifestPath, layout->manifest_bytes));
  OREE_TRY(output.add(kSignaturesPath, as_bytes(signatures_to_json(signatures).dump())));
  MemberSink sink{[&](const BundleMember& member) { return output.begin(member.path, member.size); },
                  [&](ByteView chunk) { return output.write(chunk); },
                  {}};
  auto walked = walk_bundle(*layout, sink);
  if (!walked.ok()) return walked.error().within(in);
  return output.finish();
}

}  // namespace oree
