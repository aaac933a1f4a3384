// SPDX-License-Identifier: Apache-2.0
#include "optimize/quantize/dialect.h"

#include <doctest/doctest.h>

#include <set>

#include "model/ops/op_def.h"

namespace oree {
namespace {

Node node_of(std::string_view op) {
  Node node;
  node.op = op;
  return node;
}

}  // namespace

TEST_CASE("every engine has a dialect on every CPU; its table names known operators, each once") {
  for (const std::string& engine : dialect_engines()) {
    for (TargetCpu cpu : {TargetCpu::kThis, TargetCpu::kVnni, TargetCpu::kX86, TargetCpu::kArm}) {
      CAPTURE(engine);
      Result<Dialect> d = dialect_for(engine, cpu);
      REQUIRE(d.ok());
      CHECK(d->engine == engine);
      CHECK(d->weights.dtype == Dtype::kInt8);
      std::set<std::string_view> seen;
      for (const OpRule& rule : d->rules) {
        CAPTURE(std::string(rule.op));
        CHECK(find_op(node_of(rule.op)) != nullptr);
        CHECK(seen.insert(rule.op).second);
        CHECK(rule.role != Role::kFloat);
        CHECK(d->rule(rule.op) == &rule);
      }
      CHECK(d->rule("Conv")->role == Role::kWeighted);
      CHECK(d->rule("NonMaxSuppression") == nullptr);
    }
  }
  Result<Dialect> none = dialect_for("abacus");
  REQUIRE(!none.ok());
  CHECK(none.error().code() == Code::kUsage);
  CHECK(none.error().message().find("onnxruntime") != std::string::npos);
}

TEST_CASE("only an x86 without VNNI minds pairs, and only in the engines that have its kernels") {
  for (const std::string& engine : dialect_engines()) {
    CAPTURE(engine);
    const bool cares = engine == "onnxruntime" || engine == "openvino";
    CHECK(dialect_for(engine, TargetCpu::kX86)->pairs == cares);
    CHECK_FALSE(dialect_for(engine, TargetCpu::kVnni)->pairs);
    CHECK_FALSE(dialect_for(engine, TargetCpu::kArm)->pairs);
  }
  // What was made for this machine computes here as it shall.
  CHECK(exact_here(dialect_for("onnxruntime").value()));
  CHECK(exact_here(dialect_for("onnxruntime", TargetCpu::kX86).value()));
}

TEST_CASE("TFLite's kernels have scales of their own for some results, in 8 and in 16 bits") {
  for (const char* engine : {"tflite", "tflm"}) {
    const Dialect eight = dialect_for(engine).value();
    const Dialect wide = dialect_for(engine, TargetCpu::kThis, Precision::kInt16).value();
    CHECK(eight.activations.dtype == Dtype::kInt8);
    CHECK(wide.activations.dtype == Dtype::kInt16);
    CHECK(*eight.rule("Sigmoid")->fixed == Affine{1.0F / 256, -128});
    CHECK(*wide.rule("Sigmoid")->fixed == Affine{1.0F / 32768, 0});
    CHECK(*eight.rule("Tanh")->fixed == Affine{1.0F / 128, 0});
    CHECK(wide.rule("Gelu") == nullptr);  // in float, and the engine is not asked for it
    CHECK(eight.tail == (std::string_view(engine) == "tflm"));
  }
  CHECK(!dialect_for("edgetpu", TargetCpu::kThis, Precision::kInt16).ok());
  CHECK(!dialect_for("onnxruntime", TargetCpu::kThis, Precision::kInt16).ok());
}

}  // namespace oree
