// SPDX-License-Identifier: Apache-2.0
// The HTTP server as the fleet sees it: a handler decides from the head of a request, takes its body as a stream and
// gives the response; sockets, time-outs, keep-alive and TLS are the port's. A handler is testable without a socket.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "core/base/bytes.h"
#include "core/base/result.h"
#include "core/io/files.h"

namespace oree {

// The head of a request.
struct ServerRequest {
  std::string method;                          // upper case; HEAD is passed on, the port leaves out the answer's body
  std::string target;                          // path and query as sent, not decoded
  std::map<std::string, std::string> headers;  // names in lower case; repeated ones joined by ", "
  std::string peer;                            // address of the other side without its port
};

// Either `body`, or `length` bytes of `file` from `offset` on. Content-Length is the port's affair.
struct ServerResponse {
  int status = 200;
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
  std::shared_ptr<ReadFile> file;
  int64_t offset = 0, length = 0;
};

// Takes the body of one request (perhaps empty) and answers it. Destroyed without finish(), it leaves nothing behind:
// the request was cut.
class RequestSink {
 public:
  virtual ~RequestSink() = default;
  virtual std::optional<ServerResponse> write(ByteView chunk) = 0;  // a response ends the request early
  virtual ServerResponse finish() = 0;                              // after the last byte, once
};

// What is decided from the head alone: exactly one of the two is set.
struct RequestPlan {
  std::optional<ServerResponse> answer;  // sent at once; a body is not read and the connection is closed after it
  std::unique_ptr<RequestSink> sink;     // lives no longer than the handler
  int64_t body_bytes_max = 0;            // a longer body is answered 413
};

// The token of "Authorization: Bearer TOKEN", "" when the header says something else.
std::string bearer_token(const std::map<std::string, std::string>& headers);

// Called from several threads at once; may block for as long as a disk takes.
class HttpHandler {
 public:
  virtual ~HttpHandler() = default;
  virtual RequestPlan begin(const ServerRequest& head) = 0;
  virtual void tick() {}  // about once a second, from one thread at a time
};

int http_status(Code code);  // what an error is to a client: 4xx its own fault, 5xx ours

}  // namespace oree
