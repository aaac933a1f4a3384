// SPDX-License-Identifier: Apache-2.0
#include "os/posix/linux_sensors.h"

#include <sched.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <sstream>

#include "core/base/text.h"
#include "os/posix/posix_files.h"

namespace oree {
namespace {

std::string slurp(const std::string& path) {
  Result<Bytes> bytes = PosixFiles().read(path, 1 << 20);
  return bytes.ok() ? std::string(as_text(*bytes)) : "";
}

std::vector<std::string> names_in(const std::string& path) {
  Result<std::vector<std::string>> names = PosixFiles().list(path);
  return names.ok() ? std::move(names).value() : std::vector<std::string>();
}

// The text behind "key:" or "key=" on its line, trimmed; "" when there is none.
std::string value_of(const std::string& text, std::string_view key, char separator) {
  for (const std::string& line : split(text, '\n')) {
    size_t at = line.find(separator);
    if (at != std::string::npos && trim(std::string_view(line).substr(0, at)) == key) {
      return std::string(trim(std::string_view(line).substr(at + 1)));
    }
  }
  return "";
}

std::optional<int64_t> kilobytes(const std::string& meminfo, std::string_view key) {
  std::string text = value_of(meminfo, key, ':');
  if (text.empty()) return std::nullopt;
  return std::strtoll(text.c_str(), nullptr, 10) * 1024;
}

bool is_processor_zone(const std::string& type) {
  for (const char* part : {"cpu", "soc", "x86_pkg", "coretemp", "k10temp", "zenpower", "package", "acpitz", "bcm"}) {
    if (type.find(part) != std::string::npos) return true;
  }
  return false;
}

// Millidegrees in a file. Sensors that are switched off say absurd things.
std::optional<double> degrees(const std::string& path) {
  std::string text = slurp(path);
  char* end = nullptr;
  double v = static_cast<double>(std::strtol(text.c_str(), &end, 10)) / 1000;
  if (end == text.c_str() || v < -60 || v > 200 || v == 0) return std::nullopt;
  return v;
}

}  // namespace

std::optional<double> LinuxSensors::cpu_percent() {
  std::istringstream line(slurp(root_ + "/proc/stat"));
  std::string cpu;
  int64_t t[8] = {};  // user nice system idle iowait irq softirq steal; guest time is in user already
  line >> cpu;
  for (int64_t& v : t) line >> v;
  if (!line || cpu != "cpu") return std::nullopt;
  int64_t total = 0;
  for (int64_t v : t) total += v;
  int64_t busy = total - t[3] - t[4];
  std::optional<double> out;
  // Idle time may step back by a tick: the kernel says so itself.
  if (total_ticks_ >= 0 && total > total_ticks_) {
    double part = static_cast<double>(busy - busy_ticks_) / static_cast<double>(total - total_ticks_);
    out = 100 * std::clamp(part, 0.0, 1.0);
  }
  busy_ticks_ = busy;
  total_ticks_ = total;
  return out;
}

std::optional<double> LinuxSensors::temperature() const {
  std::optional<double> hottest;
  auto take = [&](const std::string& path) {
    std::optional<double> v = degrees(path);
    if (v && (!hottest || *v > *hottest)) hottest = v;
  };
  std::string thermal = root_ + "/sys/class/thermal";
  for (const std::string& zone : names_in(thermal)) {
    std::string folder = path_join(thermal, zone);
    if (zone.starts_with("thermal_zone") && is_processor_zone(slurp(folder + "/type"))) take(folder + "/temp");
  }
  std::string hwmon = root_ + "/sys/class/hwmon";
  for (const std::string& chip : names_in(hwmon)) {
    std::string folder = path_join(hwmon, chip);
    if (!is_processor_zone(slurp(folder + "/name"))) continue;
    for (const std::string& file : names_in(folder)) {
      if (file.starts_with("temp") && file.ends_with("_input")) take(path_join(folder, file));
    }
  }
  return hottest;
}

SystemReading LinuxSensors::read() {
  SystemReading r;
  r.cpu_percent = cpu_percent();
  std::string meminfo = slurp(root_ + "/proc/meminfo");
  r.memory_total_bytes = kilobytes(meminfo, "MemTotal");
  std::optional<int64_t> available = kilobytes(meminfo, "MemAvailable");
  if (r.memory_total_bytes && available) r.memory_used_bytes = *r.memory_total_bytes - *available;
  r.temperature_celsius = temperature();
  std::string load = slurp(root_ + "/proc/loadavg");
  if (!load.empty()) r.load_1min = std::strtod(load.c_str(), nullptr);
  return r;
}

SystemIdentity LinuxSensors::identity() {
  SystemIdentity id;
  utsname u{};
  if (uname(&u) == 0) id.architecture = u.machine;
  std::string cpuinfo = slurp(root_ + "/proc/cpuinfo");
  id.cpu_model = value_of(cpuinfo, "model name", ':');
  if (id.cpu_model.empty()) id.cpu_model = value_of(cpuinfo, "Model", ':');  // "Raspberry Pi 4 Model B Rev 1.4"
  if (id.cpu_model.empty()) {
    std::string model = slurp(root_ + "/proc/device-tree/model");
    id.cpu_model = std::string(trim(std::string_view(model).substr(0, model.find('\0'))));
  }
  std::string os = value_of(slurp(root_ + "/etc/os-release"), "PRETTY_NAME", '=');
  if (os.size() >= 2 && os.front() == '"' && os.back() == '"') os = os.substr(1, os.size() - 2);
  id.os = os;
  cpu_set_t set;
  id.cpu_cores =
      sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN));
  id.memory_total_bytes = kilobytes(slurp(root_ + "/proc/meminfo"), "MemTotal").value_or(0);
  id.boot_id = std::string(trim(slurp(root_ + "/proc/sys/kernel/random/boot_id")));
  return id;
}

}  // namespace oree
