// SPDX-License-Identifier: Apache-2.0
#include "optimize/tune/plan.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "model/runtime/session_options.h"

namespace oree {
namespace {

bool contains(const std::vector<std::string>& list, const std::string& item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}

TuneCandidate refused(Candidate candidate, Code code, std::string why) {
  TuneCandidate result;
  result.measurement.candidate = std::move(candidate);
  result.note = why;
  result.measurement.refused = Error(code, std::move(why));
  return result;
}

// An engine that is missing may not say what it reads.
bool reads(const RuntimeInfo& info, ModelFormat format) {
  return contains(info.formats, format_name(format)) || (!info.available && info.formats.empty());
}

// The engine's whole refusal, "" when it can open files of this format.
std::string cannot_open(const RuntimeInfo& info, ModelFormat format) {
  if (!reads(info, format)) {
    return fmt::format("{} cannot read {} files (it reads {})", info.name, format_name(format),
                       fmt::join(info.formats, ", "));
  }
  if (!info.available) {
    auto why = info.absent.find(info.name);
    return why == info.absent.end() ? info.name + " is not on this machine" : why->second;
  }
  return "";
}

std::string no_provider(const RuntimeInfo& info, const std::string& provider) {
  if (provider.empty() || contains(info.providers, provider)) return "";
  auto why = info.absent.find(provider);
  return why == info.absent.end() ? fmt::format("{} has no provider '{}'", info.name, provider) : why->second;
}

// The engine's best CPU path, and what else is here; its plain kernels for the CPU are what that falls back to.
std::vector<std::string> default_providers(const RuntimeInfo& info) {
  std::vector<std::string> providers = {""};
  for (size_t i = 1; i < info.providers.size(); ++i) {
    if (info.providers[i] != "cpu") providers.push_back(info.providers[i]);
  }
  return providers;
}

void plan_engine(const TuneRequest& request, const RuntimeInfo& info, const std::string& model, bool is_float,
                 const TuneMachine& machine, std::vector<TuneCandidate>& out) {
  std::vector<int> threads = request.threads.empty() ? default_threads(machine.cores) : request.threads;
  const std::vector<int> fast = machine.core_groups.size() > 1 ? machine.core_groups[0].cpus : std::vector<int>{};
  std::vector<std::string> precisions = request.precisions.empty() ? info.precisions : request.precisions;
  // f32 first: an engine whose default is f32 is then told as the duplicate, not the other way round.
  std::stable_partition(precisions.begin(), precisions.end(), [](const std::string& p) { return p == "f32"; });
  const std::vector<std::string> providers = request.providers.empty() ? default_providers(info) : request.providers;
  int most_threads = *std::max_element(threads.begin(), threads.end());
  // What an engine takes when nobody says: TensorFlow Lite one, the others all cores.
  const int own_threads = info.name == "tflite" ? 1 : most_threads;
  for (const std::string& provider : providers) {
    Candidate candidate{model, info.name, {threads[0], provider, precisions.empty() ? "f32" : precisions[0]}};
    if (std::string why = no_provider(info, provider); !why.empty()) {
      out.push_back(refused(candidate, Code::kUnsupported, why));
      continue;
    }
    for (const std::string& precision : precisions) {
      candidate.options.precision = precision;
      if (!contains(info.precisions, precision)) {
        candidate.options.threads = threads[0];
        out.push_back(
            refused(candidate, Code::kUnsupported,
                    fmt::format("{} has no {} (it has {})", info.name, precision, fmt::join(info.precisions, ", "))));
        continue;
      }
      for (int count : threads) {
        candidate.options.threads = count;
        for (int batch : request.batches) {
          if (batch > 1 && count != most_threads) continue;
          TuneCandidate planned;
          planned.measurement.candidate = candidate;
          planned.measurement.candidate.batch = batch;
          planned.engine_default =
              is_float && precision == "default" && provider.empty() && count == own_threads && batch == 1;
          out.push_back(std::move(planned));
        }
        // Threads that fit on the fast cores may be better off there than where the kernel puts them.
        if (fast.empty() || count > static_cast<int>(fast.size()) || !provider.empty()) continue;
        TuneCandidate confined;
        confined.measurement.candidate = candidate;
        confined.measurement.candidate.options.cpus = fast;
        out.push_back(std::move(confined));
      }
    }
  }
}

}  // namespace

std::vector<int> default_threads(int cores) {
  std::vector<int> threads;
  for (int count = 1; count < cores; count *= 2) threads.push_back(count);
  threads.push_back(std::clamp(cores, 1, kSessionThreadsMax));
  return threads;
}

Result<std::vector<TuneCandidate>> plan_candidates(const TuneRequest& request, const TuneMachine& machine) {
  if (request.models.empty() || request.models.size() != machine.formats.size()) {
    return Error(Code::kUsage, "tune: give at least one model");
  }
  for (int count : request.threads) {
    if (count < 1 || count > kSessionThreadsMax)
      return Error(Code::kUsage, fmt::format("threads: expected 1 to {}, found {}", kSessionThreadsMax, count));
  }
  for (int batch : request.batches) {
    if (batch < 1 || batch > kBatchMax)
      return Error(Code::kUsage, fmt::format("batches: expected 1 to {}, found {}", kBatchMax, batch));
  }
  for (const std::string& precision : request.precisions) {
    auto known = parse_precision(precision);
    if (!known.ok()) return known.error();
  }
  for (const std::string& name : request.runtimes) {
    if (!contains(backend_names(), name)) {
      return Error(Code::kUsage,
                   fmt::format("runtime: expected {}, found '{}'", fmt::join(backend_names(), ", "), name));
    }
  }
  std::vector<TuneCandidate> candidates;
  for (size_t m = 0; m < request.models.size(); ++m) {
    for (const RuntimeInfo& info : machine.runtimes) {
      if (!request.runtimes.empty() && !contains(request.runtimes, info.name)) continue;
      std::string why = cannot_open(info, machine.formats[m]);
      if (auto made = request.made_for.find(request.models[m]);
          why.empty() && made != request.made_for.end() && made->second != info.name)
        why = fmt::format("the file is made for {}", made->second);
      if (!why.empty()) {
        Candidate candidate{request.models[m], info.name, {}};
        candidates.push_back(
            refused(candidate,
                    info.available || !reads(info, machine.formats[m]) ? Code::kUnsupported : Code::kUnavailable, why));
        continue;
      }
      plan_engine(request, info, request.models[m], m < request.float_models, machine, candidates);
    }
  }
  return candidates;
}

}  // namespace oree
