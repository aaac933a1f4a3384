// SPDX-License-Identifier: Apache-2.0
#include "cli/profile_report.h"

#include <fmt/format.h>

#include <cmath>

#include "core/base/text.h"
#include "model/draw/svg.h"

namespace oree::cli {
namespace {

constexpr char kUnmeasured[] =
    "Profiles are what is published about devices, none of which has run here: whatever follows from them is "
    "unmeasured.\n";

Json texts(const std::vector<std::string>& list) {
  Json out = Json::array();
  for (const std::string& text : list) out.push(text);
  return out;
}

std::string joined(const std::vector<std::string>& list) { return fmt::format("{}", fmt::join(list, ", ")); }

std::string memory_text(const DeviceProfile& p) {
  if (p.memory_bytes.empty()) return "-";
  std::string out;
  for (int64_t bytes : p.memory_bytes) out += (out.empty() ? "" : ", ") + human_bytes(bytes);
  return p.flash_bytes ? out + " + " + human_bytes(*p.flash_bytes) + " flash" : out;
}

std::string engines_text(const DeviceProfile& p) {
  std::string out;
  for (const ProfileEngine& e : p.engines) out += (out.empty() ? "" : ", ") + e.engine + "/" + e.provider;
  return out;
}

std::string machine_text(const DeviceProfile* here, const SystemIdentity& machine) {
  const std::string& name = machine.board.empty() ? machine.cpu_model : machine.board;
  const std::string what = fmt::format("{}{}{}", machine.architecture, name.empty() ? "" : ", ", xml_escape(name));
  return fmt::format("This machine ({}) is {}.\n", what, here == nullptr ? "of no profile" : here->name);
}

// Two digits: more would pretend to know.
std::string two_digits(double ms) {
  if (ms <= 0) return "0";
  const double step = std::pow(10.0, std::floor(std::log10(ms)) - 1);
  const double rounded = std::round(ms / step) * step;
  return rounded < 10 ? fmt::format("{:.{}f}", rounded, rounded < 1 ? 2 : 1) : fmt::format("{:.0f}", rounded);
}

std::string latency_text(const Assessment& a) {
  if (!a.latency) return "-";
  return fmt::format("~{}..{} ms {}", two_digits(a.latency->ms_min), two_digits(a.latency->ms_max),
                     a.latency->precision);
}

std::string bytes_text(int64_t bytes) { return bytes < 0 ? "not known" : human_bytes(bytes); }
Json bytes_json(int64_t bytes) { return bytes < 0 ? Json() : Json(bytes); }

const char* fit_word(Fit fit) { return fit == Fit::kYes ? "fits" : fit == Fit::kNo ? "does_not_fit" : "not_known"; }

Json assessment_json(const Assessment& a, bool here) {
  Json latency;
  if (a.latency) {
    latency.set("precision", a.latency->precision)
        .set("ms_min", a.latency->ms_min)
        .set("ms_max", a.latency->ms_max)
        .set("from_runs", a.latency->runs);
  }
  return Json()
      .set("device", a.profile->name)
      .set("this_machine", here)
      .set("level", level_name(a.profile->level))
      .set("verdict", fit_word(a.fit))
      .set("why", a.why)
      .set("engine", a.engine.empty() ? Json() : Json(a.engine))
      .set("needs", a.needs.empty() ? Json() : Json(a.needs))
      .set("memory_bytes_needed", bytes_json(a.memory_bytes_needed))
      .set("memory_bytes_available", bytes_json(a.memory_bytes_available))
      .set("flash_bytes_needed", bytes_json(a.flash_bytes_needed))
      .set("latency_estimate", latency)
      .set("measured", false);
}

Json engine_json(const ProfileEngine& e) {
  return Json()
      .set("engine", e.engine)
      .set("provider", e.provider)
      .set("precisions", texts(e.precisions))
      .set("int8", e.int8.empty() ? Json() : Json(e.int8))
      .set("int8_cpu", e.int8_cpu.empty() ? Json() : Json(e.int8_cpu))
      .set("code_bytes", e.code_bytes > 0 ? Json(e.code_bytes) : Json())
      .set("why", e.why)
      .set("needs", e.needs.empty() ? Json() : Json(e.needs))
      .set("source", texts(e.sources));
}

Json memory_json(const DeviceProfile& p) {
  Json sizes = Json::array();
  for (int64_t bytes : p.memory_bytes) sizes.push(bytes);
  return Json()
      .set("bytes", sizes)
      .set("usable_bytes", Json(p.usable_bytes))
      .set("flash_bytes", Json(p.flash_bytes))
      .set("model_percent", p.model_percent)
      .set("model_why", p.model_why);
}

Json power_json(const ProfilePower& power) {
  Json modes = Json::array();
  for (double watts : power.modes_watts) modes.push(watts);
  return Json()
      .set("idle_watts", Json(power.idle_watts))
      .set("typical_watts", Json(power.typical_watts))
      .set("max_watts", Json(power.max_watts))
      .set("supply_watts", Json(power.supply_watts))
      .set("processor_watts", Json(power.processor_watts))
      .set("modes_watts", modes);
}

std::string power_text(const ProfilePower& power) {
  std::string out;
  const auto add = [&](const std::optional<double>& watts, const char* what) {
    if (watts) out += fmt::format("{}{} W {}", out.empty() ? "" : ", ", *watts, what);
  };
  add(power.idle_watts, "idle");
  add(power.typical_watts, "typical");
  add(power.max_watts, "at most");
  add(power.supply_watts, "from the supply");
  add(power.processor_watts, "the processor");
  if (!power.modes_watts.empty()) {
    out += fmt::format("{}modes of {} W", out.empty() ? "" : ", ", fmt::join(power.modes_watts, ", "));
  }
  return out.empty() ? "not known" : out;
}

std::string cited(const std::vector<std::string>& sources) {
  return sources.empty() ? "" : " [" + joined(sources) + "]";
}

std::string engine_text(const ProfileEngine& e) {
  std::string out = fmt::format("  {}/{}: {}\n", e.engine, e.provider, joined(e.precisions));
  if (!e.int8.empty()) {
    const std::string cpu = e.int8_cpu.empty() ? "" : " --cpu " + e.int8_cpu;
    out += fmt::format("    int8 by oree quantize --engine {}{}\n", e.int8, cpu);
  }
  out += fmt::format("    {}{}\n", e.why, cited(e.sources));
  if (!e.needs.empty()) out += fmt::format("    needs {}\n", e.needs);
  return out;
}

std::string avoid_text(const ProfileAvoid& a) {
  const std::string provider = a.provider.empty() ? "" : "/" + a.provider;
  const std::string when = a.when.empty() ? "" : " (" + a.when + ")";
  return fmt::format("  {}{} {}{}: {}{}\n", a.engine, provider, a.precision, when, a.why, cited(a.sources));
}

}  // namespace

Json profile_json(const DeviceProfile& p) {
  Json engines = Json::array(), avoided = Json::array(), runs = Json::array(), sources = Json::array();
  for (const ProfileEngine& e : p.engines) engines.push(engine_json(e));
  for (const ProfileAvoid& a : p.avoided) {
    avoided.push(Json()
                     .set("engine", a.engine)
                     .set("provider", a.provider.empty() ? Json() : Json(a.provider))
                     .set("precision", a.precision)
                     .set("when", a.when.empty() ? Json() : Json(a.when))
                     .set("why", a.why)
                     .set("source", texts(a.sources)));
  }
  for (const ProfileThroughput& t : p.throughputs) {
    runs.push(Json()
                  .set("engine", t.engine)
                  .set("provider", t.provider)
                  .set("precision", t.precision)
                  .set("model", t.model)
                  .set("macs", t.macs)
                  .set("latency_ms", t.latency_ms)
                  .set("source", texts(t.sources)));
  }
  for (const ProfileSource& s : p.sources) {
    sources.push(Json()
                     .set("id", s.id)
                     .set("title", s.title)
                     .set("url", s.url.empty() ? Json() : Json(s.url))
                     .set("backs", texts(s.backs)));
  }
  return Json()
      .set("name", p.name)
      .set("title", p.title)
      .set("level", level_name(p.level))
      .set("architecture", p.architecture)
      .set("cpu", p.cpu.empty() ? Json() : Json(p.cpu))
      .set("cores", p.cores > 0 ? Json(p.cores) : Json())
      .set("match", Json()
                        .set("generic", p.match.generic)
                        .set("architectures", texts(p.match.architectures))
                        .set("texts", texts(p.match.texts)))
      .set("memory", memory_json(p))
      .set("power", power_json(p.power))
      .set("engines", engines)
      .set("avoid", avoided)
      .set("throughput", runs)
      .set("sources", sources)
      .set("measured", false);
}

std::string profile_text(const DeviceProfile& p) {
  std::string out = fmt::format("{}: {}\n", p.name, p.title);
  out += fmt::format("level         {}\n", level_name(p.level));
  const std::string cores = p.cores > 1 ? fmt::format("{} x ", p.cores) : "";
  out += fmt::format("processor     {}{}{}\n", p.architecture, p.cpu.empty() ? "" : ", " + cores, p.cpu);
  out += fmt::format("memory        {}{}\n", memory_text(p),
                     p.usable_bytes ? ", for programs " + human_bytes(*p.usable_bytes) : "");
  out += fmt::format("for a model   {} % of it: {}\n", p.model_percent, p.model_why);
  out += fmt::format("power         {}\n", power_text(p.power));
  std::string known =
      p.match.generic ? "any machine of this architecture that no other profile knows" : joined(p.match.texts);
  out += fmt::format("known by      {}\n", known.empty() ? "nothing: it runs no orée" : known);
  out += "\nEngines, the one to try first on top:\n";
  for (const ProfileEngine& e : p.engines) out += engine_text(e);
  if (!p.avoided.empty()) out += "\nWhat makes no sense:\n";
  for (const ProfileAvoid& a : p.avoided) out += avoid_text(a);
  if (!p.throughputs.empty()) out += "\nPublished runs, from which latencies are estimated:\n";
  for (const ProfileThroughput& t : p.throughputs) {
    out += fmt::format("  {}/{} {}: {}, {} million MACs, {} ms{}\n", t.engine, t.provider, t.precision, t.model,
                       t.macs / 1'000'000, t.latency_ms, cited(t.sources));
  }
  out += "\nSources:\n";
  for (const ProfileSource& s : p.sources) {
    const std::string backs = s.backs.empty() ? "" : " (" + joined(s.backs) + ")";
    out += fmt::format("  [{}] {}{}\n", s.id, s.title, backs);
    if (!s.url.empty()) out += fmt::format("    {}\n", s.url);
  }
  return out + "\n" + kUnmeasured;
}

Json profiles_json(const std::vector<DeviceProfile>& profiles, const DeviceProfile* here,
                   const SystemIdentity& machine) {
  Json list = Json::array();
  for (const DeviceProfile& p : profiles) list.push(profile_json(p));
  return Json()
      .set("this_machine", Json()
                               .set("profile", here == nullptr ? Json() : Json(here->name))
                               .set("architecture", machine.architecture)
                               .set("board", machine.board)
                               .set("cpu_model", machine.cpu_model)
                               .set("memory_bytes", machine.memory_total_bytes))
      .set("profiles", list);
}

std::string profiles_text(const std::vector<DeviceProfile>& profiles, const DeviceProfile* here,
                          const SystemIdentity& machine) {
  TextTable table{{"profile", "level", "architecture", "memory", "engines"}, {}, {}};
  for (const DeviceProfile& p : profiles) {
    table.rows.push_back({p.name, level_name(p.level), p.architecture, memory_text(p), engines_text(p)});
  }
  return table.text() + "\n" + machine_text(here, machine) + kUnmeasured;
}

Json verdicts_json(const ModelVerdicts& v) {
  Json devices = Json::array();
  for (size_t i = 0; i < v.devices.size(); ++i) devices.push(assessment_json(v.devices[i], v.here && i == 0));
  Json ops = Json::object();
  for (const auto& [op, count] : v.needs.ops) ops.set(op, count);
  Json out;
  out.set("model", v.needs.path)
      .set("format", format_name(v.needs.format))
      .set("needs", Json()
                        .set("file_bytes", v.needs.file_bytes)
                        .set("weight_bytes", v.needs.weight_bytes)
                        .set("live_bytes_peak", bytes_json(v.needs.live_bytes))
                        .set("macs", v.needs.macs)
                        .set("macs_exact", v.needs.macs_known)
                        .set("quantized", v.needs.integers)
                        .set("int8_file_bytes", bytes_json(v.needs.int8_file_bytes))
                        .set("int8_live_bytes_peak", bytes_json(v.needs.int8_live_bytes))
                        .set("tflite_ops", ops)
                        .set("tflite_refused", v.needs.tflite_refused.empty() ? Json() : Json(v.needs.tflite_refused)));
  if (v.level) {
    out.set("level", v.level->level ? Json(level_name(*v.level->level)) : Json()).set("level_why", v.level->why);
  }
  return out.set("devices", devices);
}

std::string verdicts_text(const ModelVerdicts& v) {
  const ModelNeeds& n = v.needs;
  std::string out =
      fmt::format("{}: {} of weights, {} of activations at a time, {}{} MACs", n.path, human_bytes(n.weight_bytes),
                  bytes_text(n.live_bytes), n.macs_known ? "" : "at least ", short_count(n.macs));
  out += n.int8_file_bytes < 0
             ? "\n"
             : fmt::format("; at int8 {} and {}\n", human_bytes(n.int8_file_bytes), bytes_text(n.int8_live_bytes));
  TextTable table{{"device", "level", "verdict", "engine", "latency (estimate)", "why"}, {}, {}};
  bool estimated = false;
  for (size_t i = 0; i < v.devices.size(); ++i) {
    const Assessment& a = v.devices[i];
    const std::string name = v.here && i == 0 ? fmt::format("this machine ({})", a.profile->name) : a.profile->name;
    table.rows.push_back({name, level_name(a.profile->level), fit_name(a.fit), a.engine.empty() ? "-" : a.engine,
                          latency_text(a), a.why});
    estimated = estimated || a.latency.has_value();
  }
  out += table.text();
  for (const Assessment& a : v.devices) {
    if (v.devices.size() == 1 && !a.needs.empty()) out += fmt::format("{} needs {}\n", a.engine, a.needs);
  }
  if (v.level) {
    out += fmt::format("\nLevel needed: {}: {}\n", v.level->level ? level_name(*v.level->level) : "none known",
                       v.level->why);
  }
  out += "Unmeasured: sizes are of the file, devices are as published.";
  if (estimated) out += " A latency lies between the slowest and the fastest published run, scaled by MACs.";
  return out + "\n";
}

}  // namespace oree::cli
