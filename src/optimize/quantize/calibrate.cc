// SPDX-License-Identifier: Apache-2.0
#include "optimize/quantize/calibrate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <mutex>
#include <optional>

#include "core/base/parallel.h"
#include "optimize/quantize/turns.h"

namespace oree {
namespace {

constexpr double kMovingAverageShare = 0.01;  // of a new sample, as TensorFlow's and PyTorch's observers take it

// What one sample says of a value besides its histogram.
struct Seen {
  Range range;
  std::vector<double> channels;  // sums
  std::vector<double> sizes;     // largest absolute values
  int64_t channel_elements = 0;
};

double sum_of(const float* x, int64_t count) {
  constexpr int kLanes = 8;
  float lanes[kLanes] = {};
  double sum = 0;
  int64_t i = 0;
  while (i + kLanes <= count) {
    // Floats lose digits in long sums: they are emptied into a double now and then.
    int64_t end = std::min(i + int64_t{512}, count - kLanes + 1);
    for (; i < end; i += kLanes) {
      for (int k = 0; k < kLanes; ++k) lanes[k] += x[i + k];
    }
    for (float& lane : lanes) {
      sum += static_cast<double>(lane);
      lane = 0;
    }
  }
  for (; i < count; ++i) sum += static_cast<double>(x[i]);
  return sum;
}

// The last axis is that of the channels.
void sum_rows(std::span<const float> x, Seen& seen) {
  const size_t channels = seen.channels.size();
  for (size_t at = 0; at < x.size(); at += channels) {
    for (size_t c = 0; c < channels; ++c) {
      seen.channels[c] += static_cast<double>(x[at + c]);
      seen.sizes[c] = std::max(seen.sizes[c], static_cast<double>(std::abs(x[at + c])));
    }
  }
}

// Also the ends of all: channel by channel, while its values are in the cache.
Histogram::Ends sum_channels(const Tensor& tensor, size_t axis, Seen& seen) {
  const Shape& shape = tensor.shape();
  const std::span<const float> x = tensor.as<float>();
  if (axis >= shape.size()) return Histogram::ends_of(x);
  int64_t outer = 1, inner = 1;
  for (size_t i = 0; i < axis; ++i) outer *= shape[i];
  for (size_t i = axis + 1; i < shape.size(); ++i) inner *= shape[i];
  seen.channels.assign(static_cast<size_t>(shape[axis]), 0);
  seen.sizes.assign(static_cast<size_t>(shape[axis]), 0);
  seen.channel_elements = outer * inner;
  if (inner == 1) {
    sum_rows(x, seen);
    return Histogram::ends_of(x);
  }
  Histogram::Ends all;
  const auto size = static_cast<size_t>(inner);
  for (size_t at = 0, c = 0; at < x.size(); at += size, c = (c + 1) % seen.channels.size()) {
    const std::span<const float> channel = x.subspan(at, size);
    const Histogram::Ends ends = Histogram::ends_of(channel);
    all = at == 0 ? ends : all.joined(ends);
    seen.channels[c] += sum_of(channel.data(), inner);
    seen.sizes[c] = std::max(seen.sizes[c], static_cast<double>(std::max(-ends.low, ends.high)));
  }
  return all;
}

class Calibrator {
 public:
  Calibrator(const Graph& graph, const std::vector<ValueId>& values, const std::vector<ValueId>& wanted,
             const std::map<ValueId, int>& by_channel, Dataset& data, const std::vector<size_t>& indices,
             const CalibrationOptions& options)
      : graph_(graph), values_(values), indices_(indices), options_(options), feed_(data, indices, options.skip_bad) {
    for (ValueId v : values) {
      auto axis = by_channel.find(v);
      channel_axes_.push_back(axis == by_channel.end() ? -1 : axis->second);
      counted_.push_back(std::ranges::find(wanted, v) != wanted.end());
    }
    sums_.resize(values.size());
    sizes_.resize(values.size());
    elements_.resize(values.size());
    averages_.resize(values.size());
  }

  // `shown`: the places, in the probe, of what is watched beside.
  Result<Calibration> run(const Probe& probe, const std::map<size_t, size_t>& shown) {
    beside_of_ = shown;
    auto workers = static_cast<size_t>(std::clamp<int64_t>(options_.threads, 1, static_cast<int64_t>(indices_.size())));
    std::vector<std::vector<Histogram>> histograms(workers, std::vector<Histogram>(values_.size()));
    OREE_TRY(each_in_parallel(workers, options_.threads, [&](size_t w) {
      work(probe, histograms[w]);
      return Status();
    }));
    OREE_TRY(shows_.verdict());
    OREE_TRY(feed_.verdict());
    Calibration out;
    out.samples = feed_.given();
    out.bad = feed_.bad();
    out.engine = probe.engine();
    for (size_t i = 0; i < values_.size(); ++i) {
      if (counted_[i]) {
        TensorStatistics& s = out.statistics[values_[i]];
        for (std::vector<Histogram>& h : histograms) s.histogram.merge(h[i]);
        s.average = averages_[i];
        s.samples = feed_.given();
      }
      if (channel_axes_[i] < 0) continue;
      for (double& sum : sums_[i]) sum /= std::max(1.0, elements_[i]);
      out.channel_means.emplace(values_[i], std::move(sums_[i]));
      out.channel_sizes.emplace(values_[i], std::move(sizes_[i]));
    }
    return out;
  }

