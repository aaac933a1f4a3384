// SPDX-License-Identifier: Apache-2.0
#include "core/codec/npy.h"

#include <doctest/doctest.h>

using namespace oree;

namespace {

// Written by NumPy 2.4.6.
constexpr const char* kFloat32 =
    "k05VTVBZAQB2AHsnZGVzY3InOiAnPGY0JywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzogKDIsIDMpLCB9ICAgICAgICAgICAg"
    "ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoAAAAAAAAAPwAAgD8AAMA/AAAAQAAAIEA=";
constexpr const char* kFortran =
    "k05VTVBZAQB2AHsnZGVzY3InOiAnPGkyJywgJ2ZvcnRyYW5fb3JkZXInOiBUcnVlLCAnc2hhcGUnOiAoMiwgMywgNCksIH0gICAgICAgICAg"
    "ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoAAAwABAAQAAgAFAABAA0ABQARAAkAFQACAA4ABgASAAoA"
    "FgADAA8ABwATAAsAFwA=";
constexpr const char* kVersion2 =
    "k05VTVBZAgB0AAAAeydkZXNjcic6ICd8YjEnLCAnZm9ydHJhbl9vcmRlcic6IEZhbHNlLCAnc2hhcGUnOiAoMiwpLCB9ICAgICAgICAgICAg"
    "ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoBAA==";
constexpr const char* kVersion3 =
    "k05VTVBZAwB0AAAAeydkZXNjcic6ICc8aTgnLCAnZm9ydHJhbl9vcmRlcic6IEZhbHNlLCAnc2hhcGUnOiAoKSwgfSAgICAgICAgICAgICAg"
    "ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoHAAAAAAAAAA==";
constexpr const char* kBigEndian =
    "k05VTVBZAQB2AHsnZGVzY3InOiAnPmk0JywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzogKDIsKSwgfSAgICAgICAgICAgICAg"
    "ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoAAAABAAAAAg==";
constexpr const char* kStructured =
    "k05VTVBZAQB2AHsnZGVzY3InOiBbKCdhJywgJzxpNCcpLCAoJ2InLCAnPGY4JyldLCAnZm9ydHJhbl9vcmRlcic6IEZhbHNlLCAnc2hhcGUn"
    "OiAoMSwpLCB9ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoBAAAAAAAAAAAAAEA=";
constexpr const char* kText =
    "k05VTVBZAQB2AHsnZGVzY3InOiAnPFUzJywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzogKDEsKSwgfSAgICAgICAgICAgICAg"
    "ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAphAAAAYgAAAGMAAAA=";
// savez: zip64 fields in the local headers.
constexpr const char* kSavez =
    "UEsDBC0AAAAAAAAAIQDjwuRS//////////8FABQAeC5ucHkBABAAjAAAAAAAAACMAAAAAAAAAJNOVU1QWQEAdgB7J2Rlc2NyJzogJzxmNCcs"
    "ICdmb3J0cmFuX29yZGVyJzogRmFsc2UsICdzaGFwZSc6ICgxLCAzKSwgfSAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg"
    "ICAgICAgICAgICAgICAgICAgICAKAAAAAAAAAD8AAIA/UEsDBC0AAAAAAAAAIQAq446x//////////8FABQAeS5ucHkBABAAgwAAAAAAAACD"
    "AAAAAAAAAJNOVU1QWQEAdgB7J2Rlc2NyJzogJ3x1MScsICdmb3J0cmFuX29yZGVyJzogRmFsc2UsICdzaGFwZSc6ICgzLCksIH0gICAgICAg"
    "ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAKAQIDUEsBAi0DLQAAAAAAAAAhAOPC5FKMAAAA"
    "jAAAAAUAAAAAAAAAAAAAAIABAAAAAHgubnB5UEsBAi0DLQAAAAAAAAAhACrjjrGDAAAAgwAAAAUAAAAAAAAAAAAAAIABwwAAAHkubnB5UEsF"
    "BgAAAAACAAIAZgAAAH0BAAAAAA==";
constexpr const char* kCompressed =
    "UEsDBC0AAAAIAAAAIQCACVgV//////////8HABQAYS9iLm5weQEAEACAAgAAAAAAAEsAAAAAAAAAm+wX6hsQychQxlCtnpJanFykbqWgbpNm"
    "oa6joJ6WX1RSlJgXn1+UkgoSd0vMKU4FihdnJBakAvkaFjoKFpo6CrUKZAMuhlEwogEAUEsDBC0AAAAIAAAAIQAC7L2p//////////8FABQA"
    "aS5ucHkBABAAjAAAAAAAAABMAAAAAAAAAJvsF+obEMnIUMZQrZ6SWpxcpG6loG6TaaKuo6Cell9UUpSYF59flJIKEndLzClOBYoXZyQWpAL5"
    "GsY6mjoKtQoUAC4GIGAEYiYgBgBQSwECLQMtAAAACAAAACEAgAlYFUsAAACAAgAABwAAAAAAAAAAAAAAgAEAAAAAYS9iLm5weVBLAQItAy0A"
    "AAAIAAAAIQAC7L2pTAAAAIwAAAAFAAAAAAAAAAAAAACAAYQAAABpLm5weVBLBQYAAAAAAgACAGgAAAAHAQAAAAA=";
// Written to a pipe: sizes stand only in the directory.
constexpr const char* kStreamed =
    "UEsDBC0ACAAIAAAAIQAAAAAA//////////8FABQAeC5ucHkBABAAAAAAAAAAAAAAAAAAAAAAAJvsF+obEMnIUMZQrZ6SWpxcpG6loG6TZqKu"
    "o6Cell9UUpSYF59flJIKEndLzClOBYoXZyQWpAL5GkY6CsaaOgq1CmQDLgYIsGdgaADiA0DM4MDAoOAAAFBLBwgLwLB2VwAAAAAAAACYAAAA"
    "AAAAAFBLAQItAy0ACAAIAAAAIQALwLB2VwAAAJgAAAAFAAAAAAAAAAAAAACAAQAAAAB4Lm5weVBLBQYAAAAAAQABADMAAACmAAAAAAA=";

constexpr std::string_view kNumpy = "\x93NUMPY";

Bytes bytes_of(const char* base64) { return from_base64(base64).value(); }

Bytes npy_with(const std::string& header, size_t data_bytes) {
  std::string out(kNumpy);
  out += '\x01';
  out += '\0';
  out += static_cast<char>(header.size() & 255);
  out += static_cast<char>(header.size() >> 8);
  out += header + std::string(data_bytes, '\0');
  return Bytes(out.begin(), out.end());
}

}  // namespace

