// SPDX-License-Identifier: Apache-2.0
// For the tests of the HTTP client: a server thread that does with each connection what the test says, by plain
// sockets, so that it can misbehave in every way. And a certificate authority made on the spot.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

struct ssl_st;
struct ssl_ctx_st;

namespace oree {

class TestConnection {
 public:
  TestConnection(int fd, ssl_st* ssl, std::function<void(const std::string& head)> seen)
      : fd_(fd), ssl_(ssl), seen_(std::move(seen)) {}
  bool read_head();     // false: closed
  bool read_request();  // head and body, by its Content-Length
  void send(std::string_view data);
  bool closed(int within_ms);  // by the peer
  void wait_closed() {
    while (!closed(1000)) {
    }
  }
  void drain();               // reads until the peer closes
  void abort_tls();           // cuts the TCP stream without TLS's goodbye
  void forward_to(int port);  // copies bytes both ways until either side ends

  std::string request_line;
  std::string head;
  std::string body;

 private:
  int read_some(char* data, int size);
  int fd_;
  ssl_st* ssl_;
  std::function<void(const std::string&)> seen_;
  std::string ahead_;
};

class TestPeer {
 public:
  using Script = std::function<void(TestConnection&)>;
  explicit TestPeer(Script script, std::shared_ptr<ssl_ctx_st> tls = nullptr);  // run on a thread for each connection
  ~TestPeer();
  int port() const { return port_; }
  std::string url(const std::string& target, const std::string& scheme = "http",
                  const std::string& host = "127.0.0.1") const;
  int connections();
  std::string last_request();  // head of it

 private:
  void serve();
  void talk(int fd);
  Script script_;
  std::shared_ptr<ssl_ctx_st> tls_;
  int listener_ = -1;
  int wake_[2] = {-1, -1};
  int port_ = 0;
  std::mutex mutex_;
  int connections_ = 0;
  std::set<int> open_;  // sockets in use
  std::string last_request_;
  std::vector<std::thread> talks_;  // only serve()'s thread adds
  std::thread thread_;
};

class TestAuthority {
 public:
  TestAuthority();
  ~TestAuthority();
  std::string ca_file() const { return file_; }                         // PEM, in a temporary file
  std::shared_ptr<ssl_ctx_st> server_context(const std::string& name);  // with a certificate for that DNS name

 private:
  struct Keys;
  std::unique_ptr<Keys> keys_;
  std::string file_;
};

}  // namespace oree
