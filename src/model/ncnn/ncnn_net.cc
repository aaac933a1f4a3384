// SPDX-License-Identifier: Apache-2.0
#include "model/ncnn/ncnn_net.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace oree {
namespace {

constexpr size_t kNameMax = 120;  // ncnn's is 255
constexpr int kListIds = -23300;

std::string real_text(float value) {
  constexpr float kMost = std::numeric_limits<float>::max();
  return fmt::format("{:.9e}", std::isnan(value) ? value : std::clamp(value, -kMost, kMost));
}

// Names are words in ncnn's text.
std::string word_of(std::string_view name) {
  std::string out;
  for (char c : name.substr(0, kNameMax)) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       std::string_view("_./:-").find(c) != std::string_view::npos;
    out += plain ? c : '_';
  }
  return out.empty() ? "_" : out;
}

}  // namespace

NcnnParams& NcnnParams::set(int id, int64_t value) {
  text_ += fmt::format(" {}={}", id, value);
  return *this;
}

NcnnParams& NcnnParams::set(int id, float value) {
  text_ += fmt::format(" {}={}", id, real_text(value));
  return *this;
}

NcnnParams& NcnnParams::set(int id, std::span<const int64_t> values) {
  text_ += fmt::format(" {}={}", kListIds - id, values.size());
  for (int64_t v : values) text_ += fmt::format(",{}", v);
  return *this;
}

NcnnParams& NcnnParams::set(int id, std::span<const float> values) {
  text_ += fmt::format(" {}={}", kListIds - id, values.size());
  for (float v : values) text_ += "," + real_text(v);
  return *this;
}

NcnnParams ncnn_mat_params(const Shape& mat) {
  NcnnParams p;
  const size_t rank = mat.size();
  OREE_ASSERT(rank >= 1 && rank <= static_cast<size_t>(kNcnnMatRankMax));
  p.set(0, mat[rank - 1]);
  if (rank > 1) p.set(1, mat[rank - 2]);
  if (rank > 3) p.set(11, mat[1]);
  if (rank > 2) p.set(2, mat[0]);
  return p;
}

NcnnBlob NcnnNet::add_blob(std::string_view name, Shape mat) {
  std::string word = word_of(name);
  const int count = names_[word]++;
  if (count > 0) {
    for (int n = count;; ++n) {
      std::string other = fmt::format("{}__{}", word, n);
      if (names_.try_emplace(other, 1).second) {
        word = other;
        break;
      }
    }
  }
  blobs_.push_back({std::move(word), std::move(mat)});
  return static_cast<NcnnBlob>(blobs_.size() - 1);
}

NcnnBlob NcnnNet::add(std::string_view type, std::string_view name, std::vector<NcnnBlob> bottoms, Shape mat,
                      NcnnParams params, std::vector<NcnnWeights> weights) {
  const NcnnBlob top = add_blob(name, std::move(mat));
  layers_.push_back(
      {std::string(type), blobs_.back().name, std::move(bottoms), {top}, std::move(params), std::move(weights)});
  return top;
}

NcnnBlob NcnnNet::reshaped(NcnnBlob blob, const Shape& mat) {
  if (this->mat(blob) == mat) return blob;
  const std::string name = blobs_[static_cast<size_t>(blob)].name;
  return add("Reshape", name + "_reshaped", {blob}, mat, ncnn_mat_params(mat));
}

NcnnBlob NcnnNet::add_input(std::string name, Shape shape) {
  const Shape mat = ncnn_mat(shape);
  const NcnnBlob blob = add("Input", name, {}, mat, ncnn_mat_params(mat));
  inputs_.push_back({blob, std::move(name), std::move(shape)});
  return blob;
}

void NcnnNet::add_output(NcnnBlob blob, std::string name, Shape shape) {
  outputs_.push_back({blob, std::move(name), std::move(shape)});
}

void NcnnNet::share_blobs() {
  std::vector<std::vector<NcnnBlob*>> takers(blobs_.size());
  for (NcnnOutLayer& layer : layers_) {
    for (NcnnBlob& b : layer.bottoms) takers[static_cast<size_t>(b)].push_back(&b);
  }
  for (Port& output : outputs_) takers[static_cast<size_t>(output.blob)].push_back(&output.blob);
  std::vector<NcnnOutLayer> splits(takers.size());
  for (size_t b = 0; b < takers.size(); ++b) {
    if (takers[b].size() < 2) continue;
    NcnnOutLayer& split = splits[b];
    const Blob whole = blobs_[b];
    split.type = "Split";
    split.name = whole.name + "_split";
    split.bottoms = {static_cast<NcnnBlob>(b)};
    for (NcnnBlob* taker : takers[b]) {
      *taker = add_blob(whole.name + "_split", whole.mat);
      split.tops.push_back(*taker);
    }
  }
  // Each right behind the layer that makes its blob.
  std::vector<NcnnOutLayer> all;
  for (NcnnOutLayer& layer : layers_) {
    const std::vector<NcnnBlob> tops = layer.tops;
    all.push_back(std::move(layer));
    for (NcnnBlob top : tops) {
      const auto t = static_cast<size_t>(top);
      if (t < splits.size() && !splits[t].tops.empty()) all.push_back(std::move(splits[t]));
    }
  }
  layers_ = std::move(all);
}

std::string NcnnNet::text() const {
  size_t made = 0;
  for (const NcnnOutLayer& layer : layers_) made += layer.tops.size();
  std::string out = fmt::format("{}\n{} {}\n", kNcnnMagic, layers_.size(), made);
  auto name = [&](NcnnBlob b) -> const std::string& { return blobs_[static_cast<size_t>(b)].name; };
  for (const NcnnOutLayer& layer : layers_) {
    out += fmt::format("{:<24} {:<24} {} {}", layer.type, layer.name, layer.bottoms.size(), layer.tops.size());
    for (NcnnBlob b : layer.bottoms) out += " " + name(b);
    for (NcnnBlob b : layer.tops) out += " " + name(b);
    out += layer.params.text() + "\n";
  }
  NcnnNote note;
  for (const Port& p : inputs_) note.inputs.push_back({name(p.blob), p.name, p.shape});
  for (const Port& p : outputs_) note.outputs.push_back({name(p.blob), p.name, p.shape});
  return out + ncnn_note_line(note);
}

Status NcnnNet::write(const NcnnSinks& sinks) {
  share_blobs();
  OREE_TRY(sinks.param(as_bytes(text())));
  for (const NcnnOutLayer& layer : layers_) {
    for (const NcnnWeights& w : layer.weights) OREE_TRY(write_ncnn_weights(w, sinks.weights));
  }
  return {};
}

Status write_ncnn_weights(const NcnnWeights& weights, const std::function<Status(ByteView)>& sink) {
  static constexpr uint8_t kFloats[4] = {0, 0, 0, 0}, kHalves[4] = {0x47, 0x6B, 0x30, 0x01};
  const Constant& values = weights.values;
  const bool half = values.dtype() == Dtype::kFloat16;
  OREE_ASSERT(values.dtype() == Dtype::kFloat32 || (half && weights.tagged));
  if (weights.tagged) OREE_TRY(sink(half ? kHalves : kFloats));
  OREE_TRY(sink(values.bytes()));
  static constexpr uint8_t kNothing[2] = {0, 0};
  return half && values.elements() % 2 != 0 ? sink(kNothing) : Status();
}

}  // namespace oree
