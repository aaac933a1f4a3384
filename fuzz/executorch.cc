// SPDX-License-Identifier: Apache-2.0
#include "model/inspect/summary_parts.h"
#include "model/runtime/files/torchscript_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  oree::ModelSummary summary;
  oree::Status status = oree::summarise_executorch({data, size}, summary);
  OREE_ASSERT(!status.ok() || oree::looks_like_executorch({data, size}));
  return 0;
}
