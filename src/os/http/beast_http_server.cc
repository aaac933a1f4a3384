// SPDX-License-Identifier: Apache-2.0
#include "os/http/beast_http_server.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <mutex>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>

#include "core/base/limits.h"
#include "core/base/log.h"

namespace oree {
namespace {

namespace net = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using boost::system::error_code;
using net::ip::tcp;
using std::chrono::milliseconds;
using Parser = http::request_parser<http::buffer_body>;

constexpr auto kAwait = net::use_awaitable;

struct Endpoint {
  std::string host, port;
};

Result<Endpoint> parse_listen(const std::string& text) {
  Error wrong(Code::kUsage, "listen address: expected HOST:PORT, [IPv6]:PORT or :PORT, found \"" + text + "\"");
  size_t colon = text.rfind(':');
  if (colon == std::string::npos) return wrong;
  Endpoint e{text.substr(0, colon), text.substr(colon + 1)};
  if (e.port.empty() || e.port.size() > 5 || e.port.find_first_not_of("0123456789") != std::string::npos ||
      std::stoi(e.port) > 65535) {
    return wrong;
  }
  if (!e.host.empty() && e.host.front() == '[') {
    if (e.host.size() < 3 || e.host.back() != ']') return wrong;
    e.host = e.host.substr(1, e.host.size() - 2);
  } else if (e.host.find(':') != std::string::npos) {
    return wrong;
  }
  return e;
}

ServerRequest request_of(const Parser& parser, const std::string& peer) {
  const auto& head = parser.get();
  ServerRequest r;
  r.method = std::string(head.method_string());
  r.target = std::string(head.target());
  r.peer = peer;
  for (const auto& field : head) {
    std::string name(field.name_string());
    for (char& c : name) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    std::string& value = r.headers[name];
    if (!value.empty()) value += ", ";
    value += std::string(field.value());
  }
  return r;
}

ServerResponse plain(int status, const char* error, const char* reason) {
  ServerResponse r;
  r.status = status;
  r.headers["content-type"] = "application/json";
  r.body = std::string("{\"error\":\"") + error + "\",\"reason\":\"" + reason + "\"}\n";
  return r;
}

ServerResponse refusal_of(error_code ec) {
  if (ec == http::error::header_limit) return plain(431, "exhausted", "the request's head is too large");
  if (ec == http::error::body_limit) return plain(413, "exhausted", "the body is too large");
  return plain(400, "invalid", "not an HTTP/1.1 request");
}

// One open connection, as stop() sees it. `socket` and `idle` are touched only on the connection's strand.
struct Connection {
  beast::tcp_stream* socket = nullptr;
  net::any_io_executor executor;
  bool idle = true;  // waits for the next request: may be cut without loss
};

}  // namespace

struct BeastHttpServer::Impl {
  HttpHandler& handler;
  HttpServerOptions options;
  net::io_context io;
  net::strand<net::io_context::executor_type> strand{io.get_executor()};  // of the acceptor and the signals
  net::strand<net::io_context::executor_type> tick_strand{io.get_executor()};
  tcp::acceptor acceptor{strand};
  net::signal_set signals{strand};
  net::steady_timer ticker{tick_strand};
  std::optional<net::ssl::context> tls;
  std::vector<std::thread> threads;
  std::string url;
  std::atomic<bool> stopping{false};
  std::mutex mutex;
  std::condition_variable changed;
  bool signalled = false;                             // under mutex
  std::set<std::shared_ptr<Connection>> connections;  // under mutex

  Impl(HttpHandler& h, HttpServerOptions o) : handler(h), options(std::move(o)) {
    if (options.threads <= 0) options.threads = kServerThreads;
    if (options.connections_max <= 0) options.connections_max = kServerConnectionsMax;
  }

