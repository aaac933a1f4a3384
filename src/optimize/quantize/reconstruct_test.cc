// SPDX-License-Identifier: Apache-2.0
#include "optimize/quantize/reconstruct.h"

#include "optimize/quantize/engines_fixture.h"

namespace oree {
namespace {

using Integers = std::map<NodeId, std::vector<int32_t>>;

// Coarse scales, so that rounding is what is lost.
struct Net {
  Graph g;
  ValueId first, second, last;
  Net() {
    const ValueId x = picture(g);
    first = conv(g, x, 12, 1);
    second = conv(g, build(g, "Relu", {first}), 6, 2);
    last = conv(g, build(g, "Relu", {second}), 4, 3);
    g.add_output(last);
  }
  NodeId node(ValueId v) const { return g.value(v).producer; }
};

Integers rounded(const Net& net, const Plan& plan, const ReconstructOptions& how) {
  PosixFiles files;
  TestFolder folder;
  const std::vector<NamedTensors> samples = some_samples(net.g, 6);
  ReconstructOptions options = how;
  options.scratch = folder.path;
  Reconstructor rounder(net.g, plan.placement, options);
  SampleRun run(net.g, samples);
  rounder.watch(run);
  REQUIRE(run.run(files, how.threads, folder.path).ok());
  Result<Integers> found = rounder.round(files, plan, samples);
  REQUIRE_MESSAGE(found.ok(), (found.ok() ? "" : found.error().message()));
  return std::move(*found);
}

double gap_with(const Net& net, Plan plan, const Integers& integers) {
  for (const auto& [node, of] : integers) {
    Constant& packed = plan.weights.at(node).integers;
    packed = pack_integers(of, packed.shape(), packed.dtype());
  }
  return squared_gap(net.g, emitted(net.g, plan));
}

}  // namespace

TEST_CASE("weights rounded for their layers come nearer to float than the nearest do") {
  if (!engine_is_here("onnxruntime")) return;
  const Net net;
  Planned planned(net.g, "onnxruntime");
  for (auto& [node, weights] : planned.plan.weights) {
    for (float& s : weights.scales) s *= 16;
    std::vector<int32_t> integers = unpack_integers(weights.integers);
    for (int32_t& i : integers) i = static_cast<int32_t>(std::lround(static_cast<double>(i) / 16));
    weights.integers = pack_integers(integers, weights.integers.shape(), weights.integers.dtype());
  }
  const Integers found = rounded(net, planned.plan, {});
  CHECK(found.size() == 3);
  CHECK(gap_with(net, planned.plan, found) < 0.8 * gap_with(net, planned.plan, {}));
}

TEST_CASE("neither the threads nor how much is held at once changes an integer; large layers are left out") {
  if (!engine_is_here("onnxruntime")) return;
  const Net net;
  const Planned planned(net.g, "onnxruntime");
  const Integers one = rounded(net, planned.plan, {});
  for (int threads : {1, 3}) CHECK(rounded(net, planned.plan, {.threads = threads, .gram_bytes_max = 1}) == one);
  // 12 channels of 9 taps.
  const Integers small = rounded(net, planned.plan, {.inputs_max = 100});
  CHECK(small.size() == 2);
  CHECK_FALSE(small.contains(net.node(net.second)));
  CHECK(small.at(net.node(net.first)) == one.at(net.node(net.first)));
}

TEST_CASE("a layer that went back to float is left alone") {
  if (!engine_is_here("onnxruntime")) return;
  const Net net;
  Planned planned(net.g, "onnxruntime");
  planned.plan.weights.erase(net.node(net.second));
  CHECK(rounded(net, planned.plan, {}).size() == 2);
}

}  // namespace oree
