// SPDX-License-Identifier: Apache-2.0
#include "device/agent/world_test.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "core/base/limits.h"
#include "core/base/log.h"
#include "deliver/bundle/bundle.h"

namespace oree {
namespace {

class CutWriteFile : public WriteFile {
 public:
  CutWriteFile(CutFiles& files, std::unique_ptr<WriteFile> file) : files_(files), file_(std::move(file)) {}
  Status write(ByteView bytes) override {
    files_.tick();
    return file_->write(bytes);
  }
  Status sync() override {
    files_.tick();
    return file_->sync();
  }

 private:
  CutFiles& files_;
  std::unique_ptr<WriteFile> file_;
};

SecretKey fixed_key(uint8_t value) {
  SecretKey key;
  key.seed.fill(value);
  return key;
}

std::string stats_line(int64_t predictions, double latency_ms, double confidence) {
  AppStats stats;
  stats.predictions = stats.frames = predictions;
  stats.latency_ms.add(latency_ms, predictions);
  stats.confidence.add(confidence, predictions);
  return app_stats_to_json(stats).dump();
}

}  // namespace

void CutFiles::tick() {
  ++operations_;
  if (left_ > 0 && --left_ == 0) {
    left_ = -1;
    throw PowerCut{};
  }
}

Status CutFiles::write_atomic(const std::string& path, ByteView bytes) {
  // Cut at each step that it is made of: the fake makes the same ones.
  std::string temporary = path + ".tmp";
  Status written = [&]() -> Status {
    OREE_TRY_ASSIGN(auto file, create(temporary));
    OREE_TRY(file->write(bytes));
    return file->sync();
  }();
  if (written.ok()) written = rename(temporary, path);
  if (!written.ok()) (void)files_.remove(temporary);
  return written;
}

Result<std::unique_ptr<WriteFile>> CutFiles::create(const std::string& path) {
  tick();
  OREE_TRY_ASSIGN(auto file, files_.create(path));
  return std::unique_ptr<WriteFile>(std::make_unique<CutWriteFile>(*this, std::move(file)));
}

Result<std::unique_ptr<WriteFile>> CutFiles::append(const std::string& path) {
  tick();
  OREE_TRY_ASSIGN(auto file, files_.append(path));
  return std::unique_ptr<WriteFile>(std::make_unique<CutWriteFile>(*this, std::move(file)));
}

World::World(uint64_t seed)
    : random(seed), disk(seed), files(disk), processes(&clock), key(fixed_key(7)), stranger(fixed_key(8)) {
  set_log_level(LogLevel::kError);
  config.data = "/data";
  config.server_url = "https://fleet";
  config.device_id = "cam-1";
  config.device_type = "pi";
  config.model = "detector";
  config.app_command = {"camera"};
  config.app_restart_always = true;
  config.poll_ms = 20'000;
  config.poll_backoff_ms_max = 60'000;
  config.telemetry_ms = 15'000;
  config.checkpoint_ms = 5'000;
  config.app_start_timeout_ms = 10'000;
  config.app_heartbeat_timeout_ms = 5'000;
  config.prove_timeout_ms = 20'000;
  config.reserve_bytes = 4096;
  http.on("https://fleet/model/detector/latest", [this](const HttpRequest&) -> Result<HttpResponse> {
    if (!latest) return HttpResponse{404, {}, R"({"error":"not_found","reason":"no release"})"};
    return HttpResponse{200, {}, latest_to_json(*latest).dump()};
  });
  http.on("https://fleet/blobs/sha256/", [this](const HttpRequest& r) { return blob(r); });
  http.on("https://fleet/api/v1/devices/cam-1/", [this](const HttpRequest& r) { return device_post(r); });
  processes.on_spawn([this](const ProcessSpec& spec) { return launch(spec); });
}

TestBundle World::make_bundle(const std::string& version, const std::string& model, bool trusted) {
  FakeFiles workshop;
  Manifest manifest;
  manifest.model = model;
  manifest.version = version;
  manifest.device_types = {"pi"};
  manifest.runtime = "onnxruntime";
  manifest.model_path = "model/m.onnx";
  manifest.created = "2026-01-01T00:00:00Z";
  manifest.golden.samples = 1;
  manifest.golden.latency_ms_p95_max = 20;
  manifest.golden.memory_bytes_max = int64_t{100} << 20;
  manifest.probation_seconds = 20;
  if (auto set = host.find(version); set != host.end()) manifest.host = set->second;
  Bytes weights(3000);
  FakeRandom noise(std::hash<std::string>()(version));
  for (uint8_t& byte : weights) byte = static_cast<uint8_t>(noise.next_u64());
  DriftReference reference;
  reference.histogram.add(0.8, 1000);
  auto bytes_of = [](std::string_view text) { return Bytes(text.begin(), text.end()); };
  std::vector<BundleSource> sources{{"model/m.onnx", "", weights},
                                    {"recipe.json", "", bytes_of("{}")},
                                    {"golden/0.input.npz", "", bytes_of("in")},
                                    {"golden/0.expected.npz", "", bytes_of("out")},
                                    {"reference.json", "", bytes_of(drift_reference_to_json(reference).dump())}};
  REQUIRE(workshop.make_dirs("w").ok());
  auto status = write_bundle(workshop, "w/b.oree", manifest, sources);
  REQUIRE_MESSAGE(status.ok(), status.error().message());
  REQUIRE(sign_bundle(workshop, "w/b.oree", "w/b.oree", trusted ? key : stranger).ok());
  std::string bytes = workshop.text("w/b.oree");
  return {version, digest_text(sha256(as_bytes(bytes))), bytes};
}

void World::offer(const TestBundle& bundle) { offer_bytes(bundle, bundle.bytes); }

void World::offer_bytes(const TestBundle& bundle, std::string bytes) {
  Latest next;
  next.model = "detector";
  next.version = bundle.version;
  next.url = "/blobs/sha256/" + bundle.digest;
  next.checksum = "sha256:" + bundle.digest;
  next.size = static_cast<int64_t>(bundle.bytes.size());
  next.compatible_devices = {"pi"};
  next.release_id = "r-" + bundle.version;
  latest = next;
  blobs[bundle.digest] = std::move(bytes);
}

void World::boot() {
  kill();
  checked_.reset();
  AgentSetup setup;
  setup.config = config;
  setup.token = "token";
  setup.trusted = {public_key(key)};
  Ports ports{&clock, &random, &files, &http, &processes, &sensors, nullptr, &governor};
  jobs = std::make_unique<InlineJobs>();
  agent = std::make_unique<Agent>(setup, ports, *jobs);
  bool opened = agent->open().ok();  // outside of the macro, which would catch a PowerCut
  REQUIRE(opened);
  check();
}

void World::power_cut() {
  kill();
  disk.crash();
}

bool World::run_for(int64_t ms) {
  try {
    if (!agent) boot();
    for (int64_t end = clock.monotonic_ns() + ms * 1'000'000; clock.monotonic_ns() < end;) {
      agent->turn(250);
      if (each_turn) each_turn();
      check();
    }
    return true;
  } catch (const PowerCut&) {
    power_cut();
    return false;
  }
}

bool World::settle() {
  for (int i = 0; i < 1200; ++i) {
    if (!run_for(500)) continue;
    bool known = !statuses.empty() && statuses.back().update_seq == agent->state().update_seq;
    bool offered = !latest || agent->state().last.version == latest->version || running() == latest->version;
    if (agent->state().update.phase == Phase::kIdle && known && offered) return true;
  }
  return false;
}

std::string World::running() const {
  const AgentState& s = agent->state();
  return s.active < 0 ? "" : s.slots[static_cast<size_t>(s.active)].version;
}

void World::check() {
  if (!agent) return;
  const AgentState& s = agent->state();
  if (checked_ && *checked_ == s) return;  // the disk is compared whenever the state is another
  checked_ = s;
  if (s.active >= 0) {
    REQUIRE(proven.count(running()) == 1);
    REQUIRE(slot_intact(disk, config.data, s.active, s.slots[static_cast<size_t>(s.active)]));
  }
  if (s.last.outcome == "committed") {
    REQUIRE(proven.count(s.last.version) == 1);
    committed.insert(s.last.version);
  }
  if (!committed.empty()) REQUIRE(s.active >= 0);  // once there was a good model there always is one
}

Result<HttpResponse> World::blob(const HttpRequest& request) {
  std::string digest = request.url.substr(std::string("https://fleet/blobs/sha256/").size());
  auto found = blobs.find(digest);
  if (found == blobs.end()) return HttpResponse{404, {}, "no such blob"};
  if (!ranges) {
    HttpResponse whole{200, {}, found->second};
    whole.headers["content-length"] = std::to_string(found->second.size());
    return whole;
  }
  HttpResponse answer = answer_range(request, found->second);
  answer.headers["etag"] = "\"" + digest + "\"";
  return answer;
}

Result<HttpResponse> World::device_post(const HttpRequest& request) {
  auto json = Json::parse(request.body);
  REQUIRE(json.ok());
  if (request.url.ends_with("/status")) {
    auto status = device_status_from_json(*json);
    REQUIRE_MESSAGE(status.ok(), status.error().message());
    statuses.push_back(*status);
    return HttpResponse{200, {}, "{}"};
  }
  Json accepted = Json::array();
  for (const Json& item : (*json)["reports"].items()) {
    auto report = report_from_json(item);
    REQUIRE_MESSAGE(report.ok(), report.error().message());
    int64_t predictions = 0;
    for (const ModelReport& model : report->models) predictions += model.predictions;
    counted.emplace(std::pair(report->boot_id, report->seq), predictions);  // the first one counts
    accepted.push(Json::object().set("boot_id", report->boot_id).set("seq", report->seq));
  }
  if (answers_lost > 0) {
    --answers_lost;
    return Error(Code::kUnavailable, "the answer was lost");
  }
  return HttpResponse{200, {}, Json::object().set("accepted", accepted).dump()};
}

Result<FakeChild> World::launch(const ProcessSpec& spec) {
  if (spec.argv.size() > 1 && spec.argv[1] == "prove")
    return spec.argv[2] == "--runtime" ? look_child(spec.argv[3]) : prove_child(spec.argv[3]);
  if (spec.argv.size() > 1 && spec.argv[1] == "measure") return measure_child();
  return app_child(spec.env.at("OREE_BUNDLE_DIR"));
}

FakeChild World::prove_child(const std::string& folder) {
  auto manifest = open_unpacked(disk, folder, true);
  REQUIRE(manifest.ok());  // what is proven was checked before
  FakeChild child;
  Proof proof;
  Behaviour::Proof how = behaviour[manifest->version].proof;
  if (engine == "absent") how = Behaviour::kUnfit;
  switch (how) {
    case Behaviour::kUnfit:
      proof.reason = engine == "absent" ? "runtime_missing" : "incompatible";
      proof.remedy = {manifest->runtime, engine};
      break;
    case Behaviour::kProves:
      proof.passed = true;
      proven.insert(manifest->version);
      break;
    case Behaviour::kMismatch: proof.reason = "golden_mismatch"; break;
    case Behaviour::kProverCrashes:
      child.exit_at_ms = 700;
      child.exit_signal = 11;
      return child;
    case Behaviour::kProverHangs: child.ignores_term = true; return child;
    case Behaviour::kProverEatsMemory: child.rss_bytes = int64_t{1} << 30; return child;
  }
  child.output = {{900, proof_to_json(proof).dump()}};
  child.exit_at_ms = 1000;
  return child;
}

FakeChild World::look_child(const std::string& runtime) {
  Proof look;
  look.passed = engine != "absent";
  look.remedy = {runtime, engine};
  FakeChild child;
  child.output = {{100, proof_to_json(look).dump()}};
  child.exit_at_ms = 120;
  return child;
}

FakeChild World::app_child(const std::string& folder) {
  auto manifest = open_unpacked(disk, folder, true);
  REQUIRE(manifest.ok());                         // whole on the disk
  REQUIRE(proven.count(manifest->version) == 1);  // and proven on this device
  Behaviour::App app = behaviour[manifest->version].app;
  FakeChild child;
  if (app == Behaviour::kCrashesAtStart) {
    child.exit_at_ms = 100;
    child.exit_code = 1;
    return child;
  }
  if (app == Behaviour::kNeverReady) return child;
  child.messages.push_back({500, R"({"type":"ready","model":"detector","version":"x"})"});
  int64_t until_ms = app == Behaviour::kHangs ? 5'000 : 900'000;
  if (app == Behaviour::kHangs) child.ignores_term = true;
  if (app == Behaviour::kCrashesLater) {
    until_ms = child.exit_at_ms = 8'000;
    child.exit_signal = 11;
  }
  if (app == Behaviour::kFinishes) until_ms = child.exit_at_ms = 8'000;
  int64_t predictions = app == Behaviour::kSilent ? 0 : 10;
  std::string line = stats_line(predictions, app == Behaviour::kSlow ? 500 : 5, app == Behaviour::kDrifts ? 0.2 : 0.8);
  for (int64_t at = 1'000; at < until_ms; at += 1'000) child.messages.push_back({at, line});
  if (app == Behaviour::kFinishes) child.messages.push_back({7'900, R"({"type":"done"})"});
  return child;
}

}  // namespace oree
