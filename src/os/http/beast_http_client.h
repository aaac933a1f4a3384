// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "core/io/http.h"

namespace oree {

// HTTP/1.1 with Boost.Beast's parser over our own blocking sockets, TLS by OpenSSL. Keeps one idle connection a host.
// TLS is set up at the first https URL, so that a device that never uses it pays no memory. Thread-safe: each call
// has a connection of its own. Proxies come from the environment (http_proxy, https_proxy, no_proxy).
//
// A peer that is silent for timeout_ms, or whose head takes longer than that in all, is kUnavailable. An answer's head
// above kHttpHeaderBytesMax is kInvalid, a body above kHttpBodyBytesMax without a sink kExhausted.
class BeastHttpClient : public HttpClient {
 public:
  BeastHttpClient();
  ~BeastHttpClient() override;
  void set_ca_file(const std::string& path) override;
  Result<HttpResponse> send(const HttpRequest& request, const HttpHead& head = {}, const HttpSink& sink = {}) override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace oree
