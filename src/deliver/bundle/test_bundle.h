// SPDX-License-Identifier: Apache-2.0
// A small, well-formed bundle for the tests of this folder.
#pragma once

#include "core/codec/npy.h"
#include "core/io/fake/fake_files.h"
#include "deliver/bundle/bundle.h"

namespace oree::test {

inline SecretKey key_of(uint8_t seed) {
  SecretKey key;
  key.seed.fill(seed);
  return key;
}

inline Tensor floats(const std::vector<float>& values) {
  Tensor t(Dtype::kFloat32, {static_cast<int64_t>(values.size())});
  std::copy(values.begin(), values.end(), t.as<float>().begin());
  return t;
}

inline Manifest small_manifest() {
  Manifest m;
  m.model = "detector";
  m.version = "1.0.0";
  m.device_types = {"pi5", "x86-box"};
  m.runtime = "tflite";
  m.options.threads = 2;
  m.model_path = "model/detector.tflite";
  m.created = "2027-01-15T08:00:00.000Z";
  m.description = "a test";
  m.golden.samples = 1;
  m.golden.latency_ms_p95_max = 50;
  return m;
}

inline std::vector<BundleSource> small_sources() {
  Bytes model(700);
  for (size_t i = 0; i < model.size(); ++i) model[i] = static_cast<uint8_t>(i * 7);
  Bytes in = *write_npz({{"x", floats({1, 2, 3})}});
  Bytes out = *write_npz({{"y", floats({2, 4, 6})}});
  std::string_view recipe = R"({"kind":"tensor"})";
  return {{"model/detector.tflite", "", model},
          {"recipe.json", "", Bytes(recipe.begin(), recipe.end())},
          {"golden/0.input.npz", "", in},
          {"golden/0.expected.npz", "", out}};
}

// Written and signed by key_of(1) at "b.oree".
inline void put_small_bundle(FakeFiles& files) {
  Status written = write_bundle(files, "b.oree", small_manifest(), small_sources());
  OREE_ASSERT(written.ok());
  Status is_signed = sign_bundle(files, "b.oree", "b.oree", key_of(1));
  OREE_ASSERT(is_signed.ok());
}

}  // namespace oree::test
