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
  return files_.sync_dir(folder_);
}

std::string BlobStore::path(const std::string& digest) const {
  return path_join(folder_, "blobs/sha256/" + digest.substr(0, 2) + "/" + digest);
}

Result<std::shared_ptr<ReadFile>> BlobStore::read(const std::string& digest) {
  auto file = files_.open(path(digest));
  if (!file.ok() && file.error().code() == Code::kNotFound)
    return Error(Code::kNotFound, "blob sha256:" + digest + " is not here");
  if (!file.ok()) return file.error();
  return std::shared_ptr<ReadFile>(std::move(*file));
}

Status BlobStore::settle(const std::string& digest) {
  std::string folder = path_parent(path(digest));
  OREE_TRY(files_.sync_dir(path_parent(folder)));
  return files_.sync_dir(folder);
}

Result<std::unique_ptr<BlobStore::Upload>> BlobStore::begin(const std::string& digest, int64_t size_hint) {
  if (uploads_.load() >= kServerUploadsMax) {
    return Error(Code::kUnavailable,
                 "expected at most " + std::to_string(kServerUploadsMax) + " uploads at once: try again");
  }
  std::unique_ptr<Upload> upload(new Upload(*this));
  ++uploads_;
  upload->digest_ = digest;
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
  if (!file_) {  // there already, but perhaps by an upload whose last step failed
    OREE_TRY(store_.settle(digest_));
    return false;
  }
  OREE_TRY(file_->sync());
  file_.reset();
  std::string final_path = store_.path(digest_);
  OREE_TRY(store_.files_.make_dirs(path_parent(final_path)));
  OREE_TRY(store_.files_.rename(part_, final_path));
  part_.clear();
  OREE_TRY(store_.settle(digest_));
  return true;
}

}  // namespace oree
