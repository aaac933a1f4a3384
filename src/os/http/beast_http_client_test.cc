// SPDX-License-Identifier: Apache-2.0
#include "os/http/beast_http_client.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cstdlib>

#include "core/base/limits.h"
#include "os/http/proxy.h"
#include "os/http/test_peer.h"
#include "os/posix/posix_files.h"

using namespace oree;

namespace {

std::string ok_answer(const std::string& body, const std::string& more = "") {
  return fmt::format("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n{}\r\n{}", body.size(), more, body);
}

HttpRequest get(const std::string& url, int64_t timeout_ms = 5000) {
  HttpRequest r;
  r.url = url;
  r.timeout_ms = timeout_ms;
  return r;
}

struct EnvGuard {
  std::string name;
  EnvGuard(const char* n, const std::string& value) : name(n) { setenv(n, value.c_str(), 1); }
  ~EnvGuard() { unsetenv(name.c_str()); }
};

}  // namespace

TEST_CASE("a GET brings status, headers in lower case and the body, over one kept connection") {
  TestPeer peer([](TestConnection& c) {
    while (c.read_request()) c.send(ok_answer("for " + c.request_line, "X-Two: a\r\nx-two: b\r\n"));
  });
  BeastHttpClient client;
  for (int i = 0; i < 3; ++i) {
    HttpResponse r = client.send(get(peer.url("/a?b=c"))).value();
    CHECK(r.status == 200);
    CHECK(r.body == "for GET /a?b=c HTTP/1.1");
    CHECK(r.headers.at("x-two") == "a, b");
  }
  CHECK(peer.connections() == 1);
  CHECK(peer.last_request().find("\r\nHost: 127.0.0.1:") != std::string::npos);
}

