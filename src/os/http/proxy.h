// SPDX-License-Identifier: Apache-2.0
// Which proxy a request goes through, by the environment's usual variables.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "core/io/http.h"

namespace oree {

struct Proxy {
  Url url;                    // always http
  std::string authorization;  // value of Proxy-Authorization, "" without a user name
};

using Environment = std::function<std::string(const char* name)>;  // "" when not set

// http_proxy, https_proxy, all_proxy and no_proxy, in lower or upper case. No proxy is nullopt; kUsage when the
// variable holds no http URL.
Result<std::optional<Proxy>> proxy_for(const Url& url, const Environment& environment);

}  // namespace oree
