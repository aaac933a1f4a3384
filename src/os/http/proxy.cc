// SPDX-License-Identifier: Apache-2.0
#include "os/http/proxy.h"

#include "core/base/text.h"

namespace oree {
namespace {

std::string either(const Environment& environment, std::string name) {
  std::string value = environment(name.c_str());
  for (char& c : name) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return value.empty() ? environment(name.c_str()) : value;
}

// "example.org" and ".example.org" mean the name and all below it; "*" is everything; a port may follow.
bool excluded(const Url& url, const std::string& list) {
  for (const std::string& part : split(list, ',')) {
    std::string_view rule = trim(part);
    if (rule == "*") return true;
    size_t colon = rule.rfind(':');
    if (colon != std::string_view::npos && rule.find(':') == colon) {
      if (rule.substr(colon + 1) != std::to_string(url.port)) continue;
      rule = rule.substr(0, colon);
    }
    while (rule.starts_with('.')) rule.remove_prefix(1);
    if (rule.empty()) continue;
    if (url.host == rule) return true;
    std::string_view host = url.host;
    if (host.size() > rule.size() && host.ends_with(rule) && host[host.size() - rule.size() - 1] == '.') return true;
  }
  return false;
}

}  // namespace

Result<std::optional<Proxy>> proxy_for(const Url& url, const Environment& environment) {
  std::string text = either(environment, url.scheme + "_proxy");
  if (text.empty()) text = either(environment, "all_proxy");
  if (text.empty() || excluded(url, either(environment, "no_proxy"))) return std::optional<Proxy>();
  if (text.find("://") == std::string::npos) text = "http://" + text;
  Proxy proxy;
  size_t start = text.find("://") + 3;
  size_t end = text.find('/', start);
  size_t at = text.rfind('@', end);
  if (at != std::string::npos && at > start) {
    OREE_TRY_ASSIGN(std::string user, url_decode(std::string_view(text).substr(start, at - start)));
    proxy.authorization = "Basic " + to_base64(as_bytes(user));
    text.erase(start, at + 1 - start);
  }
  Result<Url> parsed = parse_url(text);
  if (!parsed.ok() || parsed->scheme != "http") {
    return Error(Code::kUsage, url.scheme + "_proxy is no http:// address");
  }
  proxy.url = std::move(parsed).value();
  return std::optional<Proxy>(std::move(proxy));
}

}  // namespace oree
