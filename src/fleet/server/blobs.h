// SPDX-License-Identifier: Apache-2.0
// Blobs on disk by digest: `blobs/sha256/ab/abcd…`. A blob appears under its name only whole, checked and synced;
// what is being received lies in `uploads/` and is forgotten at the next start.
//
//   <data>/uploads/<random>.part   --digest right, synced, renamed-->   <data>/blobs/sha256/ab/abcd…
//
// A blob that is read or received is in use until the file or the upload is let go, and is not removed meanwhile.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "core/crypto/crypto.h"
#include "core/io/clock.h"
#include "core/io/files.h"

namespace oree {

class BlobStore {
 public:
  BlobStore(Files& files, Random& random, std::string folder)
      : files_(files), random_(random), folder_(std::move(folder)) {}
  Status open();  // makes the folders, removes what cut uploads left, counts the blobs

  std::string path(const std::string& digest) const;
  Result<std::shared_ptr<ReadFile>> read(const std::string& digest);  // kNotFound
  bool has(const std::string& digest) { return files_.exists(path(digest)); }
  Result<std::vector<std::string>> list();   // every blob's digest; what else lies there is not ours and left alone
  Status settle(const std::string& digest);  // its name is on the medium, as its bytes were before it got the name
  // Deletes a blob and says how large it was; nothing when it is in use. kNotFound.
  Result<std::optional<int64_t>> remove_idle(const std::string& digest);
  int64_t count() const { return count_; }
  int64_t bytes() const { return bytes_; }

  // A blob on its way in. Destroyed before finish(), it removes its part. A digest that is there already is only
  // checked.
  class Upload {
   public:
    ~Upload();
    Status write(ByteView chunk);  // kExhausted when the disk is full
    Result<bool> finish();         // true: new, false: was there already; kIntegrity when the bytes are others

   private:
    friend class BlobStore;
    explicit Upload(BlobStore& store) : store_(store) {}
    BlobStore& store_;
    std::shared_ptr<void> use_;
    std::string digest_, part_;
    std::unique_ptr<WriteFile> file_;
    Sha256 hash_;
  };
  // kUnavailable when too many arrive at once, kExhausted when `size_hint` bytes (0: unknown) would fill the disk.
  Result<std::unique_ptr<Upload>> begin(const std::string& digest, int64_t size_hint);

 private:
  // Shared with those who use a blob, who may outlive the store.
  struct Uses {
    std::mutex mutex;
    std::map<std::string, int> count;  // by digest, none of them 0
  };
  std::shared_ptr<void> use(const std::string& digest);  // in use until the last copy is gone

  Files& files_;
  Random& random_;
  std::string folder_;
  std::atomic<int> uploads_{0};
  std::atomic<int64_t> count_{0}, bytes_{0};
  std::shared_ptr<Uses> uses_ = std::make_shared<Uses>();
  std::mutex placing_;  // held from the look for a name to its making, so that two uploads of a blob count once
};

}  // namespace oree
