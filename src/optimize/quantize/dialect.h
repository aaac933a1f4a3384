// SPDX-License-Identifier: Apache-2.0
// Dialect: what an engine wants of a quantized model: which integers, where QuantizeLinear and DequantizeLinear stand,
// which of its operators compute in integers. One table of data an engine; place.h and plan.h do the rest.
// Sources: ONNX Runtime's documentation of quantization and its QDQ selectors, OpenVINO's low-precision
// transformations, TensorRT's explicit quantization, TFLite's 8-bit quantization specification.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "optimize/quantize/affine.h"
#include "optimize/quantize/precision.h"

namespace oree {

// What a node does with quantized operands.
enum class Role {
  kFloat,     // it has no form in integers
  kWeighted,  // its second operand are constant weights: Conv, Gemm, MatMul …
  kComputes,  // each operand and the result have scales of their own
  kMoves,     // the result has its operand's scale
  kJoins,     // all operands are brought to the result's scale
};

struct OpRule {
  std::string_view op;
  Role role = Role::kFloat;
  // The kernel gives out this scale and no other.
  std::optional<Affine> fixed = {};
  // Its results lie in this range, whatever the data.
  std::optional<Range> within = {};
};

// What becomes of the result of a layer with weights that nothing in integers takes: a score, a box. Rounded to 8 bits
// it would lose what it is looked at for.
enum class Leaving {
  kRounded,   // the engine has nothing else
  kProducts,  // ConvInteger, MatMulInteger: sums of 32 bits, scaled in float
  kHybrid,    // weights in integers, activations in float, which the kernel rounds by what it sees in them
};

enum class TargetCpu { kThis, kVnni, kX86, kArm };

struct Dialect {
  std::string engine;   // "onnxruntime", "openvino", "tensorrt", "tflite", "edgetpu", "tflm"
  bool tflite = false;  // the result's format; else ONNX
  IntegerGrid activations;
  IntegerGrid weights;
  bool pairs = false;           // products of two neighbours are summed in 16 bits, which weights must mind (weights.h)
  bool gemm_by_channel = true;  // scales a channel in matrix products, too
  bool biases = true;           // in integers, of the scale of the products
  // Operators give out integers: a QuantizeLinear stands behind each. Otherwise only before those that take integers,
  // and what lies between, activations and sums, is the engine's to fuse.
  bool results = true;
  Leaving leaving = Leaving::kRounded;
  bool tail = false;  // what follows the last weighted operators is in integers, too
  std::span<const OpRule> rules;

  const OpRule* rule(std::string_view op) const;  // nullptr: in float
};

// kUsage on an engine that has no dialect, or not in this precision (one that calibrates; else it is int8's). `cpu`
// counts for onnxruntime and openvino: x86 without VNNI multiplies pairs of 8-bit numbers into 16 bits, where they may
// not fit: weights mind that there (weights.h).
Result<Dialect> dialect_for(const std::string& engine, TargetCpu cpu = TargetCpu::kThis,
                            Precision precision = Precision::kInt8);
const std::vector<std::string>& dialect_engines();
// ONNX Runtime's integer kernels on this machine compute this dialect without saturation, so that they may stand in for
// other engines' in simulations.
bool exact_here(const Dialect& dialect);

}  // namespace oree
