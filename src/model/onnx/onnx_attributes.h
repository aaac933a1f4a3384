// SPDX-License-Identifier: Apache-2.0
// Attributes of a node in an ONNX file as a graph holds them. Internal to model/onnx.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string_view>

#include "model/graph/graph.h"
#include "model/onnx/onnx_file.h"

namespace oree {

// AttributeProto.AttributeType.
enum class OnnxKind {
  kNone,
  kFloat,
  kInt,
  kText,
  kTensor,
  kGraph,
  kFloats,
  kInts,
  kTexts,
  kTensors,
  kGraphs,
  kSparse,
  kSparses,
  kType,
  kTypes
};

// Files of the first IR versions say no kind: then what is there decides.
OnnxKind onnx_kind(const OnnxAttribute& attribute);

// Within a function: what its attributes are in this call.
using OnnxBindings = std::map<std::string_view, const OnnxAttribute*>;

// The attribute that is meant: itself, or the one that it refers to; nullptr when the call does not give that one.
const OnnxAttribute* onnx_resolve(const OnnxAttribute& attribute, const OnnxBindings* bindings);

using TensorReader = std::function<Result<Constant>(const OnnxTensor&)>;

// Nothing: the graph has no such attributes (types, lists of tensors); then onnx_raw_attribute() keeps it as it is.
// Graphs are not for here.
Result<std::optional<Attribute>> onnx_attribute_value(const OnnxAttribute& attribute, const TensorReader& tensor);

// As a field of a NodeProto, under `name`.
void append_raw_attribute(const OnnxAttribute& attribute, std::string_view name, Bytes& out);

}  // namespace oree
