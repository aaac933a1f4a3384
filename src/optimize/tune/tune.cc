// SPDX-License-Identifier: Apache-2.0
#include "optimize/tune/tune.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "core/base/limits.h"
#include "core/base/text.h"
#include "core/codec/npy.h"
#include "model/eval/dataset.h"
#include "optimize/tune/plan.h"

namespace oree {
namespace {

constexpr int kScreeningWarmup = 3;
constexpr int kScreeningRuns = 15;
constexpr size_t kNoiseSamples = 16;
constexpr double kMemoryShare = 0.6;  // of the machine's, for finalists that live at the same time
constexpr size_t kBadSamplesNamedMax = 20;

// One run of tune(): scratch files and what its steps hand on.
class Tuner {
 public:
  Tuner(const Ports& ports, const TuneRequest& request, const TuneProgress& progress)
      : ports_(ports), progress_(progress) {
    result_.request = request;
  }
  ~Tuner() { (void)ports_.files->remove_all(scratch_); }
  Result<TuneResult> run();

 private:
  Status prepare();
  Status prepare_reference();
  Status write_samples(Dataset& dataset, Worker& reference);
  void screen(TuneCandidate& candidate);
  Status screen_measured(TuneCandidate& candidate);
  Result<Agreement> agree(Worker& worker);
  std::vector<size_t> finalists() const;
  void run_final(const std::vector<size_t>& indices);
  void say(std::string_view stage, int64_t done, int64_t total) const {
    if (progress_) progress_(stage, done, total);
  }
  std::string input_path(size_t i) const { return path_join(scratch_, fmt::format("in{}.npz", i)); }
  std::string reference_path(size_t i) const { return path_join(scratch_, fmt::format("ref{}.npz", i)); }

