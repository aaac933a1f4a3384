// SPDX-License-Identifier: Apache-2.0
// What the files of dataset_*.cc share; for no one else.
#pragma once

#include "model/eval/dataset.h"

namespace oree {

// One .npz or .npy, whose arrays are one sample or many.
Result<std::unique_ptr<Dataset>> open_array_file(Files& files, const std::string& path,
                                                 const std::vector<TensorInfo>& infos);
std::unique_ptr<Dataset> make_array_folder(Files& files, std::vector<std::string> paths,
                                           const std::vector<TensorInfo>& infos);

}  // namespace oree
