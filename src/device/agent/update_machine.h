// SPDX-License-Identifier: Apache-2.0
// The update as a pure function: step(policy, state, event) -> (state, actions). No clock, no files, no network.
// The driver (agent.cc) writes the new state to the journal, and only then carries out the actions.
//
//   idle --offer--> downloading --bytes and digest--> downloaded --signature, unpacked--> installed
//     ^                 |                                 |                                   |
//     +----refused------+---------------refused-----------+-------------refused---------------+ proof fails
//     +---------------------committed------------------ probation <----------proven-----------+
//     +---------------------rolled back---------------------+
//
// Invariants, checked by tests over random faults: the active slot is never written; a slot becomes active only after
// its proof; "committed" is said only after probation; a digest in `refused` is not fetched.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "device/agent/journal.h"

namespace oree {

inline constexpr int kDigestFailuresMax = 3;  // whole downloads with a wrong digest before the release is refused
inline constexpr int kProofStartsMax = 3;     // proofs begun without a verdict (power cut, reboot) before it is refused

struct UpdatePolicy {
  std::string device_type, agent_version;
  bool allow_downgrade = false;
  bool has_app = true;  // without one there is nothing to watch: a proof commits
  int64_t download_bytes_max = 0;
  int probation_starts_max = 5;
};

// ---- what happened
struct BootEvent {
  bool intact[2] = {false, false};
};  // slots compared with the journal's digests
struct OfferEvent {
  std::string digest, version, url;
  int64_t size = 0;
  bool compatible = true;
};
struct DownloadedEvent {};
struct DownloadLostEvent {};  // the file is not there although the journal says so
struct FailedEvent {          // of the step that the update is in
  std::string reason, detail;
  bool forever = false;  // the same bytes cannot succeed here, unless the remedy does
  Remedy remedy;
};
struct InstalledEvent {
  std::string manifest_sha256;
};
struct StartingEvent {};  // the proof, or the application in probation, is about to start
struct ProvedEvent {
  bool drift_before = false;
};
struct ProbationPassedEvent {};
struct ProbationFailedEvent {
  std::string reason, detail;
};
struct ResumeEvent {};  // after a pause: do the current step again
struct FoundEvent {     // somebody looked: refusals that another find may mend are forgotten
  Remedy now;
};
using Event =
    std::variant<BootEvent, OfferEvent, DownloadedEvent, DownloadLostEvent, FailedEvent, InstalledEvent, StartingEvent,
                 ProvedEvent, ProbationPassedEvent, ProbationFailedEvent, ResumeEvent, FoundEvent>;

// ---- what is to be done, in order
enum class Action {
  kDownload,  // (go on) fetching update.url
  kInstall,   // check and unpack the download into slot update.slot
  kProve,
  kRunActive,      // (re)start the application on the active slot; stop it when there is none
  kWatch,          // begin probation anew
  kDropDownloads,  // remove data/download/*
  kDropSpare,      // remove the folder of every slot that the journal calls empty
};

struct Step {
  AgentState state;
  std::vector<Action> actions;
  // The state holds even if the journal cannot be written now (full disk): going back to the working model must not
  // wait.
  bool even_unsaved = false;
};

Step step(const UpdatePolicy& policy, const AgentState& state, const Event& event);

}  // namespace oree
