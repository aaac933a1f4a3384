// SPDX-License-Identifier: Apache-2.0
// From nodes of domain "tflite" to ONNX's operators. Internal to model/tflite.
#pragma once

#include "model/tflite/node_rewrite.h"
#include "model/tflite/tflite_builtins.h"
#include "model/tflite/tflite_nodes.h"

namespace oree {

// Every node of the graph that ONNX's operators can express becomes them; the others stay as they are.
Status raise_tflite(Graph& graph);
// Is there a way up for the builtin? (Not for all its types and options, perhaps.)
bool raises_from_tflite(std::string_view builtin);

// One node on its way up.
class Raise : public NodeRewrite {
 public:
  Raise(Graph& graph, NodeId id, PermutedConstants& permuted);

  int64_t option(std::string_view name) const { return tflite_option(node_, name); }
  float real_option(std::string_view name) const { return tflite_real_option(node_, name); }
  bool flag(std::string_view name) const { return option(name) != 0; }

  // The node that makes an output of the original, its fused activation behind it.
  void finish(std::string_view op, std::vector<ValueId> inputs, Attributes attributes = {}, size_t output = 0);
  // The same for an operator in channels-first layout.
  void finish_channels_first(std::string_view op, std::vector<ValueId> inputs, Attributes attributes = {});
  void drop_activation() { activation_ = kTfliteNoActivation; }  // it is a part of the operator itself
  // A scalar of the value's type; of a quantized one the integer that stands for the real, within its type.
  ValueId bound(ValueId like, double real);
  ValueId channels_first(ValueId value);  // NHWC to NCHW, of any rank above 2

 private:
  ValueId activation(ValueId value, ValueId target);  // with target: the activation makes it

  int64_t activation_ = kTfliteNoActivation;
};

using RaiseHandler = Status (*)(Raise&);
struct RaiseEntry {
  std::string_view op;
  RaiseHandler handler;
};

// --- the tables, one a family
std::span<const RaiseEntry> raise_convolutions();
std::span<const RaiseEntry> raise_elementwise();
std::span<const RaiseEntry> raise_movements();
std::span<const RaiseEntry> raise_slices();
std::span<const RaiseEntry> raise_reductions();
std::span<const RaiseEntry> raise_images();
std::span<const RaiseEntry> raise_indices();
std::span<const RaiseEntry> raise_recurrent();
std::span<const RaiseEntry> raise_control();

// SPACE_TO_BATCH_ND, a convolution, BATCH_TO_SPACE_ND: how exporters write dilation. Before raising.
void join_dilated_convolutions(Graph& graph);

}  // namespace oree
