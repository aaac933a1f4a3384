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
// Behind a plug-in (model/runtime/plugin/oree_engine.h): the two that are ours, and any other that plugin_names()
// lists.
std::unique_ptr<Backend> make_torchscript_backend();
std::unique_ptr<Backend> make_executorch_backend();
std::unique_ptr<Backend> make_plugin_backend(const std::string& name);

}  // namespace oree
