// SPDX-License-Identifier: Apache-2.0
// Worker: the parent's end of one measuring child (worker.h is the child's), on this machine or, by another
// WorkerChannel, on a device. Called by measure(), evaluate() and tune().
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/io/ports.h"
#include "model/eval/candidate.h"

namespace oree {

struct WorkerSettings {
  std::vector<std::string> argv;  // of a child on this machine; empty: this program's own file and "worker"
  int64_t open_timeout_ms = 120'000;
  int64_t run_timeout_ms = 60'000;  // for one command: a turn of a round, or some samples
  int64_t memory_bytes_max = 0;     // address-space limit of the child; 0: none
};

// The way to one child. After an Error of its own (a crash, a hang, nonsense, a network that is gone) it is dead, and
// gives that Error ever after; a refusal by the child is an answer.
class WorkerChannel {
 public:
  virtual ~WorkerChannel() = default;  // ends the child
  // One command of worker.h and its answer, an object. Members that name files ("model", "npz", "input", "output") are
  // this machine's paths: where the child sees others, the channel carries the files and changes the names.
  virtual Result<Json> ask(const Json& command, int64_t timeout_ms) = 0;
};

// Any failure of the child becomes an Error that says what happened. The destructor ends the child.
class Worker {
 public:
  // A child of this process.
  static Result<std::unique_ptr<Worker>> start(const Ports& ports, const WorkerSettings& settings);
  Worker(std::unique_ptr<WorkerChannel> channel, const WorkerSettings& settings)
      : channel_(std::move(channel)), settings_(settings) {}

  struct Opened {
    double load_ms = 0;
    int64_t rss_bytes_baseline = 0;
    std::map<std::string, std::string> facts;
    std::string engine_version;
    std::vector<TensorInfo> inputs, outputs;
  };
  // Loads the model. kUnsupported, kInvalid, kUnavailable as Backend::open says it.
  Result<Opened> open(const Candidate& candidate);
  // The inputs that run() uses. `npz` empty: seeded noise by the declared shapes (unknown dimensions as 1).
  Status set_input(const std::string& npz, uint64_t seed);
  struct Turn {
    std::vector<double> latency_ms;
    int64_t rss_bytes_peak = 0;
    int64_t idle_cpu_ms = 0, idle_wall_ms = 0;  // since the end of the turn before; 0 at the first
  };
  Result<Turn> run(int warmup, int runs);  // 0..kTurnRunsMax each
  // One inference, inputs read from and outputs written to npz files.
  // `reals`: integers that stand for reals are written as float32.
  Status outputs(const std::string& input_npz, const std::string& output_npz, bool reals = false);
  // `samples` inferences, of tensors that are named by sample_name(). All or none.
  Status outputs_of(size_t samples, const std::string& input_npz, const std::string& output_npz, bool reals = false);

  // How the child's machine measures energy, and joules of an inference of what is open with the input that is set: the
  // forms of energy.h, which knows this class.
  Result<std::string> meter(const std::string& name);
  Result<Json> energy(const std::string& meter, const Json& plan, int64_t timeout_ms);

 private:
  Result<Json> ask(const Json& command, int64_t timeout_ms);

  std::unique_ptr<WorkerChannel> channel_;
  WorkerSettings settings_;
};
inline constexpr int kTurnRunsMax = 2000;
inline constexpr int64_t kSamplesPerCommandMax = 256;

// Of tensor `name` of sample `index` of several in one npz: "3/images".
std::string sample_name(size_t index, std::string_view name);
// The tensors of each of `count` samples, by their own names again. kInvalid: one has none, or a name is of no sample.
Result<std::vector<NamedTensors>> split_samples(NamedTensors tensors, size_t count);

}  // namespace oree