 private:
  // One thread: takes the next sample, runs it, counts, and leaves what depends on the order.
  void work(const Probe& probe, std::vector<Histogram>& histograms) {
    Result<Probe::Run> run = probe.start(1, false);
    if (!run.ok()) return shows_.fail(run.error(), 0);
    for (;;) {
      if (shows_.failed()) return;
      const std::optional<FedSample> fed = feed_.next();
      if (!fed) return;
      const std::optional<size_t> kept = place_beside(fed->index);
      std::vector<Seen> seen(values_.size());
      bool stopped = false;
      Status ran = run->run(fed->sample.inputs, [&](size_t i, const Tensor& t) -> Status {
        if (i < values_.size()) OREE_TRY(look(i, t, seen[i], histograms[i], fed->turn));
        return kept ? show(*kept, i, t, stopped) : Status();
      });
      if (stopped) return;
      if (!ran.ok()) return shows_.fail(ran.error().within(fed->sample.name), fed->turn);
      if (kept) shows_.end();
      leave(fed->turn, std::move(seen));
    }
  }

  Status look(size_t i, const Tensor& tensor, Seen& seen, Histogram& histogram, size_t turn) {
    if (tensor.dtype() != Dtype::kFloat32) return Error(Code::kInvalid, fmt::format("'{}' is not float32", name(i)));
    std::span<const float> x = tensor.as<float>();
    const int axis = channel_axes_[i];
    const Histogram::Ends ends =
        axis < 0 ? Histogram::ends_of(x) : sum_channels(tensor, static_cast<size_t>(axis), seen);
    if (!ends.finite) return Error(Code::kInvalid, fmt::format("'{}' becomes NaN or infinite", name(i)));
    seen.range = {static_cast<double>(ends.low), static_cast<double>(ends.high)};
    if (counted_[i]) histogram.add_some(x, ends, turn);
    return {};
  }

  // Of a sample that is shown beside: which of these it is.
  std::optional<size_t> place_beside(size_t index) const {
    const auto at = std::ranges::lower_bound(options_.beside_at, index);
    if (at == options_.beside_at.end() || *at != index) return std::nullopt;
    return static_cast<size_t>(at - options_.beside_at.begin());
  }

  // Only those that are shown wait for each other: it takes long, and the others go on. `stopped`: another has failed.
  Status show(size_t kept, size_t place, const Tensor& tensor, bool& stopped) {
    const auto value = beside_of_.find(place);
    if (value == beside_of_.end()) return {};
    stopped = !shows_.wait_for(kept);
    if (stopped) return Error(Code::kInternal, "another sample failed");
    return options_.beside->show(kept, value->second, tensor);
  }

  const std::string& name(size_t i) const { return graph_.value(values_[i]).name; }

  // What comes too early lies by until those before it are there.
  void leave(size_t turn, std::vector<Seen> seen) {
    std::lock_guard<std::mutex> lock(mutex_);
    left_.emplace(turn, std::move(seen));
    for (auto next = left_.find(added_); next != left_.end(); next = left_.find(added_)) {
      add(next->second);
      left_.erase(next);
      ++added_;
      if (options_.progress) options_.progress(added_, indices_.size());
    }
  }

  void add(const std::vector<Seen>& seen) {
    for (size_t i = 0; i < values_.size(); ++i) {
      Range& average = averages_[i];
      double share = added_ == 0 ? 1 : kMovingAverageShare;
      average.low += share * (seen[i].range.low - average.low);
      average.high += share * (seen[i].range.high - average.high);
      if (channel_axes_[i] < 0) continue;
      sums_[i].resize(seen[i].channels.size());
      sizes_[i].resize(seen[i].channels.size());
      for (size_t c = 0; c < sums_[i].size(); ++c) {
        sums_[i][c] += seen[i].channels[c];
        sizes_[i][c] = std::max(sizes_[i][c], seen[i].sizes[c]);
      }
      elements_[i] += static_cast<double>(seen[i].channel_elements);
    }
  }

  const Graph& graph_;
  const std::vector<ValueId>& values_;
  std::vector<int> channel_axes_;  // -1: not by channel
  std::vector<bool> counted_;      // there is a histogram
  const std::vector<size_t>& indices_;
  const CalibrationOptions& options_;
  std::map<size_t, size_t> beside_of_;  // by place in the probe: the value's place among those watched beside
  SampleFeed feed_;

  Turns shows_;  // of the samples that are shown beside; and whether any has failed

  // What is added up in the samples' order.
  std::mutex mutex_;
  std::map<size_t, std::vector<Seen>> left_;  // by turn
  size_t added_ = 0;                          // samples
  std::vector<std::vector<double>> sums_, sizes_;
  std::vector<double> elements_;
  std::vector<Range> averages_;
};

}  // namespace

Result<Calibration> calibrate(Files& files, const Graph& graph, const std::vector<ValueId>& values,
                              const std::map<ValueId, int>& by_channel, Dataset& data,
                              const std::vector<size_t>& indices, const CalibrationOptions& options) {
  if (indices.empty()) return Error(Code::kInvalid, "there is no sample to calibrate with");
  std::vector<ValueId> seen = values;
  for (const auto& [v, axis] : by_channel) {
    if (std::ranges::find(values, v) == values.end()) seen.push_back(v);
  }
  std::vector<ValueId> shown = seen;
  std::map<size_t, size_t> beside;
  for (size_t i = 0; options.beside != nullptr && i < options.beside->values().size(); ++i) {
    const ValueId v = options.beside->values()[i];
    const auto at = std::ranges::find(shown, v);
    beside.emplace(at - shown.begin(), i);
    if (at == shown.end()) shown.push_back(v);
  }
  OREE_TRY_ASSIGN(std::unique_ptr<Probe> probe, Probe::open(files, graph, shown, options.scratch));
  return Calibrator(graph, seen, values, by_channel, data, indices, options).run(*probe, beside);
}

}  // namespace oree
