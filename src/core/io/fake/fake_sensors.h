// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/io/sensors.h"

namespace oree {

// Says what the test wrote into it.
class FakeSensors : public Sensors {
 public:
  SystemReading read() override { return reading; }
  SystemIdentity identity() override { return machine; }

  SystemReading reading{12.5, int64_t{512} << 20, int64_t{2048} << 20, 45.0, 0.5};
  SystemIdentity machine{"x86_64", "Fake CPU", "FakeOS 1", 4, int64_t{2048} << 20, "boot-1"};
};

}  // namespace oree
