// SPDX-License-Identifier: Apache-2.0
// oree sensors: what can be measured of this machine beside time: energy, temperature, frequency.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <memory>

#include "cli/context.h"
#include "cli/power_options.h"
#include "core/base/text.h"
#include "model/remote/protocol.h"

namespace oree::cli {
namespace {

constexpr char kExamples[] =
    "  oree sensors\n"
    "  oree sensors --power-meter 'python3 examples/power_meter.py --watts 4.2'";
constexpr int64_t kLookMs = 500;

// What it tells over a moment.
Result<double> watts_now(const Context& context, PowerMeter& meter) {
  OREE_TRY_ASSIGN(EnergyReading from, meter.read());
  context.ports.clock->sleep_ms(std::max<int64_t>(kLookMs, 3 * meter.info().sample_ms));
  OREE_TRY_ASSIGN(EnergyReading to, meter.read());
  if (to.time_ns <= from.time_ns)
    return Error(Code::kUnavailable, fmt::format("it told nothing new within {} ms", kLookMs));
  return (to.joules - from.joules) / (static_cast<double>(to.time_ns - from.time_ns) / 1e9);
}

struct Listed {
  PowerMeterInfo info;
  std::optional<double> watts;
  std::string why_not;
};

Listed look(const Context& context, const std::string& name, PowerMeterInfo info) {
  Listed listed{std::move(info), std::nullopt, ""};
  auto meter = context.ports.power->open(name);
  if (!meter.ok()) {
    listed.why_not = meter.error().message();
    return listed;
  }
  listed.info = (*meter)->info();
  Result<double> watts = watts_now(context, **meter);
  if (watts.ok()) listed.watts = *watts;
  if (!watts.ok()) listed.why_not = watts.error().message();
  return listed;
}

std::vector<Listed> power_meters(const Context& context, const std::string& named) {
  std::vector<Listed> all;
  if (!named.empty()) all.push_back(look(context, named, {"external: " + named, "-", 0, 0}));
  for (PowerSource& source : context.ports.power->sources()) {
    if (source.info.method == named) continue;
    if (source.refused) {
      all.push_back({source.info, std::nullopt, source.refused->message()});
    } else {
      all.push_back(look(context, source.info.method, source.info));
    }
  }
  return all;
}

std::string power_text(const std::vector<Listed>& meters) {
  if (meters.empty())
    return "Energy: not measurable: no power sensor on this machine; --power-meter names an external one\n";
  TextTable table{{"power meter", "covers", "now"}, {false, false, true}, {}};
  std::string reasons;
  for (const Listed& m : meters) {
    table.rows.push_back(
        {m.info.method, m.info.covers, m.watts ? fmt::format("{:.2f} W", *m.watts) : "not measurable"});
    if (!m.watts) reasons += fmt::format("  {}: {}\n", m.info.method, m.why_not);
  }
  return table.text() + (reasons.empty() ? "" : "\nNot measurable:\n" + reasons);
}

std::string state_text(const SystemReading& reading) {
  std::string text = reading.temperature_celsius ? fmt::format("Temperature: {:.1f} °C\n", *reading.temperature_celsius)
                                                 : "Temperature: no readable sensor\n";
  if (reading.frequencies.empty())
    text += "Frequency: the kernel tells none (no cpufreq, as in most virtual machines)\n";
  for (const CpuFrequency& f : reading.frequencies) {
    text += fmt::format("Frequency: {} at {:.0f} MHz, of {:.0f} to {:.0f}, governor {}\n", f.policy, f.mhz, f.mhz_min,
                        f.mhz_max, f.governor.empty() ? "unknown" : f.governor);
  }
  if (reading.throttled) text += *reading.throttled ? "Throttled: yes\n" : "Throttled: no\n";
  if (reading.throttle_count) text += fmt::format("Throttled since boot: {} times\n", *reading.throttle_count);
  if (!reading.throttled && !reading.throttle_count) text += "Throttled: nothing here tells\n";
  return text;
}

Json document_of(const std::vector<Listed>& meters, const SystemReading& reading) {
  Json power = Json::array();
  for (const Listed& m : meters) {
    Json item = Json().set("method", m.info.method).set("covers", m.info.covers).set("watts", m.watts);
    if (m.info.resolution_joules > 0) item.set("resolution_joules", m.info.resolution_joules);
    if (m.info.sample_ms > 0) item.set("sample_ms", m.info.sample_ms);
    if (!m.watts) item.set("not_measurable", m.why_not);
    power.push(item);
  }
  Json document = Json().set("power_meters", power);
  const Json state = reading_to_json(reading);
  for (const char* member : {"temperature_celsius", "frequencies", "throttled", "throttle_count"})
    document.set(member, state[member]);
  return document;
}

Status sensors(const Context& context, const std::string& power_meter) {
  // Read twice, so that "throttled since the previous reading" spans the look at the meters.
  (void)context.ports.sensors->read();
  std::vector<Listed> meters;
  if (context.ports.power != nullptr) meters = power_meters(context, named_power_meter(power_meter));
  SystemReading reading = context.ports.sensors->read();
  print_result(context, document_of(meters, reading), power_text(meters) + "\n" + state_text(reading));
  return {};
}

}  // namespace

std::string named_power_meter(const std::string& option) {
  if (!option.empty()) return option;
  const char* text = std::getenv("OREE_POWER_METER");
  return text != nullptr ? text : "";
}

void add_power_meter_option(CLI::App& command, std::string& power_meter) {
  command.add_option(
      "--power-meter", power_meter,
      "A meter that oree sensors lists, or a plug-in's command line (docs/formats/power-meter.md); default: "
      "OREE_POWER_METER, then the best of this machine");
}

void add_sensors(CLI::App& app, Context& context) {
  auto power_meter = std::make_shared<std::string>();
  CLI::App* command =
      add_command(app, context, "sensors", "List what can be measured here: energy, temperature, frequency", kExamples,
                  [&context, power_meter] { return sensors(context, *power_meter); });
  add_power_meter_option(*command, *power_meter);
}

}  // namespace oree::cli
