// SPDX-License-Identifier: Apache-2.0
#include "device/agent/download.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "core/base/limits.h"
#include "core/base/text.h"
#include "core/digest/file_digest.h"

namespace oree {
namespace {

DownloadResult done() { return {DownloadResult::kDone, "", ""}; }
DownloadResult more() { return {DownloadResult::kMore, "", ""}; }
DownloadResult retry(std::string detail) { return {DownloadResult::kRetry, "", std::move(detail)}; }
DownloadResult failed(std::string reason, std::string detail) {
  return {DownloadResult::kFailed, std::move(reason), std::move(detail)};
}

DownloadResult of_file_error(const Error& error) {
  return error.code() == Code::kExhausted ? failed("disk_full", error.message()) : retry(error.message());
}

const std::string* header(const HttpResponse& response, const char* name) {
  auto found = response.headers.find(name);
  return found == response.headers.end() ? nullptr : &found->second;
}

std::optional<int64_t> number(std::string_view text) {
  int64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0) return std::nullopt;
  return value;
}

struct ContentRange {
  int64_t first = 0, total = 0;
};

// "bytes 100-199/200" (RFC 9110, section 14.4).
std::optional<ContentRange> parse_content_range(std::string_view text) {
  if (!text.starts_with("bytes ")) return std::nullopt;
  text.remove_prefix(6);
  size_t dash = text.find('-'), slash = text.find('/');
  if (dash == std::string_view::npos || slash == std::string_view::npos || dash > slash) return std::nullopt;
  auto first = number(text.substr(0, dash)), total = number(text.substr(slash + 1));
  if (!first || !total) return std::nullopt;
  return ContentRange{*first, *total};
}

class Slice {
 public:
  Slice(Clock& clock, Files& files, HttpClient& http, const DownloadRequest& request, DownloadSignals& signals)
      : clock_(clock), files_(files), http_(http), r_(request), signals_(signals) {}

  DownloadResult run() {
    auto info = files_.info(r_.part);
    have_ = info.ok() ? info->size : 0;
    if (have_ > r_.size) {
      // Not ours, or of another announcement.
      if (auto s = forget(); !s.ok()) return retry(s.error().message());
    }
    signals_.bytes = have_;
    if (have_ == r_.size) return check();
    if (auto full = preflight()) return *full;
    std::string folder = path_parent(r_.part);
    if (auto s = files_.make_dirs(folder); !s.ok()) return of_file_error(s.error());
    if (auto s = files_.sync_dir(path_parent(folder)); !s.ok()) return of_file_error(s.error());
    DownloadResult result = fetch();
    file_.reset();
    signals_.bytes = have_;
    if (result.kind == DownloadResult::kDone) return check();
    return result;
  }

 private:
  std::string etag_path() const { return r_.part + ".etag"; }

  Status forget() {
    OREE_TRY(files_.remove(etag_path()));
    OREE_TRY(files_.remove(r_.part));
    have_ = 0;
    return {};
  }

  std::optional<DownloadResult> preflight() {
    auto space = files_.free_bytes(path_parent(path_parent(r_.part)));
    if (!space.ok()) return std::nullopt;  // a file system that does not tell: the write will
    int64_t need = r_.size - have_ + r_.unpacked_bytes + r_.reserve_bytes;
    if (*space >= need) return std::nullopt;
    return failed("disk_full", fmt::format("the update needs {}, {} are free", human_bytes(need), human_bytes(*space)));
  }

  DownloadResult check() {
    auto digest = file_digest(files_, r_.part);
    if (!digest.ok()) return retry(digest.error().message());
    if (*digest == r_.digest) {
      // Only synced bytes are "there": the journal is about to say so.
      auto file = files_.append(r_.part);
      if (!file.ok()) return of_file_error(file.error());
      if (auto s = (*file)->sync(); !s.ok()) return of_file_error(s.error());
      if (auto s = files_.sync_dir(path_parent(r_.part)); !s.ok()) return of_file_error(s.error());
      return done();
    }
    if (auto s = forget(); !s.ok()) return retry(s.error().message());
    return failed("digest", fmt::format("the download has digest {} but {} was announced", *digest, r_.digest));
  }

  HttpRequest request(const std::string& url) {
    HttpRequest request;
    request.url = url;
    request.timeout_ms = r_.timeout_ms;
    request.headers["Accept-Encoding"] = "identity";
    if (!r_.token.empty() && same_origin(url, r_.origin)) request.headers["Authorization"] = "Bearer " + r_.token;
    if (have_ > 0) {
      request.headers["Range"] = fmt::format("bytes={}-", have_);
      // If the server's content changed meanwhile it answers 200 and the whole of it, instead of a tail that does not
      // fit.
      auto etag = files_.read(etag_path(), 1024);
      if (etag.ok() && !etag->empty()) request.headers["If-Range"] = std::string(as_text(*etag));
    }
    return request;
  }

  DownloadResult fetch() {
    std::string url = r_.url;
    for (int hop = 0; hop <= kRedirectsMax; ++hop) {
      verdict_.reset();
      wanted_ = false;
      started_ns_ = clock_.monotonic_ns();
      auto response = http_.send(
          request(url), [&](const HttpResponse& head) { return on_head(head); },
          [&](ByteView chunk) { return on_chunk(chunk); });
      Status synced = flush();
      if (verdict_) return *verdict_;
      if (!synced.ok()) return of_file_error(synced.error());
      if (!response.ok()) return received_ >= kDownloadChunkBytes ? more() : retry(response.error().message());
      if (wanted_) return have_ == r_.size ? done() : retry("the connection was cut");
      const std::string* location = header(*response, "location");
      bool redirect = response->status >= 301 && response->status <= 308 && response->status != 304;
      if (!redirect || location == nullptr) return refuse_status(response->status);
      url = absolute(*location, url);
    }
    return failed("download_refused", "too many redirects");
  }

