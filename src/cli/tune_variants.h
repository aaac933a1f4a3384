// SPDX-License-Identifier: Apache-2.0
// The variants that `oree tune --calibration` makes, and remembers in their folder, so that tuning again does not make
// them again: variants.json there has the fingerprint of all that they depend on.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/io/ports.h"
#include "model/eval/dataset.h"
#include "model/recipe/recipe.h"
#include "optimize/tune/tune.h"

namespace oree::cli {

struct VariantSource {
  std::string model;
  DatasetSource calibration;
  std::optional<Recipe> recipe;
  std::vector<std::string> runtimes;  // empty: all that are here
  std::string folder;                 // emptied when what is in it is not up to date
};

struct TuneVariants {
  std::vector<std::string> floats;  // the float model in the other format
  std::vector<std::string> others;
  std::vector<std::string> notes;                        // what could not be made, and why
  std::map<std::string, std::vector<TuneLayer>> layers;  // of int8 files
  std::map<std::string, std::string> made_for;           // the same files -> engine
};

// The float model in the other format and with float16 weights; in integers for each engine that is here. What an
// engine or a format does not take is a note; else errors of quantize_file().
Result<TuneVariants> make_tune_variants(
    const Ports& ports, const VariantSource& source,
    const std::function<void(size_t done, size_t all, const std::string& engine)>& progress);

}  // namespace oree::cli
