// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "core/base/text.h"
#include "core/io/http.h"

namespace oree {
namespace {

constexpr size_t kUrlBytesMax = 8 << 10;

Error bad(std::string_view what) { return Error(Code::kInvalid, fmt::format("URL: {}", what)); }

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool unreserved(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
         c == '_' || c == '~';
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

Result<int> parse_port(std::string_view text) {
  int port = 0;
  if (text.empty() || text.size() > 5) return bad("port is not 1 to 65535");
  for (char c : text) {
    if (c < '0' || c > '9') return bad("port is not 1 to 65535");
    port = port * 10 + (c - '0');
  }
  if (port < 1 || port > 65535) return bad("port is not 1 to 65535");
  return port;
}

bool host_characters(std::string_view host, bool ipv6) {
  return !host.empty() && std::all_of(host.begin(), host.end(), [&](char c) {
    return ipv6 ? hex_digit(c) >= 0 || c == ':' || c == '.' : unreserved(c);
  });
}

}  // namespace

Result<Url> parse_url(std::string_view text) {
  if (text.size() > kUrlBytesMax) return bad("longer than 8 KiB");
  // A line break or a blank in a target would let it forge a second request line.
  for (char c : text) {
    if (static_cast<unsigned char>(c) <= 0x20 || c == 0x7f) return bad("has a blank or a control character");
  }
  size_t colon = text.find("://");
  if (colon == std::string_view::npos) return bad("expected http:// or https://");
  Url url;
  url.scheme = lower(text.substr(0, colon));
  if (url.scheme != "http" && url.scheme != "https") return bad("expected http:// or https://");
  url.port = url.scheme == "https" ? 443 : 80;
  text.remove_prefix(colon + 3);
  text = text.substr(0, text.find('#'));  // a fragment is never sent
  size_t end = std::min(text.find_first_of("/?"), text.size());
  std::string_view authority = text.substr(0, end);
  std::string_view rest = text.substr(end);
  url.target = rest.starts_with('/') ? std::string(rest) : "/" + std::string(rest);
  if (authority.find('@') != std::string_view::npos) return bad("a user name or password does not belong in it");
  std::string_view port;
  bool ipv6 = authority.starts_with('[');
  if (ipv6) {
    size_t close = authority.find(']');
    if (close == std::string_view::npos) return bad("IPv6 address lacks ']'");
    url.host = lower(authority.substr(1, close - 1));
    port = authority.substr(close + 1);
    if (!port.empty() && port[0] != ':') return bad("text after the host");
  } else {
    size_t at = std::min(authority.find(':'), authority.size());
    url.host = lower(authority.substr(0, at));
    port = authority.substr(at);
  }
  if (!host_characters(url.host, ipv6)) return bad("host is empty or has a character that no host has");
  if (!port.empty()) {
    OREE_TRY_ASSIGN(url.port, parse_port(port.substr(1)));
  }
  return url;
}

std::string url_encode(std::string_view text) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  std::string out;
  for (char c : text) {
    if (unreserved(c)) {
      out += c;
    } else {
      out += '%';
      out += kDigits[static_cast<unsigned char>(c) >> 4];
      out += kDigits[static_cast<unsigned char>(c) & 15];
    }
  }
  return out;
}

Result<std::string> url_decode(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
    int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
    if (high < 0 || low < 0) return bad(fmt::format("broken escape at offset {}", i));
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return out;
}

std::map<std::string, std::string> parse_query(std::string_view query) {
  std::map<std::string, std::string> out;
  auto decode = [](std::string text) {
    std::replace(text.begin(), text.end(), '+', ' ');  // as HTML forms write a blank
    Result<std::string> decoded = url_decode(text);
    return decoded.ok() ? std::move(decoded).value() : text;
  };
  for (const std::string& part : split(query, '&')) {
    if (part.empty()) continue;
    size_t equals = std::min(part.find('='), part.size());
    out[decode(part.substr(0, equals))] = equals < part.size() ? decode(part.substr(equals + 1)) : "";
  }
  return out;
}

}  // namespace oree
