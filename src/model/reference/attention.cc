// SPDX-License-Identifier: Apache-2.0
// Scaled dot-product attention, with caches, masks and windows, and the rotary embedding of its queries and keys. Sums
// and exponentials in double.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "model/reference/access.h"
#include "model/reference/kernel_tables.h"
#include "model/reference/shapes.h"

namespace oree {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Rows of numbers by batch, head and place. Heads lie apart, [batch, heads, length, size], or beside each other,
// [batch, length, heads * size].
struct Heads {
  int64_t batch = 0, heads = 0, length = 0, size = 0;
  bool apart = true;
  int64_t row(int64_t b, int64_t h, int64_t i) const {
    return (apart ? (b * heads + h) * length + i : (b * length + i) * heads + h) * size;
  }
};

Result<Heads> heads_of(const KernelCall& call, size_t input, int64_t heads) {
  const Shape& x = call.need(input).shape();
  if (!dtype_is_float(call.need(input).dtype())) return call.invalid(fmt::format("input {} must hold reals", input));
  if (x.size() == 4) return Heads{x[0], x[1], x[2], x[3], true};
  if (x.size() != 3 || heads < 1 || x[2] % heads != 0)
    return call.invalid(fmt::format("input {} of shape {} with {} heads", input, shape_text(x), heads));
  return Heads{x[0], heads, x[1], x[2] / heads, false};
}

struct AttentionPlan {
  Heads q, k, v;       // of the inputs
  int64_t past = 0;    // places in front of k and v, from the cache
  int64_t keys = 0;    // with them
  int64_t shared = 1;  // queries' heads to one of the keys'
  double scale = 1, softcap = 0;
  bool causal = false;
  int64_t left = -1, right = -1;  // how far a query sees; -1: everything
  int64_t shown = 0;              // what the fourth output holds
  std::vector<int64_t> filled;    // of a cache that is an input: places in use, one a batch; empty: all
  Shape mask;                     // of four dimensions; empty: none

