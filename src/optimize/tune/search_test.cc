// SPDX-License-Identifier: Apache-2.0
#include "optimize/tune/search.h"

#include <doctest/doctest.h>

#include <cmath>

#include "model/eval/noise.h"

namespace oree {
namespace {

// Rounds of one machine: what slows a round slows all who take part in it.
struct Rounds {
  std::vector<double> slowness;
  explicit Rounds(size_t count, SeededRandom& random) {
    for (size_t i = 0; i < count; ++i) slowness.push_back(1 + 0.5 * random.unit());
  }
  Measurement of(double ms, double noise, SeededRandom& random) const {
    Measurement m;
    for (double s : slowness) m.round_p50_ms.push_back(ms * s * (1 + noise * (random.unit() - 0.5)));
    return m;
  }
};

}  // namespace

TEST_CASE("ratios of rounds cancel what slows both, and their intervals hold the truth") {
  SeededRandom random(1);
  int held = 0;
  const int draws = 400;
  for (int draw = 0; draw < draws; ++draw) {
    Rounds rounds(8, random);
    RoundRatio r = round_ratio(rounds.of(2, 0.04, random).round_p50_ms, rounds.of(2.1, 0.04, random).round_p50_ms);
    CHECK(r.rounds == 8);
    CHECK(r.ratio == doctest::Approx(1.05).epsilon(0.04));
    held += r.low <= 1.05 && 1.05 <= r.high ? 1 : 0;
  }
  CHECK(held >= draws * 0.92);
  CHECK(std::isinf(round_ratio(std::vector<double>{1}, std::vector<double>{2}).high));
}

TEST_CASE("the interval is Student's") {
  // scipy.stats.ttest_1samp of the logarithms: mean 0.0488, 95 % interval 0.02533 to 0.07227.
  const std::vector<double> ones{1, 1, 1, 1, 1},
      others{std::exp(0.02), std::exp(0.06), std::exp(0.05), std::exp(0.07), std::exp(0.044)};
  RoundRatio r = round_ratio(ones, others);
  CHECK(std::log(r.ratio) == doctest::Approx(0.0488));
  CHECK(std::log(r.low) == doctest::Approx(0.02533).epsilon(0.03));
  CHECK(std::log(r.high) == doctest::Approx(0.07227).epsilon(0.01));
}

TEST_CASE("only who is surely slower is dropped; an engine's default stays until its figure is good") {
  SeededRandom random(3);
  Rounds rounds(12, random);
  std::vector<Measurement> so_far{rounds.of(2, 0.01, random), rounds.of(2.2, 0.01, random), rounds.of(2.2, 1.5, random),
                                  rounds.of(4, 0.01, random), rounds.of(1, 0.01, random)};
  std::vector<FinalEntry> entries{
      {true, false, true}, {true, false, true}, {true, false, true}, {true, true, true}, {false, false}};
  auto drops = drop_from_final(so_far, entries);
  REQUIRE(drops.size() == 2);
  CHECK(drops[0].first == 1);
  CHECK(drops[0].second.message().find("1.10 times as slow") != std::string::npos);
  CHECK(drops[1].first == 3);  // shown, known well enough, and no winner
  CHECK(drops[1].second.message().empty());
  // The first may yet be found not to be accurate: what is slower than it stays, for then it counts.
  entries[0].proven = entries[2].proven = false;
  drops = drop_from_final(so_far, entries);
  REQUIRE(drops.size() == 1);
  CHECK(drops[0].first == 3);
  for (Measurement& m : so_far) m.round_p50_ms.resize(5);
  CHECK(drop_from_final(so_far, entries).empty());
}

TEST_CASE("the final ends when nobody that is left can be faster, and not before enough rounds") {
  SeededRandom random(5);
  Rounds rounds(12, random);
  std::vector<Measurement> so_far{rounds.of(2, 0.002, random), rounds.of(2.004, 0.002, random)};
  const std::vector<FinalEntry> both{{true, false, true}, {true, false, true}};
  CHECK(final_is_sure(so_far, both));
  // The second counts only against others that are proven.
  CHECK(final_is_sure(so_far, {{true, false, false}, {true, false, true}}));
  CHECK(final_is_sure(so_far, {{true, false, true}, {false, true}}));
  so_far[1] = rounds.of(2.004, 0.3, random);
  CHECK_FALSE(final_is_sure(so_far, both));
  CHECK_FALSE(final_is_sure(so_far, {{true, false, true}, {false, true}}));
  so_far[1] = rounds.of(2.3, 0.02, random);  // slower, by how much is not known well; it is not the winner
  CHECK(final_is_sure(so_far, both));
  so_far[1].refused = Error(Code::kRefused, "");
  CHECK(final_is_sure(so_far, both));
  so_far[0].round_p50_ms.resize(9);
  CHECK_FALSE(final_is_sure(so_far, both));
  // Of those behind one that is not proven it must be known, too, who is first.
  const std::vector<FinalEntry> doubtful{{true, false, false}, {true, false, true}, {true, false, true}};
  so_far = {rounds.of(1, 0.002, random), rounds.of(2, 0.002, random), rounds.of(2.004, 0.002, random)};
  CHECK(final_is_sure(so_far, doubtful));
  for (size_t k = 0; k < so_far[2].round_p50_ms.size(); ++k) so_far[2].round_p50_ms[k] *= k % 2 == 0 ? 0.8 : 1.25;
  CHECK_FALSE(final_is_sure(so_far, doubtful));
}

TEST_CASE("a turn is long enough for the clock and short enough for the day") {
  CHECK(turn_runs(0.01) == 200);
  CHECK(turn_runs(4) == 10);
  CHECK(turn_runs(900) == 3);
  CHECK(turn_runs(0) == 200);
}

TEST_CASE("fewer threads are tried where nothing is known, and where they may still win") {
  CHECK(fewer_threads_may_win({}, 1, false, 100, 1));
  CHECK(fewer_threads_may_win({{2, false, 0.1}, {1, true, 0.1}}, 1, false, 100, 1));
  CHECK_FALSE(fewer_threads_may_win({{1, false, 1.8}, {1, false, 1.2}}, 1, false, 10, 5));
  CHECK(fewer_threads_may_win({{1, false, 1.8}, {1, false, 1.2}}, 1, false, 5.5, 5));
  // Threads that fight over the cores: one was much faster here.
  CHECK(fewer_threads_may_win({{1, false, 0.2}}, 1, false, 30, 5));
}

}  // namespace oree
