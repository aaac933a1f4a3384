// SPDX-License-Identifier: Apache-2.0
// NumPy's .npy (format 1.0 to 3.0, little-endian, C and Fortran order read, C order written) and .npz (a zip of
// them, stored or deflated, zip64 read and written). Bounded: no allocation from an unchecked size. Files that are too
// large for the memory: npy_file.h.
#pragma once

#include "core/base/tensor.h"

namespace oree {

Result<Tensor> read_npy(ByteView file);
Bytes write_npy(const Tensor& tensor);
Result<NamedTensors> read_npz(ByteView file);          // names without ".npy", in file order
Result<Bytes> write_npz(const NamedTensors& tensors);  // stored, deterministic bytes; kInvalid on a repeated name

}  // namespace oree
