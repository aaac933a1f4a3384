// SPDX-License-Identifier: Apache-2.0
#include "model/profile/assess.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/text.h"
#include "model/tflite/tflm_operators.h"

namespace oree {
namespace {

// What TensorFlow Lite Micro's arena takes beyond the live values: its greedy planner up to a third more, and records
// of its own, up to 1 KiB an operator. The most that six published int8 networks took on a Cortex-M4
// (docs/profiles.md).
int64_t arena_bytes_max(int64_t live, int64_t operators) {
  constexpr int64_t kBytesPerOperator = 1024;
  return live + live / 3 + operators * kBytesPerOperator;
}

// What a process of the engine takes beyond the file, the weights and the activations: the most that was measured, on
// x86-64 (docs/profiles.md).
int64_t engine_bytes(std::string_view engine) {
  constexpr int64_t kMiB = 1 << 20;
  if (engine == "openvino") return 160 * kMiB;
  if (engine == "onnxruntime") return 90 * kMiB;
  return 85 * kMiB;
}

std::string joined(const std::vector<std::string>& names) {
  constexpr size_t kNamed = 4;
  std::string out;
  for (size_t i = 0; i < std::min(names.size(), kNamed); ++i) out += (i == 0 ? "" : ", ") + names[i];
  return names.size() > kNamed ? out + fmt::format(" and {} more", names.size() - kNamed) : out;
}

// Why an engine would not take the model; "" when it would, perhaps after oree convert.
std::string refusal(const ProfileEngine& e, const ModelNeeds& needs) {
  if (e.engine == "tflm") {
    if (!needs.tflite_refused.empty()) return "no TFLite file of it: " + needs.tflite_refused;
    std::vector<std::string> without;
    for (const auto& [op, count] : needs.ops) {
      if (!tflm_has(op)) without.push_back(op);
    }
    return without.empty() ? "" : "TFLite Micro has no " + joined(without);
  }
  if (!needs.foreign_ops.empty()) return fmt::format("{} has no {}", e.engine, joined(needs.foreign_ops));
  if (e.engine == "tflite") return needs.tflite_refused;
  if (e.engine == "onnxruntime") return needs.onnx_refused;
  // OpenVINO reads TFLite itself, but its variables: "Unexpected type: RESOURCE".
  const bool variables = needs.format == ModelFormat::kTflite && needs.ops.contains("VAR_HANDLE");
  return variables ? "openvino has no VAR_HANDLE" : "";
}

const ProfileEngine* first_that_takes(const DeviceProfile& profile, const ModelNeeds& needs, std::string& why) {
  for (const ProfileEngine& e : profile.engines) {
    const std::string no = refusal(e, needs);
    if (no.empty()) return &e;
    if (why.empty()) why = no;
  }
  return nullptr;
}

// Beyond half the smallest and twice the largest run other things than multiplications decide: no estimate.
bool near(int64_t macs, int64_t least, int64_t most) { return macs >= least / 2 && macs <= 2 * most; }

std::optional<LatencyEstimate> estimate(const ModelNeeds& needs, const DeviceProfile& profile, const ProfileEngine& e) {
  if (!needs.macs_known) return {};
  for (const std::string& precision : e.precisions) {
    const bool integers = precision == "int8" || precision == "int16";
    // A float model runs in float where the engine does; only an engine of integers alone has it quantized.
    if (integers != needs.integers && (needs.integers || e.precisions.size() > 1)) continue;
    LatencyEstimate out{precision, 0, 0, 0};
    int64_t least = 0, most = 0;
    for (const ProfileThroughput& run : profile.throughputs) {
      if (run.engine != e.engine || run.provider != e.provider || run.precision != precision) continue;
      const double ms = run.latency_ms * static_cast<double>(needs.macs) / static_cast<double>(run.macs);
      const bool first = out.runs++ == 0;
      out.ms_min = first ? ms : std::min(out.ms_min, ms);
      out.ms_max = std::max(out.ms_max, ms);
      least = first ? run.macs : std::min(least, run.macs);
      most = std::max(most, run.macs);
    }
    if (out.runs >= 2 && near(needs.macs, least, most)) return out;
  }
  return {};
}

int64_t model_share(const DeviceProfile& profile, int64_t memory) {
  const int64_t usable = std::min(memory, profile.usable_bytes.value_or(memory));
  return usable * profile.model_percent / 100;
}

// An MCU keeps the file and the engine in flash, and in RAM the arena alone.
void weigh_mcu(const ModelNeeds& needs, const ProfileEngine& e, Assessment& a) {
  const DeviceProfile& p = *a.profile;
  a.memory_bytes_available = model_share(p, p.memory_bytes.at(0));
  if (needs.int8_file_bytes < 0 || needs.int8_live_bytes < 0) {
    a.why = "its sizes are not all known";
    return;
  }
  a.flash_bytes_needed = needs.int8_file_bytes + e.code_bytes;
  a.memory_bytes_needed = arena_bytes_max(needs.int8_live_bytes, needs.ops_total);
  const std::string flash = fmt::format("{} of flash at int8, of {}", human_bytes(a.flash_bytes_needed),
                                        human_bytes(p.flash_bytes.value_or(0)));
  const std::string ram = fmt::format("an arena of up to {}, of {}", human_bytes(a.memory_bytes_needed),
                                      human_bytes(a.memory_bytes_available));
  const bool flash_fits = a.flash_bytes_needed <= p.flash_bytes.value_or(0);
  const bool ram_fits = a.memory_bytes_needed <= a.memory_bytes_available;
  a.fit = flash_fits && ram_fits ? Fit::kYes : Fit::kNo;
  a.why = flash_fits && ram_fits ? flash + "; " + ram : !flash_fits ? flash + (ram_fits ? "" : "; " + ram) : ram;
}

// Elsewhere a process maps the file, and the engine keeps its own copy of the weights, laid out for its kernels.
void weigh_process(const ModelNeeds& needs, const ProfileEngine& e, std::optional<int64_t> machine, Assessment& a) {
  const DeviceProfile& p = *a.profile;
  std::vector<int64_t> sizes = machine ? std::vector<int64_t>{*machine} : p.memory_bytes;
  const int64_t known = needs.file_bytes + needs.unpacked_bytes + engine_bytes(e.engine);
  if (needs.live_bytes >= 0) a.memory_bytes_needed = known + needs.live_bytes;
  const int64_t least = needs.live_bytes >= 0 ? a.memory_bytes_needed : known;
  if (sizes.empty()) {
    a.why = fmt::format("about {} of memory for the process; how much the machine has is not in the profile",
                        human_bytes(least));
    return;
  }
  const int64_t* holds = nullptr;
  for (const int64_t& size : sizes) {
    if (holds == nullptr && least <= model_share(p, size)) holds = &size;
  }
  const int64_t size = holds != nullptr ? *holds : sizes.back();
  a.memory_bytes_available = model_share(p, size);
  a.why = fmt::format("{} {} of memory for the process, of {}", needs.live_bytes >= 0 ? "about" : "at least",
                      human_bytes(least), human_bytes(a.memory_bytes_available));
  if (holds != nullptr && size != sizes.front()) a.why += fmt::format(", from {} of RAM on", human_bytes(size));
  if (holds != nullptr && needs.live_bytes < 0) a.why += "; the activations' sizes are not all known";
  a.fit = holds == nullptr ? Fit::kNo : needs.live_bytes < 0 ? Fit::kUnknown : Fit::kYes;
}

}  // namespace

const char* fit_name(Fit fit) {
  switch (fit) {
    case Fit::kYes: return "fits";
    case Fit::kNo: return "does not fit";
    case Fit::kUnknown: return "not known";
  }
  return "";
}

Assessment assess(const ModelNeeds& needs, const DeviceProfile& profile, std::optional<int64_t> memory_bytes) {
  Assessment a;
  a.profile = &profile;
  std::string why;
  const ProfileEngine* engine = first_that_takes(profile, needs, why);
  if (engine == nullptr) {
    a.fit = Fit::kNo;
    a.why = "no engine there takes it: " + why;
    return a;
  }
  a.engine = engine->engine + "/" + engine->provider;
  a.needs = engine->needs;
  if (profile.level == DeviceLevel::kMcu) {
    weigh_mcu(needs, *engine, a);
  } else {
    weigh_process(needs, *engine, memory_bytes, a);
  }
  if (a.fit != Fit::kNo) a.latency = estimate(needs, profile, *engine);
  return a;
}

namespace {

// How far a device is from holding the model: the largest of needed / available.
double shortfall(const Assessment& a) {
  constexpr double kNoEngine = 1e12;
  if (a.engine.empty()) return kNoEngine;
  const auto ratio = [](int64_t needed, int64_t available) {
    return available > 0 ? static_cast<double>(needed) / static_cast<double>(available) : 0;
  };
  return std::max(ratio(a.memory_bytes_needed, a.memory_bytes_available),
                  ratio(a.flash_bytes_needed, a.profile->flash_bytes.value_or(0)));
}

}  // namespace

LevelVerdict level_needed(const std::vector<Assessment>& all) {
  const Assessment* holds = nullptr;
  for (const Assessment& a : all) {
    const auto size = [](const Assessment& x) { return std::pair(x.profile->level, x.memory_bytes_available); };
    if (a.fit == Fit::kYes && (holds == nullptr || size(a) < size(*holds))) holds = &a;
  }
  const auto nearest_of = [&](const auto& counts) {
    const Assessment* nearest = nullptr;
    for (const Assessment& a : all) {
      const auto rank = [](const Assessment& x) {
        return std::pair(-static_cast<int>(x.profile->level), shortfall(x));
      };
      if (counts(a) && (nearest == nullptr || rank(a) < rank(*nearest))) nearest = &a;
    }
    return nearest;
  };
  const auto told = [](const Assessment& a) { return a.profile->name + ": " + a.why; };
  if (holds == nullptr) {
    const bool open = std::ranges::any_of(all, [](const Assessment& a) { return a.fit == Fit::kUnknown; });
    const Assessment* nearest = nearest_of([](const Assessment&) { return true; });
    std::string why =
        open ? "not known: what it needs, or what the devices have, is not all known" : "no profile holds it";
    return {{}, nearest == nullptr ? why : why + "; the nearest is " + told(*nearest)};
  }
  std::string why = fmt::format("{} ({})", holds->profile->name, holds->why);
  const Assessment* smaller =
      nearest_of([&](const Assessment& a) { return a.fit == Fit::kNo && a.profile->level < holds->profile->level; });
  if (smaller != nullptr) {
    why += fmt::format("; no {} holds it, the nearest is {}", level_name(smaller->profile->level), told(*smaller));
  }
  return {holds->profile->level, why};
}

}  // namespace oree
