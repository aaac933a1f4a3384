// SPDX-License-Identifier: Apache-2.0
#include "core/codec/protobuf_writer.h"

#include <doctest/doctest.h>

#include "core/codec/protobuf.h"

namespace oree {
namespace {

TEST_CASE("a message is written as the format's documentation has it") {
  ProtoWriter w;
  w.number(1, 150);
  w.text(2, "testing");
  w.begin(3);
  w.number(1, 150);
  w.end();
  w.packed(4, std::vector<int64_t>{3, 270, 86942});
  Bytes out;
  w.append_to(out);
  CHECK(to_hex(out) ==
        "089601"
        "120774657374696e67"
        "1a03089601"
        "2206038e029ea705");
  CHECK(w.size() == out.size());
}

TEST_CASE("lengths of nested messages are right at every size of a length") {
  // The longer the inner message, the more bytes its length takes, and that of all around it.
  for (size_t size : {0u, 1u, 125u, 126u, 127u, 128u, 300u, 16381u, 16384u, 70000u}) {
    CAPTURE(size);
    Bytes payload(size, 0x5a);
    ProtoWriter w;
    w.begin(1);
    w.number(9, -1);
    w.begin(2);
    w.bytes(3, payload);
    w.end();
    w.text(4, "after");
    w.end();
    Bytes out;
    w.append_to(out);
    CHECK(w.size() == out.size());
    ProtoField outer, field;
    ProtoReader reader(out);
    REQUIRE(reader.next(outer).value());
    CHECK(outer.whole.size() == out.size());
    ProtoReader inner(outer.bytes);
    REQUIRE(inner.next(field).value());
    CHECK(field.as_int() == -1);
    REQUIRE(inner.next(field).value());
    ProtoField deep;
    REQUIRE(ProtoReader(field.bytes).next(deep).value());
    CHECK(Bytes(deep.bytes.begin(), deep.bytes.end()) == payload);
    REQUIRE(inner.next(field).value());
    CHECK(field.as_string() == "after");
    CHECK_FALSE(inner.next(field).value());
  }
}

TEST_CASE("large bytes are handed on, not copied") {
  Bytes payload(100000, 1);
  ProtoWriter w;
  w.bytes(1, payload);
  bool seen = false;
  REQUIRE(w.write_to([&](ByteView part) -> Status {
             seen = seen || part.data() == payload.data();
             return {};
           }).ok());
  CHECK(seen);
}

}  // namespace
}  // namespace oree
