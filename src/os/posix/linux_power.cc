// SPDX-License-Identifier: Apache-2.0
#include "os/posix/linux_power.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <map>
#include <set>

#include "core/base/text.h"
#include "core/io/files.h"
#include "os/posix/posix_fd.h"
#include "os/posix/power_plugin.h"
#include "os/posix/power_sampler.h"
#include "os/posix/sysfs.h"

namespace oree {
namespace {

// --- RAPL ------------------------------------------------------------------------------------------------------------

// Intel's energy unit, 2^-14 J, on most processors; others count finer.
constexpr double kRaplStepJoules = 1.0 / 16384;

struct RaplZone {
  std::string file;     // …/energy_uj
  double range_uj = 0;  // where it wraps
  double last_uj = 0;
};

bool forbidden(const std::string& path) {
  PosixFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  return !fd.open() && errno == EACCES;
}

Result<double> rapl_uj(const RaplZone& zone) {
  std::optional<double> uj = sysfs_number(zone.file);
  if (uj && *uj >= 0) return *uj;
  if (forbidden(zone.file)) {
    // Since Linux 5.10: fine readings tell secrets of other programs (CVE-2020-8694).
    return Error(Code::kUnavailable,
                 zone.file + " is readable by root only: run as root, or let others read it (chmod a+r)");
  }
  return Error(Code::kUnavailable,
               zone.file + ": expected microjoules, found '" + sysfs_text(zone.file).substr(0, 40) + "'");
}

// Several processor packages are one meter.
class RaplMeter : public PowerMeter {
 public:
  RaplMeter(PowerMeterInfo info, Clock* clock, std::vector<RaplZone> zones)
      : info_(std::move(info)), clock_(clock), zones_(std::move(zones)) {}

  Status start() {
    for (RaplZone& zone : zones_) {
      OREE_TRY_ASSIGN(zone.last_uj, rapl_uj(zone));
    }
    return {};
  }

  const PowerMeterInfo& info() const override { return info_; }
  Result<EnergyReading> read() override {
    for (RaplZone& zone : zones_) {
      OREE_TRY_ASSIGN(double now, rapl_uj(zone));
      double passed = now - zone.last_uj;
      if (passed < 0) passed += zone.range_uj;
      if (passed < 0) {
        return Error(Code::kUnavailable, fmt::format("{} went back from {} to {}, and wraps at {}", zone.file,
                                                     zone.last_uj, now, zone.range_uj));
      }
      zone.last_uj = now;
      joules_ += passed / 1e6;
    }
    return EnergyReading{clock_->monotonic_ns(), joules_};
  }

