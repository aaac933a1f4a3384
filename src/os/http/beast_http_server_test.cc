// SPDX-License-Identifier: Apache-2.0
// The server against real sockets, through peers that misbehave.
#include "os/http/beast_http_server.h"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "core/base/limits.h"

namespace oree {
namespace {

class MemoryFile : public ReadFile {
 public:
  explicit MemoryFile(Bytes bytes) : bytes_(std::move(bytes)) {}
  int64_t size() const override { return static_cast<int64_t>(bytes_.size()); }
  Result<Bytes> read_at(int64_t offset, int64_t size) override {
    size = std::min(size, this->size() - offset);
    return Bytes(bytes_.begin() + offset, bytes_.begin() + offset + size);
  }

 private:
  Bytes bytes_;
};

// GET /file: 1 MB; PUT /count: how many bytes came; POST /refuse: answered from the head; anything else: the path.
class TestHandler : public HttpHandler {
 public:
  struct Sink : RequestSink {
    Sink(TestHandler& handler, ServerRequest head) : handler_(handler), head_(std::move(head)) { ++handler_.open; }
    ~Sink() override { --handler_.open; }
    std::optional<ServerResponse> write(ByteView chunk) override {
      bytes_ += chunk.size();
      return std::nullopt;
    }
    ServerResponse finish() override {
      ServerResponse r;
      ++handler_.finished;
      r.body = head_.target;
      if (head_.target == "/count") r.body = std::to_string(bytes_);
      if (head_.target == "/file") {
        r.file = handler_.file;
        r.length = r.file->size();
      }
      return r;
    }
    TestHandler& handler_;
    ServerRequest head_;
    size_t bytes_ = 0;
  };
  RequestPlan begin(const ServerRequest& head) override {
    RequestPlan plan;
    if (head.target == "/refuse") {
      plan.answer = ServerResponse{403, {}, "no", nullptr, 0, 0};
      return plan;
    }
    plan.body_bytes_max = 10'000'000;
    plan.sink = std::make_unique<Sink>(*this, head);
    return plan;
  }
  void tick() override { ++ticks; }

