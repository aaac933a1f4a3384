// SPDX-License-Identifier: Apache-2.0
// Quantization: a float graph and real samples in, a graph in integers for one engine out, and what was found out.
//
//   prepare -> place -> calibrate -> plan -> round weights -> mix -> correct -> emit -> measure in the engine
//
// prepare: batch norms folded, activations as the dialect has them. place: what shall compute in integers. calibrate:
// one pass over the samples. plan: scales, integers, biases that make up for shifted means. round weights: for what
// their layers give. mix: what stays in float for its accuracy. correct: the last layers' biases.
// quantize_file.h does it from file to file.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/io/files.h"
#include "model/convert/convert.h"
#include "model/eval/dataset.h"
#include "optimize/quantize/calibrate.h"
#include "optimize/quantize/drop.h"
#include "optimize/quantize/integer_io.h"
#include "optimize/quantize/joins.h"
#include "optimize/quantize/plan.h"

namespace oree {

struct QuantizeOptions {
  std::string engine = "onnxruntime";
  TargetCpu cpu = TargetCpu::kThis;
  Precision precision = Precision::kInt8;  // of one that does not calibrate, samples are measured with alone
  PlanOptions plan;
  size_t samples_max = 1000;  // spread evenly over the data
  bool skip_bad = false;      // leave unusable samples out, and say which
  int threads = 1;            // the result does not depend on them
  // Large layers' weights are rounded for what they give, too; also tried, each kept where the outputs come nearer to
  // float: channels equalized across layers, outliers shared with the weights.
  bool thorough = false;
  // What may stay in float for accuracy's sake, of all multiply-accumulates; absent: 4 %, and nothing where the engine
  // is one of integers alone (edgetpu, tflm). With a judge it is 100 % where absent.
  std::optional<double> float_macs_max;
  // With one, as few layers stay in float as keep what is lost within `drop_max`.
  Judge judge;
  double drop_max = 0;
  std::set<std::string> keep_float;  // nodes, by the name of their output
  bool also_whole = false;           // Quantized::whole
  double also_float_macs = 0;        // Quantized::more; none with a judge, or in an engine of integers alone
  std::optional<IoType> io;          // absent: int8 where the engine is one of integers alone, else float
  bool measure = true;               // in the engine, layer by layer, when it is here
  std::string scratch;               // an existing folder
  std::function<void(const char* step, size_t done, size_t total)> progress;
};

struct LayerReport {
  std::string name;  // of its result
  std::string op;
  int64_t macs = 0;
  bool integer = false;
  std::string because;            // it is in float
  std::string weights;            // stored so, when that is all: "int8", "int4 in blocks of 32", "float16" …
  std::optional<double> sqnr_db;  // of its result in the engine; infinite when equal
  Range seen, taken;              // of its result: what came, and what the integers reach
  std::vector<uint64_t> bars;     // of its result's values, a coarse histogram over `seen`
};

struct TrialReport {
  std::string name;
  double noise_left = 1;  // of the outputs' noise, with this layer alone in float
  double macs_share = 0;
  int64_t border_elements = 0;
  bool kept = false;  // in float
};

struct StepReport {
  std::string name;
  double noise_left = 1;  // of the outputs' noise before it; mean over outputs
  bool kept = false;
};

struct OutputReport {
  std::string name;
  double all_integer_db = 0;        // before any layer was put in float; simulated
  double mixed_db = 0;              // after; simulated
  std::optional<double> engine_db;  // in the engine
};

struct QuantizeReport {
  std::string engine;
  Precision precision = Precision::kInt8;
  std::string calibration_engine;  // "": nothing was calibrated
  size_t samples = 0;
  bool random = false;  // the samples are random numbers
  BadSamples bad;       // left out
  int64_t macs = 0, macs_integer = 0;
  double integer_share() const;  // of the multiply-accumulates, 0..1
  std::vector<LayerReport> layers;
  std::vector<StepReport> steps;    // what was tried of whole networks, in order
  std::vector<TrialReport> trials;  // the most useful first
  std::vector<OutputReport> outputs;
  std::vector<DropTrial> drops;  // what was judged, the result last
  std::vector<Port> ports;       // the file's inputs and outputs
  std::vector<Join> joins;       // of unlike ranges, of TFLite's dialects
  std::string measured_in;       // the engine; "": not measured
  std::string not_measured;      // why
};

struct Quantized {
  Graph graph;
  QuantizeReport report;
  // Of QuantizeOptions::also_whole, when the above has layers in float for its accuracy: without them. Of
  // also_float_macs, when that larger share of the multiply-accumulates has room for more that help: with these.
  std::shared_ptr<Quantized> whole, more;
};

// kUsage when the engine's files take and give reals alone.
Result<IoType> io_of(const QuantizeOptions& options);

// `graph` is prepared. kUsage when the engine does not take the precision. Errors are those of its parts; kUnsupported
// when the engine is here and refuses the result.
Result<Quantized> quantize(Files& files, const Graph& graph, Dataset& data, const QuantizeOptions& options);

}  // namespace oree
