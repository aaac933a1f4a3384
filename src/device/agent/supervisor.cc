// SPDX-License-Identifier: Apache-2.0
#include "device/agent/supervisor.h"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <utility>

#include "core/base/log.h"

namespace oree {
namespace {

// The loop turns several times a second. A longer gap is this machine's sleep, or ours: not the application's silence.
constexpr int64_t kGapMs = 3'000;

std::string exit_text(const ProcessExit& exit) {
  if (exit.signal != 0) return fmt::format("ended by signal {}", exit.signal);
  return fmt::format("ended with status {}", exit.code);
}

}  // namespace

Supervisor::Supervisor(Clock& clock, Processes& processes, const AgentConfig& config)
    : clock_(clock), processes_(processes), config_(config) {}

void Supervisor::run(const RunTarget& target) {
  target_ = target;
  want_ = target.folder.empty() || config_.app_command.empty() ? Want::kNothing : Want::kStart;
  start_due_ms_ = now_ms();
  failures_ = 0;
  end_child();
}

bool Supervisor::wants_start() { return child_ == nullptr && want_ == Want::kStart && now_ms() >= start_due_ms_; }

std::optional<AppEvent> Supervisor::start(int nice) {
  ProcessSpec spec;
  spec.argv = config_.app_command;
  spec.env["OREE_BUNDLE_DIR"] = target_.folder;
  spec.message_pipe = true;
  spec.nice = nice;
  running_ = target_;
  auto child = processes_.spawn(spec);
  if (!child.ok()) {
    pause_before_restart();
    return AppEvent{AppEvent::kStartFailed, running_, {}, child.error().message()};
  }
  child_ = std::move(child).value();
  ending_ = killed_ = ready_ = said_done_ = false;
  started_ms_ = heard_ms_ = turned_ms_ = now_ms();
  log_info("app", fmt::format("started with {} as process {}", running_.version, child_->pid()));
  return std::nullopt;
}

std::vector<AppEvent> Supervisor::turn(int64_t wait_ms) {
  std::vector<AppEvent> events;
  if (child_ == nullptr) return events;
  for (const std::string& line : child_->read_messages(wait_ms)) read_line(line, events);
  look_at_exit(events);
  if (child_ != nullptr) look_at_deadlines(events);
  return events;
}

std::optional<ProcessUsage> Supervisor::usage() {
  if (child_ == nullptr) return std::nullopt;
  auto usage = child_->usage();
  return usage.ok() ? std::optional(*usage) : std::nullopt;
}

void Supervisor::read_line(const std::string& line, std::vector<AppEvent>& events) {
  auto bad = [&](const std::string& why) {
    // The first and then ever fewer: a confused application must not fill the log.
    ++bad_lines_;
    if ((bad_lines_ & (bad_lines_ - 1)) == 0)
      log_warn("app", fmt::format("message {} not understood: {}", bad_lines_, why));
  };
  auto json = Json::parse(line);
  if (!json.ok()) return bad(json.error().message());
  const std::string& type = (*json)["type"].as_string();
  if (type == "stats") {
    auto stats = app_stats_from_json(*json);
    if (!stats.ok()) return bad(stats.error().message());
    events.push_back({AppEvent::kStats, running_, std::move(stats).value(), ""});
  } else if (type == "ready") {
    if (!ready_ && !ending_) events.push_back({AppEvent::kReady, running_, {}, ""});
    ready_ = true;
  } else if (type == "event") {
    events.push_back({AppEvent::kAlarm, running_, {}, (*json)["event"].dump()});
  } else if (type == "done") {
    said_done_ = true;
  } else {
    return bad("unknown type \"" + type.substr(0, 64) + "\"");
  }
  heard_ms_ = now_ms();
}

void Supervisor::look_at_exit(std::vector<AppEvent>& events) {
  auto exit = child_->poll_exit();
  if (!exit) return;
  for (const std::string& line : child_->read_messages(0)) read_line(line, events);
  child_.reset();
  if (ending_) return;
  bool finished = said_done_ && exit->signal == 0 && exit->code == 0;
  log_line(finished ? LogLevel::kInfo : LogLevel::kWarn, "app", exit_text(*exit));
  events.push_back({finished ? AppEvent::kFinished : AppEvent::kCrashed, running_, {}, exit_text(*exit)});
  if (finished && !config_.app_restart_always)
    want_ = Want::kFinished;
  else
    pause_before_restart();
}

void Supervisor::look_at_deadlines(std::vector<AppEvent>& events) {
  int64_t now = now_ms();
  int64_t gap = now - std::exchange(turned_ms_, now);
  if (gap > kGapMs) {
    started_ms_ += gap;
    heard_ms_ = now;
  }
  if (ending_) {
    if (!killed_ && now - ending_ms_ >= config_.app_stop_timeout_ms) {
      killed_ = true;
      (void)child_->signal(SIGKILL);
    }
    return;
  }
  AppEvent::Kind kind;
  std::string detail;
  if (!ready_ && now - started_ms_ >= config_.app_start_timeout_ms) {
    kind = AppEvent::kNotReady;
    detail = fmt::format("not ready {} ms after its start", now - started_ms_);
  } else if (ready_ && now - heard_ms_ >= config_.app_heartbeat_timeout_ms) {
    kind = AppEvent::kHung;
    detail = fmt::format("silent for {} ms", now - heard_ms_);
  } else {
    return;
  }
  log_warn("app", detail);
  events.push_back({kind, running_, {}, detail});
  pause_before_restart();
  end_child();
}

void Supervisor::end_child() {
  if (child_ == nullptr || ending_) return;
  ending_ = true;
  ending_ms_ = now_ms();
  (void)child_->signal(SIGTERM);
}

void Supervisor::pause_before_restart() {
  int64_t now = now_ms();
  // One that ran well for long starts over at the shortest pause.
  if (ready_ && now - started_ms_ > config_.app_backoff_ms_max) failures_ = 0;
  int64_t pause = std::min(config_.app_backoff_ms << std::min(failures_, 16), config_.app_backoff_ms_max);
  ++failures_;
  start_due_ms_ = now + pause;
}

}  // namespace oree
