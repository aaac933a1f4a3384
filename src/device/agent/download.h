// SPDX-License-Identifier: Apache-2.0
// Fetches a bundle into a file that grows, over cuts and restarts, a slice of time at a go. Runs on the job thread;
// shares nothing with the loop but the two atomics.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "core/io/clock.h"
#include "core/io/files.h"
#include "core/io/http.h"

namespace oree {

inline constexpr int64_t kDownloadChunkBytes = 64 << 10;  // read, hashed and written at once
inline constexpr int64_t kDownloadSyncBytes = 1 << 20;    // at most this much is lost to a power cut
inline constexpr int kRedirectsMax = 3;

struct DownloadRequest {
  std::string url;     // absolute
  std::string origin;  // the server's own URL: the token goes to it and to nobody else
  std::string token;
  std::string part;            // the file that grows; part + ".etag" lies beside it
  std::string digest;          // 64 hex digits
  int64_t size = 0;            // bytes announced
  int64_t unpacked_bytes = 0;  // more that the installation will need, after the spare slot is gone
  int64_t reserve_bytes = 0;
  int64_t bytes_per_s = 0;    // 0: no limit
  int64_t slice_ms = 15'000;  // then it returns kMore, so that status and telemetry get their turn
  int64_t timeout_ms = 30'000;
};

struct DownloadResult {
  enum Kind {
    kDone,    // the file is whole and its digest is right
    kMore,    // the slice is over and bytes came: go on
    kRetry,   // no answer, a cut, a busy server: go on after a pause
    kFailed,  // `reason` in docs/agent.md
  };
  Kind kind = kRetry;
  std::string reason, detail;
};

struct DownloadSignals {
  std::atomic<bool> stop{false};
  std::atomic<int64_t> bytes{0};  // in the file now
};

DownloadResult download_slice(Clock& clock, Files& files, HttpClient& http, const DownloadRequest& request,
                              DownloadSignals& signals);

// True when a request to `url` may carry the token of `origin`: same scheme, host and port.
bool same_origin(const std::string& url, const std::string& origin);

}  // namespace oree
