// SPDX-License-Identifier: Apache-2.0
#include "model/tflite/tflite_costs.h"

#include <map>

#include "model/ops/costs.h"
#include "model/tflite/tflite_builtins.h"

namespace oree {
namespace {

// Layouts: activations NHWC; CONV_2D weights OHWI; DEPTHWISE 1HWO; CONV_3D DHWIO; TRANSPOSE_CONV OHWI with inputs
// (output shape, weights, x); FULLY_CONNECTED weights OI.
int64_t conv_2d(const Graph& g, const Node& n) {
  return cost_product(volume(g, n.output(0)), volume(g, n.input(1), 1));
}

int64_t depthwise(const Graph& g, const Node& n) {
  const int64_t window = cost_product(dim_at(g, n.input(1), 1), dim_at(g, n.input(1), 2));
  return cost_product(volume(g, n.output(0)), window);
}

int64_t conv_3d(const Graph& g, const Node& n) {
  int64_t window = 1;
  for (int axis = 0; axis < 4; ++axis) window = cost_product(window, dim_at(g, n.input(1), axis));
  return cost_product(volume(g, n.output(0)), window);
}

int64_t transpose_conv(const Graph& g, const Node& n) {
  int64_t window = 1;
  for (int axis = 0; axis < 3; ++axis) window = cost_product(window, dim_at(g, n.input(1), axis));
  return cost_product(volume(g, n.input(2)), window);
}

int64_t fully_connected(const Graph& g, const Node& n) {
  return cost_product(volume(g, n.output(0)), dim_at(g, n.input(1), 1));
}

int64_t batch_matmul(const Graph& g, const Node& n) {
  return cost_product(volume(g, n.output(0)), dim_at(g, n.input(0), tflite_option(n, "adj_x") != 0 ? -2 : -1));
}

// Features over the input, then time over the memory.
int64_t svdf(const Graph& g, const Node& n) {
  const int64_t features = volume(g, n.input(1)), time = volume(g, n.input(2));
  return features < 0 || time < 0 ? -1 : cost_product(dim_at(g, n.input(0), 0), features + time);
}

// Inputs 1 to 8 are the four input and four recurrent matrices, 16 the projection; an input gate may be absent.
int64_t sequence_lstm(const Graph& g, const Node& n) {
  int64_t weights = 0;
  for (size_t i : {1, 2, 3, 4, 5, 6, 7, 8, 16}) {
    if (n.input(i) == kNoValue) continue;
    const int64_t elements = volume(g, n.input(i));
    if (elements < 0) return -1;
    weights += elements;
  }
  return cost_product(cost_product(dim_at(g, n.input(0), 0), dim_at(g, n.input(0), 1)), weights);
}

// nullptr: it multiplies, but how often is not known here.
using Formula = int64_t (*)(const Graph&, const Node&);
const std::map<std::string_view, Formula>& formulas() {
  static const std::map<std::string_view, Formula> table = {
      {"BATCH_MATMUL", batch_matmul},
      {"BIDIRECTIONAL_SEQUENCE_LSTM", nullptr},
      {"BIDIRECTIONAL_SEQUENCE_RNN", nullptr},
      {"CONV_2D", conv_2d},
      {"CONV_3D", conv_3d},
      {"CONV_3D_TRANSPOSE", nullptr},
      {"DEPTHWISE_CONV_2D", depthwise},
      {"FULLY_CONNECTED", fully_connected},
      {"LSTM", nullptr},
      {"RNN", nullptr},
      {"SVDF", svdf},
      {"TRANSPOSE_CONV", transpose_conv},
      {"UNIDIRECTIONAL_SEQUENCE_LSTM", sequence_lstm},
      {"UNIDIRECTIONAL_SEQUENCE_RNN", nullptr},
  };
  return table;
}

}  // namespace

bool tflite_multiplies(std::string_view op) { return formulas().contains(op); }

int64_t tflite_macs(const Graph& graph, const Node& node) {
  if (node.domain != kTfliteDomain) return 0;
  auto found = formulas().find(node.op);
  if (found == formulas().end()) return 0;
  return found->second == nullptr ? -1 : found->second(graph, node);
}

}  // namespace oree
