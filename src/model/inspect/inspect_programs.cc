// SPDX-License-Identifier: Apache-2.0
// Formats that hold a program and not a graph that we read: what can be said without their engine.
#include <fmt/format.h>

#include "model/inspect/summary_parts.h"
#include "model/runtime/files/torchscript_file.h"

namespace oree {
namespace {

void ports(const std::vector<NotedPort>& from, std::vector<InspectedTensor>& to) {
  for (const NotedPort& p : from) {
    to.push_back({p.name, p.dtype ? dtype_name(*p.dtype) : "?", p.shape.value_or(Shape{}), p.shape.has_value()});
  }
}

}  // namespace

Status summarise_torchscript(ByteView bytes, ModelSummary& out) {
  OREE_TRY_ASSIGN(TorchscriptFile file, read_torchscript(bytes));
  out.producer = "pytorch";
  out.macs_unknown["program"] = 1;
  if (file.tensor_bytes > 0) out.weight_bytes["as stored"] = file.tensor_bytes;
  out.metadata["storages"] = fmt::format("{}", file.tensors);
  if (!file.note) return {};
  ports(file.note->inputs, out.inputs);
  ports(file.note->outputs, out.outputs);
  return {};
}

Status summarise_executorch(ByteView bytes, ModelSummary& out) {
  OREE_TRY(check_executorch(bytes));
  out.macs_unknown["program"] = 1;
  out.metadata["identifier"] = std::string(as_text(bytes.subspan(4, 4)));
  return {};
}

}  // namespace oree
