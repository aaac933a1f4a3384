// SPDX-License-Identifier: Apache-2.0
#include "os/http/transport.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdlib>

namespace oree {
namespace {

// OpenSSL's own socket BIO writes with write(2), which raises SIGPIPE when the peer is gone. Ours does not.
int bio_write(BIO* bio, const char* data, int size) {
  BIO_clear_retry_flags(bio);
  int fd = static_cast<int>(reinterpret_cast<intptr_t>(BIO_get_data(bio)));
  ssize_t n = send(fd, data, static_cast<size_t>(size), MSG_NOSIGNAL);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) BIO_set_retry_write(bio);
  return static_cast<int>(n);
}

int bio_read(BIO* bio, char* data, int size) {
  BIO_clear_retry_flags(bio);
  int fd = static_cast<int>(reinterpret_cast<intptr_t>(BIO_get_data(bio)));
  ssize_t n = recv(fd, data, static_cast<size_t>(size), 0);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) BIO_set_retry_read(bio);
  return static_cast<int>(n);
}

long bio_control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

BIO* make_bio(int fd) {
  static BIO_METHOD* const method = [] {
    BIO_METHOD* m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "oree socket");
    BIO_meth_set_write(m, bio_write);
    BIO_meth_set_read(m, bio_read);
    BIO_meth_set_ctrl(m, bio_control);
    return m;
  }();
  BIO* bio = BIO_new(method);
  OREE_ASSERT(bio != nullptr);
  BIO_set_data(bio, reinterpret_cast<void*>(static_cast<intptr_t>(fd)));
  BIO_set_init(bio, 1);
  return bio;
}

bool is_address(const std::string& host) {
  unsigned char bytes[16];
  return inet_pton(AF_INET, host.c_str(), bytes) == 1 || inet_pton(AF_INET6, host.c_str(), bytes) == 1;
}

std::string tls_reason() {
  char text[256] = "closed by the peer";
  unsigned long code = ERR_get_error();
  if (code != 0) ERR_error_string_n(code, text, sizeof text);
  ERR_clear_error();
  return text;
}

}  // namespace

Result<std::unique_ptr<Transport>> Transport::connect(const std::string& host, int port, Deadline deadline) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_ADDRCONFIG | AI_NUMERICSERV;
  if (is_address(host)) hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  int code = getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (code != 0) return Error(Code::kUnavailable, host + ": " + gai_strerror(code));
  std::unique_ptr<addrinfo, void (*)(addrinfo*)> addresses(found, freeaddrinfo);
  int left = 0;
  for (addrinfo* a = found; a; a = a->ai_next) ++left;
  Error last(Code::kUnavailable, host + ": no address");
  for (addrinfo* a = found; a; a = a->ai_next, --left) {
    PosixFd fd(socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!fd.open()) {
      last = posix_error(host, errno);
      continue;
    }
    int on = 1;
    setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    std::unique_ptr<Transport> t(new Transport(std::move(fd)));
    // An address that swallows packets must leave time for the next one.
    auto now = std::chrono::steady_clock::now();
    Deadline share = now + (deadline - now) / left;
    int number = ::connect(t->fd_.get(), a->ai_addr, a->ai_addrlen) == 0 ? 0 : errno;
    if (number == EINPROGRESS) {
      Status ready = t->await(POLLOUT, share);
      socklen_t size = sizeof number;
      if (!ready.ok()) {
        number = ETIMEDOUT;
      } else if (getsockopt(t->fd_.get(), SOL_SOCKET, SO_ERROR, &number, &size) != 0) {
        number = errno;
      }
    }
    if (number == 0) return t;
    last = Error(Code::kUnavailable, posix_error(host + ":" + std::to_string(port), number).message());
  }
  return last;
}

Transport::~Transport() {
  if (!ssl_) return;
  // Tells the peer that nothing was cut off, but waits for no answer.
  SSL_shutdown(ssl_);
  SSL_free(ssl_);
  ERR_clear_error();
}

Status Transport::await(short events, Deadline deadline) {
  for (;;) {
    auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
    if (left <= 0) return Error(Code::kUnavailable, "the peer was silent for too long");
    pollfd p{fd_.get(), events, 0};
    int n = poll(&p, 1, static_cast<int>(std::min<int64_t>(left, INT_MAX)));
    if (n > 0) return {};
    if (n < 0 && errno != EINTR) return posix_error("poll", errno);
  }
}

Error Transport::tls_error(const std::string& what) {
  long verdict = SSL_get_verify_result(ssl_);
  std::string reason = verdict != X509_V_OK ? X509_verify_cert_error_string(verdict) : tls_reason();
  ERR_clear_error();
  return Error(Code::kUnavailable, what + ": " + reason);
}

