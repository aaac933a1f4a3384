// SPDX-License-Identifier: Apache-2.0
// Where the boxes and lines of a drawing of an acyclic graph go: boxes in ranks from top to bottom, so that every line
// leads down; few crossings; chains straight. Layered drawing after Sugiyama: ranks by longest path, order within them
// by barycentre sweeps and exchanges, x by least squares. Knows nothing of models. Deterministic.
#pragma once

#include <span>
#include <vector>

namespace oree {

struct Arc {
  int from = 0;
  int to = 0;  // above `from`: the boxes come in an order in which each follows what it uses. Others are not drawn
};

struct Point {
  double x = 0, y = 0;
};

struct Placed {
  double x = 0, y = 0;  // of the top left corner
  int rank = 0;
};

struct Route {
  // From the bottom of one box to the top of another. Between two points it is a curve with vertical ends where they
  // differ in x; it crosses no rank of boxes but through a place of its own.
  std::vector<Point> points;
  bool direct = false;  // one curve, over whatever lies between: of the longest, when there are too many to route
};

struct LayoutOptions {
  double box_width = 216, box_height = 64;
  double gap_x = 26, gap_y = 30;
  size_t bends_max = 60000;  // places that long lines take in ranks between, all together
};

struct Layout {
  std::vector<Placed> boxes;  // as many as there were
  std::vector<Route> routes;  // one an arc; no points: not drawn
  double width = 0, height = 0;
};

Layout lay_out(int boxes, std::span<const Arc> arcs, const LayoutOptions& options = {});

}  // namespace oree
