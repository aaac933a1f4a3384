// SPDX-License-Identifier: Apache-2.0
// For the tests of models in Python: the readers, the writers and the interpreter alone, without the passes and the
// check of `oree convert`. IN and OUT are .onnx or .tflite, and not the same file:
//   model_tool rewrite IN OUT [OPSET [BYTES]] [NAME=N …]  reads a model into a graph and writes it again; NAME is a
//                                                         free dimension, or an input whose shape is N,N,…
//   model_tool print IN                                   the graph as text
//   model_tool run IN INPUTS.npz OUTPUTS.npz …            what the reference interpreter computes, a pair a run
// OPSET 0, or none: that of the file, within 7 to 28. Constants of at least BYTES go to OUT.data.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <string>

#include "core/codec/npy.h"
#include "model/graph/print.h"
#include "model/load/load.h"
#include "model/onnx/onnx_file.h"
#include "model/onnx/onnx_graph.h"
#include "model/passes/passes.h"
#include "model/reference/interpreter.h"
#include "model/tflite/tflite_graph.h"

namespace {

using oree::Bytes;
using oree::ByteView;
using oree::Error;
using oree::Result;
using oree::Status;

Bytes load(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return Bytes(std::istreambuf_iterator<char>(in), {});
}

Status save(const std::string& path, const Bytes& bytes) {
  std::ofstream out(path, std::ios::binary);
  out.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  return out.good() ? Status() : Status(Error(oree::Code::kUnavailable, "cannot write " + path));
}

bool is_tflite(const std::string& path) { return path.ends_with(".tflite"); }

// NAME=N: a symbol; NAME=N,N,…: the shape of an input.
Status freeze(oree::Model& model, int count, char** settings) {
  std::map<std::string, int64_t> symbols;
  std::map<std::string, oree::Shape> inputs;
  for (int i = 0; i < count; ++i) {
    std::string text = settings[i];
    size_t equals = text.find('=');
    if (equals == std::string::npos) return Error(oree::Code::kUsage, text + " is no NAME=N");
    std::string name = text.substr(0, equals);
    oree::Shape shape;
    for (size_t at = equals + 1; at <= text.size();) {
      size_t comma = std::min(text.find(',', at), text.size());
      if (comma > at) shape.push_back(std::atoll(text.substr(at, comma - at).c_str()));
      at = comma + 1;
    }
    oree::ValueId value = model.graph.find(name);
    bool input = value != oree::kNoValue && std::ranges::count(model.graph.main().inputs, value) != 0;
    if (input) {
      inputs[name] = shape;
    } else {
      symbols[name] = shape.empty() ? 0 : shape[0];
    }
  }
  return symbols.empty() && inputs.empty() ? Status() : freeze_shapes(model.graph, symbols, inputs);
}

Status rewrite_onnx(const oree::Model& model, const std::string& to, int opset, int64_t threshold) {
  oree::OnnxWriteOptions options;
  options.opset = opset;
  options.external_threshold = threshold;
  options.external_name = to.substr(to.find_last_of('/') + 1) + ".data";
  std::ofstream out(to, std::ios::binary), data;
  if (threshold > 0) data.open(to + ".data", std::ios::binary);
  auto into = [](std::ofstream& stream) {
    return [&stream](ByteView part) -> Status {
      stream.write(reinterpret_cast<const char*>(part.data()), static_cast<std::streamsize>(part.size()));
      return stream.good() ? Status() : Status(Error(oree::Code::kExhausted, "cannot write"));
    };
  };
  return oree::write_onnx_model(model, options, {into(out), into(data)});
}

Status rewrite(const std::string& from, const std::string& to, int count, char** settings) {
  int64_t numbers[2] = {0, 0};  // OPSET and BYTES
  for (int i = 0; i < 2 && count > 0 && std::string(*settings).find('=') == std::string::npos; ++i, --count) {
    numbers[i] = std::atoll(*settings++);
  }
  OREE_TRY_ASSIGN(oree::Model model, oree::load_model(from));
  OREE_TRY(freeze(model, count, settings));
  if (is_tflite(to)) {
    OREE_TRY_ASSIGN(Bytes file, oree::write_tflite_model(model));
    return save(to, file);
  }
  OREE_TRY(oree::raise_quantized_tflite(model.graph));
  int64_t opset = numbers[0];
  if (opset == 0 && !is_tflite(from)) {
    const Bytes file = load(from);
    Result<oree::OnnxFile> raw = oree::read_onnx(file);
    opset = std::clamp<int64_t>(raw.ok() ? raw->opsets[""] : 0, 7, 28);
  }
  return rewrite_onnx(model, to, static_cast<int>(opset), numbers[1]);
}

Status run(const std::string& path, int pairs, char** files) {
  OREE_TRY_ASSIGN(oree::Model model, oree::load_model(path));
  OREE_TRY_ASSIGN(oree::Interpreter interpreter, oree::Interpreter::create(model.graph));
  for (int i = 0; i + 1 < pairs; i += 2) {
    OREE_TRY_ASSIGN(oree::NamedTensors inputs, oree::read_npz(load(files[i])));
    OREE_TRY_ASSIGN(oree::NamedTensors outputs, interpreter.run(inputs));
    OREE_TRY_ASSIGN(Bytes packed, oree::write_npz(outputs));
    OREE_TRY(save(files[i + 1], packed));
  }
  return {};
}

Status print(const std::string& path) {
  OREE_TRY_ASSIGN(oree::Model model, oree::load_model(path));
  std::fputs(oree::print(model).c_str(), stdout);
  return {};
}

int report(const Status& status) {
  if (status.ok()) return 0;
  std::fprintf(stderr, "%s: %s\n", oree::code_name(status.error().code()), status.error().message().c_str());
  return oree::exit_code(status.error().code());
}

}  // namespace

int main(int argc, char** argv) {
  std::string command = argc > 1 ? argv[1] : "";
  if (command == "rewrite" && argc >= 4) return report(rewrite(argv[2], argv[3], argc - 4, argv + 4));
  if (command == "print" && argc == 3) return report(print(argv[2]));
  if (command == "run" && argc >= 5) return report(run(argv[2], argc - 3, argv + 3));
  std::fprintf(stderr,
               "model_tool rewrite IN OUT [OPSET [BYTES]] [NAME=N …] | print IN | run IN INPUTS.npz OUTPUTS.npz …\n");
  return 2;
}
