// SPDX-License-Identifier: Apache-2.0
// The agent's two files that may come back damaged or were written by hand: its journal and its configuration.
#include "core/base/bytes.h"
#include "core/crypto/crypto.h"
#include "device/agent/config.h"
#include "device/agent/journal.h"
#include "device/agent/update_machine.h"

using namespace oree;

namespace {

void try_journal(std::string_view text) {
  auto state = parse_journal(text);
  if (!state.ok()) return;
  auto again = parse_journal(journal_text(*state));
  OREE_ASSERT(again.ok() && *again == *state);
  // Whatever a journal says, the machine leaves a state that can be written and read.
  for (bool intact : {false, true}) {
    BootEvent boot;
    boot.intact[0] = boot.intact[1] = intact;
    OREE_ASSERT(parse_journal(journal_text(step(UpdatePolicy{}, *state, boot).state)).ok());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view text = as_text(ByteView(data, size));
  try_journal(text);
  // A digest stops nearly every mutation: put the right one on the inside, too.
  if (auto state = Json::parse(text); state.ok() && state->is_object()) {
    std::string body = state->dump();
    try_journal("{\"oree_journal\":1,\"sha256\":\"" + digest_text(sha256(as_bytes(body))) + "\",\"state\":" + body +
                "}");
  }
  if (auto json = parse_toml(text); json.ok()) (void)agent_config_from_json(*json, "/etc").ok();
  return 0;
}
