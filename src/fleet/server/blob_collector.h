// SPDX-License-Identifier: Apache-2.0
// Deletes the blobs that no release names: uploaded and never published, or withdrawn. Each is kept for a grace time
// first, so that an upload has time to be published and a device to finish its download of a withdrawn release.
//
// A blob without a release has a row in the table `unused_blobs`, which says since when. It is deleted in the
// transaction that looks, once more, whether a release names it, and only while nobody reads or receives it. A
// publisher reads its blob until its release is committed: either it finds the blob and the blob stays, or the blob is
// gone and it is told so.
//
// A power cut leaves at worst a blob without a row, which gets one anew, or a row without a blob, which goes.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "core/io/clock.h"
#include "core/io/database.h"
#include "fleet/server/blobs.h"

namespace oree {

class BlobCollector {
 public:
  BlobCollector(Database& database, BlobStore& blobs, Clock& clock, int64_t grace_ms)
      : db_(database), blobs_(blobs), clock_(clock), grace_ms_(grace_ms) {}

  // A blob was received, again perhaps: its grace begins anew. Called while the upload still holds it, and before that
  // is answered.
  Status received(const std::string& digest);

  // One look at every blob, by one thread at a time. true: kServerBlobsSweptMax were deleted, and there are more.
  Result<bool> sweep();

  int64_t blobs_collected() const { return blobs_collected_; }  // since the start
  int64_t bytes_collected() const { return bytes_collected_; }

 private:
  Status follow_clock();
  Status mark();
  Result<bool> collect(const std::string& digest, int64_t before_ms);

  Database& db_;
  BlobStore& blobs_;
  Clock& clock_;
  int64_t grace_ms_;
  bool swept_once_ = false;
  int64_t last_wall_ms_ = 0, last_monotonic_ns_ = 0;  // at the last sweep
  std::atomic<int64_t> blobs_collected_{0}, bytes_collected_{0};
};

}  // namespace oree
