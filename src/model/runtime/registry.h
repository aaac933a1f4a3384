// SPDX-License-Identifier: Apache-2.0
// Which engines this machine has. An engine's library is looked for in this order: the environment variable
// (OREE_ONNXRUNTIME_LIBRARY, OREE_OPENVINO_LIBRARY, OREE_TFLITE_LIBRARY, OREE_NCNN_LIBRARY), the system's loader path,
// then our pinned copy under OREE_DEPS or `<folder of the program>/../../.deps`. Engines behind a plug-in (torchscript,
// executorch and whatever else is there) are looked for in the folder that OREE_ENGINES names, else in engines/ beside
// the program, in ../lib/oree/engines from there, and in engines/ of the dependencies (docs/engines.md).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "model/runtime/backend.h"

namespace oree {

enum class ModelFormat { kOnnx, kTflite, kOpenvino, kNcnn, kTorchscript, kExecutorch, kOther, kUnknown };
// By content first (a flatbuffer's "TFL3" or "ET12", an IR's XML root, ncnn's first line, a zip archive with a
// TorchScript program, an ONNX ModelProto), by extension only when empty of clues. kOther: a plug-in that is here knows
// it.
Result<ModelFormat> detect_format(const std::string& model_path);
const char* format_name(ModelFormat format);  // "onnx", …, "torchscript", "other", "unknown"

// Opened once, on first use, and kept for the life of the process. Thread-safe. Never nullptr: an engine that is not
// here gives a Backend whose info().available is false and whose open() says how to get it.
Backend& backend(const std::string& name);  // asserts on a name that is not in backend_names()
// "onnxruntime", "openvino", "tflite", "ncnn", "torchscript", "executorch", then the other plug-ins that are here.
const std::vector<std::string>& backend_names();

// The available engine that suits the format best when the user names none: onnx -> onnxruntime, tflite -> tflite,
// openvino -> openvino, ncnn -> ncnn, and so on; another that can read it when that one is absent; kUnavailable when
// there is none. Of kOther the file decides.
Result<std::string> default_backend(ModelFormat format, const std::string& model_path);
// The same on another machine, of whose engines these are.
Result<std::string> default_backend(ModelFormat format, const std::string& model_path,
                                    const std::vector<RuntimeInfo>& there);

// What is neither of these is no model: "neither ONNX, TFLite, … nor …".
const char* no_format_text();

}  // namespace oree
