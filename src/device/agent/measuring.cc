// SPDX-License-Identifier: Apache-2.0
#include "device/agent/measuring.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/log.h"
#include "core/codec/json.h"

namespace oree {
namespace {

constexpr int64_t kPauseMs = 1'000, kPauseMsMax = 60'000;
constexpr size_t kByCharsMax = 256;

}  // namespace

void Measuring::start() {
  ProcessSpec spec;
  spec.argv = {processes_.own_path(), "measure"};
  for (std::string& argument : measure_arguments(config_.measure->options)) spec.argv.push_back(std::move(argument));
  spec.message_pipe = spec.input_pipe = true;
  started_ms_ = now_ms();
  start_due_ms_ = started_ms_ + std::min(kPauseMs << std::min(failures_, 16), kPauseMsMax);
  ++failures_;
  auto child = processes_.spawn(spec);
  if (child.ok())
    child_ = std::move(child).value();
  else
    log_warn("measure", child.error().message());
}

std::vector<Measuring::Event> Measuring::turn() {
  std::vector<Event> events;
  if (!config_.measure || stopped_) return events;
  if (!child_ && now_ms() >= start_due_ms_) start();
  if (!child_) return events;
  for (const std::string& line : child_->read_messages(0)) read_line(line, events);
  look_at_exit(events);
  return events;
}

void Measuring::read_line(const std::string& line, std::vector<Event>& events) {
  auto json = Json::parse(line);
  if (!json.ok()) return log_warn("measure", "a message is not understood: " + json.error().message());
  const std::string& type = (*json)["type"].as_string();
  int64_t number = (*json)["job"].as_int();
  if (type == "listening") {
    log_info("measure", "lends this device at " + (*json)["url"].as_string());
  } else if (type == "begin") {
    end_of_job(events);  // the child never asks for two
    job_ = Job::kAsked;
    number_ = number;
    by_ = (*json)["by"].as_string().substr(0, kByCharsMax);
    events.push_back(Event::kAsked);
  } else if (type == "end" && number == number_) {
    end_of_job(events);
  }
}

void Measuring::end_of_job(std::vector<Event>& events) {
  // One that was asked for and is over before its answer counts, too: the application may be ending for it.
  if (job_ != Job::kNone) events.push_back(Event::kEnded);
  job_ = Job::kNone;
}

void Measuring::look_at_exit(std::vector<Event>& events) {
  auto exit = child_->poll_exit();
  if (!exit) return;
  for (const std::string& line : child_->read_messages(0)) read_line(line, events);
  child_.reset();
  log_warn("measure", exit->signal != 0 ? fmt::format("ended by signal {}", exit->signal)
                                        : fmt::format("ended with status {}", exit->code));
  end_of_job(events);
  if (now_ms() - started_ms_ > kPauseMsMax) {  // one that ran well for long
    failures_ = 0;
    start_due_ms_ = now_ms() + kPauseMs;
  }
}

void Measuring::answer(const char* type, const std::string& reason) {
  if (!child_) return;
  Json line = Json().set("type", type).set("job", number_);
  if (!reason.empty()) line.set("reason", reason);
  if (auto s = child_->send(line.dump()); !s.ok()) log_warn("measure", s.error().message());
}

void Measuring::grant() {
  if (job_ != Job::kAsked) return;
  job_ = Job::kGranted;
  answer("granted", "");
}

void Measuring::refuse(const std::string& reason) {
  if (job_ != Job::kAsked) return;
  job_ = Job::kNone;
  answer("refused", reason);
}

void Measuring::stop() {
  stopped_ = true;
  child_.reset();
  job_ = Job::kNone;
}

}  // namespace oree
