// SPDX-License-Identifier: Apache-2.0
// A shuffle of channels: Reshape splits one axis, Transpose swaps the parts, Reshape joins them. In this form a change
// of layout can't pass it; as one node that names its axis it can. Internal to model/passes.
#pragma once

#include "model/graph/graph.h"

namespace oree {

inline constexpr char kShuffleDomain[] = "oree.passes";  // of nodes that no other pass, and no writer, ever sees

// Shuffles that are written out become such nodes, with the axis as attribute "axis"; and back.
void fold_shuffles(Graph& graph);
void unfold_shuffles(Graph& graph);

}  // namespace oree
