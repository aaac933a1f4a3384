// SPDX-License-Identifier: Apache-2.0
// ArrayFile: an .npy or .npz that is read a few rows at a time, in memory that does not grow with it.
//
// A row is what lies at one index of the first axis. Rows of .npy files and of stored members are read by position;
// deflated members are inflated forwards, and from their start again when an earlier row is asked for: rising rows are
// cheap. Arrays in Fortran's order have no rows in the file: such an array is read whole, once, and kept.
//
// One thread at a time. Errors: kInvalid and kUnsupported for what is wrong with the file, kIntegrity for a CRC that
// does not match, and those of the source.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/base/tensor.h"
#include "core/codec/read_at.h"

namespace oree {

class ArrayFile {
 public:
  struct Array {
    std::string name;  // without ".npy"; of an .npy file ""
    Dtype dtype = Dtype::kFloat32;
    Shape shape;  // as in the file: more than a Tensor may hold, but of as many bytes as the file has for it
  };

  // Read every header and no data.
  static Result<std::unique_ptr<ArrayFile>> open_npy(ByteSource file);
  static Result<std::unique_ptr<ArrayFile>> open_npz(ByteSource file);  // arrays in file order
  virtual ~ArrayFile() = default;

  const std::vector<Array>& arrays() const { return arrays_; }
  // Rows first to first + count, as a Tensor with that many of them; asserts that they are in the array, and that it
  // has an axis. A CRC is not checked by this: see verify().
  virtual Result<Tensor> read_rows(size_t array, int64_t first, int64_t count) = 0;
  // The whole array; its CRC is checked.
  virtual Result<Tensor> read(size_t array) = 0;
  // Goes over the whole array in constant memory, and says what is wrong with it: a CRC, a cut or damaged member.
  virtual Status verify(size_t array) = 0;

 protected:
  std::vector<Array> arrays_;
};

}  // namespace oree
