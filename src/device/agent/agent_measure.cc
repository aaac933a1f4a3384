// SPDX-License-Identifier: Apache-2.0
// The device lent for measuring: an update that is under way is finished first, the application ends for it when it
// shall, and comes back whatever ends the job: the word of the measuring process, its end, or this agent's own start.
#include <utility>

#include "core/base/log.h"
#include "device/agent/agent.h"

namespace oree {

void Agent::lend() {
  for (Measuring::Event event : measuring_.turn()) {
    if (event == Measuring::Event::kAsked)
      begin_measuring();
    else
      end_measuring();
  }
  if (lent_ != Lent::kAppEnds) return;
  if (app_paused_ && supervisor_.has_child()) return;
  lent_ = Lent::kYes;
  measuring_.grant();
  log_info("measure", "lent to " + measuring_.by());
}

void Agent::begin_measuring() {
  if (state_.update.phase != Phase::kIdle || transfer_busy_) return measuring_.refuse("an update is under way");
  lent_ = Lent::kAppEnds;
  app_paused_ = config_.measure->pause_app && !supervisor_.finished();
  if (app_paused_) run_app();
  status_dirty_ = true;
  status_waits_ = false;
}

void Agent::end_measuring() {
  if (!measuring()) return;
  lent_ = Lent::kNo;
  log_info("measure", "the device returns to its work");
  if (std::exchange(app_paused_, false)) run_app();
  poll_now();  // a release may have waited
  status_dirty_ = true;
  status_waits_ = false;
}

void Agent::run_app() { supervisor_.run(app_paused_ ? RunTarget{} : app_); }

}  // namespace oree
