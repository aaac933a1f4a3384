// SPDX-License-Identifier: Apache-2.0
// ONNX file <-> graph. Source of format and operator versions: the ONNX IR and operator specifications.
#pragma once

#include <functional>
#include <memory>
#include <set>

#include "model/graph/graph.h"

namespace oree {

// Bytes of a file named in the model (external data), or an error. Names have been checked: relative, below the model.
using ExternalFiles = std::function<Result<ByteView>(const std::string& name)>;

struct OnnxReadOptions {
  ExternalFiles external;  // without: a model with external data is refused
};

// `file` stays where it is: constants are views into it, and `owner` keeps it there.
// Opsets 7 to the newest that is known are brought to the newest form of each operator; model-local functions are
// inlined; unknown operators, domains and fields are kept. kInvalid on anything broken; kUnsupported, naming the node,
// on what the graph cannot hold (sequences, strings, sparse tensors, opsets before 7).
Result<Model> read_onnx_model(ByteView file, std::shared_ptr<const void> owner, const OnnxReadOptions& options = {});

struct OnnxWriteOptions {
  // 7 to 28 (kUsage otherwise); operators are written in that opset's form. 0: 17, or the lowest above that can hold
  // the model.
  int opset = 0;
  int64_t external_threshold = 0;  // constants of at least so many bytes go to the external file; 0: none does
  std::string external_name;       // of the file beside the model
  // Constants, by name, that whoever runs the file may give others for: initializers that are inputs, too. Engines fold
  // nothing into these. One that only a block within uses stays a constant.
  std::set<std::string> replaceable;
};

struct OnnxFiles {
  Bytes model;
  Bytes external;  // empty unless asked for
};

// Where the files go, piece by piece; an error of theirs ends the writing.
struct OnnxSinks {
  std::function<Status(ByteView)> model;
  std::function<Status(ByteView)> external;
};

// Values with Quantization are written as QuantizeLinear and DequantizeLinear around float operators (QDQ).
// States become inputs and outputs, named in the metadata. kUnsupported, naming op, node and reason, when the opset has
// no form for something, and the lowest that would do: nothing is ever written wrong.
Result<OnnxFiles> write_onnx_model(const Model& model, const OnnxWriteOptions& options = {});
// The same without a copy of the constants in memory.
Status write_onnx_model(const Model& model, const OnnxWriteOptions& options, const OnnxSinks& sinks);

}  // namespace oree
