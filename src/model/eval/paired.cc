// SPDX-License-Identifier: Apache-2.0
#include "model/eval/paired.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>
#include <numeric>
#include <tuple>
#include <utility>
#include <vector>

#include "core/base/result.h"
#include "model/eval/measure.h"
#include "model/eval/noise.h"

namespace oree {
namespace {

constexpr int kDrawsMin = 8000, kDrawsMax = 40'000;
constexpr double kDrawsBeyond = 200;  // a bound, so many of them: fewer and it would rest on chance

bool differ(const F1& a, const F1& b) {
  return a.true_positives != b.true_positives || a.false_positives != b.false_positives ||
         a.false_negatives != b.false_negatives;
}

int64_t objects(const F1& counts) { return counts.true_positives + counts.false_negatives; }

// Objects of the usual sample: what is found or lost in the one that is added.
double usual_objects(std::span<const F1> samples) {
  double sum = 0;
  for (const F1& sample : samples) sum += static_cast<double>(objects(sample));
  return std::max(sum / static_cast<double>(samples.size()), 1e-9);
}

struct Sums {
  double hit = 0, wrong = 0, missed = 0;
  void add(const F1& c, double weight = 1) {
    hit += weight * static_cast<double>(c.true_positives);
    wrong += weight * static_cast<double>(c.false_positives);
    missed += weight * static_cast<double>(c.false_negatives);
  }
  double f1() const {
    double all = 2 * hit + wrong + missed;
    return all > 0 ? 2 * hit / all : 1;
  }
};

// Samples with the same counts.
struct Alike {
  F1 reference, candidate;
  size_t count = 0;
};

std::vector<Alike> group(std::span<const F1> reference, std::span<const F1> candidate) {
  auto key = [](const F1& c) { return std::tuple(c.true_positives, c.false_positives, c.false_negatives); };
  using Key = decltype(key(F1()));
  std::map<std::pair<Key, Key>, Alike> groups;
  for (size_t i = 0; i < reference.size(); ++i) {
    Alike& samples = groups[{key(reference[i]), key(candidate[i])}];
    samples = {reference[i], candidate[i], samples.count + 1};
  }
  std::vector<Alike> out;
  for (const auto& [_, samples] : groups) out.push_back(samples);
  return out;
}

double normal(SeededRandom& random) {  // Box and Muller 1958
  const double radius = std::sqrt(-2 * std::log(1 - random.unit()));
  return radius * std::cos(2 * std::numbers::pi * random.unit());
}

// The sum of so many weights, each of the exponential distribution, is of the gamma distribution: by Marsaglia and
// Tsang 2000.
double weight_of(size_t samples, SeededRandom& random) {
  const double d = static_cast<double>(samples) - 1.0 / 3, c = 1 / std::sqrt(9 * d);
  while (true) {
    const double x = normal(random), root = 1 + c * x, v = root * root * root;
    if (root > 0 && std::log(1 - random.unit()) < x * x / 2 + d - d * v + d * std::log(v)) return d * v;
  }
}

// Drops of reweighted data, ascending, with one sample more that `reference_loses` says who loses.
std::vector<double> draws_of(std::span<const F1> reference, std::span<const F1> candidate, bool classifier,
                             bool reference_loses, double risk, uint64_t seed) {
  const std::vector<Alike> groups = group(reference, candidate);
  const double whole = usual_objects(reference);
  SeededRandom random(seed);
  std::vector<double> drops;
  const int draws = static_cast<int>(std::clamp<double>(kDrawsBeyond / risk, kDrawsMin, kDrawsMax));
  drops.reserve(static_cast<size_t>(draws));
  for (int draw = 0; draw < draws; ++draw) {
    Sums a, b;
    for (const Alike& samples : groups) {
      const double weight = weight_of(samples.count, random);
      a.add(samples.reference, weight);
      b.add(samples.candidate, weight);
    }
    // Where nearly nothing differs this weight decides: spread evenly, it does not depend on the seed.
    const double added = -std::log((draw + 0.5) / draws) * whole;
    Sums& winner = reference_loses ? b : a;
    Sums& loser = reference_loses ? a : b;
    winner.hit += added;
    loser.missed += added;
    if (classifier) loser.wrong += added;
    drops.push_back(a.f1() - b.f1());
  }
  std::sort(drops.begin(), drops.end());
  return drops;
}

// Every sample is one right or one wrong answer.
bool is_classifier(std::span<const F1> samples) {
  return std::all_of(samples.begin(), samples.end(), [](const F1& c) {
    return c.true_positives + c.false_negatives == 1 && c.false_positives == c.false_negatives;
  });
}

double risk_of(const PairedTest& t) { return (1 - t.confidence) * t.risk_share; }

// The interval shrinks with the root of the samples' number, and is never below what nothing lost would give.
std::optional<int64_t> needed(const PairedTest& t) {
  const double room = t.drop_max - t.drop;
  if (room <= 0 || t.high <= t.drop) return std::nullopt;
  const double n = static_cast<double>(t.samples);
  const double by_width = n * std::pow((t.high - t.drop) / room, 2);
  const double by_none = std::log(1 / risk_of(t)) / t.drop_max;
  const double most = 1e9;
  return static_cast<int64_t>(std::ceil(std::min(most, std::max({by_width, by_none, n + 1}))));
}

}  // namespace

PairedTest paired_test(std::span<const F1> reference, std::span<const F1> candidate, double drop_max, double confidence,
                       uint64_t seed, double risk_share) {
  OREE_ASSERT(!reference.empty() && reference.size() == candidate.size());
  PairedTest t;
  t.drop_max = drop_max;
  t.confidence = confidence;
  t.risk_share = risk_share;
  t.samples = static_cast<int64_t>(reference.size());
  Sums a, b;
  for (size_t i = 0; i < reference.size(); ++i) {
    a.add(reference[i]);
    b.add(candidate[i]);
    t.samples_differing += differ(reference[i], candidate[i]) ? 1 : 0;
  }
  t.reference = a.f1();
  t.candidate = b.f1();
  t.drop = t.reference - t.candidate;
  const bool classifier = is_classifier(reference) && is_classifier(candidate);
  const double risk = risk_of(t);
  t.high = std::max(t.drop, percentile(draws_of(reference, candidate, classifier, false, risk, seed), 1 - risk));
  t.low = std::min(t.drop, percentile(draws_of(reference, candidate, classifier, true, risk, seed + 1), risk));
  if (t.high < drop_max) {
    t.verdict = DropVerdict::kWithin;
  } else if (t.low > drop_max) {
    t.verdict = DropVerdict::kOver;
  } else {
    t.samples_needed = needed(t);
  }
  return t;
}

double pairing_p_value(size_t n, size_t draws, uint64_t seed,
                       const std::function<double(std::span<const size_t>)>& score) {
  if (n < 2) return 1;
  std::vector<size_t> label_of(n);
  std::iota(label_of.begin(), label_of.end(), size_t{0});
  const double given = score(label_of);
  SeededRandom random(seed);
  size_t as_good = 1;
  for (size_t draw = 0; draw < draws; ++draw) {
    for (size_t i = n; i > 1; --i) std::swap(label_of[i - 1], label_of[random.below(i)]);
    as_good += score(label_of) >= given ? 1 : 0;
  }
  return static_cast<double>(as_good) / static_cast<double>(draws + 1);
}

Json paired_to_json(const PairedTest& t) {
  const char* verdict = t.verdict == DropVerdict::kWithin ? "within"
                        : t.verdict == DropVerdict::kOver ? "over"
                                                          : "unsure";
  Json json = Json::object();
  json.set("verdict", verdict).set("drop_max", t.drop_max).set("confidence", t.confidence);
  json.set("risk_share", t.risk_share);
  json.set("reference", t.reference).set("candidate", t.candidate);
  json.set("drop", t.drop).set("low", t.low).set("high", t.high);
  json.set("samples", t.samples).set("samples_differing", t.samples_differing);
  if (t.samples_needed) json.set("samples_needed", *t.samples_needed);
  return json;
}

std::string paired_text(const PairedTest& t) {
  const double c = 100 * t.confidence;
  std::string text =
      t.drop >= 0 ? fmt::format("drop {:.2f} points", 100 * t.drop) : fmt::format("gain {:.2f} points", -100 * t.drop);
  if (t.verdict == DropVerdict::kWithin)
    return text + fmt::format(", below {:.4g} with {:.3g} % confidence on {} samples", 100 * t.drop_max, c, t.samples);
  if (t.verdict == DropVerdict::kOver)
    return text + fmt::format(", above {:.4g} with {:.3g} % confidence on {} samples", 100 * t.drop_max, c, t.samples);
  text += fmt::format(", between {:.2f} and {:.2f} on {} samples: not enough samples to say that it is below {:.4g}",
                      100 * t.low, 100 * t.high, t.samples, 100 * t.drop_max);
  return t.samples_needed ? text + fmt::format(" (about {} would do)", *t.samples_needed) : text;
}

}  // namespace oree