Status Transport::start_tls(ssl_ctx_st* context, const std::string& host, Deadline deadline) {
  ERR_clear_error();
  ssl_ = SSL_new(context);
  if (!ssl_) return Error(Code::kExhausted, "TLS: " + tls_reason());
  BIO* bio = make_bio(fd_.get());
  SSL_set_bio(ssl_, bio, bio);
  bool named = is_address(host)
                   ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl_), host.c_str()) == 1
                   : SSL_set1_host(ssl_, host.c_str()) == 1 && SSL_set_tlsext_host_name(ssl_, host.c_str()) == 1;
  if (!named) return Error(Code::kInvalid, "TLS: " + host + " is no host name");
  for (;;) {
    int r = SSL_connect(ssl_);
    if (r == 1) return {};
    int why = SSL_get_error(ssl_, r);
    if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE) return tls_error("TLS with " + host);
    OREE_TRY(await(why == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, deadline));
  }
}

Result<size_t> Transport::read_some(char* data, size_t size, Deadline deadline) {
  for (;;) {
    short wanted = POLLIN;
    if (ssl_) {
      ERR_clear_error();
      int n = SSL_read(ssl_, data, static_cast<int>(std::min<size_t>(size, INT_MAX)));
      if (n > 0) return static_cast<size_t>(n);
      int why = SSL_get_error(ssl_, n);
      if (why == SSL_ERROR_ZERO_RETURN) return size_t{0};
      // Without the TLS goodbye an attacker may have cut the stream: that is an error, never an end.
      if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE) return tls_error("reading");
      if (why == SSL_ERROR_WANT_WRITE) wanted = POLLOUT;
    } else {
      ssize_t n = recv(fd_.get(), data, size, 0);
      if (n >= 0) return static_cast<size_t>(n);
      if (errno != EAGAIN && errno != EINTR) return Error(Code::kUnavailable, posix_error("reading", errno).message());
    }
    OREE_TRY(await(wanted, deadline));
  }
}

Status Transport::write_all(std::string_view data, int64_t timeout_ms) {
  while (!data.empty()) {
    short wanted = POLLOUT;
    ssize_t n = 0;
    if (ssl_) {
      ERR_clear_error();
      n = SSL_write(ssl_, data.data(), static_cast<int>(std::min<size_t>(data.size(), 1 << 20)));
      int why = n > 0 ? SSL_ERROR_NONE : SSL_get_error(ssl_, static_cast<int>(n));
      if (n <= 0 && why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE) return tls_error("sending");
      if (why == SSL_ERROR_WANT_READ) wanted = POLLIN;
    } else {
      n = send(fd_.get(), data.data(), data.size(), MSG_NOSIGNAL);
      if (n < 0 && errno != EAGAIN && errno != EINTR) {
        return Error(Code::kUnavailable, posix_error("sending", errno).message());
      }
    }
    if (n > 0) {
      data.remove_prefix(static_cast<size_t>(n));
    } else {
      OREE_TRY(await(wanted, deadline_in(timeout_ms)));
    }
  }
  return {};
}

bool Transport::readable() {
  pollfd p{fd_.get(), POLLIN, 0};
  bool pending = ssl_ && SSL_pending(ssl_) > 0;
  if (!pending && poll(&p, 1, 0) <= 0) return false;
  if (!ssl_) return true;
  // What came may be only TLS's own (session tickets).
  char c = 0;
  ERR_clear_error();
  int n = SSL_peek(ssl_, &c, 1);
  return n > 0 || SSL_get_error(ssl_, n) != SSL_ERROR_WANT_READ;
}

void TlsContextDeleter::operator()(ssl_ctx_st* context) const { SSL_CTX_free(context); }

Result<TlsContext> make_client_tls(const std::string& ca_file) {
  ERR_clear_error();
  TlsContext context(SSL_CTX_new(TLS_client_method()));
  if (!context) return Error(Code::kExhausted, "TLS: " + tls_reason());
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_mode(context.get(),
                   SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  if (!ca_file.empty()) {
    if (SSL_CTX_load_verify_locations(context.get(), ca_file.c_str(), nullptr) != 1) {
      return Error(Code::kUsage, "CA file " + ca_file + ": " + tls_reason());
    }
    return context;
  }
  SSL_CTX_set_default_verify_paths(context.get());
  if (!std::getenv("SSL_CERT_FILE") && !std::getenv("SSL_CERT_DIR")) {
    // A static OpenSSL knows only the folder of the system where it was built. A folder of hashed names is read as
    // needed; a bundle file would cost a megabyte or two at once, so it comes last.
    bool folder = access("/etc/ssl/certs", R_OK) == 0;
    if (folder) SSL_CTX_load_verify_locations(context.get(), nullptr, "/etc/ssl/certs");
    for (const char* file : {"/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"}) {
      if (!folder && access(file, R_OK) == 0) SSL_CTX_load_verify_locations(context.get(), file, nullptr);
    }
  }
  ERR_clear_error();
  return context;
}

}  // namespace oree
