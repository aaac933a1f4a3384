// SPDX-License-Identifier: Apache-2.0
// Named *_test.cc so that only the tests get it.
#include "os/http/test_peer.h"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>

namespace oree {
namespace {

int listen_or_connect(int port, bool listening, int* bound) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in a{};
  a.sin_family = AF_INET;
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  a.sin_port = htons(static_cast<uint16_t>(port));
  auto* sa = reinterpret_cast<sockaddr*>(&a);
  socklen_t size = sizeof a;
  bool ok = listening ? bind(fd, sa, size) == 0 && listen(fd, 16) == 0 : connect(fd, sa, size) == 0;
  if (!ok) std::abort();
  getsockname(fd, sa, &size);
  if (bound) *bound = ntohs(a.sin_port);
  return fd;
}

using PKey = std::shared_ptr<EVP_PKEY>;
using Cert = std::shared_ptr<X509>;

PKey make_key() { return {EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"), EVP_PKEY_free}; }

Cert make_certificate(const PKey& key, const std::string& name, const Cert& issuer, const PKey& issuer_key) {
  Cert cert(X509_new(), X509_free);
  X509_set_version(cert.get(), 2);
  ASN1_INTEGER_set(X509_get_serialNumber(cert.get()), issuer ? 2 : 1);
  X509_gmtime_adj(X509_getm_notBefore(cert.get()), -3600);
  X509_gmtime_adj(X509_getm_notAfter(cert.get()), 3600);
  X509_set_pubkey(cert.get(), key.get());
  X509_NAME* subject = X509_get_subject_name(cert.get());
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1,
                             0);
  X509_set_issuer_name(cert.get(), X509_get_subject_name(issuer ? issuer.get() : cert.get()));
  auto extend = [&](int nid, const std::string& value) {
    X509_EXTENSION* e = X509V3_EXT_conf_nid(nullptr, nullptr, nid, value.c_str());
    X509_add_ext(cert.get(), e, -1);
    X509_EXTENSION_free(e);
  };
  if (issuer) {
    extend(NID_subject_alt_name, "DNS:" + name);
  } else {
    extend(NID_basic_constraints, "critical,CA:TRUE");
  }
  REQUIRE(X509_sign(cert.get(), issuer_key.get(), EVP_sha256()) > 0);
  return cert;
}

}  // namespace

int TestConnection::read_some(char* data, int size) {
  return ssl_ ? SSL_read(ssl_, data, size) : static_cast<int>(recv(fd_, data, static_cast<size_t>(size), 0));
}

bool TestConnection::read_head() {
  char chunk[4096];
  size_t end = 0;
  while ((end = ahead_.find("\r\n\r\n")) == std::string::npos) {
    int n = read_some(chunk, sizeof chunk);
    if (n <= 0) return false;
    ahead_.append(chunk, static_cast<size_t>(n));
  }
  head = ahead_.substr(0, end + 4);
  ahead_.erase(0, end + 4);
  request_line = head.substr(0, head.find("\r\n"));
  seen_(head);
  return true;
}

bool TestConnection::read_request() {
  if (!read_head()) return false;
  size_t at = head.find("Content-Length: ");
  size_t size = at == std::string::npos ? 0 : std::strtoul(head.c_str() + at + 16, nullptr, 10);
  char chunk[16384];
  while (ahead_.size() < size) {
    int n = read_some(chunk, sizeof chunk);
    if (n <= 0) return false;
    ahead_.append(chunk, static_cast<size_t>(n));
  }
  body = ahead_.substr(0, size);
  ahead_.erase(0, size);
  return true;
}

void TestConnection::send(std::string_view data) {
  while (!data.empty()) {
    ssize_t n = ssl_ ? SSL_write(ssl_, data.data(), static_cast<int>(data.size()))
                     : ::send(fd_, data.data(), data.size(), MSG_NOSIGNAL);
    if (n <= 0) return;  // the client hung up: its test sees why
    data.remove_prefix(static_cast<size_t>(n));
  }
}

bool TestConnection::closed(int within_ms) {
  pollfd p{fd_, POLLRDHUP, 0};
  return poll(&p, 1, within_ms) > 0;
}

void TestConnection::drain() {
  char chunk[65536];
  while (read_some(chunk, sizeof chunk) > 0) {
  }
}

void TestConnection::abort_tls() {
  SSL_set_quiet_shutdown(ssl_, 1);
  shutdown(fd_, SHUT_RDWR);
}

void TestConnection::forward_to(int port) {
  int other = listen_or_connect(port, false, nullptr);
  for (;;) {
    pollfd p[2] = {{fd_, POLLIN, 0}, {other, POLLIN, 0}};
    poll(p, 2, 10'000);
    bool ended = false;
    for (int i = 0; i < 2; ++i) {
      char chunk[4096];
      if (!p[i].revents) continue;
      ssize_t n = recv(p[i].fd, chunk, sizeof chunk, 0);
      ended |= n <= 0 || ::send(p[1 - i].fd, chunk, static_cast<size_t>(n), MSG_NOSIGNAL) != n;
    }
    if (ended) break;
  }
  close(other);
}

TestPeer::TestPeer(Script script, std::shared_ptr<ssl_ctx_st> tls) : script_(std::move(script)), tls_(std::move(tls)) {
  // OpenSSL's own sockets raise it; the client must not need this, so it is set only where a TLS server runs.
  if (tls_) signal(SIGPIPE, SIG_IGN);
  listener_ = listen_or_connect(0, true, &port_);
  REQUIRE(pipe(wake_) == 0);
  thread_ = std::thread([this] { serve(); });
}

TestPeer::~TestPeer() {
  close(wake_[1]);
  thread_.join();
  {
    std::lock_guard lock(mutex_);
    for (int fd : open_) shutdown(fd, SHUT_RDWR);
  }
  for (std::thread& t : talks_) t.join();
  close(wake_[0]);
  close(listener_);
}

void TestPeer::serve() {
  for (;;) {
    pollfd p[2] = {{listener_, POLLIN, 0}, {wake_[0], POLLIN, 0}};
    poll(p, 2, -1);
    if (p[1].revents) return;
    int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) continue;
    {
      std::lock_guard lock(mutex_);
      open_.insert(fd);
      ++connections_;
    }
    talks_.emplace_back([this, fd] { talk(fd); });
  }
}

void TestPeer::talk(int fd) {
  SSL* ssl = nullptr;
  bool ready = true;
  if (tls_) {
    ssl = SSL_new(tls_.get());
    SSL_set_fd(ssl, fd);
    ready = SSL_accept(ssl) == 1;
  }
  TestConnection c(fd, ssl, [this](const std::string& head) {
    std::lock_guard lock(mutex_);
    last_request_ = head;
  });
  if (ready) script_(c);
  if (ssl) {
    if (ready) SSL_shutdown(ssl);
    SSL_free(ssl);
    ERR_clear_error();
  }
  std::lock_guard lock(mutex_);
  open_.erase(fd);
  close(fd);
}

std::string TestPeer::url(const std::string& target, const std::string& scheme, const std::string& host) const {
  return fmt::format("{}://{}:{}{}", scheme, host, port_, target);
}

int TestPeer::connections() {
  std::lock_guard lock(mutex_);
  return connections_;
}

std::string TestPeer::last_request() {
  std::lock_guard lock(mutex_);
  return last_request_;
}

struct TestAuthority::Keys {
  PKey key;
  Cert certificate;
};

TestAuthority::TestAuthority() : keys_(std::make_unique<Keys>()) {
  keys_->key = make_key();
  keys_->certificate = make_certificate(keys_->key, "Test Authority", nullptr, keys_->key);
  file_ = std::string(std::getenv("TMPDIR") ? std::getenv("TMPDIR") : "/tmp") + "/oree_ca_XXXXXX";
  int fd = mkstemp(file_.data());
  REQUIRE(fd >= 0);
  FILE* f = fdopen(fd, "w");
  PEM_write_X509(f, keys_->certificate.get());
  fclose(f);
}

TestAuthority::~TestAuthority() { unlink(file_.c_str()); }

std::shared_ptr<ssl_ctx_st> TestAuthority::server_context(const std::string& name) {
  PKey key = make_key();
  Cert certificate = make_certificate(key, name, keys_->certificate, keys_->key);
  std::shared_ptr<SSL_CTX> context(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
  SSL_CTX_use_certificate(context.get(), certificate.get());
  SSL_CTX_use_PrivateKey(context.get(), key.get());
  return context;
}

}  // namespace oree
