// SPDX-License-Identifier: Apache-2.0
#include "optimize/quantize/sample_run.h"

#include "optimize/quantize/engines_fixture.h"

namespace oree {

TEST_CASE("each that watches sees its samples in their order, however many threads run them") {
  if (!engine_is_here("onnxruntime")) return;
  PosixFiles files;
  TestFolder folder;
  Graph g;
  ValueId x = picture(g), y = build(g, "Relu", {conv(g, x, 8, 1)});
  g.add_output(build(g, "Neg", {y}));
  const std::vector<NamedTensors> samples = some_samples(g, 7);
  std::vector<std::vector<double>> first;
  for (int threads : {1, 2, 5, 16}) {
    CAPTURE(threads);
    std::vector<std::vector<double>> inputs, results;
    SampleRun run(g, samples);
    run.watch(x, 7, [&](const Tensor& t) {
      inputs.push_back(t.to_doubles());
      return Status();
    });
    run.watch(y, 3, [&](const Tensor& t) {
      results.push_back(t.to_doubles());
      return Status();
    });
    REQUIRE(run.run(files, threads, folder.path).ok());
    REQUIRE(inputs.size() == 7);
    for (size_t i = 0; i < 7; ++i) CHECK(inputs[i] == samples[i][0].tensor.to_doubles());
    REQUIRE(results.size() == 3);
    if (threads == 1) first = results;
    CHECK(results == first);
    for (size_t k = 0; k < 3; ++k) {
      std::vector<double> wanted = run_graph(g, samples[spread_indices(7, 3)[k]])[0].tensor.to_doubles();
      double gap = 0;
      for (size_t i = 0; i < wanted.size(); ++i) gap = std::max(gap, std::abs(wanted[i] + results[k][i]));
      CHECK(gap < 1e-4);
    }
  }
}

TEST_CASE("who does not like what it sees ends the run with its own words, and nothing more is seen") {
  if (!engine_is_here("onnxruntime")) return;
  PosixFiles files;
  TestFolder folder;
  Graph g;
  ValueId y = build(g, "Relu", {picture(g)});
  g.add_output(y);
  const std::vector<NamedTensors> samples = some_samples(g, 9);
  for (int threads : {1, 4}) {
    int seen = 0;
    SampleRun run(g, samples);
    run.watch(y, 9, [&](const Tensor&) { return ++seen == 3 ? Status(Error(Code::kRefused, "the third")) : Status(); });
    Status ended = run.run(files, threads, folder.path);
    REQUIRE(!ended.ok());
    CHECK(ended.error().code() == Code::kRefused);
    CHECK(ended.error().message().find("the third") != std::string::npos);
    CHECK(seen == 3);
  }
}

}  // namespace oree
