// SPDX-License-Identifier: Apache-2.0
#include "core/io/http.h"

using namespace oree;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view text = as_text(ByteView(data, size));
  Result<Url> url = parse_url(text);
  if (url.ok()) {
    OREE_ASSERT(!url->host.empty() && url->port >= 1 && url->port <= 65535 && url->target[0] == '/');
    for (char c : url->host + url->target) OREE_ASSERT(static_cast<unsigned char>(c) > 0x20);
  }
  OREE_ASSERT(url_decode(url_encode(text)).value() == text);
  for (const auto& [key, value] : parse_query(text)) OREE_ASSERT(key.size() + value.size() <= size);
  return 0;
}
