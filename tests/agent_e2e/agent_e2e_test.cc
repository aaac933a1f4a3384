// SPDX-License-Identifier: Apache-2.0
// The real agent, a real model in its real engine, a real server on a socket, a shell script as the application, and
// kill -9 at random moments. Skipped, with a word, where the model or its engine is not there.
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <map>
#include <mutex>
#include <random>
#include <set>

#include "core/codec/npy.h"
#include "core/io/fake/fake_clock.h"
#include "core/io/http_server.h"
#include "deliver/bundle/bundle.h"
#include "deliver/protocol/messages.h"
#include "model/runtime/registry.h"
#include "monitor/telemetry/report.h"
#include "os/http/beast_http_server.h"
#include "os/posix/posix_ports.h"

using namespace oree;

namespace {

constexpr char kModel[] = OREE_SOURCE_DIR "/.deps/models/detector.tflite";

std::string stats_message() {
  return R"({"type":"stats","predictions":5,"frames":5,"frames_dropped":0,"events":0,)"
         R"("confidence":{"n":0,"bins":{}},"latency_ms":)" +
         ExponentialHistogram().to_json().dump() + "}";
}

// The fleet, as small as it can be. Blobs come slowly, so that there is something to interrupt.
class Fleet : public HttpHandler {
 public:
  RequestPlan begin(const ServerRequest& head) override {
    RequestPlan plan;
    plan.body_bytes_max = 1 << 20;
    plan.sink = std::make_unique<Body>(*this, head);
    return plan;
  }
  ServerResponse handle(const ServerRequest& request, const std::string& text) {
    std::lock_guard lock(mutex_);
    auto json = [](int status, const Json& body) {
      return ServerResponse{status, {{"content-type", "application/json"}}, body.dump(), nullptr, 0, 0};
    };
    if (request.target.starts_with("/model/"))
      return latest_ ? json(200, latest_to_json(*latest_)) : json(404, Json().set("error", "not_found"));
    if (request.target.starts_with(kPathBlobs)) return blob(request);
    auto body = Json::parse(text);
    if (!body.ok()) return json(400, Json().set("error", "invalid"));
    if (request.target.ends_with("/status")) {
      auto status = device_status_from_json(*body);
      if (!status.ok()) return json(400, Json().set("error", status.error().message()));
      status_ = *status;
      return json(200, Json::object());
    }
    Json accepted = Json::array();
    for (const Json& item : (*body)["reports"].items()) {
      auto report = report_from_json(item);
      if (!report.ok()) return json(400, Json().set("error", report.error().message()));
      agent_rss_ = std::max(agent_rss_, report->agent_rss_bytes);
      reports_.insert({report->boot_id, report->seq});
      accepted.push(Json().set("boot_id", report->boot_id).set("seq", report->seq));
    }
    return json(200, Json().set("accepted", accepted));
  }
  void offer(const std::string& version, const std::string& digest, const std::string& file, int64_t size) {
    std::lock_guard lock(mutex_);
    paths_[digest] = file;
    latest_ = Latest{"detector", version, kPathBlobs + digest, "sha256:" + digest, size, {"pc"}, "r"};
  }
  DeviceStatus status() {
    std::lock_guard lock(mutex_);
    return status_;
  }
  size_t reports() {
    std::lock_guard lock(mutex_);
    return reports_.size();
  }
  int64_t agent_rss() {
    std::lock_guard lock(mutex_);
    return agent_rss_;
  }
  int ranged() {
    std::lock_guard lock(mutex_);
    return ranged_;
  }

 private:
  struct Body : RequestSink {
    Body(Fleet& f, const ServerRequest& h) : fleet(f), head(h) {}
    std::optional<ServerResponse> write(ByteView chunk) override {
      text += as_text(chunk);
      return std::nullopt;
    }
    ServerResponse finish() override { return fleet.handle(head, text); }
    Fleet& fleet;
    ServerRequest head;
    std::string text;
  };

  ServerResponse blob(const ServerRequest& request) {
    std::string digest = request.target.substr(sizeof kPathBlobs - 1);
    auto file = files_.open(paths_[digest]);
    if (!file.ok()) return {404, {}, "{}", nullptr, 0, 0};
    std::shared_ptr<ReadFile> content = std::move(*file);
    ServerResponse response{200, {{"etag", "\"" + digest + "\""}}, "", content, 0, content->size()};
    auto range = request.headers.find("range");
    long long from = 0;
    if (range != request.headers.end() && sscanf(range->second.c_str(), "bytes=%lld-", &from) == 1 &&
        from < content->size()) {
      ++ranged_;
      response.status = 206;
      response.offset = from;
      response.length = content->size() - from;
      response.headers["content-range"] = fmt::format("bytes {}-{}/{}", from, content->size() - 1, content->size());
    }
    return response;
  }

