// SPDX-License-Identifier: Apache-2.0
// Manifest: what a bundle says of itself. The byte-level format is docs/formats/bundle.md.
//
// A bundle is a plain tar, in this order:
// The order of the members is the manifest's own, and the bytes between them are tar_header()'s: equal manifests and
// signatures make equal files.
//
//   manifest.json     this structure, canonical JSON; lists every other member with size and SHA-256
//   signatures.json   [{"key_id", "algorithm": "ed25519", "signature": base64}] over the exact bytes of manifest.json;
//                     absent in an unsigned bundle
//   model/…           the model file(s) as the engine opens them (an OpenVINO IR is two files)
//   recipe.json       preprocessing, decoder, labels
//   golden/N.input.npz, golden/N.expected.npz
//   reference.json    drift reference (confidences), may be absent
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/codec/json.h"
#include "model/runtime/session_options.h"

namespace oree {

inline constexpr int kBundleFormat = 1;
inline constexpr char kManifestPath[] = "manifest.json";
inline constexpr char kSignaturesPath[] = "signatures.json";
inline constexpr char kRecipePath[] = "recipe.json";
inline constexpr char kReferencePath[] = "reference.json";
inline constexpr char kModelFolder[] = "model";

struct BundleMember {
  std::string path;
  int64_t size = 0;
  std::string sha256;  // 64 hex digits
};

// How the bundle is proven on the device: every golden sample is run; each output must lie within tolerance.
struct GoldenRules {
  int samples = 0;                   // golden/0 … golden/N-1
  double relative_error_max = 0.01;  // largest |a-b| over the range (max-min) of the expected output tensor
  double cosine_min = 0.999;         // between output and expected, flattened; both rules must hold
  double latency_ms_p95_max = 0;     // 0: no bound
  int64_t memory_bytes_max = 0;      // peak resident memory of the proving process; 0: no bound
  int warmup_runs = 3, runs = 30;    // for the latency bound
  bool random_inputs = false;        // the inputs are noise: they prove the engine, not the preprocessing or the data
};

// What the device is set to while this model runs, where its own configuration allows that (docs/agent.md).
struct HostSettings {
  int nice = 0;          // of the application and of the proof: -20 first to 19 last
  std::string governor;  // of the CPUs' frequency: "performance"; "": as it is
  bool operator==(const HostSettings&) const = default;
};
inline constexpr int kNiceMin = -20, kNiceMax = 19;
Status check_governor(std::string_view name);  // kInvalid: not a lower-case word

struct Manifest {
  int format = kBundleFormat;
  std::string model;                      // check_name
  std::string version;                    // check_name; ordered by compare_versions
  std::vector<std::string> device_types;  // compatible; check_name each; at least one
  std::string runtime;                    // backend name
  SessionOptions options;
  std::string model_path;  // member that the backend opens, e.g. "model/detector.tflite"
  std::string created;     // RFC 3339; label only
  std::string description;
  GoldenRules golden;
  int64_t probation_seconds = 60;  // watched on live data before commit
  HostSettings host;               // in the JSON form only when something is set
  // The device profile that the choice of engine and options comes from, for want of a device: nothing was measured.
  // "": they were measured, or given. In the JSON form only when set.
  std::string unmeasured_profile;
  std::vector<BundleMember> members;  // every member but manifest.json and signatures.json
};

std::string golden_input_path(int sample);                                         // "golden/0.input.npz"
std::string golden_expected_path(int sample);                                      // "golden/0.expected.npz"
const BundleMember* find_member(const Manifest& manifest, std::string_view path);  // nullptr when absent

Json manifest_to_json(const Manifest& manifest);
// kInvalid names the key; paths are checked to be safe; unknown format: kUnsupported. The model, the recipe and both
// files of every golden sample must be among the members. Unknown keys are ignored, but for those of `options`: a
// change that an older reader must not overlook raises `format`.
Result<Manifest> manifest_from_json(const Json& json);

}  // namespace oree
