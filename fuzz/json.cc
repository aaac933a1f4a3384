// SPDX-License-Identifier: Apache-2.0
#include "core/codec/json.h"
#include "core/base/bytes.h"

using namespace oree;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Result<Json> value = Json::parse(as_text(ByteView(data, size)));
  if (!value.ok()) return 0;
  // What was read is written, and read again as the same.
  for (int indent : {-1, 2}) {
    Result<Json> again = Json::parse(value->dump(indent));
    OREE_ASSERT(again.ok() && *again == *value);
  }
  return 0;
}
