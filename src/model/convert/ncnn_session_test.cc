// SPDX-License-Identifier: Apache-2.0
// Sessions of ncnn with files of others, and with broken ones. Skipped without ncnn.
#include "model/convert/ncnn_fixture.h"

namespace oree {
namespace {

std::string content(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

TEST_CASE("files that are cut off are refused, never crashed on") {
  if (!ncnn_is_here()) return;
  const std::string path =
      written(model_of("(float[1,3,9,9] x, float[8,3,3,3] w, float[8] wb, float[8,5] ww) => (float y) "
                       "{ h = Conv (x, w, wb) p = GlobalMaxPool (h) f = Flatten (p) y = MatMul (f, ww) }"));
  const std::string weights = ncnn_weights_path(path), text = content(path), values = content(weights);
  const size_t last_layer = text.rfind('\n', text.find("# oree") - 2);
  REQUIRE(backend("ncnn").open(path, {}).ok());
  for (size_t keep = 0; keep < text.size() - 1; keep += 7) {
    std::ofstream(path) << text.substr(0, keep);
    Result<std::unique_ptr<Session>> session = backend("ncnn").open(path, {});
    // A cut in the last layer's parameters, or right behind it, leaves a file that may be whole.
    if (keep < last_layer) CHECK(!session.ok());
  }
  std::ofstream(path) << text;
  for (size_t keep : {size_t{0}, size_t{3}, size_t{4}, values.size() / 2, values.size() - 1}) {
    std::ofstream(weights, std::ios::binary) << values.substr(0, keep);
    Result<std::unique_ptr<Session>> session = backend("ncnn").open(path, {});
    REQUIRE(!session.ok());
    CHECK(session.error().code() == Code::kInvalid);
  }
  std::filesystem::remove(weights);
  CHECK(backend("ncnn").open(path, {}).error().message().find("must lie beside") != std::string::npos);
}

TEST_CASE("a file without a note is run by the sizes of its Input layers") {
  if (!ncnn_is_here()) return;
  const std::string path = written(model_of("(float[1,3,5,4] x) => (float y) { y = Relu (x) }"));
  std::ifstream in(path);
  std::string text((std::istreambuf_iterator<char>(in)), {});
  text.resize(text.find("# oree"));
  std::ofstream(path) << text;
  Result<std::unique_ptr<Session>> session = backend("ncnn").open(path, {});
  REQUIRE(session.ok());
  CHECK((*session)->inputs()[0].shape == Shape{1, 3, 5, 4});
  CHECK((*session)->outputs()[0].shape == Shape{1, 3, 5, 4});
  CHECK((*session)->run({{"", noise({1, 3, 5, 4}, 1, -1, 1)}}).ok());
  REQUIRE((*session)->input_buffer(0).ok());
  CHECK((*session)->run_bound().ok());
  // Nor with sizes: whatever it is given.
  text.replace(text.find(" 0=4 1=5 2=3"), 12, "");
  std::ofstream(path) << text;
  session = backend("ncnn").open(path, {});
  REQUIRE(session.ok());
  Result<NamedTensors> got = (*session)->run({{"", noise({1, 3, 2, 2}, 1, -1, 1)}});
  REQUIRE(got.ok());
  CHECK(got->at(0).tensor.shape() == Shape{1, 3, 2, 2});
}

TEST_CASE("a precision that it has no kernels for is refused, and what was allowed is said") {
  if (!ncnn_is_here()) return;
  const std::string path = written(model_of("(float[1,3,5,4] x) => (float y) { y = Relu (x) }"));
  SessionOptions options;
  for (const char* unknown : {"warp", "vulkan"})
    CHECK(backend("ncnn").open(path, {1, unknown, "f32"}).error().code() == Code::kUnsupported);
  CHECK(backend("ncnn").open(path, {0, "", "f32"}).error().code() == Code::kUsage);
  options.precision = "bf16";
  CHECK(backend("ncnn").open(path, options).error().code() == Code::kUnsupported);
  options.precision = "f32";
  CHECK((*backend("ncnn").open(path, options))->facts().at("fp16_storage") == "off");
  options.precision = "default";
  const std::string meant = (*backend("ncnn").open(path, options))->facts().at("precision");
  CHECK((meant == "f32" || meant == "f16"));
}

}  // namespace oree
