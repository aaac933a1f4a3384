// SPDX-License-Identifier: Apache-2.0
// What the sessions of all engines have in common: matching of inputs, and the tensors of the bound fast path.
#pragma once

#include <string>
#include <vector>

#include "model/runtime/backend.h"

namespace oree {

// kUsage unless threads and precision have values that backend.h names.
Status check_options(const SessionOptions& options);

// Repeated or empty names become "name:1", "name:2", … or "<prefix>0", so that every tensor can be named in a file.
void make_names_unique(std::vector<TensorInfo>& infos, const char* prefix);

// The given tensors in the order of `infos`. kInvalid as Session::run says. With `rank_may_be_unknown` a declared
// scalar takes any shape: some engines report an unknown rank that way.
Result<std::vector<const Tensor*>> match_inputs(const std::vector<TensorInfo>& infos, const NamedTensors& given,
                                                bool rank_may_be_unknown);

class SessionBase : public Session {
 public:
  const std::vector<TensorInfo>& inputs() const override { return inputs_; }
  const std::vector<TensorInfo>& outputs() const override { return outputs_; }
  Result<Tensor*> input_buffer(size_t index) override;
  Status run_bound() override;
  Result<const Tensor*> output_view(size_t index) override;

 protected:
  // Called before the first run_bound() and whenever a caller replaced a buffer's memory: the engine shall read
  // bound_inputs_ and write bound_outputs_ where they now lie.
  virtual Status bind() = 0;
  virtual Status execute_bound() = 0;
  std::vector<const Tensor*> bound_input_pointers() const;
  // For engines that give out a tensor of their own: kUnsupported when it is none like the bound output.
  Status check_like_bound(size_t output, Dtype dtype, const Shape& shape) const;

  std::vector<TensorInfo> inputs_;
  std::vector<TensorInfo> outputs_;
  std::vector<Tensor> bound_inputs_;
  std::vector<Tensor> bound_outputs_;

 private:
  Status prepare();
  bool moved() const;
  bool prepared_ = false;
  std::vector<const uint8_t*> addresses_;  // where the engine was told that the bound tensors lie
};

}  // namespace oree
