// SPDX-License-Identifier: Apache-2.0
// A video's frames as samples, through a recipe for images.
#include <fmt/format.h>

#include <set>

#include "model/eval/dataset_parts.h"

namespace oree {
namespace {

constexpr int64_t kFrameWaitMs = 30000;

class VideoDataset : public Dataset {
 public:
  VideoDataset(std::string path, OpenVideo open, Recipe recipe, TensorInfo input)
      : path_(std::move(path)), open_(std::move(open)), recipe_(std::move(recipe)), input_(std::move(input)) {}

  // A container's own count of frames is often wrong or missing, so they are decoded once to be counted.
  Status count() {
    for (;;) {
      Frame frame;
      OREE_TRY_ASSIGN(bool more, fetch(frame));
      if (!more) break;
      if (at_ > kDatasetSamplesMax)
        return Error(Code::kExhausted, fmt::format("{}: more than {} frames", path_, kDatasetSamplesMax));
    }
    count_ = at_;
    source_.reset();
    return count_ > 0 ? Status() : Error(Code::kInvalid, path_ + ": holds no frame");
  }

  size_t size() const override { return count_; }
  bool has_labels() const override { return false; }
  bool has_boxes() const override { return false; }

  // Decodes forwards, and from the start again when an earlier frame is wanted.
  Result<Sample> read(size_t index) override {
    OREE_ASSERT(index < count_);
    std::string name = fmt::format("{}[{}]", path_, index);
    if (index < at_) source_.reset();
    Frame frame;
    do {
      auto more = fetch(frame);
      if (!more.ok()) return more.error().within(name);
      if (!*more) return Error(Code::kInvalid, fmt::format("{}: the video ended at frame {}", name, at_));
    } while (at_ <= index);
    return image_sample(name, frame.view, recipe_, input_);
  }

 private:
  // The next frame, which is the at_-th when this returns true. False: the end.
  Result<bool> fetch(Frame& frame) {
    if (source_ == nullptr) {
      OREE_TRY_ASSIGN(source_, open_(path_));
      at_ = 0;
    }
    auto fetched = source_->next(frame, kFrameWaitMs);
    if (!fetched.ok() || *fetched != Fetch::kFrame) {
      if (fetched.ok() && *fetched == Fetch::kEnd) return false;
      source_.reset();  // it may have lost its place
      if (!fetched.ok()) return fetched.error();
      return Error(Code::kUnavailable, fmt::format("{}: no frame for {} s", path_, kFrameWaitMs / 1000));
    }
    ++at_;
    return true;
  }

  std::string path_;
  OpenVideo open_;
  Recipe recipe_;
  TensorInfo input_;
  std::unique_ptr<FrameSource> source_;
  size_t at_ = 0;  // frames that source_ gave
  size_t count_ = 0;
};

}  // namespace

bool is_video(const std::string& path) {
  static const std::set<std::string> kExtensions{".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg"};
  return kExtensions.contains(path_extension(path));
}

Result<std::unique_ptr<Dataset>> open_video_file(const OpenVideo& open, const std::string& path, const Recipe& recipe,
                                                 const std::vector<TensorInfo>& inputs) {
  if (!open) return Error(Code::kUnsupported, path + ": videos are not read here; expected a folder of images");
  OREE_TRY_ASSIGN(TensorInfo input, image_input(recipe, inputs));
  auto dataset = std::make_unique<VideoDataset>(path, open, recipe, std::move(input));
  OREE_TRY(dataset->count());
  return std::unique_ptr<Dataset>(std::move(dataset));
}

}  // namespace oree
