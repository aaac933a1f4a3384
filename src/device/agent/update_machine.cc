// SPDX-License-Identifier: Apache-2.0
#include "device/agent/update_machine.h"

#include <fmt/format.h>

#include "core/base/text.h"

namespace oree {
namespace {

constexpr size_t kDetailCharsMax = 1000;

class Stepper {
 public:
  Stepper(const UpdatePolicy& policy, const AgentState& state) : policy_(policy) { out_.state = state; }
  Step take() { return std::move(out_); }

  void on(const BootEvent& event) {
    for (int i = 0; i < 2; ++i) intact_[i] = event.intact[i] && !slot(i).digest.empty();
    // The application must start whether or not the disk takes a word; all that follows here is found again at the next
    // boot.
    out_.even_unsaved = true;
    act(Action::kDropSpare);
    on(FoundEvent{{kOwnProgram, policy_.agent_version}});
    if (u().phase == Phase::kProbation) {
      if (!intact_[u().slot]) return roll_back("slot_damaged", "the new bundle's files changed on the disk");
      if (u().starts >= policy_.probation_starts_max) return roll_back("boot_loop", starts_text());
    } else if (s().active >= 0 && !intact_[s().active]) {
      leave_damaged_slot();
    }
    if (u().phase == Phase::kInstalled) {
      // The download may still lie there; if not, it is fetched again.
      if (!intact_[u().slot]) {
        slot(u().slot) = Slot{};
        u().phase = Phase::kDownloading;
      } else if (u().starts >= kProofStartsMax) {
        refuse("boot_loop", starts_text(), true);
      }
    }
    if (u().phase == Phase::kIdle) act(Action::kDropDownloads);
    act(Action::kRunActive);
    resume();
  }

  void on(const OfferEvent& offer) {
    if (s().active >= 0 && offer.digest == slot(s().active).digest) {
      // The server went back to what runs here: an update that was only being fetched has no purpose any more.
      if (fetching()) abandon();
      return;
    }
    if (u().phase != Phase::kIdle) {
      if (!fetching() || s().is_refused(offer.digest)) return;
      if (offer.digest == u().digest) {
        u().url = offer.url;
        return;
      }
      abandon();
    }
    if (s().is_refused(offer.digest)) return;
    Update next;
    next.phase = Phase::kDownloading;
    next.digest = offer.digest;
    next.version = offer.version;
    next.url = offer.url;
    next.size = offer.size;
    next.slot = s().spare();
    u() = next;
    if (!offer.compatible)
      return refuse("incompatible", "the release is not for device type " + policy_.device_type, false);
    if (offer.size > policy_.download_bytes_max) {
      return refuse("too_large",
                    fmt::format("{} bytes, at most {} are allowed", offer.size, policy_.download_bytes_max), false);
    }
    if (s().active >= 0 && !policy_.allow_downgrade && compare_versions(offer.version, slot(s().active).version) < 0) {
      return refuse("downgrade",
                    fmt::format("{} is older than {}, which runs", offer.version, slot(s().active).version), false);
    }
    act(Action::kDownload);
  }

  void on(const DownloadedEvent&) {
    if (u().phase != Phase::kDownloading) return;
    u().phase = Phase::kDownloaded;
    slot(u().slot) = Slot{};  // said before the folder is touched: from now on it is nothing to fall back to
    act(Action::kInstall);
  }

  void on(const FailedEvent& failure) {
    if (u().phase == Phase::kIdle || u().phase == Phase::kProbation) return;
    if (u().phase == Phase::kDownloading && failure.reason == "digest" && ++u().digest_failures < kDigestFailuresMax)
      return;
    refuse(failure.reason, failure.detail, failure.forever || failure.reason == "digest", failure.remedy);
  }

  void on(const DownloadLostEvent&) {
    if (u().phase != Phase::kDownloaded) return;
    u().phase = Phase::kDownloading;
    act(Action::kDownload);
  }

  void on(const InstalledEvent& installed) {
    if (u().phase != Phase::kDownloaded) return;
    Slot& target = slot(u().slot);
    target = Slot{};
    target.digest = u().digest;
    target.version = u().version;
    target.manifest_sha256 = installed.manifest_sha256;
    target.bytes = u().size;
    u().phase = Phase::kInstalled;
    u().starts = 0;
    act(Action::kDropDownloads);
    act(Action::kProve);
  }

  void on(const StartingEvent&) {
    if (u().phase != Phase::kInstalled && u().phase != Phase::kProbation) return;
    if (u().phase == Phase::kInstalled) {
      if (++u().starts > kProofStartsMax) refuse("boot_loop", starts_text(), true);
    } else {
      out_.even_unsaved = true;
      if (++u().starts > policy_.probation_starts_max) roll_back("boot_loop", starts_text());
    }
  }

