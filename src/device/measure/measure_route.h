// SPDX-License-Identifier: Apache-2.0
// MeasureRoute: what a request to the measuring process is for, out of its method and path alone.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace oree {

struct MeasureRoute {
  enum Kind {
    kUnknown,      // no such path: 404
    kWrongMethod,  // 405
    kDevice,       // GET    /measure/v1/device
    kReading,      // GET    …/reading
    kBeginJob,     // PUT    …/jobs/J
    kLookAtJob,    // GET    …/jobs/J
    kEndJob,       // DELETE …/jobs/J
    kHasFile,      // HEAD   …/jobs/J/files/D
    kPutFile,      // PUT    …/jobs/J/files/D
    kStartWorker,  // PUT    …/jobs/J/workers/W
    kEndWorker,    // DELETE …/jobs/J/workers/W
    kCommand,      // POST   …/jobs/J/workers/W/commands/N
    kOutput,       // GET    …/jobs/J/workers/W/output
  };
  Kind kind = kUnknown;
  std::string job;      // J, 32 hex digits
  std::string digest;   // D, 64 hex digits
  int64_t worker = 0;   // W, from 1
  int64_t command = 0;  // N, from 1
};

MeasureRoute measure_route(std::string_view method, std::string_view target);

}  // namespace oree
