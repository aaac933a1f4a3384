// SPDX-License-Identifier: Apache-2.0
#include "device/agent/prove.h"

#include <doctest/doctest.h>

#include "core/io/fake/fake_clock.h"
#include "core/io/fake/fake_files.h"
#include "core/io/fake/fake_processes.h"
#include "deliver/bundle/bundle.h"

using namespace oree;

namespace {

class FakeBackend : public Backend {
 public:
  FakeBackend() {
    known.name = "openvino";
    known.version = "2025.1";
    known.available = true;
    known.providers = {"cpu", "gpu"};
  }
  const RuntimeInfo& info() const override { return known; }
  Result<std::unique_ptr<Session>> open(const std::string&, const SessionOptions&) override { return refusal; }
  RuntimeInfo known;
  Error refusal = Error(Code::kUnavailable, "no such engine");
};

// An unpacked bundle that wants openvino, and the proof of it with that engine.
struct Workshop {
  explicit Workshop(const std::string& provider = "") {
    Manifest manifest;
    manifest.model = "detector";
    manifest.version = "1.0";
    manifest.device_types = {"pi"};
    manifest.runtime = "openvino";
    manifest.options.provider = provider;
    manifest.model_path = "model/m.onnx";
    manifest.created = "2026-01-01T00:00:00Z";
    manifest.golden.samples = 1;
    SecretKey key;
    key.seed.fill(1);
    std::vector<BundleSource> sources{{"model/m.onnx", "", {1}},
                                      {"recipe.json", "", {'{', '}'}},
                                      {"golden/0.input.npz", "", {2}},
                                      {"golden/0.expected.npz", "", {3}}};
    REQUIRE(files.make_dirs("w").ok());
    REQUIRE(write_bundle(files, "w/b.oree", manifest, sources).ok());
    REQUIRE(sign_bundle(files, "w/b.oree", "w/b.oree", key).ok());
    REQUIRE(unpack_bundle(files, "w/b.oree", {public_key(key)}, "w/slot").ok());
  }
  FindBackend find() {
    return [this](const std::string& name) -> Result<Backend*> {
      if (name != engine.known.name) return Error(Code::kUnsupported, "this build knows no runtime " + name);
      return &engine;
    };
  }
  Proof prove() { return prove_bundle(clock, files, processes, find(), "w/slot"); }

  FakeClock clock;
  FakeFiles files;
  FakeProcesses processes{&clock};
  FakeBackend engine;
};

}  // namespace

TEST_CASE("an engine that is not here is missing, not incompatible") {
  Workshop shop;
  shop.engine.known.available = false;
  shop.engine.known.providers.clear();
  Proof proof = shop.prove();
  CHECK_FALSE(proof.passed);
  CHECK(proof.reason == "runtime_missing");
  CHECK(proof.detail == "no such engine");
  CHECK(proof.remedy == Remedy{"openvino", "absent"});
}

TEST_CASE("a provider of the engine that is not here is missing, too") {
  Workshop shop("npu");
  shop.engine.refusal = Error(Code::kUnsupported, "openvino has no provider 'npu'");
  Proof proof = shop.prove();
  CHECK(proof.reason == "runtime_missing");
  CHECK(proof.remedy == Remedy{"openvino", "2025.1; cpu, gpu"});
}

TEST_CASE("an engine that cannot run the model is incompatible as long as it is this one") {
  Workshop shop("gpu");
  shop.engine.refusal = Error(Code::kUnsupported, "no op Frobnicate");
  Proof proof = shop.prove();
  CHECK(proof.reason == "incompatible");
  CHECK(proof.remedy == Remedy{"openvino", "2025.1; cpu, gpu"});
}

TEST_CASE("a broken model has no remedy") {
  Workshop shop;
  shop.engine.refusal = Error(Code::kInvalid, "truncated");
  Proof proof = shop.prove();
  CHECK(proof.reason == "invalid_bundle");
  CHECK(proof.remedy == Remedy{});
}

TEST_CASE("a runtime that this build does not know is missing") {
  Workshop shop;
  shop.engine.known.name = "litert";
  CHECK(shop.prove().reason == "runtime_missing");
  CHECK(shop.prove().remedy == Remedy{"openvino", "unknown"});
}

TEST_CASE("a look finds just what a proof finds") {
  Workshop shop;
  CHECK(look_at_runtime(shop.find(), "openvino").passed);
  CHECK(look_at_runtime(shop.find(), "openvino").remedy == Remedy{"openvino", "2025.1; cpu, gpu"});
  shop.engine.known.available = false;
  shop.engine.known.absent["openvino"] = "libopenvino_c.so: not found";
  Proof look = look_at_runtime(shop.find(), "openvino");
  CHECK_FALSE(look.passed);
  CHECK(look.detail == "libopenvino_c.so: not found");
  CHECK(look.remedy == shop.prove().remedy);
  CHECK(look_at_runtime(shop.find(), "tensorrt").remedy == Remedy{"tensorrt", "unknown"});
}

TEST_CASE("a verdict reads back as the child wrote it") {
  Proof proof;
  proof.reason = "runtime_missing";
  proof.detail = "not here";
  proof.remedy = {"tflite", "absent"};
  auto read = proof_from_json(proof_to_json(proof));
  REQUIRE(read.ok());
  CHECK(read->reason == proof.reason);
  CHECK(read->remedy == proof.remedy);
}
