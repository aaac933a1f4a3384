// SPDX-License-Identifier: Apache-2.0
#include "core/base/limits.h"
#include "fleet/server/fleet_fixture.h"
#include "fleet/server/range.h"

namespace oree {

namespace {

std::string sent(const ServerResponse& r) {
  if (!r.file) return r.body;
  auto bytes = r.file->read_at(r.offset, r.length);
  return bytes.ok() ? std::string(as_text(*bytes)) : "?";
}

const std::string kGoodPath = "/blobs/sha256/" + digest_text(sha256(as_bytes("good")));

// A PUT of "good" of which the n-th file operation fails, and every later one. False when there are not so many.
bool put_failing_at(FleetFixture& f, int64_t n, int& status) {
  int64_t before = f.files.operations();
  f.files.fail_after(n, Error(Code::kUnavailable, "I/O error"));
  status = f.call("PUT", kGoodPath, "good", f.operator_token).status;
  bool reached = f.files.operations() - before >= n;
  f.files.heal();
  return reached;
}

}  // namespace

TEST_CASE("a range is taken as RFC 9110 says") {
  struct Case {
    const char* header;
    RangeKind kind;
    int64_t offset, length;
  };
  const Case cases[] = {{"bytes=0-0", RangeKind::kPart, 0, 1},
                        {"bytes=2-", RangeKind::kPart, 2, 8},
                        {"bytes=-3", RangeKind::kPart, 7, 3},
                        {"bytes=-30", RangeKind::kPart, 0, 10},
                        {"bytes=5-99", RangeKind::kPart, 5, 5},
                        {"bytes= 1 - 2 ", RangeKind::kPart, 1, 2},
                        {"bytes=10-", RangeKind::kUnsatisfiable, 0, 0},
                        {"bytes=-0", RangeKind::kUnsatisfiable, 0, 0},
                        {"bytes=99-100", RangeKind::kUnsatisfiable, 0, 0},
                        {"bytes=3-2", RangeKind::kWhole, 0, 10},
                        {"bytes=0-1,4-5", RangeKind::kWhole, 0, 10},
                        {"items=0-1", RangeKind::kWhole, 0, 10},
                        {"bytes=a-b", RangeKind::kWhole, 0, 10},
                        {"bytes=-", RangeKind::kWhole, 0, 10},
                        {"", RangeKind::kWhole, 0, 10},
                        {"bytes=+1-2", RangeKind::kWhole, 0, 10},
                        {"bytes=0-99999999999999999999999", RangeKind::kPart, 0, 10}};
  for (const Case& c : cases) {
    INFO(c.header);
    ByteRange range = parse_range(c.header, 10);
    CHECK(range.kind == c.kind);
    CHECK(range.offset == c.offset);
    CHECK(range.length == c.length);
  }
  CHECK(parse_range("bytes=0-", 0).kind == RangeKind::kUnsatisfiable);
}

TEST_CASE("a blob is sent whole, in part, or not again") {
  FleetFixture f;
  std::string digest = f.put_blob("0123456789"), path = "/blobs/sha256/" + digest, tag = "\"" + digest + "\"";
  ServerResponse whole = f.call("GET", path);
  CHECK(sent(whole) == "0123456789");
  CHECK(whole.headers.at("etag") == tag);
  CHECK(f.call("HEAD", path).length == 10);
  ServerResponse part = f.call("GET", path, "", "", {{"range", "bytes=2-4"}});
  CHECK(part.status == 206);
  CHECK(part.headers.at("content-range") == "bytes 2-4/10");
  CHECK(sent(part) == "234");
  ServerResponse past = f.call("GET", path, "", "", {{"range", "bytes=10-"}});
  CHECK(past.status == 416);
  CHECK(past.headers.at("content-range") == "bytes */10");
  CHECK(f.call("GET", path, "", "", {{"range", "bytes=2-4"}, {"if-range", tag}}).status == 206);
  CHECK(f.call("GET", path, "", "", {{"range", "bytes=2-4"}, {"if-range", "\"other\""}}).status == 200);
  CHECK(f.call("GET", path, "", "", {{"range", "bytes=2-4"}, {"if-range", "W/" + tag}}).status == 200);
  CHECK(f.call("GET", path, "", "", {{"if-none-match", "\"x\", " + tag}}).status == 304);
  CHECK(f.call("GET", path, "", "", {{"if-none-match", "*"}}).status == 304);
  CHECK(f.call("GET", "/blobs/sha256/" + std::string(64, '0')).status == 404);
  CHECK(f.call("GET", "/blobs/sha256/..%2f..%2foperator.token").status == 400);
  CHECK(f.call("GET", "/blobs/sha256/" + digest.substr(1)).status == 400);
}

TEST_CASE("a blob is stored only when its bytes have the digest") {
  FleetFixture f;
  std::string digest = digest_text(sha256(as_bytes("good"))), path = "/blobs/sha256/" + digest;
  CHECK(f.call("PUT", path, "evil", f.operator_token).status == 422);
  CHECK(f.call("GET", path).status == 404);
  CHECK(f.files.list("data/uploads")->empty());
  CHECK(f.call("PUT", path, "good", f.operator_token).status == 201);
  CHECK(f.call("PUT", path, "good", f.operator_token).status == 200);
  CHECK(f.call("PUT", path, "evil", f.operator_token).status == 422);
  CHECK(sent(f.call("GET", path)) == "good");
  CHECK(f.call("PUT", path, "good").status == 401);
  CHECK(f.call("PUT", path, "good", f.add_device("a")).status == 403);
}

TEST_CASE("a cut upload leaves nothing, also over a crash") {
  FleetFixture f;
  std::string path = "/blobs/sha256/" + digest_text(sha256(as_bytes("good")));
  ServerRequest head{"PUT", path, {{"authorization", "Bearer " + f.operator_token}}, "192.0.2.1"};
  {
    RequestPlan plan = f.server->begin(head);
    REQUIRE(plan.sink);
    CHECK(!plan.sink->write(as_bytes("go")));
    CHECK(f.files.list("data/uploads")->size() == 1);
  }
  CHECK(f.files.list("data/uploads")->empty());
  f.files.put("data/uploads/left.part", "by a killed process");
  f.restart();
  CHECK(f.files.list("data/uploads")->empty());
  f.put_blob("good");
  f.files.crash();
  f.restart();
  CHECK(sent(f.call("GET", path)) == "good");
}

TEST_CASE("a power cut at any step of an upload leaves the whole blob or none") {
  for (int64_t n = 1;; ++n) {
    REQUIRE(n < 100);
    FleetFixture f;
    int status = 0;
    bool reached = put_failing_at(f, n, status);
    f.files.crash();
    f.restart();
    ServerResponse after = f.call("GET", kGoodPath);
    CHECK((sent(after) == "good" || (status != 201 && after.status == 404)));
    CHECK(f.files.list("data/uploads")->empty());
    if (!reached) break;
  }
}

TEST_CASE("what a retried upload acknowledges lasts, whichever step of the first one failed") {
  for (int64_t n = 1;; ++n) {
    REQUIRE(n < 100);
    FleetFixture f;
    int status = 0;
    bool reached = put_failing_at(f, n, status);
    CHECK(f.publish("detector", "1.0", "good") == 201);
    f.files.crash();
    f.restart();
    CHECK(sent(f.call("GET", kGoodPath)) == "good");
    if (!reached) break;
  }
}

TEST_CASE("a full disk refuses blobs before and while they arrive") {
  FleetFixture f;
  std::string path = "/blobs/sha256/" + digest_text(sha256(as_bytes("good")));
  f.files.set_free_bytes(1000);
  CHECK(f.call("PUT", path, "good", f.operator_token).status == 507);
  f.files.set_free_bytes(kServerDiskReserveBytes + 1000);
  CHECK(f.call("PUT", path, "good", f.operator_token, {{"content-length", "2000"}}).status == 507);
  CHECK(f.call("PUT", path, "good", f.operator_token, {{"content-length", "99999999999999999999"}}).status == 201);
}

TEST_CASE("only so many uploads at once") {
  FleetFixture f;
  std::vector<RequestPlan> running;
  auto begin = [&](int i) {
    std::string digest = digest_text(sha256(as_bytes(std::to_string(i))));
    return f.server->begin(
        {"PUT", "/blobs/sha256/" + digest, {{"authorization", "Bearer " + f.operator_token}}, "192.0.2.1"});
  };
  for (int i = 0; i < kServerUploadsMax; ++i) {
    running.push_back(begin(i));
    CHECK(running.back().sink);
  }
  RequestPlan one_more = begin(99);
  REQUIRE(one_more.answer);
  CHECK(one_more.answer->status == 503);
  running.clear();
  CHECK(begin(99).sink);
}

}  // namespace oree
