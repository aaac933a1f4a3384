// SPDX-License-Identifier: Apache-2.0
#include "model/eval/dataset.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/codec/json.h"
#include "core/codec/little_endian.h"
#include "core/codec/npy.h"
#include "core/io/fake/fake_files.h"

namespace oree {
namespace {

const std::vector<TensorInfo> kInput{{"x", Dtype::kFloat32, {1, 2}}};

void put(Files& files, const std::string& path, ByteView bytes) {
  REQUIRE(files.make_dirs(path_parent(path)).ok());
  REQUIRE(files.write_atomic(path, bytes).ok());
}

Tensor floats(Shape shape, std::vector<float> values) {
  Tensor tensor(Dtype::kFloat32, std::move(shape));
  std::copy(values.begin(), values.end(), tensor.as<float>().begin());
  return tensor;
}

Bytes npz(NamedTensors tensors) {
  auto bytes = write_npz(tensors);
  REQUIRE(bytes.ok());
  return *bytes;
}

Bytes small_png(uint8_t value) {
  Image image{4, 4, Image::Order::kRgb, Bytes(48, value)};
  auto png = encode_png(view_of(image));
  REQUIRE(png.ok());
  return *png;
}

Recipe image_recipe(const std::string& decoder) {
  Recipe recipe;
  recipe.image.width = recipe.image.height = 2;
  recipe.decoder.kind = decoder;
  recipe.labels = {"cat", "dog"};
  return recipe;
}
const std::vector<TensorInfo> kImageInput{{"image", Dtype::kFloat32, {1, 3, 2, 2}}};

}  // namespace

TEST_CASE("stacked arrays with labels give one sample a row") {
  FakeFiles files;
  Tensor labels(Dtype::kInt64, {3});
  labels.as<int64_t>()[1] = 5;
  put(files, "d/a.npz", npz({{"inputs", floats({3, 2}, {1, 2, 3, 4, 5, 6})}, {"labels", labels}}));
  auto data = open_dataset(files, {"d/a.npz", ""}, std::nullopt, kInput);
  REQUIRE(data.ok());
  REQUIRE((*data)->size() == 3);
  CHECK((*data)->has_labels());
  auto sample = (*data)->read(1);
  REQUIRE(sample.ok());
  CHECK(sample->label == 5);
  CHECK(sample->inputs[0].tensor == floats({1, 2}, {3, 4}));
}

namespace {

// Files that nobody may read as a whole, and that count what is read of them.
class PiecesOnly : public FakeFiles {
 public:
  Result<Bytes> read(const std::string& path, int64_t) override {
    return Error(Code::kInternal, path + " was read as a whole");
  }
  Result<std::unique_ptr<ReadFile>> open(const std::string& path) override {
    class Counted : public ReadFile {
     public:
      Counted(std::unique_ptr<ReadFile> file, int64_t& read, int64_t& largest)
          : file_(std::move(file)), read_(read), largest_(largest) {}
      int64_t size() const override { return file_->size(); }
      Result<Bytes> read_at(int64_t offset, int64_t size) override {
        read_ += size;
        largest_ = std::max(largest_, size);
        return file_->read_at(offset, size);
      }

     private:
      std::unique_ptr<ReadFile> file_;
      int64_t &read_, &largest_;
    };
    OREE_TRY_ASSIGN(auto file, FakeFiles::open(path));
    return std::unique_ptr<ReadFile>(std::make_unique<Counted>(std::move(file), bytes_read, largest));
  }
  int64_t bytes_read = 0, largest = 0;
};

}  // namespace

TEST_CASE("samples of a large file are read one at a time") {
  PiecesOnly files;
  Tensor all(Dtype::kFloat32, {5000, 3, 8, 8});
  for (size_t i = 0; i < all.as<float>().size(); ++i) all.as<float>()[i] = static_cast<float>(i);
  put(files, "d/a.npz", npz({{"x", all}}));
  put(files, "d/a.npy", write_npy(all));
  std::vector<TensorInfo> input{{"x", Dtype::kFloat32, {1, 3, 8, 8}}};
  for (const char* path : {"d/a.npz", "d/a.npy"}) {
    CAPTURE(path);
    auto data = open_dataset(files, {path, ""}, std::nullopt, input);
    REQUIRE(data.ok());
    REQUIRE((*data)->size() == 5000);
    files.bytes_read = 0;
    for (size_t index : {4999U, 17U}) {
      auto sample = (*data)->read(index);
      REQUIRE(sample.ok());
      CHECK(sample->inputs[0].tensor.shape() == Shape{1, 3, 8, 8});
      CHECK(sample->inputs[0].tensor.as<float>()[191] == static_cast<float>(192 * index + 191));
    }
    CHECK(files.bytes_read < 2 * 768 + 100);
    CHECK(files.largest <= 256 << 10);
  }
}

TEST_CASE("a damaged sample of a large file is refused when the file is opened") {
  FakeFiles files;
  Bytes file = npz({{"x", floats({3, 2}, {1, 2, 3, 4, 5, 6})}});
  file[as_text(file).find("\x93NUMPY") + 128 + 9] ^= 1;
  put(files, "d/a.npz", file);
  auto data = open_dataset(files, {"d/a.npz", ""}, std::nullopt, kInput);
  REQUIRE_FALSE(data.ok());
  CHECK(data.error().code() == Code::kIntegrity);
}

TEST_CASE("arrays that fit the model as they are, are one sample") {
  FakeFiles files;
  put(files, "d/a.npz", npz({{"x", floats({1, 2}, {1, 2})}}));
  put(files, "d/b.npy", write_npy(floats({1, 2}, {3, 4})));
  auto one = open_dataset(files, {"d/a.npz", ""}, std::nullopt, kInput);
  REQUIRE(one.ok());
  CHECK((*one)->size() == 1);
  auto folder = open_dataset(files, {"d", ""}, std::nullopt, kInput);
  REQUIRE(folder.ok());
  REQUIRE((*folder)->size() == 2);
  CHECK((*folder)->read(1)->inputs[0].name == "x");
}

TEST_CASE("where a model leaves its first dimension free, that of an array counts samples") {
  FakeFiles files;
  const std::vector<TensorInfo> free{{"x", Dtype::kFloat32, {-1, 2}}};
  put(files, "d/a.npz", npz({{"x", floats({3, 2}, {1, 2, 3, 4, 5, 6})}}));
  auto data = open_dataset(files, {"d/a.npz", ""}, std::nullopt, free);
  REQUIRE(data.ok());
  REQUIRE((*data)->size() == 3);
  CHECK((*data)->read(1)->inputs[0].tensor == floats({1, 2}, {3, 4}));
  // A file of a folder is one sample: a sequence of three.
  auto folder = open_dataset(files, {"d", ""}, std::nullopt, free);
  REQUIRE(folder.ok());
  REQUIRE((*folder)->size() == 1);
  CHECK((*folder)->read(0)->inputs[0].tensor.shape() == Shape{3, 2});
  // Of two inputs the numbers must be the same.
  const std::vector<TensorInfo> two{{"x", Dtype::kFloat32, {-1, 2}}, {"z", Dtype::kFloat32, {-1}}};
  put(files, "e/two.npz", npz({{"x", floats({3, 2}, {1, 2, 3, 4, 5, 6})}, {"z", floats({2}, {1, 2})}}));
  auto unequal = open_dataset(files, {"e/two.npz", ""}, std::nullopt, two);
  REQUIRE_FALSE(unequal.ok());
  CHECK(unequal.error().message().find("different numbers of samples") != std::string::npos);
}

TEST_CASE("byte arrays go through a recipe for images, as files of pictures do") {
  FakeFiles files;
  Recipe recipe = image_recipe("classifier");
  Tensor labels(Dtype::kUint8, {2});
  labels.as<uint8_t>()[1] = 1;
  Tensor gray(Dtype::kUint8, {2, 4, 4}), color(Dtype::kUint8, {2, 4, 4, 3});
  std::fill_n(gray.data() + 16, 16, uint8_t{9});
  std::fill_n(color.data() + 48, 48, uint8_t{9});
  put(files, "d/gray.npz", npz({{"inputs", gray}, {"labels", labels}}));
  put(files, "d/color.npz", npz({{"image", color}, {"labels", labels}}));
  put(files, "d/dog/1.png", small_png(9));
  std::vector<Sample> samples;
  for (const char* path : {"d/gray.npz", "d/color.npz"}) {
    auto data = open_dataset(files, {path, ""}, recipe, kImageInput);
    INFO((data.ok() ? "" : data.error().message()));
    REQUIRE(data.ok());
    REQUIRE((*data)->size() == 2);
    auto sample = (*data)->read(1);
    REQUIRE(sample.ok());
    CHECK(sample->name == std::string(path) + "[1]");
    CHECK(sample->label == 1);
    samples.push_back(*sample);
  }
  auto folder = open_dataset(files, {"d/dog", ""}, recipe, kImageInput);
  REQUIRE(folder.ok());
  auto picture = (*folder)->read(0);
  REQUIRE(picture.ok());
  CHECK(samples[0].inputs[0].tensor == picture->inputs[0].tensor);
  CHECK(samples[1].inputs[0].tensor == picture->inputs[0].tensor);
  CHECK(samples[1].placement.scale_x == picture->placement.scale_x);
}

TEST_CASE("an npz that is not understood is told what it holds and what was looked for") {
  FakeFiles files;
  Tensor labels(Dtype::kInt64, {3});
  auto refusal = [&](NamedTensors tensors) {
    put(files, "d/a.npz", npz(std::move(tensors)));
    auto data = open_dataset(files, {"d/a.npz", ""}, std::nullopt, kInput);
    REQUIRE_FALSE(data.ok());
    return data.error().message();
  };
  Tensor three = floats({3, 2}, {1, 2, 3, 4, 5, 6});
  CHECK(refusal({{"x_test", three}, {"y_test", labels}}) ==
        "d/a.npz: expected an array 'x' or 'inputs' (and 'labels'), found 'x_test', 'y_test'");
  CHECK(refusal({{"inputs", three}, {"labels", Tensor(Dtype::kFloat32, {3, 4})}}) ==
        "d/a.npz: expected labels of 3, one class index a sample, found 3x4");
}

TEST_CASE("bad samples are named: NaN, another shape, a torn file") {
  FakeFiles files;
  put(files, "d/1.npz", npz({{"x", floats({1, 2}, {1, std::numeric_limits<float>::quiet_NaN()})}}));
  put(files, "d/2.npz", npz({{"x", floats({3}, {1, 2, 3})}}));
  Bytes whole = npz({{"x", floats({1, 2}, {1, 2})}});
  put(files, "d/3.npz", ByteView(whole).first(whole.size() / 2));
  auto data = open_dataset(files, {"d", ""}, std::nullopt, kInput);
  REQUIRE(data.ok());
  REQUIRE((*data)->size() == 3);
  for (size_t i = 0; i < 3; ++i) {
    auto sample = (*data)->read(i);
    REQUIRE_FALSE(sample.ok());
    CHECK(sample.error().code() == Code::kInvalid);
    CHECK(sample.error().message().find("d/" + std::to_string(i + 1)) != std::string::npos);
  }
}

namespace {

Bytes wav16(const std::vector<int>& samples) {
  Bytes out;
  auto text = [&](std::string_view t) { out.insert(out.end(), t.begin(), t.end()); };
  text("RIFF");
  put_le(out, 36 + 2 * samples.size(), 4);
  text("WAVEfmt ");
  put_le(out, 16, 4);
  put_le(out, 1, 2);
  put_le(out, 1, 2);
  put_le(out, 8000, 4);
  put_le(out, 16000, 4);
  put_le(out, 2, 2);
  put_le(out, 16, 2);
  text("data");
  put_le(out, 2 * samples.size(), 4);
  for (int s : samples) put_le(out, static_cast<uint64_t>(s), 2);
  return out;
}

std::vector<double> values_of(Dataset& data, size_t index) {
  auto sample = data.read(index);
  INFO((sample.ok() ? "" : sample.error().message()));
  REQUIRE(sample.ok());
  return sample->inputs[0].tensor.to_doubles();
}

}  // namespace

TEST_CASE("sound is cut into windows of the model's input, file by file") {
  FakeFiles files;
  put(files, "d/1.wav", wav16({0, 16384, -32768, 8192, 1}));
  put(files, "d/2.wav", wav16({4096}));
  put(files, "d/3.wav", wav16({-16384, 0}));
  put(files, "d/4.wav", as_bytes("RIFF"));
  auto data = open_dataset(files, {"d", ""}, std::nullopt, {{"x", Dtype::kFloat32, {-1, 1, 2}}});
  REQUIRE(data.ok());
  REQUIRE((*data)->size() == 5);
  CHECK(values_of(**data, 0) == std::vector<double>{0, 0.5});
  CHECK(values_of(**data, 1) == std::vector<double>{-1, 0.25});
  CHECK(values_of(**data, 3) == std::vector<double>{-0.5, 0});
  CHECK((*data)->read(1)->name == "d/1.wav[1]");
  CHECK((*data)->read(1)->inputs[0].tensor.shape() == Shape{1, 1, 2});
  CHECK((*data)->read(2).error().message() == "d/2.wav: 1 samples do not fill input 'x' 1x1x2");
  CHECK((*data)->read(4).error().message() == "d/4.wav: wav: not a WAV file");
}

TEST_CASE("tables give a sample for as many rows as the model's input has") {
  FakeFiles files;
  put(files, "d/1.csv", as_bytes("x;y\n1;2\n3;4\n5;6\n7;nan\n9;10\n"));
  put(files, "one.csv", as_bytes("1\n2\n3\n4\n5\n6\n7\n"));
  put(files, "wide.csv", as_bytes("1,2,3\n"));
  std::vector<TensorInfo> input{{"x", Dtype::kFloat32, {1, 2, 2}}};
  auto data = open_dataset(files, {"d", ""}, std::nullopt, input);
  REQUIRE(data.ok());
  REQUIRE((*data)->size() == 2);
  CHECK(values_of(**data, 0) == std::vector<double>{1, 2, 3, 4});
  CHECK((*data)->read(1).error().message() == "d/1.csv[1]: 'x': element 3 is nan");
  auto one = open_dataset(files, {"one.csv", ""}, std::nullopt, {{"x", Dtype::kFloat32, {1, 3}}});
  REQUIRE(one.ok());
  REQUIRE((*one)->size() == 2);
  CHECK(values_of(**one, 1) == std::vector<double>{4, 5, 6});
  CHECK(open_dataset(files, {"wide.csv", ""}, std::nullopt, input).error().message() ==
        "wide.csv: expected 1 column or 2, the last axis of input 'x' 1x2x2, found 3");
}

TEST_CASE("sound and tables need one input of float32 whose length is known") {
  FakeFiles files;
  put(files, "d/1.csv", as_bytes("1\n2\n"));
  auto refused = [&](const std::vector<TensorInfo>& inputs) {
    return open_dataset(files, {"d", ""}, std::nullopt, inputs).error().message();
  };
  CHECK(refused({{"x", Dtype::kFloat32, {1, -1}}}).find("must be fixed") != std::string::npos);
  CHECK(refused({{"x", Dtype::kInt8, {1, 2}}}).find("'x' is int8") != std::string::npos);
  CHECK(refused({{"x", Dtype::kFloat32, {1}}, {"y", Dtype::kFloat32, {1}}}).find("takes 2") != std::string::npos);
  put(files, "d/2.wav", wav16({1, 2}));
  CHECK(refused(kInput).find("found both") != std::string::npos);
}

namespace {

// A video of grey frames that get brighter: frame i has the luma 16 + 10 i.
class FakeVideo : public FrameSource {
 public:
  FakeVideo(int frames, int& decoded) : frames_(frames), decoded_(decoded), chroma_(4, 128) {}
  Result<Fetch> next(Frame& frame, int64_t) override {
    if (at_ == frames_) return Fetch::kEnd;
    luma_.assign(16, static_cast<uint8_t>(16 + 10 * at_++));
    ++decoded_;
    frame.view.luma = luma_.data();
    frame.view.luma_stride = frame.view.width = frame.view.height = 4;
    frame.view.cb = frame.view.cr = chroma_.data();
    frame.view.chroma_stride = 2;
    return Fetch::kFrame;
  }
  int64_t dropped() const override { return 0; }

