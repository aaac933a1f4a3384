// SPDX-License-Identifier: Apache-2.0
#include "fleet/server/blobs.h"

#include "core/base/limits.h"
#include "core/base/text.h"

namespace oree {

Status BlobStore::open() {
  OREE_TRY(files_.remove_all(path_join(folder_, "uploads")));
  OREE_TRY(files_.make_dirs(path_join(folder_, "uploads")));
  OREE_TRY(files_.make_dirs(path_join(folder_, "blobs/sha256")));
  OREE_TRY(files_.sync_dir(path_join(folder_, "blobs")));
  OREE_TRY(files_.sync_dir(folder_));
  OREE_TRY_ASSIGN(auto digests, list());
  count_ = static_cast<int64_t>(digests.size());
  bytes_ = 0;
  for (const std::string& digest : digests) {
    OREE_TRY_ASSIGN(FileInfo info, files_.info(path(digest)));
    bytes_ += info.size;
  }
  return {};
}

std::string BlobStore::path(const std::string& digest) const {
  return path_join(folder_, "blobs/sha256/" + digest.substr(0, 2) + "/" + digest);
}

std::shared_ptr<void> BlobStore::use(const std::string& digest) {
  std::lock_guard lock(uses_->mutex);
  ++uses_->count[digest];
  return {nullptr, [uses = uses_, digest](void*) {
            std::lock_guard end(uses->mutex);
            auto found = uses->count.find(digest);
            if (--found->second == 0) uses->count.erase(found);
          }};
}

Result<std::vector<std::string>> BlobStore::list() {
  std::string root = path_join(folder_, "blobs/sha256");
  std::vector<std::string> digests;
  OREE_TRY_ASSIGN(auto prefixes, files_.list(root));
  for (const std::string& prefix : prefixes) {
    std::string folder = path_join(root, prefix);
    OREE_TRY_ASSIGN(FileInfo info, files_.info(folder));
    if (!info.directory) continue;
    OREE_TRY_ASSIGN(auto names, files_.list(folder));
    for (std::string& name : names) {
      auto digest = parse_digest(name);
      bool ours = digest.ok() && digest_text(*digest) == name && name.starts_with(prefix) && prefix.size() == 2;
      if (ours) digests.push_back(std::move(name));
    }
  }
  return digests;
}

Status BlobStore::settle(const std::string& digest) {
  std::string folder = path_parent(path(digest));
  OREE_TRY(files_.sync_dir(path_parent(folder)));
  return files_.sync_dir(folder);
}

Result<std::optional<int64_t>> BlobStore::remove_idle(const std::string& digest) {
  std::lock_guard lock(uses_->mutex);
  if (uses_->count.contains(digest)) return std::optional<int64_t>();
  OREE_TRY_ASSIGN(FileInfo info, files_.info(path(digest)));
  OREE_TRY(files_.remove(path(digest)));
  --count_;
  bytes_ -= info.size;
  return std::optional<int64_t>(info.size);
}

Result<std::shared_ptr<ReadFile>> BlobStore::read(const std::string& digest) {
  struct InUse {
    std::shared_ptr<void> use;
    std::unique_ptr<ReadFile> file;
  };
  auto in_use = std::make_shared<InUse>();
  in_use->use = use(digest);  // before the look, so that what is found stays
  auto file = files_.open(path(digest));
  if (!file.ok() && file.error().code() == Code::kNotFound)
    return Error(Code::kNotFound, "blob sha256:" + digest + " is not here");
  if (!file.ok()) return file.error();
  in_use->file = std::move(*file);
  return std::shared_ptr<ReadFile>(in_use, in_use->file.get());
}

Result<std::unique_ptr<BlobStore::Upload>> BlobStore::begin(const std::string& digest, int64_t size_hint) {
  if (uploads_.load() >= kServerUploadsMax) {
    return Error(Code::kUnavailable,
                 "expected at most " + std::to_string(kServerUploadsMax) + " uploads at once: try again");
  }
  std::unique_ptr<Upload> upload(new Upload(*this));
  ++uploads_;
  upload->digest_ = digest;
  upload->use_ = use(digest);
  if (has(digest)) return upload;
  OREE_TRY_ASSIGN(int64_t free, files_.free_bytes(folder_));
  if (free < size_hint + kServerDiskReserveBytes) {
    return Error(Code::kExhausted, "the server's disk has " + human_bytes(free) + " left, " + human_bytes(size_hint) +
                                       " and a reserve of " + human_bytes(kServerDiskReserveBytes) + " are needed");
  }
  uint64_t name = random_.next_u64();
  std::string part =
      path_join(folder_, "uploads/" + to_hex(ByteView(reinterpret_cast<const uint8_t*>(&name), 8)) + ".part");
  OREE_TRY_ASSIGN(upload->file_, files_.create(part));
  upload->part_ = part;
  return upload;
}

BlobStore::Upload::~Upload() {
  file_.reset();
  if (!part_.empty()) (void)store_.files_.remove(part_);  // a part that stays is removed at the next start
  --store_.uploads_;
}

Status BlobStore::Upload::write(ByteView chunk) {
  hash_.update(chunk);
  return file_ ? file_->write(chunk) : Status();
}

Result<bool> BlobStore::Upload::finish() {
  std::string found = digest_text(hash_.finish());
  if (found != digest_)
    return Error(Code::kIntegrity, "the body's digest: expected sha256:" + digest_ + ", found sha256:" + found);
  // There already, but perhaps by an upload whose last step failed.
  auto was_there = [&]() -> Result<bool> {
    OREE_TRY(store_.settle(digest_));
    return false;
  };
  if (!file_) return was_there();
  OREE_TRY(file_->sync());
  file_.reset();
  std::lock_guard lock(store_.placing_);
  if (store_.has(digest_)) return was_there();  // another upload was faster
  OREE_TRY_ASSIGN(FileInfo info, store_.files_.info(part_));
  std::string final_path = store_.path(digest_);
  OREE_TRY(store_.files_.make_dirs(path_parent(final_path)));
  Status placed = store_.files_.rename(part_, final_path);
  if (store_.has(digest_)) {  // even when the folders could not be synced after it
    ++store_.count_;
    store_.bytes_ += info.size;
    part_.clear();
  }
  OREE_TRY(placed);
  OREE_TRY(store_.settle(digest_));
  return true;
}

}  // namespace oree
