// SPDX-License-Identifier: Apache-2.0
// What a Session costs above the engine: Session::run_bound against the engine's own C functions, same model, same
// settings, same inputs, in one process and in interleaved rounds.
//
//   engine_overhead MODEL [RUNTIME] [THREADS] [ROUNDS]
//
// Prints the medians and their ratio. The direct side moves its tensors in and out as an application must: bound once
// where the engine can, copied where it has memory of its own.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "direct.h"
#include "model/runtime/registry.h"

namespace oree {
namespace {

int measure(const std::string& model, const std::string& name, int threads, int rounds) {
  const RuntimeInfo& info = backend(name).info();
  need(info.available, "finding the engine");
  Result<std::unique_ptr<Session>> session = backend(name).open(model, {threads, "", "f32"});
  if (!session.ok()) {
    fmt::print(stderr, "engine_overhead: {}\n", session.error().message());
    return 1;
  }
  Buffers b{(*session)->inputs(), (*session)->outputs(), {}, {}};
  for (const TensorInfo& t : b.inputs) b.in.emplace_back(t.dtype, t.shape);
  for (const TensorInfo& t : b.outputs) b.out.emplace_back(t.dtype, t.shape);
  Direct engine = open_direct(name, info.library, model, threads, b);
  Run direct = [&] { engine.put(), engine.run(), engine.get(); };
  for (size_t i = 0; i < b.in.size(); ++i) need((*session)->input_buffer(i).ok(), "binding");
  Run ours = [&] { need((*session)->run_bound().ok(), "run_bound"); };
  std::vector<double> a, c;
  for (int i = 0; i < 10; ++i) ours(), direct();
  // The order alternates too: whoever comes second finds other caches.
  for (int i = 0; i < rounds; ++i) {
    if (i % 2 == 0) a.push_back(milliseconds(ours));
    c.push_back(milliseconds(direct));
    if (i % 2 == 1) a.push_back(milliseconds(ours));
  }
  for (size_t i = 0; i < b.out.size(); ++i) {
    need((*(*session)->output_view(i))->bytes().size() == b.out[i].byte_size(), "comparing sizes");
    need(std::equal(b.out[i].bytes().begin(), b.out[i].bytes().end(), (*(*session)->output_view(i))->data()),
         "equal outputs");
  }
  fmt::print("{:12} {} threads {}: session {:.3f} ms, direct {:.3f} ms, ratio {:.4f} ({} rounds)\n", name,
             model.substr(model.rfind('/') + 1), threads, median(a), median(c), median(a) / median(c), rounds);
  return 0;
}

}  // namespace
}  // namespace oree

int main(int argc, char** argv) {
  if (argc < 2) {
    fmt::print(stderr, "usage: engine_overhead MODEL [RUNTIME] [THREADS] [ROUNDS]\n");
    return 2;
  }
  oree::Result<oree::ModelFormat> format = oree::detect_format(argv[1]);
  if (!format.ok()) {
    fmt::print(stderr, "engine_overhead: {}\n", format.error().message());
    return 1;
  }
  oree::Result<std::string> runtime = argc > 2 ? std::string(argv[2]) : oree::default_backend(*format, argv[1]);
  if (!runtime.ok()) return 1;
  return oree::measure(argv[1], *runtime, argc > 3 ? std::atoi(argv[3]) : 1, argc > 4 ? std::atoi(argv[4]) : 200);
}
