// SPDX-License-Identifier: Apache-2.0
#include "fleet/server/blob_collector.h"

#include <optional>
#include <unordered_set>

#include "core/base/limits.h"
#include "core/base/log.h"
#include "core/base/text.h"

namespace oree {
namespace {

constexpr int64_t kClockJumpMs = 60'000;  // less is a clock that is being slewed

}  // namespace

Status BlobCollector::received(const std::string& digest) {
  OREE_TRY(
      db_.exec("INSERT INTO unused_blobs(digest, since_ms) VALUES(?, ?)"
               " ON CONFLICT(digest) DO UPDATE SET since_ms = excluded.since_ms",
               {digest, clock_.wall_ms()}));
  return {};
}

// Wall time is all that lasts over a restart, but it may jump: a machine that starts in 1970 and then hears the time
// must not find yesterday's upload old. A jump ahead moves the rows along; a jump back leaves them in the future, from
// where they come to now. Either way a blob is kept for longer, never shorter.
Status BlobCollector::follow_clock() {
  int64_t wall_ms = clock_.wall_ms(), monotonic_ns = clock_.monotonic_ns();
  int64_t jump_ms =
      swept_once_ ? wall_ms - last_wall_ms_ - (monotonic_ns - last_monotonic_ns_) / 1'000'000 : int64_t{0};
  if (jump_ms > kClockJumpMs) OREE_TRY(db_.exec("UPDATE unused_blobs SET since_ms = since_ms + ?", {jump_ms}));
  OREE_TRY(db_.exec("UPDATE unused_blobs SET since_ms = ?1 WHERE since_ms > ?1", {wall_ms}));
  swept_once_ = true;
  last_wall_ms_ = wall_ms;
  last_monotonic_ns_ = monotonic_ns;
  return {};
}

// Rows for the blobs that lost their release or never had one, none for the others.
Status BlobCollector::mark() {
  OREE_TRY_ASSIGN(auto digests, blobs_.list());
  return db_.transaction([&]() -> Status {
    OREE_TRY(
        db_.exec("DELETE FROM unused_blobs WHERE digest IN (SELECT digest FROM releases WHERE withdrawn_ms IS NULL)"));
    OREE_TRY_ASSIGN(auto rows, db_.query("SELECT digest FROM releases WHERE withdrawn_ms IS NULL"
                                         " UNION SELECT digest FROM unused_blobs"));
    std::unordered_set<std::string> known;
    for (const DbRow& row : rows) known.insert(row.text(0));
    for (const std::string& digest : digests) {
      if (known.contains(digest)) continue;
      OREE_TRY(db_.exec("INSERT INTO unused_blobs(digest, since_ms) VALUES(?, ?)", {digest, clock_.wall_ms()}));
    }
    return {};
  });
}

// true: deleted just now.
Result<bool> BlobCollector::collect(const std::string& digest, int64_t before_ms) {
  std::optional<int64_t> bytes;
  Status done = db_.transaction([&]() -> Status {
    OREE_TRY_ASSIGN(auto still,
                    db_.query("SELECT 1 FROM unused_blobs WHERE digest = ?1 AND since_ms <= ?2 AND NOT EXISTS"
                              " (SELECT 1 FROM releases WHERE digest = ?1 AND withdrawn_ms IS NULL)",
                              {digest, before_ms}));
    if (still.empty()) return {};
    if (blobs_.has(digest)) {
      OREE_TRY_ASSIGN(bytes, blobs_.remove_idle(digest));
      if (!bytes) return {};  // in use: at a later sweep
    }
    OREE_TRY(db_.exec("DELETE FROM unused_blobs WHERE digest = ?", {digest}));
    return {};
  });
  if (bytes) {
    ++blobs_collected_;
    bytes_collected_ += *bytes;
    log_info("fleet", "deleted blob sha256:" + digest + " (" + human_bytes(*bytes) + "): no release names it");
  }
  OREE_TRY(done);
  return bytes.has_value();
}

Result<bool> BlobCollector::sweep() {
  OREE_TRY(follow_clock());
  OREE_TRY(mark());
  int64_t before_ms = clock_.wall_ms() - grace_ms_;
  OREE_TRY_ASSIGN(auto old,
                  db_.query("SELECT digest FROM unused_blobs WHERE since_ms <= ? ORDER BY since_ms", {before_ms}));
  int deleted = 0;
  for (const DbRow& row : old) {
    if (deleted == kServerBlobsSweptMax) return true;
    OREE_TRY_ASSIGN(bool gone, collect(row.text(0), before_ms));
    deleted += gone;
  }
  return false;
}

}  // namespace oree
