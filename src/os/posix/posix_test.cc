// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <thread>

#include "core/base/limits.h"
#include "os/posix/line_reader.h"
#include "os/posix/link_file.h"
#include "os/posix/linux_governor.h"
#include "os/posix/posix_ports.h"
#include "os/posix/sysfs.h"
#include "os/posix/test_folder.h"

using namespace oree;

namespace {

Result<std::unique_ptr<Process>> shell(const std::string& script, ProcessSpec spec = {}) {
  spec.argv = {"sh", "-c", script};
  return PosixProcesses().spawn(spec);
}

std::vector<std::string> all_output(Process& p) {
  std::vector<std::string> out;
  for (int i = 0; i < 100; ++i) {
    std::vector<std::string> more = p.read_output(5000);
    out.insert(out.end(), more.begin(), more.end());
    if (more.empty() && p.poll_exit()) break;
  }
  return out;
}

bool alive(int64_t pid) { return kill(static_cast<pid_t>(pid), 0) == 0; }

}  // namespace

TEST_CASE("a linked file is the same file, a name that is taken is left alone") {
  TestFolder d;
  PosixFiles f;
  CHECK(f.write_atomic(d / "a", as_bytes("hello")).ok());
  CHECK(link_or_copy_file(f, d / "a", d / "b").ok());
  struct stat one {
  }, two{};
  CHECK(stat((d / "a").c_str(), &one) == 0);
  CHECK(stat((d / "b").c_str(), &two) == 0);
  CHECK(one.st_ino == two.st_ino);
  CHECK(link_or_copy_file(f, d / "a", d / "b").error().code() == Code::kConflict);
  CHECK(link_or_copy_file(f, d / "none", d / "c").error().code() == Code::kNotFound);
  CHECK(link_or_copy_file(f, d / "a", "/proc/self/x").error().code() != Code::kConflict);
}

TEST_CASE("files are written, read, listed, moved and removed") {
  TestFolder d;
  PosixFiles f;
  REQUIRE(f.make_dirs(d / "a/b/c").ok());
  CHECK(f.make_dirs(d / "a/b/c").ok());
  CHECK(f.write_atomic(d / "a/x", as_bytes("hello")).ok());
  CHECK(as_text(f.read(d / "a/x", 5).value()) == "hello");
  CHECK(f.read(d / "a/x", 4).error().code() == Code::kInvalid);
  CHECK(f.read(d / "none", 4).error().code() == Code::kNotFound);
  CHECK(f.read(d / "a", 4).error().code() == Code::kInvalid);
  CHECK(f.open(d / "a").error().code() == Code::kInvalid);
  CHECK(f.make_dirs(d / "a/x").error().code() == Code::kInvalid);
  CHECK_FALSE(f.make_dirs(d / "a/x/y").ok());
  CHECK(f.append(d / "a/x").value()->write(as_bytes("!")).ok());
  auto r = f.open(d / "a/x").value();
  CHECK(r->size() == 6);
  CHECK(as_text(r->read_at(4, 100).value()) == "o!");
  CHECK(r->read_at(6, 1).value().empty());
  CHECK(r->read_at(INT64_MAX, INT64_MAX).value().empty());
  CHECK(f.truncate(d / "a/x", 2).ok());
  CHECK(f.info(d / "a/x").value().size == 2);
  CHECK(f.info(d / "a").value().directory);
  CHECK(f.list(d / "a").value() == std::vector<std::string>{"b", "x"});
  CHECK(f.rename(d / "a/x", d / "y").ok());
  CHECK(f.remove(d / "a").error().code() == Code::kInvalid);
  CHECK(f.remove(d / "none").ok());
  CHECK(f.remove_all(d / "none").ok());
  CHECK(f.free_bytes(d.path).value() > 0);
  auto w = f.create(d / "y").value();
  CHECK(w->write(as_bytes("z")).ok());
  CHECK(w->sync().ok());
  CHECK(as_text(f.read(d / "y", 10).value()) == "z");
}

TEST_CASE("an atomic write leaves no temporary file, not even when it fails") {
  TestFolder d;
  PosixFiles f;
  REQUIRE(f.make_dirs(d / "target/full").ok());
  CHECK_FALSE(f.write_atomic(d / "target", as_bytes("x")).ok());
  CHECK(f.list(d.path).value() == std::vector<std::string>{"target"});
}

