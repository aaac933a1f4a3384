// SPDX-License-Identifier: Apache-2.0
#include "fleet/server/fleet_server.h"

#include <algorithm>

#include "core/base/limits.h"
#include "core/base/log.h"
#include "core/crypto/crypto.h"

namespace oree {
namespace {

constexpr int64_t kSilenceTicks = 5, kFlushTicks = 10, kCleanTicks = 60;
constexpr int64_t kDayMs = 86'400'000;
constexpr int64_t kIgnoredBodyBytes = 4096;  // some clients send "{}" where nothing is asked for

// Collects a small body, then calls the route's handler.
class CallSink : public RequestSink {
 public:
  CallSink(Fleet& fleet, const Route& route, Call call) : fleet_(fleet), route_(route), call_(std::move(call)) {}
  std::optional<ServerResponse> write(ByteView chunk) override {
    call_.body.append(as_text(chunk));
    return std::nullopt;
  }
  ServerResponse finish() override {
    ServerResponse response = route_.handle(fleet_, call_);
    if (response.status >= 500)
      log_error("fleet", call_.request.method + " " + call_.request.target + ": " + response.body);
    return response;
  }

 private:
  Fleet& fleet_;
  const Route& route_;
  Call call_;
};

RequestPlan answer(ServerResponse response) {
  RequestPlan plan;
  plan.answer = std::move(response);
  return plan;
}

}  // namespace

FleetServer::FleetServer(Database& database, Files& files, Clock& clock, Random& random, const FleetOptions& options)
    : fleet_(database, files, clock, random, options) {
  add_blob_routes(router_);
  add_release_routes(router_);
  add_device_routes(router_);
  add_telemetry_routes(router_);
  add_alert_routes(router_);
  add_overview_routes(router_);
  add_page_routes(router_);
}

Status FleetServer::open() {
  OREE_TRY(fleet_.open());
  sweep_blobs();
  return {};
}

Status FleetServer::close() { return fleet_.devices.flush(); }

// Fills call.who; a response when the caller may not.
std::optional<ServerResponse> FleetServer::authorise(const Route& route, Call& call) {
  std::string token = bearer_token(call.request.headers);
  if (!token.empty()) {
    if (equal_constant_time(token_hash(token), fleet_.operator_hash)) {
      call.who.kind = Principal::Kind::kOperator;
    } else if (route.access == Access::kDevice || route.access == Access::kRead || route.access == Access::kOperator) {
      auto owner = fleet_.devices.owner(token);
      if (!owner.ok()) return error_response(owner.error());
      if (*owner) call.who = {Principal::Kind::kDevice, **owner};
    }
  }
  using Kind = Principal::Kind;
  bool open = route.access == Access::kOpen || (route.access == Access::kRead && !fleet_.options.private_reads);
  if (open) return std::nullopt;
  if (call.who.kind == Kind::kNobody) {
    ++fleet_.counters.auth_failures;
    bool too_many = fleet_.limiter.fail(call.request.peer);
    ServerResponse refusal =
        too_many        ? error_response(429, "unauthorized", "too many wrong tokens from this address: wait a minute")
        : token.empty() ? error_response(401, "unauthorized", "expected Authorization: Bearer TOKEN")
                        : error_response(401, "unauthorized", "the token is not valid");
    if (too_many)
      refusal.headers["retry-after"] = "60";
    else
      refusal.headers["www-authenticate"] = "Bearer";
    return refusal;
  }
  bool allowed =
      route.access == Access::kRead || (route.access == Access::kOperator && call.who.kind == Kind::kOperator) ||
      (route.access == Access::kDevice && call.who.kind == Kind::kDevice && call.who.device == call.param("id"));
  if (allowed) return std::nullopt;
  return error_response(403, "refused",
                        route.access == Access::kOperator ? "this needs the operator's token"
                                                          : "this needs the token of that very device");
}

RequestPlan FleetServer::begin(const ServerRequest& head) {
  ++fleet_.counters.requests;
  Call call;
  call.request = head;
  std::string allowed;
  const Route* route = router_.find(head.method, head.target, call, allowed);
  if (!route && allowed.empty()) return answer(error_response(404, "not_found", "no such path"));
  if (!route) {
    ServerResponse refusal = error_response(405, "invalid", "this path takes " + allowed);
    refusal.headers["allow"] = allowed;
    return answer(std::move(refusal));
  }
  if (auto refusal = authorise(*route, call)) return answer(std::move(*refusal));
  if (call.who.kind == Principal::Kind::kDevice) {
    if (Status seen = heard(fleet_, call.who.device, fleet_.clock.wall_ms()); !seen.ok())
      return answer(error_response(seen.error()));
  }
  if (route->stream) return route->stream(fleet_, call);
  RequestPlan plan;
  plan.body_bytes_max = std::max<int64_t>(route->body_bytes_max, kIgnoredBodyBytes);
  plan.sink = std::make_unique<CallSink>(fleet_, *route, std::move(call));
  return plan;
}

// An error is no reason not to serve: what could not be deleted now will be later.
void FleetServer::sweep_blobs() {
  auto more = fleet_.collector.sweep();
  if (!more.ok()) log_error("fleet", "deleting unused blobs: " + more.error().message());
  bool at_once = more.ok() && *more;
  next_sweep_ns_ = fleet_.clock.monotonic_ns() + (at_once ? 0 : kServerBlobSweepMs * 1'000'000);
}

void FleetServer::tick() {
  ++ticks_;
  int64_t now = fleet_.clock.wall_ms();
  auto report = [](const char* what, const Status& status) {
    if (!status.ok()) log_error("fleet", std::string(what) + ": " + status.error().message());
  };
  if (ticks_ % kSilenceTicks == 0) report("watching for silent devices", watch_silence(fleet_, now));
  if (ticks_ % kFlushTicks == 0) report("writing when devices were seen", fleet_.devices.flush());
  if (ticks_ % kCleanTicks == 0) {
    auto removed = fleet_.reports.remove_older(now - kFleetReportDaysMax * kDayMs);
    if (!removed.ok()) log_error("fleet", "removing old reports: " + removed.error().message());
  }
  if (fleet_.clock.monotonic_ns() >= next_sweep_ns_) sweep_blobs();
}

}  // namespace oree
