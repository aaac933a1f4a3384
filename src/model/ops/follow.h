// SPDX-License-Identifier: Apache-2.0
// The elements of small tensors, as exporters compute shapes with them. Internal to model/ops.
#pragma once

#include "model/ops/inference.h"

namespace oree {

// One small tensor: its elements are integers as far as known, or reals that are all known.
struct SmallTensor {
  Shape shape;
  std::optional<SymInts> ints;
  std::optional<std::vector<double>> reals;
  size_t size() const { return ints ? ints->size() : reals->size(); }
};

std::optional<SmallTensor> small_input(const Inference& in, size_t input);
// The shape that inference has found for an output; nothing unless it is known and small.
std::optional<Shape> small_output(const Inference& in, size_t output);
// Sets the elements of an output; does nothing where its type cannot hold them.
void give(Inference& in, size_t output, SymInts ints);
void give(Inference& in, size_t output, std::vector<double> reals);

// For each element of a tensor of shape `to`, the element of one of shape `from` that broadcasting puts there. Empty
// where they do not fit.
std::vector<size_t> broadcast_places(const Shape& from, const Shape& to);

// Arithmetic operators; false: not one of them.
bool follow_arithmetic(Inference& in);

}  // namespace oree
