// SPDX-License-Identifier: Apache-2.0
// oree-server: the fleet. Wiring only.
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>

#include <fcntl.h>

#include "core/base/limits.h"
#include "core/base/log.h"
#include "fleet/server/auth.h"
#include "fleet/server/fleet_server.h"
#include "os/http/beast_http_server.h"
#include "os/posix/posix_ports.h"
#include "os/sqlite/sqlite.h"

namespace oree {
namespace {

constexpr char kExamples[] = R"(
Example:
  oree-server --data /var/lib/oree --listen 0.0.0.0:8443 --cert server.pem --key server.key
  oree publish detector-1.0.oree --server https://fleet.example:8443 --token-file /var/lib/oree/operator.token

The first start with an empty data folder makes the operator's token, prints it once and keeps it in
DATA/operator.token; the environment variable OREE_OPERATOR_TOKEN overrides it. SIGTERM and SIGINT stop the server after
the running requests. Exit status: 0 stopped as asked, else see docs/exit-codes.md.)";

struct Options {
  HttpServerOptions http;
  FleetOptions fleet;
  int64_t silent_after_s = 0, blob_grace_s = kServerBlobGraceMs / 1000;
  bool json = false, verbose = false;
};

// One process a data folder. The kernel drops the lock with the process, however that ends.
Status lock_folder(const std::string& path) {
  int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return Error(Code::kUnavailable, "cannot open " + path);
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    ::close(fd);
    return Error(Code::kUnavailable, path + ": another server uses this data folder");
  }
  return {};  // stays open until the process ends
}

// Each connection needs a descriptor, and so does each blob that is sent.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, 65536);
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

bool is_loopback(const std::string& url) {
  return url.find("//127.") != std::string::npos || url.find("//[::1]") != std::string::npos;
}

Status serve(Options& options) {
  PosixPorts posix;
  Ports ports = posix.ports();
  const std::string& folder = options.fleet.data_folder;
  ::umask(077);  // tokens and telemetry are nobody else's
  raise_descriptor_limit();
  OREE_TRY(ports.files->make_dirs(folder));
  OREE_TRY(lock_folder(path_join(folder, "lock")));
  const char* preset = std::getenv("OREE_OPERATOR_TOKEN");
  std::string token_path = path_join(folder, "operator.token");
  OREE_TRY_ASSIGN(OperatorToken token,
                  load_operator_token(*ports.files, *ports.random, token_path, preset ? preset : ""));
  options.fleet.operator_token = token.token;
  options.fleet.silent_after_ms = options.silent_after_s * 1000;
  options.fleet.blob_grace_ms = options.blob_grace_s * 1000;
  OREE_TRY_ASSIGN(auto database, SqliteDatabase::open(path_join(folder, "fleet.db")));
  FleetServer server(*database, *ports.files, *ports.clock, *ports.random, options.fleet);
  OREE_TRY(server.open());
  BeastHttpServer http(server, options.http);
  OREE_TRY(http.start());
  if (token.created)
    std::printf("operator token (shown once, kept in %s): %s\n", token_path.c_str(), token.token.c_str());
  std::printf("listening on %s\n", http.url().c_str());
  std::fflush(stdout);
  if (options.http.certificate_file.empty() && !is_loopback(http.url())) {
    log_warn("server", "tokens travel in the clear: give --cert and --key, or put a TLS proxy before this port");
  }
  http.wait_for_signal();
  log_info("server", "stopping");
  http.stop();
  return server.close();
}

}  // namespace
}  // namespace oree

int main(int argc, char** argv) {
  oree::Options options;
  CLI::App app{"oree-server: releases, devices, telemetry and alerts of a fleet"};
  app.footer(oree::kExamples);
  app.set_version_flag("--version", "oree-server " OREE_VERSION);
  app.add_option("--data", options.fleet.data_folder, "Data folder: database, blobs, operator token")->required();
  app.add_option("--listen", options.http.listen, "HOST:PORT, [IPv6]:PORT or :PORT; port 0 takes any free one")
      ->capture_default_str();
  app.add_option("--cert", options.http.certificate_file, "TLS certificate chain (PEM)");
  app.add_option("--key", options.http.key_file, "TLS private key (PEM)");
  app.add_flag("--private", options.fleet.private_reads, "Models, blobs and metrics need a token too");
  app.add_option("--silent-after", options.silent_after_s,
                 "Seconds without a word until a device counts as silent (default: three of its reporting intervals)")
      ->check(CLI::Range(1, 86400 * 365));
  app.add_option("--temperature-alert", options.fleet.temperature_alert_celsius,
                 "Degrees Celsius from which a device raises an alert")
      ->capture_default_str();
  app.add_option("--blob-grace", options.blob_grace_s, "Seconds that a blob is kept which no release names")
      ->capture_default_str()
      ->check(CLI::Range(60, 86400 * 365));
  app.add_flag("--json", options.json, "Log lines as JSON objects");
  app.add_flag("--verbose", options.verbose, "Log more");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    int status = app.exit(e);
    return status == 0 ? 0 : oree::exit_code(oree::Code::kUsage);
  }
  oree::set_log_json(options.json);
  if (options.verbose) oree::set_log_level(oree::LogLevel::kDebug);
  oree::Status status = oree::serve(options);
  if (status.ok()) return 0;
  std::fprintf(stderr, "oree-server: %s\n", status.error().message().c_str());
  return oree::exit_code(status.error().code());
}