  std::atomic<int> open{0}, finished{0}, ticks{0};
  std::shared_ptr<ReadFile> file = std::make_shared<MemoryFile>(Bytes(1'000'000, 'f'));
};

struct Fixture {
  explicit Fixture(HttpServerOptions options = {}) {
    options.listen = "127.0.0.1:0";
    options.threads = 4;
    server = std::make_unique<BeastHttpServer>(handler, options);
    REQUIRE(server->start().ok());
    port = std::stoi(server->url().substr(server->url().rfind(':') + 1));
  }
  TestHandler handler;
  std::unique_ptr<BeastHttpServer> server;
  int port = 0;
};

// A client that sends exactly what it is told; nothing waits longer than ten seconds.
class Socket {
 public:
  explicit Socket(int port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    timeval limit{10, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected = ::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }
  ~Socket() { ::close(fd_); }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  bool send(std::string_view text) {
    while (!text.empty()) {
      ssize_t n = ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
      if (n <= 0) return false;
      text.remove_prefix(static_cast<size_t>(n));
    }
    return true;
  }
  // Until the peer closes.
  std::string all() {
    char buffer[65536];
    for (ssize_t n = 0; (n = ::recv(fd_, buffer, sizeof buffer, 0)) > 0;) ahead_.append(buffer, static_cast<size_t>(n));
    return ahead_;
  }
  // One response with a Content-Length; "" when the connection ends before.
  std::string response(bool head_only = false) {
    char buffer[65536];
    for (;;) {
      size_t end = ahead_.find("\r\n\r\n");
      if (end != std::string::npos) {
        size_t at = ahead_.find("Content-Length: ");
        size_t length = at < end && !head_only ? std::stoul(ahead_.substr(at + 16)) : 0;
        if (ahead_.size() >= end + 4 + length) {
          std::string one = ahead_.substr(0, end + 4 + length);
          ahead_.erase(0, one.size());
          return one;
        }
      }
      ssize_t n = ::recv(fd_, buffer, sizeof buffer, 0);
      if (n <= 0) return "";
      ahead_.append(buffer, static_cast<size_t>(n));
    }
  }
  bool connected = false;

 private:
  int fd_;
  std::string ahead_;
};

bool starts(const std::string& text, std::string_view with) { return text.compare(0, with.size(), with) == 0; }

template <typename Condition>
bool soon(Condition condition) {
  for (int i = 0; i < 1000 && !condition(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  return condition();
}

}  // namespace

TEST_CASE("a connection is kept, pipelined requests are answered in order, HEAD has no body") {
  Fixture f;
  Socket s(f.port);
  s.send("GET /a HTTP/1.1\r\nHost: x\r\n\r\nGET /b HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(s.response().ends_with("\r\n\r\n/a"));
  CHECK(s.response().ends_with("\r\n\r\n/b"));
  s.send("HEAD /file HTTP/1.1\r\nHost: x\r\n\r\n");
  std::string head = s.response(true);
  CHECK(head.find("Content-Length: 1000000\r\n") != std::string::npos);
  s.send("GET /file HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  std::string file = s.all();
  CHECK(file.size() - file.find("\r\n\r\n") - 4 == 1'000'000);
}

TEST_CASE("bodies come by length, in chunks, and after 100 Continue") {
  Fixture f;
  Socket s(f.port);
  std::string body(300'000, 'x');
  s.send("PUT /count HTTP/1.1\r\nHost: x\r\nContent-Length: 300000\r\n\r\n" + body);
  CHECK(s.response().ends_with("\r\n\r\n300000"));
  s.send("PUT /count HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n3\r\nefg\r\n0\r\n\r\n");
  CHECK(s.response().ends_with("\r\n\r\n7"));
  s.send("PUT /count HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
  CHECK(starts(s.response(true), "HTTP/1.1 100 "));
  s.send("12345");
  CHECK(s.response().ends_with("\r\n\r\n5"));
}

TEST_CASE("a body that is not wanted or too long is refused without reading it all") {
  Fixture f;
  {
    Socket s(f.port);
    s.send("POST /refuse HTTP/1.1\r\nHost: x\r\nContent-Length: 5000000\r\n\r\n" + std::string(200'000, 'x'));
    CHECK(starts(s.response(), "HTTP/1.1 403 "));
  }
  {
    Socket s(f.port);
    s.send("PUT /count HTTP/1.1\r\nHost: x\r\nContent-Length: 10000001\r\n\r\n");
    CHECK(starts(s.response(), "HTTP/1.1 413 "));
  }
  {
    Socket s(f.port);
    s.send("PUT /count HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999\r\n\r\n");
    CHECK(starts(s.response(), "HTTP/1.1 413 "));
  }
  {
    Socket s(f.port);
    s.send("PUT /count HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    std::string chunk = "100000\r\n" + std::string(0x100000, 'x') + "\r\n";
    for (int i = 0; i < 10 && s.send(chunk); ++i) {
    }
    CHECK(starts(s.response(), "HTTP/1.1 413 "));
  }
  CHECK(f.handler.finished == 0);
  CHECK(soon([&] { return f.handler.open == 0; }));
}

TEST_CASE("heads that are huge or no HTTP are refused") {
  Fixture f;
  struct Case {
    std::string sent, answer;
  };
  const Case cases[] = {
      {"GET / HTTP/1.1\r\nX: " + std::string(40'000, 'x') + "\r\n\r\n", "HTTP/1.1 431 "},
      {"GET /" + std::string(40'000, 'x') + " HTTP/1.1\r\n\r\n", "HTTP/1.1 431 "},
      {"nonsense\r\n\r\n", "HTTP/1.1 400 "},
      {"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", "HTTP/1.1 400 "},
      {"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "HTTP/1.1 400 "},
      {std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11) + std::string(200, 'x'), "HTTP/1.1 400 "},
  };
  for (const Case& c : cases) {
    Socket s(f.port);
    s.send(c.sent);
    INFO(c.sent.substr(0, 60));
    CHECK(starts(s.response(), c.answer));
  }
  CHECK(f.handler.finished == 0);
}

TEST_CASE("a slow peer is cut at its deadline: head, body, idle") {
  HttpServerOptions quick;
  quick.header_ms = 150;
  quick.idle_ms = 150;
  quick.chunk_ms = 150;
  Fixture f(quick);
  Socket drips(f.port), stalls(f.port), idles(f.port);
  stalls.send("PUT /count HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nabc");
  idles.send("GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(idles.response().ends_with("/a"));
  std::string head = "GET / HTTP/1.1\r\nX: " + std::string(2000, 'x');
  for (size_t i = 0; i < head.size() && drips.send(head.substr(i, 1)); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  CHECK(drips.all().empty());
  CHECK(stalls.all().empty());
  CHECK(idles.all().empty());
  CHECK(soon([&] { return f.server->connections() == 0; }));
  CHECK(f.handler.open == 0);
  CHECK(f.handler.finished == 1);
}

TEST_CASE("a peer that does not read is cut") {
  HttpServerOptions quick;
  quick.chunk_ms = 150;
  Fixture f(quick);
  f.handler.file = std::make_shared<MemoryFile>(Bytes(32'000'000, 'f'));
  Socket s(f.port);
  s.send("GET /file HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(soon([&] { return f.handler.finished == 1; }));
  CHECK(soon([&] { return f.server->connections() == 0; }));
}

TEST_CASE("more connections than allowed are closed, and the places are given again") {
  HttpServerOptions few;
  few.connections_max = 2;
  Fixture f(few);
  {
    Socket a(f.port), b(f.port);
    CHECK(soon([&] { return f.server->connections() == 2; }));
    Socket c(f.port);
    CHECK(c.all().empty());
    a.send("GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK(a.response().ends_with("/a"));
  }
  CHECK(soon([&] { return f.server->connections() == 0; }));
  Socket d(f.port);
  d.send("GET /d HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(d.response().ends_with("/d"));
}

TEST_CASE("sixty-four clients at once") {
  Fixture f;
  std::atomic<int> right{0};
  std::vector<std::thread> clients;
  clients.reserve(64);
  for (int c = 0; c < 64; ++c) {
    clients.emplace_back([&f, &right, c] {
      Socket s(f.port);
      for (int i = 0; i < 20; ++i) {
        std::string path = "/" + std::to_string(c) + "/" + std::to_string(i);
        s.send("GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\n");
        right += s.response().ends_with("\r\n\r\n" + path);
      }
    });
  }
  for (auto& client : clients) client.join();
  CHECK(right == 64 * 20);
}

TEST_CASE("stopping ends idle connections at once and lets none in") {
  Fixture f;
  Socket idle(f.port), never_spoke(f.port);
  idle.send("GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(idle.response().ends_with("/a"));
  CHECK(soon([&] { return f.handler.ticks > 0; }));
  auto before = std::chrono::steady_clock::now();
  f.server->stop();
  CHECK(std::chrono::steady_clock::now() - before < std::chrono::seconds(5));
  CHECK(idle.all().empty());
  CHECK(!Socket(f.port).connected);
}

TEST_CASE("addresses that are wrong or taken are named") {
  Fixture f;
  for (const char* wrong : {"", "8080", "localhost:", "localhost:x", "localhost:70000", "::1:80", "[::1:80", "[]:80"}) {
    HttpServerOptions options;
    options.listen = wrong;
    INFO(wrong);
    CHECK(BeastHttpServer(f.handler, options).start().error().code() == Code::kUsage);
  }
  HttpServerOptions taken;
  taken.listen = "127.0.0.1:" + std::to_string(f.port);
  CHECK(BeastHttpServer(f.handler, taken).start().error().code() == Code::kUnavailable);
  HttpServerOptions half;
  half.listen = "127.0.0.1:0";
  half.certificate_file = "cert.pem";
  CHECK(BeastHttpServer(f.handler, half).start().error().code() == Code::kUsage);
  half.key_file = "absent.key";
  CHECK(BeastHttpServer(f.handler, half).start().error().code() == Code::kUsage);
  HttpServerOptions every;
  every.listen = ":0";
  BeastHttpServer both(f.handler, every);
  REQUIRE(both.start().ok());
  Socket s(std::stoi(both.url().substr(both.url().rfind(':') + 1)));
  CHECK(s.connected);
}

}  // namespace oree
