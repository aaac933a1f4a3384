// SPDX-License-Identifier: Apache-2.0
#include "device/agent/agent.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/log.h"
#include "deliver/bundle/bundle.h"

namespace oree {
namespace {

constexpr int64_t kSaveRetryMs = 5'000;

UpdatePolicy policy_of(const AgentConfig& config) {
  UpdatePolicy policy;
  policy.device_type = config.device_type;
  policy.agent_version = OREE_VERSION;
  policy.allow_downgrade = config.allow_downgrade;
  policy.has_app = !config.app_command.empty();
  policy.download_bytes_max = config.download_bytes_max;
  policy.probation_starts_max = config.probation_starts_max;
  return policy;
}

}  // namespace

Agent::Agent(AgentSetup setup, const Ports& ports, Jobs& jobs)
    : setup_(std::move(setup)),
      config_(setup_.config),
      ports_(ports),
      jobs_(jobs),
      policy_(policy_of(config_)),
      journal_(*ports_.files, config_.data),
      supervisor_(*ports_.clock, *ports_.processes, config_),
      host_(ports_.governor, config_.host),
      prover_(*ports_.clock, *ports_.processes, config_.prove_timeout_ms),
      measuring_(*ports_.clock, *ports_.processes, config_),
      looker_(*ports_.clock, *ports_.processes, config_.prove_timeout_ms) {}

Agent::~Agent() { signals_->stop = true; }

Status Agent::open() {
  OREE_TRY(ports_.files->make_dirs(config_.data));
  Journal::Loaded loaded = journal_.load();
  state_ = std::move(loaded.state);
  if (!loaded.note.empty()) log_warn("agent", "a journal file cannot be used: " + loaded.note);
  if (loaded.lost) {
    state_ = rescue(*ports_.files, config_.data);
    std::string version = state_.active < 0 ? "" : state_.slots[static_cast<size_t>(state_.active)].version;
    log_warn("agent", "no journal is whole; " +
                          (version.empty() ? "no slot either" : "the slots were searched, going on with " + version));
    state_.last = Outcome{"", version, "rolled_back", "journal_lost", loaded.note.substr(0, 1000)};
    state_.update_seq = 1;
  }
  identity_ = ports_.sensors->identity();
  outcomes_at_open_ = state_.update_seq;

  RecorderOptions options;
  options.data = config_.data;
  options.boot_id = fmt::format("{:016x}{:016x}", ports_.random->next_u64(), ports_.random->next_u64());
  options.interval_ms = config_.telemetry_ms;
  options.checkpoint_ms = config_.checkpoint_ms;
  options.spool_bytes_max = config_.spool_bytes_max;
  auto recorder = TelemetryRecorder::open(*ports_.files, options, now_ms(), ports_.clock->wall_ms());
  if (recorder.ok())
    recorder_.emplace(std::move(recorder).value());
  else
    log_error("telemetry", "nothing will be recorded: " + recorder.error().message());  // the model matters more

  BootEvent boot;
  for (int i = 0; i < 2; ++i)
    boot.intact[i] = slot_intact(*ports_.files, config_.data, i, state_.slots[static_cast<size_t>(i)]);
  drift_window_ms_ = now_ms();
  apply(boot);
  return {};
}

void Agent::turn(int64_t wait_ms) {
  jobs_.run_finished();
  save_late();
  start_app();
  watch_app(wait_ms);
  lend();
  look_at_proof();
  on_look();
  resume_if_due();
  keep_telemetry();
  poll_if_due();
  send_status();
  send_telemetry();
}

bool Agent::apply(const Event& event) {
  Step next = step(policy_, state_, event);
  if (next.state != state_) {
    Status saved = journal_.save(next.state);
    if (!saved.ok()) {
      log_error("agent", "the journal cannot be written: " + saved.error().message());
      if (!next.even_unsaved) return false;
      unsaved_ = true;
      save_due_ms_ = now_ms() + kSaveRetryMs;
    } else {
      unsaved_ = false;
    }
    if (next.state.update_seq != state_.update_seq) {
      const Outcome& last = next.state.last;
      log_info("update", fmt::format("{} {}{}{}{}{}", last.version, last.outcome, last.reason.empty() ? "" : ": ",
                                     last.reason, last.detail.empty() ? "" : ", ", last.detail));
    } else if (next.state.update.phase != state_.update.phase) {
      log_info("update", fmt::format("{} {}", next.state.update.version, phase_name(next.state.update.phase)));
    }
    if (state_.update.phase == Phase::kInstalled && next.state.update.phase != Phase::kInstalled) prover_.cancel();
    if (next.state.update.phase != Phase::kProbation) probation_.reset();
    state_ = std::move(next.state);
    status_dirty_ = true;
    status_waits_ = false;
  }
  for (Action action : next.actions) perform(action);
  return true;
}

void Agent::save_late() {
  if (!unsaved_ || now_ms() < save_due_ms_) return;
  save_due_ms_ = now_ms() + kSaveRetryMs;
  unsaved_ = !journal_.save(state_).ok();
}

int64_t Agent::backoff_ms(int64_t base_ms, int failures) {
  int64_t pause = std::min(base_ms << std::min(failures, 20), std::max(config_.poll_backoff_ms_max, base_ms));
  // A fleet that lost its server must not come back all at once.
  return static_cast<int64_t>(static_cast<double>(pause) * (0.9 + 0.2 * ports_.random->next_unit()));
}

void Agent::watch_app(int64_t wait_ms) {
  if (supervisor_.has_child()) {
    for (const AppEvent& event : supervisor_.turn(wait_ms)) on_app(event);
  } else if (wait_ms > 0) {
    ports_.clock->sleep_ms(wait_ms);
  }
  if (probation_ && now_ms() >= judge_due_ms_) judge(probation_->on_time(now_ms()));
}

void Agent::start_app() {
  if (!supervisor_.wants_start()) return;
  // Counted before it happens: an application that takes the machine down with it is still counted.
  if (state_.update.phase == Phase::kProbation) apply(StartingEvent{});
  if (!supervisor_.wants_start()) return;
  if (auto event = supervisor_.start(set_host(supervisor_.target().folder))) on_app(*event);
}

int Agent::set_host(const std::string& folder) {
  auto manifest = open_unpacked(*ports_.files, folder, false);
  return host_.apply(manifest.ok() ? manifest->host : HostSettings{});
}

void Agent::on_app(const AppEvent& event) {
  if (event.kind == AppEvent::kStats) {
    if (recorder_) recorder_->add(config_.model, event.target.version, event.target.digest, event.stats);
    bool current = state_.active >= 0 && state_.slots[static_cast<size_t>(state_.active)].digest == event.target.digest;
    if (current) follow_drift(event.stats);
  } else if (event.kind == AppEvent::kAlarm) {
    log_info("app", "alarm: " + event.detail.substr(0, 1000));
  } else if (event.kind != AppEvent::kReady && event.kind != AppEvent::kFinished && recorder_) {
    recorder_->count_restart();
  }
  bool on_probation =
      probation_ && state_.update.phase == Phase::kProbation && event.target.digest == state_.update.digest;
  if (on_probation) judge(probation_->on(event, now_ms()));
}

void Agent::judge(const std::optional<ProbationVerdict>& verdict) {
  if (!verdict) return;
  judge_due_ms_ = now_ms() + kSaveRetryMs;  // when the commit cannot be written
  if (verdict->passed)
    apply(ProbationPassedEvent{});
  else
    apply(ProbationFailedEvent{verdict->reason, verdict->detail});
}

void Agent::follow_drift(const AppStats& stats) {
  if (now_ms() - drift_window_ms_ >= config_.drift_window_ms) {
    active_.recent.close();
    drift_window_ms_ = now_ms();
  }
  active_.recent.merge(stats.confidence);
  if (!active_.reference) return;
  DriftVerdict before = active_.drift;
  active_.drift = judge_drift(*active_.reference, active_.recent.recent());
  const Slot& slot = state_.slots[static_cast<size_t>(state_.active)];
  if (recorder_) recorder_->set_drift(slot.digest, active_.drift);
  if (active_.drift.level != DriftLevel::kSevere || before.level == DriftLevel::kSevere) return;
  log_warn("drift", fmt::format("severe: confidences of {} are {:.3f} from the reference over {} samples", slot.version,
                                active_.drift.distance, active_.drift.samples));
  // Told now, not at the end of the interval.
  if (recorder_ && recorder_->close(moment()).ok()) telemetry_wanted_ = polled_.value_or(true);
}

RecorderMoment Agent::moment() {
  RecorderMoment moment;
  moment.monotonic_ms = now_ms();
  moment.wall_ms = ports_.clock->wall_ms();
  moment.system = ports_.sensors->read();
  if (auto own = ports_.processes->own_usage(); own.ok()) moment.agent_rss_bytes = own->rss_bytes;
  if (auto app = supervisor_.usage()) {
    moment.app_rss_bytes = app->rss_bytes;
    moment.app_cpu_ms = app->cpu_ms;
  }
  return moment;
}

void Agent::keep_telemetry() {
  if (!recorder_ || now_ms() < telemetry_retry_ms_) return;
  Status status;
  if (recorder_->close_due(now_ms())) {
    status = recorder_->close(moment());
    if (status.ok()) telemetry_wanted_ = polled_.value_or(true);  // else the next poll that is answered sends it
  } else if (recorder_->checkpoint_due(now_ms())) {
    status = recorder_->checkpoint(moment());
  }
  if (status.ok()) return;
  log_warn("telemetry", status.error().message());
  telemetry_retry_ms_ = now_ms() + 60'000;  // the interval stays open meanwhile and nothing is lost
}

void Agent::shutdown() {
  signals_->stop = true;
  prover_.cancel();
  looker_.cancel();
  measuring_.stop();
  probation_.reset();  // an application that we end ourselves is no failure
  supervisor_.stop();
  int64_t deadline = now_ms() + config_.app_stop_timeout_ms + 2'000;
  while (supervisor_.has_child() && now_ms() < deadline) {
    for (const AppEvent& event : supervisor_.turn(50)) on_app(event);
  }
  host_.restore();
  if (unsaved_) unsaved_ = !journal_.save(state_).ok();
  if (!recorder_) return;
  if (auto s = recorder_->close(moment()); !s.ok()) log_warn("telemetry", s.error().message());
}

std::optional<Status> Agent::settled() {
  if (!polled_) return std::nullopt;
  if (state_.update.phase != Phase::kIdle && resume_failures_ < 3) return std::nullopt;
  if (measuring()) return std::nullopt;
  if (!*polled_ || resume_failures_ >= 3) return Status(Error(Code::kUnavailable, "the server could not be reached"));
  bool busy = poll_busy_ || looker_.running() || (status_dirty_ && !status_waits_) || status_busy_ || telemetry_busy_ ||
              !jobs_.idle();
  if (busy) return std::nullopt;
  if (state_.update_seq != outcomes_at_open_ && state_.last.outcome != "committed") {
    return Status(
        Error(Code::kRefused, fmt::format("{} {}: {}", state_.last.version, state_.last.outcome, state_.last.reason)));
  }
  return Status();
}

}  // namespace oree
