// SPDX-License-Identifier: Apache-2.0
// Blobs on disk by digest: `blobs/sha256/ab/abcd…`. A blob appears under its name only whole, checked and synced;
// what is being received lies in `uploads/` and is forgotten at the next start.
//
//   <data>/uploads/<random>.part   --digest right, synced, renamed-->   <data>/blobs/sha256/ab/abcd…
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "core/crypto/crypto.h"
#include "core/io/clock.h"
#include "core/io/files.h"

namespace oree {

class BlobStore {
 public:
  BlobStore(Files& files, Random& random, std::string folder)
      : files_(files), random_(random), folder_(std::move(folder)) {}
  Status open();  // makes the folders, removes what cut uploads left

  std::string path(const std::string& digest) const;
  Result<std::shared_ptr<ReadFile>> read(const std::string& digest);  // kNotFound
  bool has(const std::string& digest) { return files_.exists(path(digest)); }
  Status settle(const std::string& digest);  // its name is on the medium, as its bytes were before it got the name

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
    std::string digest_, part_;
    std::unique_ptr<WriteFile> file_;
    Sha256 hash_;
  };
  // kExhausted when too many arrive at once, or `size_hint` bytes (0: unknown) would fill the disk.
  Result<std::unique_ptr<Upload>> begin(const std::string& digest, int64_t size_hint);

 private:
  Files& files_;
  Random& random_;
  std::string folder_;
  std::atomic<int> uploads_{0};
};

}  // namespace oree
