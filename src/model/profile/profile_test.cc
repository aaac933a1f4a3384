// SPDX-License-Identifier: Apache-2.0
#include "model/profile/profile.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "core/base/limits.h"
#include "core/codec/json.h"
#include "core/io/fake/fake_files.h"
#include "model/profile/profile_files.h"
#include "model/profile/profiles.h"
#include "os/posix/linux_sensors.h"
#include "os/posix/posix_files.h"
#include "os/posix/test_folder.h"

namespace oree {
namespace {

constexpr std::string_view kGood = R"(
name = "board-a"
title = "Board A"
level = "single-board"
architecture = "aarch64"
cores = 4
[match]
architectures = ["aarch64"]
texts = ["Board A"]
[memory]
bytes = [1_073_741_824]
model_percent = 50
model_why = "the rest is for the system"
[[engine]]
engine = "onnxruntime"
provider = "cpu"
precisions = ["f32", "int8"]
int8 = "onnxruntime"
int8_cpu = "arm"
why = "it reads ONNX"
[[avoid]]
engine = "openvino"
precision = "int8"
why = "it is computed in f16"
source = ["sheet"]
[[source]]
id = "sheet"
title = "Board A's data sheet"
url = "https://example.com/a.pdf"
backs = ["cores", "memory.bytes", "match.texts"]
)";

std::string with(std::string_view what, std::string_view instead) {
  std::string text(kGood);
  const size_t at = text.find(what);
  REQUIRE(at != std::string::npos);
  return text.replace(at, what.size(), instead);
}

std::string refusal(const std::string& text) {
  Result<DeviceProfile> profile = parse_profile(text);
  if (profile.ok()) return "";
  CHECK(profile.error().code() == Code::kUsage);
  return profile.error().message();
}

std::string file_text(const std::string& path) {
  Result<Bytes> bytes = PosixFiles().read(std::string(OREE_SOURCE_DIR) + "/" + path, 1 << 20);
  REQUIRE(bytes.ok());
  return std::string(as_text(*bytes));
}

}  // namespace

TEST_CASE("every shipped profile parses, is named as its file is, and has its sources") {
  std::set<DeviceLevel> levels;
  REQUIRE(profile_files().size() >= 12);
  for (const ProfileFile& file : profile_files()) {
    CAPTURE(file.name);
    Result<DeviceProfile> p = parse_profile(file.bytes);
    REQUIRE_MESSAGE(p.ok(), (p.ok() ? "" : p.error().message()));
    CHECK(p->name + ".toml" == file.name);
    levels.insert(p->level);
    // parse_profile() holds each fact to a source; a device that is no generic one has facts.
    CHECK(p->match.generic == p->cpu.empty());
    std::set<std::string> backed;
    for (const ProfileSource& s : p->sources) backed.insert(s.backs.begin(), s.backs.end());
    CHECK(p->match.generic == backed.empty());
    for (const ProfileAvoid& a : p->avoided) CHECK_FALSE(a.sources.empty());
    for (const ProfileThroughput& t : p->throughputs) CHECK_FALSE(t.sources.empty());
  }
  CHECK(levels.size() == 3);
  CHECK(shipped_profiles().size() == profile_files().size());
  CHECK(std::ranges::is_sorted(shipped_profiles(), {}, &DeviceProfile::level));
}

TEST_CASE("a profile is read whole") {
  Result<DeviceProfile> p = parse_profile(kGood);
  REQUIRE_MESSAGE(p.ok(), (p.ok() ? "" : p.error().message()));
  CHECK(p->name == "board-a");
  CHECK(p->level == DeviceLevel::kSingleBoard);
  CHECK(p->cores == 4);
  CHECK(p->memory_bytes == std::vector<int64_t>{int64_t{1} << 30});
  CHECK(p->model_percent == 50);
  REQUIRE(p->engines.size() == 1);
  CHECK(p->engines[0].engine == "onnxruntime");
  CHECK(p->engines[0].precisions == std::vector<std::string>{"f32", "int8"});
  CHECK(p->engines[0].int8 == "onnxruntime");
  CHECK(p->engines[0].int8_cpu == "arm");
  CHECK(p->avoided.at(0).sources == std::vector<std::string>{"sheet"});
  CHECK(p->sources.at(0).backs.size() == 3);
}