TEST_CASE("removing a tree never follows a link out of it") {
  TestFolder d;
  PosixFiles f;
  REQUIRE(f.make_dirs(d / "keep").ok());
  REQUIRE(f.write_atomic(d / "keep/me", as_bytes("1")).ok());
  REQUIRE(f.make_dirs(d / "tree/deep").ok());
  REQUIRE(symlink("../../keep", (d / "tree/deep/link").c_str()) == 0);
  CHECK(f.remove_all(d / "tree").ok());
  CHECK_FALSE(f.exists(d / "tree"));
  CHECK(f.exists(d / "keep/me"));
}

TEST_CASE("files of /proc are read though they say they are empty, and devices within the limit") {
  PosixFiles f;
  CHECK(f.read("/proc/self/status", 1 << 16).value().size() > 100);
  CHECK(f.read("/proc/self/status", 10).error().code() == Code::kInvalid);
  CHECK(f.create("/dev/full").value()->write(as_bytes("x")).error().code() == Code::kExhausted);
}

TEST_CASE("lines are cut at the bound, wherever the pieces fall") {
  for (size_t piece = 1; piece < 20; ++piece) {
    LineReader reader(5);
    std::vector<std::string> lines;
    std::string text = "ab\n\n1234567890\ncd";
    for (size_t i = 0; i < text.size(); i += piece) reader.feed(std::string_view(text).substr(i, piece), lines);
    CHECK(lines == std::vector<std::string>{"ab", "", "12345"});
    reader.finish(lines);
    CHECK(lines.back() == "cd");
  }
}

TEST_CASE("a child gets its arguments, environment and folder, and nothing else that is open") {
  TestFolder d;
  int leak = open("/dev/null", O_RDONLY);
  REQUIRE(leak >= 0);
  ProcessSpec spec;
  spec.output_pipe = true;
  spec.message_pipe = true;
  spec.working_dir = d.path;
  spec.env = {{"OREE_TEST", "a b"}};
  auto p =
      shell("pwd; echo \"$OREE_TEST $OREE_AGENT_FD\"; echo message >&3; ls /proc/self/fd | tr '\\n' ' '", spec).value();
  std::vector<std::string> out = all_output(*p);
  close(leak);
  REQUIRE(out.size() == 3);
  CHECK(out[0] == d.path);
  CHECK(out[1] == "a b 3");
  CHECK(out[2].starts_with("0 1 2 3 "));
  // ls itself has the folder open, under the lowest free number.
  CHECK(out[2] == "0 1 2 3 4 ");
  CHECK(p->read_messages(1000) == std::vector<std::string>{"message"});
  CHECK(p->wait(5000).value().code == 0);
}

TEST_CASE("a child answers on its standard input and output") {
  ProcessSpec spec{.input_pipe = true, .output_pipe = true};
  auto p = shell("while read line; do echo \"got $line\"; done", spec).value();
  CHECK(p->send("one").ok());
  CHECK(p->read_output(5000) == std::vector<std::string>{"got one"});
  CHECK(p->send("two").ok());
  CHECK(p->read_output(5000) == std::vector<std::string>{"got two"});
  CHECK(p->signal(SIGTERM).ok());
  CHECK(p->wait(5000).value().signal == SIGTERM);
  CHECK_FALSE(p->send("three").ok());  // and no SIGPIPE
}

TEST_CASE("without an input pipe a child reads nothing, not our terminal") {
  ProcessSpec spec{.output_pipe = true};
  auto p = shell("cat; echo done", spec).value();
  CHECK(all_output(*p) == std::vector<std::string>{"done"});
}

TEST_CASE("exit status, signal and time-out are told apart") {
  auto p = shell("exit 7").value();
  CHECK(p->wait(5000).value().code == 7);
  CHECK(p->wait(0).value().code == 7);
  CHECK(p->poll_exit()->code == 7);
  CHECK(p->signal(SIGTERM).error().code() == Code::kNotFound);
  CHECK_FALSE(p->usage().ok());
  p = shell("kill -SEGV $$").value();
  CHECK(p->wait(5000).value().signal == SIGSEGV);
  p = shell("exec sleep 100").value();
  CHECK(p->wait(20).error().code() == Code::kUnavailable);
  CHECK_FALSE(p->poll_exit());
}

