// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/base/limits.h"
#include "core/codec/npy.h"
#include "model/eval/dataset_parts.h"
#include "model/eval/noise.h"

namespace oree {

static Status check_array(const Tensor& tensor, const TensorInfo& info, bool drop_axis) {
  Shape shape = tensor.shape();
  if (drop_axis && !shape.empty()) shape.erase(shape.begin());
  // A stored sample may lack the batch axis of 1 that the model wants.
  Shape wanted = info.shape;
  if (drop_axis && wanted.size() == shape.size() + 1 && (wanted[0] == 1 || wanted[0] == -1))
    wanted.erase(wanted.begin());
  bool fits = shape.size() == wanted.size();
  for (size_t i = 0; fits && i < shape.size(); ++i) fits = wanted[i] < 0 || wanted[i] == shape[i];
  if (fits && tensor.dtype() == info.dtype) return {};
  return Error(Code::kInvalid, fmt::format("input '{}': expected {} {}, found {} {}", info.name, dtype_name(info.dtype),
                                           shape_text(info.shape), dtype_name(tensor.dtype()), shape_text(shape)));
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

static Result<NamedTensors> read_arrays(Files& files, const std::string& path, const std::vector<TensorInfo>& inputs) {
  OREE_TRY_ASSIGN(Bytes file, files.read(path, kModelBytesMax));
  if (path_extension(path) == ".npz") {
    auto tensors = read_npz(file);
    return tensors.ok() ? std::move(tensors) : tensors.error().within(path);
  }
  auto tensor = read_npy(file);
  if (!tensor.ok()) return tensor.error().within(path);
  NamedTensors tensors;
  tensors.push_back({inputs.empty() ? "" : inputs[0].name, std::move(tensor).value()});
  return tensors;
}

namespace {

const Tensor* find_tensor(const NamedTensors& tensors, std::string_view name) {
  for (const NamedTensor& tensor : tensors) {
    if (tensor.name == name) return &tensor.tensor;
  }
  return nullptr;
}

// One sample out of an array that counts them along its first axis, with a batch axis of 1 where the model has one.
Tensor row_of(const Tensor& all, size_t index, size_t rank) {
  Shape shape(all.shape().begin() + 1, all.shape().end());
  if (shape.size() + 1 == rank) shape.insert(shape.begin(), 1);
  Tensor one(all.dtype(), shape);
  std::copy_n(all.data() + index * one.byte_size(), one.byte_size(), one.data());
  return one;
}

// One file that holds every sample: arrays by input, the first axis counts them unless the file is one sample.
class ArrayDataset : public Dataset {
 public:
  ArrayDataset(std::string path, NamedTensors tensors, std::vector<TensorInfo> infos, std::vector<int> labels,
               bool stacked, size_t count)
      : path_(std::move(path)),
        tensors_(std::move(tensors)),
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
      Tensor one = stacked_ ? row_of(tensors_[i].tensor, index, infos_[i].shape.size()) : tensors_[i].tensor;
      Status finite = check_finite(one, infos_[i].name);
      if (!finite.ok()) return finite.error().within(sample.name);
      sample.inputs.push_back({infos_[i].name, std::move(one)});
    }
    if (!labels_.empty()) sample.label = labels_[index];
    return sample;
  }

 private:
  std::string path_;
  NamedTensors tensors_;
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
    OREE_TRY_ASSIGN(auto one, open_array_file(files_, paths_[index], std::nullopt, infos_));
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

}  // namespace

namespace {

// The model's inputs among the arrays of a file, in the model's order.
Result<NamedTensors> arrays_for(const NamedTensors& found, const std::vector<TensorInfo>& infos) {
  NamedTensors ordered;
  for (const TensorInfo& info : infos) {
    const Tensor* tensor = find_tensor(found, info.name);
    if (tensor == nullptr && infos.size() == 1) {
      tensor = find_tensor(found, "inputs");
      if (tensor == nullptr && found.size() == 1) tensor = &found[0].tensor;
    }
    if (tensor == nullptr) {
      std::string names;
      for (const NamedTensor& array : found) names += fmt::format("{}'{}'", names.empty() ? "" : ", ", array.name);
      return Error(Code::kInvalid,
                   fmt::format("expected an array '{}'{}, found {}", info.name,
                               infos.size() == 1 ? " or 'inputs' (and 'labels')" : "", names.empty() ? "none" : names));
    }
    ordered.push_back({info.name, *tensor});
  }
  if (ordered.empty()) return Error(Code::kInvalid, "the model takes no input");
  return ordered;
}

Result<std::vector<int>> class_indices(const Tensor* tensor, size_t count) {
  std::vector<int> labels;
  if (tensor == nullptr) return labels;
  if (tensor->elements() != static_cast<int64_t>(count)) {
    return Error(Code::kInvalid, fmt::format("expected labels of {}, one class index a sample, found {}", count,
                                             shape_text(tensor->shape())));
  }
  for (double v : tensor->to_doubles()) {
    if (!(v >= 0 && v <= 1e6) || v != std::floor(v))
      return Error(Code::kInvalid, fmt::format("label {} is no class index", v));
    labels.push_back(static_cast<int>(v));
  }
  return labels;
}

// How many samples arrays hold that count them along their first axis.
Result<size_t> stacked_count(const NamedTensors& arrays, const std::vector<TensorInfo>& infos, bool labelled) {
  size_t count = 0;
  for (size_t i = 0; i < infos.size(); ++i) {
    Status fits = check_array(arrays[i].tensor, infos[i], true);
    // Without labels it may have been meant as one sample: then that is what it is told to be.
    if (!fits.ok() && infos.size() == 1 && !labelled) fits = check_array(arrays[i].tensor, infos[i], false);
    if (!fits.ok()) return fits.error();
    size_t here = arrays[i].tensor.shape().empty() ? 0 : static_cast<size_t>(arrays[i].tensor.shape()[0]);
    if (i > 0 && here != count) return Error(Code::kInvalid, "the inputs hold different numbers of samples");
    count = here;
  }
  if (count == 0 || count > kDatasetSamplesMax) return Error(Code::kInvalid, fmt::format("holds {} samples", count));
  return count;
}

Result<std::unique_ptr<Dataset>> dataset_of(const std::string& path, const NamedTensors& found,
                                            const std::optional<Recipe>& recipe, const std::vector<TensorInfo>& infos) {
  OREE_TRY_ASSIGN(NamedTensors arrays, arrays_for(found, infos));
  const Tensor* label_tensor = find_tensor(found, "labels");
  // With labels the leading axis counts; else the file is one sample when its arrays fit the model as they are.
  bool stacked = label_tensor != nullptr;
  for (size_t i = 0; i < infos.size() && !stacked; ++i) stacked = !check_array(arrays[i].tensor, infos[i], false).ok();
  const Tensor& first = arrays[0].tensor;
  if (stacked && recipe && recipe->kind == "image" && holds_pictures(first) &&
      !check_array(first, infos[0], true).ok()) {
    OREE_TRY_ASSIGN(auto labels, class_indices(label_tensor, static_cast<size_t>(first.shape()[0])));
    return picture_array(path, first, std::move(labels), *recipe, infos);
  }
  size_t count = 1;
  if (stacked) {
    OREE_TRY_ASSIGN(count, stacked_count(arrays, infos, label_tensor != nullptr));
  }
  OREE_TRY_ASSIGN(auto labels, class_indices(label_tensor, count));
  return std::unique_ptr<Dataset>(
      std::make_unique<ArrayDataset>(path, std::move(arrays), infos, std::move(labels), stacked, count));
}

}  // namespace

Result<std::unique_ptr<Dataset>> open_array_file(Files& files, const std::string& path,
                                                 const std::optional<Recipe>& recipe,
                                                 const std::vector<TensorInfo>& infos) {
  OREE_TRY_ASSIGN(NamedTensors found, read_arrays(files, path, infos));
  auto dataset = dataset_of(path, found, recipe, infos);
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