  // How many keys come before the first query.
  int64_t offset(int64_t batch) const { return filled.empty() ? past : filled[static_cast<size_t>(batch)] - q.length; }
  bool sees(int64_t batch, int64_t query, int64_t key) const {
    const int64_t at = offset(batch) + query;
    if (!filled.empty() && key >= filled[static_cast<size_t>(batch)]) return false;
    if (causal && key > at) return false;
    return (left < 0 || key >= at - left) && (right < 0 || key - right <= at);
  }
};

Status read_mask(const KernelCall& call, AttentionPlan& p) {
  if (!call.in(3)) return {};
  const Tensor& mask = call.need(3);
  p.mask = mask.shape();
  if (mask.dtype() != Dtype::kBool && !dtype_is_float(mask.dtype())) return call.invalid("a mask of integers");
  if (p.mask.empty() || p.mask.size() > 4) return call.invalid("a mask of no or more than four dimensions");
  p.mask.insert(p.mask.begin(), 4 - p.mask.size(), 1);
  const Shape full{p.q.batch, p.q.heads, p.q.length, p.keys};
  for (size_t i = 0; i < 3; ++i) {
    if (p.mask[i] != 1 && p.mask[i] != full[i])
      return call.invalid(fmt::format("a mask of shape {} for {}", shape_text(mask.shape()), shape_text(full)));
  }
  // A mask may be shorter than the cache: what is behind it is out of sight.
  if (p.mask[3] > p.keys) return call.invalid(fmt::format("a mask over {} of {} keys", p.mask[3], p.keys));
  return {};
}

Status read_caches(const KernelCall& call, AttentionPlan& p) {
  if ((call.in(4) != nullptr) != (call.in(5) != nullptr)) return call.invalid("past keys and values come together");
  if (call.in(4)) {
    const Shape &k = call.need(4).shape(), &v = call.need(5).shape();
    if (k.size() != 4 || v.size() != 4 || k[2] != v[2] || k != Shape{p.k.batch, p.k.heads, k[2], p.k.size} ||
        v != Shape{p.v.batch, p.v.heads, v[2], p.v.size}) {
      return call.invalid(fmt::format("a past of shapes {} and {}", shape_text(k), shape_text(v)));
    }
    p.past = k[2];
  }
  if (!call.in(6)) return {};
  if (call.in(4)) return call.invalid("a past and a length of the cache exclude each other");
  OREE_TRY_ASSIGN(p.filled, int_list(call, 6));
  if (static_cast<int64_t>(p.filled.size()) != p.q.batch) return call.invalid("one length a batch");
  for (int64_t n : p.filled) {
    if (n < 0 || n > p.k.length) return call.invalid(fmt::format("a cache of {} with {} places in use", p.k.length, n));
  }
  return {};
}

Result<AttentionPlan> plan_attention(const KernelCall& call) {
  AttentionPlan p;
  const int64_t kv_heads = call.node.integer("kv_num_heads", 0);
  OREE_TRY_ASSIGN(p.q, heads_of(call, 0, call.node.integer("q_num_heads", 0)));
  OREE_TRY_ASSIGN(p.k, heads_of(call, 1, kv_heads));
  OREE_TRY_ASSIGN(p.v, heads_of(call, 2, kv_heads));
  if (p.k.heads < 1 || p.k.heads != p.v.heads || p.k.length != p.v.length || p.q.batch != p.k.batch ||
      p.q.batch != p.v.batch || p.q.size != p.k.size || p.q.heads % p.k.heads != 0) {
    return call.invalid("queries, keys and values do not fit each other");
  }
  p.shared = std::max<int64_t>(p.q.heads / p.k.heads, 1);
  OREE_TRY(read_caches(call, p));
  p.keys = p.past + p.k.length;
  OREE_TRY(read_mask(call, p));
  p.scale = static_cast<double>(call.node.real("scale", 0));
  if (call.node.find("scale") == nullptr) p.scale = 1 / std::sqrt(static_cast<double>(std::max<int64_t>(p.q.size, 1)));
  p.softcap = static_cast<double>(call.node.real("softcap", 0));
  p.causal = call.node.integer("is_causal", 0) != 0;
  constexpr int64_t kFar = int64_t{1} << 40;  // further than any key, and no overflow
  p.left = std::clamp<int64_t>(call.node.integer("left_window_size", -1), -1, kFar);
  p.right = std::clamp<int64_t>(call.node.integer("right_window_size", -1), -1, kFar);
  p.shown = call.node.integer("qk_matmul_output_mode", 0);
  OREE_TRY(call.affordable(static_cast<double>(p.q.batch) * static_cast<double>(p.q.heads) *
                           static_cast<double>(p.q.length) * static_cast<double>(p.keys) *
                           static_cast<double>(p.q.size + p.v.size + 1)));
  return p;
}

// The cache and behind it what is new, heads apart. Attention reads keys and values from here.
template <typename T>
Result<NewElements<T>> joined(const KernelCall& call, size_t input, const Tensor* past, const Heads& h, int64_t keys) {
  OREE_TRY_ASSIGN(NewElements<T> out,
                  new_elements<T>(call, call.need(input).dtype(), {h.batch, h.heads, keys, h.size}));
  Elements<T> x(call.need(input));
  const int64_t before = keys - h.length;
  std::optional<Elements<T>> cache;
  if (past) cache.emplace(*past);
  for (int64_t i = 0; i < out.size(); ++i) {
    const int64_t head = i / h.size / keys, place = i / h.size % keys, part = i % h.size;
    out[i] = place < before ? (*cache)[(head * before + place) * h.size + part]
                            : x[h.row(head / h.heads, head % h.heads, place - before) + part];
  }
  return out;
}

// One query's row of scores, at its stages.
struct Scores {
  std::vector<double> raw, capped, biased, weights;
  std::vector<bool> seen;

