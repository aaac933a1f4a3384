// SPDX-License-Identifier: Apache-2.0
#include "core/codec/npy.h"

using namespace oree;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Result<Tensor> tensor = read_npy(ByteView(data, size));
  if (!tensor.ok()) return 0;
  Result<Tensor> again = read_npy(write_npy(*tensor));
  OREE_ASSERT(again.ok() && *again == *tensor);
  OREE_ASSERT(tensor->to_doubles().size() == static_cast<size_t>(tensor->elements()));
  return 0;
}
