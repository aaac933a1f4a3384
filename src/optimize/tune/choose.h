// SPDX-License-Identifier: Apache-2.0
// The rule that picks one of the candidates, after everything ran. Pure functions, called by tune() and the reports.
#pragma once

#include <string>

#include "optimize/tune/tune.h"

namespace oree {

// Sets within_bounds, pareto and note of every candidate, and chosen and verdict of the result: the smallest by the
// goal of the final within all bounds. Values of the goal within kTuneTie of the least are a tie, which the p50
// decides; who is within kTuneTie of the fastest, or within kTuneGain and by the rounds of the final not surely slower,
// is as fast. Among those: what computes as float, then fewer threads, the smaller file, the smaller p95.
void choose_candidate(TuneResult& result);

// Milliseconds for people, with as many digits as are worth it: "0.056", "3.41", "27.1".
std::string ms_text(double milliseconds);

// What a candidate is compared by: milliseconds (before the final the least, in it the median), bytes, joules.
double goal_value(TuneGoal goal, const TuneCandidate& candidate);

// Is its accuracy enough? "" when it is, else why not; `miss`: by what share, for the nearest misses.
std::string accuracy_shortfall(const TuneResult& result, const TuneCandidate& candidate, double* miss);
bool accurate_enough(const TuneResult& result, const TuneCandidate& candidate);
// Or nobody knows: only its first samples were looked at.
bool may_be_accurate_enough(const TuneResult& result, const TuneCandidate& candidate);

// Who would be chosen if everybody were accurate enough who may be; none: nobody is within the other bounds.
std::optional<size_t> front_runner(const TuneResult& result);

void add_note(TuneCandidate& candidate, const std::string& text);  // behind what is there; nothing for ""

}  // namespace oree
