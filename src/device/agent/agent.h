// SPDX-License-Identifier: Apache-2.0
// Agent: the event loop of a device. It owns all state, on one thread; only jobs (network, hashing, unpacking) run
// elsewhere. What an update does next is decided by step() in update_machine.h; here that is journaled and carried out.
// Files: agent.cc the loop, agent_update.cc the actions, agent_fleet.cc the talk with the server, agent_measure.cc the
// device lent for measuring.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/crypto/crypto.h"
#include "core/io/ports.h"
#include "deliver/protocol/messages.h"
#include "device/agent/config.h"
#include "device/agent/download.h"
#include "device/agent/jobs.h"
#include "device/agent/journal.h"
#include "device/agent/measuring.h"
#include "device/agent/probation.h"
#include "device/agent/prove.h"
#include "device/agent/recorder.h"
#include "device/agent/slots.h"
#include "device/agent/supervisor.h"
#include "device/agent/update_machine.h"

namespace oree {

struct AgentSetup {
  AgentConfig config;
  std::string token;  // "" sends none
  std::vector<PublicKey> trusted;
};

class Agent {
 public:
  // Ports and jobs are borrowed. While a job runs it uses clock, files and http from another thread.
  Agent(AgentSetup setup, const Ports& ports, Jobs& jobs);
  ~Agent();

  // Reads the journal, checks the slots and starts the application. Fails only when the data folder cannot be used.
  Status open();
  // One turn of the loop; waits up to wait_ms when there is nothing to do.
  void turn(int64_t wait_ms);
  void poll_now() { next_poll_ms_ = look_.until_ms = 0; }
  // Ends the application and puts the open telemetry interval on disk. Takes at most the application's stop time-out.
  void shutdown();

  // For one-shot runs: set when a poll has been answered and nothing is left to do. Ok, kUnavailable when the server
  // was not reached, kRefused when an update since open() did not end well.
  std::optional<Status> settled();

  const AgentState& state() const { return state_; }
  DeviceStatus status();

 private:
  struct ActiveModel {  // of the running slot, read when it became active
    std::optional<Manifest> manifest;
    std::optional<DriftReference> reference;
    RecentConfidences recent{1};
    DriftVerdict drift;
  };
  struct Hold {  // a release that failed for a reason that may pass
    std::string digest;
    int failures = 0;
    int64_t until_ms = 0;
  };

  int64_t now_ms() { return ports_.clock->monotonic_ns() / 1'000'000; }
  int64_t backoff_ms(int64_t base_ms, int failures);
  RecorderMoment moment();

  // agent.cc
  bool apply(const Event& event);  // false: the journal could not be written, nothing happened
  void save_late();
  void watch_app(int64_t wait_ms);
  void start_app();
  int set_host(const std::string& folder);  // for the bundle there; the niceness of its process
  void on_app(const AppEvent& event);
  void judge(const std::optional<ProbationVerdict>& verdict);
  void follow_drift(const AppStats& stats);
  void keep_telemetry();

  // agent_measure.cc
  void lend();
  void begin_measuring();
  void end_measuring();
  bool measuring() const { return lent_ != Lent::kNo; }
  void run_app();

  // agent_update.cc
  void perform(Action action);
  void download();
  void on_download(const std::string& digest, const DownloadResult& result);
  void install();
  void on_install(const std::string& digest, const InstallResult& result);
  void prove();
  void look_at_proof();
  void run_active();
  void watch();
  void drop_downloads();
  void drop_spare();
  bool fetching() const {
    return state_.update.phase == Phase::kDownloading || state_.update.phase == Phase::kDownloaded;
  }
  void resume_later();
  void resume_if_due();
  void hold(Hold& hold, const std::string& digest);

  // agent_fleet.cc
  HttpRequest request(const std::string& method, const std::string& path) const;
  void poll_if_due();
  void on_poll(const Result<HttpResponse>& response);
  void on_latest(const Json& json);
  void take(const OfferEvent& offer);
  void look_for_remedy(const OfferEvent& offer);
  void on_look();
  void send_status();
  void send_telemetry();
  void on_telemetry(size_t sent, const Report& first, const Result<HttpResponse>& response);

  AgentSetup setup_;
  const AgentConfig& config_;
  Ports ports_;
  Jobs& jobs_;
  UpdatePolicy policy_;
  Journal journal_;
  AgentState state_;
  Supervisor supervisor_;
  HostTuner host_;
  Prover prover_;
  Measuring measuring_;
  enum class Lent { kNo, kAppEnds, kYes } lent_ = Lent::kNo;  // the device, to whoever measures
  bool app_paused_ = false;
  RunTarget app_;  // what runs when it is not paused
  Prover looker_;  // only looks whether an engine has come
  std::optional<TelemetryRecorder> recorder_;
  std::optional<Probation> probation_;
  ActiveModel active_;
  SystemIdentity identity_;
  std::shared_ptr<DownloadSignals> signals_ = std::make_shared<DownloadSignals>();

  bool unsaved_ = false;  // state_ is ahead of the journal
  int64_t save_due_ms_ = 0, judge_due_ms_ = 0;
  bool transfer_busy_ = false;
  std::string transfer_digest_;
  std::optional<int64_t> resume_due_ms_;
  int resume_failures_ = 0;
  Hold hold_;
  Hold look_;  // pauses between two looks
  OfferEvent looked_for_;

  bool poll_busy_ = false, status_dirty_ = true, status_busy_ = false, status_waits_ = false;
  bool telemetry_busy_ = false, telemetry_wanted_ = true;
  int64_t next_poll_ms_ = 0, telemetry_retry_ms_ = 0, drift_window_ms_ = 0;
  int poll_failures_ = 0;
  size_t batch_max_ = kTelemetryBatchReports;
  std::optional<bool> polled_;  // the last poll was answered
  int64_t outcomes_at_open_ = 0;
};

}  // namespace oree
