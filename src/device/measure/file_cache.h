// SPDX-License-Identifier: Apache-2.0
// FileCache: the files that were sent to a device for measuring, by digest, within a bound. A file appears under its
// name only whole and checked; what was not used for longest goes first when room is needed.
//
//   DIR/incoming/<random>.part   --digest right, synced, renamed-->   DIR/files/<digest>
//   DIR/order.json               ["digest", …], the least recently used first; a hint: what it lacks counts as oldest
//
// Thread-safe.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/crypto/crypto.h"
#include "core/io/clock.h"
#include "core/io/files.h"

namespace oree {

struct CacheLimits {
  int64_t bytes_max = 0;      // of all files, those that arrive included
  int64_t reserve_bytes = 0;  // of the disk that is left alone
};

class FileCache {
 public:
  FileCache(Files& files, Random& random, std::string folder, CacheLimits limits)
      : files_(files), random_(random), folder_(std::move(folder)), limits_(limits) {}
  Status open();  // makes the folders, forgets what cut uploads left

  bool use(const std::string& digest);  // is it here? It then counts as used now

  // A file on its way in. Destroyed before finish(), it leaves nothing behind.
  class Upload {
   public:
    ~Upload();
    Status write(ByteView chunk);  // kExhausted when the disk is full
    Result<bool> finish();         // true: new, false: was here already; kIntegrity when the bytes are others

   private:
    friend class FileCache;
    explicit Upload(FileCache& cache) : cache_(cache) {}
    FileCache& cache_;
    std::string digest_, part_;
    int64_t size_ = 0;
    std::unique_ptr<WriteFile> file_;
    Sha256 hash_;
  };
  // kExhausted when there is no room for `size` bytes, kUnavailable when too many arrive at once.
  Result<std::unique_ptr<Upload>> begin(const std::string& digest, int64_t size);

  // Kept until the last of these is gone; nullptr when it is not here.
  std::shared_ptr<void> pin(const std::string& digest);
  std::string path(const std::string& digest) const;

  // Room on the disk beside the cache (outputs): kExhausted when `bytes` more would touch the reserve.
  Status make_room(int64_t bytes);
  Status save_order();
  int64_t bytes() const;

 private:
  struct Entry {
    std::string digest;
    int64_t size = 0;
    std::shared_ptr<int> pins = std::make_shared<int>(0);
  };
  std::vector<Entry>::iterator find(const std::string& digest);
  void touch(const std::string& digest);
  Status drop_for(int64_t cached_bytes, int64_t disk_bytes);
  bool drop_oldest();

  Files& files_;
  Random& random_;
  std::string folder_;
  CacheLimits limits_;
  mutable std::mutex mutex_;    // guards the rest, and every Entry's pins
  std::vector<Entry> entries_;  // the least recently used first
  int64_t bytes_ = 0, incoming_ = 0;
  int uploads_ = 0;
};

}  // namespace oree