  const Ports& ports_;
  const TuneProgress& progress_;
  TuneResult result_;
  TuneMachine machine_;
  std::string scratch_;
  std::vector<Placement> placements_;        // of the samples that are used
  std::vector<OutputInfo> outputs_;          // of the reference
  std::map<std::string, std::string> seen_;  // what was computed -> which candidate did it
};

Status Tuner::prepare() {
  TuneRequest& request = result_.request;
  if (request.models.empty()) return Error(Code::kUsage, "tune: give at least one model");
  if (request.out_dir.empty()) return Error(Code::kUsage, "tune: give a folder for the report (--out)");
  if (request.rounds < 2 || request.samples_max < 1 || request.finalists_max < 1) {
    return Error(Code::kUsage, "tune: expected at least 2 rounds, 1 sample and 1 finalist");
  }
  OREE_TRY_ASSIGN(result_.metric, resolve_metric(request.metric, request.recipe));
  result_.min_agreement = request.min_agreement.value_or(default_agreement_bound(result_.metric));
  if (request.data.empty() && (result_.metric == "f1" || result_.metric == "top1")) {
    return Error(Code::kUsage,
                 fmt::format("tune: metric {} needs data (--data): noise has nothing to find", result_.metric));
  }
  result_.machine = ports_.sensors->identity();
  result_.load_1min = ports_.sensors->read().load_1min;
  result_.created = utc_text(ports_.clock->wall_ms());
  machine_.cores = std::max(1, result_.machine.cpu_cores);
  if (request.threads.empty()) request.threads = default_threads(machine_.cores);
  for (const std::string& model : request.models) {
    OREE_TRY_ASSIGN(ModelFormat format, detect_format(model));
    if (format == ModelFormat::kUnknown) return Error(Code::kInvalid, model + ": neither ONNX, TFLite nor OpenVINO IR");
    machine_.formats.push_back(format);
  }
  for (const std::string& name : backend_names()) {
    machine_.runtimes.push_back(backend(name).info());
    if (machine_.runtimes.back().available) result_.engines[name] = machine_.runtimes.back().version;
  }
  OREE_TRY_ASSIGN(result_.candidates, plan_candidates(request, machine_));
  if (request.reference) {
    result_.reference = *request.reference;
  } else {
    OREE_TRY_ASSIGN(std::string runtime, default_backend(machine_.formats[0]));
    result_.reference = {request.models[0], runtime, {machine_.cores, "", "f32"}};
  }
  OREE_TRY(ports_.files->make_dirs(request.out_dir));
  scratch_ = path_join(request.out_dir, fmt::format(".scratch-{:x}", ports_.random->next_u64()));
  return ports_.files->make_dirs(scratch_);
}

Status Tuner::prepare_reference() {
  const TuneRequest& request = result_.request;
  OREE_TRY_ASSIGN(auto worker, Worker::start(ports_, request.worker));
  auto opened = worker->open(result_.reference);
  if (!opened.ok()) return opened.error().within("the reference, " + candidate_text(result_.reference, true));
  for (const TensorInfo& info : opened->outputs) outputs_.push_back({info.name, info.shape});
  std::unique_ptr<Dataset> dataset;
  if (request.data.empty()) {
    dataset = noise_dataset(opened->inputs, kNoiseSamples, request.seed);
  } else {
    OREE_TRY_ASSIGN(dataset, open_dataset(*ports_.files, {request.data, ""}, request.recipe, opened->inputs));
  }
  OREE_TRY(write_samples(*dataset, *worker));
  result_.data_text =
      request.data.empty()
          ? fmt::format("{} samples of seeded noise, which claim nothing about real data", result_.samples)
          : fmt::format("{} of {} samples in {}", result_.samples, dataset->size(), request.data);
  return {};
}

Status Tuner::write_samples(Dataset& dataset, Worker& reference) {
  std::vector<size_t> indices = spread_indices(dataset.size(), static_cast<size_t>(result_.request.samples_max));
  size_t bad = 0;
  for (size_t i = 0; i < indices.size(); ++i) {
    say("reference", static_cast<int64_t>(i), static_cast<int64_t>(indices.size()));
    size_t used = placements_.size();
    auto sample = dataset.read(indices[i]);
    Status status = sample.ok() ? Status() : Status(sample.error());
    if (status.ok()) {
      OREE_TRY_ASSIGN(Bytes npz, write_npz(sample->inputs));
      OREE_TRY_ASSIGN(auto file, ports_.files->create(input_path(used)));
      OREE_TRY(file->write(npz));
      file.reset();
      status = reference.outputs(input_path(used), reference_path(used), true);
      // A dead reference is the end; a sample that it will not take is only that sample's.
      if (!status.ok() && status.error().code() != Code::kInvalid) return status.error().within("the reference");
    }
    if (status.ok()) {
      placements_.push_back(sample->placement);
    } else if (++bad <= kBadSamplesNamedMax) {
      result_.refused_samples.push_back(status.error().message());
    }
  }
  if (bad > kBadSamplesNamedMax)
    result_.refused_samples.push_back(fmt::format("and {} more", bad - kBadSamplesNamedMax));
  result_.samples = static_cast<int>(placements_.size());
  if (result_.samples > 0) return {};
  return Error(Code::kInvalid, fmt::format("{}: no usable sample; the first: {}", result_.request.data,
                                           result_.refused_samples.empty() ? "none" : result_.refused_samples[0]));
}

Result<Agreement> Tuner::agree(Worker& worker) {
  const TuneRequest& request = result_.request;
  AgreementSettings settings{result_.metric, request.score_min, request.iou_min, request.seed};
  OREE_TRY_ASSIGN(AgreementMeter meter, AgreementMeter::make(settings, request.recipe, outputs_));
  std::string out = path_join(scratch_, "out.npz");
  for (size_t i = 0; i < placements_.size(); ++i) {
    OREE_TRY(worker.outputs(input_path(i), out, true));
    OREE_TRY_ASSIGN(Bytes own_file, ports_.files->read(out, kModelBytesMax));
    OREE_TRY_ASSIGN(Bytes reference_file, ports_.files->read(reference_path(i), kModelBytesMax));
    OREE_TRY_ASSIGN(NamedTensors own, read_npz(own_file));
    OREE_TRY_ASSIGN(NamedTensors expected, read_npz(reference_file));
    OREE_TRY(meter.add(own, expected, placements_[i]));
  }
  return meter.result();
}

// Alone on the machine: can it run at all, roughly how fast, and does it agree?
Status Tuner::screen_measured(TuneCandidate& candidate) {
  Measurement& m = candidate.measurement;
  OREE_TRY_ASSIGN(auto worker, Worker::start(ports_, result_.request.worker));
  OREE_TRY_ASSIGN(Worker::Opened opened, worker->open(m.candidate));
  m.load_ms = opened.load_ms;
  m.facts = opened.facts;
  m.engine_version = opened.engine_version;
  m.rss_bytes_baseline = opened.rss_bytes_baseline;
  const SessionOptions& options = m.candidate.options;
  std::string computed = m.facts.contains("precision") ? m.facts["precision"] : options.precision;
  if (options.precision == "default" && computed != "f32") {
    candidate.note = fmt::format("computes in {} by {}'s own choice", computed, m.candidate.runtime);
  }
  std::string key =
      fmt::format("{}|{}|{}|{}|{}", m.candidate.model, m.candidate.runtime,
                  m.facts.contains("provider") ? m.facts["provider"] : options.provider, computed, options.threads);
  if (auto [at, fresh] = seen_.emplace(key, candidate_text(m.candidate)); !fresh) {
    if (candidate.engine_default) {
      for (TuneCandidate& other : result_.candidates) {
        if (other.measurement.candidate.model == m.candidate.model &&
            candidate_text(other.measurement.candidate) == at->second) {
          other.engine_default = true;
        }
      }
      candidate.engine_default = false;
    }
    return Error(Code::kConflict, fmt::format("the same computation as {} (both are {})", at->second, computed));
  }
  OREE_TRY(worker->set_input(input_path(0), result_.request.seed));
  OREE_TRY_ASSIGN(Worker::Turn turn, worker->run(kScreeningWarmup, kScreeningRuns));
  auto agreement = agree(*worker);
  if (!agreement.ok()) return agreement.error().within("agreement");
  candidate.agreement = *agreement;
  m.latency_ms = turn.latency_ms;
  m.latency = summarize_latency(m.latency_ms);
  m.throughput = m.latency.mean > 0 ? 1000 / m.latency.mean : 0;
  m.rss_bytes_peak = turn.rss_bytes_peak;
  return {};
}

void Tuner::screen(TuneCandidate& candidate) {
  if (candidate.measurement.refused) return;
  Status status = screen_measured(candidate);
  if (status.ok()) return;
  candidate.measurement.refused = status.error();
  candidate.note = status.error().message();
}

// The fastest that keep the bounds which screening can judge, and every engine's own default to compare with.
std::vector<size_t> Tuner::finalists() const {
  const TuneRequest& request = result_.request;
  std::vector<size_t> good, chosen;
  for (size_t i = 0; i < result_.candidates.size(); ++i) {
    const TuneCandidate& c = result_.candidates[i];
    if (c.measurement.refused) continue;
    bool fits = request.memory_bytes_max == 0 || c.measurement.rss_bytes_peak <= request.memory_bytes_max;
    if (fits && c.agreement->value >= result_.min_agreement) good.push_back(i);
  }
  std::stable_sort(good.begin(), good.end(), [&](size_t a, size_t b) {
    return result_.candidates[a].measurement.latency.p50 < result_.candidates[b].measurement.latency.p50;
  });
  if (good.size() > static_cast<size_t>(request.finalists_max)) good.resize(static_cast<size_t>(request.finalists_max));
  std::vector<size_t> wanted = good;
  for (size_t i = 0; i < result_.candidates.size(); ++i) {
    const TuneCandidate& c = result_.candidates[i];
    if (c.engine_default && !c.measurement.refused && std::find(good.begin(), good.end(), i) == good.end())
      wanted.push_back(i);
  }
  double room = kMemoryShare * static_cast<double>(result_.machine.memory_total_bytes);
  for (size_t i : wanted) {
    room -= static_cast<double>(result_.candidates[i].measurement.rss_bytes_peak);
    if (room < 0 && result_.machine.memory_total_bytes > 0 && !chosen.empty()) break;
    chosen.push_back(i);
  }
  std::sort(chosen.begin(), chosen.end());
  return chosen;
}

void Tuner::run_final(const std::vector<size_t>& indices) {
  const TuneRequest& request = result_.request;
  std::vector<Candidate> candidates;
  std::vector<bool> eligible, keep;
  for (size_t i : indices) {
    const TuneCandidate& c = result_.candidates[i];
    candidates.push_back(c.measurement.candidate);
    eligible.push_back(c.agreement->value >= result_.min_agreement);
    keep.push_back(c.engine_default);
  }
  MeasurePlan plan;
  plan.rounds = request.rounds;
  plan.seed = request.seed;
  plan.input_npz = input_path(0);
  plan.drop = [&](const std::vector<Measurement>& so_far, int) { return clearly_slower(so_far, eligible, keep); };
  plan.progress = [&](int done, int total) { say("final", done, total); };
  std::vector<Measurement> measured = measure(ports_, request.worker, candidates, plan);
  for (size_t k = 0; k < indices.size(); ++k) {
    TuneCandidate& c = result_.candidates[indices[k]];
    bool dropped = measured[k].refused && measured[k].refused->code() == Code::kRefused;
    if (measured[k].refused) c.note += (c.note.empty() ? "" : "; ") + measured[k].refused->message();
    if (dropped) measured[k].refused.reset();
    c.measurement = std::move(measured[k]);
    c.final_round = true;
  }
}

Result<TuneResult> Tuner::run() {
  OREE_TRY(prepare());
  OREE_TRY(prepare_reference());
  for (size_t i = 0; i < result_.candidates.size(); ++i) {
    say("screening " + candidate_text(result_.candidates[i].measurement.candidate), static_cast<int64_t>(i),
        static_cast<int64_t>(result_.candidates.size()));
    screen(result_.candidates[i]);
  }
  if (std::vector<size_t> indices = finalists(); !indices.empty()) run_final(indices);
  choose_candidate(result_);
  const std::string& folder = result_.request.out_dir;
  OREE_TRY(ports_.files->write_atomic(path_join(folder, "tune.json"), as_bytes(tune_to_json(result_).dump(2) + "\n")));
  OREE_TRY(ports_.files->write_atomic(path_join(folder, "report.html"), as_bytes(tune_report_html(result_))));
  return std::move(result_);
}

}  // namespace

bool tune_machine_busy(const TuneResult& result) { return result.load_1min && *result.load_1min > 0.5; }

Result<TuneResult> tune(const Ports& ports, const TuneRequest& request, const TuneProgress& progress) {
  return Tuner(ports, request, progress).run();
}

}  // namespace oree
