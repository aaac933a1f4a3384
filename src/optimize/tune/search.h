// SPDX-License-Identifier: Apache-2.0
// What to measure next, and when to stop: pure functions over what was seen so far. For tune.cc.
#pragma once

#include <functional>
#include <span>
#include <utility>
#include <vector>

#include "optimize/tune/tune.h"

namespace oree {

// Times of two candidates that took turns, round for round: the second's over the first's. The interval is Student's,
// of the mean logarithm of the rounds' ratios; `rounds` are those that both have. Fewer than 2 rounds: low 0, high
// infinite.
struct RoundRatio {
  double ratio = 1, low = 0, high = 0;
  size_t rounds = 0;
};
RoundRatio round_ratio(std::span<const double> first, std::span<const double> second, double confidence = 0.95);

inline constexpr double kGlanceDoubt = 1.25;     // a glance may be off by so much: who is slower than that can't win
inline constexpr double kTuneGain = 0.03;        // the final ends when nobody can be faster than the leader by more
inline constexpr double kTuneTie = 0.01;         // medians this near each other are a tie whatever the rounds say
inline constexpr size_t kTuneRoundsMin = 6;      // before anything is dropped
inline constexpr size_t kTuneRoundsEnough = 10;  // before the final may end
inline constexpr double kTuneNarrow = 0.05;      // an engine's default needs no better interval than this, either way

// Of the target's memory, and of what it lends, for candidates that are open at the same time.
inline constexpr double kTuneMemoryShare = 0.6;
inline constexpr double kTuneLentShare = 0.9;

// Who runs in the final.
struct FinalEntry {
  bool eligible = false;  // it may win
  bool shown = false;     // an engine's own default: to compare with
  bool proven = false;    // that it is accurate enough; else it may be found not to be, and then those behind it count
};

// The leader: of the proven ones with kTuneRoundsMin rounds the one with the smallest median. Dropped: who is surely
// over kTuneTie slower than it; and a shown one that cannot win, once its ratio is known to kTuneNarrow (with no reason
// to tell: an empty message).
std::vector<std::pair<size_t, Error>> drop_from_final(const std::vector<Measurement>& so_far,
                                                      const std::vector<FinalEntry>& entries);
// No eligible one that still runs can be over kTuneGain faster than the first of them, after kTuneRoundsEnough rounds,
// nor a proven one than the first of those; and those that are only shown are known to kTuneNarrow.
bool final_is_sure(const std::vector<Measurement>& so_far, const std::vector<FinalEntry>& entries);

// Inferences of one turn, so that short ones are not lost in the clock and long ones do not take all day.
int turn_runs(double p50_ms);

// Can fewer threads still win? Seen so far, as latencies by thread count of whatever ran in that engine; `most` is this
// one's latency with the most threads, `best` the best of all. Without evidence: yes.
struct ThreadEvidence {
  int threads = 1;
  bool confined = false;  // to the fast cores
  double ratio = 1;       // latency so over that with the most threads, anywhere
};
bool fewer_threads_may_win(const std::vector<ThreadEvidence>& seen_in_engine, int threads, bool confined, double most,
                           double best);

}  // namespace oree
