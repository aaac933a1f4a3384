// SPDX-License-Identifier: Apache-2.0
// An HTTP/1.1 server over Boost.Beast: keep-alive, HEAD, streamed bodies both ways, TLS. Every wait on a peer has a
// deadline and every buffer a limit, so a slow or hostile peer costs one connection for a bounded time.
#pragma once

#include <memory>
#include <string>

#include "core/base/result.h"
#include "core/io/http_server.h"

namespace oree {

struct HttpServerOptions {
  std::string listen = "127.0.0.1:8080";   // HOST:PORT, [IPv6]:PORT or :PORT (every address); port 0: any free one
  std::string certificate_file, key_file;  // PEM, both or none: HTTPS when given
  int threads = 0;                         // 0: kServerThreads
  int connections_max = 0;                 // 0: kServerConnectionsMax; more are closed as they come
  // Deadlines. A test shortens them.
  int header_ms = 15000;  // from the first byte awaited on a new connection (and the TLS handshake) to a whole head
  int idle_ms = 75000;    // the same for the next request on a kept connection
  int chunk_ms = 60000;   // for each 64 KiB read from or written to the peer
  int stop_ms = 10000;    // running requests get this long when the server stops
};

class BeastHttpServer {
 public:
  // `handler` must outlive this object.
  BeastHttpServer(HttpHandler& handler, HttpServerOptions options);
  ~BeastHttpServer();  // stop()
  // Binds and begins to serve on threads of its own. kUsage for an address or certificate that is wrong,
  // kUnavailable when the address is taken.
  Status start();
  std::string url() const;  // "http://127.0.0.1:41234", after start()
  int connections() const;  // open now
  void wait_for_signal();   // returns at SIGTERM or SIGINT
  void stop();              // accepts no more, lets running requests end; any thread, more than once

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace oree
