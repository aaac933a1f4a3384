// SPDX-License-Identifier: Apache-2.0
#include "device/agent/prove.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "core/base/text.h"
#include "deliver/bundle/bundle.h"
#include "deliver/bundle/golden.h"

namespace oree {
namespace {

constexpr size_t kVerdictBytesMax = 64 << 10;

Proof fail(std::string reason, std::string detail) {
  Proof proof;
  proof.reason = std::move(reason);
  proof.detail = std::move(detail);
  return proof;
}

// What decides whether the engine can run a bundle, in a form that changes when it does.
std::string found_text(const RuntimeInfo& info) {
  if (!info.available) return "absent";
  return fmt::format("{}; {}", info.version, fmt::join(info.providers, ", ")).substr(0, kRemedyCharsMax);
}

Proof of_engine_error(const Error& error, const RuntimeInfo& info, const std::string& provider) {
  bool unfit =
      error.code() == Code::kUnsupported || error.code() == Code::kUnavailable || error.code() == Code::kNotFound;
  if (error.code() == Code::kExhausted) return fail("memory", error.message());
  if (!unfit) return fail("invalid_bundle", error.message());
  const auto& providers = info.providers;
  bool here = info.available &&
              (provider.empty() || std::find(providers.begin(), providers.end(), provider) != providers.end());
  Proof proof = fail(here ? "incompatible" : "runtime_missing", error.message());
  proof.remedy = {info.name, found_text(info)};
  return proof;
}

Proof unknown_runtime(const std::string& name, const Error& error) {
  Proof proof = fail("runtime_missing", error.message());
  proof.remedy = {name, "unknown"};
  return proof;
}

// Nearest rank.
double percentile95(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  auto rank = static_cast<size_t>(std::ceil(0.95 * static_cast<double>(values.size())));
  return values[rank - 1];
}

Status run_golden(Files& files, Session& session, const std::string& folder, const GoldenRules& rules, Proof& proof) {
  for (int i = 0; i < rules.samples; ++i) {
    OREE_TRY_ASSIGN(GoldenSample sample, load_golden(files, folder, i));
    OREE_TRY_ASSIGN(NamedTensors outputs, session.run(sample.inputs));
    GoldenVerdict verdict = compare_golden(outputs, sample.expected, rules);
    if (verdict.relative_error >= proof.relative_error) {
      proof.relative_error = verdict.relative_error;
      proof.cosine = verdict.cosine;
    }
    if (verdict.passed) continue;
    proof.reason = "golden_mismatch";
    proof.detail = fmt::format("sample {}: {}", i, verdict.reason);
    return {};
  }
  return {};
}

Status measure(Clock& clock, Files& files, Session& session, const std::string& folder, const GoldenRules& rules,
               Proof& proof) {
  OREE_TRY_ASSIGN(GoldenSample sample, load_golden(files, folder, 0));
  std::vector<double> times_ms;
  for (int i = 0; i < rules.warmup_runs + rules.runs; ++i) {
    int64_t start_ns = clock.monotonic_ns();
    OREE_TRY_ASSIGN(NamedTensors outputs, session.run(sample.inputs));
    int64_t end_ns = clock.monotonic_ns();
    if (i >= rules.warmup_runs) times_ms.push_back(static_cast<double>(end_ns - start_ns) / 1e6);
  }
  if (times_ms.empty()) return {};
  proof.latency_ms_p95 = percentile95(std::move(times_ms));
  if (rules.latency_ms_p95_max > 0 && proof.latency_ms_p95 > rules.latency_ms_p95_max) {
    proof.reason = "latency";
    proof.detail =
        fmt::format("p95 of {:.2f} ms, at most {:.2f} ms are allowed", proof.latency_ms_p95, rules.latency_ms_p95_max);
  }
  return {};
}

std::string memory_text(int64_t found, int64_t allowed) {
  return fmt::format("{} of resident memory, at most {} are allowed", human_bytes(found), human_bytes(allowed));
}

}  // namespace

Json proof_to_json(const Proof& proof) {
  Json json = Json::object();
  json.set("passed", proof.passed).set("reason", proof.reason).set("detail", proof.detail);
  json.set("latency_ms_p95", proof.latency_ms_p95).set("rss_bytes_peak", proof.rss_bytes_peak);
  json.set("relative_error", proof.relative_error).set("cosine", proof.cosine);
  return json.set("remedy", proof.remedy.what).set("remedy_found", proof.remedy.found);
}

Result<Proof> proof_from_json(const Json& json) {
  Proof proof;
  OREE_TRY_ASSIGN(proof.passed, json.get_bool("passed"));
  OREE_TRY_ASSIGN(proof.reason, json.get_string("reason"));
  OREE_TRY_ASSIGN(proof.detail, json.get_string("detail"));
  OREE_TRY_ASSIGN(proof.latency_ms_p95, json.get_double("latency_ms_p95"));
  OREE_TRY_ASSIGN(proof.rss_bytes_peak, json.get_int("rss_bytes_peak", 0, INT64_MAX));
  proof.relative_error = json["relative_error"].as_double(0);  // null when it was not finite
  proof.cosine = json["cosine"].as_double(0);
  proof.remedy = {json["remedy"].as_string(), json["remedy_found"].as_string()};
  return proof;
}

Proof prove_bundle(Clock& clock, Files& files, Processes& processes, const FindBackend& find,
                   const std::string& folder) {
  auto manifest = open_unpacked(files, folder, true);
  if (!manifest.ok()) return fail("invalid_bundle", manifest.error().message());
  const GoldenRules& rules = manifest->golden;
  if (rules.samples < 1) return fail("invalid_bundle", "there is no golden sample to prove the model with");
  auto backend = find(manifest->runtime);
  if (!backend.ok()) return unknown_runtime(manifest->runtime, backend.error());
  const RuntimeInfo& info = (*backend)->info();
  const std::string& provider = manifest->options.provider;
  auto session = (*backend)->open(path_join(folder, manifest->model_path), manifest->options);
  if (!session.ok()) return of_engine_error(session.error(), info, provider);
  Proof proof;
  Status status = run_golden(files, **session, folder, rules, proof);
  if (status.ok() && proof.reason.empty()) status = measure(clock, files, **session, folder, rules, proof);
  if (!status.ok()) return of_engine_error(status.error(), info, provider);
  auto usage = processes.own_usage();
  if (usage.ok()) proof.rss_bytes_peak = usage->rss_bytes_peak;
  if (proof.reason.empty() && rules.memory_bytes_max > 0 && proof.rss_bytes_peak > rules.memory_bytes_max) {
    proof.reason = "memory";
    proof.detail = memory_text(proof.rss_bytes_peak, rules.memory_bytes_max);
  }
  proof.passed = proof.reason.empty();
  return proof;
}

Proof look_at_runtime(const FindBackend& find, const std::string& name) {
  auto backend = find(name);
  if (!backend.ok()) return unknown_runtime(name, backend.error());
  const RuntimeInfo& info = (*backend)->info();
  auto why = info.absent.find(name);
  Proof proof = info.available ? Proof() : fail("runtime_missing", why == info.absent.end() ? "" : why->second);
  proof.passed = info.available;
  proof.remedy = {name, found_text(info)};
  return proof;
}

void Prover::start(const std::string& folder, int64_t memory_bytes_max, int nice) {
  spawn("--slot", folder, memory_bytes_max, nice);
}
void Prover::start_look(const std::string& runtime) { spawn("--runtime", runtime, 0, 0); }

void Prover::spawn(const std::string& option, const std::string& value, int64_t memory_bytes_max, int nice) {
  cancel();
  ProcessSpec spec;
  spec.argv = {processes_.own_path(), "prove", option, value, "--json"};
  spec.output_pipe = true;
  spec.nice = nice;
  memory_bytes_max_ = memory_bytes_max;
  started_ns_ = clock_.monotonic_ns();
  auto child = processes_.spawn(spec);
  if (child.ok()) {
    child_ = std::move(child).value();
    return;
  }
  early_ = fail("prove_failed", child.error().message());
  early_->transient = true;
}

void Prover::cancel() {
  child_.reset();
  early_.reset();
  output_.clear();
}

std::optional<Proof> Prover::poll() {
  if (early_) return std::exchange(early_, std::nullopt);
  if (child_ == nullptr) return std::nullopt;
  auto take_output = [this] {
    for (const std::string& line : child_->read_output(0)) {
      if (output_.size() + line.size() <= kVerdictBytesMax) output_ += line + "\n";
    }
  };
  take_output();
  auto end = [this](Proof proof) {
    cancel();
    return proof;
  };
  if (auto exit = child_->poll_exit()) {
    take_output();
    auto json = Json::parse(output_);
    auto proof = json.ok() ? proof_from_json(*json) : Result<Proof>(json.error());
    // A verdict counts only from a child that came to its own end: an engine that crashes on the way out is a crash.
    if (exit->signal != 0) return end(fail("prove_crashed", fmt::format("the proof ended by signal {}", exit->signal)));
    if (proof.ok()) return end(std::move(proof).value());
    return end(fail("prove_crashed", fmt::format("the proof ended with status {} and no verdict", exit->code)));
  }
  if (memory_bytes_max_ > 0) {
    auto usage = child_->usage();
    if (usage.ok() && usage->rss_bytes_peak > memory_bytes_max_) {
      return end(fail("memory", memory_text(usage->rss_bytes_peak, memory_bytes_max_)));
    }
  }
  int64_t age_ms = (clock_.monotonic_ns() - started_ns_) / 1'000'000;
  if (age_ms >= timeout_ms_) return end(fail("prove_timeout", fmt::format("no verdict after {} ms", age_ms)));
  return std::nullopt;
}

}  // namespace oree
