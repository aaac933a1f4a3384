// SPDX-License-Identifier: Apache-2.0
#include "deliver/bundle/bundle_layout.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/limits.h"

namespace oree {
namespace {

Result<Bytes> read_exactly(const ReadFile& file, int64_t offset, int64_t size) {
  OREE_TRY_ASSIGN(Bytes bytes, const_cast<ReadFile&>(file).read_at(offset, size));
  if (static_cast<int64_t>(bytes.size()) != size)
    return Error(Code::kInvalid, fmt::format("ends early, after byte {}", offset));
  return bytes;
}

Result<Bytes> read_small(const ReadFile& file, const TarMember& member, int64_t limit) {
  if (member.size > limit) {
    return Error(Code::kInvalid, fmt::format("{} has {} bytes; the limit is {}", member.path, member.size, limit));
  }
  return read_exactly(file, member.offset, member.size);
}

// The archive's list against the manifest's. Sizes and names only: digests need a pass over the file.
Status compare_lists(const Manifest& manifest, const std::vector<TarMember>& found, size_t first) {
  for (size_t i = 0; i < std::max(manifest.members.size(), found.size() - first); ++i) {
    const BundleMember* wanted = i < manifest.members.size() ? &manifest.members[i] : nullptr;
    const TarMember* is = first + i < found.size() ? &found[first + i] : nullptr;
    if (!wanted) return Error(Code::kIntegrity, fmt::format("member {} is not in the manifest", is->path));
    if (!is) return Error(Code::kIntegrity, fmt::format("member {} is missing", wanted->path));
    if (wanted->path != is->path) {
      return Error(Code::kIntegrity, fmt::format("member {} stands where the manifest has {}", is->path, wanted->path));
    }
    if (wanted->size != is->size) {
      return Error(Code::kIntegrity,
                   fmt::format("member {} has {} bytes; the manifest says {}", is->path, is->size, wanted->size));
    }
  }
  return {};
}

// The whole file in order, hashed as it goes.
class Reader {
 public:
  explicit Reader(const ReadFile& file) : file_(file) {}

  Status expect(ByteView wanted, std::string_view what) {
    OREE_TRY_ASSIGN(Bytes found, read_exactly(file_, offset_, static_cast<int64_t>(wanted.size())));
    if (!std::equal(found.begin(), found.end(), wanted.begin(), wanted.end())) {
      return Error(Code::kInvalid, fmt::format("{} at byte {} is not as a bundle has it", what, offset_));
    }
    whole_.update(found);
    offset_ += static_cast<int64_t>(found.size());
    return {};
  }

  Status frame(const std::string& path, int64_t size) {
    OREE_TRY(expect(tar_padding(previous_size_), "padding"));
    previous_size_ = size;
    return expect(tar_header(path, size), "tar header");
  }

  Status member(const BundleMember& member, const MemberSink& sink) {
    OREE_TRY(frame(member.path, member.size));
    if (sink.begin) OREE_TRY(sink.begin(member));
    Sha256 hash;
    for (int64_t left = member.size; left > 0;) {
      OREE_TRY_ASSIGN(Bytes chunk, read_exactly(file_, offset_, std::min(left, kBundleChunkBytes)));
      hash.update(chunk);
      whole_.update(chunk);
      if (sink.chunk) OREE_TRY(sink.chunk(chunk));
      offset_ += static_cast<int64_t>(chunk.size());
      left -= static_cast<int64_t>(chunk.size());
    }
    std::string found = digest_text(hash.finish());
    if (found != member.sha256) {
      return Error(Code::kIntegrity,
                   fmt::format("member {} has SHA-256 {}; the manifest says {}", member.path, found, member.sha256));
    }
    return sink.end ? sink.end() : Status();
  }

  Result<std::string> end() {
    OREE_TRY(expect(tar_padding(previous_size_), "padding"));
    OREE_TRY(expect(tar_end(), "end mark"));
    if (offset_ != file_.size()) {
      return Error(Code::kInvalid, fmt::format("has {} bytes after its end", file_.size() - offset_));
    }
    return digest_text(whole_.finish());
  }

