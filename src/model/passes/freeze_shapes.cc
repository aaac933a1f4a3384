// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "model/ops/inference.h"
#include "model/passes/passes.h"

namespace oree {
namespace {

std::string names(const std::set<std::string>& list) {
  std::string out;
  for (const std::string& n : list) out += (out.empty() ? "" : ", ") + n;
  return out.empty() ? "none" : out;
}

}  // namespace

Status freeze_shapes(Graph& graph, const std::map<std::string, int64_t>& symbols,
                     const std::map<std::string, Shape>& inputs) {
  std::map<std::string, int64_t> known = symbols;
  std::set<std::string> symbols_met, inputs_met;
  for (ValueId v : graph.main().inputs) {
    const Value& value = graph.value(v);
    inputs_met.insert(value.name);
    if (!value.dims) continue;
    for (const Dim& d : *value.dims) {
      if (!d.symbol.empty()) symbols_met.insert(d.symbol);
    }
  }
  for (const auto& [name, size] : symbols) {
    if (!symbols_met.contains(name)) {
      return Error(Code::kInvalid,
                   fmt::format("no input has a dimension '{}'; those that there are: {}", name, names(symbols_met)));
    }
    if (size < 0) return Error(Code::kInvalid, fmt::format("dimension '{}': {} is negative", name, size));
  }
  for (const auto& [name, shape] : inputs) {
    ValueId v = graph.find(name);
    if (!inputs_met.contains(name))
      return Error(Code::kInvalid,
                   fmt::format("no input is named '{}'; those that there are: {}", name, names(inputs_met)));
    OREE_TRY_ASSIGN(int64_t elements, shape_elements(shape));
    (void)elements;
    const std::optional<Dims>& dims = graph.value(v).dims;
    if (dims) {
      bool fits = dims->size() == shape.size();
      for (size_t i = 0; fits && i < shape.size(); ++i) fits = !(*dims)[i].known() || (*dims)[i].size == shape[i];
      if (!fits) {
        return Error(Code::kInvalid, fmt::format("input '{}' has shape {}, which {} does not fit", name,
                                                 dims_text(*dims), shape_text(shape)));
      }
      for (size_t i = 0; i < shape.size(); ++i) {
        if (!(*dims)[i].symbol.empty()) known.emplace((*dims)[i].symbol, shape[i]);
      }
    }
    graph.set_type(v, graph.value(v).dtype, to_dims(shape));
  }
  auto frozen = [&](Dims dims) {
    for (Dim& d : dims) {
      if (auto it = known.find(d.symbol); it != known.end() && !d.known()) d = Dim(it->second);
    }
    return dims;
  };
  for (ValueId v = 0; v < static_cast<ValueId>(graph.value_count()); ++v) {
    const Value& value = graph.value(v);
    if (value.is_constant() || !value.dims) continue;
    graph.set_type(v, value.dtype, frozen(*value.dims));
  }
  return infer_types(graph);
}

}  // namespace oree
