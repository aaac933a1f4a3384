// SPDX-License-Identifier: Apache-2.0
// NVIDIA's providers against a stand-in of the engine (tests/fakes): how they are found, asked for and refused. What
// they compute is not tested: no machine of ours has them.
#include <dlfcn.h>
#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "model/runtime/backends/backends.h"

namespace oree {
namespace {

const char* kStandIn = OREE_BIN_DIR "/libfake_onnxruntime.so";

// A Relu from x to y, float32 [1, 2], as ONNX.
std::string small_model() {
  using namespace std::string_literals;
  const std::string type = "\x12\x0E\x0A\x0C\x08\x01\x12\x08\x0A\x02\x08\x01\x0A\x02\x08\x02"s;
  const std::string node = "\x0A\x0C\x0A\x01x\x12\x01y\x22\x04Relu"s;
  const std::string graph = node + "\x12\x01g"s + "\x5A\x13\x0A\x01x"s + type + "\x62\x13\x0A\x01y"s + type;
  const std::string path =
      (std::filesystem::temp_directory_path() / ("oree_stand_in_" + std::to_string(getpid()) + ".onnx")).string();
  std::ofstream(path, std::ios::binary) << "\x08\x08\x3A\x3B"s + graph + "\x42\x02\x10\x0D"s;
  return path;
}

struct StandIn {
  explicit StandIn(const char* providers, const char* broken = "") {
    setenv("OREE_ONNXRUNTIME_LIBRARY", kStandIn, 1);
    setenv("FAKE_PROVIDERS", providers, 1);
    setenv("FAKE_BROKEN", broken, 1);
    engine = make_onnxruntime_backend();
    told();
  }
  ~StandIn() {
    for (const char* name : {"OREE_ONNXRUNTIME_LIBRARY", "FAKE_PROVIDERS", "FAKE_BROKEN"}) unsetenv(name);
    std::filesystem::remove(model);
  }
  std::string told() {
    void* library = dlopen(kStandIn, RTLD_NOW);
    REQUIRE(library != nullptr);
    auto* tell = reinterpret_cast<const char* (*)()>(dlsym(library, "fake_onnxruntime_told"));
    REQUIRE(bool(tell != nullptr));
    return tell();
  }
  bool has(const char* provider) const {
    const std::vector<std::string>& all = engine->info().providers;
    return std::ranges::find(all, provider) != all.end();
  }
  Error open(const std::string& provider, const std::string& precision) {
    SessionOptions options;
    options.provider = provider;
    options.precision = precision;
    return engine->open(model, options).error();
  }
  std::string asked(const std::string& provider, const std::string& precision) {
    (void)open(provider, precision);
    return told();
  }

  std::string model = small_model();
  std::unique_ptr<Backend> engine;
};

constexpr const char* kBoth = "TensorrtExecutionProvider,CUDAExecutionProvider";

TEST_CASE("TensorRT is asked for with CUDA behind it, in f16 only when that is wanted") {
  StandIn here(kBoth);
  REQUIRE(here.engine->info().available);
  CHECK(here.has("tensorrt"));
  CHECK(here.has("cuda"));
  CHECK(std::ranges::count(here.engine->info().precisions, "f16") == 1);
  CHECK(here.asked("tensorrt", "f32") == "append tensorrt\nuse_tf32=0\nappend cuda\nsession\n");
  CHECK(here.asked("tensorrt", "f16") == "trt_fp16_enable=1\nappend tensorrt\nappend cuda\nsession\n");
  CHECK(here.asked("", "f32") == "session\n");
  // What the engine refuses at the end is passed on.
  CHECK(here.open("tensorrt", "f32").message().find("opens no model") != std::string::npos);
}

TEST_CASE("CUDA computes in float32 when that is demanded, and in no f16") {
  StandIn here("CUDAExecutionProvider");
  CHECK(here.asked("cuda", "f32") == "use_tf32=0\nappend cuda\nsession\n");
  CHECK(here.asked("cuda", "default") == "append cuda\nsession\n");
  CHECK(here.open("cuda", "f16").code() == Code::kUnsupported);
  CHECK(std::ranges::count(here.engine->info().precisions, "f16") == 0);
  CHECK(here.open("tensorrt", "f32").message().find("needs an ONNX Runtime built for TensorRT") != std::string::npos);
}

TEST_CASE("a provider whose libraries are not there is told as absent, and the others work on") {
  StandIn here(kBoth, "tensorrt");
  CHECK(here.engine->info().available);
  CHECK_FALSE(here.has("tensorrt"));
  CHECK(here.has("cuda"));
  CHECK(here.engine->info().absent.at("tensorrt").find("Failed to load") != std::string::npos);
  const Error refused = here.open("tensorrt", "f16");
  CHECK(refused.code() == Code::kUnsupported);
  CHECK(refused.message().find("Failed to load") != std::string::npos);
  CHECK(here.told().empty());
  CHECK(here.asked("cuda", "f32").find("append cuda") != std::string::npos);
}

TEST_CASE("TensorRT without CUDA's provider leaves the rest to the CPU") {
  StandIn here(kBoth, "cuda");
  CHECK(here.asked("tensorrt", "f32") == "append tensorrt\nsession\n");
}

}  // namespace
}  // namespace oree
