// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "core/codec/npy.h"
#include "core/codec/npy_file.h"

using namespace oree;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Result<Tensor> tensor = read_npy(ByteView(data, size));
  auto file = ArrayFile::open_npy(source_of(ByteView(data, size)));
  OREE_ASSERT(file.ok() || !tensor.ok());
  if (file.ok() && !(*file)->arrays()[0].shape.empty() && (*file)->arrays()[0].shape[0] > 0) {
    int64_t last = (*file)->arrays()[0].shape[0] - 1;
    Result<Tensor> row = (*file)->read_rows(0, last, 1);
    OREE_ASSERT(!tensor.ok() || row.ok());
    if (tensor.ok()) {
      auto from = tensor->data() + static_cast<size_t>(last) * row->byte_size();
      OREE_ASSERT(std::equal(row->bytes().begin(), row->bytes().end(), from));
    }
  }
  if (!tensor.ok()) return 0;
  Result<Tensor> again = read_npy(write_npy(*tensor));
  OREE_ASSERT(again.ok() && *again == *tensor);
  OREE_ASSERT(tensor->to_doubles().size() == static_cast<size_t>(tensor->elements()));
  return 0;
}
