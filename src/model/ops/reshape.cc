// SPDX-License-Identifier: Apache-2.0
#include "model/ops/reshape.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "model/ops/infer_parts.h"

namespace oree {
namespace {

// A product of numbers and symbols, in which equal factors of two can cancel.
struct Factors {
  std::optional<int64_t> number = 1;  // nothing: it overflowed
  std::map<std::string, int> symbols;
  bool open = false;  // a factor of which nothing is known

  void take(const Dim& d, int power) {
    if (d.known()) {
      if (power > 0 && number) number = product(*number, d.size);
    } else if (d.symbol.empty()) {
      open = true;
    } else {
      symbols[d.symbol] += power;
    }
  }
};

// What -1 stands for: the input's elements over those of the other dimensions.
Result<Dim> rest(const Dims& input, const Dims& others) {
  Factors over, under;
  for (const Dim& d : input) over.take(d, 1);
  for (const Dim& d : others) {
    if (d.size == 0) return Error(Code::kInvalid, "-1 beside a dimension of 0");
    under.take(d, 1);
    if (!d.known()) over.take(d, -1);
  }
  if (!over.number || !under.number) return Error(Code::kInvalid, "the number of elements is too large");
  std::erase_if(over.symbols, [](const auto& s) { return s.second == 0; });
  bool alone = over.symbols.size() == 1 && over.symbols.begin()->second == 1 && over.number == under.number;
  if (over.open || under.open) return Dim();
  if (alone) return Dim(over.symbols.begin()->first);
  if (!over.symbols.empty()) return Dim();
  if (*over.number % *under.number != 0) {
    return Error(Code::kInvalid,
                 fmt::format("the elements of {} do not divide by those of {}", dims_text(input), dims_text(others)));
  }
  return Dim(*over.number / *under.number);
}

}  // namespace

Result<Dims> reshaped_dims(const std::optional<Dims>& input, const SymInts& wanted, bool allow_zero) {
  Dims out, others;
  std::optional<size_t> left;
  for (size_t i = 0; i < wanted.size(); ++i) {
    const SymInt& w = wanted[i];
    Dim d;
    if (w.value == -1) {
      if (left) return Error(Code::kInvalid, "two dimensions are -1");
      left = i;
    } else if (w.value && *w.value < 0) {
      return Error(Code::kInvalid, fmt::format("a dimension of {}", *w.value));
    } else if (w.value == 0 && !allow_zero) {
      if (input && i >= input->size()) return Error(Code::kInvalid, "0 stands for a dimension that the input has not");
      if (input) d = (*input)[i];
    } else if (w.value) {
      d = *w.value;
    } else {
      d = Dim(w.symbol);
    }
    if (w.value != -1) others.push_back(d);
    out.push_back(std::move(d));
  }
  if (!input) return out;
  if (left) {
    OREE_TRY_ASSIGN(out[*left], rest(*input, others));
    return out;
  }
  std::optional<Shape> from = known_shape(*input), to = known_shape(out);
  if (!from) return out;
  if (!to) {
    // One open dimension must be what is left.
    auto unknown = std::ranges::find_if(out, [](const Dim& d) { return !d.known(); });
    bool one = std::ranges::count_if(out, [](const Dim& d) { return !d.known(); }) == 1;
    std::erase_if(others, [](const Dim& d) { return !d.known(); });
    if (one && product(others).size > 0) {
      OREE_TRY_ASSIGN(*unknown, rest(*input, others));
    }
    return out;
  }
  if (product(*input) != product(out)) {
    return Error(Code::kInvalid, fmt::format("{} elements cannot become {}", dims_text(*input), dims_text(out)));
  }
  return out;
}

SliceRange slice_range(int64_t size, int64_t start, int64_t end, int64_t step) {
  auto within = [&](int64_t v, int64_t low, int64_t high) {
    return std::clamp(v < 0 && v >= -size ? v + size : v, low, high);
  };
  SliceRange out;
  out.step = step;
  if (size == 0) return out;
  // Below -size stays negative and is brought to the lower end.
  if (step > 0) {
    out.begin = within(start, 0, size);
    int64_t stop = within(end, 0, size);
    out.count = stop > out.begin ? (stop - out.begin - 1) / step + 1 : 0;
  } else {
    out.begin = within(start, 0, size - 1);
    int64_t stop = end < -size ? -1 : within(end, -1, size - 1);
    out.count = out.begin > stop ? (stop - out.begin + 1) / step + 1 : 0;
  }
  return out;
}

Status infer_slice(Inference& in) {
  std::optional<Dims> x = in.dims(0);
  for (size_t i = 1; i < in.inputs(); ++i) {
    OREE_TRY(want_rank(in, i, 1));
    OREE_TRY(want_integers(in, i));
  }
  if (!x) {
    in.set(0, in.dtype(0), {});
    return {};
  }
  std::optional<SymInts> starts = in.ints(1), ends = in.ints(2), steps = in.ints(4);
  std::optional<std::vector<int64_t>> axes = known_ints(in, 3);
  std::optional<size_t> n = starts ? starts->size() : ends ? ends->size() : length(in, 1);
  if (!n || (in.has(3) && !axes) || (in.has(4) && !steps)) {
    in.set(0, in.dtype(0), Dims(x->size()));
    return {};
  }
  if (!axes) {
    axes.emplace();
    for (size_t i = 0; i < std::min(*n, x->size() + 1); ++i) axes->push_back(static_cast<int64_t>(i));
  }
  if (axes->size() != *n || (starts && starts->size() != *n) || (ends && ends->size() != *n) ||
      (steps && steps->size() != *n)) {
    return in.fail("starts, ends, axes and steps must be equally many");
  }
  OREE_TRY_ASSIGN(std::vector<size_t> at, axes_of(in, *axes, x->size()));
  for (size_t i = 0; i < *n; ++i) {
    Dim& d = (*x)[at[i]];
    SymInt start = starts ? (*starts)[i] : SymInt(), end = ends ? (*ends)[i] : SymInt();
    SymInt step = steps ? (*steps)[i] : SymInt(1);
    if (step.value == 0) return in.fail("a step of 0");
    bool whole = start.value == 0 && step.value == 1 &&
                 ((end.value && *end.value >= INT32_MAX) || (!end.symbol.empty() && end.symbol == d.symbol));
    if (whole) continue;
    if (d.known() && start.value && end.value && step.value) {
      d = slice_range(d.size, *start.value, *end.value, *step.value).count;
    } else {
      d = Dim();
    }
  }
  in.set(0, in.dtype(0), std::move(x));
  return {};
}

}  // namespace oree
