// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/result.h"

namespace oree {

struct ProcessSpec {
  std::vector<std::string> argv;           // argv[0] is a path, or a name looked up in PATH
  std::map<std::string, std::string> env;  // added to (or replacing) this process's own
  std::string working_dir;                 // "" keeps ours
  bool message_pipe = false;               // the child finds the write end's number in OREE_AGENT_FD
  bool input_pipe = false;                 // send() writes to the child's standard input
  bool output_pipe = false;                // standard output comes through read_output(), else inherited
  bool die_with_parent = true;             // killed by the kernel when we die
  int64_t memory_bytes_max = 0;            // address-space rlimit; 0 is no limit
  int nice = 0;                            // -20 to 19, as far as the system lets us; 0: as we have
};

struct ProcessUsage {
  int64_t rss_bytes = 0;       // now
  int64_t rss_bytes_peak = 0;  // high-water mark
  int64_t cpu_ms = 0;          // user + system, since start
};

struct ProcessExit {
  int code = 0;  // exit status, meaningless when signal != 0
  int signal = 0;
  int64_t rss_bytes_peak = 0;
};

// A running child. The destructor kills (SIGKILL to its process group) and reaps it.
class Process {
 public:
  virtual ~Process() = default;
  virtual int64_t pid() const = 0;
  virtual std::optional<ProcessExit> poll_exit() = 0;        // no wait; the same answer ever after
  virtual Result<ProcessExit> wait(int64_t timeout_ms) = 0;  // kUnavailable when still running
  virtual Status signal(int number) = 0;                     // to its process group
  // Whole lines, without the newline, in order; waits up to timeout_ms for the first. Empty: none came.
  // A line over kAppMessageBytesMax is cut and its rest dropped.
  virtual std::vector<std::string> read_messages(int64_t timeout_ms) = 0;  // the message pipe
  virtual std::vector<std::string> read_output(int64_t timeout_ms) = 0;    // standard output
  virtual Status send(const std::string& line) = 0;                        // a line to standard input; newline added
  virtual Result<ProcessUsage> usage() = 0;                                // of the process itself
};

class Processes {
 public:
  virtual ~Processes() = default;
  virtual Result<std::unique_ptr<Process>> spawn(const ProcessSpec& spec) = 0;
  virtual std::string own_path() = 0;  // this executable's file
  virtual Result<ProcessUsage> own_usage() = 0;
};

}  // namespace oree
