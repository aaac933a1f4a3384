// SPDX-License-Identifier: Apache-2.0
#include "optimize/quantize/mix.h"

#include "optimize/quantize/emit.h"
#include "optimize/quantize/engines_fixture.h"

namespace oree {
namespace {

// Layers of about as many weights; of the bad one's those of one channel are large, so that eight bits leave the others
// none, and do nothing, since that channel is zero.
struct Net {
  Graph g;
  NodeId bad = kNoNode;
  Net() {
    ValueId x = conv(g, picture(g), 8, 1);
    std::vector<float> makes = normal_values(8 * 8 * 9, 2, 0.15f), takes = normal_values(8 * 8 * 9, 3, 0.15f);
    for (size_t i = 0; i < 72; ++i) makes[i] = 0;  // channel 0
    for (size_t c = 0; c < 8; ++c) {
      for (size_t t = 0; t < 9; ++t) takes[c * 72 + t] *= 300;
    }
    Attributes padded{{"pads", Ints{1, 1, 1, 1}}};
    x = build(g, "Conv", {x, g.add_constant("makes", Constant::of_floats(makes, {8, 8, 3, 3}))}, padded);
    x = build(g, "Conv", {x, g.add_constant("takes", Constant::of_floats(takes, {8, 8, 3, 3}))}, padded);
    bad = g.value(x).producer;
    for (uint64_t seed : {4, 5, 6}) x = conv(g, build(g, "Relu", {x}), 8, seed);
    g.add_output(x);
  }
};

struct Mixed {
  PosixFiles files;
  TestFolder folder;
  Mix run(const Graph& g, double float_macs_max, int threads = 1, double enough_db = 60,
          const std::set<NodeId>& kept = {}, double float_macs_more = 0) {
    Planned planned(g, "onnxruntime");
    Planner planner(g, planned.d, planned.statistics, planned.options);
    MixOptions options;
    options.float_macs_max = float_macs_max;
    options.float_macs_more = float_macs_more;
    options.enough_db = enough_db;
    options.threads = threads;
    options.scratch = folder.path;
    auto plan_for = [&](const std::set<NodeId>& stays) { return planner.plan(place(g, planned.d, stays)); };
    const CompareOptions compared{1, folder.path, exact_here(planned.d)};
    const std::vector<NamedTensors> samples = some_samples(g, 3);
    OutputReference reference = OutputReference::make(files, g, samples, compared).value();
    Graph quantized = g;
    REQUIRE(emit(quantized, plan_for(kept).value()).ok());
    std::vector<Noise> before = reference.compare(files, quantized, compared).value();
    Result<Mix> mix = choose_mix(files, g, plan_for, kept, reference, before, options);
    REQUIRE_MESSAGE(mix.ok(), (mix.ok() ? "" : mix.error().message()));
    return std::move(*mix);
  }
};

double share_of(const Graph& g, const MixChoice& choice) {
  double kept = 0, all = 0;
  for (NodeId n : g.order()) {
    if (!g.node(n).is("Conv")) continue;
    auto macs = static_cast<double>(g.constant(g.node(n).inputs[1])->elements());  // the planes are all of one size
    all += macs;
    kept += choice.kept.contains(n) ? macs : 0;
  }
  return kept / all;
}

}  // namespace

TEST_CASE("a layer whose channels are of very different size is found and put in float, where it may") {
  if (!engine_is_here("onnxruntime")) return;
  Net net;
  Mixed mixed;
  // Each of the layers has some 0.18 of the multiply-accumulates.
  Mix mix = mixed.run(net.g, 0.4);
  CHECK(mix.choice.kept.contains(net.bad));
  CHECK(share_of(net.g, mix.choice) <= 0.4);
  REQUIRE(mix.before.size() == 1);
  CHECK(mix.choice.after[0].sqnr_db() > mix.before[0].sqnr_db());
  // In float between integers it is so in ONNX Runtime, too, which else would give its weights 8 bits again.
  REQUIRE(!mix.trials.empty());
  CHECK(mix.trials[0].node == net.bad);
  CHECK(mix.trials[0].noise_left < 0.1);
}

TEST_CASE("no layer is in float that has more of the multiply-accumulates than may be, and without any none is tried") {
  if (!engine_is_here("onnxruntime")) return;
  Net net;
  Mixed mixed;
  for (double most : {0.0, 0.1}) {
    Mix mix = mixed.run(net.g, most);
    CHECK(share_of(net.g, mix.choice) <= most);
    CHECK(!mix.choice.kept.contains(net.bad));
    for (const Trial& t : mix.trials) CHECK(t.macs_share <= most);
    if (most == 0) CHECK(mix.trials.empty());
  }
}

TEST_CASE("nothing is tried when every output is near enough") {
  if (!engine_is_here("onnxruntime")) return;
  Net net;
  Mix mix = Mixed().run(net.g, 1, 1, -100);
  CHECK(mix.trials.empty());
  CHECK(mix.choice.kept.empty());
}

TEST_CASE("the choice does not depend on threads, and what the caller keeps in float stays there") {
  if (!engine_is_here("onnxruntime")) return;
  Net net;
  Mixed mixed;
  const std::set<NodeId> kept{net.g.order().front()};
  Mix one = mixed.run(net.g, 0.5, 1, 60, kept), two = mixed.run(net.g, 0.5, 2, 60, kept);
  CHECK(one.choice.kept == two.choice.kept);
  CHECK(one.choice.kept.contains(*kept.begin()));
  REQUIRE(one.trials.size() == two.trials.size());
  for (size_t i = 0; i < one.trials.size(); ++i) {
    CHECK(one.trials[i].node == two.trials[i].node);
    CHECK(one.trials[i].noise_left == two.trials[i].noise_left);
  }
  CHECK(one.choice.after[0].noise == two.choice.after[0].noise);
}

TEST_CASE("more in float is what is in float and some more, nearer to float, within its own share") {
  if (!engine_is_here("onnxruntime")) return;
  Net net;
  Mixed mixed;
  const Mix mix = mixed.run(net.g, 0.1, 1, 60, {}, 0.6), alike = mixed.run(net.g, 0.1, 2, 60, {}, 0.6);
  CHECK(share_of(net.g, mix.choice) <= 0.1);
  REQUIRE(mix.more);
  CHECK(share_of(net.g, *mix.more) > share_of(net.g, mix.choice));
  CHECK(share_of(net.g, *mix.more) <= 0.6);
  CHECK(std::ranges::includes(mix.more->kept, mix.choice.kept));
  CHECK(mix.more->after[0].sqnr_db() > mix.choice.after[0].sqnr_db());
  REQUIRE(alike.more);
  CHECK(alike.more->kept == mix.more->kept);
  // None where what is there is near enough, or where no more may be in float.
  CHECK(!mixed.run(net.g, 0.1, 1, -100, {}, 0.6).more);
  CHECK(!mixed.run(net.g, 0.6, 1, 60, {}, 0.6).more);
  // Without any in float at first it is all that a larger share alone would keep.
  const Mix none = mixed.run(net.g, 0, 1, 60, {}, 0.6);
  CHECK(none.choice.kept.empty());
  REQUIRE(none.more);
  CHECK(none.more->kept == mixed.run(net.g, 0.6).choice.kept);
}

TEST_CASE("what a trial says is left of the noise is what is left when that layer alone is in float") {
  if (!engine_is_here("onnxruntime")) return;
  Net net;
  Mixed mixed;
  Mix mix = mixed.run(net.g, 1);
  Planned planned(net.g, "onnxruntime");
  Planner planner(net.g, planned.d, planned.statistics, planned.options);
  auto noise = [&](const std::set<NodeId>& kept) {  // by the reference interpreter
    Graph q = net.g;
    REQUIRE(emit(q, planner.plan(place(net.g, planned.d, kept)).value()).ok());
    double sum = 0;
    for (const NamedTensors& sample : some_samples(net.g, 3)) {
      std::vector<double> a = run_graph(net.g, sample)[0].tensor.to_doubles();
      std::vector<double> b = run_graph(q, sample)[0].tensor.to_doubles();
      for (size_t i = 0; i < a.size(); ++i) sum += (a[i] - b[i]) * (a[i] - b[i]);
    }
    return sum;
  };
  const double all = noise({});
  REQUIRE(!mix.trials.empty());
  for (const Trial& t : mix.trials) CHECK(t.noise_left == doctest::Approx(noise({t.node}) / all).epsilon(0.1));
}

}  // namespace oree
