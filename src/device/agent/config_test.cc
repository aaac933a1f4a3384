// SPDX-License-Identifier: Apache-2.0
#include "device/agent/config.h"

#include <doctest/doctest.h>

#include <fstream>
#include <iterator>

#include "core/io/files.h"

using namespace oree;

namespace {

std::string example() {
  std::ifstream in(OREE_SOURCE_DIR "/examples/agent.toml");
  return {std::istreambuf_iterator<char>(in), {}};
}

Result<AgentConfig> read(const std::string& toml) {
  auto json = parse_toml(toml);
  REQUIRE_MESSAGE(json.ok(), json.error().message());
  return agent_config_from_json(*json, "/etc/oree");
}

std::string with(const std::string& from, const std::string& to) {
  std::string text = example();
  size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

}  // namespace

TEST_CASE("the example is read, with its folder before relative paths") {
  auto config = read(example());
  REQUIRE_MESSAGE(config.ok(), config.error().message());
  CHECK(config->device_id == "door-camera-1");
  CHECK(config->token_file == "/etc/oree/token");
  CHECK(config->trusted_keys == std::vector<std::string>{"/etc/oree/release.pub"});
  CHECK(config->app_command[0] == "/usr/bin/oree-camera");
}

TEST_CASE("the values that the example comments out are the defaults") {
  std::string text = example(), open;
  for (size_t at = 0; at < text.size();) {
    size_t end = text.find('\n', at);
    std::string line = text.substr(at, end - at);
    bool setting = line.starts_with("# ") && (line[2] == '[' || line.find(" = ") != std::string::npos) &&
                   line.find("ca_file") == std::string::npos;
    open += (setting ? line.substr(2) : line) + "\n";
    at = end + 1;
  }
  auto all = read(open), plain = read(text);
  REQUIRE_MESSAGE(all.ok(), all.error().message());
  CHECK(all->poll_ms == plain->poll_ms);
  CHECK(all->poll_backoff_ms_max == plain->poll_backoff_ms_max);
  CHECK(all->app_start_timeout_ms == plain->app_start_timeout_ms);
  CHECK(all->app_heartbeat_timeout_ms == plain->app_heartbeat_timeout_ms);
  CHECK(all->app_restart_always == plain->app_restart_always);
  CHECK(all->prove_timeout_ms == plain->prove_timeout_ms);
  CHECK(all->probation_starts_max == plain->probation_starts_max);
  CHECK(all->probation_latency_factor == plain->probation_latency_factor);
  CHECK(all->telemetry_ms == plain->telemetry_ms);
  CHECK(all->checkpoint_ms == plain->checkpoint_ms);
  CHECK(all->spool_bytes_max == plain->spool_bytes_max);
  CHECK(all->drift_windows == plain->drift_windows);
  CHECK(all->download_bytes_max == plain->download_bytes_max);
  CHECK(all->reserve_bytes == plain->reserve_bytes);
  CHECK(all->host.governor == plain->host.governor);
  CHECK(all->host.nice_least == plain->host.nice_least);
  MeasureConfig defaults;
  REQUIRE(all->measure);
  CHECK(!plain->measure);  // nothing listens by itself
  CHECK(all->measure->pause_app == defaults.pause_app);
  CHECK(all->measure->options.plain_http == defaults.options.plain_http);
  CHECK(all->measure->options.disk_bytes_max == defaults.options.disk_bytes_max);
  CHECK(all->measure->options.memory_bytes_max == defaults.options.memory_bytes_max);
  CHECK(all->measure->options.job_ms_max == defaults.options.job_ms_max);
  CHECK(all->measure->options.lease_ms == defaults.options.lease_ms);
}

TEST_CASE("the [measure] table: files start at the configuration's folder, the rest is the agent's own") {
  std::string table = "\n[measure]\nlisten = \"127.0.0.1:8733\"\ntoken_file = \"m.token\"\nlease_seconds = 2.5\n";
  auto config = read(example() + table);
  REQUIRE_MESSAGE(config.ok(), config.error().message());
  REQUIRE(config->measure);
  const MeasureOptions& options = config->measure->options;
  CHECK(path_name(options.token_file) == "m.token");
  CHECK(options.token_file.starts_with("/"));
  CHECK(options.data == path_join(config->data, "measure"));
  CHECK(options.name == config->device_id);
  CHECK(options.reserve_bytes == config->reserve_bytes);
  CHECK(options.lease_ms == 2500);
  struct Case {
    std::string from, to, named;
  };
  for (const auto& [from, to, named] :
       {Case{"127.0.0.1", "0.0.0.0", "in the clear"}, Case{"token_file", "tokenfile", "measure.tokenfile"},
        Case{"listen = \"127.0.0.1:8733\"\n", "", "--listen"},
        Case{"lease_seconds = 2.5", "lease_seconds = 0", "measure.lease_seconds"},
        Case{"lease_seconds = 2.5", "key_file = \"k\"", "belong together"}}) {
    std::string text = table;
    text.replace(text.find(from), from.size(), to);
    auto refused = read(example() + text);
    CAPTURE(to);
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().code() == Code::kUsage);
    CHECK(refused.error().message().find(named) != std::string::npos);
  }
}

TEST_CASE("what is wrong is named") {
  struct Case {
    const char *from, *to, *named;
  };
  for (const Case& c :
       {Case{"id = \"door-camera-1\"", "id = \"a b\"", "device.id"}, Case{"type = \"pi5\"", "", "device.type"},
        Case{"url = ", "uri = ", "server.uri"}, Case{"https://", "ftp://", "server.url"},
        Case{"# threshold = 1", "threshold = 2", "model.threshold"},
        Case{"# restart = \"on-failure\"", "restart = \"never\"", "app.restart"},
        Case{"# poll_seconds = 60", "poll_seconds = nan", "poll_seconds"},
        Case{"# poll_seconds = 60", "poll_seconds = \"x\"", "poll_seconds"}, Case{"data = ", "date = ", "date"},
        Case{"[device]", "[devise]", "devise"}}) {
    CAPTURE(c.to);
    auto config = read(with(c.from, c.to));
    REQUIRE_FALSE(config.ok());
    CHECK(config.error().code() == Code::kUsage);
    CHECK(config.error().message().find(c.named) != std::string::npos);
  }
}
