// SPDX-License-Identifier: Apache-2.0
// What an operator is, whatever file it came from: how many inputs and outputs, which attributes, what types its
// outputs have, what it costs. One table holds them all (find_op); an operator that is not in it can still be in a
// graph, as something opaque that no pass touches, no reference kernel runs and only its own format's writer takes.
// Operators are those of the ONNX operator specification in their newest form, domain "", without sequences, strings
// and training; those of domain "tflite" belong to model/tflite. A new one is a line in the table of its family
// (elementwise.cc, reduce.cc, movement.cc, ...) and, where none of the others' will do, a function for its types.
#pragma once

#include <span>
#include <string_view>

#include "model/graph/graph.h"
#include "model/ops/inference.h"

namespace oree {

enum class AttributeKind { kInt, kFloat, kText, kInts, kFloats, kTexts, kTensor };

// Attributes of such names mean nothing to the operator: a reader keeps in them what its own format's writer wants
// back, the other writers leave them out.
inline constexpr std::string_view kHintPrefix = "tflite.";

struct AttributeDef {
  std::string_view name;
  AttributeKind kind = AttributeKind::kInt;
  bool required = false;
};

// Properties that passes ask for.
enum Trait : uint32_t {
  kNoTraits = 0,
  kElementwise = 1,  // output element = f(input elements at the same place), inputs broadcast as in numpy
  kCommutative = 2,  // of its first two inputs
  kRandom = 4,       // two runs differ: never folded, never merged
  kMoves = 8,        // output elements are input elements, moved: Reshape, Transpose, Slice, Concat …
  kHasBlocks = 16,   // If, Loop, Scan
};

struct OpDef {
  std::string_view op;
  int inputs_min = 1;
  int inputs_max = 1;  // kVariadic: any number
  int outputs_min = 1;
  int outputs_max = 1;
  uint32_t traits = kNoTraits;
  std::span<const AttributeDef> attributes;
  Status (*infer)(Inference&) = nullptr;                 // sets the types of all outputs as far as they follow
  int64_t (*macs)(const Graph&, const Node&) = nullptr;  // multiply-accumulates; nullptr: none. -1: shapes unknown
  std::string_view domain = "";

  bool has(Trait trait) const { return (traits & trait) != 0; }
};
inline constexpr int kVariadic = 1 << 16;

// nullptr: not an operator that we know. "ai.onnx" is "".
const OpDef* find_op(std::string_view domain, std::string_view op);
inline const OpDef* find_op(const Node& node) { return find_op(node.domain, node.op); }
std::vector<const OpDef*> all_ops();  // sorted by domain and name

}  // namespace oree