TEST_CASE("a program that cannot be started is an error of spawn") {
  ProcessSpec spec;
  spec.argv = {"oree-no-such-program"};
  CHECK(PosixProcesses().spawn(spec).error().code() == Code::kNotFound);
  spec.argv = {"/no/such/program"};
  CHECK(PosixProcesses().spawn(spec).error().code() == Code::kNotFound);
  spec.argv = {"sh", "-c", "true"};
  spec.working_dir = "/no/such/folder";
  CHECK(PosixProcesses().spawn(spec).error().code() == Code::kNotFound);
  spec.argv = {};
  CHECK(PosixProcesses().spawn(spec).error().code() == Code::kInvalid);
}

TEST_CASE("destroying a child kills its whole group, and so does its exit") {
  ProcessSpec spec{.output_pipe = true};
  auto p = shell("sleep 1000 & echo $!; wait", spec).value();
  int64_t grandchild = std::atoll(p->read_output(5000).at(0).c_str());
  int64_t child = p->pid();
  CHECK(alive(grandchild));
  p.reset();
  CHECK_FALSE(alive(child));
  auto gone = [](int64_t pid) {
    // The grandchild is reaped by init (or stays its zombie): a zombie has no memory map.
    for (int i = 0; i < 500 && alive(pid); ++i) {
      std::string stat =
          std::string(as_text(PosixFiles().read("/proc/" + std::to_string(pid) + "/stat", 4096).value()));
      if (stat.find(") Z") != std::string::npos) return true;
      PosixClock().sleep_ms(10);
    }
    return !alive(pid);
  };
  CHECK(gone(grandchild));
  p = shell("sleep 1000 >/dev/null & echo $!", spec).value();
  grandchild = std::atoll(p->read_output(5000).at(0).c_str());
  CHECK(p->wait(5000).ok());
  CHECK(gone(grandchild));
}

TEST_CASE("usage and the memory limit are the kernel's") {
  ProcessUsage own = PosixProcesses().own_usage().value();
  CHECK(own.rss_bytes > 1 << 20);
  CHECK(own.rss_bytes_peak >= own.rss_bytes);
  ProcessSpec spec{.output_pipe = true};
  auto p = shell("echo ready; while :; do :; done", spec).value();
  p->read_output(5000);
  ProcessUsage used;
  for (int i = 0; i < 500 && used.cpu_ms == 0; ++i) {
    PosixClock().sleep_ms(10);
    used = p->usage().value();
  }
  CHECK(used.cpu_ms > 0);
  CHECK(used.rss_bytes > 0);
  spec.memory_bytes_max = int64_t{64} << 20;
  auto limited = shell("ulimit -v", spec).value();
  CHECK(all_output(*limited) == std::vector<std::string>{"65536"});
  CHECK(PosixProcesses().own_path().ends_with("/test_os_posix"));
}

TEST_CASE("a child has the niceness that it was given, and runs all the same where it may not have it") {
  ProcessSpec spec{.output_pipe = true};
  const auto plain = all_output(*shell("nice", spec).value());
  spec.nice = 11;
  CHECK(all_output(*shell("nice", spec).value()) == std::vector<std::string>{"11"});
  spec.nice = -3;
  const auto better = all_output(*shell("nice", spec).value());
  CHECK((better == plain || better == std::vector<std::string>{"-3"}));
}

TEST_CASE("a governor is set on all policies or on none") {
  TestFolder root;
  const std::string cpufreq = root / "sys/devices/system/cpu/cpufreq";
  auto put = [](const std::string& path, std::string_view text) {
    REQUIRE(PosixFiles().make_dirs(path_parent(path)).ok());
    REQUIRE(PosixFiles().write_atomic(path, as_bytes(text)).ok());
  };
  LinuxGovernor governor(root.path);
  CHECK(governor.get().empty());
  CHECK(governor.set("performance").error().message() == "the kernel has no governors on this machine");
  for (const char* policy : {"/policy0", "/policy4"}) {
    put(cpufreq + policy + "/scaling_available_governors", "performance schedutil \n");
    put(cpufreq + policy + "/scaling_governor", "schedutil\n");
  }
  CHECK(governor.get() == "schedutil");
  CHECK(governor.set("power").error().message() == "no governor 'power' here; there are: performance schedutil");
  REQUIRE(governor.set("performance").ok());
  CHECK(sysfs_text(cpufreq + "/policy4/scaling_governor").starts_with("performance"));
  REQUIRE(PosixFiles().remove(cpufreq + "/policy4/scaling_governor").ok());
  put(cpufreq + "/policy0/scaling_governor", "schedutil");
  CHECK_FALSE(governor.set("performance").ok());
  CHECK(sysfs_text(cpufreq + "/policy0/scaling_governor") == "schedutil");
}

