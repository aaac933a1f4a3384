// SPDX-License-Identifier: Apache-2.0
// The tune step of `oree ship`, for one target: on this machine, on a device, or, for a device that is not at hand, by
// its profile. And what it chose, for the steps behind it.
#pragma once

#include <memory>

#include "cli/ship_plan.h"

namespace oree::cli {

// Where a profile decides: accuracy is judged here, with the engines that the profile names, in the file that would be
// shipped; the profile's own order then chooses, and speed is unknown.
Step tune_step(const Ports& ports, std::shared_ptr<const Product> product, const ProductTarget& target);

// Which file runs how: the tune step's choice, or what oree.toml says.
Result<Candidate> choice_of(Files& files, const Product& product, const ProductTarget& target);

}  // namespace oree::cli
