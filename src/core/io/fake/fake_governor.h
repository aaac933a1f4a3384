// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "core/io/governor.h"

namespace oree {

class FakeGovernor : public Governor {
 public:
  std::string now = "schedutil";
  std::vector<std::string> was_set;
  Status refusal;  // of every set()

  std::string get() override { return now; }
  Status set(const std::string& name) override {
    if (!refusal.ok()) return refusal;
    was_set.push_back(name);
    now = name;
    return {};
  }
};

}  // namespace oree
