// SPDX-License-Identifier: Apache-2.0
// What a layer's inputs say about rounding its weights, in memory that does not grow with samples: the mean of x x'
// over the columns x that the layer multiplies its weights with (patches of a convolution, rows of a matrix), and of x.
#pragma once

#include <vector>

#include "core/base/tensor.h"
#include "model/graph/graph.h"

namespace oree {

class GramMatrix {
 public:
  // Of a Conv (any spatial rank, grouped, dilated, padded by numbers or by auto_pad), a Gemm or a MatMul with constant
  // weights of rank 2. kUnsupported, saying why, for others, and when the layer has more than kRoundedInputsMax
  // (rounding.h) inputs a channel, or the groups' matrices together more elements than one of that size.
  // `patches_max`: columns taken of one sample, spread evenly over all places, jittered so that they do not fall into
  // step with rows of a picture.
  static Result<GramMatrix> for_layer(const Graph& graph, NodeId node, int64_t patches_max = 256);

  // The layer's first input, as it was for one sample (or batch): float32. kInvalid when its shape is not what the
  // layer takes, or an element is not finite. Sums run in the order of calls: equal calls give equal bits.
  Status add(const Tensor& input);

  // That it takes the same columns of an input as the other.
  bool like(const GramMatrix& other) const;

  int64_t groups() const { return groups_; }
  int64_t k() const { return k_; }              // inputs a channel: in Conv's order [input of the group][taps]
  int64_t columns() const { return columns_; }  // seen, of each group
  // [k][k], symmetric; zeros when nothing was seen. About the mean: the covariance, which leaves out what is off by the
  // same amount always, for a bias to mend.
  std::vector<float> matrix(int64_t group, bool about_mean = false) const;

 private:
  // Of one spatial axis.
  struct Axis {
    int64_t kernel = 1, stride = 1, dilation = 1, pad_begin = 0, pad_end = 0;
    bool operator==(const Axis&) const = default;
  };
  Status set_convolution(const Node& node, const Shape& weights);
  Result<std::vector<int64_t>> places_of(const Shape& shape) const;  // along each spatial axis
  std::vector<int64_t> taps_of(const Shape& shape, const std::vector<int64_t>& places, int64_t place) const;
  void fill(const float* channels, int64_t area, const std::vector<int64_t>& taps, float* row) const;
  void sum_up(int64_t group, const std::vector<float>& rows);

  bool convolution_ = false;
  std::vector<Axis> axes_;
  std::string auto_pad_;
  int64_t groups_ = 1, inputs_a_group_ = 0, k_ = 0;
  int64_t patches_max_ = 0, columns_ = 0;
  uint64_t taken_ = 0;          // places so far: the jitter goes on where it stopped
  std::vector<double> sums_;    // [group][k][k], upper triangles
  std::vector<double> firsts_;  // [group][k]
};

}  // namespace oree
