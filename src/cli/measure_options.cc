// SPDX-License-Identifier: Apache-2.0
#include "cli/measure_options.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>

#include "core/base/limits.h"
#include "core/base/text.h"
#include "model/runtime/registry.h"
#include "model/runtime/session_options.h"

namespace oree::cli {

void JudgeOptions::add_recipe(CLI::App& command) {
  command.add_option("--recipe", recipe, "Preprocessing and decoding (JSON)");
  command.add_option("--labels", labels, "Class names, one a line; default: the recipe's");
}

void JudgeOptions::add_matching(CLI::App& command) {
  command.add_option("--score", score, "Detector: what counts as found")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 1.0));
  command.add_option("--iou", iou, "Detector: what counts as the same box")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 1.0));
}

Result<std::vector<std::string>> parse_list(const std::string& text, const std::string& option) {
  if (text.empty() || text == "all") return std::vector<std::string>{};
  std::vector<std::string> items = split(text, ',');
  for (const std::string& item : items) {
    if (item.empty())
      return Error(Code::kUsage, fmt::format("{}: expected a list such as a,b, found '{}'", option, text));
  }
  return items;
}

namespace {

Result<std::vector<int>> parse_counts(const std::string& text, const std::string& option, int most) {
  OREE_TRY_ASSIGN(std::vector<std::string> items, parse_list(text, option));
  std::vector<int> counts;
  for (const std::string& item : items) {
    int count = 0;
    auto [end, error] = std::from_chars(item.data(), item.data() + item.size(), count);
    if (error != std::errc() || end != item.data() + item.size() || count < 1 || count > most) {
      return Error(Code::kUsage, fmt::format("{}: expected numbers of 1 to {}, found '{}'", option, most, item));
    }
    counts.push_back(count);
  }
  return counts;
}

}  // namespace

Result<std::vector<int>> parse_thread_list(const std::string& text) {
  return parse_counts(text, "--threads", kSessionThreadsMax);
}

Result<std::vector<int>> parse_batch_list(const std::string& text) {
  OREE_TRY_ASSIGN(std::vector<int> batches, parse_counts(text, "--batch", kBatchMax));
  if (batches.empty()) return Error(Code::kUsage, "--batch: expected numbers, found '" + text + "'");
  return batches;
}

Result<double> parse_percent(const std::string& text, const std::string& option) {
  const size_t sign = text.find_last_not_of(' ');
  double value = 0;
  bool good = sign != std::string::npos && sign > 0 && text[sign] == '%';
  if (good) {
    const std::string_view number = trim(std::string_view(text).substr(0, sign));
    auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), value);
    good = error == std::errc() && end == number.data() + number.size() && value >= 0 && value <= 100;
  }
  if (!good)
    return Error(Code::kUsage, fmt::format("{}: expected a share of 0% to 100%, such as 1%, found '{}'", option, text));
  return value / 100;
}

Result<std::optional<Recipe>> load_recipe(Files& files, const std::string& path, const std::string& labels_path) {
  std::optional<Recipe> none;
  if (path.empty())
    return labels_path.empty() ? Result<std::optional<Recipe>>(none) : Error(Code::kUsage, "--labels needs --recipe");
  OREE_TRY_ASSIGN(Bytes file, files.read(path, kConfigBytesMax));
  auto json = Json::parse(as_text(file));
  if (!json.ok()) return json.error().within(path);
  auto recipe = recipe_from_json(*json);
  if (!recipe.ok()) return recipe.error().within(path);
  if (!labels_path.empty()) {
    OREE_TRY_ASSIGN(Bytes text, files.read(labels_path, kConfigBytesMax));
    auto labels = parse_labels(as_text(text));
    if (!labels.ok()) return labels.error().within(labels_path);
    recipe->labels = std::move(labels).value();
  }
  return std::optional<Recipe>(std::move(recipe).value());
}

Result<Candidate> make_candidate(const std::string& model, const std::string& runtime, int threads,
                                 const std::string& precision, const std::string& provider) {
  Candidate candidate{model, runtime, {threads, provider, precision}};
  OREE_TRY_ASSIGN(candidate.options.precision, parse_precision(precision));
  OREE_TRY_ASSIGN(ModelFormat format, detect_format(model));
  if (runtime.empty()) {
    OREE_TRY_ASSIGN(candidate.runtime, default_backend(format, model));
  }
  const auto& names = backend_names();
  if (std::find(names.begin(), names.end(), candidate.runtime) == names.end()) {
    return Error(Code::kUsage, fmt::format("runtime: expected {}, found '{}'", fmt::join(names, ", "), runtime));
  }
  return candidate;
}

}  // namespace oree::cli
