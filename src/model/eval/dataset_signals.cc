// SPDX-License-Identifier: Apache-2.0
// Sound and tables: files that are longer than the model's input are cut into successive windows of it.
#include <fmt/format.h>

#include <algorithm>
#include <variant>

#include "core/codec/csv.h"
#include "core/codec/wav.h"
#include "model/eval/dataset_parts.h"

namespace oree {
namespace {

// A file that is open only while it is read: a folder may have more of them than a process may hold open.
Result<ByteSource> closed_source(Files& files, const std::string& path) {
  OREE_TRY_ASSIGN(FileInfo info, files.info(path));
  auto read_at = [&files, path](int64_t offset, int64_t size) -> Result<Bytes> {
    OREE_TRY_ASSIGN(auto file, files.open(path));
    return file->read_at(offset, size);
  };
  return ByteSource{read_at, info.size};
}

// What one file has for an input of so many elements, its windows each a row of them.
class SignalFile {
 public:
  virtual ~SignalFile() = default;
  virtual size_t windows() const = 0;
  virtual std::string length() const = 0;  // in words
  virtual Result<std::vector<float>> read(size_t window) const = 0;
};

class WavSignal : public SignalFile {
 public:
  WavSignal(ByteSource file, WavInfo info, int64_t elements)
      : file_(std::move(file)), info_(info), elements_(elements) {}
  size_t windows() const override { return static_cast<size_t>(info_.frames / elements_); }
  std::string length() const override { return fmt::format("{} samples", info_.frames); }
  Result<std::vector<float>> read(size_t window) const override {
    return read_wav(file_, info_, static_cast<int64_t>(window) * elements_, elements_);
  }

 private:
  ByteSource file_;
  WavInfo info_;
  int64_t elements_;
};

class CsvSignal : public SignalFile {
 public:
  explicit CsvSignal(std::unique_ptr<CsvFile> file) : file_(std::move(file)) {}
  size_t windows() const override { return file_->windows(); }
  std::string length() const override { return fmt::format("{} rows of {}", file_->rows(), file_->columns()); }
  Result<std::vector<float>> read(size_t window) const override { return file_->read(window); }

 private:
  std::unique_ptr<CsvFile> file_;
};

Result<std::unique_ptr<SignalFile>> open_signal(Files& files, const std::string& path, const TensorInfo& input) {
  OREE_TRY_ASSIGN(int64_t elements, shape_elements(input.shape));
  OREE_TRY_ASSIGN(ByteSource source, closed_source(files, path));
  if (path_extension(path) == ".wav") {
    OREE_TRY_ASSIGN(WavInfo info, read_wav_info(source));
    return std::unique_ptr<SignalFile>(std::make_unique<WavSignal>(std::move(source), info, elements));
  }
  int64_t last = input.shape.empty() ? 1 : input.shape.back();
  OREE_TRY_ASSIGN(auto csv, CsvFile::open(std::move(source), [&](int64_t columns) -> Result<int64_t> {
                    if (columns == last || columns == 1) return elements / columns;
                    return Error(Code::kInvalid,
                                 fmt::format("expected 1 column or {}, the last axis of input '{}' {}, found {}", last,
                                             input.name, shape_text(input.shape), columns));
                  }));
  return std::unique_ptr<SignalFile>(std::make_unique<CsvSignal>(std::move(csv)));
}

class SignalDataset : public Dataset {
 public:
  explicit SignalDataset(TensorInfo input) : input_(std::move(input)) {}

  // A file that cannot be used is one bad sample: whoever reads it is told why.
  void add(Files& files, const std::string& path) {
    auto file = open_signal(files, path, input_);
    if (!file.ok()) return add_bad(path, file.error());
    if ((*file)->windows() == 0) {
      return add_bad(path, Error(Code::kInvalid, fmt::format("{} do not fill input '{}' {}", (*file)->length(),
                                                             input_.name, shape_text(input_.shape))));
    }
    firsts_.push_back(size_);
    size_ += (*file)->windows();
    paths_.push_back(path);
    files_.push_back(std::move(*file));
    usable_ = true;
  }
  const Error& first_error() const { return std::get<Error>(files_[0]); }
  bool usable() const { return usable_; }

