// SPDX-License-Identifier: Apache-2.0
#include "core/io/fake/fake_http.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/limits.h"

namespace oree {
namespace {

std::string header(const HttpRequest& request, std::string_view name) {
  for (const auto& [key, value] : request.headers) {
    bool same = std::equal(key.begin(), key.end(), name.begin(), name.end(),
                           [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a - 'A' + 'a' : a) == b; });
    if (same) return value;
  }
  return "";
}

}  // namespace

HttpResponse answer_range(const HttpRequest& request, const std::string& content) {
  HttpResponse r{200, {{"accept-ranges", "bytes"}}, content};
  std::string range = header(request, "range");
  unsigned long long from = 0;
  unsigned long long to = content.empty() ? 0 : content.size() - 1;
  int fields = std::sscanf(range.c_str(), "bytes=%llu-%llu", &from, &to);
  if (fields >= 1) {
    if (from >= content.size()) {
      return {416, {{"content-range", fmt::format("bytes */{}", content.size())}, {"content-length", "0"}}, ""};
    }
    to = std::min<unsigned long long>(to, content.size() - 1);
    r.status = 206;
    r.headers["content-range"] = fmt::format("bytes {}-{}/{}", from, to, content.size());
    r.body = to < from ? "" : content.substr(from, to - from + 1);
  }
  r.headers["content-length"] = std::to_string(r.body.size());
  return r;
}

void FakeHttp::on(const std::string& url_prefix, Handler handler) {
  std::erase_if(routes_, [&](const Route& r) { return r.prefix == url_prefix; });
  routes_.push_back({url_prefix, std::move(handler)});
}

void FakeHttp::serve(const std::string& url, std::string content) {
  on(url, [content = std::move(content)](const HttpRequest& request) -> Result<HttpResponse> {
    return answer_range(request, content);
  });
}

Result<HttpResponse> FakeHttp::send(const HttpRequest& request, const HttpHead& head, const HttpSink& sink) {
  requests.push_back(request);
  if (offline_) return Error(Code::kUnavailable, request.url + ": network is unreachable");
  const Route* best = nullptr;
  for (const Route& r : routes_) {
    if (request.url.starts_with(r.prefix) && (!best || r.prefix.size() > best->prefix.size())) best = &r;
  }
  if (!best) return Error(Code::kUnavailable, request.url + ": no such server");
  HttpRequest full = request;
  if (!request.body_file.empty()) {
    if (!files_) return Error(Code::kNotFound, request.body_file);
    OREE_TRY_ASSIGN(Bytes body, files_->read(request.body_file, kBundleBytesMax));
    full.body = as_text(body);
  }
  OREE_TRY_ASSIGN(HttpResponse answer, best->handler(full));
  std::string body = std::move(answer.body);
  answer.body.clear();
  if (head) OREE_TRY(head(answer));
  std::optional<int64_t> cut = std::exchange(cut_after_, std::nullopt);
  bool is_cut = cut && *cut < static_cast<int64_t>(body.size());
  if (is_cut) body.resize(static_cast<size_t>(*cut));
  for (size_t i = 0; sink && i < body.size(); i += chunk_bytes_) {
    OREE_TRY(sink(as_bytes(std::string_view(body).substr(i, chunk_bytes_))));
  }
  if (is_cut) return Error(Code::kUnavailable, request.url + ": connection was cut");
  if (!sink) answer.body = std::move(body);
  return answer;
}

}  // namespace oree
