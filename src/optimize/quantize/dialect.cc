// SPDX-License-Identifier: Apache-2.0
#include "optimize/quantize/dialect.h"

#include <fmt/format.h>

#include <algorithm>

namespace oree {
namespace {

constexpr Range kUnit{0, 1};
constexpr OpRule kOnnxRuntime[] = {
    {"Add", Role::kComputes},       {"AveragePool", Role::kComputes}, {"Concat", Role::kComputes},
    {"Conv", Role::kWeighted},      {"DepthToSpace", Role::kMoves},   {"Flatten", Role::kMoves},
    {"Gather", Role::kMoves},       {"Gemm", Role::kWeighted},        {"GlobalAveragePool", Role::kComputes},
    {"LeakyRelu", Role::kComputes}, {"MatMul", Role::kComputes},      {"MaxPool", Role::kMoves},
    {"Mul", Role::kComputes},       {"Reshape", Role::kMoves},        {"Resize", Role::kMoves},
    {"Sigmoid", Role::kComputes},   {"Slice", Role::kMoves},          {"Softmax", Role::kComputes, {}, kUnit},
    {"SpaceToDepth", Role::kMoves}, {"Split", Role::kMoves},          {"Squeeze", Role::kMoves},
    {"Transpose", Role::kMoves},    {"Unsqueeze", Role::kMoves},
};

// What OpenVINO and TensorRT compute in integers; the rest between is fused or in float.
constexpr OpRule kOpenvino[] = {
    {"Add", Role::kComputes},           {"AveragePool", Role::kMoves},
    {"Concat", Role::kJoins},           {"Conv", Role::kWeighted},
    {"ConvTranspose", Role::kWeighted}, {"DepthToSpace", Role::kMoves},
    {"Flatten", Role::kMoves},          {"Gather", Role::kMoves},
    {"Gemm", Role::kWeighted},          {"MatMul", Role::kComputes},
    {"MaxPool", Role::kMoves},          {"Reshape", Role::kMoves},
    {"Resize", Role::kMoves},           {"Slice", Role::kMoves},
    {"SpaceToDepth", Role::kMoves},     {"Split", Role::kMoves},
    {"Squeeze", Role::kMoves},          {"Transpose", Role::kMoves},
    {"Unsqueeze", Role::kMoves},
};

constexpr Affine kByte{1.0F / 256, -128}, kSigned{1.0F / 128, 0}, kLog{16.0F / 256, 127};
constexpr OpRule kTflite[] = {
    {"Abs", Role::kComputes},
    {"Add", Role::kComputes},
    {"AveragePool", Role::kMoves},
    {"Concat", Role::kJoins},
    {"Conv", Role::kWeighted},
    {"ConvTranspose", Role::kWeighted},
    {"DepthToSpace", Role::kMoves},
    {"Elu", Role::kComputes},
    {"Flatten", Role::kMoves},
    {"Gather", Role::kMoves},
    {"Gelu", Role::kComputes},
    {"Gemm", Role::kWeighted},
    {"GlobalAveragePool", Role::kComputes},
    {"HardSwish", Role::kComputes},
    {"LeakyRelu", Role::kComputes},
    {"LogSoftmax", Role::kComputes, kLog},
    {"MatMul", Role::kComputes},
    {"Max", Role::kJoins},
    {"MaxPool", Role::kMoves},
    {"Min", Role::kJoins},
    {"Mul", Role::kComputes},
    {"PRelu", Role::kComputes},
    {"ReduceMax", Role::kMoves},
    {"ReduceMean", Role::kComputes},
    {"ReduceMin", Role::kMoves},
    {"Reshape", Role::kMoves},
    {"Resize", Role::kMoves},
    {"Sigmoid", Role::kComputes, kByte},
    {"Slice", Role::kMoves},
    {"Softmax", Role::kComputes, kByte},
    {"SpaceToDepth", Role::kMoves},
    {"Split", Role::kMoves},
    {"Squeeze", Role::kMoves},
    {"Sub", Role::kComputes},
    {"Tanh", Role::kComputes, kSigned},
    {"Tile", Role::kMoves},
    {"Transpose", Role::kMoves},
    {"Unsqueeze", Role::kMoves},
};

// Of 16 bits TFLite and TFLite Micro both have these. What others have no kernel for is in float between them.
constexpr Affine kWide{1.0F / 32768, 0};
constexpr OpRule kTflite16[] = {
    {"Add", Role::kComputes},
    {"AveragePool", Role::kMoves},
    {"Concat", Role::kJoins},
    {"Conv", Role::kWeighted},
    {"ConvTranspose", Role::kWeighted},
    {"Flatten", Role::kMoves},
    {"Gemm", Role::kWeighted},
    {"GlobalAveragePool", Role::kComputes},
    {"LeakyRelu", Role::kComputes},
    {"MatMul", Role::kWeighted},
    {"MaxPool", Role::kMoves},
    {"Mul", Role::kComputes},
    {"ReduceMean", Role::kComputes},
    {"Reshape", Role::kMoves},
    {"Resize", Role::kMoves},
    {"Sigmoid", Role::kComputes, kWide},
    {"Slice", Role::kMoves},
    {"Softmax", Role::kComputes, kWide},
    {"Split", Role::kMoves},
    {"Squeeze", Role::kMoves},
    {"Sub", Role::kComputes},
    {"Tanh", Role::kComputes, kWide},
    {"Transpose", Role::kMoves},
    {"Unsqueeze", Role::kMoves},
};

TargetCpu this_cpu() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx512vnni") || __builtin_cpu_supports("avxvnni") ? TargetCpu::kVnni : TargetCpu::kX86;
#else
  return TargetCpu::kArm;
#endif
}

Dialect onnxruntime(TargetCpu cpu) {
  if (cpu == TargetCpu::kThis) cpu = this_cpu();
  Dialect d;
  d.activations = cpu == TargetCpu::kArm ? int8_grid() : uint8_grid();
  d.weights = symmetric_int8_grid();
  d.pairs = cpu == TargetCpu::kX86;
  d.leaving = Leaving::kProducts;
  d.rules = kOnnxRuntime;
  return d;
}

Dialect openvino(TargetCpu cpu) {
  if (cpu == TargetCpu::kThis) cpu = this_cpu();
  Dialect d;
  d.activations = uint8_grid();
  d.weights = symmetric_int8_grid();
  d.pairs = cpu == TargetCpu::kX86;
  d.biases = false;
  d.results = false;
  d.rules = kOpenvino;
  return d;
}

Dialect tensorrt() {
  Dialect d = openvino(TargetCpu::kVnni);
  d.activations = symmetric_int8_grid();
  return d;
}

Dialect tflite(bool whole) {
  Dialect d;
  d.tflite = true;
  d.activations = int8_grid();
  d.weights = symmetric_int8_grid();
  d.gemm_by_channel = !whole;
  d.tail = whole;
  d.leaving = whole ? Leaving::kRounded : Leaving::kHybrid;
  d.rules = kTflite;
  return d;
}

// 16 bits of activations by 8 of weights: zero points are 0, and 16 bits round a score finely enough.
Dialect tflite16(bool whole) {
  Dialect d = tflite(whole);
  d.activations = symmetric_int16_grid();
  d.gemm_by_channel = false;
  d.leaving = Leaving::kRounded;
  d.rules = kTflite16;
  return d;
}

}  // namespace

