// SPDX-License-Identifier: Apache-2.0
#include "model/inspect/summary_parts.h"
#include "model/runtime/files/torchscript_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  oree::ModelSummary summary;
  (void)oree::looks_like_torchscript({data, size});
  oree::Status status = oree::summarise_torchscript({data, size}, summary);
  OREE_ASSERT(!status.ok() || summary.inputs.size() <= 256);
  return 0;
}