  void on(const ProvedEvent& proved) {
    if (u().phase != Phase::kInstalled) return;
    u().phase = Phase::kProbation;
    u().starts = 0;
    u().drift_before = proved.drift_before;
    s().active = u().slot;
    if (!policy_.has_app) return commit();
    act(Action::kRunActive);
    act(Action::kWatch);
  }

  void on(const ProbationPassedEvent&) {
    if (u().phase == Phase::kProbation) commit();
  }

  void on(const ProbationFailedEvent& failure) {
    if (u().phase == Phase::kProbation) roll_back(failure.reason, failure.detail);
  }

  void on(const ResumeEvent&) { resume(); }

  void on(const FoundEvent& event) {
    if (event.now.what.empty()) return;
    std::erase_if(s().refused, [&](const Refusal& refusal) {
      return refusal.remedy.what == event.now.what && refusal.remedy.found != event.now.found;
    });
  }

 private:
  AgentState& s() { return out_.state; }
  Update& u() { return out_.state.update; }
  Slot& slot(int i) { return out_.state.slots[static_cast<size_t>(i)]; }
  void act(Action action) { out_.actions.push_back(action); }
  bool fetching() { return u().phase == Phase::kDownloading || u().phase == Phase::kDownloaded; }
  std::string starts_text() { return fmt::format("started {} times without coming to an end", u().starts); }

  void resume() {
    switch (u().phase) {
      case Phase::kIdle: break;
      case Phase::kDownloading: act(Action::kDownload); break;
      case Phase::kDownloaded: act(Action::kInstall); break;
      case Phase::kInstalled: act(Action::kProve); break;
      case Phase::kProbation: act(Action::kWatch); break;
    }
  }

  void finish(const char* outcome, const std::string& reason, const std::string& detail) {
    s().last = Outcome{u().digest, u().version, outcome, reason.substr(0, 64), detail.substr(0, kDetailCharsMax)};
    ++s().update_seq;
    u() = Update{};
  }

  void remember_refused(const std::string& digest, const std::string& reason, const Remedy& remedy = {}) {
    if (s().is_refused(digest)) return;
    if (s().refused.size() >= kRefusedMax) s().refused.erase(s().refused.begin());
    s().refused.push_back({digest,
                           reason.substr(0, 64),
                           {remedy.what.substr(0, kRemedyCharsMax), remedy.found.substr(0, kRemedyCharsMax)}});
  }

  // Nothing was switched yet. `forever`: these bytes are not tried again unless `remedy` changes; else a later poll
  // may.
  void refuse(const std::string& reason, const std::string& detail, bool forever, const Remedy& remedy = {}) {
    if (forever) remember_refused(u().digest, reason, remedy);
    if (u().phase >= Phase::kDownloaded) slot(u().slot) = Slot{};
    // The same refusal at every poll is one outcome, not one a minute.
    bool repeated = s().last.digest == u().digest && s().last.outcome == "refused" && s().last.reason == reason;
    if (repeated)
      u() = Update{};
    else
      finish("refused", reason, detail);
    act(Action::kDropDownloads);
    act(Action::kDropSpare);
  }

  void abandon() {
    u() = Update{};
    act(Action::kDropDownloads);
  }

  void commit() {
    slot(u().slot).committed = true;
    finish("committed", "", "");
  }

  void roll_back(const std::string& reason, const std::string& detail) {
    int old = 1 - u().slot;
    remember_refused(u().digest, reason);
    slot(u().slot) = Slot{};
    s().active = slot(old).committed && intact_[old] ? old : -1;
    finish("rolled_back", reason, detail);
    act(Action::kRunActive);
    act(Action::kDropSpare);
    act(Action::kDropDownloads);
    out_.even_unsaved = true;
  }

  // The committed model's files went bad on the medium: run the other good one, or wait for the server's.
  void leave_damaged_slot() {
    int bad = s().active, other = 1 - bad;
    Slot damaged = slot(bad);
    slot(bad) = Slot{};
    s().active = slot(other).committed && intact_[other] ? other : -1;
    s().last = Outcome{damaged.digest, damaged.version, "rolled_back", "slot_damaged",
                       "the bundle's files changed on the disk"};
    ++s().update_seq;
    // An update on its way was meant for `other`; if that is what runs now, it starts again for the other side.
    if (u().phase != Phase::kIdle && u().slot == s().active) {
      u().slot = bad;
      u().phase = Phase::kDownloading;
    }
    act(Action::kDropSpare);
    out_.even_unsaved = true;
  }

  const UpdatePolicy& policy_;
  Step out_;
  bool intact_[2] = {true, true};  // between boots a slot counts as it was found
};

}  // namespace

Step step(const UpdatePolicy& policy, const AgentState& state, const Event& event) {
  Stepper stepper(policy, state);
  std::visit([&](const auto& e) { stepper.on(e); }, event);
  return stepper.take();
}

}  // namespace oree
