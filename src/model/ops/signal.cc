// SPDX-License-Identifier: Apache-2.0
// Fourier transforms, windows and filter banks.
#include <fmt/format.h>

#include <algorithm>

#include "core/base/limits.h"
#include "model/ops/infer_parts.h"

namespace oree {
namespace {

using enum AttributeKind;

// A scalar that says a length, at least `min`.
Result<Dim> length_from(const Inference& in, size_t input, int64_t min) {
  OREE_TRY(want_integers(in, input));
  std::optional<SymInts> ints = in.ints(input);
  if (!ints) return Dim();
  if (ints->size() != 1) return in.fail(fmt::format("input {} must be one number", input));
  const SymInt& n = ints->front();
  if (!n.value) return Dim(n.symbol);
  if (*n.value < min || *n.value > kTensorElementsMax) return in.fail(fmt::format("a length of {}", *n.value));
  return Dim(*n.value);
}

// signal [batch, d..., 1 or 2 (complex)], length, axis
Status infer_dft(Inference& in) {
  std::optional<Dims> x = in.dims(0);
  OREE_TRY(want_rank_min(in, 0, 2));
  OREE_TRY_ASSIGN(Dim length, in.has(1) ? length_from(in, 1, 1) : Result<Dim>(Dim()));
  bool onesided = in.node().integer("onesided", 0) != 0, inverse = in.node().integer("inverse", 0) != 0;
  std::optional<std::vector<int64_t>> axis = in.has(2) ? known_ints(in, 2) : std::vector<int64_t>{-2};
  if (axis && axis->size() != 1) return in.fail("the axis must be one number");
  if (x) {
    const Dim last = x->back();
    if (last.known() && last.size != 1 && last.size != 2)
      return in.fail(fmt::format("{} parts of a number", last.size));
    if (!axis) {
      for (size_t i = 1; i + 1 < x->size(); ++i) (*x)[i] = Dim();
    } else {
      OREE_TRY_ASSIGN(size_t at, axis_of(in, (*axis)[0], x->size()));
      if (at + 1 == x->size()) return in.fail("the axis is that of the parts of a number");
      Dim& d = (*x)[at];
      if (in.has(1)) {
        d = length;
      } else if (onesided && inverse) {
        d = d.known() ? Dim(std::max<int64_t>(2 * (d.size - 1), 0)) : Dim();
      }
      if (onesided && !inverse) d = d.known() ? Dim(d.size / 2 + 1) : Dim();
    }
    // The inverse of half a spectrum is real.
    x->back() = onesided && inverse ? 1 : 2;
  }
  in.set(0, in.dtype(0), std::move(x));
  return {};
}

// signal [batch, samples, 1 or 2], step, window, length -> [batch, frames, bins, 2]
Status infer_stft(Inference& in) {
  std::optional<Dims> x = in.dims(0);
  OREE_TRY(want_rank(in, 0, 3));
  OREE_TRY(want_rank(in, 2, 1));
  OREE_TRY_ASSIGN(Dim step, length_from(in, 1, 1));
  Dim length;
  if (in.dims(2)) length = (*in.dims(2))[0];
  if (in.has(3)) {
    OREE_TRY_ASSIGN(Dim given, length_from(in, 3, 1));
    OREE_TRY_ASSIGN(length, same_dim(in, length, given, "window and frame_length differ"));
  }
  Dim frames, bins = length;
  if (x && (*x)[1].known() && length.known() && step.known()) {
    if (length.size > (*x)[1].size)
      return in.fail(fmt::format("a frame of {} of {} samples", length.size, (*x)[1].size));
    frames = ((*x)[1].size - length.size) / step.size + 1;
  }
  if (in.node().integer("onesided", 1) != 0) bins = length.known() ? Dim(length.size / 2 + 1) : Dim();
  in.set(0, in.dtype(0), Dims{x ? (*x)[0] : Dim(), frames, bins, Dim(2)});
  return {};
}

Status infer_window(Inference& in) {
  OREE_TRY_ASSIGN(Dim size, length_from(in, 0, 0));
  OREE_TRY_ASSIGN(std::optional<Dtype> dtype, dtype_attribute(in, "output_datatype", Dtype::kFloat32));
  in.set(0, dtype, Dims{size});
  return {};
}

Status infer_mel(Inference& in) {
  OREE_TRY_ASSIGN(Dim bins, length_from(in, 0, 1));
  OREE_TRY_ASSIGN(Dim length, length_from(in, 1, 1));
  OREE_TRY_ASSIGN(std::optional<Dtype> dtype, dtype_attribute(in, "output_datatype", Dtype::kFloat32));
  in.set(0, dtype, Dims{length.known() ? Dim(length.size / 2 + 1) : Dim(), bins});
  return {};
}

constexpr AttributeDef kDft[] = {{"inverse", kInt}, {"onesided", kInt}};
constexpr AttributeDef kStft[] = {{"onesided", kInt}};
constexpr AttributeDef kWindow[] = {{"output_datatype", kInt}, {"periodic", kInt}};
constexpr AttributeDef kMel[] = {{"output_datatype", kInt}};

constexpr OpDef kOps[] = {
    // op, inputs, outputs, traits, attributes, infer
    {"BlackmanWindow", 1, 1, 1, 1, kNoTraits, kWindow, infer_window},
    {"DFT", 1, 3, 1, 1, kNoTraits, kDft, infer_dft},
    {"HammingWindow", 1, 1, 1, 1, kNoTraits, kWindow, infer_window},
    {"HannWindow", 1, 1, 1, 1, kNoTraits, kWindow, infer_window},
    {"MelWeightMatrix", 5, 5, 1, 1, kNoTraits, kMel, infer_mel},
    {"STFT", 2, 4, 1, 1, kNoTraits, kStft, infer_stft},
};

}  // namespace

std::span<const OpDef> signal_ops() { return kOps; }

}  // namespace oree
