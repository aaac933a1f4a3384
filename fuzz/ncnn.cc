// SPDX-License-Identifier: Apache-2.0
#include "model/inspect/summary_parts.h"
#include "model/ncnn/ncnn_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  oree::ModelSummary summary;
  oree::Status status = oree::summarise_ncnn({data, size}, 4096, summary);
  OREE_ASSERT(!status.ok() || summary.parameters >= 0);
  // What a note says is what engines' sessions are described with.
  oree::Result<oree::NcnnFile> file = oree::read_ncnn({data, size}, -1);
  if (!file.ok() || !file->note) return 0;
  for (const oree::NcnnPort& port : file->note->outputs) OREE_ASSERT(oree::shape_elements(port.shape).ok());
  return 0;
}
