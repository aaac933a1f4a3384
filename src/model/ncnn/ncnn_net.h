// SPDX-License-Identifier: Apache-2.0
// An ncnn model in the making: layers, the blobs between them, and their weights. Internal to model/ncnn.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "model/graph/constant.h"
#include "model/ncnn/ncnn_file.h"
#include "model/ncnn/ncnn_graph.h"

namespace oree {

using NcnnBlob = int32_t;

// The text of a layer's parameters. What is whole is written without a point, what is real with one: by that ncnn tells
// them apart.
class NcnnParams {
 public:
  NcnnParams& set(int id, int64_t value);
  NcnnParams& set(int id, int value) { return set(id, static_cast<int64_t>(value)); }
  NcnnParams& set(int id, float value);  // infinities become the largest numbers
  NcnnParams& set(int id, std::span<const int64_t> values);
  NcnnParams& set(int id, std::span<const float> values);
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

struct NcnnWeights {
  Constant values;      // float32; or float16, which only tagged ones can be
  bool tagged = false;  // led by four bytes that say how they are stored: what ncnn reads as "type 0"
};

// One that reads its weights in the order of the list.
struct NcnnOutLayer {
  std::string type, name;
  std::vector<NcnnBlob> bottoms, tops;
  NcnnParams params;
  std::vector<NcnnWeights> weights;
};

class NcnnNet {
 public:
  NcnnBlob add_blob(std::string_view name, Shape mat);
  void add_layer(NcnnOutLayer layer) { layers_.push_back(std::move(layer)); }
  // The usual case: one top, of that shape.
  NcnnBlob add(std::string_view type, std::string_view name, std::vector<NcnnBlob> bottoms, Shape mat,
               NcnnParams params = {}, std::vector<NcnnWeights> weights = {});
  const Shape& mat(NcnnBlob blob) const { return blobs_[static_cast<size_t>(blob)].mat; }
  NcnnBlob reshaped(NcnnBlob blob, const Shape& mat);  // itself when it has that shape

  NcnnBlob add_input(std::string name, Shape shape);
  void add_output(NcnnBlob blob, std::string name, Shape shape);
  // Every blob with several takers gets a Split layer, and each output a blob that nothing else takes; then the two
  // files. Called once, at the end.
  Status write(const NcnnSinks& sinks);

 private:
  struct Blob {
    std::string name;
    Shape mat;
  };
  struct Port {
    NcnnBlob blob;
    std::string name;
    Shape shape;
  };
  void share_blobs();
  std::string text() const;

  std::vector<Blob> blobs_;
  std::vector<NcnnOutLayer> layers_;
  std::vector<Port> inputs_, outputs_;
  std::map<std::string, int> names_;
};

NcnnParams ncnn_mat_params(const Shape& mat);  // of Input, Reshape and MemoryData: width, height, depth, channels
Status write_ncnn_weights(const NcnnWeights& weights, const std::function<Status(ByteView)>& sink);

}  // namespace oree
