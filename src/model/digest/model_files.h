// SPDX-License-Identifier: Apache-2.0
// The files that make up a model. Called by whatever copies a model, sends it, or asks whether it is still the same.
#pragma once

#include <string>
#include <vector>

#include "core/digest/fingerprint.h"

namespace oree {

// The model's file and those that it refers to (an OpenVINO IR's weights, ONNX external data), each with its path
// beside the model: {"m.xml", "dir/m.xml"}, {"m.bin", "dir/m.bin"}. kInvalid when one lies outside of the model's
// folder.
struct ModelFile {
  std::string name, file;
};
Result<std::vector<ModelFile>> model_files(const std::string& model);

Status add_model(Fingerprint& print, const std::string& model);  // by the content of all its files

// What is the same for copies of a model under other names, as long as it has one file alone.
Result<std::string> model_digest(Files& files, const std::string& model);
Result<int64_t> model_bytes(Files& files, const std::string& model);  // of all its files

}  // namespace oree
