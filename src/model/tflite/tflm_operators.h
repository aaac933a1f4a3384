// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace oree {

// Does TFLite Micro have the operator, by the name that a TFLite file gives it ("CONV_2D", a custom one's own)? Which
// types a kernel takes is not said here. Source: the PyPI package tflite_micro 0.dev20261023182759, given a file with
// each of the schema's operators; of custom ones its python_ops_resolver.cc.
bool tflm_has(std::string_view op);

}  // namespace oree
