// SPDX-License-Identifier: Apache-2.0
// Tuner: one run of tune(), its state and its steps in their order. Files: tuner.cc what is known before anything runs,
// tuner_screen.cc each candidate briefly, tuner_judge.cc its accuracy, tuner_final.cc the finalists in turns.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "optimize/tune/cache.h"
#include "optimize/tune/choose.h"
#include "optimize/tune/open_workers.h"
#include "optimize/tune/plan.h"
#include "optimize/tune/search.h"

namespace oree {

class Tuner {
 public:
  Tuner(const Ports& ports, Target& target, const TuneRequest& request, const TuneProgress& progress)
      : ports_(ports), target_(target), progress_(progress), cache_(*ports.files, request.cache_dir) {
    result_.request = request;
  }
  ~Tuner();
  Result<TuneResult> run();

 private:
  // tuner.cc
  Status prepare();
  Status describe_target();
  Status describe_models();
  Status prepare_reference();
  Status run_reference();
  Status write_results();
  Json target_key() const;
  Json speed_key(const Candidate& candidate) const;
  Json answers_key(const Candidate& candidate) const;
  // Times are kept with whether the target was busy, and found when they are as good as what could be measured now.
  std::optional<Json> find_times(const Json& key) const;
  void keep_times(const Json& key, const Json& times) const;
  const std::string& engine_version(const std::string& runtime) const;
  void say(std::string_view stage, size_t done, size_t total) const {
    if (progress_) progress_(stage, static_cast<int64_t>(done), static_cast<int64_t>(total));
  }
  double seconds() const { return static_cast<double>(ports_.clock->monotonic_ns()) / 1e9; }

  // tuner_screen.cc
  Status screen();
  Status screen_one(size_t index);
  Status glance(TuneCandidate& candidate, Worker& worker);
  bool remember_glance(TuneCandidate& candidate);
  bool too_large(TuneCandidate& candidate) const;
  void same_computation(TuneCandidate& candidate, const std::string& precision);
  void name_defaults();
  Status screen_fewer_threads();
  void keep_open(size_t index, std::unique_ptr<Worker> worker);
  // Runs `attempt` for one candidate; when the target goes away meanwhile and comes back, once more. A failure of the
  // candidate's own refuses it; an Error ends the tune.
  Status tried(TuneCandidate& candidate, const std::function<Status()>& attempt);
  double best_latency() const;
  std::vector<size_t> by_goal() const;  // those with figures that may still win, the best by the goal first

  // tuner_judge.cc
  // How far the answers of one computation, whatever its threads, were looked at.
  struct Judged {
    std::optional<TuneJudging> way;      // where it halted
    std::optional<TuneAnswers> answers;  // of so far
    int test = 0;                        // of those that may let a candidate pass, from 1; 0: none yet
    bool settled() const { return answers && (answers->complete || answers->lost); }  // nothing is left to look at
    size_t seen() const { return answers ? static_cast<size_t>(answers->agreement.samples) : 0; }
  };
  Status judge();
  Status first_look(size_t index);
  Status judge_whole(size_t index);
  Status look(size_t index, size_t samples);
  void recall(Judged& judged, const Candidate& candidate, const Json& key);
  void use_answers(TuneCandidate& candidate, Judged& judged);
  bool accuracy_of_all() const;  // by this goal more than the fastest must be known
  // After the final: whoever would be chosen is judged on all samples first.
  Status settle();

  // tuner_final.cc
  std::vector<size_t> finalists() const;
  Json final_key(const std::vector<size_t>& indices) const;
  Status run_final();
  Status measure_final(const std::vector<size_t>& indices);
  // Median by round of each finalist that is left; what slowed all of them in a round is taken out.
  void correct_for_drift(const std::vector<size_t>& indices);
  void measure_energy();
  bool remember_final(const Json& key, const std::vector<size_t>& indices);

  const Ports& ports_;
  Target& target_;
  const TuneProgress& progress_;
  TuneCache cache_;
  TuneResult result_;
  TuneMachine machine_;
  std::string scratch_;
  std::unique_ptr<TuneSamples> samples_;
  std::optional<size_t> lost_in_final_;  // the candidate that failed first when the target went away and came back
  std::string reference_digest_;
  std::map<std::string, int64_t> sizes_;  // of the models, by path
  std::map<std::string, Judged> judged_;  // by answers_key
  int tests_ = 0;                         // of accuracy, so far
  int64_t room_bytes_ = 0;                // resident memory of all candidates that are open at the same time
  OpenWorkers open_;
  std::map<std::string, std::string> computed_;  // precision that "default" means, by file, engine, provider
  std::map<std::string, std::vector<ThreadEvidence>> evidence_;  // by engine
};

}  // namespace oree