TEST_CASE("npy files of NumPy are read in every layout and version") {
  Tensor t = read_npy(bytes_of(kFloat32)).value();
  CHECK(t.shape() == Shape{2, 3});
  CHECK(t.to_doubles() == std::vector<double>{0, 0.5, 1, 1.5, 2, 2.5});
  Tensor f = read_npy(bytes_of(kFortran)).value();
  CHECK(f.shape() == Shape{2, 3, 4});
  for (int i = 0; i < 24; ++i) CHECK(f.as<int16_t>()[static_cast<size_t>(i)] == i);
  CHECK(read_npy(bytes_of(kVersion2)).value().to_doubles() == std::vector<double>{1, 0});
  Tensor scalar = read_npy(bytes_of(kVersion3)).value();
  CHECK(scalar.shape().empty());
  CHECK(scalar.to_doubles() == std::vector<double>{7});
}

TEST_CASE("what no engine could take is unsupported, not malformed") {
  for (const char* text : {kBigEndian, kStructured, kText}) {
    CHECK(read_npy(bytes_of(text)).error().code() == Code::kUnsupported);
  }
}

TEST_CASE("an npy file is written as NumPy writes it") {
  CHECK(to_base64(write_npy(read_npy(bytes_of(kFloat32)).value())) == kFloat32);
  CHECK(read_npy(write_npy(Tensor(Dtype::kFloat16, {3}))).value() == Tensor(Dtype::kFloat16, {3}));
  CHECK(read_npy(write_npy(Tensor(Dtype::kUint8, {0, 4}))).value() == Tensor(Dtype::kUint8, {0, 4}));
  CHECK(read_npy(write_npy(Tensor(Dtype::kInt64, Shape(32, 1)))).value().shape() == Shape(32, 1));
}

TEST_CASE("an npy file cut anywhere is refused") {
  Bytes file = bytes_of(kFloat32);
  for (size_t size = 0; size < file.size(); ++size) {
    CHECK_FALSE(read_npy(ByteView(file).first(size)).ok());
  }
  file.push_back(0);
  CHECK_FALSE(read_npy(file).ok());
}

