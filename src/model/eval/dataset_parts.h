// SPDX-License-Identifier: Apache-2.0
// What the files of dataset_*.cc share; for no one else.
#pragma once

#include "core/codec/npy_file.h"
#include "model/eval/dataset.h"

namespace oree {

// One .npz or .npy, whose arrays are one sample or many; with a recipe for images also pictures in one array. Where the
// model's first dimensions are free, they count samples, but for a file of a folder, which is one.
Result<std::unique_ptr<Dataset>> open_array_file(Files& files, const std::string& path,
                                                 const std::optional<Recipe>& recipe,
                                                 const std::vector<TensorInfo>& infos, bool of_folder = false);
std::unique_ptr<Dataset> make_array_folder(Files& files, std::vector<std::string> paths,
                                           const std::vector<TensorInfo>& infos);

// Files of sound or of numbers, .wav or .csv, for the model's only input.
bool is_signal(const std::string& path);
Result<std::unique_ptr<Dataset>> open_signals(Files& files, const std::vector<std::string>& paths,
                                              const std::vector<TensorInfo>& inputs);

// The shape that the recipe fills, checked against the model's only input.
Result<TensorInfo> image_input(const Recipe& recipe, const std::vector<TensorInfo>& inputs);
// A picture as the model takes it.
Result<Sample> image_sample(const std::string& name, const ImageView& image, const Recipe& recipe,
                            const TensorInfo& input);
Result<Sample> image_sample(const std::string& name, const YuvView& frame, const Recipe& recipe,
                            const TensorInfo& input);

bool is_video(const std::string& path);
Result<std::unique_ptr<Dataset>> open_video_file(const OpenVideo& open, const std::string& path, const Recipe& recipe,
                                                 const std::vector<TensorInfo>& inputs);

// Bytes that may be pictures, N x H x W or N x H x W x 1 or 3; their labels as many or none.
bool holds_pictures(const ArrayFile::Array& array);
Result<std::unique_ptr<Dataset>> picture_array(const std::string& path, std::unique_ptr<ArrayFile> file, size_t array,
                                               std::vector<int> labels, const Recipe& recipe,
                                               const std::vector<TensorInfo>& inputs);

}  // namespace oree
