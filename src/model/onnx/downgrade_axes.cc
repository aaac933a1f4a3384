// SPDX-License-Identifier: Apache-2.0
// Steps by which inputs become the attributes that they once were.
#include <algorithm>

#include "model/onnx/onnx_downgrade.h"

namespace oree {
namespace {

Status axes_to_attribute(Downgrade& d) { return d.input_to_ints(1, "axes"); }

Status reduce_axes(Downgrade& d) {
  const Node& n = d.node();
  const Constant* axes = d.constant(1);
  bool none = d.absent(1) || (axes != nullptr && axes->elements() == 0);
  bool keep = n.integer("noop_with_empty_axes", 0) != 0;
  if (none && keep) {
    for (const char* op : {"ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd"}) {
      if (n.op != op) continue;
      d.finish("Identity", {d.in(0)});
      return {};
    }
    return d.unsupported("noop_with_empty_axes needs opset 18");
  }
  d.graph.remove_attribute(d.id, "noop_with_empty_axes");
  if (none) {
    d.keep_inputs(1);
    return {};
  }
  return d.input_to_ints(1, "axes");
}

Status slice_10(Downgrade& d) {
  if (!d.absent(4)) {
    const Constant* steps = d.constant(4);
    if (steps == nullptr || std::ranges::any_of(steps->to_ints(), [](int64_t s) { return s != 1; })) {
      return d.unsupported("steps need opset 10");
    }
    d.keep_inputs(4);
  }
  OREE_TRY(d.input_to_ints(1, "starts"));
  OREE_TRY(d.input_to_ints(2, "ends"));
  return d.input_to_ints(3, "axes");
}

// Without sizes all parts were equal, now the last one may be smaller.
Status split_18(Downgrade& d) {
  int64_t parts = d.node().integer("num_outputs", 0);
  d.graph.remove_attribute(d.id, "num_outputs");
  if (!d.absent(1) || parts <= 0) return {};
  if (static_cast<size_t>(parts) != d.node().outputs.size())
    return d.unsupported("num_outputs does not fit its outputs");
  std::optional<Dims> dims = d.dims(0);
  if (!dims) return {};
  int64_t axis = d.node().integer("axis", 0);
  if (axis < 0) axis += static_cast<int64_t>(dims->size());
  if (axis < 0 || axis >= static_cast<int64_t>(dims->size())) return d.unsupported("its axis is not there");
  int64_t size = (*dims)[static_cast<size_t>(axis)].size;
  if (size < 0 || size % parts == 0) return {};
  const int64_t part = (size + parts - 1) / parts;
  std::vector<int64_t> sizes(static_cast<size_t>(parts), part);
  sizes.back() = size - part * (parts - 1);
  if (sizes.back() < 0) return d.unsupported("more parts than there is to split");
  d.graph.set_input(d.id, 1, d.ints(sizes));
  return {};
}

Status split_13(Downgrade& d) { return d.input_to_ints(1, "split"); }

Status topk_10(Downgrade& d) {
  const Constant* k = d.constant(1);
  if (k == nullptr || k->elements() != 1) return d.unsupported("a computed k needs opset 10");
  d.graph.set_attribute(d.id, "k", k->to_ints()[0]);
  d.keep_inputs(1);
  return {};
}

// Only types that Max and Min had; the bounds may be computed.
Status clip_11(Downgrade& d) {
  bool fixed = (d.absent(1) || d.constant(1) != nullptr) && (d.absent(2) || d.constant(2) != nullptr);
  if (fixed) {
    OREE_TRY(d.input_to_real(1, "min"));
    return d.input_to_real(2, "max");
  }
  ValueId x = d.in(0), low = d.in(1), high = d.in(2);
  if (low != kNoValue && high != kNoValue) x = d.add("Max", {x, low}, {}, x);
  d.finish(high != kNoValue ? "Min" : "Max", {x, high != kNoValue ? high : low});
  return {};
}

// Axes that are not all of them: the others get no padding.
Status pad_18(Downgrade& d) {
  if (d.absent(3)) return {};
  const Constant *pads = d.constant(1), *axes = d.constant(3);
  std::optional<size_t> rank = d.rank(0);
  if (pads == nullptr || axes == nullptr || !rank) return d.unsupported("computed axes need opset 18");
  std::vector<int64_t> some = pads->to_ints(), which = axes->to_ints(), all(2 * *rank, 0);
  if (some.size() != 2 * which.size()) return d.unsupported("its pads do not fit its axes");
  for (size_t i = 0; i < which.size(); ++i) {
    int64_t axis = which[i] < 0 ? which[i] + static_cast<int64_t>(*rank) : which[i];
    if (axis < 0 || axis >= static_cast<int64_t>(*rank)) return d.unsupported("its axis is not there");
    all[static_cast<size_t>(axis)] = some[i];
    all[static_cast<size_t>(axis) + *rank] = some[i + which.size()];
  }
  d.graph.set_input(d.id, 1, d.ints(all));
  d.keep_inputs(3);
  return {};
}

Status pad_19(Downgrade& d) {
  return d.node().text("mode", "constant") == "wrap" ? Status(d.unsupported("mode 'wrap' needs opset 19")) : Status();
}

Status pad_11(Downgrade& d) {
  OREE_TRY(d.input_to_ints(1, "pads"));
  return d.input_to_real(2, "value");
}

Status dropout_12(Downgrade& d) {
  if (const Constant* training = d.constant(2); training != nullptr && training->to_ints() == std::vector<int64_t>{0}) {
    d.keep_inputs(2);
  }
  if (!d.absent(2)) return d.unsupported("training needs opset 12");
  // Older ones need not fill the mask when nothing is dropped.
  if (d.node().output(1) != kNoValue) return d.unsupported("its mask needs opset 12");
  d.graph.remove_attribute(d.id, "seed");
  return d.input_to_real(1, "ratio");
}

Status dft_20(Downgrade& d) {
  const Constant* axis = d.constant(2);
  if (!d.absent(2) && (axis == nullptr || axis->elements() != 1))
    return d.unsupported("a computed axis needs opset 20");
  int64_t value = axis == nullptr ? -2 : axis->to_ints()[0];
  if (std::optional<size_t> rank = d.rank(0); rank && value < 0) value += static_cast<int64_t>(*rank);
  if (value < 0) return d.unsupported("counts its axis from the back of a tensor of unknown rank");
  d.graph.set_attribute(d.id, "axis", value);
  d.keep_inputs(2);
  return {};
}

}  // namespace

std::vector<DowngradeRow> axes_downgrades() {
  std::vector<DowngradeRow> rows = {{"Squeeze", 13, axes_to_attribute},
                                    {"Unsqueeze", 13, axes_to_attribute},
                                    {"ReduceSum", 13, reduce_axes},
                                    {"Slice", 10, slice_10},
                                    {"Split", 18, split_18},
                                    {"Split", 13, split_13},
                                    {"TopK", 10, topk_10},
                                    {"Clip", 11, clip_11},
                                    {"Pad", 19, pad_19},
                                    {"Pad", 18, pad_18},
                                    {"Pad", 11, pad_11},
                                    {"Dropout", 12, dropout_12},
                                    {"DFT", 20, dft_20}};
  for (const char* op : {"ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean",
                         "ReduceMin", "ReduceProd", "ReduceSumSquare"}) {
    rows.push_back({op, 18, reduce_axes});
  }
  return rows;
}

}  // namespace oree
