// SPDX-License-Identifier: Apache-2.0
// Tokens: 256 random bits, shown once, kept only as their SHA-256. A wrong token is answered 401, and 429 once a peer
// has shown too many; a right one is always taken, so that one broken device cannot lock out the others behind the same
// address (guessing 256 bits needs no lock against it).
#pragma once

#include <map>
#include <mutex>
#include <string>

#include "core/io/clock.h"
#include "core/io/files.h"

namespace oree {

inline constexpr size_t kOperatorTokenCharsMin = 32;

std::string make_token(Random& random, std::string_view prefix);  // prefix and 43 characters of base64url
std::string token_hash(std::string_view token);                   // SHA-256, hex

// The operator's token of a data folder: `preset` when not empty, else the file's, else a new one. kUsage when the
// preset is shorter than kOperatorTokenCharsMin. `created` says that the file was written just now.
struct OperatorToken {
  std::string token;
  bool created = false;
};
Result<OperatorToken> load_operator_token(Files& files, Random& random, const std::string& path,
                                          const std::string& preset);

// Counts wrong tokens by peer over the last minute. Thread-safe; remembers at most kServerAuthPeersMax peers.
class FailureLimiter {
 public:
  explicit FailureLimiter(Clock& clock) : clock_(clock) {}
  bool fail(const std::string& peer);  // counts one; true when the peer has had too many

 private:
  struct Peer {
    int64_t since_ns = 0;
    int failures = 0;
  };
  Clock& clock_;
  std::mutex mutex_;
  std::map<std::string, Peer> peers_;
};

}  // namespace oree
