// SPDX-License-Identifier: Apache-2.0
// A bundle's manifest for people and for machines; `oree verify`, `oree bundle` and `oree ship` show the same.
#pragma once

#include <string>

#include "deliver/bundle/bundle.h"

namespace oree::cli {

std::string bundle_text(const BundleInfo& info);  // lines "key  value", then the members
Json bundle_json(const BundleInfo& info);         // {"digest", "size", "signed_by", "manifest"}

}  // namespace oree::cli
