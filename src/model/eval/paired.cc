// SPDX-License-Identifier: Apache-2.0
#include "model/eval/paired.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "core/base/result.h"
#include "model/eval/measure.h"
#include "model/eval/noise.h"

namespace oree {
namespace {

constexpr int kDraws = 4000;

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
  void add(const F1& c) {
    hit += static_cast<double>(c.true_positives);
    wrong += static_cast<double>(c.false_positives);
    missed += static_cast<double>(c.false_negatives);
  }
  double f1() const {
    double all = 2 * hit + wrong + missed;
    return all > 0 ? 2 * hit / all : 1;
  }
};

// Drops of resampled data, ascending, with one sample more that `reference_loses` says who loses.
std::vector<double> draws_of(std::span<const F1> reference, std::span<const F1> candidate, bool classifier,
                             bool reference_loses, uint64_t seed) {
  const size_t n = reference.size();
  const double whole = usual_objects(reference);
  SeededRandom random(seed);
  std::vector<double> drops;
  drops.reserve(kDraws);
  for (int draw = 0; draw < kDraws; ++draw) {
    Sums a, b;
    for (size_t i = 0; i <= n; ++i) {
      const size_t at = random.below(n + 1);
      if (at < n) {
        a.add(reference[at]);
        b.add(candidate[at]);
        continue;
      }
      Sums& winner = reference_loses ? b : a;
      Sums& loser = reference_loses ? a : b;
      winner.hit += whole;
      loser.missed += whole;
      if (classifier) loser.wrong += whole;
    }
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

// The interval shrinks with the root of the samples' number, and is never below what nothing lost would give.
std::optional<int64_t> needed(const PairedTest& t) {
  const double room = t.drop_max - t.drop;
  if (room <= 0 || t.high <= t.drop) return std::nullopt;
  const double n = static_cast<double>(t.samples);
  const double by_width = n * std::pow((t.high - t.drop) / room, 2);
  const double by_none = std::log(1 / (1 - t.confidence)) / t.drop_max;
  const double most = 1e9;
  return static_cast<int64_t>(std::ceil(std::min(most, std::max({by_width, by_none, n + 1}))));
}

}  // namespace

PairedTest paired_test(std::span<const F1> reference, std::span<const F1> candidate, double drop_max, double confidence,
                       uint64_t seed) {
  OREE_ASSERT(!reference.empty() && reference.size() == candidate.size());
  PairedTest t;
  t.drop_max = drop_max;
  t.confidence = confidence;
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
  t.high = std::max(t.drop, percentile(draws_of(reference, candidate, classifier, false, seed), confidence));
  t.low = std::min(t.drop, percentile(draws_of(reference, candidate, classifier, true, seed + 1), 1 - confidence));
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
