// SPDX-License-Identifier: Apache-2.0
// The accuracy of candidates. Only who would be chosen must have been judged on all samples; of the others the first
// samples tell whether they are broken, or compute what the float model does.
#include <cmath>
#include <limits>

#include "optimize/tune/tuner.h"

namespace oree {
namespace {

constexpr double kAsFloatDb = 80;  // float32 in another engine: 100 to 130 dB; bfloat16: 30 to 50
constexpr size_t kAsFloatSamples = 8;

}  // namespace

// One of those that pass is chosen, so they share the risk: each further test takes half of what is left, in the order
// of speed. The first, which mostly decides, has the most.
void Tuner::use_answers(TuneCandidate& c, Judged& judged) {
  const TuneRequest& request = result_.request;
  if (!judged.answers) return;
  const TuneAnswers& answers = *judged.answers;
  c.agreement = answers.agreement;
  c.glimpsed = !judged.settled();
  c.as_float = !answers.lost && answers.agreement.sqnr_db >= kAsFloatDb;
  if (!request.drop_max || answers.counts.empty()) return;
  if (judged.test == 0 && answers.complete && !c.as_float) judged.test = ++tests_;
  c.accuracy = paired_test(std::span(samples_->reference_counts()).first(answers.counts.size()), answers.counts,
                           *request.drop_max, request.confidence, request.seed, std::exp2(-judged.test));
}

// From the cache; or it is the reference itself, with as many threads as it may be.
void Tuner::recall(Judged& judged, const Candidate& candidate, const Json& key) {
  if (std::optional<Json> record = cache_.find(key)) {
    if (auto answers = answers_from_record(*record); answers.ok()) {
      judged.answers = std::move(*answers);
      ++result_.cost.remembered;
      return;
    }
  }
  const Candidate& reference = result_.reference;
  if (result_.request.exhaustive || result_.models.at(candidate.model) != reference_digest_) return;
  Candidate same = candidate;
  same.model = reference.model;
  same.options.threads = reference.options.threads;
  same.options.cpus = reference.options.cpus;
  if (!(same == reference)) return;
  if (auto answers = samples_->reference_answers(); answers.ok()) judged.answers = std::move(*answers);
}

// At `samples` of its answers at least, unless all is lost before.
Status Tuner::look(size_t index, size_t samples) {
  TuneCandidate& c = result_.candidates[index];
  const Json key = answers_key(c.measurement.candidate);
  Judged& judged = judged_[key.dump()];
  if (!judged.answers) recall(judged, c.measurement.candidate, key);
  if (!judged.settled() && judged.seen() < std::min(samples, samples_->size())) {
    if (!judged.way) {
      ++result_.cost.judged;
      OREE_TRY_ASSIGN(TuneJudging begun, samples_->begin());
      judged.way.emplace(std::move(begun));
    }
    auto attempt = [&]() -> Status {
      std::unique_ptr<Worker> own;
      Worker* worker = open_.find(index);
      if (worker == nullptr) {
        OREE_TRY_ASSIGN(own, target_.start(result_.request.worker));
        if (auto opened = own->open(c.measurement.candidate); !opened.ok()) return opened.error();
        worker = own.get();
      }
      OREE_TRY(samples_->go_on(*judged.way, *worker, samples));
      auto answers = samples_->answers(*judged.way);
      if (!answers.ok() && judged.way->samples < samples_->size()) {  // nothing to find in these: in all, then
        OREE_TRY(samples_->go_on(*judged.way, *worker, samples_->size()));
        answers = samples_->answers(*judged.way);
      }
      if (!answers.ok()) return answers.error();
      judged.answers = std::move(*answers);
      return {};
    };
    OREE_TRY(tried(c, [&] {
      Status status = attempt();
      return status.ok() ? status : status.error().within("its answers");
    }));
    if (c.measurement.refused) {
      open_.end(index);
      return {};
    }
    // What is not finite has no place in JSON; it is judged again next time.
    if (judged.answers->agreement.sqnr_db > -std::numeric_limits<double>::infinity())
      cache_.put(key, answers_record(*judged.answers));
  }
  use_answers(c, judged);
  return {};
}

Status Tuner::first_look(size_t index) {
  TuneCandidate& c = result_.candidates[index];
  OREE_TRY(look(index, kAsFloatSamples));
  return c.measurement.refused || c.as_float ? Status() : look(index, TuneSamples::kFirstLook);
}

Status Tuner::judge_whole(size_t index) {
  TuneCandidate& c = result_.candidates[index];
  if (!result_.request.exhaustive) {
    OREE_TRY(look(index, kAsFloatSamples));
    if (c.measurement.refused || c.as_float) return {};
  }
  return look(index, samples_->size());
}

bool Tuner::accuracy_of_all() const {
  const TuneRequest& request = result_.request;
  const bool energy = request.energy || request.watts_max > 0 || request.goal == TuneGoal::kEnergy;
  return request.exhaustive || energy || request.goal == TuneGoal::kPareto;
}

// From the best by the goal on: the first that is accurate enough is judged to the end; those behind it, until there
// are enough that may win or the next are too slow to, by their first samples. Engines' own defaults always: what is
// compared with them must be as accurate.
Status Tuner::judge() {
  const TuneRequest& request = result_.request;
  const std::vector<size_t> order = by_goal();
  const bool all = accuracy_of_all();
  // The slower may take less energy, and belongs to a Pareto front.
  const bool by_value = request.goal != TuneGoal::kPareto && request.goal != TuneGoal::kEnergy;
  size_t good = 0;
  double best = std::numeric_limits<double>::infinity();  // by the goal, of those within the bound
  for (size_t k = 0; k < order.size(); ++k) {
    TuneCandidate& c = result_.candidates[order[k]];
    const double value = goal_value(request.goal, c);
    const bool late = good >= static_cast<size_t>(request.finalists_max) || (by_value && value > best * kGlanceDoubt);
    if (late && !c.engine_default && !request.exhaustive) {
      c.skipped = true;
      if (judged_.contains(answers_key(c.measurement.candidate).dump())) {  // with other threads: known without running
        OREE_TRY(look(order[k], 0));
        add_note(c, "not in the final: others that are accurate enough are ahead");
      } else {
        add_note(c, "its accuracy was not judged: others that are accurate enough are ahead");
      }
      continue;
    }
    say("accuracy of " + candidate_text(c.measurement.candidate), k, order.size());
    OREE_TRY(all || good == 0 ? judge_whole(order[k]) : first_look(order[k]));
    if (c.measurement.refused || !may_be_accurate_enough(result_, c)) continue;
    ++good;
    best = std::min(best, value);
  }
  return {};
}

Status Tuner::settle() {
  while (true) {
    const std::optional<size_t> best = front_runner(result_);
    if (!best || accurate_enough(result_, result_.candidates[*best])) return {};
    say("accuracy of " + candidate_text(result_.candidates[*best].measurement.candidate), 0, 1);
    OREE_TRY(judge_whole(*best));
  }
}

}  // namespace oree
