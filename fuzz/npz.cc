// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "core/codec/npy.h"
#include "core/codec/npy_file.h"

using namespace oree;

// Rows from the last to the first (a deflated member starts again each time) and then as a whole: the same numbers.
static void check_rows(ArrayFile& file, size_t array, const Tensor* whole) {
  (void)file.verify(array);
  const Shape& shape = file.arrays()[array].shape;
  if (shape.empty()) return;
  int64_t step = std::max<int64_t>(shape[0] / 8, 1);
  for (int64_t first = shape[0] - 1, turns = 0; first >= 0 && turns < 16; first -= step, ++turns) {
    Result<Tensor> row = file.read_rows(array, first, 1);
    if (whole == nullptr) continue;
    OREE_ASSERT(row.ok() && row->dtype() == whole->dtype());
    auto from = whole->data() + static_cast<size_t>(first) * row->byte_size();
    OREE_ASSERT(std::equal(row->bytes().begin(), row->bytes().end(), from));
  }
  Result<Tensor> again = file.read(array);
  OREE_ASSERT(whole == nullptr || (again.ok() && *again == *whole));
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  ByteView bytes(data, size);
  Result<NamedTensors> tensors = read_npz(bytes);
  auto file = ArrayFile::open_npz(source_of(bytes));
  OREE_ASSERT(file.ok() || !tensors.ok());
  if (file.ok()) {
    for (size_t i = 0; i < (*file)->arrays().size(); ++i) {
      check_rows(**file, i, tensors.ok() ? &(*tensors)[i].tensor : nullptr);
    }
  }
  if (!tensors.ok()) return 0;
  for (const NamedTensor& t : *tensors) {
    if (t.name.size() > 1024) return 0;  // more than we would write
  }
  Result<Bytes> written = write_npz(*tensors);
  OREE_ASSERT(written.ok());
  Result<NamedTensors> again = read_npz(*written);
  OREE_ASSERT(again.ok() && again->size() == tensors->size());
  for (size_t i = 0; i < again->size(); ++i) {
    OREE_ASSERT((*again)[i].name == (*tensors)[i].name && (*again)[i].tensor == (*tensors)[i].tensor);
  }
  return 0;
}