 private:
  PowerMeterInfo info_;
  Clock* clock_;
  std::vector<RaplZone> zones_;
  double joules_ = 0;
};

// --- current sensors -------------------------------------------------------------------------------------------------

constexpr int kRailSampleMs = 50;
constexpr int kRailChannelsMax = 8;

bool is_current_sensor(const std::string& name) { return name.starts_with("ina2") || name == "ina3221"; }

// As boards name what everything on them is fed by. NVIDIA's modules have VDD_IN, their first Nano POM_5V_IN.
bool is_input_rail(const std::string& label) { return label == "VDD_IN" || label == "POM_5V_IN" || label == "VIN"; }

struct Rail {
  std::string power_uw;  // file, or "": volts times amperes
  std::string volts_mv, amps_ma;
};

Result<double> rail_watts(const Rail& rail) {
  auto read = [](const std::string& file) -> Result<double> {
    std::optional<double> value = sysfs_number(file);
    if (value) return *value;
    return Error(Code::kUnavailable, file + ": expected a number, found '" + sysfs_text(file).substr(0, 40) + "'");
  };
  if (!rail.power_uw.empty()) {
    OREE_TRY_ASSIGN(double microwatts, read(rail.power_uw));
    return microwatts / 1e6;
  }
  OREE_TRY_ASSIGN(double millivolts, read(rail.volts_mv));
  OREE_TRY_ASSIGN(double milliamperes, read(rail.amps_ma));
  return millivolts * milliamperes / 1e6;
}

// --- Raspberry Pi ----------------------------------------------------------------------------------------------------

constexpr int kPmicSampleMs = 200;  // each is a process: oftener would disturb what is measured
constexpr int64_t kPmicTimeoutMs = 2000;
constexpr size_t kPmicLinesMax = 256;

Result<std::string> pmic_text(Processes* processes, Clock* clock) {
  ProcessSpec spec;
  spec.argv = {"vcgencmd", "pmic_read_adc"};
  spec.output_pipe = true;
  OREE_TRY_ASSIGN(std::unique_ptr<Process> process, processes->spawn(spec));
  std::string text;
  int64_t deadline = clock->monotonic_ns() + kPmicTimeoutMs * 1'000'000;
  for (size_t lines = 0;;) {
    std::optional<ProcessExit> exit = process->poll_exit();
    std::vector<std::string> more = process->read_output(exit ? 0 : 100);
    for (const std::string& line : more) text += line.substr(0, 200) + "\n";
    lines += more.size();
    if (exit && more.empty()) {
      if (exit->code == 0 && exit->signal == 0) return text;
      return Error(Code::kUnavailable,
                   fmt::format("vcgencmd pmic_read_adc ended with status {}: {} (is this user in the "
                               "group video?)",
                               exit->code, trim(text).substr(0, 200)));
    }
    if (lines > kPmicLinesMax) return Error(Code::kInvalid, "vcgencmd pmic_read_adc said too much");
    if (clock->monotonic_ns() > deadline) return Error(Code::kUnavailable, "vcgencmd pmic_read_adc hung");
  }
}

Result<double> pmic_board_watts(Processes* processes, Clock* clock) {
  OREE_TRY_ASSIGN(std::string text, pmic_text(processes, clock));
  OREE_TRY_ASSIGN(double rails, pmic_rail_watts(text));
  return rails * kPmicFitSlope + kPmicFitWatts;
}

}  // namespace

Result<double> pmic_rail_watts(std::string_view text) {
  std::map<std::string, std::array<std::optional<double>, 2>> rails;  // volts, amperes
  for (const std::string& whole : split(text.substr(0, kPmicLinesMax * 200), '\n')) {
    std::string_view line = trim(whole);
    size_t equals = line.rfind('=');
    std::string_view name = line.substr(0, line.find_first_of(" \t="));
    if (equals == std::string_view::npos || name.size() < 3) continue;
    bool amperes = name.ends_with("_A");
    if (!amperes && !name.ends_with("_V")) continue;
    std::string_view number = line.substr(equals + 1);
    double value = 0;
    auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), value);
    bool unit =
        std::string_view(end, static_cast<size_t>(number.data() + number.size() - end)) == (amperes ? "A" : "V");
    if (error != std::errc() || !unit || !std::isfinite(value) || std::fabs(value) > 1000) {
      return Error(Code::kInvalid,
                   fmt::format("vcgencmd pmic_read_adc: expected a line such as 'VDD_CORE_A current(7)=1.2A', "
                               "found '{}'",
                               utf8_text(line.substr(0, 80))));
    }
    rails[std::string(name.substr(0, name.size() - 2))][amperes ? 1 : 0] = value;
  }
  double watts = 0;
  bool any = false;
  for (const auto& [name, values] : rails) {
    if (!values[0] || !values[1]) continue;  // the input and the clock's battery have a voltage alone
    watts += *values[0] * *values[1];
    any = true;
  }
  if (!any) return Error(Code::kInvalid, "vcgencmd pmic_read_adc: no rail with both voltage and current");
  return watts;
}

void LinuxPower::find_rapl(std::vector<Found>& found) const {
  std::vector<RaplZone> packages, platforms;
  std::string names;
  for (const std::string& name : sysfs_names(root_ + "/sys/class/powercap")) {
    // Only intel-rapl:N: with a further number it is a part of a package, and intel-rapl-mmio tells the same again.
    if (!name.starts_with("intel-rapl:") || std::count(name.begin(), name.end(), ':') != 1) continue;
    std::string folder = root_ + "/sys/class/powercap/" + name;
    RaplZone zone{folder + "/energy_uj", sysfs_number(folder + "/max_energy_range_uj").value_or(0), 0};
    std::string what = sysfs_text(folder + "/name");
    if (what == "psys") platforms.push_back(zone);
    if (!what.starts_with("package")) continue;
    names += (names.empty() ? "" : "+") + what;
    packages.push_back(zone);
  }
  auto add = [&](const std::vector<RaplZone>& zones, const std::string& what, const std::string& covers) {
    if (zones.empty()) return;
    PowerMeterInfo info{"rapl " + what, covers, kRaplStepJoules, 0};
    Found meter{{info, true, std::nullopt}, [info, clock = clock_, zones]() -> Result<std::unique_ptr<PowerMeter>> {
                  auto opened = std::make_unique<RaplMeter>(info, clock, zones);
                  OREE_TRY(opened->start());
                  return std::unique_ptr<PowerMeter>(std::move(opened));
                }};
    for (const RaplZone& zone : zones) {
      Result<double> now = rapl_uj(zone);
      if (!now.ok()) meter.source.refused = now.error();
    }
    found.push_back(std::move(meter));
  };
  add(packages, names, packages.size() > 1 ? "CPU packages" : "CPU package");
  add(platforms, "psys", "platform, as its firmware defines it");
}

