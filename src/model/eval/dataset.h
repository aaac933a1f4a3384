// SPDX-License-Identifier: Apache-2.0
// Dataset: samples for evaluation and tuning, read one at a time. A sample that cannot be used (unreadable, wrong
// shape, NaN) is an Error of that sample, which the caller names and counts.
//
// What a path may be:
//   folder of images                      with a recipe of kind image; unlabelled
//   folder of one folder a class          with a classifier's recipe; labelled by the folders' names
//   COCO annotations (.json)              with a detector's recipe; images beside it, or in `images`
//   video (.mp4, .mkv, .avi …)            with a recipe of kind image; its frames. It is decoded once to count them,
//   and
//                                         forwards from the start again when an earlier frame is asked for
//   .npz with `inputs` and `labels`       first axis counts samples; `inputs` goes to the model's only input
//   .npz keyed by the model's input names one sample, or a leading axis that counts them
//   .npy                                  the same for a model of one input
//   folder of .npz or .npy                one sample a file
//   .wav, or a folder of them             windows of the model's only input, of float32: a file is cut into successive
//                                         ones of its element count, and a rest that does not fill one is left out.
//                                         Channels are mixed to their mean; samples are -1..1 (floats as they are); the
//                                         sample rate is the file's and must be what the model was made for
//   .csv, or a folder of them             the same with rows as time steps: as many columns as the input's last axis,
//   or
//                                         one; separated by tab, ; or , and with a header or without
// A file of a folder that cannot be used is a bad sample. In memory is one sample, not the files: rows of an array are
// read when they are asked for (but arrays in Fortran's order as a whole). An array is for the model as it is; images
// go through the recipe. So do bytes in an .npz that do not fit the model as they are, when the recipe is of kind
// image: N x height x width, or with a last axis of 1 (grey) or 3 (RGB).
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/io/files.h"
#include "model/eval/metrics.h"
#include "model/recipe/frame_source.h"
#include "model/recipe/recipe.h"
#include "model/runtime/backend.h"

namespace oree {

struct Sample {
  std::string name;                             // file, or "file[7]"
  NamedTensors inputs;                          // as Session::run takes them
  Placement placement;                          // of an image; else as it is made
  std::optional<int> label;                     // classifier
  std::optional<std::vector<TruthBox>> truths;  // detector
  int64_t image_id = 0;                         // of a COCO image
};

// Class index -> COCO's category id, and the categories that are none of the model's classes.
struct CocoCategories {
  std::map<int, int64_t> ids;
  std::vector<std::string> unknown;
};

// For one thread at a time.
class Dataset {
 public:
  virtual ~Dataset() = default;
  virtual size_t size() const = 0;
  virtual Result<Sample> read(size_t index) = 0;     // kInvalid for a bad sample, with its name
  virtual bool has_labels() const = 0;               // classifier labels
  virtual bool has_boxes() const = 0;                // detector truths
  virtual const CocoCategories& categories() const;  // of boxes; else empty
};

struct DatasetSource {
  std::string path;
  std::string images;         // COCO: folder of the images; "" = beside the annotations
  OpenVideo open_video = {};  // none: videos are refused
};

// `inputs` are the session's. kInvalid when path and recipe do not go together or nothing usable is in it, kNotFound.
Result<std::unique_ptr<Dataset>> open_dataset(Files& files, const DatasetSource& source,
                                              const std::optional<Recipe>& recipe,
                                              const std::vector<TensorInfo>& inputs);

// `count` seeded noise samples for a model that no data came with: marked by their names, "noise 0".
std::unique_ptr<Dataset> noise_dataset(const std::vector<TensorInfo>& inputs, size_t count, uint64_t seed);

// Indices of up to `max` samples, spread evenly over `size` (a video's frames are alike near each other). max 0: all.
std::vector<size_t> spread_indices(size_t size, size_t max);

// kInvalid, with the index of the first one, when a float tensor holds NaN or infinity.
Status check_finite(const Tensor& tensor, const std::string& name);

// COCO's annotation file, bounded. Class index: the category's name among `labels`; without labels, its rank by id.
// Images by rising id, as COCO's evaluator takes them: among equal scores the order counts. Boxes of categories that
// are none of the labels are left out: they are not the model's to find.
struct CocoImage {
  int64_t id = 0;
  std::string file_name;
  std::vector<TruthBox> truths;
};
struct CocoAnnotations {
  std::vector<CocoImage> images;
  CocoCategories categories;
};
Result<CocoAnnotations> parse_coco(std::string_view json, const std::vector<std::string>& labels);
// COCO's results, of one image, as the members of a JSON array: "{…},{…}". A label without a category is left out.
std::string coco_results(int64_t image_id, std::span<const Detection> detections, const CocoCategories& categories);
inline constexpr size_t kDatasetSamplesMax = 1 << 20;

}  // namespace oree
