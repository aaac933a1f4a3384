// SPDX-License-Identifier: Apache-2.0
// A target of made-up engines, so that a whole tune takes milliseconds and its every turn is known: what it opened, how
// often it ran, and what happens when it goes away.
#pragma once

#include <doctest/doctest.h>

#include <functional>
#include <string>
#include <vector>

#include "core/codec/npy.h"
#include "model/eval/noise.h"
#include "optimize/tune/tune.h"
#include "os/posix/posix_ports.h"
#include "os/posix/test_folder.h"

namespace oree {

inline constexpr int kFakeClasses = 4;

class FakeTarget : public Target {
 public:
  std::function<double(const Candidate&)> ms = [](const Candidate&) { return 5.0; };  // of one inference, undisturbed
  std::function<int64_t(const Candidate&)> memory = [](const Candidate&) { return int64_t{50} << 20; };
  // Share of samples that are answered wrongly; they are the same for a candidate in every run.
  std::function<double(const Candidate&)> damage = [](const Candidate&) { return 0.0; };
  std::function<std::string(const Candidate&)> computes = [](const Candidate& c) {
    return c.options.precision == "default" ? std::string("f32") : c.options.precision;
  };
  std::function<Status(const Candidate&)> refuses = [](const Candidate&) { return Status(); };
  std::function<double(const Candidate&)> joules;  // of an inference; none: it has no meter
  double watts = 4;
  int64_t lent_bytes = 0, held_bytes = 0;  // of all workers together: bound (0: none) and now
  bool tells_lent = true;
  double noise = 0.02;  // of a turn, relative
  int cores = 2;
  std::vector<CoreGroup> core_groups;
  int asks_until_gone = -1;  // commands that are still answered; -1: all
  bool comes_back = false;   // recover() finds it again
  int asked = 0, opened = 0, inferences = 0, recoveries = 0;

  Result<TargetDescription> describe() override {
    TargetDescription d{"a fake", {}, {}};
    d.machine = {"x86_64", "Fake 9000", "none", cores, int64_t{8} << 30, "boot", "", core_groups};
    d.workers_bytes_max = tells_lent ? lent_bytes : 0;
    for (const char* name : {"onnxruntime", "openvino", "tflite"}) {
      RuntimeInfo info;
      info.name = name;
      info.available = true;
      info.version = "1";
      info.formats = {"openvino"};
      info.precisions = {"f32", "default", "bf16"};
      d.runtimes.push_back(info);
    }
    return d;
  }
  Result<SystemReading> read() override { return SystemReading(); }
  Result<std::unique_ptr<Worker>> start(const WorkerSettings& settings) override;
  Result<std::string> meter(const std::string&) override {
    if (!joules) return Error(Code::kUnsupported, "no meter");
    return std::string("fake meter");
  }
  EnergyEstimate energy(const WorkerSettings&, const Candidate& candidate, const std::string&, uint64_t,
                        const std::string&, const EnergyPlan&) override {
    if (!joules) return energy_not_measurable("no meter");
    EnergyEstimate e;
    e.method = "fake meter";
    e.joules_per_inference = joules(candidate);
    e.load_watts = watts;
    return e;
  }
  Result<bool> recover(int64_t) override {
    if (asks_until_gone != 0) return false;
    ++recoveries;
    if (!comes_back) return Error(Code::kUnavailable, "the device is gone");
    asks_until_gone = -1;
    return true;
  }
};

class FakeChannel : public WorkerChannel {
 public:
  explicit FakeChannel(FakeTarget& target) : target_(target) {}
  ~FakeChannel() override { target_.held_bytes -= held_bytes_; }

  Result<Json> ask(const Json& command, int64_t) override {
    if (target_.asks_until_gone == 0) return Error(Code::kUnavailable, "no answer from the device");
    if (target_.asks_until_gone > 0) --target_.asks_until_gone;
    ++target_.asked;
    const std::string& name = command["cmd"].as_string();
    Result<Json> reply = name == "open"      ? open(command)
                         : name == "run"     ? run(command)
                         : name == "outputs" ? outputs(command)
                                             : Result<Json>(Json::object());
    if (reply.ok()) return reply->set("ok", true);
    return Json().set("error",
                      Json().set("code", code_name(reply.error().code())).set("message", reply.error().message()));
  }

 private:
  Result<Json> open(const Json& command) {
    Json fields = Json::object();
    for (const auto& [key, value] : command.members()) {
      if (key != "cmd") fields.set(key, value);
    }
    OREE_TRY_ASSIGN(candidate_, candidate_from_json(fields));
    OREE_TRY(target_.refuses(candidate_));
    const int64_t needed = target_.memory(candidate_);
    if (target_.lent_bytes > 0 && target_.held_bytes + needed > target_.lent_bytes)
      return Error(Code::kExhausted, "ended for its memory");
    held_bytes_ += needed;
    target_.held_bytes += needed;
    ++target_.opened;
    Json info = Json().set("name", "x").set("dtype", "float32").set("shape", Json().push(1).push(kFakeClasses));
    Json out = info;
    return Json()
        .set("load_ms", 1.0)
        .set("rss_bytes_baseline", 1)
        .set("engine_version", "1")
        .set("facts", Json().set("precision", target_.computes(candidate_)))
        .set("inputs", Json().push(info))
        .set("outputs", Json().push(out.set("name", "y")));
  }

