// SPDX-License-Identifier: Apache-2.0
#include "fleet/server/auth.h"

#include <algorithm>

#include "core/base/limits.h"
#include "core/base/text.h"
#include "core/crypto/crypto.h"

namespace oree {
namespace {

constexpr int64_t kMinuteNs = 60'000'000'000;

}  // namespace

std::string make_token(Random& random, std::string_view prefix) {
  Bytes bytes;
  for (int i = 0; i < 4; ++i) {
    uint64_t word = random.next_u64();
    for (int b = 0; b < 8; ++b) bytes.push_back(static_cast<uint8_t>(word >> (8 * b)));
  }
  std::string text = to_base64(bytes);
  for (char& c : text) c = c == '+' ? '-' : c == '/' ? '_' : c;
  while (!text.empty() && text.back() == '=') text.pop_back();
  return std::string(prefix) + text;
}

std::string token_hash(std::string_view token) { return digest_text(sha256(as_bytes(token))); }

Result<OperatorToken> load_operator_token(Files& files, Random& random, const std::string& path,
                                          const std::string& preset) {
  if (!preset.empty()) {
    if (preset.size() < kOperatorTokenCharsMin) {
      return Error(Code::kUsage, "OREE_OPERATOR_TOKEN: expected at least " + std::to_string(kOperatorTokenCharsMin) +
                                     " characters, found " + std::to_string(preset.size()));
    }
    return OperatorToken{preset, false};
  }
  if (auto stored = files.read(path, 4096); stored.ok()) {
    std::string token(trim(as_text(*stored)));
    if (token.size() < kOperatorTokenCharsMin) return Error(Code::kInvalid, path + ": the operator token is too short");
    return OperatorToken{token, false};
  } else if (stored.error().code() != Code::kNotFound) {
    return stored.error();
  }
  OperatorToken made{make_token(random, "op_"), true};
  OREE_TRY(files.write_atomic(path, as_bytes(made.token + "\n")));
  return made;
}

bool FailureLimiter::fail(const std::string& peer) {
  std::lock_guard lock(mutex_);
  int64_t now = clock_.monotonic_ns();
  if (peers_.size() >= static_cast<size_t>(kServerAuthPeersMax) && !peers_.count(peer)) {
    std::erase_if(peers_, [&](const auto& entry) { return now - entry.second.since_ns > kMinuteNs; });
    if (peers_.size() >= static_cast<size_t>(kServerAuthPeersMax)) peers_.erase(peers_.begin());
  }
  Peer& p = peers_[peer];
  if (p.failures == 0 || now - p.since_ns > kMinuteNs) p = Peer{now, 0};
  p.failures = std::min(p.failures + 1, kServerAuthFailuresMax + 1);
  return p.failures > kServerAuthFailuresMax;
}

}  // namespace oree
