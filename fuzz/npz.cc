// SPDX-License-Identifier: Apache-2.0
#include "core/codec/npy.h"

using namespace oree;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Result<NamedTensors> tensors = read_npz(ByteView(data, size));
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
