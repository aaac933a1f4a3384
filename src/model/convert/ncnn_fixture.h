// SPDX-License-Identifier: Apache-2.0
// Small graphs from text, written for ncnn and run in it. For tests only.
#pragma once

#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "model/graph/print.h"
#include "model/ncnn/ncnn_file.h"
#include "model/ncnn/ncnn_graph.h"
#include "model/ops/inference.h"
#include "model/passes/passes.h"
#include "model/reference/interpreter.h"
#include "model/runtime/registry.h"

namespace oree {

// Tests run from any build folder, so the dependencies are named by the source tree.
inline const bool kDepsNamed = [] {
  setenv("OREE_DEPS", OREE_SOURCE_DIR "/.deps", 0);
  return true;
}();

inline bool ncnn_is_here() {
  if (kDepsNamed && backend("ncnn").info().available) return true;
  MESSAGE("skipped: ", backend("ncnn").info().absent.at("ncnn"));
  return false;
}

inline Tensor noise(const Shape& shape, uint32_t seed, float low, float high) {
  Tensor t(Dtype::kFloat32, shape);
  for (float& v : t.as<float>()) {
    seed = seed * 1664525u + 1013904223u;
    v = low + (high - low) * static_cast<float>(seed >> 8) / 16777216.0F;
  }
  return t;
}

// Inputs whose names begin with "w" become constants; those with "v" too, all above zero.
inline Model model_of(const std::string& text) {
  Result<Model> parsed = parse_graph_text("main " + text);
  REQUIRE_MESSAGE(parsed.ok(), text, ": ", (parsed.ok() ? "" : parsed.error().message()));
  Model model = std::move(*parsed);
  Graph& g = model.graph;
  std::vector<ValueId> inputs, weights;
  for (ValueId v : g.main().inputs) (g.value(v).name[0] == 'x' ? inputs : weights).push_back(v);
  g.set_inputs(kMainBlock, inputs);
  uint32_t seed = 11;
  for (ValueId v : weights) {
    const bool above = g.value(v).name[0] == 'v';
    g.set_constant(v, Constant(noise(to_shape(*g.value(v).dims), seed++, above ? 0.5F : -1.0F, above ? 1.5F : 1.0F)));
  }
  forget_types(g);  // "float y" is any output
  Status inferred = infer_types(g);
  REQUIRE_MESSAGE(inferred.ok(), text, ": ", (inferred.ok() ? "" : inferred.error().message()));
  return model;
}

inline std::string written(const Model& model) {
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("oree_ncnn_test_" + std::to_string(getpid()));
  std::filesystem::create_directories(folder);
  const std::string path = (folder / "m.ncnn.param").string();
  std::ofstream param(path, std::ios::binary), weights(ncnn_weights_path(path), std::ios::binary);
  auto into = [](std::ofstream& out) {
    return [&out](ByteView bytes) -> Status {
      out.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
      return {};
    };
  };
  Status done = write_ncnn_model(model, {into(param), into(weights)});
  REQUIRE_MESSAGE(done.ok(), (done.ok() ? "" : done.error().message()));
  return path;
}

inline void check_outputs(const NamedTensors& wanted, const NamedTensors& got, double tolerance) {
  REQUIRE(wanted.size() == got.size());
  for (size_t i = 0; i < wanted.size(); ++i) {
    CHECK(wanted[i].name == got[i].name);
    REQUIRE(shape_text(wanted[i].tensor.shape()) == shape_text(got[i].tensor.shape()));
    const std::vector<double> a = wanted[i].tensor.to_doubles(), b = got[i].tensor.to_doubles();
    double largest = 1e-3, worst = 0;
    for (size_t k = 0; k < a.size(); ++k) {
      largest = std::max(largest, std::abs(a[k]));
      worst = std::max(worst, std::isnan(b[k]) ? INFINITY : std::abs(a[k] - b[k]));
    }
    CHECK(worst / largest <= tolerance);
  }
}

struct Range {
  float low = -2, high = 2;
};

// In ncnn with float32 alone, with one thread and two, it computes what the reference does.
inline void check_same(const std::string& text, Range range = {}, double tolerance = 2e-5) {
  INFO(text);
  const Model model = model_of(text);
  const std::string path = written(model);
  NamedTensors inputs;
  uint32_t seed = 3;
  for (ValueId v : model.graph.main().inputs) {
    const Value& value = model.graph.value(v);
    inputs.push_back({value.name, noise(to_shape(*value.dims), seed++, range.low, range.high)});
  }
  Result<Interpreter> interpreter = Interpreter::create(model.graph);
  REQUIRE(interpreter.ok());
  Result<NamedTensors> wanted = interpreter->run(inputs);
  REQUIRE_MESSAGE(wanted.ok(), (wanted.ok() ? "" : wanted.error().message()));
  for (int threads : {1, 2}) {
    SessionOptions options;
    options.threads = threads;
    Result<std::unique_ptr<Session>> session = backend("ncnn").open(path, options);
    REQUIRE_MESSAGE(session.ok(), (session.ok() ? "" : session.error().message()));
    Result<NamedTensors> got = (*session)->run(inputs);
    REQUIRE_MESSAGE(got.ok(), (got.ok() ? "" : got.error().message()));
    check_outputs(*wanted, *got, tolerance);
  }
}

}  // namespace oree
