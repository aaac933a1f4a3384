// SPDX-License-Identifier: Apache-2.0
#include "deliver/protocol/messages.h"

#include "core/base/bytes.h"

using namespace oree;

namespace {

// What was read is written, and read again as the same.
template <typename Message>
void round_trip(const Json& json, Result<Message> (*read)(const Json&), Json (*write)(const Message&)) {
  auto message = read(json);
  if (!message.ok()) return;
  Json written = write(*message);
  auto again = read(written);
  OREE_ASSERT(again.ok() && write(*again) == written);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto json = Json::parse(as_text(ByteView(data, size)));
  if (!json.ok()) return 0;
  round_trip<Latest>(*json, latest_from_json, latest_to_json);
  round_trip<Release>(*json, release_from_json, release_to_json);
  round_trip<DeviceStatus>(*json, device_status_from_json, device_status_to_json);
  return 0;
}