TEST_CASE("what is unknown, missing or out of bounds is refused by its name") {
  CHECK(refusal(with("cores = 4", "cores = 4\ncolour = 1")) == "'colour' is not a known key");
  CHECK(refusal(with("provider = \"cpu\"", "provider = \"cpu\"\nthreads = 4")) ==
        "[[engine]] 1 'threads' is not a known key");
  CHECK(refusal(with("model_percent = 50", "model_percent = 50\nswap = 1")) == "[memory] 'swap' is not a known key");
  CHECK(refusal(with("title = \"Board A\"", "")) == "title is missing");
  CHECK(refusal(with("name = \"board-a\"", "name = \"../a\"")).find("name") != std::string::npos);
  CHECK(refusal(with("why = \"it reads ONNX\"", "")) == "[[engine]] 1 why is missing");
  CHECK(refusal(with("level = \"single-board\"", "level = \"desk\"")) ==
        "level is 'desk'; expected one of mcu, single-board, edge-server");
  CHECK(refusal(with("cores = 4", "cores = 0")) == "cores must be a whole number from 1 to 4096");
  CHECK(refusal(with("model_percent = 50", "model_percent = 101")).starts_with("[memory] model_percent must be"));
  CHECK(refusal(with("[\"f32\", \"int8\"]", "[\"f32\", \"f8\"]")).starts_with("[[engine]] 1 precisions has 'f8'"));
  CHECK(refusal(with("int8_cpu = \"arm\"", "")) == "[[engine]] 1 int8_cpu is missing");
  CHECK(refusal(with("int8 = \"onnxruntime\"\nint8_cpu = \"arm\"", "int8 = \"tflite\"\nint8_cpu = \"arm\""))
            .find("but one form") != std::string::npos);
  CHECK(refusal("name = [").find("line") != std::string::npos);
  CHECK(refusal(std::string(static_cast<size_t>(kProfileBytesMax) + 1, '#')).find("above the limit") !=
        std::string::npos);
}

TEST_CASE("a fact without a source is refused, and a source without a fact") {
  CHECK(refusal(with("\"cores\", ", "")) == "cores has no source: no [[source]] backs it");
  CHECK(refusal(with("\"memory.bytes\", ", "")).starts_with("memory.bytes has no source"));
  CHECK(refusal(with(", \"match.texts\"]", "]")).starts_with("match.texts has no source"));
  CHECK(refusal(with("cores = 4", "cores = 4\n[power]\nidle_watts = 3")).starts_with("power.idle_watts has no source"));
  CHECK(refusal(with("why = \"it is computed in f16\"\nsource = [\"sheet\"]", "why = \"it is computed in f16\"")) ==
        "[[avoid]] 1 source is missing");
  CHECK(refusal(with("source = [\"sheet\"]", "source = [\"leaf\"]")) ==
        "[[avoid]] names the source 'leaf', which is not there");
  CHECK(refusal(with("\"cores\", ", "\"cores\", \"memory.flash_bytes\", "))
            .starts_with("source 'sheet' backs 'memory.flash_bytes', which is no fact here"));
  CHECK(refusal(std::string(kGood) + "[[source]]\nid = \"x\"\ntitle = \"X\"\n") == "source 'x' backs nothing");
  CHECK(refusal(std::string(kGood) + "[[source]]\nid = \"sheet\"\ntitle = \"X\"\n").find("another source's, too") !=
        std::string::npos);
}

TEST_CASE("what makes no sense is not among what does, unless it says when") {
  CHECK(refusal(with("engine = \"openvino\"\nprecision", "engine = \"onnxruntime\"\nprecision")) ==
        "[[avoid]] 1 precision int8 is among those that make sense in onnxruntime");
  CHECK(refusal(with("engine = \"openvino\"\nprecision", "engine = \"onnxruntime\"\nwhen = \"cold\"\nprecision")) ==
        "");
}

TEST_CASE("a microcontroller says its flash, its one memory and the engine's code") {
  CHECK(refusal(with("level = \"single-board\"", "level = \"mcu\"")) == "[memory] flash_bytes is missing");
  CHECK(refusal(with("[1_073_741_824]", "[1_000_000, 2_000_000]")) == "");
  CHECK(refusal(with("[1_073_741_824]", "[2_000_000, 1_000_000]")).find("ascending") != std::string::npos);
  std::string text = with("level = \"single-board\"", "level = \"mcu\"");
  text.replace(text.find("model_percent"), 0, "flash_bytes = 1_000_000\n");
  CHECK(refusal(text) == "[[engine]] 1 code_bytes is missing");
}

