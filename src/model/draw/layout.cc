// SPDX-License-Identifier: Apache-2.0
#include "model/draw/layout.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "model/draw/layers.h"

namespace oree {
namespace {

// Where the lines reach the top of each box: side by side, in the order in which they come.
class Entries {
 public:
  Entries(const Layers& layers, size_t boxes, double box_width) : x_(boxes) {
    for (size_t box = 0; box < boxes; ++box) {
      const Place& p = layers.places[box];
      std::vector<int> order;
      for (const Link& l : p.above) order.push_back(l.place);
      std::ranges::stable_sort(order, {}, [&](int id) { return layers.places[static_cast<size_t>(id)].x; });
      const auto n = static_cast<double>(order.size());
      const double step = std::min(22.0, box_width * 0.8 / std::max(1.0, n));
      for (size_t i = 0; i < order.size(); ++i) {
        x_[box][order[i]] = p.x + step * (static_cast<double>(i) - (n - 1) / 2);
      }
    }
  }
  double at(int box, int from, double otherwise) const {
    const std::map<int, double>& known = x_[static_cast<size_t>(box)];
    auto found = known.find(from);
    return found == known.end() ? otherwise : found->second;
  }

 private:
  std::vector<std::map<int, double>> x_;  // by box: by the place that its line comes from
};

// Tops of the ranks, and the bottom of the last. Lines that go far across get more room to do it in.
std::vector<double> tops(const Layers& layers, const LayoutOptions& options) {
  std::vector<double> y(layers.ranks.size() + 1, 0);
  for (size_t r = 0; r < layers.ranks.size(); ++r) {
    double across = 0;
    for (int id : layers.ranks[r]) {
      const Place& p = layers.places[static_cast<size_t>(id)];
      for (const Link& l : p.below) {
        across = std::max(across, std::abs(p.x - layers.places[static_cast<size_t>(l.place)].x));
      }
    }
    y[r + 1] = y[r] + options.box_height + options.gap_y + std::min(50.0, across * 0.05);
  }
  return y;
}

}  // namespace

Layout lay_out(int boxes, std::span<const Arc> arcs, const LayoutOptions& options) {
  Layout out;
  out.routes.resize(arcs.size());
  if (boxes <= 0) return out;
  Layers layers = make_layers(rank_boxes(boxes, arcs), arcs, options.bends_max);
  order_ranks(layers);
  place_across(layers, options);

  double left = std::numeric_limits<double>::max(), right = std::numeric_limits<double>::lowest();
  for (const Place& p : layers.places) {
    const double half = p.box ? options.box_width / 2 : 0;
    left = std::min(left, p.x - half);
    right = std::max(right, p.x + half);
  }
  for (Place& p : layers.places) p.x -= left;
  out.width = right - left;
  const std::vector<double> y = tops(layers, options);
  out.height = y[y.size() - 2] + options.box_height;
  for (int i = 0; i < boxes; ++i) {
    const Place& p = layers.places[static_cast<size_t>(i)];
    out.boxes.push_back({p.x - options.box_width / 2, y[static_cast<size_t>(p.rank)], p.rank});
  }
  const Entries entries(layers, static_cast<size_t>(boxes), options.box_width);
  for (size_t i = 0; i < arcs.size(); ++i) {
    const Arc& a = arcs[i];
    if (a.from < 0 || a.from >= a.to || a.to >= boxes) continue;
    const Place &from = layers.places[static_cast<size_t>(a.from)], &to = layers.places[static_cast<size_t>(a.to)];
    const std::vector<int>& chain = layers.chain[static_cast<size_t>(a.from)];
    const auto between = static_cast<size_t>(to.rank - from.rank - 1);
    Route& route = out.routes[i];
    route.direct = chain.size() < between;
    route.points.push_back({from.x, y[static_cast<size_t>(from.rank)] + options.box_height});
    for (size_t k = 0; k < between && !route.direct; ++k) {
      const Place& bend = layers.places[static_cast<size_t>(chain[k])];
      const double top = y[static_cast<size_t>(bend.rank)];
      route.points.push_back({bend.x, top});
      route.points.push_back({bend.x, top + options.box_height});
    }
    const int last = between == 0 || route.direct ? a.from : chain[between - 1];
    route.points.push_back({entries.at(a.to, last, to.x), y[static_cast<size_t>(to.rank)]});
  }
  return out;
}

}  // namespace oree
