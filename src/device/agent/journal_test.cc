// SPDX-License-Identifier: Apache-2.0
#include "device/agent/journal.h"

#include <doctest/doctest.h>

#include <fstream>
#include <iterator>

#include "core/io/fake/fake_files.h"

using namespace oree;

namespace {

AgentState full_state() {
  AgentState s;
  s.generation = 41;
  s.slots[0] = Slot{std::string(64, 'a'), "1.0", std::string(64, 'b'), 1234, true};
  s.slots[1] = Slot{std::string(64, 'c'), "1.1", std::string(64, 'd'), 5678, false};
  s.active = 1;
  s.update = Update{Phase::kProbation, std::string(64, 'c'), "1.1", "/blobs/x", 5678, 1, 2, 3, true};
  s.last = Outcome{std::string(64, 'e'), "0.9", "refused", "digest", "a \"quoted\" detail\n"};
  s.update_seq = 7;
  s.refused = {{std::string(64, 'e'), "digest", {}}, {std::string(64, 'f'), "runtime_missing", {"openvino", "absent"}}};
  return s;
}

}  // namespace

TEST_CASE("a journal reads back as it was written") {
  auto read = parse_journal(journal_text(full_state()));
  REQUIRE_MESSAGE(read.ok(), read.error().message());
  CHECK(*read == full_state());
}

TEST_CASE("every cut and every changed byte of a journal is noticed") {
  std::string text = journal_text(full_state());
  for (size_t n = 0; n + 1 < text.size(); ++n) CHECK_FALSE(parse_journal(text.substr(0, n)).ok());
  for (size_t n = 0; n < text.size(); ++n) {
    std::string changed = text;
    changed[n] ^= 1;
    auto read = parse_journal(changed);
    if (read.ok()) CHECK(*read == full_state());  // a hex digit's case, the final newline
  }
}

TEST_CASE("a journal that contradicts itself is refused though its digest is right") {
  for (int i = 0; i < 5; ++i) {
    AgentState s = full_state();
    if (i == 0) s.slots[1] = Slot{};
    if (i == 1) s.active = 0;
    if (i == 2) s.update.phase = Phase::kInstalled;
    if (i == 3) s.update.digest = std::string(64, 'f');
    if (i == 4) {
      s.active = 0;
      s.update.phase = Phase::kDownloaded;
    }
    CAPTURE(i);
    CHECK_FALSE(parse_journal(journal_text(s)).ok());
  }
}

TEST_CASE("the worked example of docs/formats/journal.md is a new device's journal") {
  std::ifstream in(OREE_SOURCE_DIR "/docs/formats/journal.md");
  std::string text{std::istreambuf_iterator<char>(in), {}};
  size_t at = text.find("{\"oree_journal\":1,\"sha256\":\"", text.find("Worked example"));
  REQUIRE(at != std::string::npos);
  std::string example = text.substr(at, text.find('\n', at) - at + 1);
  auto read = parse_journal(example);
  REQUIRE_MESSAGE(read.ok(), read.error().message());
  CHECK(*read == AgentState{});
  CHECK(journal_text(AgentState{}) == example);
}

TEST_CASE("saving fails at each operation in turn: one of the last two generations is always read") {
  for (int64_t n = 1; n < 20; ++n) {
    FakeFiles files(static_cast<uint64_t>(n));
    REQUIRE(files.make_dirs("d").ok());
    Journal journal(files, "d");
    AgentState s;
    for (int i = 0; i < 3; ++i) {
      s.update_seq = i;
      REQUIRE(journal.save(s).ok());
    }
    s.update_seq = 3;
    files.fail_after(n, Error(Code::kUnavailable, "cut"));
    (void)journal.save(s).ok();
    files.heal();
    files.crash();
    auto loaded = Journal(files, "d").load();
    CHECK_FALSE(loaded.lost);
    CHECK(loaded.state.update_seq >= 2);
  }
}
