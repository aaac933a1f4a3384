// SPDX-License-Identifier: Apache-2.0
#include "model/remote/remote_target.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/log.h"
#include "model/remote/remote_session.h"

namespace oree {
namespace {

constexpr int64_t kDescribeMs = 120'000;    // a slow device loads each of its engines once for it
constexpr int64_t kEnergyGraceMs = 60'000;  // over what the plan takes
constexpr int64_t kPauseMs = 1'000, kPauseMsMax = 30'000;

}  // namespace

RemoteTarget::RemoteTarget(const Ports& ports, RemoteSettings settings, FilesOf files_of) {
  while (settings.url.ends_with('/')) settings.url.pop_back();
  session_ = std::make_shared<RemoteSession>(ports, std::move(settings), std::move(files_of));
}

RemoteTarget::~RemoteTarget() {
  if (!session_->away) session_->end_job();
}

Result<TargetDescription> RemoteTarget::describe() {
  OREE_TRY_ASSIGN(HttpResponse response, session_->http.send({"GET", "/device", {}, "", kDescribeMs}));
  const std::string& url = session_->http.settings().url;
  if (response.status != 200) return session_->http.refusal(response, url);
  auto json = Json::parse(response.body);
  auto description = json.ok() ? description_from_json(*json) : Result<TargetDescription>(json.error());
  return description.ok() ? description : description.error().within(url);
}

Result<SystemReading> RemoteTarget::read() {
  OREE_TRY_ASSIGN(HttpResponse response, session_->http.send({"GET", "/reading", {}, "", 10'000}));
  if (response.status != 200) return session_->http.refusal(response, session_->http.settings().url);
  OREE_TRY_ASSIGN(Json json, Json::parse(response.body));
  return reading_from_json(json);
}

Result<std::unique_ptr<Worker>> RemoteTarget::start(const WorkerSettings& settings) {
  if (session_->away) return *session_->away;  // until recover()
  if (session_->job.empty()) OREE_TRY(session_->begin_job());
  int64_t number = ++session_->workers;  // spent, even when it does not start
  Json body = Json().set("memory_bytes_max", settings.memory_bytes_max);
  OREE_TRY_ASSIGN(HttpResponse response,
                  session_->ask({"PUT", session_->path(fmt::format("/workers/{}", number)), body, "", 60'000}));
  if (response.status / 100 != 2) return session_->http.refusal(response, "starting a worker on the device");
  return std::make_unique<Worker>(remote_channel(session_, number), settings);
}

Result<std::string> RemoteTarget::meter(const std::string& name) {
  OREE_TRY_ASSIGN(auto worker, start({}));
  return worker->meter(name);
}

EnergyEstimate RemoteTarget::energy(const WorkerSettings& settings, const Candidate& candidate,
                                    const std::string& input_npz, uint64_t seed, const std::string& meter,
                                    const EnergyPlan& plan) {
  constexpr int kWarmup = 5;
  auto measured = [&]() -> Result<EnergyEstimate> {
    OREE_TRY_ASSIGN(auto worker, start(settings));
    if (auto opened = worker->open(candidate); !opened.ok()) return opened.error();
    OREE_TRY(worker->set_input(input_npz, seed));
    if (auto warm = worker->run(kWarmup, 1); !warm.ok()) return warm.error();
    const auto takes_ms = static_cast<int64_t>(1000 * energy_plan_seconds(plan));
    OREE_TRY_ASSIGN(Json json, worker->energy(meter, energy_plan_to_json(plan), takes_ms + kEnergyGraceMs));
    return EnergyEstimate::from_json(json);
  };
  auto estimate = measured();
  if (!estimate.ok()) return energy_not_measurable(estimate.error().message());
  if (plan.progress) plan.progress(plan.pairs, plan.pairs);
  return *estimate;
}

Result<bool> RemoteTarget::recover(int64_t wait_ms) {
  RemoteSession& s = *session_;
  if (!s.away) {
    if (s.job.empty()) return false;
    auto alive = s.ask({"GET", s.path(""), {}, "", 10'000});
    if (alive.ok() && alive->status == 200) return false;
    if (!s.away) return alive.ok() ? s.http.refusal(*alive, s.http.settings().url) : alive.error();
  }
  if (s.time_over) return *s.away;  // to begin again at once would make its limit none
  std::string boot_before = s.boot_id;
  int64_t start = s.ports.clock->monotonic_ns();
  auto waited_ms = [&] { return (s.ports.clock->monotonic_ns() - start) / 1'000'000; };
  log_warn("target", fmt::format("{}: {}; waiting for it", s.http.settings().url, s.away->message()));
  for (int64_t pause = kPauseMs;; pause = std::min(pause * 2, kPauseMsMax)) {
    s.end_job();  // of an outage that the device did not notice
    Status begun = s.begin_job();
    if (begun.ok()) break;
    s.away = Error(Code::kUnavailable, begun.error().message());
    if (begun.error().code() == Code::kUsage || begun.error().code() == Code::kUnsupported) return begun.error();
    const int64_t left = wait_ms - waited_ms();
    if (left <= 0) {
      return Error(Code::kUnavailable, fmt::format("{} (waited {} s)", s.away->message(), waited_ms() / 1000));
    }
    s.ports.clock->sleep_ms(std::min(pause, left));
  }
  bool rebooted = !boot_before.empty() && s.boot_id != boot_before;
  log_warn("target",
           fmt::format("{}: {} after {} s; going on", s.http.settings().url,
                       rebooted ? "was started anew (another boot) and is back" : "is back", waited_ms() / 1000));
  return true;
}

}  // namespace oree
