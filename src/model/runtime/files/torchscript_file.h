// SPDX-License-Identifier: Apache-2.0
// What a TorchScript file (torch.jit.save) holds besides its program: a zip archive, all members in one folder. Only
// its directory is read, and the note.
//
//   NAME/constants.pkl, NAME/data.pkl, NAME/data/0 …, NAME/code/… , NAME/extra/oree.json (the note)
//
// The program says neither types nor sizes of its inputs. The note does, where whoever saved the file gave it:
//   {"inputs": [{"name": "x", "dtype": "float32", "shape": [1, 3, 224, 224]}], "outputs": [{"name": "y"}]}
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/base/bytes.h"
#include "core/base/result.h"
#include "core/base/tensor.h"

namespace oree {

struct NotedPort {
  std::string name;  // "": the program's own
  std::optional<Dtype> dtype;
  std::optional<Shape> shape;  // -1: free
};

// By position; a side that is not noted is empty.
struct ModelNote {
  std::vector<NotedPort> inputs;
  std::vector<NotedPort> outputs;
};

struct TorchscriptFile {
  std::string folder;   // in which all members lie
  int64_t tensors = 0;  // members of data/ and constants/: storages, each one or more tensors
  int64_t tensor_bytes = 0;
  std::optional<ModelNote> note;
};

bool looks_like_torchscript(ByteView file);  // a zip archive with a program in it
// kInvalid names what is missing or broken. A checkpoint (torch.save) holds weights alone, and is told so.
Result<TorchscriptFile> read_torchscript(ByteView file);

bool looks_like_executorch(ByteView file);  // a flatbuffer with the identifier "ET" and two digits
Status check_executorch(ByteView file);     // that its root table lies within it

}  // namespace oree
