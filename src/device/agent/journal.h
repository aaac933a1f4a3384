// SPDX-License-Identifier: Apache-2.0
// AgentState: all that the agent must remember over a power cut, and its file form (docs/formats/journal.md).
// The rename of that file is the atomic switch between the two slots.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/codec/json.h"
#include "core/io/files.h"

namespace oree {

inline constexpr int kJournalFormat = 1;
inline constexpr int kRefusedMax = 64;  // digests remembered as not to be tried again; the oldest is forgotten
inline constexpr size_t kRemedyCharsMax = 256;
inline constexpr int64_t kJournalBytesMax = 256 << 10;

// What lies in one of the two folders data/slots/a and data/slots/b.
struct Slot {
  std::string digest;  // of the bundle, 64 hex digits; "" is an empty slot
  std::string version;
  std::string manifest_sha256;  // of the unpacked manifest.json, which in turn names every member's digest
  int64_t bytes = 0;            // of the bundle
  bool committed = false;       // has passed probation once: fit to fall back to
  bool operator==(const Slot&) const = default;
};

// The steps of one update. Each is entered by writing the journal, and repeating a step from its start is harmless.
enum class Phase {
  kIdle,
  kDownloading,  // data/download/<digest>.part may hold some bytes
  kDownloaded,   // that file is whole and has the right digest; the spare slot is empty and may be written
  kInstalled,    // signature checked, unpacked into the spare slot: prove it
  kProbation,    // proven and active: watched on live data
};
const char* phase_name(Phase phase);  // "idle", "downloading", "downloaded", "installed", "probation"

struct Update {
  Phase phase = Phase::kIdle;  // kIdle: no update, all other members empty
  std::string digest, version, url;
  int64_t size = 0;           // bytes of the bundle, as announced
  int slot = -1;              // where it goes: 0 is a, 1 is b
  int digest_failures = 0;    // whole downloads with a wrong digest
  int starts = 0;             // of the proof (kInstalled) or the application (kProbation) without an end
  bool drift_before = false;  // the old model had already drifted severely: drift proves nothing against the new one
  bool operator==(const Update&) const = default;
};

struct Outcome {  // of the last finished update
  std::string digest, version, outcome, reason, detail;
  bool operator==(const Outcome&) const = default;
};

// What might mend a refusal: an engine, by its name, or kOwnProgram; and what of it was found when it refused. Once
// something else is found there the bytes are worth another try. An empty `what`: nothing mends it.
struct Remedy {
  std::string what, found;
  bool operator==(const Remedy&) const = default;
};
inline constexpr const char* kOwnProgram = "agent";  // found: its version

struct Refusal {
  std::string digest, reason;
  Remedy remedy;
  bool operator==(const Refusal&) const = default;
};

struct AgentState {
  int64_t generation = 0;  // grows by one with each write
  std::array<Slot, 2> slots;
  int active = -1;  // the slot whose model runs; -1: none
  Update update;
  Outcome last;
  int64_t update_seq = 0;  // grows with each finished update
  std::vector<Refusal> refused;

  int spare() const { return active == 0 ? 1 : 0; }
  const Refusal* refusal(const std::string& digest) const;  // nullptr: may be tried
  bool is_refused(const std::string& digest) const { return refusal(digest) != nullptr; }
  bool operator==(const AgentState&) const = default;
};

inline constexpr const char* kSlotNames[2] = {"a", "b"};

std::string journal_text(const AgentState& state);
// kInvalid when it is no journal, torn, or contradicts itself; kUnsupported when written by a newer agent.
Result<AgentState> parse_journal(std::string_view text);

// The journal's two files in the data folder: state.json and, one generation older, state.prev.json.
class Journal {
 public:
  Journal(Files& files, std::string data) : files_(&files), data_(std::move(data)) {}

  struct Loaded {
    AgentState state;
    bool fresh = false;  // neither file exists: a new device
    bool lost = false;   // there were files, none is whole: the slots must be looked at (rescue)
    std::string note;    // what was wrong with a file that could not be used; "" when nothing was
  };
  Loaded load();
  // Durable when it returns. The generation is raised by one.
  Status save(AgentState& state);

 private:
  std::string path() const { return path_join(data_, "state.json"); }
  std::string previous_path() const { return path_join(data_, "state.prev.json"); }
  Files* files_;
  std::string data_;
  std::string written_;  // the text of state.json, when it is known to be whole
};

}  // namespace oree
