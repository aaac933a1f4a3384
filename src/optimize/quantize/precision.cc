// SPDX-License-Identifier: Apache-2.0
#include "optimize/quantize/precision.h"

#include <fmt/format.h>

#include <algorithm>

namespace oree {
namespace {

struct Refusal {
  std::string_view engine;
  Precision precision;
  std::string_view why, instead;
};

constexpr std::string_view kNoWide = "it has no kernels for 16-bit activations, and would compute in float";
constexpr std::string_view kEdgetpu = "an Edge TPU computes in 8-bit integers alone";
constexpr std::string_view kMicro = "TFLite Micro has no kernels that take float activations with such weights";
constexpr std::string_view kMicroInstead = "int8, or int16 where that is not exact enough";

constexpr Refusal kRefused[] = {
    {"onnxruntime", Precision::kInt16, kNoWide, "weights-int8 or fp16, or int8 with --float-macs"},
    {"openvino", Precision::kInt16, kNoWide, "weights-int8 or fp16, or int8 with --float-macs"},
    {"tensorrt", Precision::kInt16, kNoWide, "weights-int8 or fp16, or int8 with --float-macs"},
    {"openvino", Precision::kDynamic, "it quantizes the activations of layers with stored weights by itself",
     "weights-int8"},
    {"tensorrt", Precision::kDynamic, "it has no operators that quantize by what they see",
     "weights-int8, or int8 with samples"},
    {"tensorrt", Precision::kBfloat16, "that it takes weights so was never seen here", "fp16"},
    {"tflite", Precision::kWeightsInt4, "its library of today has no DEQUANTIZE of 4 bits", "weights-int8"},
    {"tflite", Precision::kBfloat16, "its DEQUANTIZE takes no bfloat16", "fp16"},
    {"tflm", Precision::kWeightsInt8, kMicro, kMicroInstead},
    {"tflm", Precision::kWeightsInt4, kMicro, kMicroInstead},
    {"tflm", Precision::kDynamic, kMicro, kMicroInstead},
    {"tflm", Precision::kFloat16, kMicro, kMicroInstead},
    {"tflm", Precision::kBfloat16, kMicro, kMicroInstead},
};

}  // namespace

const std::vector<std::string>& precision_names() {
  static const std::vector<std::string> names = {"int8",    "int16", "weights-int8", "weights-int4",
                                                 "dynamic", "fp16",  "bf16"};
  return names;
}

std::string precision_name(Precision precision) { return precision_names()[static_cast<size_t>(precision)]; }

std::optional<Precision> find_precision(std::string_view name) {
  auto found = std::ranges::find(precision_names(), name);
  if (found == precision_names().end()) return std::nullopt;
  return static_cast<Precision>(found - precision_names().begin());
}

bool calibrates(Precision precision) { return precision == Precision::kInt8 || precision == Precision::kInt16; }

Status check_precision(const std::string& engine, Precision precision) {
  auto refused =
      std::ranges::find_if(kRefused, [&](const Refusal& r) { return r.engine == engine && r.precision == precision; });
  std::string_view why, instead;
  if (refused != std::end(kRefused)) {
    why = refused->why;
    instead = refused->instead;
  } else if (engine == "edgetpu" && precision != Precision::kInt8) {
    why = kEdgetpu;
    instead = "int8";
  } else {
    return {};
  }
  return Error(Code::kUsage,
               fmt::format("{} takes no {}: {}; use {}", engine, precision_name(precision), why, instead));
}

}  // namespace oree
