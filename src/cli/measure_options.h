// SPDX-License-Identifier: Apache-2.0
// Options that bench, eval and tune share.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/io/files.h"
#include "model/eval/candidate.h"
#include "model/recipe/recipe.h"

namespace CLI {
class App;
}

namespace oree::cli {

// How eval and tune judge a model's answers. Adds two options at a time: each command has others between them.
struct JudgeOptions {
  std::string recipe, labels;
  double score = 0.5, iou = 0.5;
  void add_recipe(CLI::App& command);    // --recipe, --labels
  void add_matching(CLI::App& command);  // --score, --iou
};

// "a,b" -> {"a", "b"}; "all" and "" -> {}. kUsage names an empty item.
Result<std::vector<std::string>> parse_list(const std::string& text, const std::string& option);
Result<std::vector<int>> parse_thread_list(const std::string& text);
Result<std::vector<int>> parse_batch_list(const std::string& text);

// "1%" or "1.5 %" -> 0.01, 0.015; 0 to 100. kUsage without the sign: 1 and 0.01 would both be guesses.
Result<double> parse_percent(const std::string& text, const std::string& option);

// A recipe file; labels from `labels_path` when given ("" = the recipe's own).
Result<std::optional<Recipe>> load_recipe(Files& files, const std::string& path, const std::string& labels_path);

// One way to run `model`: runtime "" is the natural engine of its format. kUsage on a runtime that does not exist.
Result<Candidate> make_candidate(const std::string& model, const std::string& runtime, int threads,
                                 const std::string& precision, const std::string& provider);

}  // namespace oree::cli
