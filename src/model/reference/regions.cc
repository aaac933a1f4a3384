// SPDX-License-Identifier: Apache-2.0
// Boxes in images: which of them to keep (NonMaxSuppression), and what is in them (RoiAlign, MaxRoiPool). Coordinates
// are computed in float, as engines do: which element a box begins at hangs on it.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "model/reference/access.h"
#include "model/reference/kernel_tables.h"

namespace oree {
namespace {

struct Box {
  float y_min, x_min, y_max, x_max;
  float area() const { return (y_max - y_min) * (x_max - x_min); }
};

// [y1, x1, y2, x2], any two opposite corners; or [x_centre, y_centre, width, height].
Box box_of(const float* b, bool centred) {
  if (centred) return {b[1] - b[3] / 2, b[0] - b[2] / 2, b[1] + b[3] / 2, b[0] + b[2] / 2};
  return {std::min(b[0], b[2]), std::min(b[1], b[3]), std::max(b[0], b[2]), std::max(b[1], b[3])};
}

bool overlap(const Box& a, const Box& b, float threshold) {
  const float height = std::min(a.y_max, b.y_max) - std::max(a.y_min, b.y_min);
  const float width = std::min(a.x_max, b.x_max) - std::max(a.x_min, b.x_min);
  if (!(height > 0) || !(width > 0)) return false;
  const float both = height * width, either = a.area() + b.area() - both;
  if (!(a.area() > 0) || !(b.area() > 0) || !(either > 0)) return false;
  return both / either > threshold;
}

// The indices of the boxes that stay, the best first; of equally good ones the first.
std::vector<int64_t> keep_best(const std::vector<Box>& boxes, const float* scores, int64_t most, float threshold,
                               std::optional<float> score_min) {
  std::vector<int64_t> order, kept;
  for (int64_t i = 0; i < static_cast<int64_t>(boxes.size()); ++i) {
    if (!score_min || scores[i] > *score_min) order.push_back(i);
  }
  auto rank = [&](int64_t i) { return std::isnan(scores[i]) ? -std::numeric_limits<float>::infinity() : scores[i]; };
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return rank(a) > rank(b); });
  for (int64_t i : order) {
    if (static_cast<int64_t>(kept.size()) >= most) break;
    const Box& box = boxes[static_cast<size_t>(i)];
    bool covered =
        std::ranges::any_of(kept, [&](int64_t k) { return overlap(box, boxes[static_cast<size_t>(k)], threshold); });
    if (!covered) kept.push_back(i);
  }
  return kept;
}

Result<std::optional<float>> one_real(const KernelCall& call, size_t input) {
  const Tensor* t = call.in(input);
  if (!t || t->elements() == 0) return std::optional<float>();
  if (t->elements() != 1) return call.invalid(fmt::format("input {} must be one number", input));
  return std::optional(static_cast<float>(t->to_doubles()[0]));
}

// boxes [batch, boxes, 4], scores [batch, classes, boxes] -> [kept, (batch, class, box)]
Status run_non_max_suppression(KernelCall& call) {
  const Shape &b = call.need(0).shape(), &s = call.need(1).shape();
  if (b.size() != 3 || s.size() != 3 || b[2] != 4 || b[0] != s[0] || b[1] != s[2])
    return call.invalid(fmt::format("boxes of shape {} with scores of {}", shape_text(b), shape_text(s)));
  int64_t most = 0;
  if (call.in(2) && call.need(2).elements() > 0) {
    OREE_TRY_ASSIGN(most, one_int(call, 2));
    most = std::clamp<int64_t>(most, 0, b[1]);
  }
  OREE_TRY_ASSIGN(std::optional<float> threshold, one_real(call, 3));
  OREE_TRY_ASSIGN(std::optional<float> score_min, one_real(call, 4));
  const double candidates = static_cast<double>(call.need(1).elements());
  OREE_TRY(call.affordable(candidates * (64 + static_cast<double>(most))));
  OREE_TRY(call.fits(Dtype::kInt64, {s[0] * s[1], most, 3}));
  const bool centred = call.node.integer("center_point_box", 0) != 0;
  Elements<float> boxes(call.need(0)), scores(call.need(1));
  std::vector<int64_t> out;
  for (int64_t n = 0; most > 0 && n < s[0]; ++n) {
    std::vector<Box> of_image;
    for (int64_t i = 0; i < b[1]; ++i) of_image.push_back(box_of(boxes.data() + (n * b[1] + i) * 4, centred));
    for (int64_t c = 0; c < s[1]; ++c) {
      const float* of_class = scores.data() + (n * s[1] + c) * s[2];
      for (int64_t i : keep_best(of_image, of_class, most, threshold.value_or(0), score_min))
        out.insert(out.end(), {n, c, i});
    }
  }
  OREE_TRY_ASSIGN(Tensor kept, new_tensor(call, Dtype::kInt64, {static_cast<int64_t>(out.size()) / 3, 3}));
  narrow<int64_t>(out, kept);
  call.set(0, std::move(kept));
  return {};
}

// --- what is in a box

