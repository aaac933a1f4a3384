// SPDX-License-Identifier: Apache-2.0
// A graph as boxes and lines with texts, before anybody says where they go: what svg.h and viewer.h draw.
// Texts are as the model has them, shortened, never escaped: that is for who writes them out.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "model/draw/layout.h"
#include "model/graph/graph.h"

namespace oree {

using Facts = std::vector<std::pair<std::string, std::string>>;

// What is known of a node besides what the graph says.
struct NodeNote {
  int64_t macs = 0;             // -1: not known
  int64_t live_bytes = 0;       // while it runs
  std::optional<double> error;  // of its outputs against another model's, over their range: colours the box
  Facts facts;
};
using NodeNotes = std::map<NodeId, NodeNote>;

struct Port {
  std::string name, type;
  std::vector<int> boxes;  // where it comes from or goes to; empty: a constant, or nobody
};

struct Box {
  NodeId node = kNoNode;  // kNoNode: an input, an output, a state
  std::string op, name;
  std::string type;  // of the first output, without its quantization
  std::string look;  // "conv", "matrix", "recurrent", "activation", "norm", "pool", "arithmetic", "move", "quantize",
                     // "control", "io", "custom": a CSS class
  NodeNote note;
  std::vector<Port> inputs, outputs;
};

struct Picture {
  std::string title;       // "" for the main block, "then_branch of If 'x'" for a body
  std::vector<Box> boxes;  // each after what it uses
  std::vector<Arc> arcs;
  std::vector<std::string> arc_names;  // the values
  int first = 0;                       // number of the first box among those of all pictures
};

struct Pictures {
  std::vector<Picture> blocks;  // the main one first, then bodies
  size_t hidden = 0;            // nodes that make constants of constants
  size_t boxes() const;
};

// kExhausted above kDrawnNodesMax or kDrawnLinesMax.
Result<Pictures> picture_of(const Graph& graph, const NodeNotes& notes);

// All classes that Box::look takes, with a name for people.
const std::vector<std::pair<std::string, std::string>>& looks();

}  // namespace oree
