// SPDX-License-Identifier: Apache-2.0
#include "core/codec/npy_file.h"

#include <doctest/doctest.h>
#include <zlib.h>

#include <cmath>
#include <numeric>

#include "core/codec/little_endian.h"
#include "core/codec/npy.h"

using namespace oree;

namespace {

// Written by NumPy 2.4.6, savez_compressed: a = arange(60, float32) * 0.25 - 3 as 10x3x2, labels = arange(10, uint8).
constexpr const char* kCompressed =
    "UEsDBC0AAAAIAAAAIQA9hLcD//////////8FABQAYS5ucHkBABAAcAEAAAAAAADPAAAAAAAAAJ3MrW/CYBDH8VsysZAJBGJi4sSSB5JHlBexkGYU"
    "g4PUTExBQ0sQyyDtgiEklcglM5OVyEkUVE4iJysnJ5H7wp+wSz738hP3Pnjs+08XspClCaNkHJu2GnfSMlbNZBa/xsHLcBaH0SnvBc9JRJ5Mg3nE"
    "Xa07VptWGzWrK/1XlUS8XMSBogxBsWcgQwoPctp3cq70gdYhR4oMOQqIxx8oHHjwMcIcKdZ4wwcybPCJLXJ84YBvFPjBL46QrsglrnCNMiq4wS0U"
    "d6jCwkEL93C7f1BLAwQtAAAACAAAACEAGcynOP//////////CgAUAGxhYmVscy5ucHkBABAAigAAAAAAAABPAAAAAAAAAJvsF+obEMnIUMZQrZ6S"
    "WpxcpG6loF5Taqiuo6Cell9UUpSYF59flJIKEndLzClOBYoXZyQWpAL5GoYGOpo6CrUK5AMuBkYmZhZWNnYOTgBQSwECLQMtAAAACAAAACEAPYS3"
    "A88AAABwAQAABQAAAAAAAAAAAAAAgAEAAAAAYS5ucHlQSwECLQMtAAAACAAAACEAGcynOE8AAACKAAAACgAAAAAAAAAAAAAAgAEGAQAAbGFiZWxz"
    "Lm5weVBLBQYAAAAAAgACAGsAAACRAQAAAAA=";

// Counts what is asked of it.
struct Counted {
  explicit Counted(Bytes content) : bytes(std::move(content)) {}
  ByteSource source() {
    ByteSource inner = source_of(bytes);
    return {[this, inner](int64_t offset, int64_t size) {
              read += size;
              largest = std::max(largest, size);
              return inner.read_at(offset, size);
            },
            inner.size};
  }
  Bytes bytes;
  int64_t read = 0, largest = 0;
};

Tensor waves(int64_t rows, int64_t columns) {
  Tensor t(Dtype::kFloat32, {rows, columns});
  for (size_t i = 0; i < t.as<float>().size(); ++i) t.as<float>()[i] = std::sin(static_cast<float>(i) * 0.37F);
  return t;
}

Tensor slice(const Tensor& all, int64_t first, int64_t count) {
  Shape shape = all.shape();
  shape[0] = count;
  Tensor out(all.dtype(), shape);
  int64_t row = static_cast<int64_t>(all.byte_size()) / all.shape()[0];
  std::copy_n(all.data() + first * row, out.byte_size(), out.data());
  return out;
}

// One deflated member, as little of zip as that takes.
Bytes deflated_npz(const Tensor& tensor) {
  Bytes plain = write_npy(tensor);
  Bytes packed(compressBound(plain.size()));
  z_stream z{};
  REQUIRE(deflateInit2(&z, 1, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  z.next_in = plain.data();
  z.avail_in = static_cast<uInt>(plain.size());
  z.next_out = packed.data();
  z.avail_out = static_cast<uInt>(packed.size());
  REQUIRE(deflate(&z, Z_FINISH) == Z_STREAM_END);
  packed.resize(z.total_out);
  deflateEnd(&z);
  auto common = [&](Bytes& out) {
    put_le(out, 20, 2);
    put_le(out, 0, 2);
    put_le(out, 8, 2);
    put_le(out, 0, 4);
    put_le(out, crc32_z(0, plain.data(), plain.size()), 4);
    put_le(out, packed.size(), 4);
    put_le(out, plain.size(), 4);
    put_le(out, 5, 2);
    put_le(out, 0, 2);
  };
  std::string_view name = "x.npy";
  Bytes out;
  put_le(out, 0x04034b50, 4);
  common(out);
  out.insert(out.end(), name.begin(), name.end());
  out.insert(out.end(), packed.begin(), packed.end());
  uint64_t start = out.size();
  put_le(out, 0x02014b50, 4);
  put_le(out, 20, 2);
  common(out);
  put_le(out, 0, 6);
  put_le(out, 0, 8);
  out.insert(out.end(), name.begin(), name.end());
  uint64_t size = out.size() - start;
  put_le(out, 0x06054b50, 4);
  put_le(out, 0, 4);
  put_le(out, 1, 2);
  put_le(out, 1, 2);
  put_le(out, size, 4);
  put_le(out, start, 4);
  put_le(out, 0, 2);
  return out;
}

}  // namespace

TEST_CASE("rows of NumPy's deflated arrays are read in any order") {
  auto file = from_base64(kCompressed).value();
  auto arrays = ArrayFile::open_npz(source_of(file));
  REQUIRE(arrays.ok());
  REQUIRE((*arrays)->arrays().size() == 2);
  CHECK((*arrays)->arrays()[0].name == "a");
  CHECK((*arrays)->arrays()[0].shape == Shape{10, 3, 2});
  CHECK((*arrays)->arrays()[1].dtype == Dtype::kUint8);
  for (int64_t row : {0, 3, 9, 2, 2, 8}) {
    CAPTURE(row);
    auto rows = (*arrays)->read_rows(0, row, 1);
    REQUIRE(rows.ok());
    CHECK(rows->shape() == Shape{1, 3, 2});
    for (int64_t i = 0; i < 6; ++i) {
      CHECK(rows->as<float>()[static_cast<size_t>(i)] == static_cast<float>(row * 6 + i) * 0.25F - 3);
    }
    CHECK((*arrays)->read_rows(1, row, 1)->to_doubles() == std::vector<double>{static_cast<double>(row)});
  }
  CHECK((*arrays)->read_rows(1, 4, 3)->to_doubles() == std::vector<double>{4, 5, 6});
  CHECK((*arrays)->read_rows(1, 10, 0)->elements() == 0);
  CHECK((*arrays)->read(0).value() == read_npz(file).value()[0].tensor);
}

TEST_CASE("a row of a stored array costs its own bytes only") {
  Tensor all = waves(4000, 100);
  for (bool zipped : {false, true}) {
    CAPTURE(zipped);
    Counted counted(zipped ? write_npz({{"x", all}}).value() : write_npy(all));
    auto file = zipped ? ArrayFile::open_npz(counted.source()) : ArrayFile::open_npy(counted.source());
    REQUIRE(file.ok());
    CHECK(counted.read < 70000);  // a zip's end may stand 64 KiB before the file's
    counted.read = 0;
    for (int64_t row : {3999, 0, 1234}) CHECK((*file)->read_rows(0, row, 1).value() == slice(all, row, 1));
    CHECK(counted.read <= 3 * 400 + 30);  // and a local header
    CHECK((*file)->read_rows(0, 7, 3000).value() == slice(all, 7, 3000));
    CHECK((*file)->read(0).value() == all);
    CHECK((*file)->verify(0).ok());
    CHECK(counted.largest <= 256 << 10);
  }
}

TEST_CASE("a deflated array is inflated once for rising rows, a piece at a time") {
  Tensor all = waves(2000, 500);
  Counted counted(deflated_npz(all));
  auto size = static_cast<int64_t>(counted.bytes.size());
  REQUIRE(size > 1 << 20);  // several pieces
  auto file = ArrayFile::open_npz(counted.source());
  REQUIRE(file.ok());
  counted.read = 0;
  for (int64_t row = 0; row < 2000; row += 7) CHECK((*file)->read_rows(0, row, 1).value() == slice(all, row, 1));
  CHECK(counted.read <= size);
  CHECK(counted.largest <= 256 << 10);
  CHECK((*file)->read_rows(0, 1, 1).value() == slice(all, 1, 1));  // back again
  CHECK((*file)->verify(0).ok());
  CHECK((*file)->read(0).value() == all);
}

TEST_CASE("a damaged member is found by going over it, stored or deflated") {
  Tensor all = waves(50, 20);
  Bytes stored = write_npz({{"x", all}}).value(), deflated = deflated_npz(all);
  for (Bytes* bytes : {&stored, &deflated}) {
    for (size_t at = 200; at < 3000; at += 97) {
      CAPTURE(at);
      Bytes broken = *bytes;
      broken[at] ^= 4;
      auto file = ArrayFile::open_npz(source_of(broken));
      if (!file.ok()) continue;
      Status verified = (*file)->verify(0);
      REQUIRE_FALSE(verified.ok());
      CHECK(verified.error().message().starts_with("npz entry 1: zip: "));
      CHECK_FALSE((*file)->read(0).ok());
    }
  }
}

TEST_CASE("an array in Fortran's order gives the rows that it means") {
  // "<i2" 2x3x4 in Fortran's order, by the rule: the first index runs fastest.
  std::string header = "{'descr': '<i2', 'fortran_order': True, 'shape': (2, 3, 4)}";
  Bytes file = write_npy(Tensor(Dtype::kInt16, {0}));
  file.resize(8);
  put_le(file, header.size(), 2);
  file.insert(file.end(), header.begin(), header.end());
  for (int k = 0; k < 4; ++k) {
    for (int j = 0; j < 3; ++j) {
      for (int i = 0; i < 2; ++i) put_le(file, static_cast<uint64_t>(100 * i + 10 * j + k), 2);
    }
  }
  auto array = ArrayFile::open_npy(source_of(file));
  REQUIRE(array.ok());
  auto row = (*array)->read_rows(0, 1, 1);
  REQUIRE(row.ok());
  for (int j = 0; j < 3; ++j) {
    for (int k = 0; k < 4; ++k) CHECK(row->as<int16_t>()[static_cast<size_t>(j * 4 + k)] == 100 + 10 * j + k);
  }
}

TEST_CASE("an array of more elements than a tensor may hold still has rows") {
  // Two gigabytes and a row that are not there: what is not asked for is zero.
  std::string header = "{'descr': '|u1', 'fortran_order': False, 'shape': (524289, 4096)}";
  Bytes head = write_npy(Tensor(Dtype::kUint8, {0}));
  head.resize(8);
  put_le(head, header.size(), 2);
  head.insert(head.end(), header.begin(), header.end());
  int64_t size = static_cast<int64_t>(head.size()) + 524289 * int64_t{4096};
  ByteSource source{[&](int64_t offset, int64_t want) -> Result<Bytes> {
                      Bytes out(static_cast<size_t>(std::min(want, size - offset)));
                      for (size_t i = 0; i < out.size() && offset + static_cast<int64_t>(i) < size; ++i) {
                        auto at = static_cast<size_t>(offset) + i;
                        out[i] = at < head.size() ? head[at] : at + 1 == static_cast<size_t>(size) ? 9 : 0;
                      }
                      return out;
                    },
                    size};
  auto array = ArrayFile::open_npy(source);
  REQUIRE(array.ok());
  auto last = (*array)->read_rows(0, 524288, 1);
  REQUIRE(last.ok());
  CHECK(last->as<uint8_t>()[4095] == 9);
  CHECK_FALSE((*array)->read(0).ok());
}

TEST_CASE("errors of the source come through") {
  Counted counted(write_npz({{"x", waves(10, 10)}}).value());
  for (int fail_at = 1;; ++fail_at) {
    int calls = 0;
    ByteSource inner = counted.source();
    ByteSource failing{[&](int64_t offset, int64_t size) -> Result<Bytes> {
                         if (++calls == fail_at) return Error(Code::kUnavailable, "I/O error");
                         return inner.read_at(offset, size);
                       },
                       inner.size};
    auto file = ArrayFile::open_npz(failing);
    Status read;
    if (file.ok()) {
      auto rows = (*file)->read_rows(0, 3, 2);
      if (!rows.ok()) read = rows.error();
    } else {
      read = file.error();
    }
    if (calls < fail_at) {
      CHECK(read.ok());
      CHECK(fail_at > 5);
      break;
    }
    REQUIRE_FALSE(read.ok());
    CHECK(read.error().code() == Code::kUnavailable);
  }
}
