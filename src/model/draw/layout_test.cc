// SPDX-License-Identifier: Apache-2.0
#include "model/draw/layout.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "model/draw/layers.h"

namespace oree {
namespace {

// Arcs like those of a network: each box uses the one before it and, now and then, some from further up.
std::vector<Arc> network(int boxes, unsigned seed) {
  std::vector<Arc> arcs;
  std::set<std::pair<int, int>> seen;
  auto next = [&] {
    seed = seed * 1664525U + 1013904223U;
    return static_cast<int>(seed >> 8);
  };
  for (int i = 1; i < boxes; ++i) {
    if (next() % 9 != 0 && seen.emplace(i - 1, i).second) arcs.push_back({i - 1, i});
    const int from = std::max(0, i - 1 - next() % 12);
    if (next() % 3 == 0 && seen.emplace(from, i).second) arcs.push_back({from, i});
  }
  return arcs;
}

bool on_edge(double a, double b) { return std::abs(a - b) < 1e-6; }

void check_drawing(const Layout& l, std::span<const Arc> arcs, const LayoutOptions& o) {
  for (size_t i = 0; i < l.boxes.size(); ++i) {
    const Placed& a = l.boxes[i];
    CHECK(a.x >= -1e-6);
    CHECK(a.y >= 0);
    CHECK(a.x + o.box_width <= l.width + 1e-6);
    CHECK(a.y + o.box_height <= l.height + 1e-6);
    for (size_t k = i + 1; k < l.boxes.size(); ++k) {
      const Placed& b = l.boxes[k];
      const bool apart = std::abs(a.x - b.x) >= o.box_width - 1e-6 || std::abs(a.y - b.y) >= o.box_height - 1e-6;
      CHECK(apart);
    }
  }
  REQUIRE(l.routes.size() == arcs.size());
  for (size_t i = 0; i < arcs.size(); ++i) {
    const Placed &from = l.boxes[static_cast<size_t>(arcs[i].from)], &to = l.boxes[static_cast<size_t>(arcs[i].to)];
    const std::vector<Point>& points = l.routes[i].points;
    REQUIRE(points.size() >= 2);
    CHECK(on_edge(points.front().x, from.x + o.box_width / 2));
    CHECK(on_edge(points.front().y, from.y + o.box_height));
    CHECK(points.back().x > to.x);
    CHECK(points.back().x < to.x + o.box_width);
    CHECK(on_edge(points.back().y, to.y));
    for (size_t k = 1; k < points.size(); ++k) CHECK(points[k].y > points[k - 1].y - 1e-6);
    // Between its ends a line stands straight beside the boxes of each rank that it passes.
    for (size_t k = 1; k + 2 < points.size() && !l.routes[i].direct; k += 2) {
      CHECK(on_edge(points[k].x, points[k + 1].x));
      for (const Placed& b : l.boxes) {
        if (on_edge(b.y, points[k].y)) CHECK((points[k].x < b.x || points[k].x > b.x + o.box_width));
      }
    }
  }
}

TEST_CASE("boxes never overlap, and every line leads from its box down to its box") {
  for (unsigned seed = 1; seed <= 6; ++seed) {
    std::vector<Arc> arcs = network(60, seed);
    LayoutOptions options;
    check_drawing(lay_out(60, arcs, options), arcs, options);
  }
}

TEST_CASE("a chain is one straight column") {
  std::vector<Arc> arcs;
  for (int i = 0; i + 1 < 40; ++i) arcs.push_back({i, i + 1});
  Layout l = lay_out(40, arcs);
  for (const Placed& b : l.boxes) CHECK(on_edge(b.x, 0));
  for (const Route& r : l.routes) CHECK(r.points.size() == 2);
}

TEST_CASE("a residual block keeps its chain straight and passes the shortcut beside it") {
  const std::vector<Arc> arcs = {{0, 1}, {1, 2}, {2, 3}, {0, 3}, {3, 4}};
  Layout l = lay_out(5, arcs);
  CHECK(on_edge(l.boxes[1].x, l.boxes[2].x));
  CHECK(std::abs(l.boxes[0].x - l.boxes[1].x) < 40);
  CHECK(l.routes[3].points.size() == 6);
  check_drawing(l, arcs, {});
}

TEST_CASE("crossings that need not be are gone") {
  // Two columns whose second ranks come in the other order.
  const std::vector<Arc> arcs = {{0, 3}, {1, 2}, {2, 5}, {3, 4}};
  Layers layers = make_layers(rank_boxes(6, arcs), arcs, 1000);
  order_ranks(layers);
  CHECK(crossings(layers) == 0);
}

TEST_CASE("crossings are counted as pairs of lines") {
  const std::vector<Arc> arcs = {{0, 2}, {0, 3}, {1, 2}, {1, 3}};
  Layers layers = make_layers(rank_boxes(4, arcs), arcs, 1000);
  layers.ranks = {{0, 1}, {2, 3}};
  CHECK(crossings(layers) == 1);
  order_ranks(layers);
  CHECK(crossings(layers) == 1);
}

TEST_CASE("a box without anything above stands right above what uses it") {
  const std::vector<Arc> arcs = {{0, 1}, {1, 2}, {2, 4}, {3, 4}};
  CHECK(rank_boxes(5, arcs) == std::vector<int>{0, 1, 2, 2, 3});
}

TEST_CASE("when there are too many long lines, the longest are drawn directly") {
  std::vector<Arc> arcs;
  for (int i = 0; i + 1 < 30; ++i) arcs.push_back({i, i + 1});
  arcs.push_back({0, 29});
  arcs.push_back({3, 6});
  LayoutOptions options;
  options.bends_max = 10;
  Layout l = lay_out(30, arcs, options);
  CHECK(l.routes[29].direct);
  CHECK(l.routes[29].points.size() == 2);
  CHECK_FALSE(l.routes[30].direct);
  check_drawing(l, arcs, options);
}

TEST_CASE("arcs that lead up or out of the graph are left out") {
  const std::vector<Arc> arcs = {{1, 0}, {0, 7}, {-1, 1}, {1, 1}, {0, 1}};
  Layout l = lay_out(2, arcs);
  for (size_t i = 0; i < 4; ++i) CHECK(l.routes[i].points.empty());
  CHECK(l.routes[4].points.size() == 2);
  CHECK(lay_out(0, arcs).boxes.empty());
}

TEST_CASE("five thousand boxes are placed without a bend too many") {
  std::vector<Arc> arcs = network(5000, 9);
  Layout l = lay_out(5000, arcs);
  CHECK(l.boxes.size() == 5000);
  CHECK(std::ranges::none_of(l.routes, [](const Route& r) { return r.direct; }));
}

}  // namespace
}  // namespace oree
