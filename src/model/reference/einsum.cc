// SPDX-License-Identifier: Apache-2.0
// Einsum, as its definition reads: a sum over all labels that the output has not.
#include "model/ops/einsum.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "model/reference/elementwise.h"
#include "model/reference/kernel_tables.h"

namespace oree {
namespace {

// The space of all labels, the output's first, and how each operand lies in it.
struct Space {
  Shape shape;
  Shape out;
  int64_t summed = 1;  // places of the space an output element
  std::vector<Strides> inputs;
};

Result<Space> space_of(const KernelCall& call) {
  std::vector<size_t> ranks;
  for (const Tensor* t : call.inputs) ranks.push_back(t->shape().size());
  Result<EinsumEquation> parsed = parse_einsum(call.node.text("equation", ""), ranks);
  if (!parsed) return call.invalid(parsed.error().message());
  std::map<int, int64_t> sizes;
  for (size_t i = 0; i < ranks.size(); ++i) {
    for (size_t d = 0; d < ranks[i]; ++d) {
      int64_t size = call.need(i).shape()[d];
      int64_t& known = sizes.try_emplace(parsed->inputs[i][d], 1).first->second;
      if (known == 1) known = size;
      if (size != 1 && size != known) {
        return call.invalid(fmt::format("one label stands for dimensions of {} and {}", known, size));
      }
    }
  }
  std::vector<int> labels = parsed->output;
  for (const auto& [label, size] : sizes) {
    if (std::ranges::find(labels, label) == labels.end()) labels.push_back(label);
  }
  Space space;
  double places = 1;
  for (size_t i = 0; i < labels.size(); ++i) {
    int64_t size = sizes.at(labels[i]);
    places *= static_cast<double>(std::max<int64_t>(size, 1));
    space.shape.push_back(size);
    if (i < parsed->output.size()) space.out.push_back(size);
  }
  OREE_TRY(call.fits(call.need(0).dtype(), space.out));
  OREE_TRY(call.affordable(places * static_cast<double>(ranks.size())));
  for (size_t i = parsed->output.size(); i < labels.size(); ++i) space.summed *= space.shape[i];
  for (size_t i = 0; i < ranks.size(); ++i) {
    const Shape& shape = call.need(i).shape();
    Strides own = strides_of(shape), seen(labels.size(), 0);
    for (size_t d = 0; d < shape.size(); ++d) {  // a label that comes twice walks the diagonal
      auto place = std::ranges::find(labels, parsed->inputs[i][d]) - labels.begin();
      if (shape[d] != 1) seen[static_cast<size_t>(place)] += own[d];
    }
    space.inputs.push_back(std::move(seen));
  }
  return space;
}

template <typename T, typename Sum>
Status einsum(KernelCall& call, const Space& space) {
  OREE_TRY_ASSIGN(NewElements<Sum> out, new_elements<Sum>(call, call.need(0).dtype(), space.out));
  std::vector<Elements<T>> in;
  for (const Tensor* t : call.inputs) in.emplace_back(*t);
  int64_t left = space.summed, at = 0;
  for (Walk w(space.shape, space.inputs); !w.done(); w.next()) {
    auto product = static_cast<Sum>(in[0][w.at(0)]);
    for (size_t i = 1; i < in.size(); ++i) product *= static_cast<Sum>(in[i][w.at(i)]);
    out[at] += product;
    if (--left == 0) {
      left = space.summed;
      ++at;
    }
  }
  call.set(0, std::move(out).take());
  return {};
}

Status run_einsum(KernelCall& call) {
  OREE_TRY(all_present(call));
  OREE_TRY(number_inputs(call));
  OREE_TRY(same_dtypes(call));
  OREE_TRY_ASSIGN(Space space, space_of(call));
  switch (domain_of(call.need(0).dtype())) {
    case Domain::kFloat: return einsum<float, double>(call, space);
    case Domain::kDouble: return einsum<double, double>(call, space);
    default: return einsum<uint64_t, uint64_t>(call, space);  // integers wrap
  }
}

constexpr KernelEntry kTable[] = {{"Einsum", run_einsum}};

}  // namespace

const std::span<const KernelEntry> kEinsumKernels = kTable;

}  // namespace oree