TEST_CASE("a line that is too long is cut, and the next one is whole") {
  ProcessSpec spec{.output_pipe = true};
  auto p = shell("head -c 200000 /dev/zero | tr '\\0' x; echo; echo next", spec).value();
  std::vector<std::string> out = all_output(*p);
  REQUIRE(out.size() == 2);
  CHECK(out[0].size() == static_cast<size_t>(kAppMessageBytesMax));
  CHECK(out[1] == "next");
}

TEST_CASE("spawning leaves no descriptor behind") {
  auto count = [] { return PosixFiles().list("/proc/self/fd").value().size(); };
  PosixClock clock;  // its pipe is opened once
  size_t before = count();
  for (int i = 0; i < 5; ++i) {
    ProcessSpec spec{.message_pipe = true, .input_pipe = true, .output_pipe = true};
    auto p = shell("true", spec).value();
    CHECK(p->wait(5000).ok());
    spec.argv = {"/no/such/program"};
    CHECK_FALSE(PosixProcesses().spawn(spec).ok());
  }
  CHECK(count() == before);
}

TEST_CASE("a child dies with the thread that started it, when asked to") {
  int64_t pid = 0;
  std::unique_ptr<Process> p;
  std::thread([&] {
    p = shell("exec sleep 1000").value();
    pid = p->pid();
  }).join();
  CHECK(p->wait(5000).value().signal == SIGKILL);
}