  std::mutex mutex_;
  std::optional<Latest> latest_;
  PosixFiles files_;
  std::map<std::string, std::string> paths_;
  DeviceStatus status_;
  std::set<std::pair<std::string, int64_t>> reports_;
  int64_t agent_rss_ = 0;
  int ranged_ = 0;
};

struct Made {
  std::string version, digest, path;
  int64_t size = 0;
};

// A folder with keys, bundles, configuration and application; removed at the end.
class Bench {
 public:
  Bench() {
    char name[] = "/tmp/oree-e2e-XXXXXX";
    OREE_ASSERT(mkdtemp(name) != nullptr);
    folder = name;
    key.seed.fill(3);
    write("key.pub", public_key_pem(public_key(key)));
    write("app.sh",
          "#!/bin/sh\nout=/proc/self/fd/$OREE_AGENT_FD\n[ -f \"$OREE_BUNDLE_DIR/manifest.json\" ] || exit 3\n"
          "echo '{\"type\":\"ready\",\"model\":\"detector\",\"version\":\"x\"}' > $out\n"
          "while :; do echo '" +
              stats_message() + "' > $out; sleep 0.2; done\n");
  }
  ~Bench() { (void)files().remove_all(folder); }
  Files& files() { return *posix.ports().files; }
  void write(const std::string& name, const std::string& text) {
    OREE_ASSERT(files().write_atomic(folder + "/" + name, as_bytes(text)).ok());
  }

  void configure(const std::string& url) {
    write("agent.toml", fmt::format(R"(data = "data"
[server]
url = "{}"
poll_seconds = 0.4
[device]
id = "e2e"
type = "pc"
[model]
name = "detector"
trusted_keys = ["key.pub"]
[app]
command = ["sh", "{}/app.sh"]
restart = "always"
stop_timeout_seconds = 1
[telemetry]
interval_seconds = 1
checkpoint_seconds = 0.5
[limits]
reserve_bytes = 1000000
bandwidth_bytes_per_second = 30000000
)",
                                    url, folder));
  }

  // The real detector; its golden sample was computed by the real engine here, and is spoiled when asked.
  Made bundle(const std::string& version, bool spoiled) {
    Manifest manifest;
    manifest.model = "detector";
    manifest.version = version;
    manifest.device_types = {"pc"};
    manifest.runtime = "tflite";
    manifest.model_path = "model/detector.tflite";
    manifest.created = "2026-01-01T00:00:00Z";
    manifest.golden.samples = 1;
    manifest.golden.warmup_runs = 1;
    manifest.golden.runs = 3;
    manifest.probation_seconds = 2;
    auto session = backend("tflite").open(kModel, manifest.options);
    REQUIRE_MESSAGE(session.ok(), session.error().message());
    const TensorInfo& info = (*session)->inputs()[0];
    Tensor input(info.dtype, info.shape);
    FakeRandom noise(5);
    for (float& x : input.as<float>()) x = static_cast<float>(noise.next_unit() * 2 - 1);
    auto outputs = (*session)->run({{info.name, input}});
    REQUIRE(outputs.ok());
    if (spoiled) {
      for (auto& [name, tensor] : *outputs) {
        for (float& x : tensor.as<float>()) x += 0.3f;
      }
    }
    std::vector<BundleSource> sources{{"model/detector.tflite", kModel, {}},
                                      {"recipe.json", "", {'{', '}'}},
                                      {"golden/0.input.npz", "", *write_npz({{info.name, input}})},
                                      {"golden/0.expected.npz", "", *write_npz(*outputs)}};
    Made made{version, "", folder + "/" + version + ".oree", 0};
    auto written = write_bundle(files(), made.path, manifest, sources);
    REQUIRE_MESSAGE(written.ok(), written.error().message());
    REQUIRE(sign_bundle(files(), made.path, made.path, key).ok());
    auto checked = verify_bundle(files(), made.path, {public_key(key)});
    REQUIRE(checked.ok());
    made.digest = checked->digest;
    made.size = checked->size;
    return made;
  }

  // The device has no engine until install_engine().
  std::string engine() const { return folder + "/libtensorflowlite_c.so"; }
  void install_engine() { REQUIRE(symlink(backend("tflite").info().library.c_str(), engine().c_str()) == 0); }

  void start() {
    ProcessSpec spec;
    spec.argv = {OREE_BIN_DIR "/oree-agent", "run", "--config", folder + "/agent.toml"};
    spec.env["OREE_DEPS"] = OREE_SOURCE_DIR "/.deps";
    spec.env["OREE_TFLITE_LIBRARY"] = engine();
    auto child = posix.ports().processes->spawn(spec);
    REQUIRE_MESSAGE(child.ok(), child.error().message());
    agent = std::move(*child);
  }
  void kill_at(int64_t ms) {
    posix.ports().clock->sleep_ms(ms);
    if (auto usage = agent->usage(); usage.ok()) rss_peak = std::max(rss_peak, usage->rss_bytes_peak);
    (void)agent->signal(SIGKILL);
    REQUIRE(agent->wait(5000).ok());
    agent.reset();
  }
  bool wait_for(const std::function<bool()>& done, int64_t seconds) {
    for (int64_t i = 0; i < seconds * 10 && !done(); ++i) {
      posix.ports().clock->sleep_ms(100);
      if (auto usage = agent->usage(); usage.ok()) {
        rss_peak = std::max(rss_peak, usage->rss_bytes_peak);
        rss_last = usage->rss_bytes;
      }
      if (agent->poll_exit()) FAIL("the agent ended by itself");
    }
    return done();
  }

