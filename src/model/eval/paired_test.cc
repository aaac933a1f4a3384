// SPDX-License-Identifier: Apache-2.0
#include "model/eval/paired.h"

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "model/eval/noise.h"

namespace oree {
namespace {

const F1 kHit{1, 0, 0}, kMiss{0, 1, 1};

struct Pair {
  std::vector<F1> reference, candidate;
};

// A classifier of 80 % and one that loses and gains other samples, each with its probability.
Pair classifiers(size_t n, double loses, double gains, SeededRandom& random) {
  Pair p;
  for (size_t i = 0; i < n; ++i) {
    const bool right = random.unit() < 0.8;
    const double u = random.unit();
    p.reference.push_back(right ? kHit : kMiss);
    p.candidate.push_back((right ? u >= loses / 0.8 : u < gains / 0.2) ? kHit : kMiss);
  }
  return p;
}

// Images with 0 to 8 objects; a candidate that misses objects in clusters: most images keep all.
Pair detectors(size_t n, double loses, SeededRandom& random) {
  Pair p;
  for (size_t i = 0; i < n; ++i) {
    const int64_t objects = static_cast<int64_t>(random.below(9)), found = objects * 9 / 10;
    F1 a{found, static_cast<int64_t>(random.below(2)), objects - found}, b = a;
    if (random.unit() < 5 * loses) {
      const int64_t lost = static_cast<int64_t>(std::llround(static_cast<double>(b.true_positives) * 0.2));
      b.true_positives -= lost;
      b.false_negatives += lost;
    }
    p.reference.push_back(a);
    p.candidate.push_back(b);
  }
  return p;
}

PairedTest test_of(const Pair& p, double drop_max) { return paired_test(p.reference, p.candidate, drop_max, 0.95, 1); }

}  // namespace

TEST_CASE("without any difference the rule of three decides how many samples are enough") {
  Pair p{std::vector<F1>(250, kHit), std::vector<F1>(250, kHit)};
  PairedTest few = test_of(p, 0.01);
  CHECK(few.drop == 0);
  CHECK(few.verdict == DropVerdict::kUnsure);
  CHECK(few.high == doctest::Approx(3.0 / 250).epsilon(0.05));
  REQUIRE(few.samples_needed);
  CHECK(*few.samples_needed > 250);
  CHECK(*few.samples_needed < 600);
  p = {std::vector<F1>(400, kHit), std::vector<F1>(400, kHit)};
  PairedTest enough = test_of(p, 0.01);
  CHECK(enough.verdict == DropVerdict::kWithin);
  CHECK(paired_text(enough) == "drop 0.00 points, below 1 with 95 % confidence on 400 samples");
}

TEST_CASE("where nothing differs the bound does not depend on the seed") {
  const Pair p{std::vector<F1>(1000, kHit), std::vector<F1>(1000, kHit)};
  for (uint64_t seed : {1, 2, 3, 4}) {
    // 1 - 0.025^(1/1000)
    CHECK(paired_test(p.reference, p.candidate, 0.01, 0.95, seed, 0.5).high ==
          doctest::Approx(0.003682).epsilon(0.005));
  }
}

TEST_CASE("the upper bound of losses alone is Clopper and Pearson's") {
  // scipy.stats.beta.ppf(1 - 0.05 * share, k + 1, n - k) for n = 500.
  struct Case {
    size_t lost;
    double share, exact;
  };
  const Case cases[] = {{0, 1, 0.005974},        {1, 1, 0.009452},        {3, 1, 0.015434},
                        {10, 1, 0.033688},       {0, 0.25, 0.008726},     {1, 0.25, 0.012693},
                        {3, 0.25, 0.019348},     {10, 0.25, 0.039075},    {0, 1.0 / 64, 0.014207},
                        {1, 1.0 / 64, 0.018852}, {3, 1.0 / 64, 0.026473}, {10, 1.0 / 64, 0.048364}};
  for (const Case& c : cases) {
    CAPTURE(c.lost);
    CAPTURE(c.share);
    Pair p{std::vector<F1>(500, kHit), std::vector<F1>(500, kHit)};
    for (size_t i = 0; i < c.lost; ++i) p.candidate[i] = kMiss;
    const PairedTest test = paired_test(p.reference, p.candidate, 0.01, 0.95, 1, c.share);
    CHECK(test.high == doctest::Approx(c.exact).epsilon(0.04));
  }
}

TEST_CASE("a loss over the bound is accepted in less than one of twenty draws of the samples") {
  SeededRandom random(7);
  const int draws = 300;
  int of_classes = 0, of_boxes = 0;
  double f1_drop = 0;
  {
    // What the detector loses in truth: of very many images.
    Pair many = detectors(200'000, 0.02, random);
    F1 a, b;
    for (size_t i = 0; i < many.reference.size(); ++i) {
      a += many.reference[i];
      b += many.candidate[i];
    }
    f1_drop = a.f1() - b.f1();
  }
  for (int draw = 0; draw < draws; ++draw) {
    of_classes += test_of(classifiers(400, 0.03, 0.01, random), 0.02).verdict == DropVerdict::kWithin ? 1 : 0;
    of_boxes += test_of(detectors(150, 0.02, random), f1_drop).verdict == DropVerdict::kWithin ? 1 : 0;
  }
  // 5 % are allowed; three standard deviations of the counting on top.
  const double most = draws * (0.05 + 3 * std::sqrt(0.05 * 0.95 / draws));
  CHECK(of_classes <= most);
  CHECK(of_boxes <= most);
  // And it is not useless: what loses nothing is mostly accepted.
  int good = 0;
  for (int draw = 0; draw < 100; ++draw)
    good += test_of(classifiers(800, 0.003, 0.003, random), 0.02).verdict == DropVerdict::kWithin ? 1 : 0;
  CHECK(good >= 95);
}

TEST_CASE(
    "of several candidates over the bound that share the risk none is accepted in more than one of twenty draws") {
  SeededRandom random(13);
  const int draws = 100;
  int any = 0;
  for (int draw = 0; draw < draws; ++draw) {
    bool accepted = false;
    double share = 1;
    for (int k = 0; k < 6; ++k) {
      const Pair p = classifiers(400, 0.03, 0.01, random);
      share /= 2;
      const PairedTest test = paired_test(p.reference, p.candidate, 0.02, 0.95, 1, share);
      CHECK(test.risk_share == share);
      accepted = accepted || test.verdict == DropVerdict::kWithin;
    }
    any += accepted ? 1 : 0;
  }
  CHECK(any <= draws * (0.05 + 3 * std::sqrt(0.05 * 0.95 / draws)));
  // The price: without any difference, ln 2 over the bound for each halving.
  const Pair p{std::vector<F1>(400, kHit), std::vector<F1>(400, kHit)};
  CHECK(paired_test(p.reference, p.candidate, 0.01, 0.95, 1, 0.5).high == doctest::Approx(3.689 / 400).epsilon(0.05));
  CHECK(paired_test(p.reference, p.candidate, 0.01, 0.95, 1, 0.25).verdict == DropVerdict::kUnsure);
}

TEST_CASE("a damaged candidate is over the bound, and a better one within it") {
  SeededRandom random(3);
  Pair bad = classifiers(300, 0.3, 0.0, random);
  PairedTest over = test_of(bad, 0.01);
  CHECK(over.verdict == DropVerdict::kOver);
  CHECK(paired_text(over).find("above 1 with 95 % confidence on 300 samples") != std::string::npos);
  PairedTest gain = paired_test(bad.candidate, bad.reference, 0.01, 0.95, 1);
  CHECK(gain.verdict == DropVerdict::kWithin);
  CHECK(gain.drop < 0);
  CHECK(paired_text(gain).find("gain") == 0);
}

TEST_CASE("the same samples give the same verdict, and one sample proves nothing") {
  SeededRandom random(5);
  Pair p = detectors(80, 0.02, random);
  CHECK(paired_to_json(test_of(p, 0.02)).dump() == paired_to_json(test_of(p, 0.02)).dump());
  Pair one{{kHit}, {kHit}};
  CHECK(test_of(one, 0.5).verdict == DropVerdict::kUnsure);
  CHECK(paired_text(test_of(one, 0.01)).find("not enough samples to say") != std::string::npos);
}

TEST_CASE("labels that belong to the answers are told from shuffled ones") {
  SeededRandom random(11);
  std::vector<size_t> label, answer;
  for (size_t i = 0; i < 60; ++i) {
    label.push_back(i / 6);  // sorted by class, as folders are
    answer.push_back(random.unit() < 0.7 ? label[i] : random.below(10));
  }
  auto accuracy = [&](std::span<const size_t> label_of) {
    double hits = 0;
    for (size_t i = 0; i < answer.size(); ++i) hits += answer[i] == label[label_of[i]] ? 1 : 0;
    return hits;
  };
  CHECK(pairing_p_value(60, 199, 1, accuracy) == doctest::Approx(1.0 / 200));
  for (size_t i = label.size(); i > 1; --i) std::swap(label[i - 1], label[random.below(i)]);
  CHECK(pairing_p_value(60, 199, 1, accuracy) > 0.02);
  CHECK(pairing_p_value(1, 199, 1, accuracy) == 1);
}

}  // namespace oree
