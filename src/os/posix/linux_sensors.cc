// SPDX-License-Identifier: Apache-2.0
#include "os/posix/linux_sensors.h"

#include <sched.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <map>
#include <sstream>

#include "core/base/text.h"
#include "core/io/files.h"
#include "os/posix/sysfs.h"

namespace oree {
namespace {

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
  std::string text = sysfs_text(path);
  char* end = nullptr;
  double v = static_cast<double>(std::strtol(text.c_str(), &end, 10)) / 1000;
  if (end == text.c_str() || v < -60 || v > 200 || v == 0) return std::nullopt;
  return v;
}

}  // namespace

std::optional<double> LinuxSensors::cpu_percent() {
  std::istringstream line(sysfs_text(root_ + "/proc/stat"));
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
  for (const std::string& zone : sysfs_names(thermal)) {
    std::string folder = path_join(thermal, zone);
    if (zone.starts_with("thermal_zone") && is_processor_zone(sysfs_text(folder + "/type"))) take(folder + "/temp");
  }
  std::string hwmon = root_ + "/sys/class/hwmon";
  for (const std::string& chip : sysfs_names(hwmon)) {
    std::string folder = path_join(hwmon, chip);
    if (!is_processor_zone(sysfs_text(folder + "/name"))) continue;
    for (const std::string& file : sysfs_names(folder)) {
      if (file.starts_with("temp") && file.ends_with("_input")) take(path_join(folder, file));
    }
  }
  return hottest;
}

namespace {

std::vector<CpuFrequency> cpu_frequencies(const std::string& root) {
  std::vector<CpuFrequency> all;
  std::string cpufreq = root + "/sys/devices/system/cpu/cpufreq";
  for (const std::string& policy : sysfs_names(cpufreq)) {
    if (!policy.starts_with("policy")) continue;
    std::string folder = path_join(cpufreq, policy);
    std::optional<double> khz = sysfs_number(folder + "/scaling_cur_freq");
    if (!khz || *khz <= 0) continue;
    all.push_back({policy, *khz / 1000, sysfs_number(folder + "/scaling_min_freq").value_or(0) / 1000,
                   sysfs_number(folder + "/scaling_max_freq").value_or(0) / 1000,
                   utf8_text(sysfs_text(folder + "/scaling_governor").substr(0, 40))});
  }
  return all;
}

// How often x86 CPUs were slowed down for their heat, of all cores and packages. A package's count is told by each of
// its CPUs again: what matters is whether the sum grows.
std::optional<int64_t> throttle_count(const std::string& root) {
  std::optional<int64_t> sum;
  std::string cpus = root + "/sys/devices/system/cpu";
  for (const std::string& cpu : sysfs_names(cpus)) {
    if (!cpu.starts_with("cpu")) continue;
    for (const char* file : {"core_throttle_count", "package_throttle_count"}) {
      std::optional<double> count = sysfs_number(path_join(cpus, cpu) + "/thermal_throttle/" + file);
      if (count && *count >= 0 && *count < 1e15) sum = sum.value_or(0) + static_cast<int64_t>(*count);
    }
  }
  return sum;
}

}  // namespace

std::optional<bool> LinuxSensors::raspberry_throttled() const {
  // "soc" on older boards, "soc@107c000000" on others; below it "soc:firmware".
  std::string platform = root_ + "/sys/devices/platform";
  for (const std::string& soc : sysfs_names(platform)) {
    if (!soc.starts_with("soc")) continue;
    for (const std::string& part : sysfs_names(path_join(platform, soc))) {
      if (!part.ends_with(":firmware")) continue;
      std::string text = sysfs_text(path_join(path_join(platform, soc), part) + "/get_throttled");
      char* end = nullptr;
      unsigned long bits = std::strtoul(text.c_str(), &end, 16);
      // Bit 1: the frequency is capped; 2: throttled; 3: the soft temperature limit holds. From 16 on: since boot.
      if (end != text.c_str() && *end == '\0') return (bits & 0xe) != 0;
    }
  }
  return std::nullopt;
}

void LinuxSensors::read_throttling(SystemReading& reading) {
  reading.throttled = raspberry_throttled();
  reading.throttle_count = throttle_count(root_);
  if (reading.throttle_count && throttle_count_)
    reading.throttled = reading.throttled.value_or(false) || *reading.throttle_count > *throttle_count_;
  throttle_count_ = reading.throttle_count;
}

SystemReading LinuxSensors::read() {
  SystemReading r;
  r.cpu_percent = cpu_percent();
  std::string meminfo = sysfs_text(root_ + "/proc/meminfo");
  r.memory_total_bytes = kilobytes(meminfo, "MemTotal");
  std::optional<int64_t> available = kilobytes(meminfo, "MemAvailable");
  if (r.memory_total_bytes && available) r.memory_used_bytes = *r.memory_total_bytes - *available;
  r.temperature_celsius = temperature();
  std::string load = sysfs_text(root_ + "/proc/loadavg");
  if (!load.empty()) r.load_1min = std::strtod(load.c_str(), nullptr);
  r.frequencies = cpu_frequencies(root_);
  read_throttling(r);
  return r;
}

// By cpu_capacity (Arm), else by the highest clock; empty when a CPU tells neither.
std::vector<CoreGroup> LinuxSensors::core_groups() const {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) != 0) return {};
  std::map<int64_t, CoreGroup, std::greater<>> groups;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(static_cast<size_t>(cpu), &set)) continue;
    const std::string folder = root_ + "/sys/devices/system/cpu/cpu" + std::to_string(cpu);
    std::string text = sysfs_text(folder + "/cpu_capacity");
    if (text.empty()) text = sysfs_text(folder + "/cpufreq/cpuinfo_max_freq");
    const int64_t capacity = std::strtoll(text.c_str(), nullptr, 10);
    if (capacity <= 0) return {};
    CoreGroup& group = groups[capacity];
    group.capacity = capacity;
    group.cpus.push_back(cpu);
  }
  std::vector<CoreGroup> list;
  for (auto& [capacity, group] : groups) list.push_back(std::move(group));
  return list;
}

SystemIdentity LinuxSensors::identity() {
  SystemIdentity id;
  utsname u{};
  if (uname(&u) == 0) id.architecture = u.machine;
  std::string cpuinfo = sysfs_text(root_ + "/proc/cpuinfo");
  id.cpu_model = value_of(cpuinfo, "model name", ':');
  if (id.cpu_model.empty()) id.cpu_model = value_of(cpuinfo, "Model", ':');  // "Raspberry Pi 4 Model B Rev 1.4"
  std::string tree = sysfs_text(root_ + "/proc/device-tree/model");
  id.board = std::string(trim(std::string_view(tree).substr(0, tree.find('\0'))));
  if (id.cpu_model.empty()) id.cpu_model = id.board;
  if (id.board.empty()) id.board = std::string(trim(sysfs_text(root_ + "/sys/class/dmi/id/product_name")));
  std::string os = value_of(sysfs_text(root_ + "/etc/os-release"), "PRETTY_NAME", '=');
  if (os.size() >= 2 && os.front() == '"' && os.back() == '"') os = os.substr(1, os.size() - 2);
  id.os = os;
  cpu_set_t set;
  id.cpu_cores =
      sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN));
  id.memory_total_bytes = kilobytes(sysfs_text(root_ + "/proc/meminfo"), "MemTotal").value_or(0);
  id.boot_id = std::string(trim(sysfs_text(root_ + "/proc/sys/kernel/random/boot_id")));
  id.core_groups = core_groups();
  return id;
}

}  // namespace oree
