// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "model/draw/layers.h"

namespace oree {
namespace {

// Places from left to right as a walk from the top meets them: what hangs together begins side by side.
std::vector<std::vector<int>> first_order(const Layers& layers) {
  int last = 0;
  for (const Place& p : layers.places) last = std::max(last, p.rank);
  std::vector<std::vector<int>> ranks(layers.places.empty() ? 0 : static_cast<size_t>(last) + 1);
  std::vector<bool> met(layers.places.size(), false);
  std::vector<int> open;
  auto visit = [&](int id) {
    if (met[static_cast<size_t>(id)]) return;
    met[static_cast<size_t>(id)] = true;
    ranks[static_cast<size_t>(layers.places[static_cast<size_t>(id)].rank)].push_back(id);
    open.push_back(id);
  };
  for (size_t i = 0; i < layers.places.size(); ++i) {
    if (layers.places[i].above.empty()) visit(static_cast<int>(i));
    while (!open.empty()) {
      const Place& p = layers.places[static_cast<size_t>(open.back())];
      auto next = std::ranges::find_if(p.below, [&](const Link& l) { return !met[static_cast<size_t>(l.place)]; });
      if (next == p.below.end()) {
        open.pop_back();
      } else {
        visit(next->place);
      }
    }
  }
  return ranks;
}

std::vector<double> positions(const Layers& layers) {
  std::vector<double> at(layers.places.size(), 0);
  for (const auto& rank : layers.ranks) {
    for (size_t i = 0; i < rank.size(); ++i) at[static_cast<size_t>(rank[i])] = static_cast<double>(i);
  }
  return at;
}

void sweep(Layers& layers, bool down) {
  std::vector<double> at = positions(layers);
  std::vector<double> wish(layers.places.size(), 0);
  const size_t n = layers.ranks.size();
  for (size_t k = 1; k < n; ++k) {
    std::vector<int>& rank = layers.ranks[down ? k : n - 1 - k];
    for (int id : rank) {
      const Place& p = layers.places[static_cast<size_t>(id)];
      const std::vector<Link>& links = down ? p.above : p.below;
      double sum = 0;
      for (const Link& l : links) sum += at[static_cast<size_t>(l.place)];
      wish[static_cast<size_t>(id)] =
          links.empty() ? at[static_cast<size_t>(id)] : sum / static_cast<double>(links.size());
    }
    std::ranges::stable_sort(rank, {}, [&](int id) { return wish[static_cast<size_t>(id)]; });
    for (size_t i = 0; i < rank.size(); ++i) at[static_cast<size_t>(rank[i])] = static_cast<double>(i);
  }
}

// Crossings of the lines of two places of one rank, the first on the left.
int64_t crossings_of(const std::vector<Link>& left, const std::vector<Link>& right, const std::vector<double>& at) {
  int64_t n = 0;
  for (const Link& l : left) {
    for (const Link& r : right) n += at[static_cast<size_t>(l.place)] > at[static_cast<size_t>(r.place)] ? 1 : 0;
  }
  return n;
}

bool exchange(Layers& layers) {
  constexpr size_t kLinksMax = 64;  // a place with more of them stays where the sweeps put it
  std::vector<double> at = positions(layers);
  bool changed = false;
  for (auto& rank : layers.ranks) {
    for (size_t i = 0; i + 1 < rank.size(); ++i) {
      const Place& a = layers.places[static_cast<size_t>(rank[i])];
      const Place& b = layers.places[static_cast<size_t>(rank[i + 1])];
      if (std::max({a.above.size(), a.below.size(), b.above.size(), b.below.size()}) > kLinksMax) continue;
      const int64_t now = crossings_of(a.above, b.above, at) + crossings_of(a.below, b.below, at);
      const int64_t then = crossings_of(b.above, a.above, at) + crossings_of(b.below, a.below, at);
      if (then >= now) continue;
      std::swap(rank[i], rank[i + 1]);
      std::swap(at[static_cast<size_t>(rank[i])], at[static_cast<size_t>(rank[i + 1])]);
      changed = true;
    }
  }
  return changed;
}

}  // namespace

// Between each two ranks: inversions of the lower ends when lines are taken by their upper ends, by a Fenwick tree.
int64_t crossings(const Layers& layers) {
  const std::vector<double> at = positions(layers);
  int64_t total = 0;
  for (size_t r = 0; r + 1 < layers.ranks.size(); ++r) {
    const size_t lower = layers.ranks[r + 1].size();
    std::vector<int64_t> tree(lower + 1, 0);
    int64_t before = 0;
    std::vector<size_t> ends;
    for (int id : layers.ranks[r]) {
      ends.clear();
      for (const Link& l : layers.places[static_cast<size_t>(id)].below) {
        ends.push_back(static_cast<size_t>(at[static_cast<size_t>(l.place)]));
      }
      for (size_t end : ends) {
        int64_t not_right = 0;
        for (size_t i = end + 1; i > 0; i -= i & (~i + 1)) not_right += tree[i];
        total += before - not_right;
      }
      for (size_t end : ends) {
        for (size_t i = end + 1; i <= lower; i += i & (~i + 1)) ++tree[i];
        ++before;
      }
    }
  }
  return total;
}

void order_ranks(Layers& layers) {
  layers.ranks = first_order(layers);
  std::vector<std::vector<int>> best = layers.ranks;
  int64_t fewest = crossings(layers);
  const int rounds = layers.places.size() > 20000 ? 6 : 24;
  auto keep_better = [&] {
    const int64_t now = crossings(layers);
    if (now >= fewest) return;
    fewest = now;
    best = layers.ranks;
  };
  for (int round = 0; round < rounds && fewest > 0; ++round) {
    sweep(layers, round % 2 == 0);
    keep_better();
  }
  layers.ranks = best;
  for (int round = 0; round < 10 && fewest > 0 && exchange(layers); ++round) keep_better();
  layers.ranks = best;
}

}  // namespace oree
