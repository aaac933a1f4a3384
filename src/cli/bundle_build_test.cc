// SPDX-License-Identifier: Apache-2.0
#include "cli/bundle_build.h"

#include <doctest/doctest.h>

#include <cmath>
#include <fstream>

#include "core/codec/npy.h"
#include "core/io/fake/fake_clock.h"
#include "model/runtime/registry.h"
#include "os/posix/posix_ports.h"
#include "os/posix/test_folder.h"

using namespace oree;
using namespace oree::cli;

namespace {

// y = factor * x for three floats; `error` is what a lossy engine adds to the first.
class LinearSession : public Session {
 public:
  LinearSession(float factor, float error) : factor_(factor), error_(error) {}
  const std::vector<TensorInfo>& inputs() const override { return inputs_; }
  const std::vector<TensorInfo>& outputs() const override { return outputs_; }
  Result<NamedTensors> run(const NamedTensors& in) override {
    Tensor out(Dtype::kFloat32, {1, 3});
    for (size_t i = 0; i < 3; ++i) out.as<float>()[i] = factor_ * in[0].tensor.as<float>()[i] + (i == 0 ? error_ : 0);
    return NamedTensors{{"y", out}};
  }
  Result<Tensor*> input_buffer(size_t) override { return Error(Code::kUnsupported, "not here"); }
  Status run_bound() override { return Error(Code::kUnsupported, "not here"); }
  Result<const Tensor*> output_view(size_t) override { return Error(Code::kUnsupported, "not here"); }
  std::map<std::string, std::string> facts() const override { return {}; }

 private:
  float factor_, error_;
  std::vector<TensorInfo> inputs_{{"x", Dtype::kFloat32, {1, 3}}}, outputs_{{"y", Dtype::kFloat32, {1, 3}}};
};

// A folder of real files (models are inspected on the disk), and engines that compute y = 2x.
struct Bench {
  TestFolder folder;
  PosixPorts posix;
  Ports ports = posix.ports();
  BundlePlan plan;
  float error = 0;  // of any precision but f32
  float factor = 2;
  std::vector<std::string> opened;  // "runtime threads precision model"

  Bench() {
    put("m.xml", R"(<?xml version="1.0"?>
<net name="m" version="11">
  <layers>
    <layer id="0" name="x" type="Parameter" version="opset1">
      <data shape="1,3" element_type="f32"/>
      <output><port id="0" precision="FP32" names="x"><dim>1</dim><dim>3</dim></port></output>
    </layer>
    <layer id="1" name="y" type="Result" version="opset1">
      <input><port id="0" precision="FP32"><dim>1</dim><dim>3</dim></port></input>
    </layer>
  </layers>
  <edges><edge from-layer="0" from-port="0" to-layer="1" to-port="0"/></edges>
</net>)");
    put("m.bin", "weights");
    Tensor x(Dtype::kFloat32, {1, 3});
    for (size_t i = 0; i < 3; ++i) x.as<float>()[i] = static_cast<float>(i) + 1;
    Bytes npz = *write_npz({{"x", x}});
    put("g.npz", as_text(npz));
    plan.manifest.model = "linear";
    plan.manifest.version = "1.0.0";
    plan.manifest.device_types = {"pi5"};
    plan.manifest.runtime = "openvino";
    plan.manifest.options.threads = 2;
    plan.manifest.options.precision = "default";
    plan.model = path("m.xml");
    plan.golden = {path("g.npz")};
    plan.out = path("b.oree");
  }
  std::string path(const std::string& name) const { return folder / name; }
  void put(const std::string& name, std::string_view text) { std::ofstream(path(name), std::ios::binary) << text; }
  Result<BundleResult> build() {
    return build_bundle(
        ports, plan,
        [this](const std::string& model, const std::string& runtime,
               const SessionOptions& o) -> Result<std::unique_ptr<Session>> {
          opened.push_back(runtime + " " + std::to_string(o.threads) + " " + o.precision + " " + path_name(model));
          return std::unique_ptr<Session>(std::make_unique<LinearSession>(factor, o.precision == "f32" ? 0 : error));
        });
  }
};

std::string numbers(int count) {
  std::string text;
  for (int i = 0; i < count; ++i) text += (i ? "," : "[") + std::to_string(0.5 + 0.004 * (i % 50));
  return text + "]";
}

}  // namespace

TEST_CASE("expected outputs come from the exact engine, and the shipped configuration is proven with them") {
  Bench bench;
  bench.error = 0.02f;  // of a range of 4: within the 1 % that a bundle grants
  auto result = bench.build();
  REQUIRE(result.ok());
  CHECK(bench.opened == std::vector<std::string>{"openvino 1 f32 m.xml", "openvino 2 default m.xml"});
  REQUIRE(result->proof.size() == 1);
  CHECK(result->proof[0].relative_error == doctest::Approx(0.005));
  const Manifest& m = result->info.manifest;
  CHECK(m.model_path == "model/m.xml");
  CHECK(find_member(m, "model/m.bin") != nullptr);
  CHECK(m.golden.samples == 1);
  CHECK_FALSE(m.golden.random_inputs);
  SecretKey key = generate_key();
  REQUIRE(sign_bundle(*bench.ports.files, bench.plan.out, bench.plan.out, key).ok());
  REQUIRE(unpack_bundle(*bench.ports.files, bench.plan.out, {public_key(key)}, bench.path("slot")).ok());
  auto sample = load_golden(*bench.ports.files, bench.path("slot"), 0);
  REQUIRE(sample.ok());
  CHECK(sample->expected[0].tensor.as<float>()[2] == 6);
  auto recipe = bench.ports.files->read(bench.path("slot/recipe.json"), 1 << 20);
  REQUIRE(recipe.ok());
  CHECK(recipe_from_json(*Json::parse(as_text(*recipe))).ok());
}

