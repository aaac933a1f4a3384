// SPDX-License-Identifier: Apache-2.0
// Profiles and what oree quantize takes; the command's exit statuses over files in memory.
#include <doctest/doctest.h>

#include <algorithm>

#include "cli/context.h"
#include "core/io/fake/fake_files.h"
#include "core/io/fake/fake_sensors.h"
#include "model/profile/profile_files.h"
#include "model/profile/profiles.h"
#include "optimize/quantize/dialect.h"

using namespace oree;

namespace {

struct Shell {
  FakeFiles files;
  FakeSensors sensors;

  int operator()(std::vector<std::string> words) {
    words.insert(words.begin(), {"oree", "profile"});
    std::vector<char*> argv;
    argv.reserve(words.size());
    for (std::string& word : words) argv.push_back(word.data());
    Ports ports;
    ports.files = &files;
    ports.sensors = &sensors;
    return cli::run(ports, static_cast<int>(argv.size()), argv.data());
  }
};

std::string fuzz_seed(const std::string& name) { return std::string(OREE_SOURCE_DIR) + "/fuzz/corpus/" + name; }

}  // namespace

TEST_CASE("the dialects of profiles are those of oree quantize") {
  std::vector<std::string> ours = profile_dialects(), theirs = dialect_engines();
  std::ranges::sort(ours);
  std::ranges::sort(theirs);
  CHECK(ours == theirs);
  for (const DeviceProfile& p : shipped_profiles()) {
    for (const ProfileEngine& e : p.engines) {
      CAPTURE(p.name);
      CAPTURE(e.engine);
      if (e.int8.empty()) continue;
      const TargetCpu cpu = e.int8_cpu == "vnni"  ? TargetCpu::kVnni
                            : e.int8_cpu == "x86" ? TargetCpu::kX86
                            : e.int8_cpu == "arm" ? TargetCpu::kArm
                                                  : TargetCpu::kThis;
      Result<Dialect> dialect = dialect_for(e.int8, cpu);
      REQUIRE(dialect.ok());
      // The file's format is one that the engine reads.
      CHECK(dialect->tflite == (e.engine == "tflite" || e.engine == "tflm"));
      if (!e.int8_cpu.empty()) CHECK((e.int8_cpu == "arm") == (p.architecture == "aarch64"));
    }
  }
}

TEST_CASE("oree profile ends as its verdict is") {
  Shell profile;
  const std::string net = fuzz_seed("onnx/small.onnx"), odd = fuzz_seed("onnx/odd.onnx");
  CHECK(profile({}) == 0);
  CHECK(profile({"--json"}) == 0);
  CHECK(profile({"--device", "raspberry-pi-5"}) == 0);
  CHECK(profile({"--device", "raspberry-pi-5", "--json"}) == 0);
  CHECK(profile({"--device", "raspbery"}) == exit_code(Code::kNotFound));
  CHECK(profile({net}) == 0);
  CHECK(profile({net, odd, "--json"}) == 0);  // that nothing holds one of them is an answer
  CHECK(profile({net, "--device", "raspberry-pi-5"}) == 0);
  CHECK(profile({odd, "--device", "raspberry-pi-5"}) == exit_code(Code::kRefused));
  CHECK(profile({net, odd, "--device", "raspberry-pi-5", "--json"}) == exit_code(Code::kRefused));
  CHECK(profile({net + ".not-there"}) == exit_code(Code::kNotFound));
  CHECK(profile({"--help"}) == 0);
}

TEST_CASE("oree profile takes profiles of one's own") {
  Shell profile;
  std::string text(std::ranges::find(profile_files(), "raspberry-pi-5.toml", &ProfileFile::name)->bytes);
  text.replace(text.find("name = \"raspberry-pi-5\""), 23, "name = \"our-board\"");
  profile.files.put("mine/a.toml", text);
  CHECK(profile({"--profiles", "mine", "--device", "our-board"}) == 0);
  CHECK(profile({"--profiles", "mine/a.toml", fuzz_seed("onnx/small.onnx")}) == 0);
  CHECK(profile({"--device", "our-board"}) == exit_code(Code::kNotFound));
  profile.files.put("bad/a.toml", "speed = 3\n" + text);
  CHECK(profile({"--profiles", "bad"}) == exit_code(Code::kUsage));
  CHECK(profile({"--profiles", "nowhere"}) == exit_code(Code::kNotFound));
}
