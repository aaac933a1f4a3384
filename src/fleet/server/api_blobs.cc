// SPDX-License-Identifier: Apache-2.0
// /blobs/sha256/{hex}: bytes by digest, in and out.
#include "core/base/limits.h"
#include "core/crypto/crypto.h"
#include "fleet/server/range.h"
#include "fleet/server/router.h"

namespace oree {
namespace {

Result<std::string> digest_param(const Call& call) {
  const std::string& hex = call.param("hex");
  auto digest = parse_digest(hex);
  if (hex.size() != 64 || !digest.ok()) return Error(Code::kInvalid, "digest: expected 64 hex digits");
  return digest_text(*digest);
}

// True when an If-None-Match or If-Range list names this strong entity tag (or "*", where that is allowed).
bool names_tag(const std::string& header, const std::string& tag, bool star) {
  for (size_t at = header.find(tag); at != std::string::npos; at = header.find(tag, at + 1)) {
    bool weak = at >= 2 && header.compare(at - 2, 2, "W/") == 0;
    if (!weak || star) return true;  // If-None-Match compares weakly, If-Range strongly
  }
  return star && header == "*";
}

ServerResponse get_blob(Fleet& fleet, const Call& call) {
  OREE_ANSWER(std::string digest, digest_param(call));
  OREE_ANSWER(auto file, fleet.blobs.read(digest));
  std::string tag = "\"" + digest + "\"";
  ServerResponse r;
  r.headers = {{"accept-ranges", "bytes"},
               {"etag", tag},
               {"content-type", "application/octet-stream"},
               {"cache-control", fleet.options.private_reads ? "private, immutable, max-age=31536000"
                                                             : "public, immutable, max-age=31536000"}};
  if (names_tag(call.header("if-none-match"), tag, true)) {
    r.status = 304;
    return r;
  }
  int64_t size = file->size();
  ByteRange range{RangeKind::kWhole, 0, size};
  std::string if_range = call.header("if-range");
  if (call.request.method == "GET" && (if_range.empty() || names_tag(if_range, tag, false))) {
    range = parse_range(call.header("range"), size);
  }
  if (range.kind == RangeKind::kUnsatisfiable) {
    r = error_response(416, "invalid", "the range lies past the end of " + std::to_string(size) + " bytes");
    r.headers["content-range"] = "bytes */" + std::to_string(size);
    return r;
  }
  if (range.kind == RangeKind::kPart) {
    r.status = 206;
    r.headers["content-range"] = "bytes " + std::to_string(range.offset) + "-" +
                                 std::to_string(range.offset + range.length - 1) + "/" + std::to_string(size);
  } else {
    range = {RangeKind::kWhole, 0, size};
  }
  r.file = std::move(file);
  r.offset = range.offset;
  r.length = range.length;
  return r;
}

class BlobSink : public RequestSink {
 public:
  BlobSink(Fleet& fleet, std::string digest, std::unique_ptr<BlobStore::Upload> upload)
      : fleet_(fleet), digest_(std::move(digest)), upload_(std::move(upload)) {}
  std::optional<ServerResponse> write(ByteView chunk) override {
    size_ += static_cast<int64_t>(chunk.size());
    if (Status written = upload_->write(chunk); !written.ok()) return error_response(written.error());
    return std::nullopt;
  }
  ServerResponse finish() override {
    OREE_ANSWER(bool fresh, upload_->finish());
    OREE_CHECK(fleet_.collector.received(digest_));
    return json_response(fresh ? 201 : 200, Json().set("digest", digest_).set("size", size_));
  }

 private:
  Fleet& fleet_;
  std::string digest_;
  std::unique_ptr<BlobStore::Upload> upload_;
  int64_t size_ = 0;
};

RequestPlan put_blob(Fleet& fleet, const Call& call) {
  RequestPlan plan;
  auto digest = digest_param(call);
  if (!digest.ok()) {
    plan.answer = error_response(digest.error());
    return plan;
  }
  // The port has checked the header; a text that is no number is a chunked body of unknown size.
  std::string length = call.header("content-length");
  int64_t hint = length.empty() || length.size() > 18 || length.find_first_not_of("0123456789") != std::string::npos
                     ? 0
                     : std::stoll(length);
  auto upload = fleet.blobs.begin(*digest, std::min(hint, kBundleBytesMax));
  if (!upload.ok()) {
    plan.answer = error_response(upload.error());
    return plan;
  }
  plan.body_bytes_max = kBundleBytesMax;
  plan.sink = std::make_unique<BlobSink>(fleet, *digest, std::move(*upload));
  return plan;
}

}  // namespace

void add_blob_routes(Router& router) {
  const std::string blob = std::string(kPathBlobs) + "{hex}";
  router.add(
      "GET", blob, Access::kRead, get_blob,
      {"getBlob", "The bytes with this SHA-256. HEAD, If-None-Match and one byte range with If-Range are supported.",
       "blobs"},
      {{200, "All of it; ETag is the digest", "", "application/octet-stream"},
       {206, "The range that was asked for", "", "application/octet-stream"},
       {304, "If-None-Match names the digest", "", ""},
       {400, "Not a digest", "Error"},
       {404, "Not here", "Error"},
       {416, "The range lies past the end", "Error"}});
  Route& put = router.add("PUT", blob, Access::kOperator, nullptr,
                          {"putBlob",
                           "Store the bytes with this SHA-256. A cut upload leaves nothing behind. What no release "
                           "names within the server's grace time (a day) is deleted.",
                           "blobs"},
                          {{200, "Was here already", "Blob"},
                           {201, "Stored", "Blob"},
                           {400, "Not a digest", "Error"},
                           {422, "The bytes have another digest", "Error"},
                           {503, "Too many uploads at once", "Error"},
                           {507, "The server's disk is full", "Error"}});
  put.stream = put_blob;
  put.body_bytes_max = kBundleBytesMax;
}

}  // namespace oree
