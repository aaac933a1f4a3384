// SPDX-License-Identifier: Apache-2.0
// What bench/bench_overhead compares `oree bench` with: one engine, one model, nothing of ours between.
//
//   direct_engine RUNTIME LIBRARY MODEL THREADS INPUT.bin NAME DTYPE 1x3x320x320 [OUTPUT DTYPE SHAPE]...
//
// For every line "WARMUP RUNS" on standard input: the median and the least milliseconds of RUNS calls after WARMUP. The
// input is written again before every run, outside the clock, as `oree bench` does; nothing but the engine's own call
// is inside.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>

#include "core/base/text.h"
#include "direct.h"

namespace oree {
namespace {

TensorInfo described(char** words) {
  TensorInfo info;
  info.name = words[0];
  Result<Dtype> dtype = dtype_from_name(words[1]);
  need(dtype.ok(), "reading a type");
  info.dtype = *dtype;
  for (const std::string& size : split(words[2], 'x')) info.shape.push_back(std::atoll(size.c_str()));
  return info;
}

int measure(int argc, char** argv) {
  int threads = std::atoi(argv[4]);
  need(threads > 0, "reading the threads");
  std::ifstream file(argv[5], std::ios::binary);
  std::vector<char> values((std::istreambuf_iterator<char>(file)), {});
  Buffers b;
  b.inputs.push_back(described(argv + 6));
  for (int i = 9; i + 2 < argc; i += 3) b.outputs.push_back(described(argv + i));
  for (const TensorInfo& t : b.inputs) b.in.emplace_back(t.dtype, t.shape);
  for (const TensorInfo& t : b.outputs) b.out.emplace_back(t.dtype, t.shape);
  need(values.size() == b.in[0].byte_size(), "reading the input");
  Direct engine = open_direct(argv[1], argv[2], argv[3], threads, b);
  int warmup = 0, runs = 0;
  while (std::cin >> warmup >> runs) {
    need(warmup >= 0 && runs > 0, "reading the counts");
    std::vector<double> times;
    for (int i = 0; i < warmup + runs; ++i) {
      std::memcpy(b.in[0].data(), values.data(), values.size());
      engine.put();
      double ms = milliseconds(engine.run);
      if (i >= warmup) times.push_back(ms);
    }
    engine.get();
    fmt::print("{:.6f} {:.6f}\n", median(times), *std::min_element(times.begin(), times.end()));
    std::fflush(stdout);
  }
  return 0;
}

}  // namespace
}  // namespace oree

int main(int argc, char** argv) {
  if (argc < 12 || (argc - 9) % 3 != 0) {
    fmt::print(stderr,
               "usage: direct_engine RUNTIME LIBRARY MODEL THREADS INPUT.bin NAME DTYPE SHAPE OUTPUT DTYPE SHAPE...\n");
    return 2;
  }
  return oree::measure(argc, argv);
}
