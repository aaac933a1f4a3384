// SPDX-License-Identifier: Apache-2.0
#include "optimize/quantize/precision.h"

#include <doctest/doctest.h>

#include <map>
#include <set>

#include "optimize/quantize/dialect.h"

namespace oree {

TEST_CASE("a precision's name is read as that precision, and another is none") {
  for (const std::string& name : precision_names()) {
    std::optional<Precision> precision = find_precision(name);
    REQUIRE(precision);
    CHECK(precision_name(*precision) == name);
  }
  CHECK(!find_precision("int3"));
  CHECK(!find_precision(""));
  CHECK(calibrates(Precision::kInt8));
  CHECK(calibrates(Precision::kInt16));
  CHECK(!calibrates(Precision::kDynamic));
}

TEST_CASE("an engine that has nothing for a precision says why, and what to use instead") {
  const std::map<std::string, std::set<std::string>> taken = {
      {"onnxruntime", {"int8", "weights-int8", "weights-int4", "dynamic", "fp16", "bf16"}},
      {"openvino", {"int8", "weights-int8", "weights-int4", "fp16", "bf16"}},
      {"tensorrt", {"int8", "weights-int8", "weights-int4", "fp16"}},
      {"tflite", {"int8", "int16", "weights-int8", "dynamic", "fp16"}},
      {"tflm", {"int8", "int16"}},
      {"edgetpu", {"int8"}},
  };
  REQUIRE(dialect_engines().size() == taken.size());
  for (const std::string& engine : dialect_engines()) {
    for (const std::string& name : precision_names()) {
      CAPTURE(engine);
      CAPTURE(name);
      Status checked = check_precision(engine, *find_precision(name));
      CHECK(checked.ok() == taken.at(engine).contains(name));
      if (checked.ok()) continue;
      CHECK(checked.error().code() == Code::kUsage);
      const std::string text = checked.error().message();
      CHECK(text.starts_with(engine + " takes no " + name + ": "));
      // Of what it names one is taken.
      const size_t use = text.find("; use ");
      REQUIRE(use != std::string::npos);
      bool helps = false;
      for (const std::string& other : taken.at(engine)) helps |= text.find(other, use) != std::string::npos;
      CHECK(helps);
    }
  }
}

TEST_CASE("16-bit activations are TFLite's, symmetric, and functions with a scale of their own have that of 16 bits") {
  CHECK(dialect_for("onnxruntime", TargetCpu::kThis, Precision::kInt16).error().code() == Code::kUsage);
  for (const char* engine : {"tflite", "tflm"}) {
    Dialect d = dialect_for(engine, TargetCpu::kThis, Precision::kInt16).value();
    CHECK(d.activations == symmetric_int16_grid());
    CHECK(d.weights == symmetric_int8_grid());
    CHECK(d.leaving == Leaving::kRounded);
    for (const char* op : {"Sigmoid", "Tanh", "Softmax"}) {
      REQUIRE(d.rule(op) != nullptr);
      CHECK(d.rule(op)->fixed == Affine{1.0F / 32768, 0});
    }
    // TFLite has these of 8 bits alone.
    for (const char* op : {"LogSoftmax", "HardSwish", "DepthToSpace", "PRelu", "Gelu"}) CHECK(d.rule(op) == nullptr);
    CHECK(dialect_for(engine).value().activations == int8_grid());
  }
}

}  // namespace oree
