// SPDX-License-Identifier: Apache-2.0
#include "model/runtime/backends/session_base.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace oree {
namespace {

bool fits(const Shape& declared, const Shape& given) {
  if (declared.size() != given.size()) return false;
  for (size_t i = 0; i < declared.size(); ++i) {
    if (declared[i] >= 0 && declared[i] != given[i]) return false;
  }
  return true;
}

std::string names_of(const std::vector<TensorInfo>& infos) {
  std::string out;
  for (const TensorInfo& info : infos) out += (out.empty() ? "'" : ", '") + info.name + "'";
  return out;
}

}  // namespace

Status check_options(const SessionOptions& options) {
  if (options.threads < 1 || options.threads > 256) {
    return Error(Code::kUsage, fmt::format("threads must be 1 to 256, not {}", options.threads));
  }
  for (const char* known : {"f32", "default", "bf16", "f16"}) {
    if (options.precision == known) return {};
  }
  return Error(Code::kUsage, fmt::format("precision '{}' is not one of f32, default, bf16, f16", options.precision));
}

void make_names_unique(std::vector<TensorInfo>& infos, const char* prefix) {
  std::set<std::string> taken;
  for (size_t i = 0; i < infos.size(); ++i) {
    std::string base = infos[i].name.empty() ? prefix + std::to_string(i) : infos[i].name;
    std::string name = base;
    for (int n = 1; !taken.insert(name).second; ++n) name = base + ":" + std::to_string(n);
    infos[i].name = name;
  }
}

Result<std::vector<const Tensor*>> match_inputs(const std::vector<TensorInfo>& infos, const NamedTensors& given,
                                                bool rank_may_be_unknown) {
  std::vector<const Tensor*> out(infos.size(), nullptr);
  for (const NamedTensor& named : given) {
    size_t index = infos.size();
    if (named.name.empty() && infos.size() == 1) {
      index = 0;
    } else {
      for (size_t i = 0; i < infos.size(); ++i) {
        if (infos[i].name == named.name) index = i;
      }
    }
    if (index == infos.size()) {
      return Error(Code::kInvalid,
                   fmt::format("the model has no input '{}'; its inputs are {}", named.name, names_of(infos)));
    }
    const TensorInfo& info = infos[index];
    if (out[index] != nullptr) return Error(Code::kInvalid, fmt::format("input '{}' is given twice", info.name));
    if (named.tensor.dtype() != info.dtype) {
      return Error(Code::kInvalid, fmt::format("input '{}' is {}, but {} was given", info.name, dtype_name(info.dtype),
                                               dtype_name(named.tensor.dtype())));
    }
    bool free_rank = rank_may_be_unknown && info.shape.empty();
    if (!free_rank && !fits(info.shape, named.tensor.shape())) {
      return Error(Code::kInvalid, fmt::format("input '{}' has shape {}, but {} was given", info.name,
                                               shape_text(info.shape), shape_text(named.tensor.shape())));
    }
    out[index] = &named.tensor;
  }
  for (size_t i = 0; i < infos.size(); ++i) {
    if (out[i] == nullptr) return Error(Code::kInvalid, fmt::format("input '{}' is not given", infos[i].name));
  }
  return out;
}

Status SessionBase::prepare() {
  if (prepared_) return {};
  for (const std::vector<TensorInfo>* side : {&inputs_, &outputs_}) {
    for (const TensorInfo& info : *side) {
      if (std::any_of(info.shape.begin(), info.shape.end(), [](int64_t d) { return d < 0; })) {
        return Error(Code::kUnsupported, fmt::format("'{}' has shape {}: bound runs need known shapes, use run()",
                                                     info.name, shape_text(info.shape)));
      }
      OREE_TRY(shape_elements(info.shape));
    }
  }
  for (const TensorInfo& info : inputs_) bound_inputs_.emplace_back(info.dtype, info.shape);
  for (const TensorInfo& info : outputs_) bound_outputs_.emplace_back(info.dtype, info.shape);
  prepared_ = true;
  return {};
}

bool SessionBase::moved() const {
  if (addresses_.empty()) return true;
  size_t k = 0;
  for (const Tensor& t : bound_inputs_) {
    if (t.data() != addresses_[k++]) return true;
  }
  for (const Tensor& t : bound_outputs_) {
    if (t.data() != addresses_[k++]) return true;
  }
  return false;
}

std::vector<const Tensor*> SessionBase::bound_input_pointers() const {
  std::vector<const Tensor*> tensors;
  for (const Tensor& t : bound_inputs_) tensors.push_back(&t);
  return tensors;
}

Status SessionBase::check_like_bound(size_t output, Dtype dtype, const Shape& shape) const {
  const Tensor& bound = bound_outputs_[output];
  if (dtype == bound.dtype() && shape == bound.shape()) return {};
  return Error(Code::kUnsupported,
               fmt::format("output '{}' is {} {} now, it was {} {}", outputs_[output].name, dtype_name(dtype),
                           shape_text(shape), dtype_name(bound.dtype()), shape_text(bound.shape())));
}

Result<Tensor*> SessionBase::input_buffer(size_t index) {
  OREE_TRY(prepare());
  OREE_ASSERT(index < bound_inputs_.size());
  return &bound_inputs_[index];
}

Result<const Tensor*> SessionBase::output_view(size_t index) {
  OREE_TRY(prepare());
  OREE_ASSERT(index < bound_outputs_.size());
  return static_cast<const Tensor*>(&bound_outputs_[index]);
}

Status SessionBase::run_bound() {
  OREE_TRY(prepare());
  for (size_t i = 0; i < inputs_.size(); ++i) {
    const Tensor& t = bound_inputs_[i];
    if (t.dtype() != inputs_[i].dtype || t.shape() != inputs_[i].shape) {
      return Error(Code::kInvalid, fmt::format("the buffer of input '{}' became a {} of shape {}", inputs_[i].name,
                                               dtype_name(t.dtype()), shape_text(t.shape())));
    }
  }
  if (moved()) {
    OREE_TRY(bind());
    addresses_.clear();
    for (const Tensor& t : bound_inputs_) addresses_.push_back(t.data());
    for (const Tensor& t : bound_outputs_) addresses_.push_back(t.data());
  }
  return execute_bound();
}

}  // namespace oree
