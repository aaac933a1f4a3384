// SPDX-License-Identifier: Apache-2.0
#include "device/agent/host.h"

#include <doctest/doctest.h>

#include "core/io/fake/fake_governor.h"

namespace oree {

TEST_CASE("a governor is set while a bundle asks for it, and put back") {
  FakeGovernor governor;
  {
    HostTuner host(&governor, {true, 0});
    CHECK(host.apply({0, "performance"}) == 0);
    CHECK(governor.now == "performance");
    host.apply({0, "performance"});
    CHECK(governor.was_set.size() == 1);
    host.apply({0, "powersave"});
    host.apply({});
    CHECK(governor.now == "schedutil");
    host.apply({0, "performance"});
  }
  CHECK(governor.now == "schedutil");
}

TEST_CASE("what is not allowed or fails changes nothing, and nothing is put back") {
  FakeGovernor governor;
  {
    HostTuner strict(&governor, {false, 0}), none(nullptr, {true, 0});
    strict.apply({0, "performance"});
    none.apply({0, "performance"});
    governor.refusal = Error(Code::kRefused, "not for us");
    HostTuner refused(&governor, {true, 0});
    refused.apply({0, "performance"});
    governor.refusal = {};
  }
  CHECK(governor.was_set.empty());
  CHECK(governor.now == "schedutil");
}

TEST_CASE("a bundle may always be less favoured, and more as far as it is allowed") {
  HostTuner plain(nullptr, {false, 0}), generous(nullptr, {false, -10});
  CHECK(plain.apply({5, ""}) == 5);
  CHECK(plain.apply({-5, ""}) == 0);
  CHECK(generous.apply({-5, ""}) == -5);
  CHECK(generous.apply({-15, ""}) == -10);
  CHECK(generous.apply({0, ""}) == 0);
}

}  // namespace oree
