// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <string>

#include "core/base/bytes.h"
#include "core/base/result.h"

namespace oree {

struct HttpRequest {
  std::string method = "GET";
  std::string url;                             // http:// or https://
  std::map<std::string, std::string> headers;  // names in any case
  std::string body;
  std::string body_file;       // when set, the body is streamed from this file instead
  int64_t timeout_ms = 30000;  // longest silence of the peer, not the whole transfer
};

struct HttpResponse {
  int status = 0;
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;                            // empty when a sink took it; at most kHttpBodyBytesMax
};

// Called with the head before the first byte of the body; an error stops the transfer and is returned.
using HttpHead = std::function<Status(const HttpResponse& head)>;
using HttpSink = std::function<Status(ByteView chunk)>;

// One HTTP/1.1 exchange. kUnavailable when there is no answer (refused, cut, time-out, name not found, TLS refused);
// any status that the server gave is a value. Redirects are not followed. HTTPS certificates are verified.
class HttpClient {
 public:
  virtual ~HttpClient() = default;
  // Without a sink the body is kept in the response.
  virtual Result<HttpResponse> send(const HttpRequest& request, const HttpHead& head = {},
                                    const HttpSink& sink = {}) = 0;
  // PEM authorities that https trusts instead of the system's; "": the system's. Between requests.
  virtual void set_ca_file(const std::string&) {}
};

struct Url {
  std::string scheme;  // "http" or "https"
  std::string host;
  int port = 0;        // filled with 80 or 443 when the text names none
  std::string target;  // path and query, at least "/"
};
Result<Url> parse_url(std::string_view text);
std::string url_encode(std::string_view text);          // RFC 3986 unreserved kept
Result<std::string> url_decode(std::string_view text);  // kInvalid on a broken escape
std::map<std::string, std::string> parse_query(
    std::string_view query);  // "a=1&b" decoded; later wins; broken escapes kept as they are

}  // namespace oree
