// SPDX-License-Identifier: Apache-2.0
#include "model/eval/thermal.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace oree {

void ThermalLog::add(const SystemReading& reading, int64_t time_ns, bool computing) {
  ThermalReading r{time_ns, reading.temperature_celsius, std::nullopt, reading.throttled, reading.load_1min};
  std::optional<FrequencySpread> spread = frequency_spread(reading);
  if (spread && computing) r.mhz = spread->mhz_max;
  Summary& s = summary_;
  if (s.count == 0) first_ns_ = time_ns;
  s.seconds = static_cast<double>(time_ns - first_ns_) / 1e9;
  if (r.temperature_celsius) {
    if (!s.celsius_start) s.celsius_start = r.temperature_celsius;
    s.celsius_max = std::max(s.celsius_max.value_or(*r.temperature_celsius), *r.temperature_celsius);
    s.celsius_end = r.temperature_celsius;
  }
  if (r.mhz) {
    s.mhz_max = std::max(s.mhz_max.value_or(*r.mhz), *r.mhz);
    s.mhz_min = std::min(s.mhz_min.value_or(*r.mhz), *r.mhz);
    if (*s.mhz_max > 0) s.frequency_drop = 1 - *s.mhz_min / *s.mhz_max;
  }
  if (r.throttled) {
    ++could_tell_;
    throttled_ += *r.throttled ? 1 : 0;
    s.throttled = throttled_ > 0;
    s.throttled_share = static_cast<double>(throttled_) / static_cast<double>(could_tell_);
  }
  for (const CpuFrequency& f : reading.frequencies) {
    if (f.governor.empty() || ("," + s.governors + ",").find("," + f.governor + ",") != std::string::npos) continue;
    s.governors += (s.governors.empty() ? "" : ",") + f.governor;
  }
  if (s.count++ % stride_ != 0) return;
  readings_.push_back(r);
  if (readings_.size() < kThermalReadingsMax) return;
  for (size_t i = 0; i < readings_.size() / 2; ++i) readings_[i] = readings_[2 * i];
  readings_.resize(readings_.size() / 2);
  stride_ *= 2;
}

Json ThermalLog::to_json() const {
  const Summary& s = summary_;
  Json list = Json::array();
  for (const ThermalReading& r : readings_) {
    list.push(Json()
                  .set("seconds", static_cast<double>(r.time_ns - first_ns_) / 1e9)
                  .set("temperature_celsius", r.temperature_celsius)
                  .set("mhz", r.mhz)
                  .set("throttled", r.throttled)
                  .set("load_1min", r.load_1min));
  }
  return Json()
      .set("count", s.count)
      .set("seconds", s.seconds)
      .set("celsius_start", s.celsius_start)
      .set("celsius_max", s.celsius_max)
      .set("celsius_end", s.celsius_end)
      .set("mhz_max", s.mhz_max)
      .set("mhz_min", s.mhz_min)
      .set("frequency_drop", s.frequency_drop)
      .set("throttled", s.throttled)
      .set("throttled_share", s.throttled_share)
      .set("governors", s.governors)
      .set("readings", list);
}

std::string ThermalLog::text() const {
  const Summary& s = summary_;
  std::string text;
  auto add = [&](const std::string& part) { text += (text.empty() ? "" : ", ") + part; };
  if (s.celsius_start)
    add(fmt::format("{:.0f} °C at the start, {:.0f} at most, {:.0f} at the end", *s.celsius_start, *s.celsius_max,
                    *s.celsius_end));
  if (s.mhz_max) add(fmt::format("{:.0f} to {:.0f} MHz", *s.mhz_min, *s.mhz_max));
  if (!s.governors.empty()) add("governor " + s.governors);
  if (s.throttled)
    add(*s.throttled ? fmt::format("throttled in {:.0f} % of the readings", 100 * s.throttled_share) : "not throttled");
  return text;
}

namespace {

// Logarithms of the values, and the two sides of the fit.
struct TwoWay {
  struct Cell {
    size_t candidate, round;
    double value;
  };
  std::vector<Cell> cells;
  std::vector<std::vector<size_t>> of_candidate, of_round;  // indices of cells
  std::vector<double> time, factor;                         // logarithms