  PosixPorts posix;
  std::string folder;
  SecretKey key;
  std::unique_ptr<Process> agent;
  int64_t rss_peak = 0, rss_last = 0;
};

}  // namespace

TEST_CASE("a real model travels through real faults to a device that always runs one") {
  setenv("OREE_DEPS", OREE_SOURCE_DIR "/.deps", 0);
  PosixFiles look;
  if (!look.exists(kModel) || !backend("tflite").info().available) {
    MESSAGE("skipped: the detector or its engine is not in .deps");
    return;
  }
  Bench bench;
  Fleet fleet;
  HttpServerOptions options;
  options.listen = "127.0.0.1:0";
  BeastHttpServer server(fleet, options);
  REQUIRE(server.start().ok());
  bench.configure(server.url());
  auto offer = [&](const Made& made) { fleet.offer(made.version, made.digest, made.path, made.size); };
  auto ended = [&](const std::string& version, const std::string& outcome) {
    return [&fleet, version, outcome] {
      DeviceStatus s = fleet.status();
      return s.update_version == version && s.update_outcome == outcome && s.state == "idle";
    };
  };

  offer(bench.bundle("1.0", false));
  bench.start();
  REQUIRE(bench.wait_for([&] { return fleet.status().update_reason == "runtime_missing"; }, 90));
  bench.install_engine();  // under the running agent
  REQUIRE(bench.wait_for(ended("1.0", "committed"), 90));
  int64_t idle_rss = bench.rss_last;

  // kill -9 at random moments of the update.
  FakeRandom when(std::random_device{}());
  Made next = bench.bundle("1.1", false);
  offer(next);
  for (int i = 0; i < 12; ++i) {
    bench.kill_at(50 + static_cast<int64_t>(when.next_u64() % 700));
    bench.start();
  }
  std::string current = "1.1";
  auto committed = ended("1.1", "committed");
  // The kills may have met the proof, or the probation, too often: then the agent rightly gives that release up.
  auto given_up = [refused = ended("1.1", "refused"), rolled_back = ended("1.1", "rolled_back")] {
    return refused() || rolled_back();
  };
  REQUIRE(bench.wait_for([&] { return committed() || given_up(); }, 90));
  if (given_up()) {  // the next one holds
    CHECK(fleet.status().update_reason == "boot_loop");
    CHECK(fleet.status().version == "1.0");
    current = "1.1.1";
    offer(bench.bundle(current, false));
    REQUIRE(bench.wait_for(ended(current, "committed"), 90));
  }
  CHECK(fleet.status().version == current);

  // Signed, but not the model it says it is.
  offer(bench.bundle("1.2", true));
  REQUIRE(bench.wait_for(ended("1.2", "refused"), 90));
  CHECK(fleet.status().update_reason == "golden_mismatch");
  CHECK(fleet.status().version == current);

  // Changed on the way, under a digest of its own.
  Made tampered = bench.bundle("1.3", false);
  auto bytes = bench.files().read(tampered.path, 64 << 20);
  REQUIRE(bytes.ok());
  (*bytes)[bytes->size() / 2] ^= 1;
  bench.write("1.3.oree", std::string(as_text(*bytes)));
  tampered.digest = digest_text(sha256(*bytes));
  offer(tampered);
  REQUIRE(bench.wait_for(ended("1.3", "refused"), 90));
  CHECK(fleet.status().update_reason == "integrity");

  // The server goes; the model starts all the same.
  server.stop();
  bench.kill_at(10);
  bench.start();
  auto runs = [&] { return bench.posix.ports().files->exists(bench.folder + "/ran"); };
  bench.write("app.sh", "#!/bin/sh\ntouch '" + bench.folder + "/ran'\nsleep 100\n");
  bench.kill_at(10);
  bench.start();
  CHECK(bench.wait_for(runs, 20));
  (void)bench.agent->signal(SIGTERM);
  auto exit = bench.agent->wait(10'000);
  REQUIRE(exit.ok());
  CHECK(exit->code == 0);
  CHECK(fleet.reports() > 3);
  MESSAGE("agent resident: " << idle_rss / 1024 << " KiB idle, " << bench.rss_peak / 1024
                             << " KiB at most during updates");
#ifndef OREE_SANITIZED
  CHECK(bench.rss_peak < (int64_t{8} << 20));
#endif
}
