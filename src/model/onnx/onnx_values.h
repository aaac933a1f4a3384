// SPDX-License-Identifier: Apache-2.0
// The values of a tensor in an ONNX file, wherever they lie: raw, in a typed field or in another file. Internal to
// model/onnx.
#pragma once

#include <memory>

#include "model/graph/constant.h"
#include "model/onnx/onnx_file.h"
#include "model/onnx/onnx_graph.h"

namespace oree {

// Raw, external and packed little-endian values stay where they are and `owner` keeps them there; others are unpacked.
// kInvalid when they do not fill the shape exactly, kUnsupported when a graph cannot hold their type.
Result<Constant> onnx_constant(const OnnxTensor& tensor, const std::shared_ptr<const void>& owner,
                               const ExternalFiles& external);

}  // namespace oree
