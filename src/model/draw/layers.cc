// SPDX-License-Identifier: Apache-2.0
#include "model/draw/layers.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <numeric>

namespace oree {
namespace {

bool drawn(const Arc& arc, int boxes) { return arc.from >= 0 && arc.from < arc.to && arc.to < boxes; }

// The longest way down from each box, and the longest to it, in lines.
std::vector<int> heights(const std::vector<std::vector<int>>& below) {
  std::vector<int> height(below.size(), 0);
  for (size_t i = below.size(); i-- > 0;) {
    for (int to : below[i]) height[i] = std::max(height[i], height[static_cast<size_t>(to)] + 1);
  }
  return height;
}
std::vector<int> depths(const std::vector<std::vector<int>>& below) {
  std::vector<int> depth(below.size(), 0);
  for (size_t i = 0; i < below.size(); ++i) {
    for (int to : below[i]) depth[static_cast<size_t>(to)] = std::max(depth[static_cast<size_t>(to)], depth[i] + 1);
  }
  return depth;
}

}  // namespace

std::vector<int> rank_boxes(int boxes, std::span<const Arc> arcs) {
  const auto n = static_cast<size_t>(boxes);
  std::vector<int> rank(n, 0), above(n, 0);
  std::vector<std::vector<int>> below(n);
  for (const Arc& a : arcs) {
    if (!drawn(a, boxes)) continue;
    below[static_cast<size_t>(a.from)].push_back(a.to);
    ++above[static_cast<size_t>(a.to)];
  }
  for (size_t i = 0; i < n; ++i) {
    for (int to : below[i]) rank[static_cast<size_t>(to)] = std::max(rank[static_cast<size_t>(to)], rank[i] + 1);
  }
  for (size_t i = n; i-- > 0;) {
    if (below[i].empty() || static_cast<size_t>(above[i]) >= below[i].size()) continue;
    int lowest = rank[static_cast<size_t>(below[i][0])];
    for (int to : below[i]) lowest = std::min(lowest, rank[static_cast<size_t>(to)]);
    rank[i] = std::max(rank[i], lowest - 1);
  }
  // No rank stays empty.
  std::vector<int> used(rank);
  std::ranges::sort(used);
  used.erase(std::unique(used.begin(), used.end()), used.end());
  for (int& r : rank) r = static_cast<int>(std::ranges::lower_bound(used, r) - used.begin());
  return rank;
}

Layers make_layers(std::vector<int> ranks, std::span<const Arc> arcs, size_t bends_max) {
  // The longest way through the graph is straight before anything else, then chains, then long lines.
  constexpr double kSpine = 2000, kChain = 10, kBoxes = 2, kBends = 2, kMixed = 1;
  Layers out;
  const size_t n = ranks.size();
  std::vector<int> last(n, 0);  // the lowest rank that a box's line reaches
  std::vector<std::vector<int>> targets(n);
  for (const Arc& a : arcs) {
    if (!drawn(a, static_cast<int>(n))) continue;
    last[static_cast<size_t>(a.from)] = std::max(last[static_cast<size_t>(a.from)], ranks[static_cast<size_t>(a.to)]);
    targets[static_cast<size_t>(a.from)].push_back(a.to);
  }
  const std::vector<int> height = heights(targets);
  const std::vector<int> depth = depths(targets);
  const int longest = n == 0 ? 0 : *std::ranges::max_element(height);
  out.places.resize(n);
  for (size_t i = 0; i < n; ++i) out.places[i].rank = ranks[i];
  out.chain.resize(n);
  auto link = [&](int upper, int lower, double pull) {
    out.places[static_cast<size_t>(upper)].below.push_back({lower, pull});
    out.places[static_cast<size_t>(lower)].above.push_back({upper, pull});
  };
  // The short lines first: when room runs out it is the longest that go without.
  std::vector<size_t> by_length(n);
  std::iota(by_length.begin(), by_length.end(), 0);
  std::ranges::stable_sort(by_length, {}, [&](size_t i) { return last[i] - ranks[i]; });
  size_t bends = 0;
  for (size_t i : by_length) {
    const int length = std::max(0, last[i] - ranks[i] - 1);
    const bool fits = bends + static_cast<size_t>(length) <= bends_max;
    if (fits) bends += static_cast<size_t>(length);
    int previous = static_cast<int>(i);
    for (int k = 0; fits && k < length; ++k) {
      Place bend;
      bend.rank = ranks[i] + 1 + k;
      bend.box = false;
      out.places.push_back(bend);
      const int id = static_cast<int>(out.places.size()) - 1;
      out.chain[i].push_back(id);
      link(previous, id, previous < static_cast<int>(n) ? kMixed : kBends);
      previous = id;
    }
    std::ranges::sort(targets[i]);
    targets[i].erase(std::unique(targets[i].begin(), targets[i].end()), targets[i].end());
    for (int to : targets[i]) {
      const int between = ranks[static_cast<size_t>(to)] - ranks[i] - 1;
      const auto t = static_cast<size_t>(to);
      const bool chain = height[t] + 1 == height[i] && depth[i] + 1 == depth[t];
      const bool spine = chain && depth[t] + height[t] == longest;
      if (between == 0) link(static_cast<int>(i), to, spine ? kSpine : chain ? kChain : kBoxes);
      if (between > 0 && fits) link(out.chain[i][static_cast<size_t>(between) - 1], to, kMixed);
    }
  }
  return out;
}

namespace {

// A long line goes straight down as far as its neighbours leave room, then aside once, rather than a little everywhere.
void straighten(Layers& layers, const std::vector<int>& chain, const std::vector<size_t>& index,
                const std::function<double(int)>& width) {
  auto x = [&](int id) -> double& { return layers.places[static_cast<size_t>(id)].x; };
  double low = 0, high = 0, sum = 0;
  size_t begin = 0;
  auto settle = [&](size_t end) {
    const double at = std::clamp(sum / static_cast<double>(end - begin), low, high);
    for (size_t i = begin; i < end; ++i) x(chain[i]) = at;
  };
  for (size_t i = 0; i < chain.size(); ++i) {
    const int id = chain[i];
    const std::vector<int>& rank = layers.ranks[static_cast<size_t>(layers.places[static_cast<size_t>(id)].rank)];
    const size_t k = index[static_cast<size_t>(id)];
    auto room = [&](int other) { return (width(id) + width(other)) / 2; };
    const double left = k == 0 ? std::numeric_limits<double>::lowest() : x(rank[k - 1]) + room(rank[k - 1]);
    const double right = k + 1 == rank.size() ? std::numeric_limits<double>::max() : x(rank[k + 1]) - room(rank[k + 1]);
    if (left > right) return;  // rounding left no room at all: it stays as it is
    if (i > begin && std::max(low, left) <= std::min(high, right)) {
      low = std::max(low, left);
      high = std::min(high, right);
    } else {
      if (i > begin) settle(i);
      begin = i;
      sum = 0;
      low = left;
      high = right;
    }
    sum += x(id);
  }
  if (begin < chain.size()) settle(chain.size());
}

}  // namespace

void place_across(Layers& layers, const LayoutOptions& options) {
  const double bend = 14;
  auto width = [&](int id) {
    return (layers.places[static_cast<size_t>(id)].box ? options.box_width : bend) + options.gap_x;
  };
  for (std::vector<int>& rank : layers.ranks) {
    double x = 0;
    for (int id : rank) {
      layers.places[static_cast<size_t>(id)].x = x + width(id) / 2;
      x += width(id);
    }
    for (int id : rank) layers.places[static_cast<size_t>(id)].x -= x / 2;
  }
  // As near to where their neighbours want them as the order allows: least squares under x[i+1] - x[i] >= the room
  // both need, which is an isotonic regression once that room is taken off (pool adjacent violators).
  struct Pool {
    double sum, weight;
    size_t count;
    double mean() const { return sum / weight; }
  };
  auto settle = [&](const std::vector<int>& rank, bool use_above, bool use_below) {
    std::vector<Pool> pools;
    std::vector<double> offset(rank.size(), 0);
    for (size_t i = 0; i < rank.size(); ++i) {
      if (i > 0) offset[i] = offset[i - 1] + (width(rank[i - 1]) + width(rank[i])) / 2;
      const Place& p = layers.places[static_cast<size_t>(rank[i])];
      double sum = 0, weight = 0;
      auto pull = [&](const std::vector<Link>& links) {
        for (const Link& l : links) {
          sum += l.pull * layers.places[static_cast<size_t>(l.place)].x;
          weight += l.pull;
        }
      };
      if (use_above) pull(p.above);
      if (use_below) pull(p.below);
      if (weight == 0) sum = 0.01 * p.x, weight = 0.01;
      pools.push_back({sum - weight * offset[i], weight, 1});
      while (pools.size() > 1 && pools[pools.size() - 2].mean() >= pools.back().mean()) {
        Pool& into = pools[pools.size() - 2];
        into.sum += pools.back().sum;
        into.weight += pools.back().weight;
        into.count += pools.back().count;
        pools.pop_back();
      }
    }
    size_t i = 0;
    for (const Pool& pool : pools) {
      for (size_t k = 0; k < pool.count; ++k, ++i) {
        layers.places[static_cast<size_t>(rank[i])].x = pool.mean() + offset[i];
      }
    }
  };
  const int rounds = layers.places.size() > 20000 ? 8 : layers.places.size() > 2000 ? 24 : 80;
  for (int round = 0; round < rounds; ++round) {
    const bool both = round >= rounds / 4;
    for (const auto& rank : layers.ranks) settle(rank, true, both);
    for (size_t r = layers.ranks.size(); r-- > 0;) settle(layers.ranks[r], both, true);
  }
  for (const auto& rank : layers.ranks) settle(rank, true, true);
  std::vector<size_t> index(layers.places.size(), 0);
  for (const auto& rank : layers.ranks) {
    for (size_t i = 0; i < rank.size(); ++i) index[static_cast<size_t>(rank[i])] = i;
  }
  for (const auto& chain : layers.chain) straighten(layers, chain, index, width);
}

}  // namespace oree
