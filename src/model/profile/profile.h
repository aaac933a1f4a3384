// SPDX-License-Identifier: Apache-2.0
// DeviceProfile: what is known of a kind of device before one is at hand: which engines, providers and precisions make
// sense there, how much memory and power it has, and where that is written. Data (profiles/*.toml, docs/profiles.md);
// read by `oree profile`, and by a build server that plans candidates for devices that it does not have.
// A profile is never a measurement: what follows from it is an estimate until a device of the kind has run it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"

namespace oree {

// In this order: what a smaller one holds, a larger one holds too.
enum class DeviceLevel { kMcu, kSingleBoard, kEdgeServer };
const char* level_name(DeviceLevel level);  // "mcu", "single-board", "edge-server"

struct ProfileSource {
  std::string id;                  // unique within its profile
  std::string title;               // what it is, and what it says
  std::string url;                 // "" for what is not on the web
  std::vector<std::string> backs;  // keys of single facts: "memory.bytes". Tables name their sources themselves
};

// A way to run models there. The first is the one to try first.
struct ProfileEngine {
  std::string engine;    // "onnxruntime", "openvino", "tflite", "tflm"
  std::string provider;  // as RuntimeInfo::providers has them: "cpu", "xnnpack", "tensorrt", "edgetpu" …
  std::vector<std::string> precisions;  // "f32", "f16", "bf16", "int8", "int16"; those that make sense, the best first
  std::string int8;                     // oree quantize --engine; "" where int8 is not among the precisions
  std::string int8_cpu;                 // its --cpu: "vnni", "x86", "arm"; "" where the dialect has but one form
  int64_t code_bytes = 0;               // of the engine itself, in an MCU's flash
  std::string why;
  std::string needs;  // software that orée does not fetch; "" when there is none
  std::vector<std::string> sources;
};

// What does not make sense there.
struct ProfileAvoid {
  std::string engine, provider;  // provider "": any
  std::string precision;
  std::string when;  // "": always
  std::string why;
  std::vector<std::string> sources;
};

// A published run on such a device: what latencies are estimated from.
struct ProfileThroughput {
  std::string engine, provider, precision;
  std::string model;
  int64_t macs = 0;
  double latency_ms = 0;
  std::vector<std::string> sources;
};

struct ProfilePower {
  std::optional<double> idle_watts, typical_watts, max_watts;  // of the board, measured
  std::optional<double> supply_watts;                          // what its supply must give
  std::optional<double> processor_watts;                       // the processor's own limit
  std::vector<double> modes_watts;                             // limits that it can be set to
};

struct ProfileMatch {
  bool generic = false;                    // for machines of the architecture that no other profile knows
  std::vector<std::string> architectures;  // as uname says; empty: a device that does not run orée
  std::vector<std::string> texts;          // one of them is part of the board's or the processor's name
};

struct DeviceProfile {
  std::string name;   // "raspberry-pi-4"
  std::string title;  // "Raspberry Pi 4 Model B"
  DeviceLevel level = DeviceLevel::kSingleBoard;
  std::string architecture;  // "aarch64"
  std::string cpu;           // "" and 0: the profile does not say
  int cores = 0;
  ProfileMatch match;
  std::vector<int64_t> memory_bytes;    // RAM of each version that is sold, ascending; empty: not known
  std::optional<int64_t> usable_bytes;  // of that RAM a program may have so much
  std::optional<int64_t> flash_bytes;   // an MCU's, for code and weights
  int model_percent = 50;               // of RAM that a model may realistically take: a choice, and why
  std::string model_why;
  ProfilePower power;
  std::vector<ProfileEngine> engines;
  std::vector<ProfileAvoid> avoided;
  std::vector<ProfileThroughput> throughputs;
  std::vector<ProfileSource> sources;
};

// kUsage, naming the key: unknown, missing, out of bounds, contradicting another, or a fact without a source.
Result<DeviceProfile> parse_profile(std::string_view toml);

// The words that a profile may use for engines of `oree quantize` and their CPUs. Empty and others are refused.
const std::vector<std::string>& profile_dialects();
const std::vector<std::string>& profile_dialect_cpus();

}  // namespace oree
