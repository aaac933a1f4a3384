// SPDX-License-Identifier: Apache-2.0
// The talk with the server: what is the latest release, what runs here, what was measured.
#include <fmt/format.h>

#include <algorithm>

#include "core/base/log.h"
#include "device/agent/agent.h"

namespace oree {
namespace {

bool permanent(int status) { return status >= 400 && status < 500 && status != 408 && status != 425 && status != 429; }

constexpr int kPermanentFailures = 20;  // straight to the longest pause

}  // namespace

HttpRequest Agent::request(const std::string& method, const std::string& path) const {
  HttpRequest request;
  request.method = method;
  request.url = config_.server_url + path;
  if (!setup_.token.empty()) request.headers["Authorization"] = "Bearer " + setup_.token;
  if (method == "POST") request.headers["Content-Type"] = "application/json";
  return request;
}

void Agent::poll_if_due() {
  if (poll_busy_ || now_ms() < next_poll_ms_) return;
  poll_busy_ = true;
  HttpRequest poll = request("GET", fmt::format("/model/{}/latest?device_type={}", url_encode(config_.model),
                                                url_encode(config_.device_type)));
  jobs_.submit([this, poll, http = ports_.http] {
    auto response = http->send(poll);
    return [this, response] { on_poll(response); };
  });
}

void Agent::on_poll(const Result<HttpResponse>& response) {
  poll_busy_ = false;
  polled_ = response.ok() && (response->status == 200 || response->status == 404);
  status_dirty_ = true;
  status_waits_ = !*polled_;  // a server that does not answer this does not answer that
  if (*polled_) {
    poll_failures_ = 0;
    telemetry_wanted_ = true;
  } else {
    poll_failures_ = response.ok() && permanent(response->status) ? kPermanentFailures : poll_failures_ + 1;
    log_warn("fleet", response.ok() ? fmt::format("the server answered the poll with {}", response->status)
                                    : response.error().message());
  }
  next_poll_ms_ = now_ms() + backoff_ms(config_.poll_ms, poll_failures_);
  if (!*polled_ || response->status == 404) return;
  auto json = Json::parse(response->body);
  if (json.ok()) return on_latest(*json);
  log_warn("fleet", "the answer to the poll is not JSON: " + json.error().message());
}

void Agent::on_latest(const Json& json) {
  auto latest = latest_from_json(json);
  if (!latest.ok()) return log_warn("fleet", "the offered release cannot be read: " + latest.error().message());
  auto digest = parse_digest(latest->checksum);
  if (!digest.ok() || latest->model != config_.model || latest->size < 1) {
    return log_warn("fleet", "the offered release is not usable: " + json.dump().substr(0, 500));
  }
  OfferEvent offer;
  offer.digest = digest_text(*digest);
  offer.version = latest->version;
  offer.url = latest->url;
  offer.size = latest->size;
  const auto& types = latest->compatible_devices;
  offer.compatible = std::find(types.begin(), types.end(), config_.device_type) != types.end();
  if (hold_.digest == offer.digest && now_ms() < hold_.until_ms && state_.update.phase == Phase::kIdle) return;
  if (hold_.digest != offer.digest) hold_ = Hold{};
  take(offer);
  look_for_remedy(offer);
}

void Agent::take(const OfferEvent& offer) {
  if (measuring()) return;  // offered again at the next poll, which follows the job's end at once
  std::string before = state_.update.digest;
  if (apply(offer) && state_.update.digest != before) {
    resume_failures_ = 0;
    resume_due_ms_.reset();
  }
}

// The release was refused because of an engine. Engines are never loaded here, so a child looks which one is here now.
void Agent::look_for_remedy(const OfferEvent& offer) {
  const Refusal* refusal = state_.refusal(offer.digest);
  if (refusal == nullptr || refusal->remedy.what.empty() || refusal->remedy.what == kOwnProgram) return;
  if (state_.update.phase != Phase::kIdle || looker_.running() || measuring()) return;
  if (look_.digest == offer.digest && now_ms() < look_.until_ms) return;
  hold(look_, offer.digest);
  looked_for_ = offer;
  looker_.start_look(refusal->remedy.what);
}

void Agent::on_look() {
  auto found = looker_.poll();
  if (!found || found->remedy.what.empty()) return;  // no verdict: the next look may have one
  const Refusal* refusal = state_.refusal(looked_for_.digest);
  if (refusal == nullptr || refusal->remedy == found->remedy) return;
  log_info("update", fmt::format("{} is tried again: {} was {} and is {}", looked_for_.version, found->remedy.what,
                                 refusal->remedy.found, found->remedy.found));
  // An update that began meanwhile goes first; the next poll offers this one again.
  if (apply(FoundEvent{found->remedy}) && state_.update.phase == Phase::kIdle) take(looked_for_);
}

DeviceStatus Agent::status() {
  DeviceStatus status;
  status.device_type = config_.device_type;
  status.agent_version = OREE_VERSION;
  status.architecture = identity_.architecture;
  status.cpu_model = identity_.cpu_model;
  status.os = identity_.os;
  status.model = config_.model;
  if (state_.active >= 0) {
    const Slot& slot = state_.slots[static_cast<size_t>(state_.active)];
    status.version = slot.version;
    status.bundle_digest = slot.digest;
  }
  switch (state_.update.phase) {
    case Phase::kIdle:
      status.state = measuring() ? "measuring" : state_.active < 0 && !state_.last.outcome.empty() ? "failed" : "idle";
      break;
    case Phase::kDownloading: status.state = "downloading"; break;
    case Phase::kDownloaded: status.state = "installing"; break;
    case Phase::kInstalled: status.state = "proving"; break;
    case Phase::kProbation: status.state = "probation"; break;
  }
  status.update_version = state_.last.version;
  status.update_digest = state_.last.digest;
  status.update_outcome = state_.last.outcome;
  status.update_reason = state_.last.reason;
  status.update_detail = state_.last.detail;
  status.update_seq = state_.update_seq;
  status.telemetry_pending = recorder_ ? recorder_->pending() : 0;
  return status;
}

void Agent::send_status() {
  // Not between two steps that follow at once, and after a failure not before the next poll.
  if (!status_dirty_ || status_busy_ || status_waits_) return;
  status_dirty_ = false;
  status_busy_ = true;
  HttpRequest post = request("POST", fmt::format("{}/{}/status", kPathDevices, url_encode(config_.device_id)));
  post.body = device_status_to_json(status()).dump();
  jobs_.submit([this, post, http = ports_.http] {
    auto response = http->send(post);
    return [this, response] {
      status_busy_ = false;
      if (response.ok() && response->status == 200) return;
      status_dirty_ = status_waits_ = true;
      log_warn("fleet", response.ok() ? fmt::format("the server answered the status with {}", response->status)
                                      : response.error().message());
    };
  });
}

void Agent::send_telemetry() {
  if (!recorder_ || !telemetry_wanted_ || telemetry_busy_ || recorder_->pending() == 0) return;
  telemetry_wanted_ = false;
  auto reports = recorder_->batch();
  if (!reports.ok()) return log_warn("telemetry", reports.error().message());
  if (reports->empty()) return;
  if (reports->size() > batch_max_) reports->resize(batch_max_);
  Json list = Json::array();
  for (const Report& report : *reports) list.push(report_to_json(report));
  HttpRequest post = request("POST", fmt::format("{}/{}/telemetry", kPathDevices, url_encode(config_.device_id)));
  post.body = Json::object().set("reports", std::move(list)).dump();
  telemetry_busy_ = true;
  jobs_.submit([this, post, http = ports_.http, count = reports->size(), first = reports->front()] {
    auto response = http->send(post);
    return [this, response, count, first] { on_telemetry(count, first, response); };
  });
}

void Agent::on_telemetry(size_t sent, const Report& first, const Result<HttpResponse>& response) {
  telemetry_busy_ = false;
  if (!response.ok()) return log_warn("telemetry", response.error().message());
  if (response->status != 200) {
    log_warn("telemetry", fmt::format("the server answered {} to {} reports", response->status, sent));
    bool malformed = response->status == 400 || response->status == 413 || response->status == 422;
    if (!malformed) return;
    // One report that this server will never take must not hold back all that follow: find it, then let it go.
    telemetry_wanted_ = true;
    if (sent > 1) {
      batch_max_ = 1;
    } else {
      log_error("telemetry",
                fmt::format("report {} of {} is given up: the server refuses it", first.seq, first.boot_id));
      if (auto s = recorder_->acknowledge(first.boot_id, first.seq); !s.ok()) telemetry_wanted_ = false;
      batch_max_ = kTelemetryBatchReports;
    }
    return;
  }
  auto json = Json::parse(response->body);
  if (!json.ok()) return log_warn("telemetry", "the server's answer is not JSON");
  size_t taken = 0;
  for (const Json& item : (*json)["accepted"].items()) {
    auto status = recorder_->acknowledge(item["boot_id"].as_string(), item["seq"].as_int());
    if (!status.ok()) return log_warn("telemetry", status.error().message());
    ++taken;
  }
  for (const Json& item : (*json)["rejected"].items()) {
    log_error("telemetry", fmt::format("report {} of {} is given up: the server refuses it: {}", item["seq"].as_int(),
                                       item["boot_id"].as_string(), item["reason"].as_string()));
    auto status = recorder_->acknowledge(item["boot_id"].as_string(), item["seq"].as_int());
    if (!status.ok()) return log_warn("telemetry", status.error().message());
    ++taken;
  }
  telemetry_wanted_ = taken > 0;  // there may be more; none taken: not before the next poll
}

}  // namespace oree
