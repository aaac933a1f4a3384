// SPDX-License-Identifier: Apache-2.0
// The places of a layered drawing on their way from ranks to coordinates. Internal to model/draw.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "model/draw/layout.h"

namespace oree {

struct Link {
  int place = 0;
  double pull = 1;  // how much the two want one x
};

// A box, or the place of a line that passes between boxes of a rank.
struct Place {
  int rank = 0;
  bool box = true;
  std::vector<Link> above, below;
  double x = 0;  // of its middle
};

struct Layers {
  std::vector<Place> places;            // boxes first, with their own numbers
  std::vector<std::vector<int>> ranks;  // places from left to right
  std::vector<std::vector<int>> chain;  // by box: its line's places in the ranks below it, one a rank
};

// By longest path; a box with more lines below it than above goes down as far as it can.
std::vector<int> rank_boxes(int boxes, std::span<const Arc> arcs);
// Boxes and bends. All lines from one box share their places. Boxes whose line would pass the bound get no places.
Layers make_layers(std::vector<int> ranks, std::span<const Arc> arcs, size_t bends_max);

void order_ranks(Layers& layers);  // few crossings
int64_t crossings(const Layers& layers);
void place_across(Layers& layers, const LayoutOptions& options);  // sets Place::x, the order kept

}  // namespace oree
