// SPDX-License-Identifier: Apache-2.0
// The world, as the modules see it: main/ fills it with the real ports, tests with fakes. Owns nothing.
#pragma once

#include "core/io/clock.h"
#include "core/io/files.h"
#include "core/io/governor.h"
#include "core/io/http.h"
#include "core/io/power.h"
#include "core/io/process.h"
#include "core/io/sensors.h"

namespace oree {

struct Ports {
  Clock* clock = nullptr;
  Random* random = nullptr;
  Files* files = nullptr;
  HttpClient* http = nullptr;
  Processes* processes = nullptr;
  Sensors* sensors = nullptr;
  PowerMeters* power = nullptr;  // none: this program measures no energy
  Governor* governor = nullptr;  // none: this program sets no frequencies
};

}  // namespace oree
