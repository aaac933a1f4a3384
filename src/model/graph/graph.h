// SPDX-License-Identifier: Apache-2.0
// Graph: a model as nodes and the values that flow between them. Operators have ONNX's names and meaning (domain "" is
// ONNX's own; images are NCHW), in the newest form of each operator whatever opset the file had: what newer opsets
// moved from attributes to inputs is an input here. Readers make graphs (model/onnx, model/tflite), passes change them
// (model/passes), model/reference runs them, writers write them. A graph does no I/O and knows no file format.
//
//   Model ── Graph ── blocks[0]: the main block ── nodes ── inputs, outputs: ValueIds
//                     blocks[k]: a body of an If, Loop or Scan node. Its nodes use values of the blocks around it
//                     directly.
//
// All values and nodes of all blocks lie in one arena and are named by index. An index stays valid for the life of the
// graph and of its copies: what is removed leaves a hole. Copying is cheap, because constants share their bytes.
// The order of nodes within a block carries no meaning: order() gives one in which every node follows what it uses.
// Not thread safe for changes; a const graph may be read from several threads.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "model/graph/constant.h"
#include "model/graph/dims.h"

namespace oree {

using ValueId = int32_t;
using NodeId = int32_t;
using BlockId = int32_t;
inline constexpr ValueId kNoValue = -1;  // an optional input that is absent, an output that nobody wants
inline constexpr NodeId kNoNode = -1;
inline constexpr BlockId kMainBlock = 0;

// How integers stand for real numbers: real = scale * (integer - zero_point).
struct Quantization {
  std::vector<float> scales;         // one, or one a slice along `axis`
  std::vector<int64_t> zero_points;  // as many as scales
  int axis = -1;                     // of the tensor as it is in this graph; -1: one scale for all
  bool per_axis() const { return axis >= 0; }
  bool operator==(const Quantization&) const = default;
};

struct Value {
  std::string name;            // unique within the graph, never empty
  std::optional<Dtype> dtype;  // nothing: not inferred (yet)
  std::optional<Dims> dims;    // nothing: not even the rank is known
  // Set: the integers of this value stand for reals, and the nodes that use or make it compute as TFLite's kernels do
  // (model/reference/quantized.h). Not set: integers are integers.
  std::optional<Quantization> quantization;
  std::optional<Constant> constant;  // set: the value is a constant, made by no node

  // Kept by Graph.
  NodeId producer = kNoNode;  // kNoNode: a block's input, or a constant
  int producer_output = 0;
  std::vector<NodeId> users;  // once a use; order carries no meaning. Uses by block outputs are not counted here
  bool is_constant() const { return constant.has_value(); }
};

using Attribute = std::variant<int64_t, float, std::string, std::vector<int64_t>, std::vector<float>,
                               std::vector<std::string>, Constant>;
using Attributes = std::map<std::string, Attribute>;

struct Node {
  std::string op;
  std::string domain;  // "": ONNX's; "tflite": a TFLite builtin on its way in or out (model/tflite); else a custom op's
  std::string name;    // may be empty
  std::vector<ValueId> inputs;   // kNoValue: absent
  std::vector<ValueId> outputs;  // kNoValue: not wanted
  Attributes attributes;         // only those that differ from the operator's defaults need be here
  std::vector<std::pair<std::string, BlockId>> blocks;  // "then_branch" -> block
  Bytes unknown;  // protobuf fields that no reader of ours knows, kept for the writer

  // Kept by Graph.
  BlockId block = kMainBlock;
  bool removed = false;

  bool is(std::string_view an_op) const { return domain.empty() && op == an_op; }
  const Attribute* find(std::string_view attribute) const;  // nullptr: not given
  // The attribute, or the given default when it is absent or of another type.
  int64_t integer(std::string_view attribute, int64_t otherwise) const;
  float real(std::string_view attribute, float otherwise) const;
  std::string text(std::string_view attribute, std::string_view otherwise) const;
  std::vector<int64_t> integers(std::string_view attribute) const;  // empty when absent
  std::vector<float> reals(std::string_view attribute) const;
  ValueId input(size_t index) const { return index < inputs.size() ? inputs[index] : kNoValue; }
  ValueId output(size_t index) const { return index < outputs.size() ? outputs[index] : kNoValue; }
};

struct Block {
  std::vector<ValueId> inputs;
  std::vector<ValueId> outputs;
  std::vector<NodeId> nodes;  // of this block, bodies' nodes not included; removed ones too until sweep()
  NodeId owner = kNoNode;     // the If, Loop or Scan; kNoNode: the main block
};

// A value that survives from one run to the next (a streaming model's memory): before the first run `input` holds
// `initial`, afterwards what `output` held. Both are of the main block; neither is among its inputs and outputs.
struct State {
  std::string name;
  ValueId input = kNoValue;
  ValueId output = kNoValue;
  Constant initial;
};

class Graph {
 public:
  Graph();

