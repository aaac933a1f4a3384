// SPDX-License-Identifier: Apache-2.0
#include "optimize/quantize/rounding.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "optimize/quantize/loops.h"
#include "optimize/quantize/weights.h"

namespace oree {
namespace {

constexpr size_t kBlock = 32;             // rows, or channels, that share one look at a row
constexpr size_t kPairedInputsMax = 300;  // trying pairs takes k^2 for each channel
constexpr int kPairingsMax = 4;           // and so often at most
constexpr double kGainMin = 1e-9;         // of the error: a smaller gain is the arithmetic's last bits

// What rows `from` to `to` of R have of row i of G, taken off it.
void take_rows(std::vector<double>& g, size_t k, size_t from, size_t to, size_t i) {
  double by[kBlock];
  for (size_t p = from; p < to; ++p) by[p - from] = -g[p * k + i];
  add_scaled_rows(&g[i * k + i], &g[from * k + i], k, by, to - from, k - i);
}

// G = R' R in place of G's upper triangle; false when G is not positive definite.
bool factorize(std::vector<double>& g, size_t k) {
  for (size_t begin = 0; begin < k; begin += kBlock) {
    size_t end = std::min(k, begin + kBlock);
    // Those above, some at a time, which then stay in the cache.
    for (size_t above = 0; above < begin; above += kBlock) {
      for (size_t i = begin; i < end; ++i) take_rows(g, k, above, above + kBlock, i);
    }
    for (size_t i = begin; i < end; ++i) {
      double* row = &g[i * k];
      take_rows(g, k, begin, i, i);
      if (!(row[i] > 0)) return false;
      double inverse = 1 / std::sqrt(row[i]);
      for (size_t j = i; j < k; ++j) row[j] *= inverse;
    }
  }
  return true;
}

class Rounder {
 public:
  Rounder(std::span<const float> weights, size_t channels, size_t k, std::span<const float> gram,
          std::span<const float> scales, const IntegerGrid& grid, const RoundingOptions& options)
      : weights_(weights), channels_(channels), k_(k), gram_(gram), scales_(scales), grid_(grid), options_(options) {
    double trace = 0;
    for (size_t i = 0; i < k; ++i) trace += gram[i * k + i];
    damping_ = options.damping * trace / static_cast<double>(k);
    for (size_t i = 0; i < k; ++i) {
      diagonal_.push_back(static_cast<double>(gram[i * k + i]) + damping_);
      float most = 0;
      for (size_t j = 0; j < k; ++j) {
        if (j != i) most = std::max(most, std::abs(gram[i * k + j]));
      }
      ties_.push_back(most);
    }
  }

  std::vector<int32_t> run() {
    std::vector<int32_t> nearest(weights_.size());
    for (size_t c = 0; c < channels_; ++c) {
      for (size_t i = 0; i < k_; ++i) {
        const size_t at = c * k_ + i, j = neighbour(i);
        nearest[at] = integer(c, weights_[at]);
        if (j >= i) continue;
        const size_t other = c * k_ + j;
        settle_pair(nearest[other], nearest[at], weights_[other] / scales_[c], weights_[at] / scales_[c]);
      }
    }
    std::vector<int32_t> planes = nearest;
    bool definite = nearest_planes(planes);
    for (size_t begin = 0; begin < channels_; begin += kBlock) {
      const size_t end = std::min(channels_, begin + kBlock);
      std::vector<State> of_nearest = states(begin, end, nearest), of_planes;
      if (definite) of_planes = states(begin, end, planes);
      for (size_t c = begin; c < end; ++c) {
        std::span<int32_t> a(&nearest[c * k_], k_), b(&planes[c * k_], k_);
        State& of_a = of_nearest[c - begin];
        if (definite && polish(c, b, of_planes[c - begin]) <= of_a.error) {
          std::ranges::copy(b, a.begin());
        } else {
          polish(c, a, of_a);
        }
      }
    }
    return nearest;
  }