 private:
  int frames_, at_ = 0;
  int& decoded_;
  Bytes luma_, chroma_;
};

}  // namespace

TEST_CASE("a video's frames are samples, decoded forwards") {
  FakeFiles files;
  put(files, "d/a.mp4", as_bytes("as the fake wants"));
  int decoded = 0, opened = 0;
  DatasetSource source{"d/a.mp4", "", [&](const std::string& path) -> Result<std::unique_ptr<FrameSource>> {
                         CHECK(path == "d/a.mp4");
                         ++opened;
                         return std::unique_ptr<FrameSource>(std::make_unique<FakeVideo>(20, decoded));
                       }};
  auto data = open_dataset(files, source, image_recipe("tensor"), kImageInput);
  REQUIRE(data.ok());
  CHECK((*data)->size() == 20);
  CHECK(decoded == 20);
  for (size_t index : spread_indices(20, 5)) {
    auto sample = (*data)->read(index);
    REQUIRE(sample.ok());
    CHECK(sample->name == "d/a.mp4[" + std::to_string(index) + "]");
    // BT.601: grey of luma y is (y - 16) * 255 / 219.
    double grey = 10.0 * static_cast<double>(index) * 255 / 219;
    for (double v : sample->inputs[0].tensor.to_doubles()) CHECK(std::abs(v - grey) <= 1);
  }
  CHECK(opened == 2);
  CHECK(decoded == 20 + 17);
  CHECK((*data)->read(3).ok());  // earlier: from the start
  CHECK(opened == 3);
  CHECK(decoded == 20 + 17 + 4);
}

TEST_CASE("a video is refused where none can be read, and without a recipe") {
  FakeFiles files;
  put(files, "d/a.mp4", as_bytes("x"));
  CHECK(open_dataset(files, {"d/a.mp4", ""}, image_recipe("tensor"), kImageInput).error().code() == Code::kUnsupported);
  CHECK(open_dataset(files, {"d/a.mp4", ""}, std::nullopt, kImageInput).error().code() == Code::kInvalid);
  DatasetSource broken{"d/a.mp4", "", [](const std::string& path) -> Result<std::unique_ptr<FrameSource>> {
                         return Error(Code::kInvalid, path + ": is no video");
                       }};
  CHECK(open_dataset(files, broken, image_recipe("tensor"), kImageInput).error().message() == "d/a.mp4: is no video");
}

TEST_CASE("class folders take their index from the recipe's labels") {
  FakeFiles files;
  put(files, "d/dog/1.png", small_png(9));
  put(files, "d/cat/2.png", small_png(10));
  put(files, "d/cat/broken.png", as_bytes("no picture"));
  auto data = open_dataset(files, {"d", ""}, image_recipe("classifier"), kImageInput);
  REQUIRE(data.ok());
  REQUIRE((*data)->size() == 3);
  CHECK((*data)->has_labels());
  CHECK((*data)->read(0)->label == 0);
  CHECK_FALSE((*data)->read(1).ok());
  CHECK((*data)->read(2)->label == 1);
  put(files, "d/bird/3.png", small_png(11));
  CHECK_FALSE(open_dataset(files, {"d", ""}, image_recipe("classifier"), kImageInput).ok());
}

TEST_CASE("a recipe that does not fill the model's input is refused before any sample") {
  FakeFiles files;
  put(files, "d/1.png", small_png(9));
  std::vector<TensorInfo> other{{"image", Dtype::kFloat32, {1, 3, 4, 4}}};
  auto data = open_dataset(files, {"d", ""}, image_recipe("ssd"), other);
  REQUIRE_FALSE(data.ok());
  CHECK(data.error().message().find("1x3x4x4") != std::string::npos);
  CHECK_FALSE(open_dataset(files, {"d", ""}, std::nullopt, kImageInput).ok());
  CHECK(open_dataset(files, {"nowhere", ""}, std::nullopt, kImageInput).error().code() == Code::kNotFound);
}

TEST_CASE("COCO annotations become boxes of the recipe's classes, by rising image id") {
  const char* json = R"({"images": [{"id": 9, "file_name": "2.png"}, {"id": 7, "file_name": "a/1.png"}],
    "categories": [{"id": 3, "name": "dog"}, {"id": 1, "name": "bird"}],
    "annotations": [{"image_id": 7, "category_id": 3, "bbox": [1, 2, 3, 4], "iscrowd": 1},
                    {"image_id": 7, "category_id": 1, "bbox": [1, 2, 3, 4]}]})";
  auto coco = parse_coco(json, {"cat", "dog"});
  REQUIRE(coco.ok());
  REQUIRE(coco->images.size() == 2);
  CHECK(coco->images[0].id == 7);
  CHECK(coco->images[0].file_name == "a/1.png");
  REQUIRE(coco->images[0].truths.size() == 1);
  const TruthBox& truth = coco->images[0].truths[0];
  CHECK(truth.label == 1);
  CHECK(truth.crowd);
  CHECK(truth.box.x1 == 4);
  CHECK(truth.box.y1 == 6);
  CHECK(coco->categories.ids == std::map<int, int64_t>{{1, 3}});
  CHECK(coco->categories.unknown == std::vector<std::string>{"bird"});
  auto by_rank = parse_coco(json, {});
  REQUIRE(by_rank.ok());
  CHECK(by_rank->images[0].truths[0].label == 1);
  CHECK(by_rank->images[0].truths[1].label == 0);
  CHECK(by_rank->categories.ids == std::map<int, int64_t>{{0, 1}, {1, 3}});
  CHECK(by_rank->categories.unknown.empty());
}

