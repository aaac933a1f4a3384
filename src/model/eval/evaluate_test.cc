// SPDX-License-Identifier: Apache-2.0
// evaluate() from a data set to its figures, over a worker that is a shell script: it answers every sample with the
// next of the given outputs.
#include "model/eval/evaluate.h"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <filesystem>

#include "core/codec/npy.h"
#include "os/posix/posix_ports.h"

namespace oree {
namespace {

Tensor floats(Shape shape, std::vector<float> values) {
  Tensor tensor(Dtype::kFloat32, std::move(shape));
  std::copy(values.begin(), values.end(), tensor.as<float>().begin());
  return tensor;
}

std::string json_list(const Shape& shape) { return fmt::format("[{}]", fmt::join(shape, ",")); }

// A model of one input, whose outputs are known beforehand.
struct Bench {
  PosixPorts posix;
  Ports ports = posix.ports();
  std::string folder;
  EvalRequest request;

  explicit Bench(const std::vector<Tensor>& outputs, const Shape& input = {1, 2}) {
    folder =
        (std::filesystem::temp_directory_path() / fmt::format("oree-evaluate-{}", ports.random->next_u64())).string();
    REQUIRE(ports.files->make_dirs(folder).ok());
    for (size_t i = 0; i < outputs.size(); ++i) put(fmt::format("{}.out", i), *write_npz({{"y", outputs[i]}}));
    request.model = {"model.onnx", "onnxruntime", {}};
    request.scratch_dir = folder;
    std::string open = fmt::format(
        R"({{"ok":true,"load_ms":1,"facts":{{}},"engine_version":"1","inputs":[{{"name":"x","dtype":"float32","shape":{}}}],)"
        R"("outputs":[{{"name":"y","dtype":"float32","shape":{}}}]}})",
        json_list(input), json_list(outputs[0].shape()));
    request.worker.argv = {
        "/bin/sh", "-c",
        fmt::format(
            "M=/dev/fd/$OREE_AGENT_FD; read l; echo '{}' >$M; n=0; while read l; do to=${{l##*output\\\":\\\"}}; "
            "cp {}/$n.out \"${{to%%\\\"*}}\"; n=$((n+1)); echo '{{\"ok\":true}}' >$M; done",
            open, folder)};
  }
  ~Bench() { (void)ports.files->remove_all(folder); }
  void put(const std::string& name, ByteView bytes) {
    REQUIRE(ports.files->write_atomic(path_join(folder, name), bytes).ok());
  }
  void put_labels(const std::vector<int64_t>& values) {
    auto count = static_cast<int64_t>(values.size());
    Tensor labels(Dtype::kInt64, {count});
    std::copy(values.begin(), values.end(), labels.as<int64_t>().begin());
    put("data.npz", *write_npz({{"inputs", Tensor(Dtype::kFloat32, {count, 2})}, {"labels", labels}}));
    request.data.path = path_join(folder, "data.npz");
  }
  double figure(const EvalResult& result, const std::string& name) {
    for (const auto& [key, value] : result.figures) {
      if (key == name) return value;
    }
    return -1;
  }
};

}  // namespace

TEST_CASE("a classifier's raw scores count, whatever their sign") {
  Bench bench({floats({1, 4}, {-3, -1, -2, -4}), floats({1, 4}, {-3, -1, -2, -4}), floats({1, 4}, {7, 9, -1, -4}),
               floats({1, 4}, {-3, -2, -1, 0.5F})});
  bench.put_labels({1, 2, 0, 0});
  bench.request.top_k = 2;
  auto result = evaluate(bench.ports, bench.request, {});
  INFO((result.ok() ? "" : result.error().message()));
  REQUIRE(result.ok());
  CHECK(result->samples == 4);
  CHECK(bench.figure(*result, "top1") == doctest::Approx(0.25));
  CHECK(bench.figure(*result, "topk") == doctest::Approx(0.75));
}

TEST_CASE("a label that no class of the model has ends the evaluation, with its name") {
  Bench bench({floats({1, 3}, {1, 2, 3}), floats({1, 3}, {1, 2, 3})});
  bench.put_labels({2, 3});
  auto result = evaluate(bench.ports, bench.request, {});
  REQUIRE_FALSE(result.ok());
  CHECK(result.error().code() == Code::kUsage);
  CHECK(result.error().message().find("data.npz[1]: label 3") != std::string::npos);
  CHECK(result.error().message().find("0 to 2") != std::string::npos);
}

TEST_CASE("boxes of classes that the data has no category for are not judged, and what was found is written") {
  // Two boxes a class of (cat, dog): channels x, y, w, h, cat, dog.
  Bench bench({floats({1, 6, 4}, {2,    6,    2, 6, 2, 2, 2,    2,   4, 4, 4, 4, 4, 4, 4, 4,  //
                                  0.9F, 0.8F, 0, 0, 0, 0, 0.9F, 0.7F})},
              {1, 3, 8, 8});
  Image image{8, 8, Image::Order::kRgb, Bytes(192, 9)};
  bench.put("a.png", *encode_png(view_of(image)));
  bench.put("labels.json",
            as_bytes(R"({"images": [{"id": 5, "file_name": "a.png"}], "categories": [{"id": 2, "name": "cat"}],
    "annotations": [{"image_id": 5, "category_id": 2, "bbox": [0, 0, 4, 4]}]})"));
  bench.request.data.path = path_join(bench.folder, "labels.json");
  bench.request.detections_path = path_join(bench.folder, "found.json");
  Recipe recipe;
  recipe.image.width = recipe.image.height = 8;
  recipe.decoder.kind = "yolov8";
  recipe.labels = {"cat", "dog"};
  bench.request.recipe = recipe;
  auto result = evaluate(bench.ports, bench.request, {});
  INFO((result.ok() ? "" : result.error().message()));
  REQUIRE(result.ok());
  CHECK(result->samples == 1);
  CHECK(bench.figure(*result, "precision") == doctest::Approx(0.5));
  CHECK(bench.figure(*result, "recall") == 1);
  CHECK(bench.figure(*result, "map") == doctest::Approx(1));
  auto found = Json::parse(as_text(*bench.ports.files->read(bench.request.detections_path, 10000)));
  REQUIRE(found.ok());
  REQUIRE(found->items().size() == 2);
  CHECK(found->items()[0]["image_id"].as_int() == 5);
  CHECK(found->items()[0]["category_id"].as_int() == 2);
}

TEST_CASE("detections are not written for data without boxes") {
  Bench bench({floats({1, 3}, {1, 2, 3})});
  bench.put_labels({2});
  bench.request.detections_path = path_join(bench.folder, "found.json");
  auto result = evaluate(bench.ports, bench.request, {});
  REQUIRE_FALSE(result.ok());
  CHECK(result.error().code() == Code::kUsage);
  CHECK_FALSE(bench.ports.files->exists(bench.request.detections_path));
}

}  // namespace oree
