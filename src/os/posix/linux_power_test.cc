// SPDX-License-Identifier: Apache-2.0
// Meters against trees of files as the kernel would show them, and programs as they are on devices.
#include "os/posix/linux_power.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/io/fake/fake_clock.h"
#include "core/io/fake/fake_processes.h"
#include "os/posix/posix_clock.h"
#include "os/posix/posix_files.h"
#include "os/posix/posix_processes.h"
#include "os/posix/test_folder.h"

using namespace oree;

namespace {

// A machine's files, as far as it has them.
struct Machine {
  TestFolder folder;
  FakeClock clock;
  FakeProcesses processes{&clock};

  void put(const std::string& path, std::string_view text) const {
    PosixFiles files;
    REQUIRE(files.make_dirs(path_parent(folder / path)).ok());
    REQUIRE(files.write_atomic(folder / path, as_bytes(text)).ok());
  }
  void put_rapl(const std::string& zone, const std::string& name, const std::string& energy_uj) const {
    std::string at = "sys/class/powercap/" + zone + "/";
    put(at + "name", name + "\n");
    put(at + "max_energy_range_uj", "262143328850\n");
    put(at + "energy_uj", energy_uj + "\n");
  }
  void put_rail(const std::string& chip, int n, const std::string& label, int millivolts, int milliamperes) const {
    std::string at = "sys/class/hwmon/" + chip + "/", k = std::to_string(n);
    if (!label.empty()) put(at + "in" + k + "_label", label + "\n");
    put(at + "in" + k + "_input", std::to_string(millivolts) + "\n");
    put(at + "curr" + k + "_input", std::to_string(milliamperes) + "\n");
  }
  LinuxPower power() { return LinuxPower(&processes, &clock, folder.path); }
};

std::vector<std::string> methods(LinuxPower power) {
  std::vector<std::string> all;
  for (const PowerSource& source : power.sources()) all.push_back(source.info.method);
  return all;
}

// jfikar/RPi5-power, README: a board under load.
const char* const kPmic = R"( 3V7_WL_SW_A current(0)=0.00000000A
   3V3_SYS_A current(1)=0.06245952A
   1V8_SYS_A current(2)=0.16102850A
  DDR_VDD2_A current(3)=0.00780744A
  DDR_VDDQ_A current(4)=0.00000000A
   1V1_SYS_A current(5)=0.17566740A
    0V8_SW_A current(6)=0.32791250A
  VDD_CORE_A current(7)=10.87674000A
   3V3_DAC_A current(17)=0.00036630A
   3V3_ADC_A current(18)=0.00042735A
   0V8_AON_A current(16)=0.00579975A
      HDMI_A current(22)=0.01367520A
 3V7_WL_SW_V volt(8)=3.79999600V
   3V3_SYS_V volt(9)=3.30632200V
   1V8_SYS_V volt(10)=1.79828900V
  DDR_VDD2_V volt(11)=1.10292900V
  DDR_VDDQ_V volt(12)=0.60476130V
   1V1_SYS_V volt(13)=1.10439400V
    0V8_SW_V volt(14)=0.80256330V
  VDD_CORE_V volt(15)=0.89745940V
   3V3_DAC_V volt(20)=3.30494200V
   3V3_ADC_V volt(21)=3.30219400V
   0V8_AON_V volt(19)=0.79736190V
      HDMI_V volt(23)=5.07056000V
     EXT5V_V volt(24)=5.06788000V
      BATT_V volt(25)=3.01110800V
)";
constexpr double kPmicWatts = 10.799894446988574;  // the same sum in Python

}  // namespace

TEST_CASE("a machine without sensors says so") {
  Machine m;
  LinuxPower power = m.power();
  CHECK(power.sources().empty());
  CHECK(power.open("").error().message() == "no power sensor on this machine");
}

TEST_CASE("RAPL counts on where its counter wraps, and adds packages up") {
  Machine m;
  m.put_rapl("intel-rapl:0", "package-0", "262143000000");
  m.put_rapl("intel-rapl:0:0", "core", "5");
  m.put_rapl("intel-rapl-mmio:0", "package-0", "5");
  LinuxPower power = m.power();
  REQUIRE(methods(power) == std::vector<std::string>{"rapl package-0"});
  auto meter = power.open("").value();
  CHECK(meter->info().covers == "CPU package");
  CHECK(meter->info().resolution_joules > 0);
  CHECK(meter->read().value().joules == 0);
  m.clock.advance_ms(1000);
  m.put_rapl("intel-rapl:0", "package-0", "671150");  // 328850 to the wrap, and as much again as makes a joule
  EnergyReading reading = meter->read().value();
  CHECK(reading.joules == doctest::Approx(1.0));
  CHECK(reading.time_ns == m.clock.monotonic_ns());
  m.put_rapl("intel-rapl:0", "package-0", "2671150");
  CHECK(meter->read().value().joules == doctest::Approx(3.0));

  m.put_rapl("intel-rapl:1", "package-1", "0");
  m.put_rapl("intel-rapl:2", "psys", "0");
  CHECK(methods(power) == std::vector<std::string>{"rapl package-0+package-1", "rapl psys"});
  auto both = power.open("rapl package-0+package-1").value();
  m.put_rapl("intel-rapl:0", "package-0", "3671150");
  m.put_rapl("intel-rapl:1", "package-1", "500000");
  CHECK(both->read().value().joules == doctest::Approx(1.5));
  m.put_rapl("intel-rapl:1", "package-1", "nonsense");
  CHECK(both->read().error().message().find("found 'nonsense'") != std::string::npos);
}