void LinuxPower::find_rails(std::vector<Found>& inputs, std::vector<Found>& others) const {
  std::set<std::string> taken;
  for (const std::string& chip : sysfs_names(root_ + "/sys/class/hwmon")) {
    std::string folder = root_ + "/sys/class/hwmon/" + chip + "/";
    std::string name = sysfs_text(folder + "name");
    if (!is_current_sensor(name)) continue;
    // The fourth channel of an ina3221 is the sum of the others' shunts, not a rail.
    int channels = name == "ina3221" ? 3 : kRailChannelsMax;
    for (int n = 1; n <= channels; ++n) {
      Rail rail{fmt::format("{}power{}_input", folder, n), fmt::format("{}in{}_input", folder, n),
                fmt::format("{}curr{}_input", folder, n)};
      if (sysfs_text(rail.power_uw).empty()) rail.power_uw.clear();
      if (rail.power_uw.empty() && sysfs_text(rail.amps_ma).empty()) continue;
      if (sysfs_text(fmt::format("{}in{}_enable", folder, n)) == "0") continue;
      std::string label = utf8_text(sysfs_text(fmt::format("{}in{}_label", folder, n)).substr(0, 60));
      if (label.empty()) label = utf8_text(sysfs_text(folder + "label").substr(0, 60));
      bool whole = is_input_rail(label);
      PowerMeterInfo info;
      info.method = name + " " + (label.empty() ? fmt::format("channel {}", n) : label);
      // Two chips of a kind without labels: the kernel's number is all that tells them apart.
      if (!taken.insert(info.method).second) info.method += " of " + chip;
      info.covers = whole           ? "whole module, at its input rail " + label
                    : label.empty() ? "the rail that the sensor sits in"
                                    : "rail " + label;
      info.sample_ms = static_cast<int>(
          std::clamp(sysfs_number(folder + "update_interval").value_or(0), double{kRailSampleMs}, 1000.0));
      Found meter{{info, whole, std::nullopt}, [info, clock = clock_, rail] {
                    return start_sampler(info, clock, [rail] { return rail_watts(rail); });
                  }};
      Result<double> now = rail_watts(rail);
      if (!now.ok()) meter.source.refused = now.error();
      (whole ? inputs : others).push_back(std::move(meter));
    }
  }
}

void LinuxPower::find_raspberry(std::vector<Found>& found) const {
  std::string model = sysfs_text(root_ + "/proc/device-tree/model");
  model = model.substr(0, model.find('\0'));
  if (!model.starts_with("Raspberry Pi")) return;
  PowerMeterInfo info{"rpi5 pmic (fit 1.1451 x + 0.5879 W of github.com/jfikar/RPi5-power)",
                      "whole board, estimated from its 12 rails, without USB devices and HATs", 0, kPmicSampleMs};
  Found meter{{info, true, std::nullopt}, [info, processes = processes_, clock = clock_] {
                return start_sampler(info, clock, [=] { return pmic_board_watts(processes, clock); });
              }};
  bool senses = false;
  for (const char* with : {"Raspberry Pi 5", "Raspberry Pi Compute Module 5"}) senses |= model.starts_with(with);
  if (senses) {
    Result<double> now = pmic_board_watts(processes_, clock_);
    if (!now.ok()) meter.source.refused = now.error();
  } else {
    meter.source.info = {"rpi pmic", "whole board", 0, 0};
    meter.source.refused = Error(Code::kUnsupported, model + ": this board has no current sensor");
  }
  found.push_back(std::move(meter));
}

std::vector<LinuxPower::Found> LinuxPower::find() {
  std::vector<Found> found, others;
  find_rails(found, others);
  find_raspberry(found);
  find_rapl(found);
  std::move(others.begin(), others.end(), std::back_inserter(found));
  return found;
}

std::vector<PowerSource> LinuxPower::sources() {
  std::vector<PowerSource> sources;
  for (Found& meter : find()) sources.push_back(std::move(meter.source));
  return sources;
}

Result<std::unique_ptr<PowerMeter>> LinuxPower::open(const std::string& name) {
  std::vector<Found> found = find();
  std::string reasons, methods;
  size_t usable = 0;
  const Found* last = nullptr;
  for (const Found& meter : found) {
    const PowerSource& source = meter.source;
    if (source.info.method == name || (name.empty() && source.whole && !source.refused)) return meter.open();
    if (source.refused) {
      reasons += (reasons.empty() ? "" : "; ") + source.info.method + ": " + source.refused->message();
      continue;
    }
    methods += (methods.empty() ? "'" : ", '") + source.info.method + "'";
    ++usable;
    last = &meter;
  }
  if (!name.empty()) return start_plugin(processes_, clock_, name);
  if (usable == 1) return last->open();
  if (usable > 1)
    return Error(Code::kUnsupported, "several rails and none that feeds the whole: name one of " + methods);
  if (!reasons.empty()) return Error(Code::kUnsupported, reasons);
  return Error(Code::kUnsupported, "no power sensor on this machine");
}

}  // namespace oree
