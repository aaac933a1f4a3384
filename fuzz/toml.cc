// SPDX-License-Identifier: Apache-2.0
#include "core/base/bytes.h"
#include "core/codec/json.h"

using namespace oree;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Result<Json> value = parse_toml(as_text(ByteView(data, size)));
  if (value.ok()) OREE_ASSERT(value->is_object() && !value->dump().empty());
  return 0;
}
