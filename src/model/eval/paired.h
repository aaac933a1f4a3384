// SPDX-License-Identifier: Apache-2.0
// Paired test of accuracy: two models over the same samples; did the second lose more than a bound? Pure functions,
// called by tune(). The samples are a draw from what the models will meet, so that few of them prove little, and the
// verdict says how much it rests on.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>

#include "core/codec/json.h"
#include "model/eval/metrics.h"

namespace oree {

enum class DropVerdict {
  kWithin,  // the drop is below the bound, with the confidence that was asked
  kOver,    // it is above the bound, with that confidence
  kUnsure,  // the samples do not say
};

// Of a metric in 0..1 that is F1 over counts; a classifier's hit is one true positive, its miss one false positive and
// one false negative, so that F1 is its accuracy. Drops are shares: 0.01 is one point. Positive: the candidate is
// worse.
struct PairedTest {
  DropVerdict verdict = DropVerdict::kUnsure;
  double drop_max = 0;                  // the bound
  double confidence = 0.95;             // one-sided, of either verdict; of all tests that share the risk together
  double risk_share = 1;                // this one's, of the risk of 1 - confidence
  double reference = 0, candidate = 0;  // the metric of each over all samples
  double drop = 0;
  double low = 0, high = 0;  // the drop is above `low`, and below `high`, each but for this test's share of the risk
  int64_t samples = 0;
  int64_t samples_differing = 0;          // whose counts differ
  std::optional<int64_t> samples_needed;  // kUnsure: about so many would do, were they like these; absent: no telling
};
Json paired_to_json(const PairedTest& test);
// "drop 0.4 points, below 1.0 with 95 % confidence on 800 samples", or "… : not enough samples to say …".
std::string paired_text(const PairedTest& test);

// Counts of each sample, index for index; at least one. The bounds of the drop come from a seeded Bayesian bootstrap
// (Rubin 1981: weights drawn from the exponential distribution) over samples to which one is added in which everything
// is lost (for `low`: by the reference). Of a classifier that only loses that is the exact bound of Clopper and
// Pearson, where nothing differs the rule of three: few samples without a loss are no proof that there are none, which
// a plain bootstrap would take them for. Whoever picks one of several that
// passed divides the risk among their tests, so that the shares' sum is at most 1 (Bonferroni's inequality).
PairedTest paired_test(std::span<const F1> reference, std::span<const F1> candidate, double drop_max, double confidence,
                       uint64_t seed, double risk_share = 1);

// Do labels belong to these answers at all? The share of `draws` random pairings of labels and answers that score as
// well as the given one, which is counted in: small when they do. `score(label_of)`: the metric when sample i is judged
// by the label of sample label_of[i]. Fewer than two samples give 1.
double pairing_p_value(size_t n, size_t draws, uint64_t seed,
                       const std::function<double(std::span<const size_t> label_of)>& score);

}  // namespace oree
