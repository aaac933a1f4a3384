// SPDX-License-Identifier: Apache-2.0
// What ncnn's layers must not be given. Internal to model/ncnn.
#pragma once

#include "model/ncnn/ncnn_file.h"

namespace oree {

// kInvalid, naming the layer: steps, windows or groups of zero, sizes below zero, more weights than `weights_size`
// bytes can hold. Layers of other kinds than these are ncnn's to judge.
Status check_ncnn_layer(const NcnnLayer& layer, int64_t weights_size);

}  // namespace oree
