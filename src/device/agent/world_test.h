// SPDX-License-Identifier: Apache-2.0
// World: one device, its server and its power supply, in memory, from a seed. Checks at every step what must always
// hold: nothing runs that was not proven here and whole on the disk; nothing is counted twice.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "core/io/fake/fake_clock.h"
#include "core/io/fake/fake_files.h"
#include "core/io/fake/fake_governor.h"
#include "core/io/fake/fake_http.h"
#include "core/io/fake/fake_processes.h"
#include "core/io/fake/fake_sensors.h"
#include "device/agent/agent.h"

namespace oree {

struct PowerCut {};

// FakeFiles behind a switch that cuts the power instead of the n-th changing operation.
class CutFiles : public Files {
 public:
  explicit CutFiles(FakeFiles& files) : files_(files) {}
  void cut_at(int64_t n) { left_ = n; }
  int64_t operations() const { return operations_; }

  Result<Bytes> read(const std::string& path, int64_t limit) override { return files_.read(path, limit); }
  Result<std::unique_ptr<ReadFile>> open(const std::string& path) override { return files_.open(path); }
  Status write_atomic(const std::string& path, ByteView bytes) override;
  Result<std::unique_ptr<WriteFile>> create(const std::string& path) override;
  Result<std::unique_ptr<WriteFile>> append(const std::string& path) override;
  Status truncate(const std::string& path, int64_t size) override {
    tick();
    return files_.truncate(path, size);
  }
  Status rename(const std::string& from, const std::string& to) override {
    tick();
    return files_.rename(from, to);
  }
  Status remove(const std::string& path) override {
    tick();
    return files_.remove(path);
  }
  Status remove_all(const std::string& path) override {
    tick();
    return files_.remove_all(path);
  }
  Status make_dirs(const std::string& path) override {
    tick();
    return files_.make_dirs(path);
  }
  Status sync_dir(const std::string& path) override {
    tick();
    return files_.sync_dir(path);
  }
  Result<FileInfo> info(const std::string& path) override { return files_.info(path); }
  Result<std::vector<std::string>> list(const std::string& path) override { return files_.list(path); }
  Result<int64_t> free_bytes(const std::string& path) override { return files_.free_bytes(path); }
  void tick();

 private:
  FakeFiles& files_;
  int64_t left_ = -1, operations_ = 0;
};

struct TestBundle {
  std::string version, digest, bytes;
};

// What a version's model does when it is proven and run.
struct Behaviour {
  enum Proof { kProves, kMismatch, kProverCrashes, kProverHangs, kProverEatsMemory, kUnfit } proof = kProves;
  enum App {
    kRuns,
    kCrashesAtStart,
    kCrashesLater,
    kHangs,
    kNeverReady,
    kSilent,
    kSlow,
    kDrifts,
    kFinishes
  } app = kRuns;
};

struct World {
  explicit World(uint64_t seed = 1);

  // --- the fleet
  TestBundle make_bundle(const std::string& version, const std::string& model = "detector", bool trusted = true);
  void offer(const TestBundle& bundle);                           // publishes it as the latest
  void offer_bytes(const TestBundle& bundle, std::string bytes);  // under the bundle's name, but these bytes
  void withdraw() { latest.reset(); }
  std::string url_of(const TestBundle& bundle) const { return "https://fleet/blobs/sha256/" + bundle.digest; }

  // --- the device
  void boot();  // a new agent over the disk as it is
  void kill() {
    agent.reset();
    jobs.reset();
  }                  // kill -9: the disk's unsynced bytes stay in the kernel
  void power_cut();  // they may not
  // Turns until the time has passed. False: the power was cut meanwhile (and power_cut() was called).
  bool run_for(int64_t ms);
  // Boots when it is off, and turns until the update is over and the server knows. False: not within ten minutes.
  bool settle();
  void check();                 // the invariants
  std::string running() const;  // version in the active slot; "" when none
  const Outcome& last() const { return agent->state().last; }

  FakeClock clock;
  FakeRandom random;
  FakeFiles disk;
  CutFiles files;
  FakeHttp http;
  FakeProcesses processes;
  FakeSensors sensors;
  FakeGovernor governor;
  AgentConfig config;
  SecretKey key, stranger;
  std::unique_ptr<InlineJobs> jobs;
  std::unique_ptr<Agent> agent;

  std::optional<Latest> latest;
  std::map<std::string, std::string> blobs;                    // digest -> what the server gives
  std::map<std::string, HostSettings> host;                    // of bundles that are made, by version
  std::string engine = "1.20";                                 // what is found of it; "absent"
  bool ranges = true;                                          // the server knows ranges
  std::map<std::string, Behaviour> behaviour;                  // by version
  std::vector<DeviceStatus> statuses;                          // as the server got them
  std::map<std::pair<std::string, int64_t>, int64_t> counted;  // telemetry identity -> predictions
  int64_t answers_lost = 0;                                    // the next so many telemetry answers never arrive
  std::set<std::string> proven;                                // versions that passed their proof here
  std::set<std::string> committed;
  int64_t predictions_said = 0;  // by all applications, in messages that could be read
  std::function<void()> each_turn;
  std::function<FakeChild()> measure_child;  // what `oree-agent measure` does

 private:
  std::optional<AgentState> checked_;
  Result<FakeChild> launch(const ProcessSpec& spec);
  FakeChild prove_child(const std::string& folder);
  FakeChild look_child(const std::string& runtime);
  FakeChild app_child(const std::string& folder);
  Result<HttpResponse> blob(const HttpRequest& request);
  Result<HttpResponse> device_post(const HttpRequest& request);
};

}  // namespace oree