  void soften() {
    weights.assign(biased.size(), 0);
    double largest = -kInfinity, sum = 0;
    for (size_t i = 0; i < biased.size(); ++i) {
      if (seen[i]) largest = std::fmax(largest, biased[i]);
    }
    if (largest == -kInfinity) return;  // a query that sees nothing weighs nothing
    for (size_t i = 0; i < biased.size(); ++i) {
      if (seen[i]) sum += weights[i] = std::exp(biased[i] - largest);
    }
    for (double& w : weights) w /= sum;
  }
  const std::vector<double>& stage(int64_t shown) const {
    return shown == 1 ? capped : shown == 2 ? biased : shown == 3 ? weights : raw;
  }
};

// The element of the mask for a query's row; the keys follow it.
int64_t mask_row(const AttentionPlan& p, int64_t b, int64_t h, int64_t i) {
  const Shape& m = p.mask;
  return (((m[0] == 1 ? 0 : b) * m[1] + (m[1] == 1 ? 0 : h)) * m[2] + (m[2] == 1 ? 0 : i)) * m[3];
}

template <typename T>
void score(const AttentionPlan& p, const T* query, const T* keys, Scores& s) {
  const auto n = static_cast<size_t>(p.keys);
  s.raw.assign(n, 0);
  for (int64_t k = 0; k < p.keys; ++k) {
    double sum = 0;
    for (int64_t i = 0; i < p.q.size; ++i)
      sum += static_cast<double>(query[i]) * static_cast<double>(keys[k * p.q.size + i]);
    s.raw[static_cast<size_t>(k)] = sum * p.scale;
  }
  s.capped = s.raw;
  if (p.softcap > 0) {
    for (double& v : s.capped) v = std::tanh(v / p.softcap) * p.softcap;
  }
}

// Masks and windows: what is out of sight is minus infinity.
void add_bias(const AttentionPlan& p, const std::optional<Elements<float>>& mask, bool is_bool, int64_t b, int64_t h,
              int64_t i, Scores& s) {
  s.biased = s.capped;
  s.seen.assign(s.biased.size(), true);
  for (int64_t k = 0; k < p.keys; ++k) {
    double bias = p.sees(b, i, k) ? 0 : -kInfinity;
    if (mask) {
      const bool behind = p.mask[3] != p.keys && k >= p.mask[3];
      const double m = behind ? 0 : static_cast<double>((*mask)[mask_row(p, b, h, i) + k]);
      if (behind || (is_bool && m == 0))
        bias = -kInfinity;
      else if (!is_bool)
        bias += m;
    }
    const auto at = static_cast<size_t>(k);
    s.seen[at] = bias != -kInfinity;
    s.biased[at] = s.seen[at] ? s.biased[at] + bias : -kInfinity;
  }
}

template <typename T>
Status attention(KernelCall& call, const AttentionPlan& p) {
  OREE_TRY_ASSIGN(NewElements<T> keys, joined<T>(call, 1, call.in(4), p.k, p.keys));
  OREE_TRY_ASSIGN(NewElements<T> values, joined<T>(call, 2, call.in(5), p.v, p.keys));
  Elements<T> q(call.need(0));
  std::optional<Elements<float>> mask;
  if (call.in(3)) mask.emplace(call.need(3));
  const bool is_bool = call.in(3) && call.need(3).dtype() == Dtype::kBool;
  const Heads y{p.q.batch, p.q.heads, p.q.length, p.v.size, p.q.apart};
  const Shape scores_shape{p.q.batch, p.q.heads, p.q.length, call.wants(3) ? p.keys : 0};
  const Shape y_shape =
      y.apart ? Shape{y.batch, y.heads, y.length, y.size} : Shape{y.batch, y.length, y.heads * y.size};
  OREE_TRY_ASSIGN(NewElements<T> out, new_elements<T>(call, call.need(0).dtype(), y_shape));
  OREE_TRY_ASSIGN(NewElements<T> shown, new_elements<T>(call, call.need(0).dtype(), scores_shape));
  Scores s;
  std::vector<double> sums;
  for (int64_t row = 0; row < y.batch * y.heads * y.length; ++row) {
    const int64_t i = row % y.length, h = row / y.length % y.heads, b = row / y.length / y.heads;
    const int64_t head = b * p.k.heads + h / p.shared;
    score<T>(p, q.data() + p.q.row(b, h, i), keys.span().data() + head * p.keys * p.k.size, s);
    add_bias(p, mask, is_bool, b, h, i, s);
    s.soften();
    sums.assign(static_cast<size_t>(y.size), 0);
    for (int64_t k = 0; k < p.keys; ++k) {
      const double weight = s.weights[static_cast<size_t>(k)];
      if (!s.seen[static_cast<size_t>(k)]) continue;
      for (int64_t n = 0; n < y.size; ++n)
        sums[static_cast<size_t>(n)] += weight * static_cast<double>(values[(head * p.keys + k) * y.size + n]);
    }
    for (int64_t n = 0; n < y.size; ++n) out[y.row(b, h, i) + n] = static_cast<T>(sums[static_cast<size_t>(n)]);
    for (int64_t k = 0; k < scores_shape[3]; ++k)
      shown[row * p.keys + k] = static_cast<T>(s.stage(p.shown)[static_cast<size_t>(k)]);
  }
  call.set(0, std::move(out).take());
  call.set(1, std::move(keys).take());
  call.set(2, std::move(values).take());
  if (call.wants(3)) call.set(3, std::move(shown).take());
  return {};
}

Status run_attention(KernelCall& call) {
  OREE_TRY_ASSIGN(AttentionPlan p, plan_attention(call));
  return with_real(call.need(0).dtype(), [&](auto zero) { return attention<decltype(zero)>(call, p); });
}

// --- RotaryEmbedding

struct RotaryPlan {
  Heads x;
  int64_t turned = 0;              // of each row, its first numbers
  std::vector<int64_t> positions;  // rows of the caches, by batch and place; empty: the caches lie so already
  bool interleaved = false;
};

Result<RotaryPlan> plan_rotary(const KernelCall& call) {
  RotaryPlan p;
  OREE_TRY_ASSIGN(p.x, heads_of(call, 0, call.node.integer("num_heads", 0)));
  p.turned = call.node.integer("rotary_embedding_dim", 0);
  if (p.turned == 0) p.turned = p.x.size;
  p.interleaved = call.node.integer("interleaved", 0) != 0;
  const Shape& cache = call.need(1).shape();
  if (p.turned < 0 || p.turned > p.x.size || p.turned % 2 != 0 || call.need(2).shape() != cache || cache.empty() ||
      cache.back() != p.turned / 2) {
    return call.invalid(fmt::format("caches of shape {} to turn {} of {}", shape_text(cache), p.turned, p.x.size));
  }
  const int64_t places = p.x.batch * p.x.length;
  if (!call.in(3)) {
    if (cache.size() != 3 || cache[0] != p.x.batch || cache[1] != p.x.length)
      return call.invalid(fmt::format("caches of shape {} for {} places", shape_text(cache), places));
    return p;
  }
  OREE_TRY_ASSIGN(p.positions, int_list(call, 3));
  if (cache.size() != 2 || static_cast<int64_t>(p.positions.size()) != places)
    return call.invalid(fmt::format("{} positions for {} places", p.positions.size(), places));
  for (int64_t at : p.positions) {
    if (at < 0 || at >= cache[0]) return call.invalid(fmt::format("position {} in a cache of {}", at, cache[0]));
  }
  return p;
}

Status run_rotary_embedding(KernelCall& call) {
  OREE_TRY_ASSIGN(RotaryPlan p, plan_rotary(call));
  return with_real(call.need(0).dtype(), [&](auto zero) -> Status {
    using T = decltype(zero);
    OREE_TRY_ASSIGN(NewElements<T> out, new_elements<T>(call, call.need(0).dtype(), call.need(0).shape()));
    Elements<T> x(call.need(0)), cosine(call.need(1)), sine(call.need(2));
    std::copy(x.span().begin(), x.span().end(), out.span().begin());
    const int64_t half = p.turned / 2;
    for (int64_t row = 0; p.x.size > 0 && row < x.size() / p.x.size; ++row) {
      const int64_t i = row % p.x.length, h = row / p.x.length % p.x.heads, b = row / p.x.length / p.x.heads;
      const int64_t first = p.x.row(b, h, i), place = b * p.x.length + i;
      const int64_t angle = (p.positions.empty() ? place : p.positions[static_cast<size_t>(place)]) * half;
      for (int64_t n = 0; n < half; ++n) {
        const int64_t re = first + (p.interleaved ? 2 * n : n), im = p.interleaved ? re + 1 : re + half;
        const T c = cosine[angle + n], s = sine[angle + n];
        out[re] = c * x[re] - s * x[im];
        out[im] = s * x[re] + c * x[im];
      }
    }
    call.set(0, std::move(out).take());
    return {};
  });
}

constexpr KernelEntry kTable[] = {
    {"Attention", run_attention, 3},
    {"RotaryEmbedding", run_rotary_embedding, 3},
};

}  // namespace

const std::span<const KernelEntry> kAttentionKernels = kTable;

}  // namespace oree
