// SPDX-License-Identifier: Apache-2.0
// The bounds of limits.h that are of measuring on a device alone.
#pragma once

#include <cstddef>
#include <cstdint>

namespace oree {

inline constexpr size_t kRuntimesMax = 32;  // inference engines that one program knows
// Measuring on a device, from elsewhere.
inline constexpr int kMeasureThreads = 6;                    // of the device's HTTP server
inline constexpr int kMeasureConnectionsMax = 16;            // to it, at a time
inline constexpr int kMeasureWorkersMax = 64;                // alive in one job
inline constexpr size_t kMeasureFilesMax = 4096;             // kept on the device
inline constexpr size_t kMeasureModelFilesMax = 64;          // that one model has
inline constexpr size_t kMeasureFrequenciesMax = 1024;       // of one reading: a policy each
inline constexpr size_t kMeasureCpusMax = 8192;              // of one machine
inline constexpr int kMeasureUploadsMax = 4;                 // files being received at once
inline constexpr int64_t kMeasureBodyBytesMax = 64 << 10;    // of a request that is no file
inline constexpr int64_t kMeasureCommandMsMax = 3'600'000;   // of one command
inline constexpr int64_t kMeasureWaitMsMax = 30'000;         // that one request is held back for an answer
inline constexpr int64_t kMeasureJobMsMax = 7 * 86'400'000;  // that a device may be set to lend itself for
inline constexpr int kMeasureTokenCharsMin = 32;

}  // namespace oree