  static std::string absolute(const std::string& location, const std::string& base) {
    auto url = parse_url(base);
    if (!location.starts_with('/') || !url.ok()) return location;
    return fmt::format("{}://{}:{}{}", url->scheme, url->host, url->port, location);
  }

  DownloadResult refuse_status(int status) {
    if (status == 416) {
      // Our idea of the file and the server's do not fit: begin again.
      if (auto s = forget(); !s.ok()) return retry(s.error().message());
      return retry("the server refused the range");
    }
    std::string detail = fmt::format("the server answered {} to the download", status);
    if (status == 404 || status == 410) return failed("not_found", detail);
    if (status >= 400 && status < 500 && status != 408 && status != 425 && status != 429)
      return failed("download_refused", detail);
    return retry(detail);
  }

  Status stop(DownloadResult result) {
    verdict_ = std::move(result);
    return Error(Code::kConflict, "stopped by the reader");
  }

  // Decides, before a byte is taken, whether and where this body goes.
  Status on_head(const HttpResponse& head) {
    if (head.status == 206) {
      const std::string* text = header(head, "content-range");
      auto range = text == nullptr ? std::nullopt : parse_content_range(*text);
      if (!range || range->first != have_ || range->total != r_.size) {
        std::string found = text == nullptr ? "none" : *text;
        if (auto s = forget(); !s.ok()) return stop(retry(s.error().message()));
        return stop(retry(fmt::format("content range {} does not continue the download", found)));
      }
    } else if (head.status == 200) {
      const std::string* length = header(head, "content-length");
      auto bytes = length == nullptr ? std::nullopt : number(*length);
      if (bytes && *bytes != r_.size) {
        return stop(failed("size", fmt::format("the server sends {} bytes but announced {}", *bytes, r_.size)));
      }
      if (have_ > 0) {
        if (auto s = forget(); !s.ok()) return stop(of_file_error(s.error()));
      }
    } else {
      return {};
    }
    const std::string* etag = header(head, "etag");
    if (have_ == 0 && etag != nullptr && etag->size() <= 512 && etag->starts_with('"')) {
      if (auto s = files_.write_atomic(etag_path(), as_bytes(*etag)); !s.ok()) return stop(of_file_error(s.error()));
    }
    auto file = files_.append(r_.part);
    if (!file.ok()) return stop(of_file_error(file.error()));
    file_ = std::move(file).value();
    // The name too must survive, or a resume over a power cut finds nothing.
    if (have_ == 0) {
      if (auto s = files_.sync_dir(path_parent(r_.part)); !s.ok()) return stop(of_file_error(s.error()));
    }
    wanted_ = true;
    return {};
  }

  Status on_chunk(ByteView chunk) {
    if (!wanted_) return {};  // the text of an error page
    if (have_ + static_cast<int64_t>(chunk.size()) > r_.size) {
      if (auto s = forget(); !s.ok()) return stop(retry(s.error().message()));
      return stop(failed("size", fmt::format("the server sends more than the {} bytes it announced", r_.size)));
    }
    if (auto s = file_->write(chunk); !s.ok()) {
      file_.reset();
      // A partial write would leave the file at an unknown length; its true one is asked at the next go.
      if (s.error().code() == Code::kExhausted) (void)forget();
      return stop(of_file_error(s.error()));
    }
    have_ += static_cast<int64_t>(chunk.size());
    received_ += static_cast<int64_t>(chunk.size());
    unsynced_ += static_cast<int64_t>(chunk.size());
    signals_.bytes = have_;
    if (unsynced_ >= kDownloadSyncBytes) {
      if (auto s = flush(); !s.ok()) return stop(of_file_error(s.error()));
    }
    return pace();
  }

  Status flush() {
    if (file_ == nullptr || unsynced_ == 0) return {};
    unsynced_ = 0;
    return file_->sync();
  }

  Status pace() {
    int64_t elapsed_ms = (clock_.monotonic_ns() - started_ns_) / 1'000'000;
    if (r_.bytes_per_s > 0) {
      int64_t due_ms = received_ * 1000 / r_.bytes_per_s;
      if (due_ms > elapsed_ms) clock_.sleep_ms(std::min<int64_t>(due_ms - elapsed_ms, 1000));
    }
    if (signals_.stop) return stop(more());
    if (elapsed_ms >= r_.slice_ms && have_ < r_.size) return stop(more());
    return {};
  }

  Clock& clock_;
  Files& files_;
  HttpClient& http_;
  const DownloadRequest& r_;
  DownloadSignals& signals_;
  std::unique_ptr<WriteFile> file_;
  std::optional<DownloadResult> verdict_;  // set by a callback that stopped the transfer
  bool wanted_ = false;                    // the body is the bundle's
  int64_t have_ = 0, received_ = 0, unsynced_ = 0, started_ns_ = 0;
};

}  // namespace

DownloadResult download_slice(Clock& clock, Files& files, HttpClient& http, const DownloadRequest& request,
                              DownloadSignals& signals) {
  return Slice(clock, files, http, request, signals).run();
}

bool same_origin(const std::string& url, const std::string& origin) {
  auto a = parse_url(url), b = parse_url(origin);
  return a.ok() && b.ok() && a->scheme == b->scheme && a->host == b->host && a->port == b->port;
}

}  // namespace oree
