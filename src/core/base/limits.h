// SPDX-License-Identifier: Apache-2.0
// Every bound on data from outside, on queues, buffers and messages, in one place.
#pragma once

#include <cstddef>
#include <cstdint>

namespace oree {

inline constexpr int64_t kTensorElementsMax = int64_t{1} << 31;
inline constexpr int kTensorRankMax = 32;
inline constexpr int64_t kModelBytesMax = int64_t{4} << 30;
inline constexpr size_t kModelPartsMax = 1 << 20;       // nodes, tensors or buffers of one model file
inline constexpr size_t kModelNumbersMax = 1 << 22;     // in the attributes of one model file, all together
inline constexpr int kModelNestingMax = 16;             // graphs within graphs (If, Loop, Scan)
inline constexpr int64_t kShapeIntsMax = 256;           // elements of a tensor whose values type inference follows
inline constexpr int64_t kReferenceTripsMax = 1 << 20;  // iterations of a Loop that the interpreter goes through
inline constexpr int64_t kReferenceTensorBytesMax = int64_t{1} << 30;  // of one value that the interpreter makes
inline constexpr int64_t kModelStateBytesMax = 64 << 20;               // of all states that metadata or shapes ask for
inline constexpr size_t kMadeConstantBytesMax = 256 << 20;             // of one that a conversion makes, not the file
inline constexpr int64_t kReferenceLiveBytesMax = int64_t{8} << 30;    // of all values that are alive there at a time
inline constexpr int64_t kReferenceStepsMax = int64_t{1} << 38;        // of one node there: some minutes
inline constexpr int64_t kReferenceRunStepsMax = int64_t{1} << 42;     // of one run there: some hours
inline constexpr int64_t kFoldStepsMax = int64_t{1} << 31;             // of all constants that a pass computes: seconds
inline constexpr int64_t kSparseExpansionMax = 64;  // a sparse tensor's dense bytes for each that is stored
inline constexpr int64_t kReferenceElementsMax = int64_t{1} << 28;
inline constexpr int64_t kTriedModelBytesMax = 256 << 20;  // of constants, for trying whether a model could be written
inline constexpr size_t kDrawnNodesMax = 20000;            // of one drawing
inline constexpr size_t kDrawnLinesMax = 100000;           // between them
inline constexpr size_t kDrawnTextMax = 512;               // characters of a name or fact there
inline constexpr int64_t kBundleBytesMax = int64_t{4} << 30;
inline constexpr int64_t kManifestBytesMax = 1 << 20;
inline constexpr int kJsonDepthMax = 64;
inline constexpr int64_t kJsonBytesMax = 64 << 20;
inline constexpr int64_t kConfigBytesMax = 1 << 20;
inline constexpr int kNpzEntriesMax = 4096;
inline constexpr int kTarEntriesMax = 65536;
inline constexpr int kTarPathMax = 1024;
inline constexpr int64_t kHttpBodyBytesMax = 8 << 20;  // a JSON request or answer; blobs stream
inline constexpr int kHttpHeaderBytesMax = 16 << 10;
inline constexpr int64_t kImagePixelsMax = int64_t{1} << 27;
inline constexpr int kTelemetryReportBytesMax = 64 << 10;
inline constexpr int64_t kTelemetrySpoolBytesMax = 16 << 20;  // on the device's disk; oldest merge, never vanish
inline constexpr int kTelemetryBatchReportsMax = 256;
inline constexpr int kAppMessageBytesMax = 64 << 10;   // one JSON line from the application to the agent
inline constexpr int kNameCharsMax = 128;              // model, device, version and key names
inline constexpr size_t kDeviceTypesMax = 64;          // that one bundle or release is for
inline constexpr int64_t kProfileBytesMax = 64 << 10;  // of one device profile
inline constexpr size_t kProfilesMax = 256;            // that a user adds
inline constexpr size_t kProfileListMax = 64;          // of any list or kind of table in one
inline constexpr size_t kProfileTextMax = 512;         // bytes of any text in one

// The fleet server.
inline constexpr int kServerThreads = 8;  // handlers wait for the disk, so more than there are cores
inline constexpr int kServerConnectionsMax = 4096;
inline constexpr int kServerChunkBytes = 64 << 10;            // of a body, read or written at a time
inline constexpr int kServerUploadsMax = 8;                   // blobs being received at once
inline constexpr int64_t kServerDiskReserveBytes = 64 << 20;  // left free when a blob is received
inline constexpr int64_t kServerBlobGraceMs = 86'400'000;     // a blob that no release names is kept so long
inline constexpr int64_t kServerBlobSweepMs = 600'000;        // between two looks for such blobs
inline constexpr int kServerBlobsSweptMax = 64;               // deleted by one look; the next is then due at once
inline constexpr int kServerAuthFailuresMax = 20;  // wrong tokens a peer may show a minute before it is told to wait
inline constexpr int kServerAuthPeersMax = 4096;   // peers remembered for that
inline constexpr int kFleetDevicesMax = 20000;
inline constexpr int kFleetReleasesMax = 20000;
inline constexpr int kFleetPageMax = 1000;           // rows of one answer
inline constexpr int kFleetReportsPerHourMax = 720;  // of a device, merged for the overview
inline constexpr int kFleetReportDaysMax = 30;       // older reports are deleted

}  // namespace oree
