// SPDX-License-Identifier: Apache-2.0
#include "os/http/beast_http_client.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <cstdlib>
#include <limits>
#include <mutex>

#include "core/base/limits.h"
#include "os/http/proxy.h"
#include "os/http/transport.h"
#include "os/posix/posix_files.h"

namespace oree {
namespace {

namespace http = boost::beast::http;
using boost::beast::error_code;
using Parser = http::response_parser<http::buffer_body>;

constexpr size_t kChunk = 16 << 10;
constexpr size_t kIdleMax = 4;  // kept connections, of all hosts

struct Connection {
  std::unique_ptr<Transport> transport;
  std::string key;    // what it may be used again for
  std::string ahead;  // bytes that were read and not yet parsed
  bool used = false;  // for an exchange before this one
};

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return out;
}

std::string host_header(const Url& url) {
  std::string host = url.host.find(':') == std::string::npos ? url.host : "[" + url.host + "]";
  bool usual = url.port == (url.scheme == "https" ? 443 : 80);
  return usual ? host : fmt::format("{}:{}", host, url.port);
}

// A line break in a header would be a second header, or a second request.
Status check_line(std::string_view text) {
  for (char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      return Error(Code::kInvalid, "HTTP: control character in the method or a header");
    }
  }
  return {};
}

Result<std::string> request_head(const HttpRequest& request, const Url& url, const std::optional<Proxy>& proxy,
                                 int64_t body_size) {
  OREE_TRY(check_line(request.method));
  bool by_proxy = proxy && url.scheme == "http";
  std::string out = fmt::format("{} {}{} HTTP/1.1\r\nHost: {}\r\n", request.method,
                                by_proxy ? "http://" + host_header(url) : "", url.target, host_header(url));
  bool agent = false;
  for (const auto& [name, value] : request.headers) {
    OREE_TRY(check_line(name));
    OREE_TRY(check_line(value));
    std::string key = lower(name);
    if (key == "host" || key == "content-length" || key == "transfer-encoding" || key == "connection") {
      return Error(Code::kInvalid, "HTTP: the client itself sets the header " + key);
    }
    agent |= key == "user-agent";
    out += fmt::format("{}: {}\r\n", name, value);
  }
  if (!agent) out += "User-Agent: oree/" OREE_VERSION "\r\n";
  if (by_proxy && !proxy->authorization.empty()) out += "Proxy-Authorization: " + proxy->authorization + "\r\n";
  bool has_body = body_size > 0 || request.method == "POST" || request.method == "PUT" || request.method == "PATCH";
  if (has_body) out += fmt::format("Content-Length: {}\r\n", body_size);
  return out + "\r\n";
}

Error parse_error(const error_code& ec) {
  if (ec == http::error::header_limit)
    return Error(Code::kInvalid, fmt::format("HTTP: answer's head is above {} bytes", kHttpHeaderBytesMax));
  if (ec == http::error::body_limit)
    return Error(Code::kExhausted, fmt::format("HTTP: answer is above {} bytes", kHttpBodyBytesMax));
  if (ec == http::error::partial_message || ec == http::error::end_of_stream) {
    return Error(Code::kUnavailable, "HTTP: connection was cut");
  }
  return Error(Code::kInvalid, "HTTP: malformed answer: " + ec.message());
}

// Feeds what was read ahead, and more from the peer when the parser asks for it.
Status feed(Connection& c, Parser& parser, Deadline deadline) {
  error_code ec;
  size_t used = c.ahead.empty() ? 0 : parser.put(boost::asio::buffer(c.ahead), ec);
  c.ahead.erase(0, used);
  if (ec == http::error::need_buffer) return {};
  if (ec && ec != http::error::need_more) return parse_error(ec);
  if (parser.is_done() || used > 0) return {};
  char chunk[kChunk];
  Result<size_t> n = c.transport->read_some(chunk, sizeof chunk, deadline);
  if (!n.ok()) return n.error();
  if (*n > 0) {
    c.ahead.append(chunk, *n);
    return {};
  }
  if (!parser.got_some()) return Error(Code::kUnavailable, "HTTP: connection was closed without an answer");
  parser.put_eof(ec);
  return ec ? Status(parse_error(ec)) : Status();
}