struct Pooling {
  int64_t channels = 0, height = 0, width = 0;  // of the image
  Shape out;                                    // [boxes, channels, rows, columns]
  int64_t plane() const { return height * width; }
};

// Of a box, and the image of the batch that it lies in.
Result<int64_t> batch_of(const KernelCall& call, double index) {
  if (!(index >= 0) || !(index < static_cast<double>(call.need(0).shape()[0])))
    return call.invalid(fmt::format("a box in image {} of {}", index, call.need(0).shape()[0]));
  return static_cast<int64_t>(index);
}

Result<Pooling> pooling_of(const KernelCall& call, size_t columns, int64_t rows_out, int64_t columns_out) {
  const Tensor &x = call.need(0), &boxes = call.need(1);
  if (!dtype_is_float(x.dtype()) || x.shape().size() != 4 || boxes.shape().size() != 2 ||
      boxes.shape()[1] != static_cast<int64_t>(columns) || rows_out < 1 || columns_out < 1) {
    return call.invalid(fmt::format("boxes of shape {} in {}", shape_text(boxes.shape()), shape_text(x.shape())));
  }
  Pooling p{x.shape()[1], x.shape()[2], x.shape()[3], {boxes.shape()[0], x.shape()[1], rows_out, columns_out}};
  OREE_TRY(call.fits(x.dtype(), p.out));
  if (p.plane() == 0 && boxes.shape()[0] > 0) return call.invalid("the images are empty");
  return p;
}

struct Corner {
  int64_t at = 0;
  float weight = 0;
};

// The four elements around a place, none when it lies outside.
std::array<Corner, 4> corners(float y, float x, const Pooling& p) {
  if (!(y >= -1 && y <= static_cast<float>(p.height) && x >= -1 && x <= static_cast<float>(p.width))) return {};
  auto split = [](float v, int64_t size, int64_t& low, int64_t& high) {
    v = std::max(v, 0.0f);
    low = static_cast<int64_t>(v);
    high = low + 1;
    if (high < size) return v - static_cast<float>(low);
    low = high = size - 1;
    return 0.0f;
  };
  int64_t top, bottom, left, right;
  const float down = split(y, p.height, top, bottom), along = split(x, p.width, left, right);
  return {Corner{top * p.width + left, (1 - down) * (1 - along)}, Corner{top * p.width + right, (1 - down) * along},
          Corner{bottom * p.width + left, down * (1 - along)}, Corner{bottom * p.width + right, down * along}};
}

// Along one axis of a box: where it begins, how long a part of the result is, and how many samples that takes.
struct Side {
  float begin = 0, step = 0;
  int64_t samples = 0;
  float at(int64_t part, int64_t sample) const {
    return begin + static_cast<float>(part) * step +
           (static_cast<float>(sample) + 0.5f) * step / static_cast<float>(samples);
  }
};

Result<Side> side_of(const KernelCall& call, float begin, float end, int64_t parts, bool half_pixel) {
  const float scale = call.node.real("spatial_scale", 1), offset = half_pixel ? 0.5f : 0.0f;
  Side s;
  s.begin = begin * scale - offset;
  float size = end * scale - offset - s.begin;
  if (!half_pixel) size = std::max(size, 1.0f);
  s.step = size / static_cast<float>(parts);
  s.samples = call.node.integer("sampling_ratio", 0);
  if (s.samples <= 0) {
    if (!(std::abs(s.step) < 0x1p31f)) return call.invalid(fmt::format("a box from {} to {}", begin, end));
    s.samples = std::max<int64_t>(static_cast<int64_t>(std::ceil(s.step)), 0);
  }
  return s;
}

// One element of the result, of one channel.
template <typename T>
double pooled(const std::vector<std::array<Corner, 4>>& samples, const T* image, bool largest) {
  double sum = 0;
  for (size_t i = 0; i < samples.size(); ++i) {
    double value = 0;
    for (size_t k = 0; k < 4; ++k) {
      double part = static_cast<double>(samples[i][k].weight) * static_cast<double>(image[samples[i][k].at]);
      // The largest of the weighted corners, not of their sum: so the operator's reference has it.
      value = largest ? (k == 0 ? part : std::max(value, part)) : value + part;
    }
    sum = largest ? (i == 0 ? value : std::max(sum, value)) : sum + value;
  }
  return largest ? sum : sum / static_cast<double>(std::max<size_t>(samples.size(), 1));
}