  // --- looking
  const Value& value(ValueId id) const { return values_[check_value(id)]; }
  const Node& node(NodeId id) const { return nodes_[check_node(id)]; }
  const Block& block(BlockId id) const;
  const Block& main() const { return blocks_[0]; }
  const std::vector<State>& states() const { return states_; }
  size_t value_count() const { return values_.size(); }  // holes included: ids are below
  size_t node_count() const { return nodes_.size(); }
  size_t block_count() const { return blocks_.size(); }
  // The nodes of a block such that each follows what it uses (bodies' uses included); among the free ones, as they
  // were added. Asserts that there is no cycle (validate() says so of a graph from outside).
  std::vector<NodeId> order(BlockId block = kMainBlock) const;
  std::optional<std::vector<NodeId>> acyclic_order(BlockId block) const;  // the same; nothing when there is a cycle
  std::vector<NodeId> all_nodes() const;  // of all blocks, those around before those within
  bool is_output(ValueId id) const;       // of any block, or of a state
  bool unused(ValueId id) const { return value(id).users.empty() && !is_output(id); }
  bool has_quantization() const;               // integers of some value stand for reals
  ValueId find(std::string_view name) const;   // kNoValue when there is none
  const Constant* constant(ValueId id) const;  // nullptr: absent or no constant
  // The node that alone uses this value, which is no output; kNoNode otherwise.
  NodeId only_user(ValueId id) const;
  std::string unique_name(std::string_view base) const;  // base itself when it is free, else "base_1", …

  // --- changing values
  ValueId add_value(std::string name, std::optional<Dtype> dtype = {}, std::optional<Dims> dims = {});
  ValueId add_input(std::string name, std::optional<Dtype> dtype, std::optional<Dims> dims, BlockId block = kMainBlock);
  ValueId add_constant(std::string name, Constant constant);  // the name is made unique
  void add_output(ValueId id, BlockId block = kMainBlock);
  void set_output(BlockId block, size_t index, ValueId id);
  void remove_input(BlockId block, size_t index);  // the value must be unused
  void remove_output(BlockId block, size_t index);
  void set_inputs(BlockId block, std::vector<ValueId> inputs);  // values that nothing makes
  void add_state(State state);
  void set_state_output(size_t index, ValueId id);
  void clear_states();
  void rename(ValueId id, std::string name);  // asserts that the name is free or its own
  void set_type(ValueId id, std::optional<Dtype> dtype, std::optional<Dims> dims);
  void set_quantization(ValueId id, std::optional<Quantization> quantization);
  void set_constant(ValueId id, Constant constant);  // a value without producer becomes that constant, its type too

  // --- changing nodes
  // A node in `block`; node.outputs must be values without a producer.
  NodeId add_node(Node node, BlockId block = kMainBlock);
  // The usual case: one new output, named after the operator unless `name` is given. Its type is not inferred here.
  ValueId add(std::string_view op, std::vector<ValueId> inputs, Attributes attributes = {}, BlockId block = kMainBlock,
              std::string_view name = {});
  BlockId add_block(NodeId owner, std::string name);
  void set_input(NodeId id, size_t index, ValueId value);  // grows the list when needed
  void set_attribute(NodeId id, std::string name, Attribute value);
  void remove_attribute(NodeId id, std::string_view name);
  void set_op(NodeId id, std::string op, std::string domain = "");
  void set_outputs(NodeId id, std::vector<ValueId> outputs);  // the old ones lose their producer
  // The node, its bodies and what is in them; its outputs remain as values without producer.
  void remove_node(NodeId id);
  // All nodes of a body become nodes of the block around it.
  void move_nodes(BlockId from, BlockId to);
  // Every use of `from` (by nodes, block outputs and states) becomes one of `to`.
  void replace(ValueId from, ValueId to);
  // As replace(), and `to` takes over the name of `from` where `from` is an output: what the user sees keeps its name.
  void replace_keeping_name(ValueId from, ValueId to);
  void sweep();  // forgets removed nodes in the blocks' lists; ids stay

 private:
  size_t check_value(ValueId id) const;
  size_t check_node(NodeId id) const;
  void use(ValueId id, NodeId user);
  void unuse(ValueId id, NodeId user);

  std::vector<Value> values_;
  std::vector<Node> nodes_;
  std::vector<Block> blocks_;
  std::vector<State> states_;
  std::map<std::string, ValueId, std::less<>> names_;
};

// A graph and what a file says besides.
struct Model {
  Graph graph;
  std::string name;  // of the graph
  std::string doc;
  std::string producer;
  std::string producer_version;
  std::string domain;
  int64_t model_version = 0;
  std::map<std::string, int64_t> custom_opsets;  // domain -> version, of domains other than ONNX's own
  std::map<std::string, std::string> metadata;   // ONNX metadata_props
  std::map<std::string, Bytes> tflite_metadata;  // name -> buffer: labels, normalisation, min_runtime_version, …
  // The TFLite signature that was met: its key, and its names for inputs and outputs by ours.
  std::string signature_key;
  std::map<std::string, std::string> signature_names;
  Bytes unknown;  // fields of the file that no reader of ours knows
  Bytes graph_unknown;
};

}  // namespace oree