  Status bind();
  Status load_tls();
  net::awaitable<void> accept_loop();
  net::awaitable<void> tick_loop();
  net::awaitable<void> serve(beast::tcp_stream stream, std::shared_ptr<Connection> connection, std::string peer);
  template <typename Stream>
  net::awaitable<void> requests(Stream& stream, Connection& connection, std::string peer);
  template <typename Stream>
  net::awaitable<bool> exchange(Stream& stream, beast::flat_buffer& buffer, Parser& parser, const std::string& peer);
  template <typename Stream>
  net::awaitable<std::optional<ServerResponse>> read_body(Stream& stream, beast::flat_buffer& buffer, Parser& parser,
                                                          RequestPlan& plan, bool& cut);
  template <typename Stream>
  net::awaitable<bool> respond(Stream& stream, const ServerResponse& response, bool head_only, bool keep,
                               unsigned version);
  void forget(const std::shared_ptr<Connection>& connection);
};

Status BeastHttpServer::Impl::load_tls() {
  if (options.certificate_file.empty() != options.key_file.empty()) {
    return Error(Code::kUsage, "TLS needs both a certificate and a key file");
  }
  if (options.certificate_file.empty()) return {};
  tls.emplace(net::ssl::context::tls_server);
  error_code ec;
  tls->set_options(net::ssl::context::default_workarounds | net::ssl::context::no_sslv2 | net::ssl::context::no_sslv3 |
                       net::ssl::context::no_tlsv1 | net::ssl::context::no_tlsv1_1,
                   ec);
  if (!ec) tls->use_certificate_chain_file(options.certificate_file, ec);
  if (ec) return Error(Code::kUsage, "certificate " + options.certificate_file + ": " + ec.message());
  tls->use_private_key_file(options.key_file, net::ssl::context::pem, ec);
  if (ec) return Error(Code::kUsage, "key " + options.key_file + ": " + ec.message());
  return {};
}

Status BeastHttpServer::Impl::bind() {
  OREE_TRY_ASSIGN(Endpoint where, parse_listen(options.listen));
  error_code ec;
  tcp::endpoint endpoint(tcp::v6(), static_cast<uint16_t>(std::stoi(where.port)));
  bool every = where.host.empty();
  if (!every) {
    tcp::resolver resolver(io);
    auto found = resolver.resolve(where.host, where.port, tcp::resolver::passive, ec);
    if (ec || found.empty()) return Error(Code::kUsage, "listen address " + options.listen + ": " + ec.message());
    endpoint = found.begin()->endpoint();
  }
  acceptor.open(endpoint.protocol(), ec);
  if (ec && every) {  // a machine without IPv6
    endpoint = tcp::endpoint(tcp::v4(), endpoint.port());
    acceptor.open(endpoint.protocol(), ec);
  }
  if (!ec) acceptor.set_option(net::socket_base::reuse_address(true), ec);
  if (!ec && every && endpoint.address().is_v6()) acceptor.set_option(net::ip::v6_only(false), ec);
  if (!ec) acceptor.bind(endpoint, ec);
  if (!ec) acceptor.listen(net::socket_base::max_listen_connections, ec);
  if (ec) return Error(Code::kUnavailable, "listening on " + options.listen + ": " + ec.message());
  endpoint = acceptor.local_endpoint(ec);
  std::string host = every ? "localhost" : endpoint.address().to_string();
  if (!every && endpoint.address().is_v6()) host = "[" + host + "]";
  url = std::string(tls ? "https://" : "http://") + host + ":" + std::to_string(endpoint.port());
  return {};
}

void BeastHttpServer::Impl::forget(const std::shared_ptr<Connection>& connection) {
  std::lock_guard lock(mutex);
  connections.erase(connection);
  changed.notify_all();
}

net::awaitable<void> BeastHttpServer::Impl::accept_loop() {
  while (!stopping) {
    error_code ec;
    auto own_strand = net::make_strand(io);
    tcp::socket socket(own_strand);
    co_await acceptor.async_accept(socket, net::redirect_error(kAwait, ec));
    if (ec == net::error::operation_aborted || ec == net::error::bad_descriptor) co_return;
    if (ec) {  // out of file descriptors, most likely: wait for some to be closed
      log_warn("http", "accepting a connection: " + ec.message());
      net::steady_timer pause(strand, milliseconds(100));
      co_await pause.async_wait(net::redirect_error(kAwait, ec));
      continue;
    }
    auto connection = std::make_shared<Connection>();
    connection->executor = own_strand;
    {
      std::lock_guard lock(mutex);
      if (static_cast<int>(connections.size()) >= options.connections_max) continue;  // closes the socket
      connections.insert(connection);
    }
    socket.set_option(tcp::no_delay(true), ec);
    tcp::endpoint remote = socket.remote_endpoint(ec);
    std::string peer = ec ? "?" : remote.address().to_string();
    net::co_spawn(own_strand, serve(beast::tcp_stream(std::move(socket)), connection, peer),
                  [this, connection](std::exception_ptr failure) {
                    if (failure) log_error("http", "a connection ended by an exception");
                    forget(connection);
                  });
  }
}

net::awaitable<void> BeastHttpServer::Impl::tick_loop() {
  while (!stopping) {
    error_code ec;
    ticker.expires_after(milliseconds(1000));
    co_await ticker.async_wait(net::redirect_error(kAwait, ec));
    if (ec || stopping) co_return;
    handler.tick();
  }
}

net::awaitable<void> BeastHttpServer::Impl::serve(beast::tcp_stream stream, std::shared_ptr<Connection> connection,
                                                  std::string peer) {
  error_code ec;
  connection->socket = &stream;
  if (tls) {
    beast::ssl_stream<beast::tcp_stream> secure(std::move(stream), *tls);
    connection->socket = &beast::get_lowest_layer(secure);
    beast::get_lowest_layer(secure).expires_after(milliseconds(options.header_ms));
    co_await secure.async_handshake(net::ssl::stream_base::server, net::redirect_error(kAwait, ec));
    if (!ec) co_await requests(secure, *connection, peer);
    connection->socket = nullptr;
  } else {
    co_await requests(stream, *connection, peer);
    connection->socket = nullptr;
  }
}

template <typename Stream>
net::awaitable<void> BeastHttpServer::Impl::requests(Stream& stream, Connection& connection, std::string peer) {
  auto& socket = beast::get_lowest_layer(stream);
  beast::flat_buffer buffer(kHttpHeaderBytesMax + kServerChunkBytes);
  error_code ec;
  bool more = true;
  for (bool first = true; more && !stopping; first = false) {
    Parser parser;
    parser.header_limit(kHttpHeaderBytesMax);
    parser.body_limit(static_cast<uint64_t>(kBundleBytesMax));
    socket.expires_after(milliseconds(first ? options.header_ms : options.idle_ms));
    connection.idle = true;
    co_await http::async_read_header(stream, buffer, parser, net::redirect_error(kAwait, ec));
    connection.idle = false;
    if (!ec) {
      more = co_await exchange(stream, buffer, parser, peer);
      continue;
    }
    if (ec == http::error::end_of_stream || ec == http::error::partial_message ||
        ec.category() != make_error_code(http::error::end_of_stream).category()) {
      co_return;  // the peer went away, was too slow, or the server stops
    }
    more = false;
    ServerResponse refusal = refusal_of(ec);
    co_await respond(stream, refusal, false, false, 11);
  }
  socket.socket().shutdown(tcp::socket::shutdown_send, ec);
  // Bytes still on their way would make the kernel reset the connection, and the peer lose our last answer.
  socket.expires_after(milliseconds(std::min(2000, options.chunk_ms)));
  std::array<char, 4096> rest;
  for (int64_t drained = 0; !ec && drained < kHttpBodyBytesMax;) {
    drained +=
        static_cast<int64_t>(co_await socket.async_read_some(net::buffer(rest), net::redirect_error(kAwait, ec)));
  }
}

// One request and its response; false when the connection must be closed.
template <typename Stream>
net::awaitable<bool> BeastHttpServer::Impl::exchange(Stream& stream, beast::flat_buffer& buffer, Parser& parser,
                                                     const std::string& peer) {
  ServerRequest request = request_of(parser, peer);
  bool head_only = request.method == "HEAD";
  unsigned version = parser.get().version();
  RequestPlan plan = handler.begin(request);
  std::optional<ServerResponse> response;
  bool keep = parser.keep_alive() && !stopping, cut = false;
  auto length = parser.content_length();
  if (plan.answer) {
    response = std::move(plan.answer);
    keep = keep && parser.is_done();
  } else if (length && *length > static_cast<uint64_t>(plan.body_bytes_max)) {
    response = plain(413, "exhausted", "the body is too large");
    keep = false;
  } else {
    response = co_await read_body(stream, buffer, parser, plan, cut);
    if (cut) co_return false;
    if (response)
      keep = false;
    else
      response = plan.sink->finish();
  }
  bool sent = co_await respond(stream, *response, head_only, keep, version);
  co_return sent&& keep;
}

// Reads the body into the plan's sink. A response means refused; `cut` means that the peer went away.
template <typename Stream>
net::awaitable<std::optional<ServerResponse>> BeastHttpServer::Impl::read_body(Stream& stream,
                                                                               beast::flat_buffer& buffer,
                                                                               Parser& parser, RequestPlan& plan,
                                                                               bool& cut) {
  auto& socket = beast::get_lowest_layer(stream);
  error_code ec;
  if (!parser.is_done() && beast::iequals(parser.get()[http::field::expect], "100-continue")) {
    http::response<http::empty_body> go(http::status::continue_, 11);
    socket.expires_after(milliseconds(options.chunk_ms));
    co_await http::async_write(stream, go, net::redirect_error(kAwait, ec));
    if (ec) {
      cut = true;
      co_return std::nullopt;
    }
  }
  std::vector<char> chunk(parser.is_done() ? 0 : kServerChunkBytes);
  int64_t total = 0;
  while (!parser.is_done()) {
    parser.get().body().data = chunk.data();
    parser.get().body().size = chunk.size();
    socket.expires_after(milliseconds(options.chunk_ms));
    co_await http::async_read(stream, buffer, parser, net::redirect_error(kAwait, ec));
    if (ec == http::error::need_buffer) ec = {};
    if (ec) {
      cut = true;
      co_return std::nullopt;
    }
    size_t got = chunk.size() - parser.get().body().size;
    total += static_cast<int64_t>(got);
    if (total > plan.body_bytes_max) co_return plain(413, "exhausted", "the body is too large");
    auto refused = plan.sink->write(ByteView(reinterpret_cast<const uint8_t*>(chunk.data()), got));
    if (refused) co_return refused;
  }
  co_return std::nullopt;
}

template <typename Stream>
net::awaitable<bool> BeastHttpServer::Impl::respond(Stream& stream, const ServerResponse& response, bool head_only,
                                                    bool keep, unsigned version) {
  auto& socket = beast::get_lowest_layer(stream);
  error_code ec;
  http::response<http::empty_body> head(static_cast<http::status>(response.status), version);
  for (const auto& [name, value] : response.headers) head.set(name, value);
  head.keep_alive(keep);
  int64_t length = response.file ? response.length : static_cast<int64_t>(response.body.size());
  if (response.status != 304 && response.status != 204) head.content_length(static_cast<uint64_t>(length));
  socket.expires_after(milliseconds(options.chunk_ms));
  co_await http::async_write(stream, head, net::redirect_error(kAwait, ec));
  if (ec) co_return false;
  if (head_only) co_return true;
  if (!response.file) {
    for (size_t at = 0; at < response.body.size() && !ec; at += kServerChunkBytes) {
      size_t size = std::min<size_t>(kServerChunkBytes, response.body.size() - at);
      socket.expires_after(milliseconds(options.chunk_ms));
      co_await net::async_write(stream, net::buffer(response.body.data() + at, size), net::redirect_error(kAwait, ec));
    }
    co_return !ec;
  }
  for (int64_t at = 0; at < length;) {
    auto bytes = response.file->read_at(response.offset + at, std::min<int64_t>(kServerChunkBytes, length - at));
    if (!bytes.ok() || bytes->empty()) co_return false;  // the length is promised: only closing tells the peer
    socket.expires_after(milliseconds(options.chunk_ms));
    co_await net::async_write(stream, net::buffer(*bytes), net::redirect_error(kAwait, ec));
    if (ec) co_return false;
    at += static_cast<int64_t>(bytes->size());
  }
  co_return true;
}

BeastHttpServer::BeastHttpServer(HttpHandler& handler, HttpServerOptions options)
    : impl_(std::make_unique<Impl>(handler, std::move(options))) {}

BeastHttpServer::~BeastHttpServer() { stop(); }

Status BeastHttpServer::start() {
  OREE_TRY(impl_->load_tls());
  OREE_TRY(impl_->bind());
  error_code ec;
  impl_->signals.add(SIGTERM, ec);
  impl_->signals.add(SIGINT, ec);
  impl_->signals.async_wait([impl = impl_.get()](error_code failed, int) {
    if (failed) return;
    std::lock_guard lock(impl->mutex);
    impl->signalled = true;
    impl->changed.notify_all();
  });
  net::co_spawn(impl_->strand, impl_->accept_loop(), net::detached);
  net::co_spawn(impl_->tick_strand, impl_->tick_loop(), net::detached);
  for (int i = 0; i < impl_->options.threads; ++i) {
    impl_->threads.emplace_back([impl = impl_.get()] { impl->io.run(); });
  }
  return {};
}

std::string BeastHttpServer::url() const { return impl_->url; }

int BeastHttpServer::connections() const {
  std::lock_guard lock(impl_->mutex);
  return static_cast<int>(impl_->connections.size());
}

void BeastHttpServer::wait_for_signal() {
  std::unique_lock lock(impl_->mutex);
  impl_->changed.wait(lock, [&] { return impl_->signalled; });
}

void BeastHttpServer::stop() {
  Impl& impl = *impl_;
  if (impl.stopping.exchange(true)) return;
  if (impl.threads.empty()) return;
  // Each of these lives on its strand and is closed there.
  net::post(impl.strand, [&impl] {
    error_code ec;
    impl.acceptor.close(ec);
    impl.signals.cancel(ec);
  });
  net::post(impl.tick_strand, [&impl] { impl.ticker.cancel(); });
  {
    std::unique_lock lock(impl.mutex);
    for (const auto& connection : impl.connections) {
      net::post(connection->executor, [connection] {
        if (connection->idle && connection->socket) connection->socket->cancel();
      });
    }
    impl.changed.wait_for(lock, milliseconds(impl.options.stop_ms), [&] { return impl.connections.empty(); });
    if (!impl.connections.empty()) {
      log_warn("http", std::to_string(impl.connections.size()) + " connections cut at stop");
    }
  }
  impl.io.stop();
  for (auto& thread : impl.threads) thread.join();
}

}  // namespace oree