 private:
  const ReadFile& file_;
  Sha256 whole_;
  int64_t offset_ = 0;
  int64_t previous_size_ = 0;
};

}  // namespace

Result<BundleLayout> open_layout(Files& files, const std::string& path) {
  BundleLayout layout;
  OREE_TRY_ASSIGN(layout.file, files.open(path));
  ReadFile& file = *layout.file;
  if (file.size() > kBundleBytesMax) {
    return Error(Code::kInvalid, fmt::format("has {} bytes; the limit is {}", file.size(), kBundleBytesMax));
  }
  auto index = read_tar_index([&](int64_t offset, int64_t size) { return file.read_at(offset, size); }, file.size());
  if (!index.ok()) {
    // A tar with links is a fine tar, but no bundle.
    Code code = index.error().code() == Code::kUnsupported ? Code::kInvalid : index.error().code();
    return Error(code, index.error().message());
  }
  layout.index = std::move(*index);
  if (layout.index.empty() || layout.index[0].path != kManifestPath) {
    return Error(Code::kInvalid, fmt::format("is no bundle: {} does not come first", kManifestPath));
  }
  OREE_TRY_ASSIGN(layout.manifest_bytes, read_small(file, layout.index[0], kManifestBytesMax));
  if (layout.index.size() > 1 && layout.index[1].path == kSignaturesPath) {
    OREE_TRY_ASSIGN(layout.signatures_bytes, read_small(file, layout.index[1], kSignaturesBytesMax));
    auto json = Json::parse(as_text(layout.signatures_bytes));
    if (!json.ok()) return json.error().within(kSignaturesPath);
    auto signatures = signatures_from_json(*json);
    if (!signatures.ok()) return signatures.error().within(kSignaturesPath);
    layout.signatures = std::move(*signatures);
  }
  return layout;
}

Status parse_layout(BundleLayout& layout) {
  auto json = Json::parse(as_text(layout.manifest_bytes));
  if (!json.ok()) return json.error().within(kManifestPath);
  auto manifest = manifest_from_json(*json);
  if (!manifest.ok()) return manifest.error().within(kManifestPath);
  layout.manifest = std::move(*manifest);
  return compare_lists(layout.manifest, layout.index, layout.signatures_bytes.empty() ? 1 : 2);
}

Result<std::string> walk_bundle(const BundleLayout& layout, const MemberSink& sink) {
  Reader reader(*layout.file);
  // The head is compared with what was read before: the file may change while we read it, what we trust may not.
  OREE_TRY(reader.frame(kManifestPath, static_cast<int64_t>(layout.manifest_bytes.size())));
  OREE_TRY(reader.expect(layout.manifest_bytes, kManifestPath));
  if (!layout.signatures_bytes.empty()) {
    OREE_TRY(reader.frame(kSignaturesPath, static_cast<int64_t>(layout.signatures_bytes.size())));
    OREE_TRY(reader.expect(layout.signatures_bytes, kSignaturesPath));
  }
  for (const BundleMember& member : layout.manifest.members) OREE_TRY(reader.member(member, sink));
  return reader.end();
}

BundleOutput::BundleOutput(Files& files, const std::string& path)
    : files_(&files), path_(path), partial_(path + ".partial") {}

Result<BundleOutput> BundleOutput::open(Files& files, const std::string& path) {
  BundleOutput output(files, path);
  OREE_TRY_ASSIGN(output.file_, files.create(output.partial_));
  return output;
}

BundleOutput::~BundleOutput() {
  if (!file_) return;
  file_.reset();
  (void)files_->remove(partial_).ok();
}

Status BundleOutput::begin(const std::string& path, int64_t size) {
  OREE_TRY(write(tar_padding(member_size_)));
  member_size_ = size;
  return write(tar_header(path, size));
}

Status BundleOutput::write(ByteView bytes) { return bytes.empty() ? Status() : file_->write(bytes); }

Status BundleOutput::add(const std::string& path, ByteView content) {
  OREE_TRY(begin(path, static_cast<int64_t>(content.size())));
  return write(content);
}

Status BundleOutput::finish() {
  OREE_TRY(write(tar_padding(member_size_)));
  OREE_TRY(write(tar_end()));
  OREE_TRY(file_->sync());
  OREE_TRY(files_->rename(partial_, path_));
  file_.reset();
  return {};
}

}  // namespace oree
