// SPDX-License-Identifier: Apache-2.0
#include "model/profile/assess.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <fstream>

#include "model/graph/graph.h"
#include "model/onnx/onnx_graph.h"
#include "model/ops/inference.h"
#include "model/profile/model_needs.h"
#include "model/profile/profiles.h"
#include "model/tflite/tflite_graph.h"
#include "os/posix/test_folder.h"

namespace oree {
namespace {

Constant zeros(const Shape& shape) { return Constant(Tensor(Dtype::kFloat32, shape)); }

// A digit classifier: 28x28, two convolutions, one matrix. Weights in all 8*9 + 8 + 16*8*9 + 16 + 784*10 + 10.
Model digits(std::string_view extra_op = "") {
  Model model;
  Graph& g = model.graph;
  const auto conv = [&](ValueId x, int64_t in, int64_t out) {
    const ValueId w = g.add_constant("w", zeros({out, in, 3, 3})), b = g.add_constant("b", zeros({out}));
    Attributes pads{{"pads", std::vector<int64_t>{1, 1, 1, 1}}, {"kernel_shape", std::vector<int64_t>{3, 3}}};
    const ValueId y = g.add("Relu", {g.add("Conv", {x, w, b}, std::move(pads))});
    return g.add("MaxPool", {y},
                 {{"kernel_shape", std::vector<int64_t>{2, 2}}, {"strides", std::vector<int64_t>{2, 2}}});
  };
  ValueId x = g.add_input("image", Dtype::kFloat32, to_dims({1, 1, 28, 28}));
  x = conv(conv(x, 1, 8), 8, 16);
  if (!extra_op.empty()) x = g.add(extra_op, {x});
  x = g.add("Flatten", {x});
  const ValueId w = g.add_constant("fc", zeros({784, 10})), b = g.add_constant("fb", zeros({10}));
  g.add_output(g.add("Gemm", {x, w, b}));
  REQUIRE(infer_types(g).ok());
  return model;
}

struct Saved {
  TestFolder folder;
  std::string path;
  Saved(const std::string& name, const Bytes& bytes) : path(folder / name) {
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  }
};

Saved as_onnx(const Model& model) {
  Result<OnnxFiles> files = write_onnx_model(model);
  REQUIRE_MESSAGE(files.ok(), (files.ok() ? "" : files.error().message()));
  return {"net.onnx", files->model};
}

ModelNeeds needs(const std::string& path) {
  Result<ModelNeeds> n = needs_of(path);
  REQUIRE_MESSAGE(n.ok(), (n.ok() ? "" : n.error().message()));
  return *n;
}

std::vector<Assessment> on_all(const ModelNeeds& n) {
  std::vector<Assessment> out;
  for (const DeviceProfile& p : shipped_profiles()) out.push_back(assess(n, p));
  return out;
}

Assessment on(const ModelNeeds& n, std::string_view device) {
  return assess(n, **find_profile(shipped_profiles(), device));
}

constexpr int64_t kWeights = 8 * 9 + 16 * 8 * 9 + 784 * 10, kBiases = 8 + 16 + 10;

}  // namespace

TEST_CASE("what a digit classifier needs is counted, and a microcontroller holds it") {
  const Saved file = as_onnx(digits());
  const ModelNeeds n = needs(file.path);
  CHECK(n.format == ModelFormat::kOnnx);
  CHECK(n.weight_bytes >= 4 * (kWeights + kBiases));
  CHECK(n.macs == 28 * 28 * 8 * 9 + 14 * 14 * 16 * 8 * 9 + 7840);
  CHECK(n.macs_known);
  CHECK_FALSE(n.integers);
  CHECK(n.live_bytes >= 4 * 2 * 28 * 28 * 8);  // a convolution's result, and what is made of it
  CHECK(n.tflite_refused.empty());
  CHECK(n.ops.at("CONV_2D") == 2);
  CHECK(n.ops.at("FULLY_CONNECTED") == 1);
  // A byte a weight, and 16 a channel; the rest of the file is some kilobytes of names and tables.
  const int64_t least = kWeights + 16 * kBiases;
  CHECK(n.int8_file_bytes >= least);
  CHECK(n.int8_file_bytes <= least + 8192);
  CHECK(4 * n.int8_live_bytes <= n.live_bytes);
  CHECK(n.int8_live_bytes >= 28 * 28 * 8);

  const LevelVerdict verdict = level_needed(on_all(n));
  REQUIRE(verdict.level);
  CHECK(*verdict.level == DeviceLevel::kMcu);
  const Assessment mcu = on(n, "nucleo-l4r5zi");
  CHECK(mcu.fit == Fit::kYes);
  CHECK(mcu.engine == "tflm/cmsis-nn");
  CHECK(mcu.flash_bytes_needed == n.int8_file_bytes + 96'300);
  CHECK(mcu.memory_bytes_needed == n.int8_live_bytes + n.int8_live_bytes / 3 + n.ops_total * 1024);
  CHECK_FALSE(mcu.latency);  // of this board no two runs are published
  CHECK(on(n, "raspberry-pi-zero-2").fit == Fit::kYes);
}

TEST_CASE("a TFLite file of the same network needs the same") {
  const ModelNeeds onnx = needs(as_onnx(digits()).path);
  Result<Bytes> written = write_tflite_model(digits());
  REQUIRE(written.ok());
  const Saved file("net.tflite", *written);
  const ModelNeeds n = needs(file.path);
  CHECK(n.format == ModelFormat::kTflite);
  CHECK(n.onnx_refused.empty());
  CHECK(n.ops == onnx.ops);
  CHECK(n.macs == onnx.macs);
  CHECK(n.int8_live_bytes == onnx.int8_live_bytes);
  CHECK(std::abs(n.int8_file_bytes - onnx.int8_file_bytes) < 4096);  // tensors have other names
  CHECK(*level_needed(on_all(n)).level == DeviceLevel::kMcu);
}

TEST_CASE("an operator that a microcontroller's engine lacks keeps a small network from it") {
  const ModelNeeds n = needs(as_onnx(digits("Erf")).path);
  const Assessment mcu = on(n, "nucleo-h743zi");
  CHECK(mcu.fit == Fit::kNo);
  CHECK(mcu.engine.empty());
  CHECK(mcu.why.starts_with("no engine there takes it: "));
  const LevelVerdict verdict = level_needed(on_all(n));
  REQUIRE(verdict.level);
  CHECK(*verdict.level == DeviceLevel::kSingleBoard);
  CHECK(verdict.why.find("no mcu holds it") != std::string::npos);
}

TEST_CASE("custom operators fit nowhere, and the verdict names them") {
  const ModelNeeds n = needs(std::string(OREE_SOURCE_DIR) + "/fuzz/corpus/onnx/odd.onnx");
  CHECK(n.foreign_ops == std::vector<std::string>{"my.ops.Fancy"});
  const Assessment pi = on(n, "raspberry-pi-5");
  CHECK(pi.fit == Fit::kNo);
  CHECK(pi.why.find("my.ops.Fancy") != std::string::npos);
  CHECK_FALSE(level_needed(on_all(n)).level);
}

TEST_CASE("memory decides, by the smallest version that holds the model") {
  ModelNeeds n;
  n.format = ModelFormat::kOnnx;
  n.tflite_refused = "it is too large to try";
  n.file_bytes = n.unpacked_bytes = int64_t{700} << 20;
  n.live_bytes = int64_t{100} << 20;
  const Assessment pi = on(n, "raspberry-pi-4");  // 1.5 GiB and some: half of 4 GiB holds it, half of 2 does not
  CHECK(pi.fit == Fit::kYes);
  CHECK(pi.engine == "onnxruntime/cpu");
  CHECK(pi.memory_bytes_available == int64_t{2} << 30);
  CHECK(pi.why.find("from 4.0 GiB of RAM on") != std::string::npos);
  CHECK(on(n, "raspberry-pi-zero-2").fit == Fit::kNo);
  CHECK(on(n, "generic-x86-64").fit == Fit::kUnknown);  // how much it has is not in the profile
  CHECK(assess(n, **find_profile(shipped_profiles(), "generic-x86-64"), int64_t{16} << 30).fit == Fit::kYes);
  CHECK(assess(n, **find_profile(shipped_profiles(), "generic-x86-64"), int64_t{1} << 30).fit == Fit::kNo);
  n.live_bytes = -1;
  CHECK(on(n, "raspberry-pi-4").fit == Fit::kUnknown);
  n.file_bytes = n.unpacked_bytes = int64_t{30} << 30;
  CHECK(on(n, "raspberry-pi-4").fit == Fit::kNo);  // whatever the activations are
}

TEST_CASE("latency is a range over published runs, in the precision that the model has there") {
  ModelNeeds n;
  n.format = ModelFormat::kTflite;
  n.file_bytes = n.unpacked_bytes = 10 << 20;
  n.live_bytes = 10 << 20;
  n.macs = 300'000'000;  // MobileNet v2's
  const Assessment pi = on(n, "raspberry-pi-4");
  REQUIRE(pi.latency);
  CHECK(pi.latency->precision == "f32");
  CHECK(pi.latency->runs == 3);
  CHECK(pi.latency->ms_min == doctest::Approx(75.0 * 300 / 569));  // v1's pace
  CHECK(pi.latency->ms_max == doctest::Approx(41.0 * 300 / 219));  // v3's
  CHECK((pi.latency->ms_min <= 44 && pi.latency->ms_max >= 44));   // what was published for v2 itself
  const Assessment coral = on(n, "coral-dev-board");
  REQUIRE(coral.latency);
  CHECK(coral.latency->precision == "int8");  // the Edge TPU takes nothing else: it would be quantized
  CHECK(coral.needs.find("edgetpu_compiler") != std::string::npos);
  CHECK_FALSE(on(n, "raspberry-pi-zero-2").latency);
  CHECK_FALSE(on(n, "raspberry-pi-5").latency);  // its runs are of networks ten times the size
  n.macs = 219'000'000 / 2 - 1;
  CHECK_FALSE(on(n, "raspberry-pi-4").latency);
  n.macs = 2 * 569'000'000 + 1;
  CHECK_FALSE(on(n, "raspberry-pi-4").latency);
  n.macs = 300'000'000;
  n.integers = true;
  CHECK_FALSE(on(n, "raspberry-pi-4").latency);  // no int8 run is published
  n.macs_known = false;
  CHECK_FALSE(on(n, "coral-dev-board").latency);
}

TEST_CASE("the demo's detector needs a single board") {
  const std::string path = std::string(OREE_SOURCE_DIR) + "/.deps/models/detector.tflite";
  if (!std::ifstream(path)) {
    MESSAGE("not fetched: " << path);
    return;
  }
  const ModelNeeds n = needs(path);
  CHECK(n.macs == 672'993'008);
  CHECK_FALSE(n.ops.contains("DEQUANTIZE"));  // of its float16 weights
  CHECK(n.unpacked_bytes > 19'000'000);       // float16 in the file, float32 in an engine
  const LevelVerdict verdict = level_needed(on_all(n));
  REQUIRE(verdict.level);
  CHECK(*verdict.level == DeviceLevel::kSingleBoard);
  const Assessment mcu = on(n, "esp32-s3");
  CHECK(mcu.fit == Fit::kNo);
  CHECK(mcu.why.find("arena") != std::string::npos);
  CHECK(on(n, "raspberry-pi-zero-2").fit == Fit::kYes);
}

TEST_CASE("a streaming key-word model of int8 fits a microcontroller as it is") {
  const std::string path = std::string(OREE_SOURCE_DIR) + "/.deps/models/okay_nabu.tflite";
  if (!std::ifstream(path)) {
    MESSAGE("not fetched: " << path);
    return;
  }
  const ModelNeeds n = needs(path);
  CHECK(n.integers);
  CHECK(n.int8_file_bytes <= n.file_bytes);
  CHECK(on(n, "nucleo-l4r5zi").fit == Fit::kYes);
  CHECK(on(n, "generic-x86-64").engine == "onnxruntime/cpu");  // converted; OpenVINO reads no variables
}

TEST_CASE("without a profile there is no level") { CHECK_FALSE(level_needed({}).level); }

}  // namespace oree
