// SPDX-License-Identifier: Apache-2.0
// The engine of `oree ship`: steps in an order, each done again only when what it depends on has changed. It knows
// nothing of models: a step is a name, a fingerprint of its inputs and a function.
//
// State: one JSON file, replaced atomically after every step: {"format": 1, "steps": {NAME: {"fingerprint", "result",
// "outputs": {PATH: SHA-256}}}}, paths relative to it. A step is up to date when its fingerprint is the stored one and
// its outputs are still the very files that it left. A state file that cannot be read means that nothing is known:
// everything is done again.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/codec/json.h"
#include "core/digest/fingerprint.h"
#include "core/io/ports.h"

namespace oree::cli {

struct StepOutcome {
  std::string result;                // one line for people
  std::vector<std::string> outputs;  // files that the step made: in the folder of the state file, or absolute
};

struct Step {
  std::string name;
  // Called when the steps before it are done, so it may read what they made.
  std::function<Result<std::string>()> fingerprint;
  std::function<Result<StepOutcome>()> run;
};

struct StepReport {
  std::string name;
  std::string status;  // "done", "up to date", "would run", "failed", "not reached", "left out"
  double seconds = 0;
  std::string result;  // of this run or of the one that is still good; the error's text when failed
};

struct StepOptions {
  std::string only;      // this step alone, or all whose name begins with this word; "" all
  bool force = false;    // also when up to date
  bool dry_run = false;  // says, does not do
};

struct StepsReport {
  std::vector<StepReport> steps;
  Status status;  // of the step that failed
};

// Stops at the first step that fails. kUsage when `only` names none.
StepsReport run_steps(const Ports& ports, const std::string& state_file, const std::vector<Step>& steps,
                      const StepOptions& options, const std::function<void(const std::string& step)>& announce = {});

Json text_list(const std::vector<std::string>& texts);  // for fingerprints
Json steps_to_json(const std::vector<StepReport>& steps);
std::string steps_text(const std::vector<StepReport>& steps);

}  // namespace oree::cli
