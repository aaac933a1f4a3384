// SPDX-License-Identifier: Apache-2.0
// Worker: the child's end of measuring. It opens one model in one engine and obeys JSON lines, one answer to each:
//
//   {"cmd":"open","model":…,"runtime":…,"threads":…,"provider":…,"precision":…}   -> load_ms, facts, inputs, outputs …
//   "batch":B beside it: each inference is of B samples, and a latency a sample's share (batch.h)
//   {"cmd":"input","npz":PATH|"","seed":N}                                          -> {}
//   {"cmd":"run","warmup":K,"runs":N}                                               -> latency_us [N], rss, idle CPU
//   {"cmd":"outputs","input":PATH,"output":PATH,"reals":true}                       -> {}
//   {"cmd":"outputs", …, "samples":N}: N in one file, tensors named "0/x", "1/x" …, and so the outputs
//   {"cmd":"meter","meter":NAME}                                                    -> method
//   {"cmd":"energy","meter":NAME,"plan":{…}}: of the model and input that are there  -> energy (EnergyEstimate)
//   With "named":true a meter must be one that the machine itself has, not the command line of a plug-in.
//   {"cmd":"runtimes"}                                                              -> runtimes: RuntimeInfo of each
//
// Every answer has "ok": true, or "error": {"code", "message"}. The end of its input ends it. The parent's end is
// Worker in measure.h; oree and oree-agent both start themselves as workers.
#pragma once

#include "core/codec/json.h"
#include "core/io/ports.h"

namespace oree {

// Answers one command; holds the session. Never throws, never ends the process.
class WorkerCore {
 public:
  explicit WorkerCore(const Ports& ports);
  ~WorkerCore();
  Json answer(const Json& command);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Reads command lines from `in` and writes answer lines to `out` until `in` ends. Returns the exit status.
int run_worker(const Ports& ports, int in, int out);

// The whole hidden command: standard input, and the message pipe that the parent named in OREE_AGENT_FD; standard
// error joins standard output, so that an engine's last words reach the parent. Exit 2 when there is no such pipe.
int worker_main(const Ports& ports);

}  // namespace oree
