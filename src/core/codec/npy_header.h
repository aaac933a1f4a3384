// SPDX-License-Identifier: Apache-2.0
// What stands before the data of an .npy file. Inner header: only npy*.cc use it.
#pragma once

#include "core/base/tensor.h"

namespace oree {

inline constexpr std::string_view kNpyMagic = "\x93NUMPY";
inline constexpr uint64_t kNpyHeaderBytesMax = 64 << 10;
inline constexpr uint64_t kNpyLeadBytes = 12;  // enough to tell how long the header is; a file may have fewer

struct NpyHeader {
  Dtype dtype = Dtype::kFloat32;
  bool fortran = false;
  Shape shape;               // its dimensions are not checked against anything
  uint64_t data_offset = 0;  // in the file
};

const char* npy_code(Dtype dtype);  // "f4": numpy's, without the byte order; "" when it has none

// Where the data begins, by the first kNpyLeadBytes of the file.
Result<uint64_t> npy_data_offset(ByteView lead);
// `head`: the file's bytes before its data, or at least those that there are.
Result<NpyHeader> parse_npy_header(ByteView head);
// kInvalid unless the data is as large as the header says. The shape's product may pass kTensorElementsMax.
Status check_npy_size(const NpyHeader& header, uint64_t data_bytes);

// Column-major to row-major.
Bytes from_fortran(ByteView in, const Shape& shape, size_t item);

}  // namespace oree
