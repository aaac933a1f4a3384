// SPDX-License-Identifier: Apache-2.0
#include "deliver/bundle/manifest.h"
#include "core/io/inner_path.h"

using namespace oree;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto json = Json::parse(as_text(ByteView(data, size)));
  if (!json.ok()) return 0;
  auto manifest = manifest_from_json(*json);
  if (!manifest.ok()) return 0;
  OREE_ASSERT(find_member(*manifest, manifest->model_path) != nullptr);
  for (const BundleMember& m : manifest->members) {
    OREE_ASSERT(check_inner_path(m.path).ok() && ("/" + m.path + "/").find("/../") == std::string::npos);
  }
  // What was read is written, and read again as the same.
  Json written = manifest_to_json(*manifest);
  auto again = manifest_from_json(written);
  OREE_ASSERT(again.ok() && manifest_to_json(*again) == written);
  return 0;
}
