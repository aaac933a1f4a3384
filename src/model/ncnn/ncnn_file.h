// SPDX-License-Identifier: Apache-2.0
// An ncnn model as it lies: a text of layers (NAME.param) beside a file of weights (NAME.bin). ncnn's own reader trusts
// both, so this one is asked first. Source of the format: ncnn's wiki, "param and model file structure".
//
//   7767517
//   LAYERS BLOBS
//   TYPE NAME BOTTOMS TOPS bottom... top... ID=VALUE ID=VALUE ...      as often as LAYERS says; an id of -23300-N holds
//                                                                      a list: its length, then its values
//
// ncnn reads no further than that. Files of ours have one line more, a note: what ncnn's text has no place for, the
// names, shapes and types of the model that it was made of.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/bytes.h"
#include "core/base/tensor.h"

namespace oree {

inline constexpr std::string_view kNcnnMagic = "7767517";
inline constexpr size_t kNcnnParamBytesMax = 64u << 20;
inline constexpr int64_t kNcnnLayersMax = 1 << 20;  // and blobs, and blobs of one layer
inline constexpr int64_t kNcnnListMax = 1 << 16;    // elements of one list
inline constexpr int64_t kNcnnMatRankMax = 4;       // of what flows between layers

struct NcnnValue {
  std::vector<double> numbers;  // one, or as many as the list has
  std::string text;             // when it is no number
  bool list = false;
};

struct NcnnLayer {
  std::string type;  // "Convolution"
  std::string name;
  std::vector<std::string> bottoms, tops;  // blobs that it takes and makes
  std::map<int, NcnnValue> params;
  // A parameter that is one whole number, else `otherwise`.
  int64_t integer(int id, int64_t otherwise) const;
};

// An input or output in the model's own terms.
struct NcnnPort {
  std::string blob;
  std::string name;
  Shape shape;  // of float32
};
struct NcnnNote {
  std::vector<NcnnPort> inputs, outputs;
};

struct NcnnFile {
  std::vector<NcnnLayer> layers;
  std::vector<std::string> inputs, outputs;  // blobs: tops of Input layers, and what no layer takes
  std::optional<NcnnNote> note;              // files of ours
};

// kInvalid on anything malformed, on blobs that nothing makes or two layers make, and on parameters with which ncnn
// would divide by zero or read more than the `weights_size` bytes of the .bin file (-1: there is none).
Result<NcnnFile> read_ncnn(ByteView param, int64_t weights_size);

// The last line of a file of ours.
std::string ncnn_note_line(const NcnnNote& note);

std::string ncnn_weights_path(const std::string& param_path);  // "a/b.ncnn.param" -> "a/b.ncnn.bin"
int64_t ncnn_weights_size(const std::string& param_path);      // -1 when absent

bool looks_like_ncnn(ByteView file);

// A shape as ncnn holds it: without the leading 1 that stands for one item of a batch. A scalar has one element.
Shape ncnn_mat(const Shape& shape);

}  // namespace oree
