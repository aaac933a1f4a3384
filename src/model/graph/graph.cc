// SPDX-License-Identifier: Apache-2.0
#include "model/graph/graph.h"

#include <algorithm>
#include <queue>

namespace oree {

const Attribute* Node::find(std::string_view attribute) const {
  auto it = attributes.find(std::string(attribute));
  return it == attributes.end() ? nullptr : &it->second;
}

int64_t Node::integer(std::string_view attribute, int64_t otherwise) const {
  const auto* v = find(attribute);
  return v && std::holds_alternative<int64_t>(*v) ? std::get<int64_t>(*v) : otherwise;
}

float Node::real(std::string_view attribute, float otherwise) const {
  const auto* v = find(attribute);
  return v && std::holds_alternative<float>(*v) ? std::get<float>(*v) : otherwise;
}

std::string Node::text(std::string_view attribute, std::string_view otherwise) const {
  const auto* v = find(attribute);
  return v && std::holds_alternative<std::string>(*v) ? std::get<std::string>(*v) : std::string(otherwise);
}

std::vector<int64_t> Node::integers(std::string_view attribute) const {
  const auto* v = find(attribute);
  if (v && std::holds_alternative<std::vector<int64_t>>(*v)) return std::get<std::vector<int64_t>>(*v);
  return {};
}

std::vector<float> Node::reals(std::string_view attribute) const {
  const auto* v = find(attribute);
  if (v && std::holds_alternative<std::vector<float>>(*v)) return std::get<std::vector<float>>(*v);
  return {};
}

Graph::Graph() : blocks_(1) {}

size_t Graph::check_value(ValueId id) const {
  OREE_ASSERT(id >= 0 && static_cast<size_t>(id) < values_.size());
  return static_cast<size_t>(id);
}

size_t Graph::check_node(NodeId id) const {
  OREE_ASSERT(id >= 0 && static_cast<size_t>(id) < nodes_.size());
  return static_cast<size_t>(id);
}

const Block& Graph::block(BlockId id) const {
  OREE_ASSERT(id >= 0 && static_cast<size_t>(id) < blocks_.size());
  return blocks_[static_cast<size_t>(id)];
}

// --- looking
// -----------------------------------------------------------------------------------------------------------

namespace {

// The node of `block` that `user` is, or lies within; kNoNode when it lies elsewhere.
NodeId enclosing(const Graph& graph, NodeId user, BlockId block) {
  while (user != kNoNode && graph.node(user).block != block) user = graph.block(graph.node(user).block).owner;
  return user;
}

}  // namespace

std::vector<NodeId> Graph::order(BlockId id) const {
  std::optional<std::vector<NodeId>> found = acyclic_order(id);
  OREE_ASSERT(found.has_value());
  return *std::move(found);
}

std::optional<std::vector<NodeId>> Graph::acyclic_order(BlockId id) const {
  const Block& b = block(id);
  std::map<NodeId, std::vector<NodeId>> followers;
  std::map<NodeId, int> waits;
  std::map<NodeId, size_t> rank;
  for (NodeId n : b.nodes) {
    if (node(n).removed) continue;
    rank.emplace(n, rank.size());
    waits.emplace(n, 0);
  }
  auto follow = [&](NodeId first, NodeId then) {
    if (then == kNoNode) return;
    followers[first].push_back(then);
    ++waits[then];
  };
  for (const auto& [n, r] : rank) {
    for (ValueId out : node(n).outputs) {
      if (out == kNoValue) continue;
      for (NodeId user : value(out).users) follow(n, enclosing(*this, user, id));
    }
    // A body may hand on a value of the block around it without any node.
    std::vector<const Node*> inside{&node(n)};
    while (!inside.empty()) {
      const Node* owner = inside.back();
      inside.pop_back();
      for (const auto& [name, body] : owner->blocks) {
        for (ValueId out : block(body).outputs) {
          NodeId maker = value(out).producer;
          if (maker != kNoNode && node(maker).block == id) follow(maker, n);
        }
        for (NodeId inner : block(body).nodes) {
          if (!node(inner).removed && !node(inner).blocks.empty()) inside.push_back(&node(inner));
        }
      }
    }
  }
  auto later = [&](NodeId x, NodeId y) { return rank[x] > rank[y]; };
  std::priority_queue<NodeId, std::vector<NodeId>, decltype(later)> ready(later);
  for (const auto& [n, count] : waits) {
    if (count == 0) ready.push(n);
  }
  std::vector<NodeId> out;
  while (!ready.empty()) {
    NodeId n = ready.top();
    ready.pop();
    out.push_back(n);
    for (NodeId f : followers[n]) {
      if (--waits[f] == 0) ready.push(f);
    }
  }
  if (out.size() != rank.size()) return std::nullopt;
  return out;
}

std::vector<NodeId> Graph::all_nodes() const {
  std::vector<NodeId> out;
  for (const Block& b : blocks_) {
    if (b.owner != kNoNode && node(b.owner).removed) continue;
    for (NodeId n : b.nodes) {
      if (!node(n).removed) out.push_back(n);
    }
  }
  return out;
}

bool Graph::is_output(ValueId id) const {
  for (const Block& b : blocks_) {
    if (b.owner != kNoNode && node(b.owner).removed) continue;
    if (std::ranges::find(b.outputs, id) != b.outputs.end()) return true;
  }
  return std::ranges::any_of(states_, [&](const State& s) { return s.output == id; });
}

bool Graph::has_quantization() const {
  return std::ranges::any_of(values_, [](const Value& v) { return v.quantization.has_value(); });
}

ValueId Graph::find(std::string_view name) const {
  auto it = names_.find(name);
  return it == names_.end() ? kNoValue : it->second;
}

const Constant* Graph::constant(ValueId id) const {
  if (id == kNoValue || !value(id).constant) return nullptr;
  return &*value(id).constant;
}

NodeId Graph::only_user(ValueId id) const {
  return value(id).users.size() == 1 && !is_output(id) ? value(id).users[0] : kNoNode;
}

std::string Graph::unique_name(std::string_view base) const {
  std::string name(base.empty() ? "value" : base);
  if (!names_.contains(name)) return name;
  // Names with this beginning lie together in the map: count from there so that many of a kind stay quick.
  for (size_t i = 1;; i *= 2) {
    if (names_.contains(name + "_" + std::to_string(i))) continue;
    size_t low = i / 2, high = i;  // low is taken (or 0), high is free
    while (high - low > 1) {
      size_t middle = (low + high) / 2;
      (names_.contains(name + "_" + std::to_string(middle)) ? low : high) = middle;
    }
    return name + "_" + std::to_string(high);
  }
}

// --- changing values
// -----------------------------------------------------------------------------------------------------

ValueId Graph::add_value(std::string name, std::optional<Dtype> dtype, std::optional<Dims> dims) {
  Value v;
  v.name = unique_name(name);
  v.dtype = dtype;
  v.dims = std::move(dims);
  auto id = static_cast<ValueId>(values_.size());
  names_.emplace(v.name, id);
  values_.push_back(std::move(v));
  return id;
}

ValueId Graph::add_input(std::string name, std::optional<Dtype> dtype, std::optional<Dims> dims, BlockId block) {
  ValueId id = add_value(std::move(name), dtype, std::move(dims));
  blocks_[static_cast<size_t>(block)].inputs.push_back(id);
  return id;
}

ValueId Graph::add_constant(std::string name, Constant constant) {
  ValueId id = add_value(std::move(name));
  set_constant(id, std::move(constant));
  return id;
}

void Graph::add_output(ValueId id, BlockId block) {
  check_value(id);
  blocks_[static_cast<size_t>(block)].outputs.push_back(id);
}

void Graph::set_output(BlockId block, size_t index, ValueId id) {
  check_value(id);
  blocks_[static_cast<size_t>(block)].outputs.at(index) = id;
}

void Graph::remove_input(BlockId block, size_t index) {
  auto& inputs = blocks_[static_cast<size_t>(block)].inputs;
  OREE_ASSERT(index < inputs.size() && unused(inputs[index]));
  inputs.erase(inputs.begin() + static_cast<ptrdiff_t>(index));
}

void Graph::remove_output(BlockId block, size_t index) {
  auto& outputs = blocks_[static_cast<size_t>(block)].outputs;
  OREE_ASSERT(index < outputs.size());
  outputs.erase(outputs.begin() + static_cast<ptrdiff_t>(index));
}

void Graph::set_inputs(BlockId block, std::vector<ValueId> inputs) {
  for (ValueId id : inputs) OREE_ASSERT(value(id).producer == kNoNode && !value(id).constant);
  blocks_[static_cast<size_t>(block)].inputs = std::move(inputs);
}

void Graph::add_state(State state) {
  check_value(state.input);
  check_value(state.output);
  states_.push_back(std::move(state));
}

void Graph::set_state_output(size_t index, ValueId id) {
  check_value(id);
  states_.at(index).output = id;
}

void Graph::clear_states() { states_.clear(); }

void Graph::rename(ValueId id, std::string name) {
  Value& v = values_[check_value(id)];
  if (v.name == name) return;
  OREE_ASSERT(!name.empty() && !names_.contains(name));
  names_.erase(v.name);
  names_.emplace(name, id);
  v.name = std::move(name);
}

void Graph::set_type(ValueId id, std::optional<Dtype> dtype, std::optional<Dims> dims) {
  Value& v = values_[check_value(id)];
  v.dtype = dtype;
  v.dims = std::move(dims);
}

void Graph::set_quantization(ValueId id, std::optional<Quantization> quantization) {
  values_[check_value(id)].quantization = std::move(quantization);
}

void Graph::set_constant(ValueId id, Constant constant) {
  Value& v = values_[check_value(id)];
  OREE_ASSERT(v.producer == kNoNode);
  v.dtype = constant.dtype();
  v.dims = to_dims(constant.shape());
  v.constant = std::move(constant);
}

// --- changing nodes
// -------------------------------------------------------------------------------------------------------

void Graph::use(ValueId id, NodeId user) {
  if (id != kNoValue) values_[check_value(id)].users.push_back(user);
}

void Graph::unuse(ValueId id, NodeId user) {
  if (id == kNoValue) return;
  auto& users = values_[check_value(id)].users;
  auto it = std::ranges::find(users, user);
  OREE_ASSERT(it != users.end());
  *it = users.back();
  users.pop_back();
}

NodeId Graph::add_node(Node node, BlockId block) {
  auto id = static_cast<NodeId>(nodes_.size());
  node.block = block;
  node.removed = false;
  for (ValueId v : node.inputs) use(v, id);
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    if (node.outputs[i] == kNoValue) continue;
    Value& v = values_[check_value(node.outputs[i])];
    OREE_ASSERT(v.producer == kNoNode && !v.constant);
    v.producer = id;
    v.producer_output = static_cast<int>(i);
  }
  nodes_.push_back(std::move(node));
  blocks_[static_cast<size_t>(block)].nodes.push_back(id);
  return id;
}

