// SPDX-License-Identifier: Apache-2.0
#include "model/runtime/registry.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>

#include "model/runtime/backends/session_base.h"

namespace oree {
namespace {

namespace fs = std::filesystem;

// Tests run from any build folder, so the dependencies are named by the source tree.
const bool kDepsNamed = [] {
  setenv("OREE_DEPS", OREE_SOURCE_DIR "/.deps", 0);
  return true;
}();

std::string model(const char* name) { return std::string(std::getenv("OREE_DEPS")) + "/models/" + name; }

std::string scratch(const std::string& name, const std::string& content) {
  fs::path folder = fs::temp_directory_path() / ("oree_registry_test_" + std::to_string(getpid()));
  fs::create_directories(folder);
  std::string path = (folder / name).string();
  std::ofstream(path, std::ios::binary) << content;
  return path;
}

std::string content(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

NamedTensors ramp_inputs(const Session& session) {
  NamedTensors out;
  for (const TensorInfo& info : session.inputs()) {
    Shape shape = info.shape;
    for (int64_t& d : shape) d = d < 0 ? 1 : d;
    Tensor t(info.dtype, shape);
    for (int64_t i = 0; i < t.elements() && info.dtype == Dtype::kFloat32; ++i) {
      t.as<float>()[static_cast<size_t>(i)] = static_cast<float>(i % 255) / 127.5f - 1;
    }
    out.push_back({info.name, t});
  }
  return out;
}

struct Case {
  const char* engine;
  const char* file;
};
constexpr Case kCases[] = {{"tflite", "detector.tflite"},
                           {"openvino", "detector.tflite"},
                           {"tflite", "nmp.tflite"},
                           {"onnxruntime", "nmp.onnx"},
                           {"openvino", "nmp.onnx"}};

// The case's session, or nothing with a line that says why.
std::unique_ptr<Session> open_case(const Case& c, SessionOptions options = {}) {
  if (!backend(c.engine).info().available || !fs::exists(model(c.file))) {
    MESSAGE("skipped: no engine ", std::string(c.engine), " or no ", model(c.file));
    return nullptr;
  }
  Result<std::unique_ptr<Session>> session = backend(c.engine).open(model(c.file), options);
  REQUIRE_MESSAGE(session.ok(), session.error().message());
  return std::move(session).value();
}

double largest_difference(const Tensor& a, const Tensor& b) {
  REQUIRE(a.shape() == b.shape());
  std::vector<double> x = a.to_doubles(), y = b.to_doubles();
  double largest = 0;
  for (size_t i = 0; i < x.size(); ++i) largest = std::max(largest, std::fabs(x[i] - y[i]));
  return largest;
}

TEST_CASE("every engine either works or says why not and how to get it") {
  CHECK(kDepsNamed);
  for (const std::string& name : backend_names()) {
    const RuntimeInfo& info = backend(name).info();
    CHECK(info.name == name);
    if (info.available) {
      CHECK(!info.version.empty());
      CHECK(fs::exists(info.library));
      CHECK(!info.providers.empty());
    } else {
      CHECK(info.absent.at(name).find("./dev setup") != std::string::npos);
      Result<std::unique_ptr<Session>> session = backend(name).open("x.onnx", {});
      REQUIRE(!session.ok());
      CHECK(session.error().code() == Code::kUnavailable);
    }
  }
}

TEST_CASE("a bound run gives what run() gives, again and again") {
  for (const Case& c : kCases) {
    CAPTURE(c.engine);
    CAPTURE(c.file);
    std::unique_ptr<Session> session = open_case(c);
    if (!session) continue;
    NamedTensors inputs = ramp_inputs(*session);
    Result<NamedTensors> expected = session->run(inputs);
    REQUIRE_MESSAGE(expected.ok(), expected.error().message());
    CHECK(expected->size() == session->outputs().size());
    Result<Tensor*> buffer = session->input_buffer(0);
    if (!buffer.ok()) {
      CHECK(buffer.error().code() == Code::kUnsupported);  // free dimensions
      continue;
    }
    for (int round = 0; round < 3; ++round) {
      // The second round replaces the buffer's memory, the third writes into it.
      if (round == 1) {
        **session->input_buffer(0) = Tensor(inputs[0].tensor);
      } else {
        std::copy_n(inputs[0].tensor.data(), inputs[0].tensor.byte_size(), (*session->input_buffer(0))->data());
      }
      Status ran = session->run_bound();
      REQUIRE_MESSAGE(ran.ok(), ran.error().message());
      for (size_t i = 0; i < expected->size(); ++i) {
        CHECK(largest_difference((*expected)[i].tensor, **session->output_view(i)) == 0);
      }
    }
  }
}

TEST_CASE("engines agree on one network") {
  std::unique_ptr<Session> a = open_case({"tflite", "detector.tflite"});
  std::unique_ptr<Session> b = open_case({"openvino", "detector.tflite"}, {2, "", "f32"});
  if (!a || !b) return;
  NamedTensors inputs = ramp_inputs(*a);
  Result<NamedTensors> x = a->run(inputs);
  Result<NamedTensors> y = b->run(inputs);
  REQUIRE(x.ok());
  REQUIRE_MESSAGE(y.ok(), y.error().message());
  for (const NamedTensor& out : *x) {
    for (const NamedTensor& other : *y) {
      if (other.name == out.name) CHECK(largest_difference(out.tensor, other.tensor) < 2e-3);
    }
    CHECK(std::any_of(y->begin(), y->end(), [&](const NamedTensor& t) { return t.name == out.name; }));
  }
}

TEST_CASE("state of a streaming model lives in its session") {
  std::vector<std::vector<double>> answers;
  for (int twice = 0; twice < 2; ++twice) {
    std::unique_ptr<Session> session = open_case({"tflite", "okay_nabu.tflite"});
    if (!session) return;
    NamedTensors inputs = ramp_inputs(*session);
    std::vector<double>& heard = answers.emplace_back();
    for (int i = 0; i < 40; ++i) {
      std::fill_n(inputs[0].tensor.data(), inputs[0].tensor.byte_size(), uint8_t{0x7f});
      Result<NamedTensors> out = session->run(inputs);
      REQUIRE_MESSAGE(out.ok(), out.error().message());
      heard.push_back(out->front().tensor.to_doubles()[0]);
    }
  }
  // The same input gives other answers as the state moves on, and a new session starts afresh.
  CHECK(*std::max_element(answers[0].begin(), answers[0].end()) > answers[0][0]);
  CHECK(answers[0] == answers[1]);
}

TEST_CASE("what does not fit is refused with words") {
  for (const Case& c : kCases) {
    CAPTURE(c.engine);
    std::unique_ptr<Session> session = open_case(c);
    if (!session) continue;
    NamedTensors good = ramp_inputs(*session);
    NamedTensors wrong = good;
    wrong[0].name = "nonsense";
    CHECK(session->run(wrong).error().message().find("nonsense") != std::string::npos);
    wrong = good;
    wrong[0].tensor = Tensor(Dtype::kInt8, good[0].tensor.shape());
    CHECK(session->run(wrong).error().code() == Code::kInvalid);
    wrong = good;
    wrong[0].tensor = Tensor(Dtype::kFloat32, {1, 2, 3});
    CHECK(session->run(wrong).error().code() == Code::kInvalid);
    CHECK(session->run({}).error().code() == Code::kInvalid);
    wrong = good;
    wrong.push_back(good[0]);
    CHECK(session->run(wrong).error().code() == Code::kInvalid);
    // NaN is data like any other.
    good[0].tensor.as<float>()[0] = std::numeric_limits<float>::quiet_NaN();
    CHECK(session->run(good).ok());
  }
}

TEST_CASE("options that an engine cannot keep are refused, not ignored") {
  for (const std::string& name : backend_names()) {
    CAPTURE(name);
    Backend& engine = backend(name);
    // No file of the others' formats is fetched: model/convert/ncnn_session_test.cc, backends/plugin_test.cc.
    if (name != "onnxruntime" && name != "openvino" && name != "tflite") continue;
    const char* file = name == "onnxruntime" ? "nmp.onnx" : "detector.tflite";
    if (!engine.info().available || !fs::exists(model(file))) continue;
    CHECK(engine.open(model(file), {0, "", "f32"}).error().code() == Code::kUsage);
    CHECK(engine.open(model(file), {257, "", "f32"}).error().code() == Code::kUsage);
    CHECK(engine.open(model(file), {1, "", "int3"}).error().code() == Code::kUsage);
    CHECK(engine.open(model(file), {1, "warp", "f32"}).error().code() == Code::kUnsupported);
    Result<std::unique_ptr<Session>> reduced = engine.open(model(file), {1, "", "f16"});
    if (reduced.ok()) {
      CHECK((*reduced)->facts().at("precision") == "f16");
    } else {
      CHECK(reduced.error().code() == Code::kUnsupported);
    }
    for (const std::string& provider : engine.info().providers) {
      Result<std::unique_ptr<Session>> session = engine.open(model(file), {1, provider, "f32"});
      REQUIRE_MESSAGE(session.ok(), session.error().message());
      CHECK((*session)->facts().at("provider") == provider);
    }
  }
}

TEST_CASE("the format is told by content") {
  CHECK(*detect_format(scratch("a.bin", std::string("\x1c\0\0\0TFL3....", 12))) == ModelFormat::kTflite);
  CHECK(*detect_format(scratch("b.bin", "<?xml version=\"1.0\"?><net/>")) == ModelFormat::kOpenvino);
  CHECK(*detect_format(scratch("b.txt", "7767517\n1 1\n")) == ModelFormat::kNcnn);
  CHECK(*detect_format(scratch("c.bin", "\x08\x07\x12\x01x")) == ModelFormat::kOnnx);
  CHECK(*detect_format(scratch("d.onnx", "nothing of the kind")) == ModelFormat::kOnnx);
  CHECK(*detect_format(scratch("e.txt", "nothing of the kind")) == ModelFormat::kUnknown);
  CHECK(detect_format(scratch("f.onnx", "")).error().code() == Code::kInvalid);
  CHECK(detect_format("/nonexistent/model.onnx").error().code() == Code::kNotFound);
  CHECK(detect_format("/").error().code() == Code::kInvalid);
}

TEST_CASE("broken models are refused by every engine, never crashed on") {
  for (const Case& c : kCases) {
    if (!backend(c.engine).info().available || !fs::exists(model(c.file))) continue;
    CAPTURE(c.engine);
    CAPTURE(c.file);
    std::string whole = content(model(c.file));
    std::string suffix = fs::path(c.file).extension().string();
    for (size_t keep :
         {size_t{1}, size_t{7}, size_t{8}, size_t{64}, size_t{1000}, whole.size() / 2, whole.size() - 1}) {
      CAPTURE(keep);
      Result<std::unique_ptr<Session>> session =
          backend(c.engine).open(scratch("cut" + suffix, whole.substr(0, keep)), {});
      REQUIRE(!session.ok());
      CHECK(session.error().code() == Code::kInvalid);
    }
    Result<std::unique_ptr<Session>> text = backend(c.engine).open(scratch("text" + suffix, "hello, world"), {});
    CHECK(text.error().code() == Code::kInvalid);
    CHECK(backend(c.engine).open("/nonexistent" + suffix, {}).error().code() == Code::kNotFound);
  }
}

TEST_CASE("repeated and empty names become distinct") {
  std::vector<TensorInfo> infos(4);
  infos[0].name = infos[1].name = "x";
  infos[2].name = "x:1";
  make_names_unique(infos, "output");
  CHECK(infos[0].name == "x");
  CHECK(infos[1].name == "x:1");
  CHECK(infos[2].name == "x:1:1");
  CHECK(infos[3].name == "output3");
}

}  // namespace
}  // namespace oree