TEST_CASE("bodies arrive whole however the peer frames and cuts them") {
  std::string body(100'000, 'x');
  for (size_t i = 0; i < body.size(); ++i) body[i] = static_cast<char>('a' + i * 7 % 26);
  std::string chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (size_t i = 0; i < body.size(); i += 30'001) {
    std::string part = body.substr(i, 30'001);
    chunked += fmt::format("{:x};ext=1\r\n{}\r\n", part.size(), part);
  }
  chunked += "0\r\nTrailer: t\r\n\r\n";
  for (const std::string& answer :
       {ok_answer(body), chunked, "HTTP/1.0 200 OK\r\n\r\n" + body,
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\n" + ok_answer(body)}) {
    for (size_t piece : {size_t{1} << 20, size_t{1000}, size_t{37}}) {
      TestPeer peer([&](TestConnection& c) {
        c.read_request();
        for (size_t i = 0; i < answer.size(); i += piece) c.send(std::string_view(answer).substr(i, piece));
      });
      BeastHttpClient client;
      std::string got;
      bool head_first = false;
      auto head = [&](const HttpResponse& r) -> Status {
        head_first = r.status == 200 && got.empty();
        return {};
      };
      auto sink = [&](ByteView chunk) -> Status {
        got += as_text(chunk);
        return {};
      };
      HttpResponse r = client.send(get(peer.url("/")), head, sink).value();
      CHECK(head_first);
      CHECK(got == body);
      CHECK(r.body.empty());
      CHECK(client.send(get(peer.url("/"))).value().body == body);
    }
  }
}

TEST_CASE("a cut is seen wherever it falls") {
  std::string answer = ok_answer("0123456789");
  for (size_t size = 0; size < answer.size(); ++size) {
    TestPeer peer([&](TestConnection& c) {
      c.read_request();
      c.send(std::string_view(answer).substr(0, size));
    });
    CAPTURE(size);
    CHECK(BeastHttpClient().send(get(peer.url("/"))).error().code() == Code::kUnavailable);
  }
  TestPeer chunked([](TestConnection& c) {
    c.read_request();
    c.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n");
  });
  CHECK(BeastHttpClient().send(get(chunked.url("/"))).error().code() == Code::kUnavailable);
}

TEST_CASE("silence ends in time: before the head, inside the body, with a dripping head") {
  TestPeer mute([](TestConnection& c) { c.wait_closed(); });
  CHECK(BeastHttpClient().send(get(mute.url("/"), 50)).error().code() == Code::kUnavailable);
  TestPeer halted([](TestConnection& c) {
    c.read_request();
    c.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
    c.wait_closed();
  });
  std::string got;
  auto sink = [&](ByteView chunk) -> Status {
    got += as_text(chunk);
    return {};
  };
  CHECK(BeastHttpClient().send(get(halted.url("/"), 50), {}, sink).error().code() == Code::kUnavailable);
  CHECK(got == "abc");
  TestPeer dripping([](TestConnection& c) {
    c.read_request();
    c.send("HTTP/1.1 200 OK\r\n");
    while (!c.closed(5)) c.send("X: y\r\n");
  });
  CHECK(BeastHttpClient().send(get(dripping.url("/"), 100)).error().code() == Code::kUnavailable);
}

TEST_CASE("heads and bodies are bounded") {
  TestPeer big_head([](TestConnection& c) {
    c.read_request();
    c.send("HTTP/1.1 200 OK\r\nX: " + std::string(static_cast<size_t>(kHttpHeaderBytesMax) * 4, 'x') + "\r\n\r\n");
    c.wait_closed();
  });
  CHECK(BeastHttpClient().send(get(big_head.url("/"))).error().code() == Code::kInvalid);
  std::string body(static_cast<size_t>(kHttpBodyBytesMax) + 1, 'b');
  TestPeer big_body([&](TestConnection& c) {
    c.read_request();
    c.send(ok_answer(body));
  });
  CHECK(BeastHttpClient().send(get(big_body.url("/"))).error().code() == Code::kExhausted);
  size_t got = 0;
  auto sink = [&](ByteView chunk) -> Status {
    got += chunk.size();
    return {};
  };
  CHECK(BeastHttpClient().send(get(big_body.url("/")), {}, sink).ok());
  CHECK(got == body.size());
}

TEST_CASE("nonsense is invalid, never a crash") {
  for (std::string answer : {"SSH-2.0-x\r\n", "HTTP/1.1 abc\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
                             "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
                             "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
                             "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n"}) {
    TestPeer peer([&](TestConnection& c) {
      c.read_request();
      c.send(answer);
      c.wait_closed();
    });
    CAPTURE(answer);
    CHECK(BeastHttpClient().send(get(peer.url("/"))).error().code() == Code::kInvalid);
  }
}

TEST_CASE("an error of head or sink stops the transfer and comes back as it is") {
  TestPeer peer([](TestConnection& c) {
    while (c.read_request()) c.send(ok_answer(std::string(50'000, 'x')));
  });
  BeastHttpClient client;
  auto refuse_head = [](const HttpResponse&) -> Status { return Error(Code::kRefused, "head"); };
  auto refuse_body = [](ByteView) -> Status { return Error(Code::kExhausted, "disk"); };
  CHECK(client.send(get(peer.url("/")), refuse_head).error().message() == "head");
  CHECK(client.send(get(peer.url("/")), {}, refuse_body).error().message() == "disk");
  CHECK(client.send(get(peer.url("/"))).ok());
  CHECK(peer.connections() == 3);
}

TEST_CASE("bodies are sent from memory and from a file, and an early refusal is heard") {
  std::string big(3'000'000, 'u');
  std::string path = std::string(std::getenv("TMPDIR") ? std::getenv("TMPDIR") : "/tmp") + "/oree_http_XXXXXX";
  int fd = mkstemp(path.data());
  REQUIRE(fd >= 0);
  close(fd);
  REQUIRE(PosixFiles().write_atomic(path, as_bytes(big)).ok());
  TestPeer peer([](TestConnection& c) {
    while (c.read_request()) c.send(ok_answer(std::to_string(c.body.size()) + c.body.substr(0, 3)));
  });
  BeastHttpClient client;
  HttpRequest r = get(peer.url("/"));
  r.method = "POST";
  r.body = "abc";
  CHECK(client.send(r).value().body == "3abc");
  r.body.clear();
  CHECK(client.send(r).value().body == "0");
  CHECK(peer.last_request().find("Content-Length: 0\r\n") != std::string::npos);
  r.body_file = path;
  CHECK(client.send(r).value().body == "3000000uuu");
  r.body_file = path + ".none";
  CHECK(client.send(r).error().code() == Code::kNotFound);
  TestPeer refusing([](TestConnection& c) {
    c.read_head();
    c.send("HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno");
    c.drain();
  });
  r.body_file = path;
  r.url = refusing.url("/");
  CHECK(client.send(r).value().status == 413);
  CHECK(PosixFiles().remove(path).ok());
}

TEST_CASE("HEAD, 204 and 304 have no body to wait for") {
  TestPeer peer([](TestConnection& c) {
    while (c.read_request()) {
      bool head = c.request_line.starts_with("HEAD");
      c.send(head ? "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"
             : c.request_line.find("/304") != std::string::npos
                 ? "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n"
                 : "HTTP/1.1 204 No Content\r\n\r\n");
    }
  });
  BeastHttpClient client;
  HttpRequest r = get(peer.url("/"));
  r.method = "HEAD";
  CHECK(client.send(r).value().headers.at("content-length") == "1000");
  CHECK(client.send(get(peer.url("/204"))).value().status == 204);
  CHECK(client.send(get(peer.url("/304"))).value().status == 304);
}

TEST_CASE("a kept connection that the peer closed is replaced, for questions at least") {
  TestPeer peer([](TestConnection& c) {
    c.read_request();
    c.send(ok_answer("once"));
  });
  BeastHttpClient client;
  for (int i = 0; i < 5; ++i) CHECK(client.send(get(peer.url("/"))).value().body == "once");
  CHECK(peer.connections() == 5);
}

TEST_CASE("nobody there, no such name and forbidden headers are errors") {
  BeastHttpClient client;
  int port = TestPeer([](TestConnection&) {}).port();  // closed again
  CHECK(client.send(get(fmt::format("http://127.0.0.1:{}/", port))).error().code() == Code::kUnavailable);
  CHECK(client.send(get("http://no-such-host.invalid/")).error().code() == Code::kUnavailable);
  CHECK(client.send(get("ftp://h/")).error().code() == Code::kInvalid);
  for (auto [name, value] : {std::pair{"X", "a\r\nEvil: 1"}, std::pair{"X\n", "a"}, std::pair{"Host", "other"},
                             std::pair{"Content-Length", "5"}, std::pair{"Transfer-Encoding", "chunked"}}) {
    HttpRequest r = get("http://127.0.0.1:1/");
    r.headers[name] = value;
    CHECK(client.send(r).error().code() == Code::kInvalid);
  }
}

TEST_CASE("HTTPS: a certificate is accepted only from its own authority and for its own name") {
  TestAuthority authority;
  TestPeer peer(
      [](TestConnection& c) {
        while (c.read_request()) c.send(ok_answer("secret"));
      },
      authority.server_context("localhost"));
  BeastHttpClient client;
  client.set_ca_file(authority.ca_file());
  for (int i = 0; i < 3; ++i) CHECK(client.send(get(peer.url("/", "https", "localhost"))).value().body == "secret");
  CHECK(peer.connections() == 1);
  // The name is "localhost", not the address.
  Result<HttpResponse> wrong_name = client.send(get(peer.url("/", "https")));
  CHECK(wrong_name.error().code() == Code::kUnavailable);
  CHECK(wrong_name.error().message().find("mismatch") != std::string::npos);
  TestAuthority other;
  BeastHttpClient stranger;
  stranger.set_ca_file(other.ca_file());
  CHECK(stranger.send(get(peer.url("/", "https", "localhost"))).error().code() == Code::kUnavailable);
  BeastHttpClient roots;
  CHECK(roots.send(get(peer.url("/", "https", "localhost"))).error().code() == Code::kUnavailable);
  BeastHttpClient missing;
  missing.set_ca_file("/no/such/file");
  CHECK(missing.send(get(peer.url("/", "https", "localhost"))).error().code() == Code::kUsage);
  {
    EnvGuard env("SSL_CERT_FILE", authority.ca_file());
    BeastHttpClient by_environment;
    CHECK(by_environment.send(get(peer.url("/", "https", "localhost"))).ok());
  }
  TestPeer plain([](TestConnection& c) { c.read_request(); });
  CHECK(client.send(get(plain.url("/", "https", "localhost"), 100)).error().code() == Code::kUnavailable);
}

TEST_CASE("HTTPS: a stream cut without TLS's goodbye is an error, also where length is by close") {
  TestAuthority authority;
  TestPeer peer(
      [](TestConnection& c) {
        c.read_request();
        c.send("HTTP/1.1 200 OK\r\n\r\nhalf");
        c.abort_tls();
      },
      authority.server_context("localhost"));
  BeastHttpClient client;
  client.set_ca_file(authority.ca_file());
  CHECK(client.send(get(peer.url("/", "https", "localhost"))).error().code() == Code::kUnavailable);
}

TEST_CASE("proxies are used for http as they are and for https through a tunnel") {
  TestAuthority authority;
  TestPeer target(
      [](TestConnection& c) {
        while (c.read_request()) c.send(ok_answer("behind"));
      },
      authority.server_context("localhost"));
  TestPeer proxy([](TestConnection& c) {
    c.read_head();
    if (c.request_line.starts_with("CONNECT")) {
      c.send("HTTP/1.1 200 Connection established\r\n\r\n");
      c.forward_to(std::atoi(c.request_line.c_str() + c.request_line.find(':') + 1));
    } else {
      c.send(ok_answer(c.request_line));
    }
  });
  EnvGuard http("http_proxy", fmt::format("http://user:p%40ss@127.0.0.1:{}", proxy.port()));
  EnvGuard https("HTTPS_PROXY", fmt::format("127.0.0.1:{}", proxy.port()));
  BeastHttpClient client;
  client.set_ca_file(authority.ca_file());
  CHECK(client.send(get("http://example.test/x")).value().body == "GET http://example.test/x HTTP/1.1");
  CHECK(proxy.last_request().find("Proxy-Authorization: Basic dXNlcjpwQHNz\r\n") != std::string::npos);
  CHECK(client.send(get(target.url("/", "https", "localhost"))).value().body == "behind");
  EnvGuard none("no_proxy", "other.test,.example.test");
  CHECK(client.send(get("http://example.test/x")).error().code() == Code::kUnavailable);
}

TEST_CASE("no_proxy rules name hosts, domains, ports or everything") {
  auto goes_direct = [](const char* url, const char* rules) {
    auto env = [&](const char* name) {
      return std::string(std::string_view(name) == "http_proxy" ? "http://p:1"
                         : std::string_view(name) == "NO_PROXY" ? rules
                                                                : "");
    };
    return !proxy_for(parse_url(url).value(), env).value().has_value();
  };
  CHECK_FALSE(goes_direct("http://a.b/", ""));
  CHECK(goes_direct("http://a.b/", "*"));
  CHECK(goes_direct("http://a.b/", "x, b"));
  CHECK(goes_direct("http://a.b/", ".b"));
  CHECK_FALSE(goes_direct("http://ab/", "b"));
  CHECK(goes_direct("http://a.b:8080/", "a.b:8080"));
  CHECK_FALSE(goes_direct("http://a.b/", "a.b:8080"));
  CHECK(goes_direct("http://127.0.0.1/", "localhost,127.0.0.1"));
}
