// SPDX-License-Identifier: Apache-2.0
// Bringing a bundle to a fleet server: what `oree publish` and the publish step of `oree ship` share.
#pragma once

#include <string>
#include <vector>

#include "core/io/ports.h"
#include "deliver/bundle/bundle.h"

namespace oree::cli {

struct PublishPlan {
  std::string bundle;                     // file
  std::string server;                     // http(s)://host[:port][/prefix]
  std::string token;                      // an operator's; "" sends none
  std::string ca_file;                    // "" is the system's authorities
  std::vector<std::string> device_types;  // empty: the manifest's; else a part of them
  std::string notes;
};

struct PublishResult {
  BundleInfo info;
  bool uploaded = false;  // false: the server had the blob
  bool released = false;  // false: the server had this very release
};

// Checks the bundle's digests, sends the blob unless the server has it, then the release. Safe to repeat. kConflict
// when the version exists there with other content, kUsage when the token is not accepted, kUnavailable when there is
// no server or it fails, kExhausted when it has no room.
Result<PublishResult> publish_bundle(const Ports& ports, const PublishPlan& plan);

// The token from `--token`, else a file's first line, else the environment variable; "" when none is set.
Result<std::string> find_token(Files& files, const std::string& given, const std::string& file,
                               const std::string& variable);

}  // namespace oree::cli
