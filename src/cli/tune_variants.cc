// SPDX-License-Identifier: Apache-2.0
#include "cli/tune_variants.h"

#include <fmt/format.h>

#include <algorithm>

#include "cli/variants.h"
#include "core/base/limits.h"
#include "core/io/inner_path.h"
#include "model/digest/model_files.h"
#include "model/runtime/registry.h"

namespace oree::cli {
namespace {

constexpr int kVariantsFormat = 3;

Json names_of(const std::vector<std::string>& paths) {
  Json names = Json::array();
  for (const std::string& path : paths) names.push(path_name(path));
  return names;
}

Json layers_to_json(const std::vector<TuneLayer>& layers) {
  Json list = Json::array();
  for (const TuneLayer& l : layers) {
    list.push(Json()
                  .set("name", l.name)
                  .set("op", l.op)
                  .set("integer", l.integer)
                  .set("macs_share", l.macs_share)
                  .set("sqnr_db", l.sqnr_db)
                  .set("because", l.because));
  }
  return list;
}

std::vector<TuneLayer> layers_from_json(const Json& json) {
  std::vector<TuneLayer> layers;
  for (const Json& l : json.items()) {
    layers.push_back({l["name"].as_string(), l["op"].as_string(), l["integer"].as_bool(), l["macs_share"].as_double(),
                      l["sqnr_db"].is_number() ? std::optional<double>(l["sqnr_db"].as_double()) : std::nullopt,
                      l["because"].as_string()});
  }
  return layers;
}

std::optional<TuneVariants> variants_made(Files& files, const std::string& folder, const std::string& fingerprint) {
  auto bytes = files.read(path_join(folder, "variants.json"), kJsonBytesMax);
  if (!bytes.ok()) return std::nullopt;
  auto json = Json::parse(as_text(*bytes));
  if (!json.ok() || (*json)["format"].as_int() != kVariantsFormat || (*json)["fingerprint"].as_string() != fingerprint)
    return std::nullopt;
  TuneVariants variants;
  for (auto [key, list] : {std::pair("floats", &variants.floats), std::pair("others", &variants.others)}) {
    for (const Json& name : (*json)[key].items()) {
      list->push_back(path_join(folder, name.as_string()));
      if (!check_inner_path(name.as_string()).ok() || !files.exists(list->back())) return std::nullopt;
    }
  }
  for (const Json& note : (*json)["notes"].items()) variants.notes.push_back(note.as_string());
  for (const auto& [name, layers] : (*json)["layers"].members())
    variants.layers[path_join(folder, name)] = layers_from_json(layers);
  for (const auto& [name, engine] : (*json)["made_for"].members())
    variants.made_for[path_join(folder, name)] = engine.as_string();
  return variants;
}

Result<std::string> variants_fingerprint(Files& files, const VariantSource& source,
                                         const std::vector<std::string>& engines) {
  Fingerprint print(files);
  OREE_TRY(add_model(print, source.model));
  print.add("oree", OREE_VERSION).add_path("calibration", source.calibration.path);
  print.add_json("recipe", source.recipe ? recipe_to_json(*source.recipe) : Json());
  print.add("engine", "ncnn").add("version", backend("ncnn").info().version);
  for (const std::string& engine : engines) print.add("engine", engine).add("version", backend(engine).info().version);
  return print.finish();
}

}  // namespace

// The float model in the other format, for ncnn and with float16 weights; in integers for each engine that is here.
Result<TuneVariants> make_tune_variants(const Ports& ports, const VariantSource& source,
                                        const std::function<void(size_t, size_t, const std::string&)>& progress) {
  Files& files = *ports.files;
  const std::string& model = source.model;
  const std::string folder = source.folder;
  const std::vector<std::string> engines = dialects_here(source.runtimes);
  OREE_TRY_ASSIGN(const std::string fingerprint, variants_fingerprint(files, source, engines));
  if (std::optional<TuneVariants> made = variants_made(files, folder, fingerprint)) return *made;
  OREE_TRY(files.remove_all(folder));
  OREE_TRY(files.make_dirs(folder));
  const std::string name = path_name(model).substr(0, path_name(model).size() - path_extension(model).size());
  TuneVariants variants;
  for (const bool float16 : {false, true}) {
    FloatVariant made = convert_variant(files, model, folder, name, float16);
    const std::string what = float16 ? "with float16 weights" : "in the other format";
    if (made.path.empty())
      variants.notes.push_back(fmt::format("{}: {}", what, made.refused));
    else
      (float16 ? variants.others : variants.floats).push_back(made.path);
  }
  if (source.runtimes.empty() || std::ranges::count(source.runtimes, "ncnn") > 0) {
    const FloatVariant made = ncnn_variant(files, model, folder, name);
    if (made.path.empty())
      variants.notes.push_back("for ncnn: " + made.refused);
    else
      variants.floats.push_back(made.path);
  }
  QuantizeRequest request;
  request.source = model;
  request.data = source.calibration;
  request.recipe = source.recipe;
  request.quantize.samples_max = 300;
  for (size_t i = 0; i < engines.size(); ++i) {
    if (progress) progress(i, engines.size(), engines[i]);
    auto made = quantize_for_engine(ports, request, engines[i], folder, name);
    if (made.ok()) {
      variants.others.insert(variants.others.end(), made->paths.begin(), made->paths.end());
      for (size_t k = 0; k < made->paths.size(); ++k) {
        variants.layers[made->paths[k]] = made->layers[k];
        variants.made_for[made->paths[k]] = engines[i];
      }
    } else if (made.error().code() == Code::kUnsupported) {
      variants.notes.push_back(fmt::format("int8 for {}: {}", engines[i], made.error().message()));
    } else {
      return made.error();
    }
  }
  Json notes = Json::array(), layers = Json::object(), made_for = Json::object();
  for (const auto& [path, engine] : variants.made_for) made_for.set(path_name(path), engine);
  for (const std::string& note : variants.notes) notes.push(note);
  for (const auto& [path, list] : variants.layers) layers.set(path_name(path), layers_to_json(list));
  const Json json = Json()
                        .set("format", kVariantsFormat)
                        .set("fingerprint", fingerprint)
                        .set("floats", names_of(variants.floats))
                        .set("others", names_of(variants.others))
                        .set("layers", layers)
                        .set("made_for", made_for)
                        .set("notes", notes);
  OREE_TRY(files.write_atomic(path_join(folder, "variants.json"), as_bytes(json.dump(2) + "\n")));
  return variants;
}

}  // namespace oree::cli
