// SPDX-License-Identifier: Apache-2.0
// An engine called through its own C interface, as an application without us would: what the benchmarks compare with.
// Any failure ends the process. Everything that is opened lives until the process ends.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "model/runtime/backend.h"

namespace oree {

void need(bool ok, const char* what);

struct Buffers {
  std::vector<TensorInfo> inputs, outputs;
  std::vector<Tensor> in, out;
};

using Run = std::function<void()>;
double milliseconds(const Run& run);
double median(std::vector<double> v);

// The tensors of `buffers` are bound once where the engine can; put() and get() copy where it has memory of its own.
struct Direct {
  Run put, run, get;
};
Direct open_direct(const std::string& runtime, const std::string& library, const std::string& model, int threads,
                   Buffers& buffers);

}  // namespace oree