TEST_CASE("RAPL that only root may read is told as such") {
  Machine m;
  m.put_rapl("intel-rapl:0", "package-0", "1");
  std::string file = m.folder / "sys/class/powercap/intel-rapl:0/energy_uj";
  REQUIRE(chmod(file.c_str(), 0400) == 0);
  if (geteuid() != 0) {
    REQUIRE(chmod(file.c_str(), 0) == 0);
  }
  REQUIRE(chmod(m.folder.path.c_str(), 0755) == 0);
  // In a process of its own, as somebody else: root reads everything.
  pid_t child = fork();
  if (child == 0) {
    if (geteuid() == 0 && setuid(65534) != 0) _exit(2);
    LinuxPower power = m.power();
    std::vector<PowerSource> sources = power.sources();
    bool told = sources.size() == 1 && sources[0].refused &&
                sources[0].refused->message() ==
                    file + " is readable by root only: run as root, or let others read it (chmod a+r)";
    bool refused = !power.open("").ok() && power.open("").error().code() == Code::kUnsupported;
    _exit(told && refused ? 0 : 1);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}

TEST_CASE("Jetson's input rail is found by its label, and its power is added up") {
  Machine m;
  m.put("sys/class/hwmon/hwmon0/name", "cpu_thermal\n");
  m.put("sys/class/hwmon/hwmon3/name", "ina3221\n");
  m.put_rail("hwmon3", 1, "VDD_CPU_GPU_CV", 5000, 400);
  m.put_rail("hwmon3", 2, "VDD_SOC", 5000, 300);
  m.put_rail("hwmon3", 3, "VDD_IN", 5008, 1000);
  m.put_rail("hwmon3", 4, "sum of shunt voltages", 1, 1);
  m.put("sys/class/hwmon/hwmon3/in2_enable", "0\n");
  PosixClock clock;
  LinuxPower power(&m.processes, &clock, m.folder.path);
  REQUIRE(methods(power) == std::vector<std::string>{"ina3221 VDD_IN", "ina3221 VDD_CPU_GPU_CV"});
  auto meter = power.open("").value();
  CHECK(meter->info().method == "ina3221 VDD_IN");
  CHECK(meter->info().covers == "whole module, at its input rail VDD_IN");
  CHECK(meter->info().sample_ms == 50);
  EnergyReading from = meter->read().value(), to = from;
  for (int i = 0; i < 1000 && to.time_ns == from.time_ns; ++i) {
    clock.sleep_ms(10);
    to = meter->read().value();
  }
  REQUIRE(to.time_ns > from.time_ns);
  CHECK((to.joules - from.joules) / (static_cast<double>(to.time_ns - from.time_ns) / 1e9) == doctest::Approx(5.008));
  // The sensor goes away: a few samples may fail, then it is over.
  REQUIRE(PosixFiles().remove_all(m.folder / "sys/class/hwmon/hwmon3").ok());
  for (int i = 0; i < 1000 && meter->read().ok(); ++i) clock.sleep_ms(10);
  REQUIRE_FALSE(meter->read().ok());
  CHECK(meter->read().error().message().find("expected a number") != std::string::npos);
}

TEST_CASE("several rails, none of which feeds the whole, must be named") {
  Machine m;
  m.put("sys/class/hwmon/hwmon1/name", "ina226\n");
  m.put("sys/class/hwmon/hwmon1/in1_input", "12000\n");
  m.put("sys/class/hwmon/hwmon1/curr1_input", "999999\n");
  m.put("sys/class/hwmon/hwmon1/power1_input", "7500000\n");  // the chip's own product goes first
  m.put("sys/class/hwmon/hwmon1/update_interval", "200\n");
  PosixClock clock;
  LinuxPower power(&m.processes, &clock, m.folder.path);
  {
    auto only = power.open("").value();
    CHECK(only->info().method == "ina226 channel 1");
    CHECK(only->info().sample_ms == 200);
  }
  m.put("sys/class/hwmon/hwmon2/name", "ina226\n");
  m.put_rail("hwmon2", 1, "", 5000, 100);
  CHECK(power.open("").error().message() ==
        "several rails and none that feeds the whole: name one of 'ina226 channel 1', 'ina226 channel 1 of hwmon2'");
  CHECK(power.open("ina226 channel 1 of hwmon2").ok());
}

TEST_CASE("a Raspberry Pi 5 is read by vcgencmd, in both of its formats, and its fit is named") {
  CHECK(pmic_rail_watts(kPmic).value() == doctest::Approx(kPmicWatts));
  CHECK(pmic_rail_watts("VDD_CORE_V=0.8750V\nVDD_CORE_A=1.2340A\nEXT5V_V=5.1V\n\nnote\n").value() ==
        doctest::Approx(0.875 * 1.234));
  for (const char* bad :
       {"", "hello", "VDD_CORE_A=1A", "VDD_CORE_A=1A\nVDD_CORE_V=xV", "VDD_CORE_A=1V\nVDD_CORE_V=1V",
        "VDD_CORE_A=1e9A\nVDD_CORE_V=1V", "VDD_CORE_A=nanA\nVDD_CORE_V=1V", "VDD_CORE_A=\nVDD_CORE_V=1V"}) {
    CAPTURE(bad);
    CHECK(pmic_rail_watts(bad).error().code() == Code::kInvalid);
  }

  Machine m;
  m.put("proc/device-tree/model", std::string_view("Raspberry Pi 5 Model B Rev 1.0\0", 31));
  FakeChild child;
  for (const char* line : {"VDD_CORE_A current(7)=2.0A", "VDD_CORE_V volt(15)=0.9V"}) child.output.push_back({0, line});
  child.exit_at_ms = 10;
  m.processes.on_spawn([&](const ProcessSpec& spec) -> Result<FakeChild> {
    if (spec.argv == std::vector<std::string>{"vcgencmd", "pmic_read_adc"}) return child;
    return Error(Code::kNotFound, "no such program");
  });
  LinuxPower power = m.power();
  auto sources = power.sources();
  REQUIRE(sources.size() == 1);
  CHECK_FALSE(sources[0].refused);
  CHECK(sources[0].info.method == "rpi5 pmic (fit 1.1451 x + 0.5879 W of github.com/jfikar/RPi5-power)");
  child.exit_code = 255;
  CHECK(power.sources()[0].refused->message().find("group video") != std::string::npos);
  child.exit_code = 0;
  child.exit_at_ms = -1;
  CHECK(power.sources()[0].refused->message() == "vcgencmd pmic_read_adc hung");
  child.exit_at_ms = 10;
  child.output.assign(1000, {0, "VDD_CORE_A=1A"});
  CHECK(power.sources()[0].refused->message() == "vcgencmd pmic_read_adc said too much");
}

TEST_CASE("the power of a Raspberry Pi 5 is its rails' by the fit") {
  // Through the real ports: a program of that name, which the tree's own PATH has.
  Machine m;
  m.put("proc/device-tree/model", "Raspberry Pi Compute Module 5 Rev 1.0");
  m.put("bin/vcgencmd", std::string("#!/bin/sh\ncat <<'END'\n") + kPmic + "END\n");
  REQUIRE(chmod((m.folder / "bin/vcgencmd").c_str(), 0755) == 0);
  std::string before = std::getenv("PATH");
  REQUIRE(setenv("PATH", (m.folder / "bin:" + before).c_str(), 1) == 0);
  PosixClock clock;
  PosixProcesses processes;
  LinuxPower power(&processes, &clock, m.folder.path);
  auto meter = power.open("");
  REQUIRE(meter.ok());
  EnergyReading from = (*meter)->read().value(), to = from;
  for (int i = 0; i < 1000 && to.time_ns == from.time_ns; ++i) {
    clock.sleep_ms(10);
    to = (*meter)->read().value();
  }
  (*meter).reset();
  setenv("PATH", before.c_str(), 1);
  REQUIRE(to.time_ns > from.time_ns);
  CHECK((to.joules - from.joules) / (static_cast<double>(to.time_ns - from.time_ns) / 1e9) ==
        doctest::Approx(1.1451 * kPmicWatts + 0.5879));
}

TEST_CASE("a Raspberry Pi without a current sensor is not measurable, not zero") {
  Machine m;
  m.put("proc/device-tree/model", "Raspberry Pi 4 Model B Rev 1.4");
  auto sources = m.power().sources();
  REQUIRE(sources.size() == 1);
  REQUIRE(sources[0].refused);
  CHECK(sources[0].refused->code() == Code::kUnsupported);
  CHECK(m.power().open("").error().message() ==
        "rpi pmic: Raspberry Pi 4 Model B Rev 1.4: this board has no current sensor");
}
