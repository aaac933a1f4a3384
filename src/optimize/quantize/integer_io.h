// SPDX-License-Identifier: Apache-2.0
// Integer inputs and outputs: the QuantizeLinear of a caller's reals and the DequantizeLinear of results leave the
// file, and the caller does both, by the scale and zero point that the file's tensors say. What microcontrollers and
// the Edge TPU want: a camera's bytes go in as they are.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "model/graph/graph.h"
#include "optimize/quantize/affine.h"

namespace oree {

// What the file takes and gives.
enum class IoType { kFloat, kInt8, kUint8 };

// An input or output of the network, as the file has it.
struct Port {
  std::string name;
  bool input = false;
  Dtype dtype = Dtype::kFloat32;
  bool quantized = false;  // its integers stand for reals
  Affine affine;           // then
  std::string because;     // it was to be of integers, and is not
};

// `graph` is what emit() gave. Unless kFloat is asked for, its float32 inputs and outputs become int8 or uint8 where
// the graph quantizes them; others stay, and the port says why. uint8 has the scale of int8, and a zero point of 128
// more; layers of int16 get and give int16. The types stay inferred. Inputs first, in the graph's order.
Result<std::vector<Port>> make_io(Graph& graph, IoType type);

// By name, those of integers.
std::map<std::string, Port> integer_ports(const std::vector<Port>& ports);

}  // namespace oree