  double residual(const Cell& cell) const { return cell.value - time[cell.candidate] - factor[cell.round]; }
};

double mean(std::vector<double>& values) {
  double sum = 0;
  for (double v : values) sum += v;
  return sum / static_cast<double>(values.size());
}

double median(std::vector<double>& values) {
  size_t half = values.size() / 2;
  std::nth_element(values.begin(), values.begin() + static_cast<ptrdiff_t>(half), values.end());
  if (values.size() % 2 == 1) return values[half];
  double below = *std::max_element(values.begin(), values.begin() + static_cast<ptrdiff_t>(half));
  return (values[half] + below) / 2;
}

// Moves what the residuals of each row have in common into the row's own parameter. The largest move.
template <typename Centre>
double sweep_side(TwoWay& fit, const std::vector<std::vector<size_t>>& rows, std::vector<double>& parameter,
                  Centre centre) {
  double largest = 0;
  std::vector<double> residuals;
  for (size_t i = 0; i < rows.size(); ++i) {
    if (rows[i].empty()) continue;
    residuals.clear();
    for (size_t cell : rows[i]) residuals.push_back(fit.residual(fit.cells[cell]));
    double move = centre(residuals);
    parameter[i] += move;
    largest = std::max(largest, std::fabs(move));
  }
  return largest;
}

template <typename Centre>
void fit_by(TwoWay& fit, Centre centre, int sweeps_max) {
  for (int i = 0; i < sweeps_max; ++i) {
    double moved = sweep_side(fit, fit.of_candidate, fit.time, centre);
    moved = std::max(moved, sweep_side(fit, fit.of_round, fit.factor, centre));
    if (moved < 1e-9) return;
  }
}

TwoWay two_way(const RoundMedians& medians) {
  TwoWay fit;
  size_t rounds = 0;
  for (const auto& row : medians) rounds = std::max(rounds, row.size());
  fit.of_candidate.resize(medians.size());
  fit.of_round.resize(rounds);
  fit.time.assign(medians.size(), 0);
  fit.factor.assign(rounds, 0);
  for (size_t c = 0; c < medians.size(); ++c) {
    for (size_t r = 0; r < medians[c].size(); ++r) {
      if (!medians[c][r] || !(*medians[c][r] > 0)) continue;
      fit.of_candidate[c].push_back(fit.cells.size());
      fit.of_round[r].push_back(fit.cells.size());
      fit.cells.push_back({c, r, std::log(*medians[c][r])});
    }
  }
  return fit;
}

// Rounds that are tied together by candidates, as a group's number each; the largest group has the number that is
// returned.
size_t largest_group(const TwoWay& fit, std::vector<size_t>& group_of_round) {
  constexpr size_t kNone = SIZE_MAX;
  group_of_round.assign(fit.of_round.size(), kNone);
  size_t best = kNone, best_size = 0, groups = 0;
  for (size_t start = 0; start < fit.of_round.size(); ++start) {
    if (group_of_round[start] != kNone || fit.of_round[start].empty()) continue;
    std::vector<size_t> pending{start};
    std::vector<bool> seen(fit.of_candidate.size());
    group_of_round[start] = groups;
    size_t size = 0;
    while (!pending.empty()) {
      size_t round = pending.back();
      pending.pop_back();
      ++size;
      for (size_t cell : fit.of_round[round]) {
        size_t candidate = fit.cells[cell].candidate;
        if (seen[candidate]) continue;
        seen[candidate] = true;
        for (size_t other : fit.of_candidate[candidate]) {
          size_t next = fit.cells[other].round;
          if (group_of_round[next] != kNone) continue;
          group_of_round[next] = groups;
          pending.push_back(next);
        }
      }
    }
    if (size > best_size) {
      best = groups;
      best_size = size;
    }
    ++groups;
  }
  return best;
}

// The lower median of the sorted factors: a state that the machine was in, which the mean of two states is not.
// Averaged with those that are its like within 2 %, so that one round's noise does not go into every figure.
double median_state(const std::vector<double>& sorted) {
  double middle = sorted[(sorted.size() - 1) / 2], sum = 0;
  int alike = 0;
  for (double factor : sorted) {
    if (std::fabs(factor - middle) > 0.02) continue;
    sum += factor;
    ++alike;
  }
  return sum / alike;
}

constexpr int kLeastSquaresSweepsMax = 2000;  // seldom more than a few; more where candidates share few rounds
constexpr int kPolishSweepsMax = 50;

}  // namespace

DriftCorrection correct_drift(const RoundMedians& medians) {
  TwoWay fit = two_way(medians);
  DriftCorrection out;
  out.round_factor.resize(fit.of_round.size());
  out.corrected.resize(medians.size());
  if (fit.cells.empty()) return out;
  fit_by(fit, mean, kLeastSquaresSweepsMax);
  fit_by(fit, median, kPolishSweepsMax);
  std::vector<size_t> group;
  size_t largest = largest_group(fit, group);
  std::vector<double> factors;
  for (size_t r = 0; r < group.size(); ++r) {
    if (group[r] == largest) factors.push_back(fit.factor[r]);
  }
  std::sort(factors.begin(), factors.end());
  double reference = median_state(factors);
  size_t slow = 0;
  for (size_t r = 0; r < group.size(); ++r) {
    if (group[r] != largest) continue;
    double factor = std::exp(fit.factor[r] - reference);
    out.round_factor[r] = factor;
    out.slowest = std::max(out.slowest, factor);
    slow += factor > 1.05 ? 1 : 0;
  }
  out.slow_share = static_cast<double>(slow) / static_cast<double>(factors.size());
  for (size_t c = 0; c < medians.size(); ++c) {
    if (fit.of_candidate[c].empty()) continue;
    bool tied = group[fit.cells[fit.of_candidate[c][0]].round] == largest;
    if (tied) out.corrected[c] = std::exp(fit.time[c] + reference);
  }
  return out;
}

}  // namespace oree
