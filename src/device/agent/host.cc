// SPDX-License-Identifier: Apache-2.0
#include "device/agent/host.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/log.h"

namespace oree {

void HostTuner::say(const std::string& text) {
  if (text == said_) return;
  said_ = text;
  log_warn("host", text);
}

void HostTuner::set_governor(const std::string& name) {
  if (!limits_.governor || governor_ == nullptr)
    return say(fmt::format("the bundle asks for the governor {}, which host.governor does not allow", name));
  const std::string now = governor_->get();
  if (now == name) return;
  if (Status set = governor_->set(name); !set.ok())
    return say(fmt::format("the governor {} could not be set: {}", name, set.error().message()));
  if (before_.empty()) before_ = now;
  log_info("host", fmt::format("governor {}, was {}", name, now.empty() ? "mixed" : now));
}

int HostTuner::apply(const HostSettings& wanted) {
  if (wanted.governor.empty())
    restore();
  else
    set_governor(wanted.governor);
  if (wanted.nice < limits_.nice_least)
    say(fmt::format("the bundle asks for niceness {}, host.nice_least is {}", wanted.nice, limits_.nice_least));
  return std::max(wanted.nice, limits_.nice_least);
}

void HostTuner::restore() {
  if (before_.empty()) return;
  if (Status set = governor_->set(before_); !set.ok())
    return say(fmt::format("the governor {} could not be put back: {}", before_, set.error().message()));
  log_info("host", "governor " + before_ + " again");
  before_.clear();
}

}  // namespace oree
