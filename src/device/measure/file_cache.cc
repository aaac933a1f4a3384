// SPDX-License-Identifier: Apache-2.0
#include "device/measure/file_cache.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/limits.h"
#include "core/base/measure_limits.h"
#include "core/base/text.h"
#include "core/codec/json.h"
#include "model/remote/protocol.h"

namespace oree {
namespace {

constexpr char kOrderFile[] = "order.json";

}  // namespace

Status FileCache::open() {
  std::lock_guard lock(mutex_);
  OREE_TRY(files_.remove_all(path_join(folder_, "incoming")));
  OREE_TRY(files_.make_dirs(path_join(folder_, "incoming")));
  OREE_TRY(files_.make_dirs(path_join(folder_, "files")));
  OREE_TRY_ASSIGN(auto names, files_.list(path_join(folder_, "files")));
  entries_.clear();
  bytes_ = 0;
  for (const std::string& name : names) {
    if (!is_digest(name)) continue;  // not ours
    OREE_TRY_ASSIGN(FileInfo info, files_.info(path(name)));
    entries_.push_back({name, info.size});
    bytes_ += info.size;
  }
  auto order = files_.read(path_join(folder_, kOrderFile), kConfigBytesMax);
  auto json = order.ok() ? Json::parse(as_text(*order)) : Result<Json>(order.error());
  if (!json.ok()) return {};
  for (const Json& digest : json->items()) touch(digest.as_string());
  return {};
}

std::string FileCache::path(const std::string& digest) const { return path_join(folder_, "files/" + digest); }

std::vector<FileCache::Entry>::iterator FileCache::find(const std::string& digest) {
  return std::find_if(entries_.begin(), entries_.end(), [&](const Entry& e) { return e.digest == digest; });
}

void FileCache::touch(const std::string& digest) {
  auto found = find(digest);
  if (found != entries_.end()) std::rotate(found, found + 1, entries_.end());
}

bool FileCache::use(const std::string& digest) {
  std::lock_guard lock(mutex_);
  if (find(digest) == entries_.end()) return false;
  touch(digest);
  return true;
}

std::shared_ptr<void> FileCache::pin(const std::string& digest) {
  std::lock_guard lock(mutex_);
  auto found = find(digest);
  if (found == entries_.end()) return nullptr;
  std::shared_ptr<int> pins = found->pins;
  touch(digest);
  ++*pins;
  return {pins.get(), [this, pins](void*) {
            std::lock_guard end(mutex_);
            --*pins;
          }};
}

int64_t FileCache::bytes() const {
  std::lock_guard lock(mutex_);
  return bytes_;
}

bool FileCache::drop_oldest() {
  auto oldest = std::find_if(entries_.begin(), entries_.end(), [](const Entry& e) { return *e.pins == 0; });
  if (oldest == entries_.end() || !files_.remove(path(oldest->digest)).ok()) return false;
  bytes_ -= oldest->size;
  entries_.erase(oldest);
  return true;
}

// Until so many bytes more fit into the cache, and so many onto the disk.
Status FileCache::drop_for(int64_t cached_bytes, int64_t disk_bytes) {
  if (cached_bytes > limits_.bytes_max) {
    return Error(Code::kExhausted, fmt::format("{} are more than the {} that this device lends for measuring",
                                               human_bytes(cached_bytes), human_bytes(limits_.bytes_max)));
  }
  while (bytes_ + incoming_ + cached_bytes > limits_.bytes_max || entries_.size() >= kMeasureFilesMax) {
    if (drop_oldest()) continue;
    return Error(
        Code::kExhausted,
        fmt::format("{} more do not fit: what is in use now has {} of the {} that this device lends for "
                    "measuring",
                    human_bytes(cached_bytes), human_bytes(bytes_ + incoming_), human_bytes(limits_.bytes_max)));
  }
  for (;;) {
    OREE_TRY_ASSIGN(int64_t free, files_.free_bytes(folder_));
    // What arrives beside this one is not all on the disk yet; to count it whole is the safe side.
    if (free - incoming_ >= disk_bytes + limits_.reserve_bytes) return {};
    if (drop_oldest()) continue;
    return Error(Code::kExhausted,
                 fmt::format("the device's disk has {} left; {} and a reserve of {} are needed", human_bytes(free),
                             human_bytes(disk_bytes), human_bytes(limits_.reserve_bytes)));
  }
}

Status FileCache::make_room(int64_t bytes) {
  std::lock_guard lock(mutex_);
  return drop_for(0, bytes);
}

Status FileCache::save_order() {
  Json order = Json::array();
  {
    std::lock_guard lock(mutex_);
    for (const Entry& entry : entries_) order.push(entry.digest);
  }
  return files_.write_atomic(path_join(folder_, kOrderFile), as_bytes(order.dump()));
}

Result<std::unique_ptr<FileCache::Upload>> FileCache::begin(const std::string& digest, int64_t size) {
  std::lock_guard lock(mutex_);
  if (uploads_ >= kMeasureUploadsMax)
    return Error(Code::kUnavailable, fmt::format("{} files arrive at once already: try again", uploads_));
  bool here = find(digest) != entries_.end();
  if (!here) OREE_TRY(drop_for(size, size));
  // From here on its end, whatever it is, gives back what it holds.
  std::unique_ptr<Upload> upload(new Upload(*this));
  ++uploads_;
  upload->digest_ = digest;
  if (here) return upload;
  upload->size_ = size;
  incoming_ += size;
  upload->part_ = path_join(folder_, fmt::format("incoming/{:016x}.part", random_.next_u64()));
  return upload;
}

FileCache::Upload::~Upload() {
  file_.reset();
  if (!part_.empty()) (void)cache_.files_.remove(part_);
  std::lock_guard lock(cache_.mutex_);
  cache_.incoming_ -= size_;
  --cache_.uploads_;
}

Status FileCache::Upload::write(ByteView chunk) {
  hash_.update(chunk);
  if (part_.empty()) return {};
  if (!file_) {
    OREE_TRY_ASSIGN(file_, cache_.files_.create(part_));
  }
  return file_->write(chunk);
}

Result<bool> FileCache::Upload::finish() {
  std::string found = digest_text(hash_.finish());
  if (found != digest_)
    return Error(Code::kIntegrity, fmt::format("expected bytes with SHA-256 {}, these have {}", digest_, found));
  if (part_.empty()) return false;
  if (!file_) {  // an empty one
    OREE_TRY_ASSIGN(file_, cache_.files_.create(part_));
  }
  OREE_TRY(file_->sync());
  file_.reset();
  std::lock_guard lock(cache_.mutex_);
  if (cache_.find(digest_) != cache_.entries_.end()) return false;  // another upload was faster
  OREE_TRY(cache_.files_.rename(part_, cache_.path(digest_)));
  part_.clear();
  cache_.entries_.push_back({digest_, size_});
  cache_.bytes_ += size_;
  cache_.incoming_ -= size_;
  size_ = 0;
  return true;
}

}  // namespace oree