TEST_CASE("COCO results name images and categories by COCO's ids") {
  CocoCategories categories{{{0, 9}}, {}};
  std::vector<Detection> found{{{1, 2, 4, 6.5}, 0, 0.75}, {{0, 0, 1, 1}, 1, 0.5}, {{0, 0, 1, 1}, 0, 0.25}};
  auto list = Json::parse("[" + coco_results(7, found, categories) + "]");
  REQUIRE(list.ok());
  REQUIRE(list->items().size() == 2);
  const Json& first = list->items()[0];
  CHECK(first["image_id"].as_int() == 7);
  CHECK(first["category_id"].as_int() == 9);
  CHECK(first["bbox"].items()[2].as_double() == 3);
  CHECK(first["bbox"].items()[3].as_double() == 4.5);
  CHECK(first["score"].as_double() == 0.75);
}

TEST_CASE("COCO annotations that lead astray are refused") {
  for (
      const char* json :
      {"{}", "[]", R"({"images": [], "categories": [], "annotations": []})",
       R"({"images": [{"id": 1, "file_name": "../x.png"}], "categories": [{"id": 1, "name": "dog"}], "annotations": []})",
       R"({"images": [{"id": 1, "file_name": "/x.png"}], "categories": [{"id": 1, "name": "dog"}], "annotations": []})",
       R"({"images": [{"id": 1, "file_name": "x"}, {"id": 1, "file_name": "y"}], "categories": [{"id": 1, "name": "dog"}], "annotations": []})",
       R"({"images": [], "categories": [{"id": 1, "name": "dog"}], "annotations": [{"image_id": 1, "category_id": 1, "bbox": [0,0,1,1]}]})",
       R"({"images": [{"id": 1, "file_name": "x"}], "categories": [{"id": 1, "name": "dog"}], "annotations": [{"image_id": 1, "category_id": 1, "bbox": [0,0,1]}]})",
       R"({"images": [{"id": 1, "file_name": "x"}], "categories": [{"id": 1, "name": "dog"}], "annotations": [{"image_id": 1, "category_id": 2, "bbox": [0,0,1,1]}]})"}) {
    CAPTURE(json);
    CHECK_FALSE(parse_coco(json, {"dog"}).ok());
  }
}

TEST_CASE("samples are spread evenly and without repeats") {
  CHECK(spread_indices(10, 0).size() == 10);
  CHECK(spread_indices(10, 4) == std::vector<size_t>{0, 2, 5, 7});
  CHECK(spread_indices(3, 100) == std::vector<size_t>{0, 1, 2});
}

}  // namespace oree
