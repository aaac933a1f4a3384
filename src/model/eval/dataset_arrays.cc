// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/codec/npy_file.h"
#include "model/eval/dataset_parts.h"
#include "model/eval/noise.h"

namespace oree {

static Status check_array(const ArrayFile::Array& array, const TensorInfo& info, bool drop_axis) {
  Shape shape = array.shape;
  if (drop_axis && !shape.empty()) shape.erase(shape.begin());
  // A stored sample may lack the batch axis of 1 that the model wants.
  Shape wanted = info.shape;
  if (drop_axis && wanted.size() == shape.size() + 1 && (wanted[0] == 1 || wanted[0] == -1))
    wanted.erase(wanted.begin());
  bool fits = shape.size() == wanted.size();
  for (size_t i = 0; fits && i < shape.size(); ++i) fits = wanted[i] < 0 || wanted[i] == shape[i];
  // What stands for reals may be given as reals, which the session quantizes.
  if (fits && (array.dtype == info.dtype || (info.reals && array.dtype == Dtype::kFloat32))) return {};
  return Error(Code::kInvalid, fmt::format("input '{}': expected {} {}, found {} {}", info.name, dtype_name(info.dtype),
                                           shape_text(info.shape), dtype_name(array.dtype), shape_text(shape)));
}

Status check_finite(const Tensor& tensor, const std::string& name) {
  if (tensor.dtype() != Dtype::kFloat32 && tensor.dtype() != Dtype::kFloat16 && tensor.dtype() != Dtype::kFloat64)
    return {};
  std::vector<double> values = tensor.to_doubles();
  for (size_t i = 0; i < values.size(); ++i) {
    if (!std::isfinite(values[i]))
      return Error(Code::kInvalid, fmt::format("'{}': element {} is {}", name, i, values[i]));
  }
  return {};
}

static Result<std::unique_ptr<ArrayFile>> open_arrays(Files& files, const std::string& path) {
  OREE_TRY_ASSIGN(std::shared_ptr<ReadFile> file, files.open(path));
  ByteSource source{[file](int64_t offset, int64_t size) { return file->read_at(offset, size); }, file->size()};
  auto arrays =
      path_extension(path) == ".npz" ? ArrayFile::open_npz(std::move(source)) : ArrayFile::open_npy(std::move(source));
  return arrays.ok() ? std::move(arrays) : arrays.error().within(path);
}

namespace {

std::optional<size_t> find_array(const ArrayFile& file, std::string_view name) {
  for (size_t i = 0; i < file.arrays().size(); ++i) {
    if (file.arrays()[i].name == name) return i;
  }
  return std::nullopt;
}

// One file that holds every sample: arrays by input, the first axis counts them unless the file is one sample. In
// memory is the sample that is being read, no other.
class ArrayDataset : public Dataset {
 public:
  ArrayDataset(std::string path, std::unique_ptr<ArrayFile> file, std::vector<size_t> arrays,
               std::vector<TensorInfo> infos, std::vector<int> labels, bool stacked, size_t count)
      : path_(std::move(path)),
        file_(std::move(file)),
        arrays_(std::move(arrays)),
        infos_(std::move(infos)),
        labels_(std::move(labels)),
        stacked_(stacked),
        count_(count) {}
  size_t size() const override { return count_; }
  bool has_labels() const override { return !labels_.empty(); }
  bool has_boxes() const override { return false; }

  Result<Sample> read(size_t index) override {
    OREE_ASSERT(index < count_);
    Sample sample;
    sample.name = stacked_ ? fmt::format("{}[{}]", path_, index) : path_;
    for (size_t i = 0; i < infos_.size(); ++i) {
      auto one = stacked_ ? row(arrays_[i], index, infos_[i].shape.size()) : file_->read(arrays_[i]);
      if (!one.ok()) return one.error().within(sample.name);
      Status finite = check_finite(*one, infos_[i].name);
      if (!finite.ok()) return finite.error().within(sample.name);
      sample.inputs.push_back({infos_[i].name, std::move(*one)});
    }
    if (!labels_.empty()) sample.label = labels_[index];
    return sample;
  }

