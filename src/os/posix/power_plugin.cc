// SPDX-License-Identifier: Apache-2.0
#include "os/posix/power_plugin.h"

#include <fmt/format.h>
#include <signal.h>

#include <atomic>
#include <cmath>
#include <mutex>
#include <thread>

#include "core/base/limits.h"
#include "core/base/text.h"
#include "core/codec/json.h"

namespace oree {
namespace {

constexpr double kWattsMax = 1e6;
constexpr double kJoulesMax = 1e12;
constexpr int64_t kPollMs = 100;

Error bad_line(std::string_view line, std::string_view why) {
  std::string shown = utf8_text(line.substr(0, 100));
  return Error(Code::kInvalid,
               fmt::format(R"(expected a line such as {{"watts": 4.2}} or {{"joules": 12.3}}, found '{}'{}{})", shown,
                           why.empty() ? "" : ": ", why));
}

}  // namespace

Status PluginReadings::feed(std::string_view line, int64_t time_ns) {
  if (trim(line).empty()) return {};
  Result<Json> json = Json::parse(line);
  if (!json.ok() || !json->is_object()) return bad_line(line, "");
  bool joules = json->find("joules") != nullptr;
  if (joules == (json->find("watts") != nullptr)) return bad_line(line, "one of the two, and only one");
  Kind kind = joules ? Kind::kJoules : Kind::kWatts;
  if (kind_ != Kind::kNone && kind_ != kind) return bad_line(line, "earlier lines had the other");
  double bound = joules ? kJoulesMax : kWattsMax;
  Result<double> value = json->get_double(joules ? "joules" : "watts", -bound, bound);
  if (!value.ok()) return bad_line(line, value.error().message());
  for (auto [key, text] : {std::pair{"name", &name_}, std::pair{"covers", &covers_}}) {
    if (json->find(key) == nullptr) continue;
    Result<std::string> said = json->get_text(key, kNameCharsMax);
    if (!said.ok()) return bad_line(line, said.error().message());
    *text = utf8_text(*said);
  }
  if (kind == Kind::kWatts) {
    integral_.add(time_ns, *value);
  } else {
    if (kind_ == Kind::kJoules && *value < counter_.joules)
      return bad_line(line, fmt::format("its counter went back from {}", counter_.joules));
    counter_ = {time_ns, *value};
  }
  kind_ = kind;
  return {};
}

namespace {

class Plugin : public PowerMeter {
 public:
  Plugin(std::unique_ptr<Process> process, Clock* clock, const std::string& command, const PluginTimes& times)
      : process_(std::move(process)), clock_(clock), times_(times) {
    info_.method = "external: " + utf8_text(command.substr(0, 60));
    info_.covers = "what the plug-in measures";
  }
  ~Plugin() override {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
    if (process_->signal(SIGTERM).ok()) (void)process_->wait(times_.end_ms);
  }

  Status start() {
    last_ns_ = clock_->monotonic_ns();
    int64_t deadline = last_ns_ + times_.first_line_ms * 1'000'000;
    while (readings_.empty() && !failed_) {
      if (clock_->monotonic_ns() >= deadline)
        return said(fmt::format("said nothing within {} ms", times_.first_line_ms));
      pump();
    }
    if (failed_) return *failed_;
    if (!readings_.name().empty()) info_.method = "external: " + readings_.name();
    if (!readings_.covers().empty()) info_.covers = readings_.covers();
    if (readings_.sampled()) info_.sample_ms = 100;
    thread_ = std::thread([this] {
      while (!stop_ && pump()) {
      }
    });
    return {};
  }

  const PowerMeterInfo& info() const override { return info_; }
  Result<EnergyReading> read() override {
    std::lock_guard lock(mutex_);
    if (failed_) return *failed_;
    if (clock_->monotonic_ns() - last_ns_ > times_.silence_ms * 1'000'000)
      return said(fmt::format("has said nothing for {} ms", times_.silence_ms));
    return readings_.reading();
  }

 private:
  Error said(const std::string& what) const { return Error(Code::kUnavailable, info_.method + " " + what); }

  // Takes what has come within kPollMs; false when no more will.
  bool pump() {
    std::optional<ProcessExit> exit = process_->poll_exit();
    std::vector<std::string> lines = process_->read_output(exit ? 0 : kPollMs);
    int64_t now = clock_->monotonic_ns();
    std::lock_guard lock(mutex_);
    for (const std::string& line : lines) {
      Status fed = readings_.feed(line, now);
      if (!fed.ok()) failed_ = fed.error().within(info_.method);
      if (failed_) return false;
      last_ns_ = now;
    }
    if (!exit || !lines.empty()) return true;
    failed_ = exit->signal != 0 ? said(fmt::format("ended by signal {}", exit->signal))
                                : said(fmt::format("ended with status {}", exit->code));
    return false;
  }

  std::unique_ptr<Process> process_;  // the thread's while it runs
  Clock* clock_;
  PluginTimes times_;
  PowerMeterInfo info_;
  std::mutex mutex_;  // guards the three below
  PluginReadings readings_;
  std::optional<Error> failed_;
  int64_t last_ns_ = 0;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace

Result<std::unique_ptr<PowerMeter>> start_plugin(Processes* processes, Clock* clock, const std::string& command,
                                                 const PluginTimes& times) {
  ProcessSpec spec;
  spec.argv = {"/bin/sh", "-c", command};
  spec.output_pipe = true;
  OREE_TRY_ASSIGN(std::unique_ptr<Process> process, processes->spawn(spec));
  auto plugin = std::make_unique<Plugin>(std::move(process), clock, command, times);
  OREE_TRY(plugin->start());
  return std::unique_ptr<PowerMeter>(std::move(plugin));
}

}  // namespace oree