ValueId Graph::add(std::string_view op, std::vector<ValueId> inputs, Attributes attributes, BlockId block,
                   std::string_view name) {
  Node node;
  node.op = op;
  node.inputs = std::move(inputs);
  node.attributes = std::move(attributes);
  ValueId out = add_value(std::string(name.empty() ? op : name));
  node.outputs = {out};
  add_node(std::move(node), block);
  return out;
}

BlockId Graph::add_block(NodeId owner, std::string name) {
  auto id = static_cast<BlockId>(blocks_.size());
  blocks_.emplace_back();
  blocks_.back().owner = owner;
  nodes_[check_node(owner)].blocks.emplace_back(std::move(name), id);
  return id;
}

void Graph::set_input(NodeId id, size_t index, ValueId value) {
  Node& n = nodes_[check_node(id)];
  if (index >= n.inputs.size()) n.inputs.resize(index + 1, kNoValue);
  unuse(n.inputs[index], id);
  n.inputs[index] = value;
  use(value, id);
}

void Graph::set_attribute(NodeId id, std::string name, Attribute value) {
  nodes_[check_node(id)].attributes.insert_or_assign(std::move(name), std::move(value));
}

void Graph::remove_attribute(NodeId id, std::string_view name) {
  nodes_[check_node(id)].attributes.erase(std::string(name));
}

