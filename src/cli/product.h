// SPDX-License-Identifier: Apache-2.0
// Product: what oree.toml says (docs/formats/product.md). Paths in it are relative to the file's own folder; here they
// are joined to it already.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/device_options.h"
#include "core/codec/json.h"
#include "core/io/files.h"
#include "deliver/bundle/manifest.h"
#include "model/recipe/recipe.h"
#include "optimize/tune/tune.h"

namespace oree::cli {

struct ProductTune {
  std::vector<std::string> runtimes, precisions, providers;  // empty: all that this machine has
  std::vector<int> threads;
  std::string metric = "auto";
  TuneGoal goal = TuneGoal::kLatency;
  std::optional<double> drop_max_percent;  // of accuracy, proven with that confidence; else min_agreement counts
  double confidence_percent = 95;
  std::optional<double> min_agreement;
  double score_min = 0.5, iou_min = 0.5;  // detector: what counts as found, and as the same box
  double latency_ms_max = 0;              // p95; 0: no bound
  int64_t memory_bytes_max = 0;           // 0: no bound
  int64_t size_bytes_max = 0;             // 0: no bound
  int samples_max = 0, rounds = 30;       // 0 samples: 100, or 1000 to prove a drop
};

struct ProductQuantize {
  std::vector<std::string> engines;  // empty: those of [tune], or all that this machine has and that take such files
  std::string calibration;           // data set; "" = the first golden one
  std::string ranges = "mse";
  std::vector<std::string> keep_float;  // layers, by the name of their output
  std::optional<double> float_macs_percent;
  std::optional<double> drop_max_percent;  // of the metric, in the engine; absent: layers are kept in float by noise
  std::string evaluation;                  // what that is judged on; "" = the calibration data
  int samples_max = 300;
};

struct ProductSign {
  std::string key;                   // secret key file
  std::vector<std::string> trusted;  // public keys that the verify step uses; empty: key.pub
};

struct ProductPublish {
  std::string server, ca, notes;
  std::string token_file, token_env = "OREE_TOKEN";
  std::vector<std::string> device_types;  // empty: the bundle's
};

// A class of devices, which gets a bundle of its own: the winner there, with its settings.
struct ProductTarget {
  std::string name;                       // "" when oree.toml has no [[target]]: all devices are as this machine
  std::vector<std::string> device_types;  // the bundle's
  DeviceOptions device;                   // candidates are measured there; none: here, unless there is a profile
  std::string profile;                    // of a device that is not at hand: chosen by it, not measured
  ProductTune tune;                       // [tune], with what the target says otherwise
  HostSettings host;
  double latency_ms_max = 0;     // what the device holds the model to; 0: no bound
  int64_t memory_bytes_max = 0;  // the same
};

struct Product {
  std::string file, folder;
  std::string state_folder;  // what the steps make and remember
  std::string name;
  std::string model;                  // file
  std::vector<std::string> variants;  // further files of the same model that tune may choose from
  std::optional<Recipe> recipe;
  std::vector<std::string> golden;  // data sets
  std::string tune_data;            // data set; "" = the first golden one
  int golden_max = 4, golden_random = 0;
  std::string reference;
  int64_t reference_samples_min = 100;
  Manifest manifest;  // model, version, rules …; runtime and options when not tuned; the rest is the targets'
  std::optional<ProductQuantize> quantize;
  std::optional<ProductTune> tune;     // absent: manifest.runtime and options are given
  std::vector<ProductTarget> targets;  // one at least
  std::optional<ProductSign> sign;
  std::optional<ProductPublish> publish;
};

// kUsage names the section and key that is wrong, missing or unknown; kNotFound, kInvalid for the files it names.
Result<Product> load_product(Files& files, const std::string& path);

}  // namespace oree::cli