bool exact_here(const Dialect& dialect) { return this_cpu() != TargetCpu::kX86 || dialect.pairs; }

const OpRule* Dialect::rule(std::string_view op) const {
  auto found = std::ranges::find(rules, op, &OpRule::op);
  return found == rules.end() ? nullptr : &*found;
}

const std::vector<std::string>& dialect_engines() {
  static const std::vector<std::string> names = {"onnxruntime", "openvino", "tflite", "tensorrt", "edgetpu", "tflm"};
  return names;
}

Result<Dialect> dialect_for(const std::string& engine, TargetCpu cpu, Precision precision) {
  OREE_TRY(check_precision(engine, precision));
  Dialect d;
  if (engine == "onnxruntime") {
    d = onnxruntime(cpu);
  } else if (engine == "openvino") {
    d = openvino(cpu);
  } else if (engine == "tensorrt") {
    d = tensorrt();
  } else if (engine == "tflite" || engine == "edgetpu" || engine == "tflm") {
    d = precision == Precision::kInt16 ? tflite16(engine != "tflite") : tflite(engine != "tflite");
  } else {
    return Error(Code::kUsage,
                 fmt::format("no engine '{}'; expected one of {}", engine, fmt::join(dialect_engines(), ", ")));
  }
  d.engine = engine;
  return d;
}

}  // namespace oree