  Result<Json> run(const Json& command) {
    const int64_t runs = command["runs"].as_int();
    target_.inferences += static_cast<int>(runs + command["warmup"].as_int());
    Json list = Json::array();
    for (int64_t i = 0; i < runs; ++i)
      list.push(1000 * target_.ms(candidate_) * (1 + target_.noise * (random_.unit() - 0.5)));
    return Json()
        .set("latency_us", list)
        .set("rss_bytes_peak", target_.memory(candidate_))
        .set("idle_cpu_ms", 0)
        .set("idle_wall_ms", 10);
  }

  Result<Json> outputs(const Json& command) {
    PosixPorts posix;
    Files& files = *posix.ports().files;
    OREE_TRY_ASSIGN(Bytes bytes, files.read(command["input"].as_string(), 1 << 20));
    OREE_TRY_ASSIGN(NamedTensors in, read_npz(bytes));
    OREE_TRY_ASSIGN(auto samples, split_samples(std::move(in), static_cast<size_t>(command["samples"].as_int())));
    NamedTensors out;
    for (size_t i = 0; i < samples.size(); ++i) out.push_back({sample_name(i, "y"), answer(samples[i][0].tensor)});
    OREE_TRY_ASSIGN(Bytes written, write_npz(out));
    OREE_TRY_ASSIGN(auto file, files.create(command["output"].as_string()));
    OREE_TRY(file->write(written));
    return Json::object();
  }

  // The class whose input is largest; of a damaged sample the next one.
  Tensor answer(Tensor y) {
    ++target_.inferences;
    auto values = y.as<float>();
    SeededRandom chance(static_cast<uint64_t>(values[kFakeClasses - 1] * 1e6F) +
                        std::hash<std::string>{}(candidate_.model));
    if (chance.unit() < target_.damage(candidate_)) std::rotate(values.begin(), values.begin() + 1, values.end());
    const bool exact = target_.computes(candidate_) == "f32" && target_.damage(candidate_) == 0;
    if (exact) return y;
    for (float& v : values) v *= 1.001F;  // another precision: no class changes, but the bits do
    values[0] += 1e-4F;
    return y;
  }

  FakeTarget& target_;
  Candidate candidate_;
  int64_t held_bytes_ = 0;
  SeededRandom random_{42};
};

inline Result<std::unique_ptr<Worker>> FakeTarget::start(const WorkerSettings& settings) {
  if (asks_until_gone == 0) return Error(Code::kUnavailable, "no answer from the device");
  return std::make_unique<Worker>(std::make_unique<FakeChannel>(*this), settings);
}

// A folder with real, tiny model files and labelled data.
struct TuneBench {
  TestFolder folder;
  PosixPorts posix;
  FakeTarget target;
  TuneRequest request;

  explicit TuneBench(std::vector<std::string> models = {"float.xml"}, size_t samples = 400, bool shuffled = false) {
    for (const std::string& name : models) {
      put_model(name, name);
      request.models.push_back(folder.path + "/" + name);
    }
    put_data(samples, shuffled);
    Recipe recipe;
    recipe.kind = "tensor";
    recipe.decoder.kind = "classifier";
    request.recipe = recipe;
    request.data.path = folder.path + "/data.npz";
    request.out_dir = folder.path + "/out";
    request.cache_dir = folder.path + "/cache";
  }

  Result<TuneResult> tune() { return oree::tune(posix.ports(), target, request); }

  void put_model(const std::string& name, const std::string& title) {
    const std::string text = "<?xml version=\"1.0\"?>\n<net name=\"" + title + R"(" version="11">
  <layers>
    <layer id="0" name="x" type="Parameter" version="opset1">
      <data shape="1,4" element_type="f32"/>
      <output><port id="0" precision="FP32" names="x"><dim>1</dim><dim>4</dim></port></output>
    </layer>
    <layer id="1" name="y" type="Result" version="opset1">
      <input><port id="0" precision="FP32"><dim>1</dim><dim>4</dim></port></input>
    </layer>
  </layers>
  <edges><edge from-layer="0" from-port="0" to-layer="1" to-port="0"/></edges>
</net>
)";
    REQUIRE(posix.ports().files->write_atomic(folder.path + "/" + name, as_bytes(text)).ok());
  }

 private:
  void put_data(size_t samples, bool shuffled) {
    SeededRandom random(9);
    Tensor x(Dtype::kFloat32, {static_cast<int64_t>(samples), kFakeClasses}),
        labels(Dtype::kInt64, {static_cast<int64_t>(samples)});
    for (size_t i = 0; i < samples; ++i) {
      const size_t best = random.below(kFakeClasses);
      for (size_t k = 0; k < kFakeClasses; ++k)
        x.as<float>()[i * kFakeClasses + k] = static_cast<float>(random.unit()) + (k == best ? 2.0F : 0.0F);
      const bool right = random.unit() < 0.9;
      labels.as<int64_t>()[i] = static_cast<int64_t>(shuffled || !right ? random.below(kFakeClasses) : best);
    }
    auto npz = write_npz(NamedTensors{{"inputs", x}, {"labels", labels}});
    REQUIRE(npz.ok());
    REQUIRE(posix.ports().files->write_atomic(folder.path + "/data.npz", *npz).ok());
  }
};

}  // namespace oree
