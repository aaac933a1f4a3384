// SPDX-License-Identifier: Apache-2.0
#include "optimize/tune/tuner.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/text.h"
#include "model/digest/model_files.h"
#include "model/runtime/registry.h"
#include "model/runtime/session_options.h"
#include "optimize/tune/tune_lock.h"

namespace oree {
namespace {

constexpr int kSamplesByDefault = 100;
constexpr int kSamplesToProve = 1000;

int64_t share_of(double share, int64_t bytes) { return static_cast<int64_t>(share * static_cast<double>(bytes)); }

Status check_numbers(const TuneRequest& request) {
  if (request.models.empty()) return Error(Code::kUsage, "tune: give at least one model");
  if (request.out_dir.empty()) return Error(Code::kUsage, "tune: give a folder for the report (--out)");
  if (request.rounds < 2 || request.samples_max < 0 || request.finalists_max < 1)
    return Error(Code::kUsage, "tune: expected at least 2 rounds, 1 sample and 1 finalist");
  if (request.drop_max && !(*request.drop_max > 0 && *request.drop_max <= 1))
    return Error(Code::kUsage,
                 fmt::format("a drop of more than 0 and at most 100 % can be proven to be below, found {:g} %",
                             100 * *request.drop_max));
  if (!(request.confidence > 0.5 && request.confidence < 1))
    return Error(Code::kUsage,
                 fmt::format("confidence: expected over 0.5 and under 1, found {:g}", request.confidence));
  if (request.drop_max && request.min_agreement)
    return Error(Code::kUsage, "tune: give a bound on the drop or a minimal agreement, not both");
  return {};
}

}  // namespace

Tuner::~Tuner() {
  if (!scratch_.empty()) (void)ports_.files->remove_all(scratch_);
}

Status Tuner::describe_target() {
  OREE_TRY_ASSIGN(TargetDescription target, target_.describe());
  result_.target = target.name;
  result_.machine = target.machine;
  machine_.cores = std::max(1, target.machine.cpu_cores);
  machine_.core_groups = target.machine.core_groups;
  machine_.runtimes = std::move(target.runtimes);
  for (const RuntimeInfo& info : machine_.runtimes) {
    if (info.available) result_.engines[info.name] = info.version;
  }
  room_bytes_ = share_of(kTuneMemoryShare, target.machine.memory_total_bytes);
  if (target.workers_bytes_max > 0)
    room_bytes_ = std::min(room_bytes_, share_of(kTuneLentShare, target.workers_bytes_max));
  open_ = OpenWorkers(room_bytes_);
  OREE_TRY_ASSIGN(const SystemReading reading, target_.read());
  result_.load_1min = reading.load_1min;
  return {};
}

Status Tuner::describe_models() {
  for (const std::string& model : result_.request.models) {
    OREE_TRY_ASSIGN(ModelFormat format, detect_format(model));
    if (format == ModelFormat::kUnknown) return Error(Code::kInvalid, model + ": " + no_format_text());
    machine_.formats.push_back(format);
    if (result_.models.contains(model)) return Error(Code::kUsage, model + ": was given twice");
    OREE_TRY_ASSIGN(result_.models[model], model_digest(*ports_.files, model));
    OREE_TRY_ASSIGN(sizes_[model], model_bytes(*ports_.files, model));
  }
  return {};
}

Status Tuner::prepare() {
  TuneRequest& request = result_.request;
  OREE_TRY(check_numbers(request));
  OREE_TRY_ASSIGN(result_.metric, resolve_metric(request.metric, request.recipe));
  result_.min_agreement = request.min_agreement.value_or(default_agreement_bound(result_.metric));
  if (request.data.path.empty() && (request.drop_max || result_.metric == "f1" || result_.metric == "top1"))
    return Error(Code::kUsage, fmt::format("tune: {} needs data: noise has nothing to find",
                                           request.drop_max ? "a bound on the drop" : "metric " + result_.metric));
  if (request.samples_max == 0) request.samples_max = request.drop_max ? kSamplesToProve : kSamplesByDefault;
  result_.created = utc_text(ports_.clock->wall_ms());
  OREE_TRY(describe_target());
  if (request.goal == TuneGoal::kEnergy || request.watts_max > 0) {
    auto meter = target_.meter(request.meter);
    if (!meter.ok()) return meter.error().within("energy of " + result_.target);
  }
  OREE_TRY(describe_models());
  if (request.threads.empty()) request.threads = default_threads(machine_.cores);
  OREE_TRY_ASSIGN(result_.candidates, plan_candidates(request, machine_));
  for (TuneCandidate& c : result_.candidates) c.size_bytes = sizes_.at(c.measurement.candidate.model);
  if (request.reference) {
    result_.reference = *request.reference;
  } else {
    auto runtime = default_backend(machine_.formats[0], request.models[0], machine_.runtimes);
    if (!runtime.ok()) return runtime.error().within(result_.target);
    result_.reference = {request.models[0], *runtime, {machine_.cores, "", "f32"}};
  }
  if (auto known = result_.models.find(result_.reference.model); known != result_.models.end()) {
    reference_digest_ = known->second;
  } else {
    OREE_TRY_ASSIGN(reference_digest_, model_digest(*ports_.files, result_.reference.model));
  }
  OREE_TRY(ports_.files->make_dirs(request.out_dir));
  scratch_ = path_join(request.out_dir, fmt::format(".scratch-{:x}", ports_.random->next_u64()));
  return ports_.files->make_dirs(scratch_);
}

Status Tuner::run_reference() {
  const TuneRequest& request = result_.request;
  OREE_TRY_ASSIGN(auto worker, target_.start(request.worker));
  auto opened = worker->open(result_.reference);
  if (!opened.ok()) return opened.error().within("the reference, " + candidate_text(result_.reference, true));
  TuneSamples::Settings settings{request.data,
                                 result_.metric,
                                 request.score_min,
                                 request.iou_min,
                                 static_cast<size_t>(request.samples_max),
                                 request.seed,
                                 request.recipe,
                                 {},
                                 {}};
  if (!request.exhaustive && request.drop_max) settings.drop_max = request.drop_max;
  if (!request.exhaustive && !request.drop_max) settings.agreement_min = result_.min_agreement;
  OREE_TRY_ASSIGN(samples_, TuneSamples::make(*ports_.files, *ports_.clock, settings, scratch_, *worker, *opened,
                                              [&](size_t done, size_t all) { say("reference", done, all); }));
  return {};
}

Status Tuner::prepare_reference() {
  const double start = seconds();
  Status ran = run_reference();
  if (!ran.ok()) {
    auto back = target_.recover(result_.request.wait_ms);
    if (!back.ok()) return back.error();
    if (!*back) return ran;
    OREE_TRY(run_reference());
  }
  result_.samples = static_cast<int>(samples_->size());
  result_.data_text = samples_->text();
  result_.data_digest = samples_->digest();
  result_.refused_samples = samples_->refused();
  result_.labelled = samples_->labelled();
  if (result_.request.drop_max && samples_->reference_counts().empty()) {
    return Error(
        Code::kUsage,
        fmt::format("a bound on the drop needs labels, or a recipe that decodes boxes or classes, so that right "
                    "and wrong can be counted; over raw outputs (metric {}) give a minimal agreement",
                    result_.metric));
  }
  result_.cost.reference_seconds = seconds() - start;
  return {};
}

const std::string& Tuner::engine_version(const std::string& runtime) const {
  static const std::string kNone;
  auto found = result_.engines.find(runtime);
  return found == result_.engines.end() ? kNone : found->second;
}

Json Tuner::target_key() const {
  const SystemIdentity& m = result_.machine;
  return Json()
      .set("name", result_.target)
      .set("architecture", m.architecture)
      .set("cpu", m.cpu_model)
      .set("cores", m.cpu_cores)
      .set("memory", m.memory_total_bytes >> 20)
      .set("os", m.os);
}

Json Tuner::speed_key(const Candidate& c) const {
  return Json()
      .set("what", "speed")
      .set("target", target_key())
      .set("model", result_.models.at(c.model))
      .set("engine", c.runtime + " " + engine_version(c.runtime))
      .set("options", session_options_to_json(c.options))
      .set("batch", c.batch)
      .set("input", samples_->digest());
}

// Threads are left out: they change the order of sums at most.
Json Tuner::answers_key(const Candidate& c) const {
  SessionOptions options = c.options;
  options.threads = 1;
  options.cpus.clear();
  if (auto meant = computed_.find(c.model + "|" + c.runtime + "|" + options.provider);
      options.precision == "default" && meant != computed_.end())
    options.precision = meant->second;
  return Json()
      .set("what", "answers")
      .set("target", target_key())
      .set("model", result_.models.at(c.model))
      .set("engine", c.runtime + " " + engine_version(c.runtime))
      .set("options", session_options_to_json(options))
      .set("batch", c.batch)
      .set("reference", reference_digest_ + " " + result_.reference.runtime)
      .set("data", samples_->digest())
      .set("drop_max", result_.request.drop_max)
      .set("agreement_min", result_.min_agreement);
}

std::optional<Json> Tuner::find_times(const Json& key) const {
  std::optional<Json> kept = cache_.find(key);
  if (!kept || ((*kept)["busy"].as_bool(true) && !tune_machine_busy(result_))) return std::nullopt;
  return (*kept)["times"];
}

void Tuner::keep_times(const Json& key, const Json& times) const {
  cache_.put(key, Json().set("busy", tune_machine_busy(result_)).set("times", times));
}

Status Tuner::write_results() {
  const std::string& folder = result_.request.out_dir;
  auto write = [&](const char* name, const std::string& text) {
    return ports_.files->write_atomic(path_join(folder, name), as_bytes(text));
  };
  OREE_TRY(write("tune.json", tune_to_json(result_).dump(2) + "\n"));
  OREE_TRY(write("tune.lock", tune_lock_to_json(result_).dump(2) + "\n"));
  return write("report.html", tune_report_html(result_));
}

Result<TuneResult> Tuner::run() {
  OREE_TRY(prepare());
  OREE_TRY(prepare_reference());
  const double start = seconds();
  OREE_TRY(screen());
  const double screened = seconds();
  OREE_TRY(judge());
  const double judged = seconds();
  OREE_TRY(run_final());
  const double raced = seconds();
  OREE_TRY(settle());
  result_.cost.screening_seconds = screened - start;
  const double settled = seconds();
  result_.cost.accuracy_seconds = judged - screened + settled - raced;
  result_.cost.final_seconds = raced - judged;
  measure_energy();
  result_.cost.energy_seconds = seconds() - settled;
  choose_candidate(result_);
  OREE_TRY(write_results());
  return std::move(result_);
}

bool tune_machine_busy(const TuneResult& result) { return result.load_1min && *result.load_1min > 0.5; }

Result<TuneResult> tune(const Ports& ports, Target& target, const TuneRequest& request, const TuneProgress& progress) {
  return Tuner(ports, target, request, progress).run();
}

}  // namespace oree