TEST_CASE("the example of docs/profiles.md is a profile, and the page names every key") {
  const std::string page = file_text("docs/profiles.md");
  const size_t begin = page.find("```toml\n");
  REQUIRE(begin != std::string::npos);
  const std::string example = page.substr(begin + 8, page.find("\n```\n", begin) + 1 - begin - 8);
  Result<DeviceProfile> p = parse_profile(example);
  REQUIRE_MESSAGE(p.ok(), (p.ok() ? "" : p.error().message()));
  CHECK(p->name == "acme-gateway-2");
  std::set<std::string> keys;
  const auto collect = [&](const auto& self, const Json& value) -> void {
    for (const Json& item : value.items()) self(self, item);
    for (const auto& [key, inner] : value.members()) {
      keys.insert(key);
      self(self, inner);
    }
  };
  for (const ProfileFile& file : profile_files()) {
    Result<Json> root = parse_toml(file.bytes);
    REQUIRE(root.ok());
    collect(collect, *root);
  }
  CHECK(keys.size() > 30);
  for (const std::string& key : keys) {
    CAPTURE(key);
    CHECK(page.find("`" + key + "`") != std::string::npos);
  }
}

TEST_CASE("a machine is known by its device tree, its processor's name or DMI") {
  struct Machine {
    const char *architecture, *cpuinfo, *tree, *product, *profile;
  };
  // As these machines' kernels say it; the Jetsons' and 32-bit Raspberries' cpuinfo names no board.
  const Machine machines[] = {
      {"aarch64",
       "processor\t: 0\nBogoMIPS\t: 108.00\nFeatures\t: fp asimd evtstrm crc32 cpuid\nCPU implementer\t: 0x41\n"
       "CPU part\t: 0xd08\n\nHardware\t: BCM2835\nRevision\t: c03114\nModel\t\t: Raspberry Pi 4 Model B Rev 1.4\n",
       "Raspberry Pi 4 Model B Rev 1.4", "", "raspberry-pi-4"},
      {"armv7l", "processor\t: 0\nmodel name\t: ARMv7 Processor rev 3 (v7l)\nCPU part\t: 0xd08\n",
       "Raspberry Pi 4 Model B Rev 1.2", "", "raspberry-pi-4"},
      {"aarch64", "processor\t: 0\nCPU part\t: 0xd0b\n\nModel\t\t: Raspberry Pi 5 Model B Rev 1.0\n", "", "",
       "raspberry-pi-5"},
      {"aarch64", "processor\t: 0\nCPU part\t: 0xd03\n\nModel\t\t: Raspberry Pi Zero 2 W Rev 1.0\n",
       "Raspberry Pi Zero 2 W Rev 1.0", "", "raspberry-pi-zero-2"},
      {"aarch64", "processor : 0\nmodel name : ARMv8 Processor rev 1 (v8l)\nCPU part : 0xd07\n",
       "NVIDIA Jetson Nano Developer Kit", "", "jetson-nano"},
      {"aarch64", "processor\t: 0\nmodel name\t: ARMv8 Processor rev 1 (v8l)\nCPU part\t: 0xd42\n",
       "NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super", "", "jetson-orin-nano"},
      {"aarch64", "processor\t: 0\nCPU part\t: 0xd03\n", "Freescale i.MX8MQ Phanbell", "", "coral-dev-board"},
      {"x86_64", "model name\t: 11th Gen Intel(R) Core(TM) i5-1135G7 @ 2.40GHz\n", "", "NUC11TNHi5\n", "intel-nuc"},
      {"x86_64", "model name\t: Intel(R) Core(TM) i5-8259U CPU @ 2.30GHz\n", "", "NUC8i5BEH\n", "generic-x86-64"},
      {"aarch64", "processor\t: 0\nCPU part\t: 0xd08\n\nModel\t\t: Raspberry Pi Compute Module 4 Rev 1.0\n", "", "",
       "generic-aarch64"},
      {"x86_64", "model name\t: Raspberry Pi 4 Model B\n", "", "", "generic-x86-64"},  // the architecture counts, too
      {"riscv64", "processor\t: 0\n", "StarFive VisionFive 2", "", ""},
  };
  for (const Machine& m : machines) {
    CAPTURE(m.profile);
    TestFolder root;
    PosixFiles files;
    const auto put = [&](const std::string& path, std::string_view text) {
      if (text.empty()) return;
      REQUIRE(files.make_dirs(path_parent(root / path)).ok());
      REQUIRE(files.write_atomic(root / path, as_bytes(text)).ok());
    };
    put("proc/cpuinfo", m.cpuinfo);
    put("proc/device-tree/model", std::string(m.tree).empty() ? "" : std::string(m.tree) + '\0');
    put("sys/class/dmi/id/product_name", m.product);
    SystemIdentity id = LinuxSensors(root.path).identity();
    id.architecture = m.architecture;
    const DeviceProfile* p = match_profile(shipped_profiles(), id);
    CHECK((p == nullptr ? "" : p->name) == std::string(m.profile));
  }
}

