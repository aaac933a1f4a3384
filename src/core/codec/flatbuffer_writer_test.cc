// SPDX-License-Identifier: Apache-2.0
#include "core/codec/flatbuffer_writer.h"

#include <doctest/doctest.h>

#include "core/codec/flatbuffer.h"

namespace oree {

TEST_CASE("what is written as a flatbuffer reads back") {
  FlatbufferWriter w;
  Bytes weights{1, 2, 3, 4, 5};
  auto name = w.string("model");
  auto data = w.bytes(weights, 16);
  std::vector<int64_t> numbers{-1, INT64_MAX};
  auto list = w.vector<int64_t>(numbers);
  auto inner = w.table();
  w.scalar<int8_t>(inner, 1, -7);
  w.scalar<int8_t>(inner, 2, 3, 3);  // the default
  w.child(inner, 0, data);
  auto inners = w.tables(std::vector<FlatbufferWriter::Object>{inner, inner});
  auto root = w.table();
  w.scalar<uint32_t>(root, 0, 3);
  w.child(root, 3, name);
  w.child(root, 5, inners);
  w.child(root, 7, list);
  w.scalar<double>(root, 2, 0.5);
  w.scalar<bool>(root, 9, true);
  Bytes file = w.finish(root, "TEST").value();

  FlatTable table = FlatTable::root(file, "TEST").value();
  CHECK(table.fields_inside());
  CHECK(table.scalar<uint32_t>(0, 0).value() == 3);
  CHECK(table.scalar<double>(2, 0).value() == 0.5);
  CHECK(table.scalar<uint8_t>(9, 0).value() == 1);
  CHECK(!table.has(1));
  CHECK(!table.has(100));
  CHECK(table.string(3).value() == "model");
  CHECK(table.string(3)->data()[5] == 0);
  FlatVector read_list = table.vector(7, 8).value();
  CHECK(read_list.at<int64_t>(0) == -1);
  CHECK(read_list.at<int64_t>(1) == INT64_MAX);
  CHECK((read_list.bytes().data() - file.data()) % 8 == 0);
  FlatVector tables = table.vector(5, 4).value();
  REQUIRE(tables.size() == 2);
  FlatTable second = tables.table(1).value();
  CHECK(second.scalar<int8_t>(1, 0).value() == -7);
  CHECK(!second.has(2));
  ByteView bytes = second.vector(0, 1)->bytes();
  CHECK(Bytes(bytes.begin(), bytes.end()) == weights);
  CHECK((bytes.data() - file.data()) % 16 == 0);
}

TEST_CASE("tables of one form share their vtable") {
  auto size_of = [](size_t count) {
    FlatbufferWriter w;
    std::vector<FlatbufferWriter::Object> list;
    for (size_t i = 0; i < count; ++i) {
      list.push_back(w.table());
      w.scalar<int32_t>(list.back(), 0, static_cast<int32_t>(i + 1));
    }
    auto all = w.tables(list);
    auto root = w.table();
    w.child(root, 0, all);
    return w.finish(root, "TEST")->size();
  };
  // Each further one costs itself (8 bytes) and the offset to it.
  CHECK(size_of(1000) - size_of(500) == 500 * (8 + 4));
}

TEST_CASE("an empty table and an empty vector are there") {
  FlatbufferWriter w;
  auto empty = w.table();
  auto none = w.tables({});
  auto root = w.table();
  w.child(root, 0, empty);
  w.child(root, 1, none);
  Bytes file = w.finish(root, "TEST").value();
  FlatTable table = FlatTable::root(file, "TEST").value();
  CHECK(table.table(0)->has_value());
  CHECK(table.has(1));
  CHECK(table.vector(1, 4)->size() == 0);
}

}  // namespace oree
