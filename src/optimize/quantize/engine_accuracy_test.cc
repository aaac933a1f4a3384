// SPDX-License-Identifier: Apache-2.0
#include "optimize/quantize/engine_accuracy.h"

#include "optimize/quantize/engines_fixture.h"

namespace oree {
namespace {

Result<EngineAccuracy> measured(const Graph& g, const Plan& plan) {
  PosixFiles files;
  TestFolder folder;
  return measure_in_engine(files, g, emitted(g, plan), plan, some_samples(g, 3), {1, folder.path});
}

}  // namespace

TEST_CASE("what computes as an engine does that no PC has") {
  CHECK(stand_in("edgetpu") == "tflite");
  CHECK(stand_in("tflm") == "tflite");
  CHECK(stand_in("tensorrt") == "onnxruntime");
  for (const char* itself : {"onnxruntime", "openvino", "tflite"}) CHECK(stand_in(itself) == itself);
}

TEST_CASE("outputs and layers are held to float in the engine itself") {
  Graph g;
  const ValueId a = conv(g, picture(g), 6, 1), b = build(g, "Relu", {a}), c = conv(g, b, 4, 2, "last");
  g.add_output(c);
  for (const char* engine : {"onnxruntime", "openvino", "tflite", "tensorrt", "tflm"}) {
    if (!engine_is_here("onnxruntime") || !engine_is_here(stand_in(engine))) continue;
    CAPTURE(std::string(engine));
    const Planned planned(g, dialect_for(engine).value());
    Result<EngineAccuracy> found = measured(g, planned.plan);
    REQUIRE(found.ok());
    CHECK(found->engine == stand_in(engine));
    REQUIRE_FALSE(found->refused);
    REQUIRE(found->outputs.size() == 1);
    CHECK(found->outputs[0].sqnr_db() > 20);
    CHECK(found->outputs[0].sqnr_db() < 100);
    CHECK(found->layers.size() == 2);
    for (const auto& [node, noise] : found->layers) CHECK(noise.sqnr_db() > 20);
  }
}

TEST_CASE("a result that is no number in the engine is refused by its name") {
  if (!engine_is_here("onnxruntime")) return;
  Graph g;
  ValueId x = conv(g, picture(g), 6, 1);
  // Next to what float32 can hold; rounded, beyond.
  g.add_output(
      build(g, "Exp", {build(g, "Mul", {x, g.add_constant("by", Constant::scalar(400.0F))})}, {}, kMainBlock, "grown"));
  const Planned planned(g, dialect_for("onnxruntime").value());
  Result<EngineAccuracy> found = measured(g, planned.plan);
  REQUIRE(found.ok());
  REQUIRE(found->refused);
  CHECK(found->refused->message().find("grown") != std::string::npos);
}

}  // namespace oree