  size_t size() const override { return size_; }
  bool has_labels() const override { return false; }
  bool has_boxes() const override { return false; }

  Result<Sample> read(size_t index) override {
    OREE_ASSERT(index < size_);
    auto file = static_cast<size_t>(std::upper_bound(firsts_.begin(), firsts_.end(), index) - firsts_.begin()) - 1;
    if (const Error* error = std::get_if<Error>(&files_[file])) return *error;
    const SignalFile& signal = *std::get<std::unique_ptr<SignalFile>>(files_[file]);
    Sample sample;
    sample.name = fmt::format("{}[{}]", paths_[file], index - firsts_[file]);
    auto values = signal.read(index - firsts_[file]);
    if (!values.ok()) return values.error().within(sample.name);
    Tensor tensor(Dtype::kFloat32, input_.shape);
    OREE_ASSERT(values->size() == static_cast<size_t>(tensor.elements()));
    std::copy(values->begin(), values->end(), tensor.as<float>().begin());
    Status finite = check_finite(tensor, input_.name);
    if (!finite.ok()) return finite.error().within(sample.name);
    sample.inputs.push_back({input_.name, std::move(tensor)});
    return sample;
  }

 private:
  void add_bad(const std::string& path, const Error& error) {
    firsts_.push_back(size_++);
    paths_.push_back(path);
    files_.emplace_back(error.within(path));
  }

  TensorInfo input_;
  size_t size_ = 0;
  bool usable_ = false;
  std::vector<size_t> firsts_;  // of each file, its first window's index
  std::vector<std::string> paths_;
  std::vector<std::variant<std::unique_ptr<SignalFile>, Error>> files_;
};

// What a window fills. A batch axis that is free is 1.
Result<TensorInfo> signal_input(const std::vector<TensorInfo>& inputs) {
  if (inputs.size() != 1) {
    return Error(Code::kInvalid, fmt::format("sound and tables fill one input, the model takes {}", inputs.size()));
  }
  TensorInfo input = inputs[0];
  if (!input.shape.empty() && input.shape[0] < 0) input.shape[0] = 1;
  if (input.reals) input.dtype = Dtype::kFloat32;  // the session quantizes it
  if (input.dtype != Dtype::kFloat32) {
    return Error(Code::kInvalid, fmt::format("sound and tables fill an input of float32, '{}' is {}", input.name,
                                             dtype_name(input.dtype)));
  }
  auto elements = shape_elements(input.shape);
  if (elements.ok() && *elements > 0) return input;
  return Error(Code::kInvalid, fmt::format("input '{}' {} says not how long a sample is: its shape must be fixed",
                                           input.name, shape_text(input.shape)));
}

}  // namespace

bool is_signal(const std::string& path) { return path_extension(path) == ".wav" || path_extension(path) == ".csv"; }

Result<std::unique_ptr<Dataset>> open_signals(Files& files, const std::vector<std::string>& paths,
                                              const std::vector<TensorInfo>& inputs) {
  OREE_TRY_ASSIGN(TensorInfo input, signal_input(inputs));
  auto dataset = std::make_unique<SignalDataset>(std::move(input));
  for (const std::string& path : paths) {
    if (path_extension(path) != path_extension(paths[0]))
      return Error(Code::kInvalid, fmt::format("{} and {}: expected .wav or .csv, found both", paths[0], path));
    dataset->add(files, path);
    if (dataset->size() > kDatasetSamplesMax)
      return Error(Code::kExhausted, fmt::format("{}: more than {} samples so far", path, kDatasetSamplesMax));
  }
  if (!dataset->usable()) return dataset->first_error();
  return std::unique_ptr<Dataset>(std::move(dataset));
}

}  // namespace oree
