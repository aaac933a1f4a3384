// SPDX-License-Identifier: Apache-2.0
// The actions of an update: what step() asked for and the journal already says.
#include <fmt/format.h>

#include <algorithm>

#include "core/base/limits.h"
#include "core/base/log.h"
#include "deliver/bundle/bundle.h"
#include "device/agent/agent.h"

namespace oree {
namespace {

constexpr int64_t kResumeBaseMs = 2'000;

}  // namespace

void Agent::perform(Action action) {
  switch (action) {
    case Action::kDownload: return download();
    case Action::kInstall: return install();
    case Action::kProve: return prove();
    case Action::kRunActive: return run_active();
    case Action::kWatch: return watch();
    case Action::kDropDownloads: return drop_downloads();
    case Action::kDropSpare: return drop_spare();
  }
}

void Agent::resume_later() {
  resume_due_ms_ = now_ms() + backoff_ms(std::min(kResumeBaseMs, config_.poll_ms), resume_failures_++);
}

void Agent::resume_if_due() {
  if (!resume_due_ms_ || now_ms() < *resume_due_ms_) return;
  resume_due_ms_.reset();
  if (fetching() || state_.update.phase == Phase::kInstalled) apply(ResumeEvent{});
}

void Agent::hold(Hold& hold, const std::string& digest) {
  if (hold.digest != digest) hold = Hold{digest, 0, 0};
  hold.until_ms = now_ms() + backoff_ms(config_.poll_ms, ++hold.failures);
}

void Agent::download() {
  const Update& update = state_.update;
  if (transfer_busy_) {
    // Another release meanwhile: the old transfer ends at its next chunk, and its end begins this one.
    if (transfer_digest_ != update.digest) signals_->stop = true;
    return;
  }
  DownloadRequest request;
  request.url = update.url.starts_with('/') ? config_.server_url + update.url : update.url;
  request.origin = config_.server_url;
  request.token = setup_.token;
  request.part = part_path(config_.data, update.digest);
  request.digest = update.digest;
  request.size = update.size;
  // The spare slot's files go before the new ones come.
  request.unpacked_bytes = std::max<int64_t>(0, update.size - state_.slots[static_cast<size_t>(update.slot)].bytes);
  request.reserve_bytes = config_.reserve_bytes;
  request.bytes_per_s = config_.bandwidth_bytes_per_s;
  transfer_busy_ = true;
  transfer_digest_ = update.digest;
  signals_->stop = false;
  jobs_.submit([this, request, ports = ports_, signals = signals_] {
    DownloadResult result = download_slice(*ports.clock, *ports.files, *ports.http, request, *signals);
    return [this, result, digest = request.digest] { on_download(digest, result); };
  });
}

void Agent::on_download(const std::string& digest, const DownloadResult& result) {
  transfer_busy_ = false;
  if (state_.update.phase != Phase::kDownloading || state_.update.digest != digest) {
    if (fetching()) apply(ResumeEvent{});
    return;
  }
  switch (result.kind) {
    case DownloadResult::kMore: resume_failures_ = 0; return download();
    case DownloadResult::kDone:
      resume_failures_ = 0;
      if (!apply(DownloadedEvent{})) resume_later();
      return;
    case DownloadResult::kRetry: log_info("update", "the download pauses: " + result.detail); return resume_later();
    case DownloadResult::kFailed:
      log_warn("update", fmt::format("the download failed: {}, {}", result.reason, result.detail));
      hold(hold_, digest);
      // Still the same update: a wrong digest is tried again a few times. Or the refusal could not be written.
      if (!apply(FailedEvent{result.reason, result.detail, false, {}}) || state_.update.digest == digest)
        resume_later();
      return;
  }
}

void Agent::install() {
  const Update& update = state_.update;
  if (transfer_busy_) return;  // its end resumes
  InstallRequest request;
  request.part = part_path(config_.data, update.digest);
  request.folder = slot_folder(config_.data, update.slot);
  request.digest = update.digest;
  request.version = update.version;
  request.model = config_.model;
  request.device_type = config_.device_type;
  request.trusted = setup_.trusted;
  request.threshold = config_.threshold;
  transfer_busy_ = true;
  transfer_digest_ = update.digest;
  jobs_.submit([this, request, files = ports_.files] {
    InstallResult result = install_bundle(*files, request);
    return [this, result, digest = request.digest] { on_install(digest, result); };
  });
}

void Agent::on_install(const std::string& digest, const InstallResult& result) {
  transfer_busy_ = false;
  if (state_.update.phase != Phase::kDownloaded || state_.update.digest != digest) {
    if (fetching()) apply(ResumeEvent{});
    return;
  }
  bool written = true;
  switch (result.kind) {
    case InstallResult::kInstalled: written = apply(InstalledEvent{result.manifest_sha256}); break;
    case InstallResult::kLost: written = apply(DownloadLostEvent{}); break;
    case InstallResult::kRetry: log_warn("update", "the installation pauses: " + result.detail); return resume_later();
    case InstallResult::kFailed:
      if (!result.forever) hold(hold_, digest);
      written = apply(FailedEvent{result.reason, result.detail, result.forever, result.remedy});
      break;
  }
  if (!written) return resume_later();
  resume_failures_ = 0;
}

void Agent::prove() {
  if (prover_.running()) return;
  if (!apply(StartingEvent{})) return resume_later();
  if (state_.update.phase != Phase::kInstalled) return;  // begun too often
  std::string folder = slot_folder(config_.data, state_.update.slot);
  auto manifest = open_unpacked(*ports_.files, folder, false);
  // As it will run; what runs meanwhile has the governor, too.
  const int nice = host_.apply(manifest.ok() ? manifest->host : HostSettings{});
  prover_.start(folder, manifest.ok() ? manifest->golden.memory_bytes_max : 0, nice);
}

void Agent::look_at_proof() {
  auto proof = prover_.poll();
  if (!proof || state_.update.phase != Phase::kInstalled) return;
  if (proof->transient) {
    log_warn("update", "the proof could not begin: " + proof->detail);
    return resume_later();
  }
  bool written = false;
  if (proof->passed) {
    log_info("update", fmt::format("proven: p95 {:.2f} ms, relative error {:.3g}, {} MiB resident",
                                   proof->latency_ms_p95, proof->relative_error, proof->rss_bytes_peak >> 20));
    written = apply(ProvedEvent{active_.drift.level == DriftLevel::kSevere});
  } else {
    written = apply(FailedEvent{proof->reason, proof->detail, true, proof->remedy});
    set_host(supervisor_.target().folder);
  }
  if (!written) resume_later();
}

void Agent::run_active() {
  probation_.reset();
  active_ = ActiveModel{};
  active_.recent = RecentConfidences(config_.drift_windows);
  RunTarget target;
  if (state_.active >= 0) {
    const Slot& slot = state_.slots[static_cast<size_t>(state_.active)];
    target = RunTarget{slot_folder(config_.data, state_.active), slot.version, slot.digest};
    auto manifest = open_unpacked(*ports_.files, target.folder, false);
    if (manifest.ok()) active_.manifest = std::move(manifest).value();
    auto bytes = ports_.files->read(path_join(target.folder, "reference.json"), kManifestBytesMax);
    auto json = bytes.ok() ? Json::parse(as_text(*bytes)) : Result<Json>(bytes.error());
    auto reference = json.ok() ? drift_reference_from_json(*json) : Result<DriftReference>(json.error());
    if (reference.ok())
      active_.reference = std::move(reference).value();
    else if (bytes.ok())
      log_warn("drift", "reference.json cannot be used: " + reference.error().message());
  }
  app_ = std::move(target);
  run_app();
}

void Agent::watch() {
  if (!policy_.has_app) {
    apply(ProbationPassedEvent{});  // nothing is there to be watched any more: its proof has to do
    return;
  }
  ProbationRules rules;
  rules.silence_ms = config_.app_heartbeat_timeout_ms;
  rules.crashes_max = config_.probation_crashes_max;
  if (active_.manifest) {
    rules.watch_ms = active_.manifest->probation_seconds * 1000;
    rules.latency_ms_p95_max = active_.manifest->golden.latency_ms_p95_max * config_.probation_latency_factor;
  }
  if (!state_.update.drift_before) rules.drift = active_.reference;
  probation_.emplace(rules);
  judge_due_ms_ = 0;
}

void Agent::drop_downloads() {
  std::string keep = fetching() ? state_.update.digest : "";
  jobs_.submit([folder = download_folder(config_.data), keep, files = ports_.files]() -> JobDone {
    auto names = files->list(folder);
    if (!names.ok()) return {};
    for (const std::string& name : *names) {
      if (keep.empty() || !name.starts_with(keep)) (void)files->remove(path_join(folder, name));
    }
    return {};
  });
}

void Agent::drop_spare() {
  for (int i = 0; i < 2; ++i) {
    bool being_written = state_.update.phase == Phase::kDownloaded && state_.update.slot == i;
    if (!state_.slots[static_cast<size_t>(i)].digest.empty() || being_written) continue;
    // A job too: it stays in order with an installation into the same folder.
    jobs_.submit([folder = slot_folder(config_.data, i), files = ports_.files]() -> JobDone {
      if (auto s = files->remove_all(folder); !s.ok()) log_warn("agent", s.error().message());
      return {};
    });
  }
}

}  // namespace oree
