// SPDX-License-Identifier: Apache-2.0
#include "model/profile/profile.h"

#include "core/base/bytes.h"
#include "core/base/limits.h"

using namespace oree;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Result<DeviceProfile> profile = parse_profile(as_text(ByteView(data, size)));
  if (!profile.ok()) {
    OREE_ASSERT(profile.error().code() == Code::kUsage);
    return 0;
  }
  OREE_ASSERT(!profile->name.empty() && !profile->engines.empty() && profile->engines.size() <= kProfileListMax);
  OREE_ASSERT(profile->model_percent >= 1 && profile->model_percent <= 100);
  return 0;
}
