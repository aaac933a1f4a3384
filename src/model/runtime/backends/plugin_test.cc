// SPDX-License-Identifier: Apache-2.0
// A plug-in's whole life, with one that does what the model file says (fake_engine_fixture.c).
#include <doctest/doctest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "model/runtime/backends/backends.h"
#include "model/runtime/backends/plugin_search.h"
#include "model/runtime/registry.h"

namespace oree {
namespace {

namespace fs = std::filesystem;

// Before the first look at the registry, which happens once.
const bool kFolderNamed = [] {
  setenv("OREE_ENGINES", OREE_BIN_DIR "/fake_engines", 1);
  return true;
}();

std::string file(const std::string& fault) {
  const fs::path folder = fs::temp_directory_path() / ("oree_plugin_test_" + std::to_string(getpid()));
  fs::create_directories(folder);
  const std::string path = (folder / "model.fake").string();
  std::ofstream(path) << "FAKE " << fault << "\n";
  return path;
}

Result<std::unique_ptr<Session>> opened(const std::string& fault, const SessionOptions& options = {}) {
  return backend("fake").open(file(fault), options);
}

Tensor ramp(const Shape& shape) {
  Tensor t(Dtype::kFloat32, shape);
  float next = 1;
  for (float& v : t.as<float>()) v = next++;
  return t;
}

std::string refusal(const std::string& fault) {
  Result<std::unique_ptr<Session>> session = opened(fault);
  REQUIRE(!session.ok());
  return session.error().message();
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

TEST_CASE("a plug-in is taken up under its own name, and says what it is") {
  const std::vector<std::string>& names = backend_names();
  REQUIRE(std::count(names.begin(), names.end(), "fake") == 1);
  const RuntimeInfo& info = backend("fake").info();
  REQUIRE(info.available);
  CHECK(info.version == "1.2");
  CHECK(info.origin == "OREE_ENGINES");
  CHECK(info.formats == std::vector<std::string>{"other"});
  CHECK(info.providers == std::vector<std::string>{"cpu", "npu"});
  CHECK(info.precisions == std::vector<std::string>{"f32", "default"});
}

TEST_CASE("a file that a plug-in knows is opened and run, both ways") {
  const std::string path = file("nothing");
  CHECK(*detect_format(path) == ModelFormat::kOther);
  CHECK(*default_backend(ModelFormat::kOther, path) == "fake");
  Result<std::unique_ptr<Session>> session = opened("nothing", {2, "npu", "default"});
  REQUIRE_MESSAGE(session.ok(), session.error().message());
  CHECK((*session)->facts() ==
        std::map<std::string, std::string>{{"provider", "npu"}, {"precision", "default"}, {"kernels", "plain"}});
  Result<NamedTensors> made = (*session)->run({{"x", ramp({2, 3})}});
  REQUIRE(made.ok());
  CHECK((*made)[0].name == "y");
  CHECK((*made)[0].tensor.to_doubles() == std::vector<double>{2, 4, 6, 8, 10, 12});
  *(*(*session)->input_buffer(0)) = ramp({2, 3});
  REQUIRE((*session)->run_bound().ok());
  CHECK((*(*session)->output_view(0))->to_doubles() == std::vector<double>{2, 4, 6, 8, 10, 12});
  CHECK((*session)->run({{"z", ramp({2, 3})}}).error().code() == Code::kInvalid);
  CHECK((*session)->run({{"x", ramp({3, 2})}}).error().code() == Code::kInvalid);
}

TEST_CASE("what a plug-in leaves open is taken from what is given") {
  Result<std::unique_ptr<Session>> session = opened("free");
  REQUIRE(session.ok());
  CHECK((*session)->inputs()[0].shape == Shape{-1, 3});
  CHECK((*(*session)->run({{"x", ramp({4, 3})}}))[0].tensor.shape() == Shape{4, 3});
  CHECK((*session)->input_buffer(0).error().code() == Code::kUnsupported);
  session = opened("open");
  REQUIRE(session.ok());
  CHECK((*(*session)->run({{"x", ramp({1, 2, 5})}}))[0].tensor.shape() == Shape{1, 2, 5});
  CHECK((*(*session)->run({{"x", Tensor(Dtype::kInt32, {3})}}))[0].tensor.dtype() == Dtype::kInt32);
  CHECK((*session)->input_buffer(0).error().code() == Code::kUnsupported);
  // The inputs are known, the output is not, or not even that there is one: a run on zeros tells.
  for (const char* fault : {"late", "none"}) {
    session = opened(fault);
    REQUIRE(session.ok());
    REQUIRE((*session)->outputs().size() == 1);
    CHECK((*session)->outputs()[0].shape == Shape{2, 3});
    CHECK((*session)->input_buffer(0).ok());
  }
}

TEST_CASE("a model without names takes inputs by position") {
  Result<std::unique_ptr<Session>> session = opened("unnamed");
  REQUIRE(session.ok());
  CHECK((*session)->inputs()[0].name == "input0");
  for (const char* name : {"", "input0", "whatever"}) CHECK((*session)->run({{name, ramp({2, 3})}}).ok());
  CHECK(!(*session)->run({{"a", ramp({2, 3})}, {"b", ramp({2, 3})}}).ok());
}

TEST_CASE("what cannot be opened is refused in the plug-in's words") {
  CHECK(has(refusal("open-fails"), "fake: no such layer: 'warp'"));
  CHECK(opened("open-fails").error().code() == Code::kUnsupported);
  CHECK(opened("open-unbounded").error().code() == Code::kInternal);
  CHECK(opened("open-nothing").error().code() == Code::kInternal);
  CHECK(opened("nothing", {1, "warp", "f32"}).error().code() == Code::kUnsupported);
  CHECK(opened("nothing", {1, "", "bf16"}).error().code() == Code::kUnsupported);
  std::ofstream(file("x")) << "something else";
  CHECK(backend("fake").open(fs::path(file("x")).parent_path().string(), {}).error().code() == Code::kInvalid);
}

TEST_CASE("a file of nobody's is nobody's") {
  const std::string path = file("nothing");
  std::ofstream(path) << "something else";
  CHECK(*detect_format(path) == ModelFormat::kUnknown);
  CHECK(backend("fake").open(path, {}).error().code() == Code::kUnsupported);
}

TEST_CASE("what a plug-in says of its inputs is checked") {
  CHECK(has(refusal("in-rank"), "its rank is 9"));
  CHECK(has(refusal("in-dim"), "a dimension is -2"));
  CHECK(has(refusal("in-type"), "99 is no element type"));
  for (const char* fault : {"in-huge", "in-name", "in-null", "in-many", "in-gone"}) {
    CAPTURE(fault);
    CHECK(!opened(fault).ok());
  }
}

TEST_CASE("what a run makes is checked before it is touched") {
  for (const char* fault : {"rank", "null", "negative", "huge", "bytes", "type", "count"}) {
    CAPTURE(fault);
    Result<std::unique_ptr<Session>> session = opened(fault);
    REQUIRE(session.ok());
    CHECK((*session)->run({{"x", ramp({2, 3})}}).error().code() == Code::kInvalid);
    REQUIRE((*session)->input_buffer(0).ok());
    CHECK(!(*session)->run_bound().ok());
  }
  Result<std::unique_ptr<Session>> session = opened("run-fails");
  REQUIRE(session.ok());
  const Error gone = (*session)->run({{"x", ramp({2, 3})}}).error();
  CHECK(gone.code() == Code::kUnavailable);
  CHECK(gone.message() == "fake: the device is gone");
  CHECK((*opened("talks"))->facts().size() == 3);  // however many facts it says
}

TEST_CASE("a library that is no plug-in of this version is absent, with the reason") {
  auto why = [](const char* name) {
    const std::unique_ptr<Backend> made = make_plugin_backend(name);
    CHECK(!made->info().available);
    CHECK(made->open(file("nothing"), {}).error().code() == Code::kUnavailable);
    return made->info().absent.at(name);
  };
  CHECK(has(why("fake_old"), "version 99 of the interface"));
  CHECK(has(why("fake_mute"), "has no function oree_engine"));
  CHECK(has(why("fake_alias"), "it is not the plug-in 'fake_alias'"));
  CHECK(has(why("nowhere"), "no nowhere.so in"));
}

TEST_CASE("names of plug-ins are words") {
  CHECK(is_plugin_name("torchscript"));
  CHECK(is_plugin_name("npu_2"));
  for (const char* name : {"", "a b", "../x", "Npu", "an_engine_whose_name_is_far_too_long"})
    CHECK(!is_plugin_name(name));
}

}  // namespace
}  // namespace oree
