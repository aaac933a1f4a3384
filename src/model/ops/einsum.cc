// SPDX-License-Identifier: Apache-2.0
#include "model/ops/einsum.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <map>

#include "core/base/limits.h"
#include "core/base/text.h"
#include "model/ops/infer_parts.h"

namespace oree {
namespace {

Error wrong(std::string_view equation, std::string_view why) {
  return Error(Code::kInvalid, fmt::format("equation '{}': {}", equation.substr(0, 128), why));
}

// One term such as "ab...c", `rank` dimensions long; an output's rank is not given but its ellipsis's length is.
Result<std::vector<int>> term(std::string_view equation, std::string_view text, std::optional<size_t> rank,
                              size_t ellipsis) {
  std::vector<int> out;
  std::optional<size_t> dots;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '.') {
      if (dots || text.substr(i, 3) != "...") return wrong(equation, "a point that is no ellipsis");
      dots = out.size();
      i += 2;
    } else if (std::isalpha(static_cast<unsigned char>(text[i])) != 0) {
      out.push_back(static_cast<unsigned char>(text[i]));
    } else {
      return wrong(equation, "a label that is no letter");
    }
  }
  if (rank && (*rank < out.size() || (!dots && *rank != out.size())))
    return wrong(equation, fmt::format("'{}' for a tensor of rank {}", text, *rank));
  if (!dots) return out;
  size_t n = rank ? *rank - out.size() : ellipsis;
  // Aligned at the last: the highest label is the innermost dimension.
  std::vector<int> labels;
  for (size_t i = 0; i < n; ++i) labels.push_back(kEllipsisLabel + static_cast<int>(kTensorRankMax - n + i));
  out.insert(out.begin() + static_cast<ptrdiff_t>(*dots), labels.begin(), labels.end());
  return out;
}

std::vector<int> implicit_output(const std::vector<std::vector<int>>& inputs) {
  std::map<int, int> seen;
  for (const auto& labels : inputs) {
    for (int l : labels) ++seen[l];
  }
  std::vector<int> out, letters;
  for (const auto& [label, count] : seen) {
    if (label >= kEllipsisLabel) {
      out.push_back(label);
    } else if (count == 1) {
      letters.push_back(label);
    }
  }
  out.insert(out.end(), letters.begin(), letters.end());
  return out;
}

}  // namespace

Result<EinsumEquation> parse_einsum(std::string_view equation, const std::vector<size_t>& ranks) {
  std::string text(equation);
  std::erase_if(text, [](char c) { return c == ' '; });
  size_t arrow = text.find("->");
  std::vector<std::string> terms = split(text.substr(0, arrow), ',');
  if (terms.size() != ranks.size())
    return wrong(equation, fmt::format("{} terms for {} inputs", terms.size(), ranks.size()));
  EinsumEquation out;
  size_t ellipsis = 0;
  for (size_t i = 0; i < terms.size(); ++i) {
    if (ranks[i] > static_cast<size_t>(kTensorRankMax)) return wrong(equation, "a rank above the limit");
    OREE_TRY_ASSIGN(std::vector<int> labels, term(equation, terms[i], ranks[i], 0));
    ellipsis = std::max(ellipsis,
                        static_cast<size_t>(std::ranges::count_if(labels, [](int l) { return l >= kEllipsisLabel; })));
    out.inputs.push_back(std::move(labels));
  }
  if (arrow == std::string::npos) {
    out.output = implicit_output(out.inputs);
    return out;
  }
  OREE_TRY_ASSIGN(out.output, term(equation, std::string_view(text).substr(arrow + 2), {}, ellipsis));
  std::vector<int> once = out.output;
  std::ranges::sort(once);
  if (std::ranges::adjacent_find(once) != once.end()) return wrong(equation, "an output label twice");
  for (int label : out.output) {
    auto has = [&](const auto& labels) { return std::ranges::find(labels, label) != labels.end(); };
    if (std::ranges::none_of(out.inputs, has)) return wrong(equation, "an output label that no input has");
  }
  return out;
}

namespace {

// The dimension of each label, broadcast where it is 1; nothing when a rank is not known.
Result<std::optional<std::map<int, Dim>>> label_dims(const Graph& graph, const Node& node, EinsumEquation& equation) {
  std::vector<size_t> ranks;
  for (ValueId v : node.inputs) {
    if (v == kNoValue || !graph.value(v).dims) return std::optional<std::map<int, Dim>>();
    ranks.push_back(graph.value(v).dims->size());
  }
  OREE_TRY_ASSIGN(equation, parse_einsum(node.text("equation", ""), ranks));
  std::map<int, Dim> out;
  for (size_t i = 0; i < ranks.size(); ++i) {
    const Dims& dims = *graph.value(node.inputs[i]).dims;
    for (size_t k = 0; k < dims.size(); ++k) {
      auto [it, fresh] = out.try_emplace(equation.inputs[i][k], dims[k]);
      if (fresh) continue;
      OREE_TRY_ASSIGN(Dims both, broadcast({it->second}, {dims[k]}));
      it->second = both[0];
    }
  }
  return std::optional(std::move(out));
}

}  // namespace

Status infer_einsum(Inference& in) {
  OREE_TRY(want_all_same_dtype(in));
  EinsumEquation equation;
  Result<std::optional<std::map<int, Dim>>> labels = label_dims(in.graph(), in.node(), equation);
  if (!labels.ok()) return in.fail(labels.error().message());
  std::optional<Dims> out;
  if (labels.value()) {
    out.emplace();
    for (int label : equation.output) out->push_back(labels.value()->at(label));
  }
  in.set(0, in.dtype(0), std::move(out));
  return {};
}

int64_t einsum_macs(const Graph& graph, const Node& node) {
  EinsumEquation equation;
  Result<std::optional<std::map<int, Dim>>> labels = label_dims(graph, node, equation);
  if (!labels.ok() || !labels.value()) return -1;
  int64_t n = static_cast<int64_t>(node.inputs.size()) - 1;
  for (const auto& [label, dim] : *labels.value()) n = cost_product(n, dim.size);
  return n;
}

}  // namespace oree