TEST_CASE("hostile npy headers are refused before anything is allocated") {
  const char* good = "{'descr': '<f4', 'fortran_order': False, 'shape': (1,)}";
  CHECK(read_npy(npy_with(good, 4)).ok());
  for (const char* bad : {"", "{", "{}", "{'descr': '<f4', 'fortran_order': False}",
                          "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}",
                          "{'descr': '<f4', 'fortran_order': 0, 'shape': (1,)}",
                          "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}",
                          "{'descr': '<f4', 'fortran_order': False, 'shape': (999999999999,999999999999)}",
                          "{'descr': '<f4', 'fortran_order': False, 'shape': (1}",
                          "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (1,)}",
                          "{'descr': '<f4', 'fortran_order': False, 'shape': (1,)} + evil()",
                          "{'descr': '', 'fortran_order': False, 'shape': (1,)}", "{'descr': '<f4",
                          "{'descr': '<f4', 'fortran_order': False, 'shape': (1 1)}"}) {
    CAPTURE(bad);
    CHECK_FALSE(read_npy(npy_with(bad, 4)).ok());
  }
  std::string many = "{'descr': '<f4', 'fortran_order': False, 'shape': (";
  for (int i = 0; i < 33; ++i) many += "1,";
  CHECK_FALSE(read_npy(npy_with(many + ")}", 4)).ok());
}

TEST_CASE("npz files of NumPy are read: stored, deflated, zip64, streamed") {
  NamedTensors saved = read_npz(bytes_of(kSavez)).value();
  REQUIRE(saved.size() == 2);
  CHECK(saved[0].name == "x");
  CHECK(saved[0].tensor.to_doubles() == std::vector<double>{0, 0.5, 1});
  CHECK(saved[1].name == "y");
  CHECK(saved[1].tensor.dtype() == Dtype::kUint8);
  NamedTensors packed = read_npz(bytes_of(kCompressed)).value();
  REQUIRE(packed.size() == 2);
  CHECK(packed[0].name == "a/b");
  CHECK(packed[0].tensor == Tensor(Dtype::kFloat64, {8, 8}));
  CHECK(packed[1].tensor.to_doubles() == std::vector<double>{0, 1, 2});
  CHECK(read_npz(bytes_of(kStreamed)).value()[0].tensor == read_npy(bytes_of(kFloat32)).value());
}

TEST_CASE("npz goes there and back, with the same bytes each time") {
  NamedTensors tensors = read_npz(bytes_of(kSavez)).value();
  tensors.push_back({"", Tensor(Dtype::kBool, {})});
  Bytes file = write_npz(tensors).value();
  CHECK(file == write_npz(tensors).value());
  NamedTensors back = read_npz(file).value();
  REQUIRE(back.size() == 3);
  for (size_t i = 0; i < 3; ++i) {
    CHECK(back[i].name == tensors[i].name);
    CHECK(back[i].tensor == tensors[i].tensor);
  }
  CHECK(read_npz(write_npz({}).value()).value().empty());
  tensors.push_back({"x", Tensor()});
  CHECK(write_npz(tensors).error().code() == Code::kInvalid);
}

TEST_CASE("a damaged npz is refused, wherever the damage is") {
  for (const char* text : {kSavez, kCompressed}) {
    Bytes file = bytes_of(text);
    NamedTensors whole = read_npz(file).value();
    for (size_t size = 0; size < file.size(); ++size) CHECK_FALSE(read_npz(ByteView(file).first(size)).ok());
    for (size_t i = 0; i < file.size(); ++i) {
      Bytes broken = file;
      broken[i] ^= 0x10;
      // A flipped bit in a field that nobody reads (a time, a mode) may pass, but never with other numbers.
      Result<NamedTensors> r = read_npz(broken);
      if (!r.ok()) continue;
      REQUIRE(r->size() == whole.size());
      for (size_t k = 0; k < whole.size(); ++k) CHECK((*r)[k].tensor == whole[k].tensor);
    }
  }
  Bytes file = bytes_of(kSavez);
  auto data = file.begin() + static_cast<ptrdiff_t>(as_text(file).find(kNumpy));
  data[139] ^= 1;
  CHECK(read_npz(file).error().code() == Code::kIntegrity);
}

TEST_CASE("types that numpy lacks are written as the next wider one") {
  Tensor halves = Tensor::from_bytes(Dtype::kBfloat16, {2}, Bytes{0x80, 0x3f, 0x20, 0xc0}).value();
  Tensor floats = read_npy(write_npy(halves)).value();
  CHECK(floats.dtype() == Dtype::kFloat32);
  CHECK(floats.to_doubles() == std::vector<double>{1.0, -2.5});
  Tensor nibbles = Tensor::from_bytes(Dtype::kInt4, {3}, Bytes{0xf7, 0x08}).value();
  Tensor bytes = read_npy(write_npy(nibbles)).value();
  CHECK(bytes.dtype() == Dtype::kInt8);
  CHECK(bytes.to_doubles() == std::vector<double>{7, -1, -8});
}