 private:
  // One sample, with a batch axis of 1 where the model has one.
  Result<Tensor> row(size_t array, size_t index, size_t rank) {
    OREE_TRY_ASSIGN(Tensor one, file_->read_rows(array, static_cast<int64_t>(index), 1));
    if (one.shape().size() != rank) one.reshape(Shape(one.shape().begin() + 1, one.shape().end()));
    return one;
  }

  std::string path_;
  std::unique_ptr<ArrayFile> file_;
  std::vector<size_t> arrays_;  // by input
  std::vector<TensorInfo> infos_;
  std::vector<int> labels_;
  bool stacked_;
  size_t count_;
};

class ArrayFolder : public Dataset {
 public:
  ArrayFolder(Files& files, std::vector<std::string> paths, std::vector<TensorInfo> infos)
      : files_(files), paths_(std::move(paths)), infos_(std::move(infos)) {}
  size_t size() const override { return paths_.size(); }
  bool has_labels() const override { return false; }
  bool has_boxes() const override { return false; }

  Result<Sample> read(size_t index) override {
    OREE_ASSERT(index < paths_.size());
    OREE_TRY_ASSIGN(auto one, open_array_file(files_, paths_[index], std::nullopt, infos_, true));
    if (one->size() != 1) {
      return Error(Code::kInvalid,
                   fmt::format("{}: a file of a folder is one sample, found {}", paths_[index], one->size()));
    }
    return one->read(0);
  }

 private:
  Files& files_;
  std::vector<std::string> paths_;
  std::vector<TensorInfo> infos_;
};

class NoiseDataset : public Dataset {
 public:
  NoiseDataset(std::vector<TensorInfo> infos, size_t count, uint64_t seed)
      : infos_(std::move(infos)), count_(count), seed_(seed) {}
  size_t size() const override { return count_; }
  bool has_labels() const override { return false; }
  bool has_boxes() const override { return false; }
  Result<Sample> read(size_t index) override {
    Sample sample;
    sample.name = fmt::format("noise {}", index);
    OREE_TRY_ASSIGN(sample.inputs, noise_tensors(infos_, seed_ + 1000 * index));
    return sample;
  }