TEST_CASE("what a device would roll back is refused here, and nothing is written") {
  Bench bench;
  bench.error = 0.4f;
  auto result = bench.build();
  REQUIRE_FALSE(result.ok());
  CHECK(result.error().code() == Code::kRefused);
  CHECK(result.error().message().find("golden sample 0: output y: relative error 0.1 is over 0.01") !=
        std::string::npos);
  CHECK_FALSE(bench.ports.files->exists(bench.plan.out));
  bench.plan.manifest.golden.relative_error_max = 0.2;
  bench.plan.manifest.golden.cosine_min = 0.9;
  CHECK(bench.build().ok());
  bench.plan.manifest.golden = {};
  bench.plan.prove = false;
  auto unproven = bench.build();
  REQUIRE(unproven.ok());
  CHECK(unproven->proof.empty());
}

TEST_CASE("a model whose outputs are NaN makes no golden sample") {
  Bench bench;
  bench.factor = std::nanf("");
  CHECK(bench.build().error().code() == Code::kInvalid);
}

TEST_CASE("random samples are marked, and the same each time") {
  Bench bench;
  bench.plan.golden.clear();
  bench.plan.golden_random = 3;
  auto first = bench.build();
  REQUIRE(first.ok());
  CHECK(first->info.manifest.golden.samples == 3);
  CHECK(first->info.manifest.golden.random_inputs);
  auto second = bench.build();
  REQUIRE(second.ok());
  CHECK(second->info.digest == first->info.digest);
}

TEST_CASE("a plan that lacks something is a usage error, broken input names its file") {
  auto fails = [](Code code, const std::function<void(Bench&)>& change) {
    Bench bench;
    change(bench);
    auto result = bench.build();
    REQUIRE_FALSE(result.ok());
    CAPTURE(result.error().message());
    CHECK(result.error().code() == code);
    CHECK_FALSE(bench.ports.files->exists(bench.plan.out));
  };
  fails(Code::kUsage, [](Bench& b) { b.plan.golden.clear(); });
  fails(Code::kUsage, [](Bench& b) { b.plan.golden_random = 1; });
  fails(Code::kUsage, [](Bench& b) { b.plan.manifest.device_types.clear(); });
  fails(Code::kUsage, [](Bench& b) { b.plan.manifest.runtime = "tensorflow"; });
  fails(Code::kInvalid, [](Bench& b) { b.plan.manifest.version = "1 0"; });
  fails(Code::kNotFound, [](Bench& b) { b.plan.model = b.path("absent.xml"); });
  fails(Code::kNotFound, [](Bench& b) { b.plan.golden = {b.path("absent.npz")}; });
  fails(Code::kNotFound, [](Bench& b) { b.plan.reference = b.path("absent.json"); });
  fails(Code::kNotFound, [](Bench& b) { b.plan.out = b.path("no/such/folder/b.oree"); });
  for (const char* content : {"", "PK", "{}"}) {
    fails(Code::kInvalid, [&](Bench& b) { b.put("g.npz", content); });
  }
  fails(Code::kInvalid, [](Bench& b) { b.put("g.npz", as_text(*write_npz({{"x", Tensor(Dtype::kInt32, {1, 3})}}))); });
}

TEST_CASE("a drift reference is made of a list of confidences in any of its forms") {
  Bench bench;
  bench.put("a.json", numbers(100));
  bench.put("b.json", "{\"confidences\":" + numbers(100) + "}");
  auto a = make_drift_reference(*bench.ports.files, bench.path("a.json"), 50);
  auto b = make_drift_reference(*bench.ports.files, bench.path("b.json"), 50);
  REQUIRE(a.ok());
  REQUIRE(b.ok());
  CHECK(drift_reference_to_json(*a) == drift_reference_to_json(*b));
  CHECK(a->histogram.count() == 100);
  CHECK(a->samples_min == 50);
  CHECK(a->warn > 0);
  CHECK(a->warn < kDriftSevere);
  Tensor t(Dtype::kFloat32, {30});
  for (float& v : t.as<float>()) v = 0.5f;
  bench.put("c.npy", as_text(write_npy(t)));
  CHECK(make_drift_reference(*bench.ports.files, bench.path("c.npy"), 100)->histogram.count() == 30);

  for (const std::string& bad : {std::string(), std::string("{}"), std::string("[1,2]"), std::string("[\"a\"]"),
                                 numbers(19), std::string("[0.5,null]"), numbers(100).substr(0, 50)}) {
    bench.put("bad.json", bad);
    CAPTURE(bad);
    auto result = make_drift_reference(*bench.ports.files, bench.path("bad.json"), 50);
    REQUIRE_FALSE(result.ok());
    CHECK(result.error().code() == Code::kInvalid);
    CHECK(result.error().message().find("bad.json") != std::string::npos);
  }
}

TEST_CASE("the label of time follows SOURCE_DATE_EPOCH when that is a number") {
  FakeClock clock(1'800'000'000'000);
  unsetenv("SOURCE_DATE_EPOCH");
  CHECK(created_text(clock) == "2027-01-15T08:00:00.000Z");
  setenv("SOURCE_DATE_EPOCH", "1700000000", 1);
  CHECK(created_text(clock) == "2023-11-14T22:13:20.000Z");
  for (const char* senseless : {"", "x", "-1", "99999999999999999999", "1 "}) {
    setenv("SOURCE_DATE_EPOCH", senseless, 1);
    CHECK(created_text(clock) == "2027-01-15T08:00:00.000Z");
  }
  unsetenv("SOURCE_DATE_EPOCH");
}
