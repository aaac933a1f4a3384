// SPDX-License-Identifier: Apache-2.0
// The ops that move, cut and join, and the integers that say how.
#include <algorithm>
#include <cmath>
#include <limits>

#include "model/inspect/onnx_shapes.h"
#include "model/inspect/summary_parts.h"

namespace oree {
namespace {

constexpr size_t kIntsMax = 64;
// A value of an integer tensor that stands for an unknown dimension. Real values that low do not occur in shapes.
constexpr int64_t kUnknown = std::numeric_limits<int64_t>::min();

// An axis counted from the end as one from the start; nothing when out of range.
std::optional<size_t> axis_of(int64_t axis, size_t rank) {
  int64_t r = static_cast<int64_t>(rank);
  if (axis < -r || axis >= r) return std::nullopt;
  return static_cast<size_t>(axis < 0 ? axis + r : axis);
}

std::optional<Shape> reshaped(const Shape& x, const std::vector<int64_t>& target, bool allow_zero) {
  Shape out;
  int64_t known = 1;
  std::optional<size_t> rest;
  for (size_t i = 0; i < target.size(); ++i) {
    int64_t d = target[i];
    if (d == 0 && !allow_zero) d = i < x.size() ? x[i] : kUnknown;
    if (d == -1 && target[i] == -1) {
      if (rest) return std::nullopt;
      rest = i;
      out.push_back(-1);
      continue;
    }
    if (d < 0) d = -1;
    known = times(known, d);
    out.push_back(d);
  }
  if (!rest) return out;
  int64_t total = volume(x);
  if (total >= 0 && known > 0 && total % known == 0) {
    out[*rest] = total / known;
  } else if (known < 0 && total < 0) {
    // One free dimension kept and the rest folded: compare what is left on either side.
    int64_t a = 1, b = 1, free_a = 0, free_b = 0;
    for (int64_t d : x) d < 0 ? ++free_a : (a = times(a, d));
    for (size_t i = 0; i < out.size(); ++i) {
      if (i == *rest) continue;
      out[i] < 0 ? ++free_b : (b = times(b, out[i]));
    }
    if (free_a == 1 && free_b == 1 && a > 0 && b > 0 && a % b == 0) out[*rest] = a / b;
  }
  return out;
}

}  // namespace

std::optional<Shape> OnnxShapes::infer_layout(const OnnxNode& node) {
  std::optional<Shape> x = in(node, 0);
  const std::string_view op = node.op;
  if (op == "Shape") {
    if (!x) return std::nullopt;
    return Shape{static_cast<int64_t>(x->size())};
  }
  if (op == "Size") return Shape{};
  if (op == "ConstantOfShape" || op == "Expand" || op == "Range" || op == "Tile") {
    const Ints* n = ints(node, op == "ConstantOfShape" ? 0 : 1);
    if (op == "Range") {
      const Ints *a = ints(node, 0), *step = ints(node, 2);
      bool known = a && n && step && a->size() == 1 && n->size() == 1 && step->size() == 1 && (*step)[0] > 0 &&
                   (*a)[0] != kUnknown && (*n)[0] != kUnknown && std::abs((*a)[0]) < 1 << 30 &&
                   std::abs((*n)[0]) < 1 << 30;
      return known ? Shape{std::max<int64_t>(0, ((*n)[0] - (*a)[0] + (*step)[0] - 1) / (*step)[0])} : Shape{-1};
    }
    if (n == nullptr) return std::nullopt;
    Shape target;
    for (int64_t d : *n) target.push_back(d < 0 ? -1 : d);
    if (op == "ConstantOfShape") return target;
    if (!x) return std::nullopt;
    if (op == "Tile") {
      if (target.size() != x->size()) return std::nullopt;
      for (size_t i = 0; i < target.size(); ++i) target[i] = times((*x)[i], target[i]);
      return target;
    }
    while (x->size() < target.size()) x->insert(x->begin(), 1);
    for (size_t i = 0; i < target.size(); ++i) {
      int64_t& d = (*x)[x->size() - target.size() + i];
      if (target[i] != 1) d = d == 1 ? target[i] : d;
    }
    return x;
  }
  if (op == "Concat") {
    std::optional<Shape> out = x;
    if (!out) return std::nullopt;
    std::optional<size_t> axis = axis_of(node.integer("axis", 0), out->size());
    for (size_t i = 1; i < node.inputs.size(); ++i) {
      std::optional<Shape> next = in(node, i);
      if (!next || !axis || next->size() != out->size()) return std::nullopt;
      for (size_t d = 0; d < out->size(); ++d) {
        int64_t& o = (*out)[d];
        if (d == *axis) {
          o = o < 0 || (*next)[d] < 0 ? -1 : o + (*next)[d];
        } else if (o < 0) {
          o = (*next)[d];
        }
      }
    }
    return out;
  }
  if (!x) return std::nullopt;
  if (op == "Reshape") {
    const Ints* target = ints(node, 1);
    const OnnxAttribute* old = node.find("shape");
    if (target == nullptr && old != nullptr) target = &old->ints;
    if (target == nullptr) return std::nullopt;
    return reshaped(*x, *target, node.integer("allowzero", 0) != 0);
  }
  if (op == "Transpose") {
    const OnnxAttribute* perm = node.find("perm");
    Shape out;
    for (size_t i = 0; i < x->size(); ++i) {
      std::optional<size_t> from = x->size() - 1 - i;
      if (perm != nullptr) from = perm->ints.size() == x->size() ? axis_of(perm->ints[i], x->size()) : std::nullopt;
      if (!from) return std::nullopt;
      out.push_back((*x)[*from]);
    }
    return out;
  }
  if (op == "Flatten") {
    int64_t axis = node.integer("axis", 1);
    if (axis < 0) axis += static_cast<int64_t>(x->size());
    if (axis < 0 || axis > static_cast<int64_t>(x->size())) return std::nullopt;
    Shape head(x->begin(), x->begin() + axis);
    return Shape{volume(head), volume(*x, static_cast<size_t>(axis))};
  }
  if (op == "Unsqueeze" || op == "Squeeze") {
    std::optional<Ints> list = axes(node, 1);
    if (!list) return std::nullopt;
    size_t rank = op == "Unsqueeze" ? x->size() + list->size() : x->size();
    std::vector<bool> marked(rank, false);
    for (int64_t a : *list) {
      std::optional<size_t> axis = axis_of(a, rank);
      if (!axis) return std::nullopt;
      marked[*axis] = true;
    }
    Shape out;
    size_t taken = 0;
    for (size_t i = 0; i < rank; ++i) {
      if (op == "Squeeze") {
        bool drop = list->empty() ? (*x)[i] == 1 : marked[i];
        if (!drop) out.push_back((*x)[i]);
      } else if (marked[i]) {
        out.push_back(1);
      } else if (taken < x->size()) {
        out.push_back((*x)[taken++]);
      }
    }
    return out;
  }
  if (op == "Gather") {
    std::optional<Shape> indices = in(node, 1);
    std::optional<size_t> axis = axis_of(node.integer("axis", 0), x->size());
    if (!indices || !axis) return std::nullopt;
    Shape out(x->begin(), x->begin() + static_cast<int64_t>(*axis));
    out.insert(out.end(), indices->begin(), indices->end());
    out.insert(out.end(), x->begin() + static_cast<int64_t>(*axis) + 1, x->end());
    return out;
  }
  if (op == "GatherElements") return in(node, 1);
  if (op == "Slice") return sliced(node);
  if (op == "Resize" || op == "Upsample") return resized(node);
  if (op == "Pad") {
    const OnnxAttribute* old = node.find("pads");
    const Ints* pads = old != nullptr ? &old->ints : ints(node, 1);
    if (pads == nullptr || pads->size() != 2 * x->size()) return Shape(x->size(), -1);
    for (size_t i = 0; i < x->size(); ++i) {
      int64_t both = (*pads)[i] + (*pads)[i + x->size()];
      if ((*x)[i] >= 0) (*x)[i] = std::max<int64_t>(-1, std::abs(both) < 1 << 30 ? (*x)[i] + both : -1);
    }
    return x;
  }
  if (op.starts_with("Reduce") || op == "ArgMax" || op == "ArgMin") {
    std::optional<Ints> list = op.starts_with("Arg") ? Ints{node.integer("axis", 0)} : axes(node, 1);
    if (!list) return std::nullopt;
    bool keep = node.integer("keepdims", 1) != 0;
    if (list->empty() && node.integer("noop_with_empty_axes", 0) != 0) return x;
    std::vector<bool> reduced(x->size(), list->empty());
    for (int64_t a : *list) {
      std::optional<size_t> axis = axis_of(a, x->size());
      if (!axis) return std::nullopt;
      reduced[*axis] = true;
    }
    Shape out;
    for (size_t i = 0; i < x->size(); ++i) {
      if (!reduced[i]) out.push_back((*x)[i]);
      if (reduced[i] && keep) out.push_back(1);
    }
    return out;
  }
  if ((op == "DepthToSpace" || op == "SpaceToDepth") && x->size() == 4) {
    int64_t b = node.integer("blocksize", 1);
    if (b < 1 || b > 1 << 15) return std::nullopt;
    auto shrink = [](int64_t d, int64_t by) { return d < 0 ? -1 : d / by; };
    if (op == "DepthToSpace") return Shape{(*x)[0], shrink((*x)[1], b * b), times((*x)[2], b), times((*x)[3], b)};
    return Shape{(*x)[0], times((*x)[1], b * b), shrink((*x)[2], b), shrink((*x)[3], b)};
  }
  return std::nullopt;
}

std::optional<Shape> OnnxShapes::sliced(const OnnxNode& node) {
  std::optional<Shape> x = in(node, 0);
  auto list = [&](const char* attribute, size_t input) -> std::optional<Ints> {
    if (const OnnxAttribute* a = node.find(attribute)) return a->ints;
    const Ints* values = ints(node, input);
    return values != nullptr ? std::optional<Ints>(*values) : std::nullopt;
  };
  std::optional<Ints> starts = list("starts", 1), ends = list("ends", 2), which = list("axes", 3),
                      steps = list("steps", 4);
  if (!x || !starts || !ends || starts->size() != ends->size()) return x ? std::optional(Shape(x->size(), -1)) : x;
  for (size_t i = 0; i < starts->size(); ++i) {
    std::optional<size_t> axis = axis_of(which && i < which->size() ? (*which)[i] : static_cast<int64_t>(i), x->size());
    if (!axis) return std::nullopt;
    int64_t& d = (*x)[*axis];
    int64_t step = steps && i < steps->size() ? (*steps)[i] : 1;
    if (d < 0 || step == 0 || (*starts)[i] == kUnknown || (*ends)[i] == kUnknown) {
      d = -1;
      continue;
    }
    // Like Python's slices: out-of-range bounds are moved to the nearest one.
    bool back = step < 0;
    auto settle = [&](int64_t v) {
      return std::clamp<int64_t>(v < 0 ? std::max(v, -d - 1) + d : v, back ? -1 : 0, back ? d - 1 : d);
    };
    int64_t from = settle((*starts)[i]), to = settle((*ends)[i]);
    int64_t stride = back ? -std::max(step, -(int64_t{1} << 40)) : std::min(step, int64_t{1} << 40);
    int64_t span = back ? from - to : to - from;
    d = span <= 0 ? 0 : (span + stride - 1) / stride;
  }
  return x;
}

std::optional<Shape> OnnxShapes::resized(const OnnxNode& node) {
  std::optional<Shape> x = in(node, 0);
  if (!x) return x;
  bool upsample = node.op == "Upsample";
  const std::vector<float>* scales = nullptr;
  if (const OnnxAttribute* a = node.find("scales")) scales = &a->floats;
  // Resize had its scales second in opset 10, third since 11.
  if (scales == nullptr) scales = floats(node, upsample || node.inputs.size() == 2 ? 1 : 2);
  const Ints* sizes = upsample ? nullptr : ints(node, 3);
  Shape out(x->size(), -1);
  if (sizes != nullptr && sizes->size() == x->size()) {
    for (size_t i = 0; i < out.size(); ++i) out[i] = (*sizes)[i] < 0 ? -1 : (*sizes)[i];
  } else if (scales != nullptr && scales->size() == x->size()) {
    for (size_t i = 0; i < out.size(); ++i) {
      double size = std::floor(static_cast<double>((*x)[i]) * static_cast<double>((*scales)[i]));
      if ((*x)[i] >= 0 && size >= 0 && size < 1e9) out[i] = static_cast<int64_t>(size);
    }
  }
  return out;
}

bool OnnxShapes::several_outputs(const OnnxNode& node) {
  std::optional<Shape> x = in(node, 0);
  if (node.op == "Split") {
    if (!x || node.outputs.size() > 1024) return true;
    std::optional<size_t> axis = axis_of(node.integer("axis", 0), x->size());
    const OnnxAttribute* old = node.find("split");
    const Ints* parts = old != nullptr ? &old->ints : ints(node, 1);
    if (!axis) return true;
    int64_t count = static_cast<int64_t>(node.outputs.size()), whole = (*x)[*axis];
    int64_t each = whole < 0 ? -1 : (whole + count - 1) / count;
    for (int64_t i = 0; i < count; ++i) {
      Shape out = *x;
      out[*axis] = whole < 0 ? -1 : std::max<int64_t>(0, std::min(each, whole - i * each));
      if (parts != nullptr)
        out[*axis] =
            static_cast<size_t>(i) < parts->size() ? std::max<int64_t>(-1, (*parts)[static_cast<size_t>(i)]) : -1;
      set(node.outputs[static_cast<size_t>(i)], std::move(out));
    }
    return true;
  }
  if (node.op == "TopK") {
    const Ints* k = ints(node, 1);
    std::optional<size_t> axis = x ? axis_of(node.integer("axis", -1), x->size()) : std::nullopt;
    if (!axis) return true;
    (*x)[*axis] = k != nullptr && k->size() == 1 ? std::max<int64_t>(-1, (*k)[0]) : node.integer("k", -1);
    for (std::string_view out : node.outputs) set(out, *x);
    return true;
  }
  if (node.op == "LSTM" || node.op == "GRU" || node.op == "RNN") {
    std::optional<Shape> r = in(node, 2);
    if (!x || !r || x->size() != 3 || r->size() != 3) return true;
    set(node.outputs[0], {(*x)[0], (*r)[0], (*x)[1], (*r)[2]});
    for (size_t i = 1; i < node.outputs.size(); ++i) set(node.outputs[i], {(*r)[0], (*x)[1], (*r)[2]});
    return true;
  }
  return false;
}

void OnnxShapes::fold(const OnnxNode& node) {
  const std::string_view op = node.op;
  std::string_view out = node.outputs[0];
  Ints result;
  if (op == "Shape") {
    std::optional<Shape> x = in(node, 0);
    if (!x) return;
    int64_t rank = static_cast<int64_t>(x->size());
    auto bound = [&](int64_t v) { return std::clamp<int64_t>(v < 0 ? v + rank : v, 0, rank); };
    int64_t begin = bound(node.integer("start", 0)), end = bound(node.integer("end", rank));
    for (int64_t i = begin; i < end; ++i) {
      int64_t d = (*x)[static_cast<size_t>(i)];
      result.push_back(d < 0 ? kUnknown : d);
    }
    set(out, {static_cast<int64_t>(result.size())});
  } else if (op == "Concat") {
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      const Ints* part = ints(node, i);
      if (part == nullptr || result.size() + part->size() > kIntsMax) return;
      result.insert(result.end(), part->begin(), part->end());
    }
  } else if (op == "Gather") {
    const Ints *data = ints(node, 0), *indices = ints(node, 1);
    if (data == nullptr || indices == nullptr) return;
    for (int64_t i : *indices) {
      std::optional<size_t> at = axis_of(i, data->size());
      if (!at) return;
      result.push_back((*data)[*at]);
    }
  } else if (op == "Slice") {
    const Ints *data = ints(node, 0), *start = ints(node, 1), *end = ints(node, 2), *step = ints(node, 4);
    if (!data || !start || !end || start->size() != 1 || end->size() != 1 || (step && *step != Ints{1})) return;
    int64_t n = static_cast<int64_t>(data->size());
    auto bound = [&](int64_t v) { return std::clamp<int64_t>(v < 0 ? std::max(v, -n) + n : v, 0, n); };
    for (int64_t i = bound((*start)[0]); i < bound((*end)[0]); ++i) result.push_back((*data)[static_cast<size_t>(i)]);
  } else if (op == "Unsqueeze" || op == "Squeeze" || op == "Cast" || op == "Identity" || op == "Reshape") {
    const Ints* data = ints(node, 0);
    if (data == nullptr) return;
    result = *data;
  } else if (op == "Add" || op == "Sub" || op == "Mul" || op == "Div") {
    const Ints *a = ints(node, 0), *b = ints(node, 1);
    if (a == nullptr || b == nullptr || a->empty() || b->empty()) return;
    if (a->size() != b->size() && a->size() != 1 && b->size() != 1) return;
    for (size_t i = 0; i < std::max(a->size(), b->size()); ++i) {
      int64_t x = (*a)[a->size() == 1 ? 0 : i], y = (*b)[b->size() == 1 ? 0 : i];
      constexpr int64_t kSane = int64_t{1} << 31;
      bool fits =
          std::max(x, -kSane) == x && std::max(y, -kSane) == y && x < kSane && y < kSane && !(op == "Div" && y == 0);
      int64_t value = op == "Add" ? x + (fits ? y : 0) : op == "Sub" ? x - (fits ? y : 0) : 0;
      if (op == "Mul" && fits) value = x * y;
      if (op == "Div" && fits) value = x / y;
      result.push_back(fits ? value : kUnknown);
    }
  } else {
    return;
  }
  if (result.size() <= kIntsMax) ints_[out] = std::move(result);
}

}  // namespace oree