void Graph::set_op(NodeId id, std::string op, std::string domain) {
  Node& n = nodes_[check_node(id)];
  n.op = std::move(op);
  n.domain = std::move(domain);
}

void Graph::set_outputs(NodeId id, std::vector<ValueId> outputs) {
  Node& n = nodes_[check_node(id)];
  for (ValueId old : n.outputs) {
    if (old != kNoValue) values_[check_value(old)].producer = kNoNode;
  }
  n.outputs = std::move(outputs);
  for (size_t i = 0; i < n.outputs.size(); ++i) {
    if (n.outputs[i] == kNoValue) continue;
    Value& v = values_[check_value(n.outputs[i])];
    OREE_ASSERT(v.producer == kNoNode && !v.constant);
    v.producer = id;
    v.producer_output = static_cast<int>(i);
  }
}

void Graph::remove_node(NodeId id) {
  Node& n = nodes_[check_node(id)];
  if (n.removed) return;
  n.removed = true;
  for (ValueId v : n.inputs) unuse(v, id);
  for (ValueId v : n.outputs) {
    if (v != kNoValue) values_[check_value(v)].producer = kNoNode;
  }
  for (const auto& [name, block] : std::vector(n.blocks)) {
    for (NodeId inner : std::vector(blocks_[static_cast<size_t>(block)].nodes)) remove_node(inner);
    blocks_[static_cast<size_t>(block)].outputs.clear();
  }
}

void Graph::move_nodes(BlockId from, BlockId to) {
  auto& source = blocks_[static_cast<size_t>(from)];
  auto& target = blocks_[static_cast<size_t>(to)];
  for (NodeId n : source.nodes) nodes_[check_node(n)].block = to;
  target.nodes.insert(target.nodes.end(), source.nodes.begin(), source.nodes.end());
  source.nodes.clear();
}

void Graph::replace(ValueId from, ValueId to) {
  if (from == to) return;
  for (NodeId user : std::vector(value(from).users)) {
    for (ValueId& input : nodes_[check_node(user)].inputs) {
      if (input != from) continue;
      unuse(from, user);
      input = to;
      use(to, user);
    }
  }
  for (Block& b : blocks_) std::ranges::replace(b.outputs, from, to);
  for (State& s : states_) {
    if (s.output == from) s.output = to;
  }
}

void Graph::replace_keeping_name(ValueId from, ValueId to) {
  bool output = is_output(from);
  // An input's or a constant's name is seen too, and another output's: those keep theirs.
  bool free = value(to).producer != kNoNode && !is_output(to);
  replace(from, to);
  if (!output || !free) return;
  std::string name = value(from).name;
  rename(from, unique_name(name));
  rename(to, std::move(name));
}

void Graph::sweep() {
  for (Block& b : blocks_) std::erase_if(b.nodes, [&](NodeId n) { return node(n).removed; });
}

}  // namespace oree
