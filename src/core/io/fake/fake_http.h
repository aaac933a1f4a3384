// SPDX-License-Identifier: Apache-2.0
// A network inside the test: handlers by URL prefix, and faults.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/io/files.h"
#include "core/io/http.h"

namespace oree {

class FakeHttp : public HttpClient {
 public:
  using Handler = std::function<Result<HttpResponse>(const HttpRequest&)>;

  // `files` serves body_file requests; without it they are refused.
  explicit FakeHttp(Files* files = nullptr) : files_(files) {}

  // The longest matching URL prefix answers; nothing matching is kUnavailable, as a name that is not found. A handler
  // sees body_file requests with `body` filled in.
  void on(const std::string& url_prefix, Handler handler);
  // A blob with range requests, as a static file server answers them (200, 206, 416).
  void serve(const std::string& url, std::string content);

  Result<HttpResponse> send(const HttpRequest& request, const HttpHead& head, const HttpSink& sink) override;

  // Faults. A cut gives the head and the first `bytes` of the body, then kUnavailable; it applies to the next answer.
  void cut_next_after(int64_t bytes) { cut_after_ = bytes; }
  void set_offline(bool offline) { offline_ = offline; }
  void set_chunk_bytes(size_t bytes) { chunk_bytes_ = bytes; }  // what one call of the sink gets; 1000 at start

  std::vector<HttpRequest> requests;  // every one that was sent, offline ones too

 private:
  struct Route {
    std::string prefix;
    Handler handler;
  };
  Files* files_;
  std::vector<Route> routes_;
  std::optional<int64_t> cut_after_;
  bool offline_ = false;
  size_t chunk_bytes_ = 1000;
};

// The answer to a range request for `content`, as RFC 9110 section 14 says; also for a test's own handlers.
HttpResponse answer_range(const HttpRequest& request, const std::string& content);

}  // namespace oree