template <typename T>
Status roi_align(KernelCall& call, const Pooling& p) {
  const bool half_pixel = call.node.text("coordinate_transformation_mode", "half_pixel") == "half_pixel";
  const bool largest = call.node.text("mode", "avg") == "max";
  Elements<T> x(call.need(0));
  Elements<float> boxes(call.need(1));
  Elements<int64_t> images(call.need(2));
  if (images.size() != p.out[0]) return call.invalid(fmt::format("{} indices for {} boxes", images.size(), p.out[0]));
  OREE_TRY_ASSIGN(NewElements<T> out, new_elements<T>(call, call.need(0).dtype(), p.out));
  std::vector<std::array<Corner, 4>> samples;
  for (int64_t n = 0; n < p.out[0]; ++n) {
    const float* box = boxes.data() + n * 4;
    OREE_TRY_ASSIGN(int64_t image, batch_of(call, static_cast<double>(images[n])));
    OREE_TRY_ASSIGN(Side down, side_of(call, box[1], box[3], p.out[2], half_pixel));
    OREE_TRY_ASSIGN(Side along, side_of(call, box[0], box[2], p.out[3], half_pixel));
    const double in_part = static_cast<double>(down.samples) * static_cast<double>(along.samples);
    OREE_TRY(call.fits(Dtype::kFloat64, {down.samples, along.samples, 8}));  // four corners each
    OREE_TRY(call.affordable(in_part * static_cast<double>(p.out[2] * p.out[3]) * static_cast<double>(p.channels + 1)));
    for (int64_t part = 0; part < p.out[2] * p.out[3]; ++part) {
      samples.clear();
      for (int64_t i = 0; i < down.samples; ++i) {
        for (int64_t j = 0; j < along.samples; ++j)
          samples.push_back(corners(down.at(part / p.out[3], i), along.at(part % p.out[3], j), p));
      }
      for (int64_t c = 0; c < p.channels; ++c) {
        out[(n * p.channels + c) * p.out[2] * p.out[3] + part] =
            static_cast<T>(pooled<T>(samples, x.data() + (image * p.channels + c) * p.plane(), largest));
      }
    }
  }
  call.set(0, std::move(out).take());
  return {};
}

Status run_roi_align(KernelCall& call) {
  OREE_TRY_ASSIGN(Pooling p,
                  pooling_of(call, 4, call.node.integer("output_height", 1), call.node.integer("output_width", 1)));
  return with_real(call.need(0).dtype(), [&](auto zero) { return roi_align<decltype(zero)>(call, p); });
}

// Elements [first, second) of an axis that one part of a box covers.
std::pair<int64_t, int64_t> covered(int64_t part, int64_t parts, int64_t begin, int64_t end, int64_t size) {
  const float step = static_cast<float>(std::max<int64_t>(end - begin + 1, 1)) / static_cast<float>(parts);
  auto place = [&](float v) { return std::clamp<int64_t>(static_cast<int64_t>(v) + begin, 0, size); };
  return {place(std::floor(static_cast<float>(part) * step)), place(std::ceil(static_cast<float>(part + 1) * step))};
}

template <typename T>
Status max_roi_pool(KernelCall& call, const Pooling& p) {
  Elements<T> x(call.need(0));
  Elements<float> boxes(call.need(1));
  OREE_TRY_ASSIGN(NewElements<T> out, new_elements<T>(call, call.need(0).dtype(), p.out));
  const float scale = call.node.real("spatial_scale", 1);
  OREE_TRY(call.affordable(static_cast<double>(out.size()) * static_cast<double>(p.plane())));
  for (int64_t n = 0; n < p.out[0]; ++n) {
    const float* box = boxes.data() + n * 5;  // image, x1, y1, x2, y2
    OREE_TRY_ASSIGN(int64_t image, batch_of(call, static_cast<double>(box[0])));
    int64_t side[4];
    for (size_t i = 0; i < 4; ++i) {
      float v = std::round(box[i + 1] * scale);
      if (!(std::abs(v) < 0x1p31f)) return call.invalid(fmt::format("a box at {}", box[i + 1]));
      side[i] = static_cast<int64_t>(v);
    }
    for (int64_t part = 0; part < p.out[2] * p.out[3]; ++part) {
      auto [top, bottom] = covered(part / p.out[3], p.out[2], side[1], side[3], p.height);
      auto [left, right] = covered(part % p.out[3], p.out[3], side[0], side[2], p.width);
      for (int64_t c = 0; c < p.channels; ++c) {
        const T* plane = x.data() + (image * p.channels + c) * p.plane();
        T& largest = out[(n * p.channels + c) * p.out[2] * p.out[3] + part];
        if (top < bottom && left < right) largest = plane[top * p.width + left];
        for (int64_t i = top; i < bottom; ++i) {
          for (int64_t j = left; j < right; ++j) largest = std::max(largest, plane[i * p.width + j]);
        }
      }
    }
  }
  call.set(0, std::move(out).take());
  return {};
}

Status run_max_roi_pool(KernelCall& call) {
  std::vector<int64_t> shape = call.node.integers("pooled_shape");
  if (shape.size() != 2) return call.invalid("pooled_shape must be two numbers");
  OREE_TRY_ASSIGN(Pooling p, pooling_of(call, 5, shape[0], shape[1]));
  return with_real(call.need(0).dtype(), [&](auto zero) { return max_roi_pool<decltype(zero)>(call, p); });
}

constexpr KernelEntry kTable[] = {
    {"MaxRoiPool", run_max_roi_pool, 2},
    {"NonMaxSuppression", run_non_max_suppression, 2},
    {"RoiAlign", run_roi_align, 3},
};

}  // namespace

const std::span<const KernelEntry> kRegionKernels = kTable;

}  // namespace oree