 private:
  // The other one of a pair; k_ when there is none.
  size_t neighbour(size_t i) const {
    const auto distance = static_cast<size_t>(options_.pair_distance);
    if (distance == 0) return k_;
    return std::min(k_, ((i / distance) ^ 1) * distance + i % distance);
  }
  int32_t integer(size_t c, double real) const {
    return static_cast<int32_t>(to_integer(real, {scales_[c], 0}, grid_));
  }
  double real(size_t c, int32_t integer) const { return to_real(integer, {scales_[c], 0}); }

  // Inputs in such an order that the strongest is chosen first, while all others can still make up for it.
  bool nearest_planes(std::vector<int32_t>& integers) const {
    std::vector<size_t> order(k_);
    std::iota(order.begin(), order.end(), size_t{0});
    std::ranges::stable_sort(order, [&](size_t a, size_t b) { return diagonal_[a] < diagonal_[b]; });
    std::vector<double> r(k_ * k_, 0);
    for (size_t i = 0; i < k_; ++i) {
      for (size_t j = i; j < k_; ++j) r[i * k_ + j] = gram_[order[i] * k_ + order[j]];
      r[i * k_ + i] += damping_;
    }
    if (!factorize(r, k_)) return false;
    std::vector<double> errors(kBlock * k_);
    for (size_t begin = 0; begin < channels_; begin += kBlock) {
      size_t count = std::min(kBlock, channels_ - begin);
      for (size_t i = k_; i-- > 0;) {
        for (size_t b = 0; b < count; ++b) {
          size_t c = begin + b, at = c * k_ + order[i];
          double* e = &errors[b * k_];
          double pull = dot(&r[i * k_ + i + 1], e + i + 1, k_ - i - 1) / r[i * k_ + i];
          integers[at] = integer(c, weights_[at] - pull);
          if (size_t j = neighbour(order[i]); j < k_) {
            int32_t other = integers[c * k_ + j];  // stays
            while (!pair_fits(integers[at], other)) integers[at] += integers[at] > 0 ? -1 : 1;
          }
          e[i] = real(c, integers[at]) - weights_[at];
        }
      }
    }
    return true;
  }

  // What a channel's integers are off by.
  struct State {
    std::vector<double> slope;  // half the error's derivative by each weight
    double error = 0;           // damping included
  };

  // Of some channels at once: the matrix, which may not fit into the cache, is gone through once for all of them.
  std::vector<State> states(size_t begin, size_t end, std::span<const int32_t> integers) const {
    std::vector<State> found(end - begin);
    for (State& s : found) s.slope.assign(k_, 0);
    auto off = [&](size_t c, size_t i) { return real(c, integers[c * k_ + i]) - weights_[c * k_ + i]; };
    for (size_t from = 0; from < k_; from += kBlock) {
      const size_t rows = std::min(kBlock, k_ - from);
      for (size_t c = begin; c < end; ++c) {
        double by[kBlock];
        for (size_t r = 0; r < rows; ++r) by[r] = off(c, from + r);
        add_scaled_rows(found[c - begin].slope.data(), &gram_[from * k_], k_, by, rows, k_);
      }
    }
    for (size_t c = begin; c < end; ++c) {
      State& s = found[c - begin];
      for (size_t i = 0; i < k_; ++i) {
        s.slope[i] += damping_ * off(c, i);
        s.error += s.slope[i] * off(c, i);
      }
    }
    return found;
  }

  // Steps of a channel's integers until no one, nor two together, are a gain; the error.
  double polish(size_t c, std::span<int32_t> integers, State& state) const {
    auto& [slope, error] = state;
    int pairings = 0;
    for (int pass = 0; pass < options_.passes_max; ++pass) {
      bool moved = false;
      for (size_t i = 0; i < k_; ++i) moved = step_one(c, i, integers, slope, error) || moved;
      if (!moved && k_ <= kPairedInputsMax && pairings++ < kPairingsMax) {
        for (size_t i = 0; i < k_; ++i) {
          for (int by : {-1, 1}) moved = step_two(c, i, by, integers, slope, error) || moved;
        }
      }
      if (!moved) break;
    }
    return error;
  }

  bool fits(size_t i, int32_t integer, std::span<const int32_t> integers) const {
    const size_t j = neighbour(i);
    return integer >= grid_.low && integer <= grid_.high && (j == k_ || pair_fits(integer, integers[j]));
  }

