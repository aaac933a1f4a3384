// SPDX-License-Identifier: Apache-2.0
// The engines that orée can drive. Each is looked for when made; one that is not here gives a Backend that says so.
// Called by the registry, once an engine.
#pragma once

#include <memory>

#include "model/runtime/backend.h"

namespace oree {

std::unique_ptr<Backend> make_onnxruntime_backend();
std::unique_ptr<Backend> make_openvino_backend();
std::unique_ptr<Backend> make_tflite_backend();
std::unique_ptr<Backend> make_ncnn_backend();

}  // namespace oree
