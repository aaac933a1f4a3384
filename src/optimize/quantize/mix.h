// SPDX-License-Identifier: Apache-2.0
// Mixed precision: which layers cost accuracy, and which of them stay in float for it. Found by trying: the quantized
// graph with one layer more in float, run on real samples, held to the float graph's outputs.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "optimize/quantize/compare.h"
#include "optimize/quantize/plan.h"

namespace oree {

inline constexpr double kNoiseKept = 0.98;  // a layer that leaves more of the noise is not worth its float

struct MixOptions {
  double float_macs_max = 0.04;  // of all multiply-accumulates, what may stay in float
  double float_macs_more = 0;    // when it is larger: Mix::more, with up to so much
  double enough_db = 35;         // every output at least so near to float: nothing is tried
  // Layers that are tried alone, those first that add most noise; after half of them only while, of the last ones that
  // were tried, any has left at most this share of the outputs' noise.
  int tries_max = 12;
  double noise_good = kNoiseKept;
  bool list_only = false;  // nothing is chosen, whatever the noise: `order` tells what to choose from
  int threads = 1;         // trials at once; the choice does not depend on it
  std::string scratch;
  std::function<void(size_t done, size_t total)> progress;
};

// One layer alone in float, all others in integers.
struct Trial {
  NodeId node = kNoNode;
  double noise_left = 1;  // of the outputs' noise: mean over outputs of noise with it / noise before
  double macs_share = 0;
  int64_t border_elements = 0;  // that are turned from integers to float or back because of it
};

struct MixChoice {
  std::set<NodeId> kept;     // in float, those that the caller keeps included
  std::vector<Noise> after;  // by compared_values(), in order
};

struct Mix {
  MixChoice choice;
  std::optional<MixChoice> more;  // of MixOptions::float_macs_more, where it keeps more
  std::vector<Trial> trials;      // the most useful first
  // What may be in float: what helped when tried, then the noisiest. With list_only all of it may be so at once.
  std::vector<NodeId> order;
  std::vector<Noise> before;            // as MixChoice::after
  std::map<NodeId, Noise> layer_noise;  // of each layer's result, all in integers
};

// The plan when these nodes stay in float.
using PlanFor = std::function<Result<Plan>(const std::set<NodeId>& kept)>;

// `kept`: what stays in float in any case; `before`: the noise with that alone, by `reference`. Of the layers chosen,
// each lowers the outputs' noise, together they have at most the share of the multiply-accumulates. Deterministic on
// one machine.
Result<Mix> choose_mix(Files& files, const Graph& graph, const PlanFor& plan_for, const std::set<NodeId>& kept,
                       const OutputReference& reference, const std::vector<Noise>& before, const MixOptions& options);

}  // namespace oree