  // What the error grows by when a weight of that slope moves a step.
  double cost(size_t i, double slope, int by, double step) const {
    return 2 * step * by * slope + step * step * diagonal_[i];
  }

  void move(size_t c, size_t i, int by, std::span<int32_t> integers, std::vector<double>& slope) const {
    double step = by * static_cast<double>(scales_[c]);
    integers[i] += by;
    add_scaled(slope.data(), &gram_[i * k_], step, k_);
    slope[i] += damping_ * step;
  }

  bool step_one(size_t c, size_t i, std::span<int32_t> integers, std::vector<double>& slope, double& error) const {
    int by = slope[i] > 0 ? -1 : 1;
    double change = cost(i, slope[i], by, scales_[c]);
    if (change >= -kGainMin * error || !fits(i, integers[i] + by, integers)) return false;
    move(c, i, by, integers, slope);
    error += change;
    return true;
  }

  // That weight's step and the one that best goes with it, when neither is a gain alone.
  bool step_two(size_t c, size_t i, int by, std::span<int32_t> integers, std::vector<double>& slope,
                double& error) const {
    if (!fits(i, integers[i] + by, integers)) return false;
    const double step = scales_[c], first = cost(i, slope[i], by, step);
    // No step alone is a gain, so that of a pair is due to what ties the two.
    if (first >= 2 * step * step * ties_[i]) return false;
    const float* row = &gram_[i * k_];
    double best = -kGainMin * error;
    // Most have none: seen at a glance, whatever fits.
    if (first + least_change(slope.data(), row, by * step, step, diagonal_.data(), k_) >= best) return false;
    size_t with = k_, pair = neighbour(i);
    int with_by = 0;
    for (size_t j = 0; j < k_; ++j) {
      double after = slope[j] + by * step * static_cast<double>(row[j]);
      int back = after > 0 ? -1 : 1;
      double change = first + cost(j, after, back, step);
      if (change >= best || j == i || !fits(j, integers[j] + back, integers)) continue;
      if (j == pair && !pair_fits(integers[i] + by, integers[j] + back)) continue;
      best = change;
      with = j;
      with_by = back;
    }
    if (with == k_) return false;
    move(c, i, by, integers, slope);
    move(c, with, with_by, integers, slope);
    error += best;
    return true;
  }

  std::span<const float> weights_;
  size_t channels_, k_;
  std::span<const float> gram_, scales_;
  const IntegerGrid& grid_;
  const RoundingOptions& options_;
  double damping_ = 0;
  std::vector<double> diagonal_;  // the matrix's, damped
  std::vector<double> ties_;      // of each input: the largest size of its products with others
};

}  // namespace

std::vector<int32_t> round_to_data(std::span<const float> weights, int64_t channels, int64_t k,
                                   std::span<const float> gram, std::span<const float> scales, const IntegerGrid& grid,
                                   const RoundingOptions& options) {
  OREE_ASSERT(k >= 1 && k <= kRoundedInputsMax && channels >= 0);
  auto c = static_cast<size_t>(channels), n = static_cast<size_t>(k);
  OREE_ASSERT(weights.size() == c * n && gram.size() == n * n && scales.size() == c);
  return Rounder(weights, c, n, gram, scales, grid, options).run();
}

double reconstruction_error(std::span<const float> weights, std::span<const int32_t> integers, int64_t channels,
                            int64_t k, std::span<const float> gram, std::span<const float> scales) {
  auto n = static_cast<size_t>(k);
  double sum = 0;
  std::vector<double> off(n), through(n);
  for (size_t c = 0; c < static_cast<size_t>(channels); ++c) {
    std::ranges::fill(through, 0.0);
    for (size_t i = 0; i < n; ++i) {
      off[i] = to_real(integers[c * n + i], {scales[c], 0}) - static_cast<double>(weights[c * n + i]);
      add_scaled(through.data(), &gram[i * n], off[i], n);
    }
    sum += dot(off.data(), through.data(), n);
  }
  return sum;
}

}  // namespace oree