TEST_CASE("a user's profiles join the shipped ones, or take their place") {
  FakeFiles files;
  files.put("mine/a.toml", kGood);
  files.put("mine/pi.toml", with("name = \"board-a\"", "name = \"raspberry-pi-4\""));
  files.put("mine/notes.txt", "no profile");
  Result<std::vector<DeviceProfile>> all = load_profiles(files, "mine");
  REQUIRE_MESSAGE(all.ok(), (all.ok() ? "" : all.error().message()));
  CHECK(all->size() == shipped_profiles().size() + 1);
  CHECK((*find_profile(*all, "board-a"))->title == "Board A");
  CHECK((*find_profile(*all, "raspberry-pi-4"))->title == "Board A");
  CHECK(load_profiles(files, "mine/a.toml")->size() == shipped_profiles().size() + 1);
  SystemIdentity here{"aarch64", "", "", 4, int64_t{1} << 30, ""};
  here.board = "The Board A of ours";
  CHECK(match_profile(*all, here)->title == "Board A");
}

TEST_CASE("a user's folder that is wrong says where") {
  FakeFiles files;
  CHECK(load_profiles(files, "nowhere").error().code() == Code::kNotFound);
  files.put("empty/notes.txt", "x");
  CHECK(load_profiles(files, "empty").error().code() == Code::kNotFound);
  files.put("twice/a.toml", kGood);
  files.put("twice/b.toml", kGood);
  CHECK(load_profiles(files, "twice").error().message().find("twice/b.toml: another file") != std::string::npos);
  files.put("bad/a.toml", with("cores = 4", "speed = 4"));
  CHECK(load_profiles(files, "bad").error().message().starts_with("bad/a.toml: 'speed'"));
  files.put("large/a.toml", std::string(static_cast<size_t>(kProfileBytesMax) + 1, '#'));
  CHECK(load_profiles(files, "large").error().code() == Code::kInvalid);
  for (size_t i = 0; i <= kProfilesMax; ++i) files.put("many/" + std::to_string(i) + ".toml", kGood);
  CHECK(load_profiles(files, "many").error().code() == Code::kExhausted);
}

TEST_CASE("a wrong name is answered with the nearest") {
  const auto nearest = [](std::string_view name) {
    Result<const DeviceProfile*> found = find_profile(shipped_profiles(), name);
    REQUIRE_FALSE(found.ok());
    CHECK(found.error().code() == Code::kNotFound);
    const std::string text = found.error().message();
    const size_t at = text.find("nearest: ") + 9;
    return text.substr(at, text.find_first_of(",)", at) - at);
  };
  CHECK(nearest("raspbery-pi-4") == "raspberry-pi-4");
  CHECK(nearest("pi-5") == "raspberry-pi-5");
  CHECK(nearest("orin-nano") == "jetson-orin-nano");
  CHECK(nearest("coral") == "coral-dev-board");
  CHECK(nearest("esp32") == "esp32-s3");
  CHECK_FALSE(find_profile(shipped_profiles(), std::string(100'000, 'x')).ok());
  CHECK_FALSE(find_profile(shipped_profiles(), "").ok());
}

}  // namespace oree
