// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "core/base/limits.h"
#include "core/base/text.h"
#include "model/profile/profile.h"
#include "model/profile/profile_reader.h"

namespace oree {
namespace {

using Words = std::vector<std::string>;

const Words kLevels = {"mcu", "single-board", "edge-server"};
const Words kEngines = {"onnxruntime", "openvino", "tflite", "tflm"};
const Words kPrecisions = {"f32", "f16", "bf16", "int8", "int16"};

constexpr int64_t kMemoryMax = int64_t{1} << 44;
constexpr double kWattsMax = 10'000;

// A profile's facts, by the keys that sources back.
std::set<std::string> facts_of(const DeviceProfile& p) {
  std::set<std::string> facts;
  const auto add = [&](bool present, const char* key) {
    if (present) facts.insert(key);
  };
  add(!p.cpu.empty(), "cpu");
  add(p.cores > 0, "cores");
  add(!p.match.texts.empty(), "match.texts");
  add(!p.memory_bytes.empty(), "memory.bytes");
  add(p.usable_bytes.has_value(), "memory.usable_bytes");
  add(p.flash_bytes.has_value(), "memory.flash_bytes");
  add(p.power.idle_watts.has_value(), "power.idle_watts");
  add(p.power.typical_watts.has_value(), "power.typical_watts");
  add(p.power.max_watts.has_value(), "power.max_watts");
  add(p.power.supply_watts.has_value(), "power.supply_watts");
  add(p.power.processor_watts.has_value(), "power.processor_watts");
  add(!p.power.modes_watts.empty(), "power.modes_watts");
  return facts;
}

bool has(const std::vector<std::string>& list, const std::string& word) {
  return std::ranges::find(list, word) != list.end();
}

Status read_match(const Json& root, DeviceProfile& p) {
  ProfileTable t(root.find("match"), "[match]");
  t.flag("generic", p.match.generic);
  t.texts("architectures", p.match.architectures, root.find("match") != nullptr);
  t.texts("texts", p.match.texts, root.find("match") != nullptr && !p.match.generic);
  if (p.match.generic && !p.match.texts.empty()) t.fail("generic", "and texts exclude each other");
  return t.finish();
}

Status read_memory(const Json& root, DeviceProfile& p) {
  ProfileTable t(root.find("memory"), "[memory]");
  t.numbers<int64_t>("bytes", p.memory_bytes, 1024, kMemoryMax);
  t.integer("usable_bytes", p.usable_bytes, 1024, kMemoryMax);
  t.integer("flash_bytes", p.flash_bytes, 1024, kMemoryMax);
  int64_t percent = 0;
  t.integer("model_percent", percent, 1, 100, true);
  p.model_percent = static_cast<int>(percent);
  t.text("model_why", p.model_why, true);
  if (p.usable_bytes && (p.memory_bytes.size() != 1 || *p.usable_bytes > p.memory_bytes[0])) {
    t.fail("usable_bytes", "must be a part of the one size in bytes");
  }
  if (p.level == DeviceLevel::kMcu) {
    if (p.memory_bytes.size() != 1) t.fail("bytes", "must be one size: what fits an MCU is counted");
    if (!p.flash_bytes) t.fail("flash_bytes", "is missing");
  }
  return t.finish();
}

Status read_power(const Json& root, DeviceProfile& p) {
  ProfileTable t(root.find("power"), "[power]");
  t.number("idle_watts", p.power.idle_watts, 0, kWattsMax);
  t.number("typical_watts", p.power.typical_watts, 0, kWattsMax);
  t.number("max_watts", p.power.max_watts, 0, kWattsMax);
  t.number("supply_watts", p.power.supply_watts, 0, kWattsMax);
  t.number("processor_watts", p.power.processor_watts, 0, kWattsMax);
  t.numbers<double>("modes_watts", p.power.modes_watts, 0, kWattsMax);
  return t.finish();
}

Status read_engine(const Json& table, const std::string& place, DeviceProfile& p) {
  ProfileTable t(&table, place);
  ProfileEngine e;
  t.word("engine", e.engine, kEngines, true);
  t.text("provider", e.provider, true);
  t.words("precisions", e.precisions, kPrecisions, true);
  t.word("int8", e.int8, profile_dialects(), has(e.precisions, "int8"));
  t.word("int8_cpu", e.int8_cpu, profile_dialect_cpus(), e.int8 == "onnxruntime" || e.int8 == "openvino");
  t.integer("code_bytes", e.code_bytes, 0, kMemoryMax, p.level == DeviceLevel::kMcu);
  t.text("why", e.why, true);
  t.text("needs", e.needs);
  t.texts("source", e.sources, e.code_bytes > 0);
  if (!e.int8.empty() && !has(e.precisions, "int8")) t.fail("int8", "is given, and int8 is not among the precisions");
  if (!e.int8_cpu.empty() && e.int8 != "onnxruntime" && e.int8 != "openvino") {
    t.fail("int8_cpu", fmt::format("is given, and the dialect '{}' has but one form", e.int8));
  }
  OREE_TRY(t.finish());
  p.engines.push_back(std::move(e));
  return {};
}

Status read_avoid(const Json& table, const std::string& place, DeviceProfile& p) {
  ProfileTable t(&table, place);
  ProfileAvoid a;
  t.word("engine", a.engine, kEngines, true);
  t.text("provider", a.provider);
  t.word("precision", a.precision, kPrecisions, true);
  t.text("when", a.when);
  t.text("why", a.why, true);
  t.texts("source", a.sources, true);
  for (const ProfileEngine& e : p.engines) {
    const bool same = e.engine == a.engine && (a.provider.empty() || a.provider == e.provider);
    if (a.when.empty() && same && has(e.precisions, a.precision)) {
      t.fail("precision", fmt::format("{} is among those that make sense in {}", a.precision, a.engine));
    }
  }
  OREE_TRY(t.finish());
  p.avoided.push_back(std::move(a));
  return {};
}

Status read_throughput(const Json& table, const std::string& place, DeviceProfile& p) {
  ProfileTable t(&table, place);
  ProfileThroughput run;
  t.word("engine", run.engine, kEngines, true);
  t.text("provider", run.provider, true);
  t.word("precision", run.precision, kPrecisions, true);
  t.text("model", run.model, true);
  t.integer("macs", run.macs, 1, int64_t{1} << 50, true);
  t.number("latency_ms", run.latency_ms, 1e-6, 1e9, true);
  t.texts("source", run.sources, true);
  OREE_TRY(t.finish());
  p.throughputs.push_back(std::move(run));
  return {};
}

Status read_source(const Json& table, const std::string& place, DeviceProfile& p) {
  ProfileTable t(&table, place);
  ProfileSource s;
  t.text("id", s.id, true);
  t.text("title", s.title, true);
  t.text("url", s.url);
  t.texts("backs", s.backs);
  if (!s.url.empty() && !s.url.starts_with("https://")) t.fail("url", "must begin with https://");
  if (std::ranges::find(p.sources, s.id, &ProfileSource::id) != p.sources.end()) {
    t.fail("id", fmt::format("'{}' is another source's, too", s.id));
  }
  OREE_TRY(t.finish());
  p.sources.push_back(std::move(s));
  return {};
}

using ReadTable = Status (*)(const Json&, const std::string&, DeviceProfile&);

Status read_tables(const Json& root, const char* key, ReadTable read, DeviceProfile& p) {
  const Json* list = root.find(key);
  if (list == nullptr) return {};
  if (!list->is_array() || list->items().size() > kProfileListMax) {
    return Error(Code::kUsage, fmt::format("[[{}]] must be at most {} tables", key, kProfileListMax));
  }
  int number = 0;
  for (const Json& table : list->items()) OREE_TRY(read(table, fmt::format("[[{}]] {}", key, ++number), p));
  return {};
}

// Every fact has a source, every source is of use, and no name leads nowhere.
Status check_sources(const DeviceProfile& p) {
  const std::set<std::string> facts = facts_of(p);
  std::set<std::string> backed, used;
  for (const ProfileSource& s : p.sources) {
    for (const std::string& key : s.backs) {
      if (!facts.contains(key)) {
        return Error(Code::kUsage, fmt::format("source '{}' backs '{}', which is no fact here; there are {}", s.id, key,
                                               fmt::join(facts, ", ")));
      }
      backed.insert(key);
      used.insert(s.id);
    }
  }
  for (const std::string& fact : facts) {
    if (!backed.contains(fact)) {
      return Error(Code::kUsage, fmt::format("{} has no source: no [[source]] backs it", fact));
    }
  }
  const auto known = [&](const std::vector<std::string>& ids, std::string_view what) -> Status {
    for (const std::string& id : ids) {
      if (std::ranges::find(p.sources, id, &ProfileSource::id) == p.sources.end()) {
        return Error(Code::kUsage, fmt::format("{} names the source '{}', which is not there", what, id));
      }
      used.insert(id);
    }
    return {};
  };
  for (const ProfileEngine& e : p.engines) OREE_TRY(known(e.sources, "[[engine]]"));
  for (const ProfileAvoid& a : p.avoided) OREE_TRY(known(a.sources, "[[avoid]]"));
  for (const ProfileThroughput& t : p.throughputs) OREE_TRY(known(t.sources, "[[throughput]]"));
  for (const ProfileSource& s : p.sources) {
    if (!used.contains(s.id)) return Error(Code::kUsage, fmt::format("source '{}' backs nothing", s.id));
  }
  return {};
}

}  // namespace

const char* level_name(DeviceLevel level) { return kLevels[static_cast<size_t>(level)].c_str(); }

const std::vector<std::string>& profile_dialects() {
  static const Words words = {"onnxruntime", "openvino", "tflite", "tensorrt", "edgetpu", "tflm"};
  return words;
}

const std::vector<std::string>& profile_dialect_cpus() {
  static const Words words = {"vnni", "x86", "arm"};
  return words;
}

Result<DeviceProfile> parse_profile(std::string_view toml) {
  if (static_cast<int64_t>(toml.size()) > kProfileBytesMax) {
    return Error(Code::kUsage, fmt::format("{} bytes, above the limit of {}", toml.size(), kProfileBytesMax));
  }
  auto parsed = parse_toml(toml);
  if (!parsed.ok()) return Error(Code::kUsage, parsed.error().message());
  const Json& root = *parsed;
  DeviceProfile p;
  ProfileTable t(&root, "");
  t.text("name", p.name, true);
  if (Status good = check_name(p.name, "name"); !p.name.empty() && !good.ok()) t.fail("", good.error().message());
  t.text("title", p.title, true);
  std::string level;
  t.word("level", level, kLevels, true);
  if (has(kLevels, level)) p.level = static_cast<DeviceLevel>(std::ranges::find(kLevels, level) - kLevels.begin());
  t.text("architecture", p.architecture, true);
  t.text("cpu", p.cpu);
  int64_t cores = 0;
  t.integer("cores", cores, 1, 4096);
  p.cores = static_cast<int>(cores);
  t.take("memory", true);
  t.take("engine", true);
  for (const char* table : {"match", "power", "avoid", "throughput", "source"}) t.take(table);
  OREE_TRY(t.finish());
  OREE_TRY(read_match(root, p));
  OREE_TRY(read_memory(root, p));
  OREE_TRY(read_power(root, p));
  OREE_TRY(read_tables(root, "engine", read_engine, p));
  OREE_TRY(read_tables(root, "avoid", read_avoid, p));
  OREE_TRY(read_tables(root, "throughput", read_throughput, p));
  OREE_TRY(read_tables(root, "source", read_source, p));
  if (p.engines.empty()) return Error(Code::kUsage, "[[engine]] is empty: nothing would run there");
  OREE_TRY(check_sources(p));
  return p;
}

}  // namespace oree