Status read_head(Connection& c, std::optional<Parser>& parser, bool no_body, uint64_t body_limit, int64_t timeout_ms) {
  Deadline deadline = deadline_in(timeout_ms);
  do {
    // Again for interim answers (1xx).
    parser.emplace();
    parser->header_limit(kHttpHeaderBytesMax);
    parser->body_limit(body_limit);
    parser->skip(no_body);
    while (!parser->is_header_done()) {
      OREE_TRY(feed(c, *parser, deadline));
    }
  } while (parser->get().result_int() / 100 == 1 && parser->get().result_int() != 101);
  return {};
}

HttpResponse head_of(const Parser& parser) {
  HttpResponse r;
  r.status = static_cast<int>(parser.get().result_int());
  for (const auto& field : parser.get()) {
    std::string name = lower(std::string_view(field.name_string().data(), field.name_string().size()));
    std::string value(field.value().data(), field.value().size());
    auto [it, added] = r.headers.emplace(name, value);
    if (!added) it->second += ", " + value;
  }
  return r;
}

Status read_body(Connection& c, Parser& parser, int64_t timeout_ms, const HttpSink& sink) {
  char out[kChunk];
  parser.eager(true);
  while (!parser.is_done()) {
    parser.get().body().data = out;
    parser.get().body().size = sizeof out;
    OREE_TRY(feed(c, parser, deadline_in(timeout_ms)));
    size_t size = sizeof out - parser.get().body().size;
    if (size > 0) OREE_TRY(sink(ByteView(reinterpret_cast<const uint8_t*>(out), size)));
  }
  return {};
}

// The body of a request: text or a file that is streamed.
struct RequestBody {
  std::string_view text;
  std::unique_ptr<ReadFile> file;
  int64_t size() const { return file ? file->size() : static_cast<int64_t>(text.size()); }
};

// True when all of it was sent; false when the peer answered before (413, 401): it will not read the rest.
Result<bool> write_body(Transport& t, const RequestBody& body, int64_t timeout_ms) {
  for (int64_t offset = 0; offset < body.size();) {
    if (offset > 0 && t.readable()) return false;
    int64_t want = std::min<int64_t>(body.size() - offset, 64 << 10);
    Bytes piece;
    std::string_view text;
    if (body.file) {
      OREE_TRY_ASSIGN(piece, body.file->read_at(offset, want));
      text = as_text(piece);
      if (static_cast<int64_t>(text.size()) != want) return Error(Code::kConflict, "the file shrank while it was sent");
    } else {
      text = body.text.substr(static_cast<size_t>(offset), static_cast<size_t>(want));
    }
    Status sent = t.write_all(text, timeout_ms);
    // The peer may have answered and closed in the same moment: its answer says more than our broken pipe.
    if (!sent.ok()) return t.readable() ? Result<bool>(false) : Result<bool>(sent.error());
    offset += want;
  }
  return true;
}

}  // namespace

struct BeastHttpClient::Impl {
  std::mutex mutex;  // guards the rest
  std::string ca_file;
  TlsContext tls;
  std::vector<Connection> idle;

  Result<ssl_ctx_st*> tls_context() {
    std::lock_guard lock(mutex);
    if (!tls) {
      OREE_TRY_ASSIGN(tls, make_client_tls(ca_file));
    }
    return tls.get();
  }

  std::optional<Connection> take_idle(const std::string& key) {
    std::lock_guard lock(mutex);
    auto it = std::find_if(idle.begin(), idle.end(), [&](const Connection& c) { return c.key == key; });
    if (it == idle.end()) return std::nullopt;
    Connection c = std::move(*it);
    idle.erase(it);
    // Something to read before we asked: the peer hung up.
    if (c.transport->readable()) return std::nullopt;
    return c;
  }

  void keep(Connection c) {
    std::lock_guard lock(mutex);
    c.used = true;
    if (idle.size() >= kIdleMax) idle.erase(idle.begin());
    idle.push_back(std::move(c));
  }

  Status open_tunnel(Connection& c, const Url& url, const Proxy& proxy, int64_t timeout_ms) {
    std::string host = url.host.find(':') == std::string::npos ? url.host : "[" + url.host + "]";
    std::string text = fmt::format("CONNECT {0}:{1} HTTP/1.1\r\nHost: {0}:{1}\r\n", host, url.port);
    if (!proxy.authorization.empty()) text += "Proxy-Authorization: " + proxy.authorization + "\r\n";
    OREE_TRY(c.transport->write_all(text + "\r\n", timeout_ms));
    std::optional<Parser> answer;
    OREE_TRY(read_head(c, answer, true, 0, timeout_ms));
    unsigned status = answer->get().result_int();
    if (status / 100 != 2)
      return Error(Code::kUnavailable, fmt::format("proxy refused the tunnel with status {}", status));
    if (!c.ahead.empty()) return Error(Code::kInvalid, "proxy sent data before the tunnel was used");
    return {};
  }

