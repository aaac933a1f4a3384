// SPDX-License-Identifier: Apache-2.0
#include "optimize/quantize/probe.h"

#include "optimize/quantize/compare.h"
#include "optimize/quantize/engines_fixture.h"

namespace oree {
namespace {

ValueId grouped(Graph& g, ValueId x, int64_t to, int64_t groups, uint64_t seed) {
  const int64_t from = to_shape(*g.value(x).dims)[1];
  const ValueId w = normal_constant(g, {to, from / groups, 3, 3}, seed, 0.3f);
  return build(g, "Conv", {x, w, normal_constant(g, {to}, seed + 100)},
               {{"pads", Ints{1, 1, 1, 1}}, {"group", groups}});
}

}  // namespace

TEST_CASE("convolutions of each kind, laid out by the CPU's registers or not, give what the reference gives") {
  if (!engine_is_here("onnxruntime")) return;
  Graph g;
  std::vector<ValueId> seen;
  ValueId x = picture(g);
  for (auto [to, groups] :
       {std::pair<int64_t, int64_t>{32, 1}, {32, 32}, {24, 1}, {24, 24}, {16, 8}, {32, 16}, {8, 1}}) {
    x = build(g, "Relu", {grouped(g, x, to, groups, seen.size())});
    seen.push_back(x);
  }
  // The same weights twice, once channel by channel.
  const ValueId taken = build(
      g, "Conv",
      {build(g, "Slice",
             {x, g.add_constant("from", Constant::vector(Ints{0})), g.add_constant("to", Constant::vector(Ints{1})),
              g.add_constant("axis", Constant::vector(Ints{1}))}),
       normal_constant(g, {16, 1, 3, 3}, 50)});
  seen.push_back(build(g, "Conv", {taken, g.node(g.value(taken).producer).inputs[1]}, {{"group", int64_t{16}}}));
  g.add_output(seen.back());
  const NamedTensors inputs = normal_inputs(g);
  Interpreter interpreter = Interpreter::create(g).value();
  std::map<ValueId, Tensor> wanted;
  interpreter.observe([&](ValueId v, const Tensor& t) { wanted.insert_or_assign(v, t); });
  REQUIRE(interpreter.run(inputs).ok());
  PosixFiles files;
  TestFolder folder;
  auto probe = Probe::open(files, g, seen, folder.path, "onnxruntime");
  REQUIRE(probe.ok());
  for (bool fused : {false, true}) {
    Probe::Run run = (*probe)->start(1, fused).value();
    std::vector<Noise> found(seen.size());
    REQUIRE(run.run(inputs, [&](size_t place, const Tensor& t) { return found[place].add(wanted.at(seen[place]), t); })
                .ok());
    for (const Noise& noise : found) CHECK(noise.sqnr_db() > 110);
  }
}

}  // namespace oree
