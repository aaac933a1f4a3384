// SPDX-License-Identifier: Apache-2.0
// TFLite's builtin operators and their options, as schema.fbs has them: what turns a table of options into a node's
// attributes and back. Names of options are the schema's.
#pragma once

#include <span>
#include <string_view>

#include "model/graph/graph.h"
#include "model/tflite/tflite_file.h"

namespace oree {

struct TfliteOption {
  enum class Kind { kBool, kInt8, kInt32, kUint32, kInt64, kFloat, kInts, kFloats, kText };
  std::string_view name;
  int field = 0;  // of the options' table
  Kind kind = Kind::kInt32;
  double otherwise = 0;  // the schema's default
};

struct TfliteBuiltin {
  std::string_view name;
  int options_type = 0;  // of the union BuiltinOptions; 0: the operator has no options
  std::span<const TfliteOption> options;
};

// nullptr: not a builtin that can be read and written (StableHLO's, for instance).
const TfliteBuiltin* find_tflite_builtin(std::string_view name);

// The options that differ from their defaults. kInvalid when they are of another operator or torn.
Result<Attributes> read_tflite_options(const TfliteBuiltin& builtin, const TfliteOp& op);

// An integer option of a node of domain "tflite", the schema's default when it is not given. Asserts that the builtin
// has it.
int64_t tflite_option(const Node& node, std::string_view name);
float tflite_real_option(const Node& node, std::string_view name);

// Values of the schema's enumerations.
enum TflitePadding : int64_t { kTfliteSame = 0, kTfliteValid = 1 };
enum TfliteActivation : int64_t {
  kTfliteNoActivation = 0,
  kTfliteRelu = 1,
  kTfliteReluN1To1 = 2,
  kTfliteRelu6 = 3,
  kTfliteTanh = 4,
  kTfliteSignBit = 5
};

inline constexpr std::string_view kTfliteDomain = "tflite";
inline constexpr std::string_view kTfliteCustomDomain = "tflite.custom";

}  // namespace oree
