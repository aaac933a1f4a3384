// SPDX-License-Identifier: Apache-2.0
// The steps that a product needs: inspect, quantize, tune, bundle, sign, verify, publish. Those that oree.toml does not
// ask for (no [quantize], no [tune], no [sign], no [publish]) are not there.
#pragma once

#include <memory>
#include <vector>

#include "cli/bundle_build.h"
#include "cli/product.h"
#include "cli/ship_steps.h"
#include "model/digest/model_files.h"

namespace oree::cli {

// Where the steps leave what they make, below the product's state folder.
struct ShipPaths {
  explicit ShipPaths(const Product& product);
  std::string state;  // ship.json
  std::string tune;   // folder; tune.json and report.html lie in it
  std::string tune_json;
  std::string unsigned_bundle, bundle;  // NAME-VERSION.unsigned.oree, NAME-VERSION.oree
};

// The steps keep the product, not the ports (which must outlive them).
std::vector<Step> ship_steps(const Ports& ports, std::shared_ptr<const Product> product, const OpenModel& open);

}  // namespace oree::cli
