// SPDX-License-Identifier: Apache-2.0
// One block of a graph of TFLite nodes as a table SubGraph. Internal to model/tflite.
#pragma once

#include <map>
#include <set>

#include "core/codec/flatbuffer_writer.h"
#include "model/graph/graph.h"

namespace oree {

// What subgraphs share, by number.
class TfliteParts {
 public:
  virtual ~TfliteParts() = default;
  virtual uint32_t buffer(ByteView bytes) = 0;
  virtual uint32_t op_code(int code, const std::string& custom, int version) = 0;
  virtual uint32_t subgraph(BlockId block) = 0;
  virtual uint32_t first_content() = 0;  // the subgraph that gives the variables their content before the first run
};

class SubgraphWriter {
 public:
  using Object = FlatbufferWriter::Object;

  SubgraphWriter(const Graph& graph, FlatbufferWriter& writer, TfliteParts& parts)
      : graph_(graph), w_(writer), parts_(parts) {}

  Result<Object> write(BlockId block);
  // Of states that are resource variables: what first_content() stands for.
  Result<Object> write_first_content();
  // The tensor that stands for a value of the block that was written. Asserts that it has one.
  uint32_t tensor(ValueId value) const { return tensor_of_.at(value); }
  // States that an operator keeps in a variable tensor, changed in place; the others are resource variables.
  static std::set<size_t> in_place_states(const Graph& graph);

 private:
  // States of the main block.
  Status plan_states();
  Status in_place(const State& state);
  void read_state(size_t index);
  void assign_state(size_t index);
  void before(const Node& node);
  void after(const Node& node);

  Result<uint32_t> use(ValueId value);  // its tensor, which is made on first use
  Result<std::vector<int32_t>> use_all(std::span<const ValueId> values);
  uint32_t add_tensor(const std::string& name, int type, const Dims& dims, uint32_t buffer,
                      const std::optional<Quantization>& quantization, bool variable);
  Object quantization(const Quantization& q);
  Status operation(NodeId id);
  Result<Object> options(const Node& node, int& type);
  std::vector<int32_t> intermediates(const Node& node);
  void add_operator(uint32_t code, std::span<const int32_t> inputs, std::span<const int32_t> outputs, int options_type,
                    std::optional<Object> options, std::span<const int32_t> intermediates, std::string_view custom);
  void add_variable_op(std::string_view op, std::vector<int32_t> inputs, std::vector<int32_t> outputs,
                       std::string_view shared_name);
  Object finish(std::string_view name, std::span<const int32_t> inputs, std::span<const int32_t> outputs);

  const Graph& graph_;
  FlatbufferWriter& w_;
  TfliteParts& parts_;
  std::map<ValueId, uint32_t> tensor_of_;
  std::vector<Object> tensors_, operators_;
  std::set<size_t> in_place_;
  std::map<size_t, uint32_t> handles_;  // state -> tensor of its VAR_HANDLE
  std::set<size_t> read_, assigned_;
};

}  // namespace oree
