// SPDX-License-Identifier: Apache-2.0
#include "model/inspect/summary_parts.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  oree::ModelSummary summary;
  oree::Status status = oree::summarise_openvino({data, size}, 4096, summary);
  OREE_ASSERT(!status.ok() || summary.macs >= 0);
  return 0;
}
