// SPDX-License-Identifier: Apache-2.0
#include "optimize/quantize/calibrate.h"

#include "optimize/quantize/engines_fixture.h"

namespace oree {
namespace {

std::vector<size_t> all_of(size_t n) {
  std::vector<size_t> indices;
  for (size_t i = 0; i < n; ++i) indices.push_back(i);
  return indices;
}

}  // namespace

TEST_CASE("what is seen is what the reference interpreter gives, whatever the threads") {
  if (!engine_is_here("onnxruntime")) return;
  PosixFiles files;
  TestFolder folder;
  Graph g;
  ValueId x = picture(g), y = conv(g, x, 6, 1), z = build(g, "Relu", {y});
  g.add_output(conv(g, z, 4, 2));
  constexpr size_t kCount = 6;
  std::map<ValueId, std::vector<double>> sums, sizes;
  Interpreter interpreter = Interpreter::create(g).value();
  interpreter.observe([&](ValueId v, const Tensor& t) {
    std::vector<double> values = t.to_doubles();
    sums[v].resize(values.size() / 64);
    sizes[v].resize(values.size() / 64);
    for (size_t i = 0; i < values.size(); ++i) {
      sums[v][i / 64] += values[i] / (64 * kCount);
      sizes[v][i / 64] = std::max(sizes[v][i / 64], std::abs(values[i]));
    }
  });
  for (const NamedTensors& sample : some_samples(g, kCount)) REQUIRE(interpreter.run(sample).ok());
  NormalSamples samples(g, kCount);
  std::vector<Calibration> found;
  for (int threads : {1, 2, 3}) {
    Result<Calibration> c = calibrate(files, g, {x, y, z}, {{x, 1}, {z, 1}}, samples, all_of(kCount),
                                      {.threads = threads, .scratch = folder.path});
    REQUIRE_MESSAGE(c.ok(), (c.ok() ? "" : c.error().message()));
    found.push_back(std::move(*c));
  }
  const Calibration& one = found[0];
  CHECK(one.samples == kCount);
  for (ValueId v : {x, y, z}) {
    const TensorStatistics& s = one.statistics.at(v);
    CHECK(s.samples == kCount);
    CHECK(s.histogram.count() == kCount * 64 * sizes[v].size());
    double most = *std::ranges::max_element(sizes[v]);
    CHECK(std::max(-s.histogram.min(), s.histogram.max()) == doctest::Approx(most).epsilon(1e-5));
    for (const Calibration& other : found) {
      CHECK(other.statistics.at(v).histogram.bins() == s.histogram.bins());
      CHECK(other.statistics.at(v).average == s.average);
    }
  }
  for (ValueId v : {x, z}) {
    REQUIRE(one.channel_means.at(v).size() == sums[v].size());
    for (size_t c = 0; c < sums[v].size(); ++c) {
      CHECK(std::abs(one.channel_means.at(v)[c] - sums[v][c]) < 1e-5);
      CHECK(one.channel_sizes.at(v)[c] == doctest::Approx(sizes[v][c]).epsilon(1e-5));
    }
    for (const Calibration& other : found) CHECK(other.channel_means.at(v) == one.channel_means.at(v));
  }
  CHECK(std::filesystem::is_empty(folder.path));
}

TEST_CASE("who watches beside sees the samples that are theirs, in their order, whatever the threads") {
  if (!engine_is_here("onnxruntime")) return;
  PosixFiles files;
  TestFolder folder;
  Graph g;
  ValueId x = picture(g), y = build(g, "Relu", {conv(g, x, 6, 1)}), z = conv(g, y, 4, 2);
  g.add_output(z);
  NormalSamples samples(g, 9, {2});
  const std::vector<size_t> at{1, 3, 7};
  std::vector<NamedTensors> theirs;
  for (size_t i : at) theirs.push_back(samples.read(i)->inputs);
  for (int threads : {1, 2, 4}) {
    CAPTURE(threads);
    SampleRun beside(g, theirs);
    std::vector<std::vector<double>> inputs, results;
    // One value that is counted, too, and one that is not.
    auto keep = [](std::vector<std::vector<double>>& kept) {
      return [&kept](const Tensor& t) {
        kept.push_back(t.to_doubles());
        return Status();
      };
    };
    beside.watch(x, 3, keep(inputs));
    beside.watch(z, 3, keep(results));
    CalibrationOptions how{.threads = threads, .skip_bad = true, .scratch = folder.path};
    how.beside = &beside;
    how.beside_at = at;
    Result<Calibration> c = calibrate(files, g, {x, y}, {}, samples, all_of(9), how);
    REQUIRE_MESSAGE(c.ok(), (c.ok() ? "" : c.error().message()));
    CHECK(c->samples == 8);
    REQUIRE(inputs.size() == 3);
    REQUIRE(results.size() == 3);
    for (size_t k = 0; k < 3; ++k) {
      CHECK(inputs[k] == theirs[k][0].tensor.to_doubles());
      const std::vector<double> wanted = run_graph(g, theirs[k])[0].tensor.to_doubles();
      for (size_t i = 0; i < wanted.size(); ++i) CHECK(std::abs(results[k][i] - wanted[i]) < 1e-4);
    }
    CHECK(c->statistics.size() == 2);
  }
}

TEST_CASE("a value that is NaN or infinite with some sample is named") {
  if (!engine_is_here("onnxruntime")) return;
  PosixFiles files;
  TestFolder folder;
  Graph g;
  ValueId y = build(g, "Log", {picture(g)}, {}, kMainBlock, "logarithm");  // of numbers below 0, too
  g.add_output(y);
  NormalSamples samples(g, 2);
  Result<Calibration> c = calibrate(files, g, {y}, {}, samples, all_of(2), {.scratch = folder.path});
  REQUIRE(!c.ok());
  CHECK(c.error().code() == Code::kInvalid);
  CHECK_MESSAGE(c.error().message().find("logarithm") != std::string::npos, c.error().message());
}

}  // namespace oree
