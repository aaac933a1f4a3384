// SPDX-License-Identifier: Apache-2.0
#include "model/eval/dataset.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "core/base/limits.h"
#include "model/eval/dataset_parts.h"

namespace oree {
namespace {

constexpr int64_t kImageFileBytesMax = 256 << 20;

bool is_image(const std::string& path) {
  static const std::set<std::string> kExtensions{".jpg", ".jpeg", ".png", ".bmp", ".webp"};
  return kExtensions.contains(path_extension(path));
}
bool is_array(const std::string& path) { return path_extension(path) == ".npz" || path_extension(path) == ".npy"; }

struct ImageEntry {
  std::string path;
  std::optional<int> label;
  std::optional<std::vector<TruthBox>> truths;
  int64_t image_id = 0;
};

class ImageDataset : public Dataset {
 public:
  ImageDataset(Files& files, Recipe recipe, TensorInfo input, std::vector<ImageEntry> entries,
               CocoCategories categories)
      : files_(files),
        recipe_(std::move(recipe)),
        input_(std::move(input)),
        entries_(std::move(entries)),
        categories_(std::move(categories)) {}
  size_t size() const override { return entries_.size(); }
  bool has_labels() const override { return entries_[0].label.has_value(); }
  bool has_boxes() const override { return entries_[0].truths.has_value(); }
  const CocoCategories& categories() const override { return categories_; }

  Result<Sample> read(size_t index) override {
    OREE_ASSERT(index < entries_.size());
    const ImageEntry& entry = entries_[index];
    OREE_TRY_ASSIGN(Bytes file, files_.read(entry.path, kImageFileBytesMax));
    auto image = decode_image(file);
    if (!image.ok()) return image.error().within(entry.path);
    OREE_TRY_ASSIGN(Sample sample, image_sample(entry.path, view_of(*image), recipe_, input_));
    sample.label = entry.label;
    sample.truths = entry.truths;
    sample.image_id = entry.image_id;
    return sample;
  }

 private:
  Files& files_;
  Recipe recipe_;
  TensorInfo input_;
  std::vector<ImageEntry> entries_;
  CocoCategories categories_;
};

Result<std::vector<std::string>> files_in(Files& files, const std::string& folder, bool (*wanted)(const std::string&)) {
  OREE_TRY_ASSIGN(auto names, files.list(folder));
  std::vector<std::string> paths;
  for (const std::string& name : names) {
    if (wanted(name)) paths.push_back(path_join(folder, name));
  }
  if (paths.size() > kDatasetSamplesMax)
    return Error(Code::kExhausted, fmt::format("{}: more than {} samples", folder, kDatasetSamplesMax));
  return paths;
}

// Folders named by class; their order is the labels' when the recipe has any, else alphabetical.
Result<std::vector<ImageEntry>> class_folders(Files& files, const std::string& root,
                                              const std::vector<std::string>& labels) {
  std::vector<ImageEntry> entries;
  OREE_TRY_ASSIGN(auto names, files.list(root));
  int next = 0;
  for (const std::string& name : names) {
    auto info = files.info(path_join(root, name));
    if (!info.ok() || !info->directory) continue;
    int label = next++;
    if (!labels.empty()) {
      auto at = std::find(labels.begin(), labels.end(), name);
      if (at == labels.end())
        return Error(Code::kInvalid, fmt::format("{}: folder '{}' is none of the recipe's labels", root, name));
      label = static_cast<int>(at - labels.begin());
    }
    OREE_TRY_ASSIGN(auto paths, files_in(files, path_join(root, name), is_image));
    for (std::string& path : paths) entries.push_back({std::move(path), label, std::nullopt, 0});
  }
  return entries;
}

Result<std::vector<ImageEntry>> coco_entries(Files& files, const DatasetSource& source, const Recipe& recipe,
                                             CocoCategories& categories) {
  OREE_TRY_ASSIGN(Bytes file, files.read(source.path, kJsonBytesMax));
  auto coco = parse_coco(as_text(file), recipe.labels);
  if (!coco.ok()) return coco.error().within(source.path);
  std::string folder = source.images.empty() ? path_parent(source.path) : source.images;
  std::vector<ImageEntry> entries;
  for (CocoImage& image : coco->images)
    entries.push_back({path_join(folder, image.file_name), std::nullopt, std::move(image.truths), image.id});
  categories = std::move(coco->categories);
  return entries;
}

}  // namespace

const CocoCategories& Dataset::categories() const {
  static const CocoCategories kNone;
  return kNone;
}

Result<std::unique_ptr<Dataset>> open_dataset(Files& files, const DatasetSource& source,
                                              const std::optional<Recipe>& recipe,
                                              const std::vector<TensorInfo>& inputs) {
  OREE_TRY_ASSIGN(FileInfo info, files.info(source.path));
  if (!info.directory && is_array(source.path)) return open_array_file(files, source.path, recipe, inputs);
  if (!info.directory && is_signal(source.path)) return open_signals(files, {source.path}, inputs);
  std::vector<ImageEntry> entries;
  CocoCategories categories;
  bool for_images = recipe && recipe->kind == "image";
  if (!info.directory && for_images && is_video(source.path))
    return open_video_file(source.open_video, source.path, *recipe, inputs);
  if (!info.directory) {
    if (path_extension(source.path) != ".json" || !for_images) {
      return Error(
          Code::kInvalid,
          source.path + (for_images ? ": expected a folder, .npz, .npy, .wav, .csv, a video or COCO .json"
                                    : ": without a recipe for images, expected .npz, .npy, .wav, .csv or a folder of "
                                      "them"));
    }
    OREE_TRY_ASSIGN(entries, coco_entries(files, source, *recipe, categories));
  } else {
    OREE_TRY_ASSIGN(auto arrays, files_in(files, source.path, is_array));
    OREE_TRY_ASSIGN(auto images, files_in(files, source.path, is_image));
    OREE_TRY_ASSIGN(auto signals, files_in(files, source.path, is_signal));
    if (!signals.empty() && arrays.empty() && images.empty()) return open_signals(files, signals, inputs);
    if (!arrays.empty() && images.empty()) return make_array_folder(files, std::move(arrays), inputs);
    if (!for_images)
      return Error(Code::kInvalid,
                   source.path + ": holds no .npz, .npy, .wav or .csv; images need a recipe (--recipe)");
    for (std::string& path : images) entries.push_back({std::move(path), std::nullopt, std::nullopt, 0});
    if (entries.empty()) {
      OREE_TRY_ASSIGN(entries, class_folders(files, source.path, recipe->labels));
    }
  }
  if (entries.empty()) return Error(Code::kInvalid, source.path + ": no image, .npz or .npy in it");
  OREE_TRY_ASSIGN(TensorInfo input, image_input(*recipe, inputs));
  return std::unique_ptr<Dataset>(
      std::make_unique<ImageDataset>(files, *recipe, std::move(input), std::move(entries), std::move(categories)));
}

std::vector<size_t> spread_indices(size_t size, size_t max) {
  size_t count = max == 0 ? size : std::min(size, max);
  std::vector<size_t> indices;
  for (size_t i = 0; i < count; ++i) indices.push_back(i * size / count);
  return indices;
}

}  // namespace oree
