// SPDX-License-Identifier: Apache-2.0
// A dilated convolution as TensorFlow wrote it before there was an option for it:
//
//   SPACE_TO_BATCH_ND (block, paddings) ── convolution, VALID, stride 1 ── BATCH_TO_SPACE_ND (block, {0, more})
//
// becomes PAD (paddings less more) and the convolution with that dilation.
#include <algorithm>

#include "model/tflite/raise.h"

namespace oree {
namespace {

using Ints = std::vector<int64_t>;

bool is_tflite(const Node& node, std::string_view op) { return node.domain == kTfliteDomain && node.op == op; }

bool plain_window(const Node& node) {
  return (node.op == "CONV_2D" || node.op == "DEPTHWISE_CONV_2D") && node.domain == kTfliteDomain &&
         tflite_option(node, "padding") == kTfliteValid && tflite_option(node, "stride_h") == 1 &&
         tflite_option(node, "stride_w") == 1 && tflite_option(node, "dilation_h_factor") == 1 &&
         tflite_option(node, "dilation_w_factor") == 1;
}

bool join(Graph& graph, NodeId last_id) {
  const Node last = graph.node(last_id);
  if (!is_tflite(last, "BATCH_TO_SPACE_ND") || last.inputs.size() != 3 || last.outputs.size() != 1) return false;
  NodeId middle_id = last.inputs[0] == kNoValue ? kNoNode : graph.value(last.inputs[0]).producer;
  if (middle_id == kNoNode || graph.only_user(last.inputs[0]) != last_id) return false;
  const Node middle = graph.node(middle_id);
  if (!plain_window(middle) || middle.inputs.empty() || middle.inputs[0] == kNoValue || middle.outputs.size() != 1)
    return false;
  NodeId first_id = graph.value(middle.inputs[0]).producer;
  if (first_id == kNoNode || graph.only_user(middle.inputs[0]) != middle_id) return false;
  const Node first = graph.node(first_id);
  if (!is_tflite(first, "SPACE_TO_BATCH_ND") || first.inputs.size() != 3 || first.inputs[0] == kNoValue) return false;
  const Constant* block = graph.constant(first.inputs[1]);
  const Constant* pads = graph.constant(first.inputs[2]);
  const Constant* block_2 = graph.constant(last.inputs[1]);
  const Constant* crops = graph.constant(last.inputs[2]);
  if (!block || !pads || !block_2 || !crops || block->to_ints() != block_2->to_ints()) return false;
  Ints size = block->to_ints(), rows = pads->to_ints(), more = crops->to_ints();
  if (size.size() != 2 || rows.size() != 4 || more.size() != 4 || more[0] != 0 || more[2] != 0) return false;
  Ints padding{0, 0, rows[0], rows[1] - more[1], rows[2], rows[3] - more[3], 0, 0};
  if (std::ranges::any_of(padding, [](int64_t p) { return p < 0; })) return false;
  ValueId x = first.inputs[0];
  if (std::ranges::any_of(padding, [](int64_t p) { return p > 0; })) {
    std::optional<Dims> dims = graph.value(x).dims;
    if (!dims || dims->size() != 4) return false;
    for (size_t i = 0; i < 4; ++i) {
      if ((*dims)[i].known()) (*dims)[i].size += padding[2 * i] + padding[2 * i + 1];
    }
    Node pad;
    pad.op = "PAD";
    pad.domain = kTfliteDomain;
    pad.inputs = {x, graph.add_constant("paddings", Constant::of_ints(padding, {4, 2}))};
    ValueId padded = graph.add_value("padded", graph.value(x).dtype, dims);
    graph.set_quantization(padded, graph.value(x).quantization);
    pad.outputs = {padded};
    graph.add_node(std::move(pad), last.block);
    x = padded;
  }
  graph.remove_node(last_id);
  graph.remove_node(middle_id);
  graph.remove_node(first_id);
  Node joined = middle;
  joined.inputs[0] = x;
  joined.outputs = last.outputs;
  joined.attributes.insert_or_assign("dilation_h_factor", size[0]);
  joined.attributes.insert_or_assign("dilation_w_factor", size[1]);
  graph.add_node(std::move(joined), last.block);
  return true;
}

}  // namespace

void join_dilated_convolutions(Graph& graph) {
  for (NodeId id : graph.all_nodes()) {
    if (!graph.node(id).removed) join(graph, id);
  }
}

}  // namespace oree
