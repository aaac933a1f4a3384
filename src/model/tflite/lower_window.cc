// SPDX-License-Identifier: Apache-2.0
#include "model/tflite/lower_window.h"

#include <fmt/format.h>

#include <algorithm>

#include "model/passes/rewrite.h"

namespace oree {
namespace {

using Ints = std::vector<int64_t>;

Result<Ints> per_axis(const Lower& r, const char* name, size_t n) {
  Ints list = r.list(name);
  if (list.empty()) list.assign(n, 1);
  bool fits = list.size() == n && std::ranges::all_of(list, [](int64_t v) { return v >= 1 && v <= INT32_MAX; });
  if (!fits) return r.invalid(fmt::format("attribute '{}'", name));
  return list;
}

}  // namespace

bool LowerWindow::any_pads() const {
  auto some = [](int64_t p) { return p != 0; };
  return std::ranges::any_of(begins, some) || std::ranges::any_of(ends, some);
}

Result<LowerWindow> lower_window(const Lower& r, const Ints& kernel) {
  size_t n = kernel.size();
  LowerWindow w;
  w.kernel = kernel;
  OREE_TRY_ASSIGN(w.strides, per_axis(r, "strides", n));
  OREE_TRY_ASSIGN(w.dilations, per_axis(r, "dilations", n));
  w.begins.assign(n, 0);
  w.ends.assign(n, 0);
  std::optional<Dims> dims = r.dims(r.in(0));
  auto size = [&](size_t i) { return dims && dims->size() == n + 2 ? (*dims)[i + 2] : Dim(); };
  auto reach = [&](size_t i) { return (w.kernel[i] - 1) * w.dilations[i] + 1; };
  std::string mode = r.text("auto_pad", "NOTSET");
  Ints pads = r.list("pads");
  if (mode == "SAME_UPPER" || mode == "SAME_LOWER") {
    w.same = true;
    for (size_t i = 0; i < n; ++i) {
      if (!size(i).known()) {
        if (mode == "SAME_LOWER") return r.unsupported("SAME_LOWER of an image of unknown size");
        continue;  // the engine knows
      }
      auto [begin, end] = same_pads(size(i).size, reach(i), w.strides[i]);
      w.begins[i] = mode == "SAME_UPPER" ? begin : end;
      w.ends[i] = mode == "SAME_UPPER" ? end : begin;
      if (w.begins[i] > w.ends[i]) w.same = false;
    }
    return w;
  }
  if (mode == "NOTSET" && !pads.empty()) {
    if (pads.size() != 2 * n || std::ranges::any_of(pads, [](int64_t p) { return p < 0; })) {
      return r.invalid("attribute 'pads'");
    }
    std::copy_n(pads.begin(), n, w.begins.begin());
    std::copy_n(pads.begin() + static_cast<ptrdiff_t>(n), n, w.ends.begin());
  }
  bool ceil = r.integer("ceil_mode", 0) != 0;
  w.same = true;
  for (size_t i = 0; i < n; ++i) {
    if (!size(i).known()) {
      if (ceil) return r.unsupported("ceil_mode of an image of unknown size");
      w.same = false;
      continue;
    }
    if (ceil) {
      // A window that would begin in the padding behind is dropped.
      int64_t whole = size(i).size + w.begins[i] + w.ends[i], room = whole - reach(i);
      int64_t steps = (room + w.strides[i] - 1) / w.strides[i] + 1;
      if ((steps - 1) * w.strides[i] >= size(i).size + w.begins[i]) --steps;
      w.ends[i] += std::max<int64_t>((steps - 1) * w.strides[i] + reach(i) - whole, 0);
    }
    auto [begin, end] = same_pads(size(i).size, reach(i), w.strides[i]);
    w.same = w.same && begin == w.begins[i] && end == w.ends[i];
  }
  return w;
}

ValueId padded_channels_last(Lower& r, const LowerWindow& w, ValueId fill, int64_t& padding) {
  ValueId x = r.permute(r.in(0), channels_last_order(w.kernel.size() + 2));
  padding = w.same ? kTfliteSame : kTfliteValid;
  if (w.same || !w.any_pads()) return x;
  Ints pads{0};
  pads.insert(pads.end(), w.begins.begin(), w.begins.end());
  pads.insert(pads.end(), {0, 0});
  pads.insert(pads.end(), w.ends.begin(), w.ends.end());
  pads.push_back(0);
  std::vector<ValueId> inputs{x, r.ints_constant(pads)};
  if (fill != kNoValue) inputs.push_back(fill);
  return r.add_like(x, "Pad", std::move(inputs));
}

Dims channels_last(const Dims& dims) {
  Dims out{dims[0]};
  out.insert(out.end(), dims.begin() + 2, dims.end());
  out.push_back(dims[1]);
  return out;
}

Attributes window_options(const LowerWindow& w, int64_t padding) {
  Attributes out{{"padding", padding}, {"stride_h", w.strides[0]}, {"stride_w", w.strides[1]}};
  return out;
}

}  // namespace oree
