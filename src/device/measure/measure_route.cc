// SPDX-License-Identifier: Apache-2.0
#include "device/measure/measure_route.h"

#include <charconv>
#include <vector>

#include "core/base/limits.h"
#include "core/base/text.h"
#include "model/remote/protocol.h"

namespace oree {
namespace {

constexpr size_t kTargetBytesMax = 512;
constexpr int64_t kCommandsMax = int64_t{1} << 40;
constexpr int64_t kWorkerNumberMax = 1'000'000;  // of one job

bool read_count(std::string_view text, int64_t max, int64_t& out) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size() && out >= 1 && out <= max && text[0] != '+';
}

using Kind = MeasureRoute::Kind;

struct Verb {
  std::string_view method;
  Kind kind;
};

Kind choose(std::string_view method, std::initializer_list<Verb> verbs) {
  for (const Verb& verb : verbs) {
    if (verb.method == method) return verb.kind;
  }
  return MeasureRoute::kWrongMethod;
}

// Of the path's parts behind /jobs/J.
Kind in_job(const std::vector<std::string>& parts, std::string_view method, MeasureRoute& route) {
  if (parts.empty()) {
    return choose(
        method,
        {{"PUT", MeasureRoute::kBeginJob}, {"GET", MeasureRoute::kLookAtJob}, {"DELETE", MeasureRoute::kEndJob}});
  }
  if (parts.size() == 2 && parts[0] == "files" && is_digest(parts[1])) {
    route.digest = parts[1];
    return choose(method, {{"HEAD", MeasureRoute::kHasFile}, {"PUT", MeasureRoute::kPutFile}});
  }
  if (parts.size() < 2 || parts[0] != "workers" || !read_count(parts[1], kWorkerNumberMax, route.worker))
    return MeasureRoute::kUnknown;
  if (parts.size() == 2)
    return choose(method, {{"PUT", MeasureRoute::kStartWorker}, {"DELETE", MeasureRoute::kEndWorker}});
  if (parts.size() == 3 && parts[2] == "output") return choose(method, {{"GET", MeasureRoute::kOutput}});
  if (parts.size() == 4 && parts[2] == "commands" && read_count(parts[3], kCommandsMax, route.command))
    return choose(method, {{"POST", MeasureRoute::kCommand}});
  return MeasureRoute::kUnknown;
}

}  // namespace

MeasureRoute measure_route(std::string_view method, std::string_view target) {
  MeasureRoute route;
  constexpr std::string_view kPrefix = kPathMeasure;
  if (target.size() > kTargetBytesMax || !target.starts_with(kPrefix)) return route;
  std::string_view rest = target.substr(kPrefix.size());
  if (rest == "/device") {
    route.kind = choose(method, {{"GET", MeasureRoute::kDevice}});
  } else if (rest == "/reading") {
    route.kind = choose(method, {{"GET", MeasureRoute::kReading}});
  } else if (rest.starts_with("/jobs/")) {
    std::vector<std::string> parts = split(rest.substr(6), '/');
    if (!is_job_id(parts[0])) return route;
    route.job = parts[0];
    parts.erase(parts.begin());
    route.kind = in_job(parts, method, route);
  }
  return route;
}

}  // namespace oree
