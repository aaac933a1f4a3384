// SPDX-License-Identifier: Apache-2.0
// One connection of the HTTP client: a TCP socket, with or without TLS over it. Blocking calls with deadlines, no
// event loop: it costs the agent no memory but the socket's. Used by one thread at a time.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "core/base/result.h"
#include "os/posix/posix_fd.h"

struct ssl_ctx_st;
struct ssl_st;

namespace oree {

using Deadline = std::chrono::steady_clock::time_point;
inline Deadline deadline_in(int64_t ms) { return std::chrono::steady_clock::now() + std::chrono::milliseconds(ms); }

class Transport {
 public:
  // Tries every address of the host in turn. kUnavailable when none answers.
  static Result<std::unique_ptr<Transport>> connect(const std::string& host, int port, Deadline deadline);
  ~Transport();

  // From here on everything is encrypted. The peer's certificate must be valid for `host`.
  Status start_tls(ssl_ctx_st* context, const std::string& host, Deadline deadline);

  // At least one byte, up to size; 0 is the end of the stream. kUnavailable after the deadline.
  Result<size_t> read_some(char* data, size_t size, Deadline deadline);
  // All of it; each piece that the peer takes renews the wait of timeout_ms.
  Status write_all(std::string_view data, int64_t timeout_ms);
  // Without waiting: does the peer have something to say (or has it hung up)?
  bool readable();

 private:
  explicit Transport(PosixFd fd) : fd_(std::move(fd)) {}
  Status await(short events, Deadline deadline);
  Error tls_error(const std::string& what);

  PosixFd fd_;
  ssl_st* ssl_ = nullptr;
};

// A client's TLS settings: TLS 1.2 or later, peers verified against `ca_file`, or the system's roots when it is empty
// (SSL_CERT_FILE and SSL_CERT_DIR win). kUsage when the file cannot be read.
struct TlsContextDeleter {
  void operator()(ssl_ctx_st* context) const;
};
using TlsContext = std::unique_ptr<ssl_ctx_st, TlsContextDeleter>;
Result<TlsContext> make_client_tls(const std::string& ca_file);

}  // namespace oree
