// SPDX-License-Identifier: Apache-2.0
// The steps that a product needs: inspect, quantize, and for each target tune, bundle, sign, verify, publish. Those
// that oree.toml does not ask for (no [quantize], no [tune], no [sign], no [publish]) are not there. A target's steps
// end in its name: "tune pi5".
#pragma once

#include <memory>
#include <vector>

#include "cli/bundle_build.h"
#include "cli/product.h"
#include "cli/ship_steps.h"
#include "model/digest/model_files.h"

namespace oree::cli {

// Where the steps of a target leave what they make, below the product's state folder.
struct ShipPaths {
  ShipPaths(const Product& product, const ProductTarget& target);
  std::string tune;  // folder; tune.json and report.html lie in it
  std::string tune_json;
  std::string choice;                   // of a target that was not measured
  std::string unsigned_bundle, bundle;  // NAME-VERSION-TARGET.unsigned.oree, NAME-VERSION-TARGET.oree
};

std::string ship_state(const Product& product);                              // ship.json
std::string shipped_bundle(const Product& product, const ProductTarget& t);  // the signed one, where it is signed

// The steps keep the product, not the ports (which must outlive them).
std::vector<Step> ship_steps(const Ports& ports, std::shared_ptr<const Product> product, const OpenModel& open);

}  // namespace oree::cli
