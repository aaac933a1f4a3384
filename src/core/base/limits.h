// SPDX-License-Identifier: Apache-2.0
// Every bound on data from outside, on queues, buffers and messages, in one place.
#pragma once

#include <cstdint>

namespace oree {

inline constexpr int64_t kTensorElementsMax = int64_t{1} << 31;
inline constexpr int kTensorRankMax = 32;
inline constexpr int64_t kModelBytesMax = int64_t{4} << 30;
inline constexpr int64_t kBundleBytesMax = int64_t{4} << 30;
inline constexpr int64_t kManifestBytesMax = 1 << 20;
inline constexpr int kJsonDepthMax = 64;
inline constexpr int64_t kJsonBytesMax = 64 << 20;
inline constexpr int64_t kConfigBytesMax = 1 << 20;
inline constexpr int kNpzEntriesMax = 4096;
inline constexpr int kTarEntriesMax = 65536;
inline constexpr int kTarPathMax = 1024;
inline constexpr int64_t kHttpBodyBytesMax = 8 << 20;    // a JSON request or answer; blobs stream
inline constexpr int kHttpHeaderBytesMax = 16 << 10;
inline constexpr int64_t kImagePixelsMax = int64_t{1} << 27;
inline constexpr int kTelemetryReportBytesMax = 64 << 10;
inline constexpr int64_t kTelemetrySpoolBytesMax = 16 << 20;  // on the device's disk; oldest merge, never vanish
inline constexpr int kTelemetryBatchReportsMax = 256;
inline constexpr int kAppMessageBytesMax = 64 << 10;     // one JSON line from the application to the agent
inline constexpr int kNameCharsMax = 128;                // model, device, version and key names

}  // namespace oree
