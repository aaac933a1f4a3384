// SPDX-License-Identifier: Apache-2.0
// The readers of the three formats, and the sums that they share. Internal to model/inspect.
#pragma once

#include "core/base/bytes.h"
#include "model/inspect/inspect.h"

namespace oree {

Status summarise_onnx(ByteView file, ModelSummary& summary);
Status summarise_tflite(ByteView file, ModelSummary& summary);
Status summarise_openvino(ByteView file, int64_t weights_size, ModelSummary& summary);

// Product of dimensions [from, end), -1 when one is unknown or the product passes 2^62.
int64_t volume(const Shape& shape, size_t from = 0);
// The same for factors that may themselves be unknown (-1).
int64_t times(int64_t a, int64_t b);
// Adds a cost to the summary, or counts the op as unknown when macs is -1.
void add_macs(ModelSummary& summary, const std::string& op, int64_t macs);

}  // namespace oree