 private:
  std::vector<TensorInfo> infos_;
  size_t count_;
  uint64_t seed_;
};

// The model's inputs among the arrays of a file, in the model's order. An .npy has one, for the first input.
Result<std::vector<size_t>> arrays_for(const ArrayFile& file, const std::vector<TensorInfo>& infos) {
  std::vector<size_t> ordered;
  for (const TensorInfo& info : infos) {
    std::optional<size_t> array = find_array(file, info.name);
    if (!array && infos.size() == 1) {
      array = find_array(file, "inputs");
      if (!array && file.arrays().size() == 1) array = 0;
    }
    if (!array) {
      std::string names;
      for (const auto& found : file.arrays()) names += fmt::format("{}'{}'", names.empty() ? "" : ", ", found.name);
      return Error(Code::kInvalid,
                   fmt::format("expected an array '{}'{}, found {}", info.name,
                               infos.size() == 1 ? " or 'inputs' (and 'labels')" : "", names.empty() ? "none" : names));
    }
    ordered.push_back(*array);
  }
  if (ordered.empty()) return Error(Code::kInvalid, "the model takes no input");
  return ordered;
}

Result<std::vector<int>> class_indices(ArrayFile& file, std::optional<size_t> array, int64_t count) {
  std::vector<int> labels;
  if (!array) return labels;
  const Shape& shape = file.arrays()[*array].shape;
  auto elements = shape_elements(shape);
  if (!elements.ok() || *elements != count) {
    return Error(Code::kInvalid,
                 fmt::format("expected labels of {}, one class index a sample, found {}", count, shape_text(shape)));
  }
  OREE_TRY_ASSIGN(Tensor tensor, file.read(*array));
  for (double v : tensor.to_doubles()) {
    if (!(v >= 0 && v <= 1e6) || v != std::floor(v))
      return Error(Code::kInvalid, fmt::format("label {} is no class index", v));
    labels.push_back(static_cast<int>(v));
  }
  return labels;
}

// How many samples arrays hold that count them along their first axis.
Result<int64_t> stacked_count(const ArrayFile& file, const std::vector<size_t>& arrays,
                              const std::vector<TensorInfo>& infos, bool labelled) {
  int64_t count = 0;
  for (size_t i = 0; i < infos.size(); ++i) {
    const ArrayFile::Array& array = file.arrays()[arrays[i]];
    Status fits = check_array(array, infos[i], true);
    // Without labels it may have been meant as one sample: then that is what it is told to be.
    if (!fits.ok() && infos.size() == 1 && !labelled) fits = check_array(array, infos[i], false);
    if (!fits.ok()) return fits.error();
    int64_t here = array.shape.empty() ? 0 : array.shape[0];
    if (i > 0 && here != count) return Error(Code::kInvalid, "the inputs hold different numbers of samples");
    count = here;
  }
  if (count == 0) return Error(Code::kInvalid, "holds 0 samples");
  return count;
}

Result<std::unique_ptr<Dataset>> dataset_of(const std::string& path, std::unique_ptr<ArrayFile> file,
                                            const std::optional<Recipe>& recipe, const std::vector<TensorInfo>& infos,
                                            bool of_folder) {
  OREE_TRY_ASSIGN(std::vector<size_t> arrays, arrays_for(*file, infos));
  std::optional<size_t> label_array = find_array(*file, "labels");
  // With labels the leading axis counts, and where the model leaves it free; else the file is one sample when its
  // arrays fit the model as they are.
  auto free = [](const TensorInfo& info) { return !info.shape.empty() && info.shape[0] < 0; };
  bool stacked = label_array.has_value() || (!of_folder && std::ranges::all_of(infos, free));
  for (size_t i = 0; i < infos.size() && !stacked; ++i)
    stacked = !check_array(file->arrays()[arrays[i]], infos[i], false).ok();
  const ArrayFile::Array& first = file->arrays()[arrays[0]];
  bool pictures =
      stacked && recipe && recipe->kind == "image" && holds_pictures(first) && !check_array(first, infos[0], true).ok();
  int64_t count = pictures ? first.shape[0] : 1;
  if (stacked && !pictures) {
    OREE_TRY_ASSIGN(count, stacked_count(*file, arrays, infos, label_array.has_value()));
  }
  if (count > static_cast<int64_t>(kDatasetSamplesMax))
    return Error(Code::kExhausted, fmt::format("{} samples, more than {}", count, kDatasetSamplesMax));
  OREE_TRY_ASSIGN(auto labels, class_indices(*file, label_array, count));
  // Rows are read without their array's sum being looked at, so all of it is checked once.
  for (size_t i = 0; i < arrays.size() && stacked; ++i) OREE_TRY(file->verify(arrays[i]));
  if (pictures) return picture_array(path, std::move(file), arrays[0], std::move(labels), *recipe, infos);
  return std::unique_ptr<Dataset>(std::make_unique<ArrayDataset>(
      path, std::move(file), std::move(arrays), infos, std::move(labels), stacked, static_cast<size_t>(count)));
}

}  // namespace

Result<std::unique_ptr<Dataset>> open_array_file(Files& files, const std::string& path,
                                                 const std::optional<Recipe>& recipe,
                                                 const std::vector<TensorInfo>& infos, bool of_folder) {
  OREE_TRY_ASSIGN(std::unique_ptr<ArrayFile> found, open_arrays(files, path));
  auto dataset = dataset_of(path, std::move(found), recipe, infos, of_folder);
  return dataset.ok() ? std::move(dataset) : dataset.error().within(path);
}

std::unique_ptr<Dataset> make_array_folder(Files& files, std::vector<std::string> paths,
                                           const std::vector<TensorInfo>& infos) {
  return std::make_unique<ArrayFolder>(files, std::move(paths), infos);
}

std::unique_ptr<Dataset> noise_dataset(const std::vector<TensorInfo>& inputs, size_t count, uint64_t seed) {
  return std::make_unique<NoiseDataset>(inputs, count, seed);
}

}  // namespace oree
