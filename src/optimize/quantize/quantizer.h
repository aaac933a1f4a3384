// SPDX-License-Identifier: Apache-2.0
// One float graph quantized as it is: calibrate, round, choose what stays in float, correct, emit, measure. Internal to
// optimize/quantize; quantize.h also tries other graphs that compute the same.
#pragma once

#include "optimize/quantize/compare.h"
#include "optimize/quantize/dialect.h"
#include "optimize/quantize/quantize.h"

namespace oree {

struct FirstQuantized {
  Quantized quantized;
  std::map<ValueId, std::vector<double>> channel_sizes;  // Calibration's
};
// `beside`: what may run next to the end of it, where an engine opens the result on one thread for long.
Result<FirstQuantized> quantize_graph(Files& files, const Graph& graph, Dataset& data, const QuantizeOptions& options,
                                      const Dialect& dialect, const std::function<Status()>& beside = {});

struct FirstLook {
  std::vector<Noise> noise;                              // of the outputs, when all that may be is in integers
  std::map<ValueId, std::vector<double>> channel_sizes;  // Calibration's
};
// `weights`: rounded to nearest; else in float, which is nearer to what is left when they are rounded for what they
// give.
Result<FirstLook> first_look(Files& files, const Graph& graph, Dataset& data, const QuantizeOptions& options,
                             const Dialect& dialect, bool weights);

}  // namespace oree