TEST_CASE("sensors read the kernel's files, and say absent what is not there") {
  TestFolder d;
  PosixFiles f;
  auto put = [&](const std::string& path, std::string_view text) {
    REQUIRE(f.make_dirs(path_parent(d / path)).ok());
    REQUIRE(f.write_atomic(d / path, as_bytes(text)).ok());
  };
  LinuxSensors s(d.path);
  SystemReading r = s.read();
  CHECK_FALSE(r.cpu_percent);
  CHECK_FALSE(r.memory_total_bytes);
  CHECK_FALSE(r.temperature_celsius);
  CHECK_FALSE(r.load_1min);
  put("proc/stat", "cpu  100 0 100 700 100 0 0 0 0 0\ncpu0 1 2 3\n");
  put("proc/meminfo", "MemTotal:        1000 kB\nMemFree: 100 kB\nMemAvailable:     400 kB\n");
  put("proc/loadavg", "0.52 0.58 0.59 1/467 1234\n");
  put("sys/class/thermal/thermal_zone0/type", "cpu-thermal\n");
  put("sys/class/thermal/thermal_zone0/temp", "48312\n");
  put("sys/class/thermal/thermal_zone1/type", "battery\n");
  put("sys/class/thermal/thermal_zone1/temp", "90000\n");
  put("sys/class/hwmon/hwmon0/name", "coretemp\n");
  put("sys/class/hwmon/hwmon0/temp1_input", "51000\n");
  put("sys/class/hwmon/hwmon0/temp2_input", "-273000\n");
  r = s.read();
  CHECK_FALSE(r.cpu_percent);  // one reading is no interval
  CHECK(r.memory_total_bytes == 1'024'000);
  CHECK(r.memory_used_bytes == 614'400);
  CHECK(r.temperature_celsius == 51.0);
  CHECK(r.load_1min == 0.52);
  put("proc/stat", "cpu  140 0 110 740 110 0 0 0 0 0\n");
  CHECK(s.read().cpu_percent == 50.0);
  put("proc/cpuinfo", "processor : 0\nmodel name\t: Some CPU\n");
  put("etc/os-release", "NAME=x\nPRETTY_NAME=\"Debian GNU/Linux 12\"\n");
  put("proc/sys/kernel/random/boot_id", "abc-def\n");
  SystemIdentity id = s.identity();
  CHECK(id.cpu_model == "Some CPU");
  CHECK(id.board == "");
  CHECK(id.os == "Debian GNU/Linux 12");
  CHECK(id.boot_id == "abc-def");
  CHECK(id.cpu_cores >= 1);
  CHECK_FALSE(id.architecture.empty());
  put("sys/class/dmi/id/product_name", "NUC11TNHi5\n");
  CHECK(s.identity().board == "NUC11TNHi5");
  put("proc/device-tree/model", std::string_view("NVIDIA Jetson Nano Developer Kit\0", 33));
  CHECK(s.identity().board == "NVIDIA Jetson Nano Developer Kit");
  CHECK(s.identity().cpu_model == "Some CPU");
}

TEST_CASE("frequencies and throttling are the kernel's, where it tells them") {
  TestFolder d;
  PosixFiles f;
  auto put = [&](const std::string& path, std::string_view text) {
    REQUIRE(f.make_dirs(path_parent(d / path)).ok());
    REQUIRE(f.write_atomic(d / path, as_bytes(text)).ok());
  };
  auto put_policy = [&](const std::string& name, int khz, std::string_view governor) {
    std::string at = "sys/devices/system/cpu/cpufreq/" + name + "/";
    put(at + "scaling_cur_freq", std::to_string(khz) + "\n");
    put(at + "scaling_min_freq", "600000\n");
    put(at + "scaling_max_freq", "2400000\n");
    put(at + "scaling_governor", governor);
  };
  LinuxSensors s(d.path);
  SystemReading r = s.read();
  CHECK(r.frequencies.empty());
  CHECK_FALSE(frequency_spread(r));
  CHECK_FALSE(r.throttled);
  CHECK_FALSE(r.throttle_count);
  put_policy("policy10", 1200000, "performance\n");
  put_policy("policy2", 2400000, "schedutil\n");
  put("sys/devices/system/cpu/cpufreq/policy3/scaling_cur_freq", "<unknown>\n");  // what some drivers say
  r = s.read();
  REQUIRE(r.frequencies.size() == 2);
  CHECK(r.frequencies[0].policy == "policy2");
  CHECK(r.frequencies[0].mhz == 2400);
  CHECK(r.frequencies[0].mhz_min == 600);
  CHECK(r.frequencies[0].mhz_max == 2400);
  CHECK(r.frequencies[0].governor == "schedutil");
  CHECK(r.frequencies[1].governor == "performance");
  FrequencySpread spread = frequency_spread(r).value();
  CHECK(spread.mhz_min == 1200);
  CHECK(spread.mhz_mean == 1800);
  CHECK(spread.mhz_max == 2400);

  // x86 counts; one reading cannot tell since when.
  put("sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count", "3\n");
  put("sys/devices/system/cpu/cpu1/thermal_throttle/package_throttle_count", "4\n");
  r = s.read();
  CHECK(r.throttle_count == 7);
  CHECK_FALSE(r.throttled);
  CHECK(s.read().throttled == false);
  put("sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count", "5\n");
  CHECK(s.read().throttled == true);
  CHECK(s.read().throttled == false);
}

TEST_CASE("a Raspberry Pi says whether it is throttled now, wherever its firmware's folder lies") {
  for (const char* folder : {"soc/soc:firmware", "soc@107c000000/soc@107c000000:firmware"}) {
    TestFolder d;
    PosixFiles f;
    std::string file = d / ("sys/devices/platform/" + std::string(folder) + "/get_throttled");
    REQUIRE(f.make_dirs(path_parent(file)).ok());
    auto throttled = [&](std::string_view bits) {
      REQUIRE(f.write_atomic(file, as_bytes(bits)).ok());
      return LinuxSensors(d.path).read().throttled;
    };
    CHECK(throttled("0\n") == false);
    CHECK(throttled("50000\n") == false);  // since boot, but not now
    CHECK(throttled("50005\n") == true);   // under-voltage and throttled
    CHECK(throttled("80008\n") == true);
    CHECK(throttled("2\n") == true);
    CHECK_FALSE(throttled("what\n"));
  }
}

TEST_CASE("clocks run, randomness differs, and a stop ends a sleep") {
  PosixClock c;
  CHECK(c.wall_ms() > 1'700'000'000'000);
  int64_t before = c.monotonic_ns();
  c.sleep_ms(5);
  CHECK(c.monotonic_ns() - before >= 5'000'000);
  PosixRandom r;
  CHECK(r.next_u64() != r.next_u64());
  double unit = r.next_unit();
  CHECK((unit >= 0 && unit < 1));
  // In a process of its own: a stop is for good.
  pid_t child = fork();
  if (child == 0) {
    signal(SIGALRM, [](int) { PosixClock::request_stop(); });
    alarm(1);
    PosixClock().sleep_ms(60'000);
    _exit(PosixClock::stop_requested() ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}
