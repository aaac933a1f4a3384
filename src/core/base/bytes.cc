// SPDX-License-Identifier: Apache-2.0
#include "core/base/bytes.h"

#include <fmt/format.h>

namespace oree {
namespace {

constexpr char kHex[] = "0123456789abcdef";
constexpr char kBase64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

int base64_digit(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+') return 62;
  if (c == '/') return 63;
  return -1;
}

}  // namespace

std::string to_hex(ByteView bytes) {
  std::string out;
  out.reserve(bytes.size() * 2);
  for (uint8_t b : bytes) {
    out += kHex[b >> 4];
    out += kHex[b & 15];
  }
  return out;
}

Result<Bytes> from_hex(std::string_view text) {
  if (text.size() % 2 != 0) {
    return Error(Code::kInvalid, fmt::format("hex text has an odd length of {} characters", text.size()));
  }
  Bytes out;
  out.reserve(text.size() / 2);
  for (size_t i = 0; i < text.size(); i += 2) {
    int hi = hex_digit(text[i]);
    int lo = hex_digit(text[i + 1]);
    if (hi < 0 || lo < 0) return Error(Code::kInvalid, fmt::format("not a hex digit at offset {}", hi < 0 ? i : i + 1));
    out.push_back(static_cast<uint8_t>(hi * 16 + lo));
  }
  return out;
}

std::string to_base64(ByteView bytes) {
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    size_t left = bytes.size() - i;
    uint32_t v = static_cast<uint32_t>(bytes[i]) << 16;
    if (left > 1) v |= static_cast<uint32_t>(bytes[i + 1]) << 8;
    if (left > 2) v |= bytes[i + 2];
    out += kBase64[v >> 18];
    out += kBase64[(v >> 12) & 63];
    out += left > 1 ? kBase64[(v >> 6) & 63] : '=';
    out += left > 2 ? kBase64[v & 63] : '=';
  }
  return out;
}

Result<Bytes> from_base64(std::string_view text) {
  if (text.size() % 4 != 0) {
    return Error(Code::kInvalid, fmt::format("base64 text of {} characters is not a multiple of 4", text.size()));
  }
  Bytes out;
  out.reserve(text.size() / 4 * 3);
  for (size_t i = 0; i < text.size(); i += 4) {
    bool last = i + 4 == text.size();
    int pad = last ? (text[i + 3] == '=') + (text[i + 3] == '=' && text[i + 2] == '=') : 0;
    uint32_t v = 0;
    for (size_t k = 0; k < 4; ++k) {
      bool padded = k >= 4 - static_cast<size_t>(pad);
      int d = padded ? 0 : base64_digit(text[i + k]);
      if (d < 0) return Error(Code::kInvalid, fmt::format("not a base64 character at offset {}", i + k));
      v = (v << 6) | static_cast<uint32_t>(d);
    }
    // The bits that padding throws away must be zero, else two texts would mean the same bytes.
    if ((pad == 1 && (v & 0xff) != 0) || (pad == 2 && (v & 0xffff) != 0)) {
      return Error(Code::kInvalid, "base64 padding carries bits");
    }
    out.push_back(static_cast<uint8_t>(v >> 16));
    if (pad < 2) out.push_back(static_cast<uint8_t>(v >> 8));
    if (pad < 1) out.push_back(static_cast<uint8_t>(v));
  }
  return out;
}

}  // namespace oree