  Result<Connection> connect(const Url& url, const std::optional<Proxy>& proxy, const std::string& key,
                             int64_t timeout_ms) {
    Deadline deadline = deadline_in(timeout_ms);
    const Url& next = proxy ? proxy->url : url;
    Connection c;
    c.key = key;
    OREE_TRY_ASSIGN(c.transport, Transport::connect(next.host, next.port, deadline));
    if (url.scheme == "https") {
      if (proxy) OREE_TRY(open_tunnel(c, url, *proxy, timeout_ms));
      OREE_TRY_ASSIGN(ssl_ctx_st * context, tls_context());
      OREE_TRY(c.transport->start_tls(context, url.host, deadline_in(timeout_ms)));
    }
    return c;
  }
};

BeastHttpClient::BeastHttpClient() : impl_(std::make_unique<Impl>()) {}
BeastHttpClient::~BeastHttpClient() = default;
void BeastHttpClient::set_ca_file(const std::string& path) {
  std::lock_guard lock(impl_->mutex);
  if (impl_->ca_file == path) return;
  impl_->ca_file = path;
  impl_->tls.reset();  // a connection that is open holds on to its own
  impl_->idle.clear();
}

Result<HttpResponse> BeastHttpClient::send(const HttpRequest& request, const HttpHead& head, const HttpSink& sink) {
  OREE_TRY_ASSIGN(Url url, parse_url(request.url));
  auto environment = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value ? value : "");
  };
  OREE_TRY_ASSIGN(std::optional<Proxy> proxy, proxy_for(url, environment));
  RequestBody body{request.body, nullptr};
  if (!request.body_file.empty()) {
    OREE_TRY_ASSIGN(body.file, PosixFiles().open(request.body_file));
  }
  OREE_TRY_ASSIGN(std::string text, request_head(request, url, proxy, body.size()));
  std::string key = fmt::format("{}://{}:{} {}:{}", url.scheme, url.host, url.port, proxy ? proxy->url.host : "",
                                proxy ? proxy->url.port : 0);
  Error failure(Code::kUnavailable, request.url);
  for (int attempt = 0; attempt < 2; ++attempt) {
    std::optional<Connection> c = attempt == 0 ? impl_->take_idle(key) : std::nullopt;
    if (!c) {
      Result<Connection> fresh = impl_->connect(url, proxy, key, request.timeout_ms);
      if (!fresh.ok()) return fresh.error().within(request.url);
      c = std::move(fresh).value();
    }
    std::optional<Parser> parser;
    bool complete = true;
    auto exchange = [&]() -> Status {
      OREE_TRY(c->transport->write_all(text, request.timeout_ms));
      OREE_TRY_ASSIGN(complete, write_body(*c->transport, body, request.timeout_ms));
      uint64_t limit = sink ? std::numeric_limits<uint64_t>::max() : static_cast<uint64_t>(kHttpBodyBytesMax);
      return read_head(*c, parser, request.method == "HEAD", limit, request.timeout_ms);
    };
    Status answered = exchange();
    if (!answered.ok()) {
      // A kept connection may have died of age in the very moment we used it. A question may be asked twice; an order
      // may not, since it may have been carried out.
      bool again = c->used && (request.method == "GET" || request.method == "HEAD") &&
                   answered.error().code() == Code::kUnavailable && c->ahead.empty() && !(parser && parser->got_some());
      if (again) continue;
      return answered.error().within(request.url);
    }
    HttpResponse response = head_of(*parser);
    if (head) OREE_TRY(head(response));
    auto collect = [&](ByteView chunk) -> Status {
      response.body.append(as_text(chunk));
      return {};
    };
    std::optional<Error> refused;  // the sink's own error goes to the caller as it is
    auto guarded = [&](ByteView chunk) -> Status {
      Status s = sink ? sink(chunk) : collect(chunk);
      if (!s.ok()) refused = s.error();
      return s;
    };
    Status received = read_body(*c, *parser, request.timeout_ms, guarded);
    if (refused) return *refused;
    if (!received.ok()) return received.error().within(request.url);
    if (complete && parser->keep_alive() && c->ahead.empty() && !parser->need_eof()) impl_->keep(std::move(*c));
    return response;
  }
  return failure;
}

}  // namespace oree
