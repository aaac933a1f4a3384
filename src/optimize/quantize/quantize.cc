// SPDX-License-Identifier: Apache-2.0
#include "optimize/quantize/quantize.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/base/limits.h"
#include "optimize/quantize/equalize.h"
#include "optimize/quantize/other_graphs.h"
#include "optimize/quantize/quantize_weights.h"
#include "optimize/quantize/smooth.h"

namespace oree {

Result<IoType> io_of(const QuantizeOptions& options) {
  OREE_TRY_ASSIGN(Dialect dialect, dialect_for(options.engine, options.cpu));
  if (!options.io) return dialect.tflite && dialect.tail ? IoType::kInt8 : IoType::kFloat;
  if (!dialect.tflite && *options.io != IoType::kFloat) {
    return Error(Code::kUsage,
                 fmt::format("integer inputs and outputs (--io) are for tflite, edgetpu and tflm: ONNX has "
                             "no place for their scale and zero point, so {} takes and gives reals",
                             options.engine));
  }
  return *options.io;
}

double QuantizeReport::integer_share() const {
  return macs > 0 ? static_cast<double>(macs_integer) / static_cast<double>(macs) : 0;
}

namespace {

// Those along the last axis, as matrices have their channels.
std::map<ValueId, std::vector<double>> sizes_for_matrices(const Graph& graph,
                                                          std::map<ValueId, std::vector<double>> sizes) {
  std::erase_if(sizes, [&](const auto& of) {
    return std::ranges::any_of(graph.value(of.first).users, [&](NodeId user) {
      return graph.node(user).is("Conv") || graph.node(user).is("ConvTranspose");
    });
  });
  return sizes;
}

}  // namespace

Result<Quantized> quantize(Files& files, const Graph& graph, Dataset& data, const QuantizeOptions& options) {
  if (!calibrates(options.precision)) return quantize_weights(files, graph, data, options);
  OREE_TRY_ASSIGN(Dialect dialect, dialect_for(options.engine, options.cpu, options.precision));
  OtherGraphs others(files, graph, data, options, dialect);
  OREE_TRY_ASSIGN(const bool kept, others.try_level());
  const Graph& base = others.base();
  Graph equalized = base;
  int pairs = 0;
  if (options.thorough && !kept) {  // of the two, which do the same, one
    OREE_TRY_ASSIGN(pairs, equalize(equalized));
  }
  Result<double> glanced = 1.0;
  std::function<Status()> glance;
  if (pairs > 0) {
    glance = [&] {
      glanced = others.glance(equalized);
      return Status();
    };
  }
  OREE_TRY_ASSIGN(FirstQuantized first, quantize_graph(files, base, data, options, dialect, glance));
  Quantized& best = first.quantized;
  if (pairs > 0) OREE_TRY(others.attempt(equalized, glanced, "channels equalized across layers", best));
  if (options.thorough) {
    Graph smoothed = base;
    OREE_TRY_ASSIGN(const int values, smooth(smoothed, sizes_for_matrices(base, first.channel_sizes)));
    if (values > 0)
      OREE_TRY(others.attempt(smoothed, others.glance(smoothed), "outliers shared with the weights", best));
  }
  others.report(best);
  return std::move(best);
}

}  // namespace oree
