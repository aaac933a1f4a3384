// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <bit>

#include "core/codec/csv.h"
#include "core/codec/little_endian.h"
#include "core/codec/wav.h"

using namespace oree;

namespace {

void text(Bytes& out, std::string_view t) { out.insert(out.end(), t.begin(), t.end()); }

Bytes wav(int coding, int channels, int bits, const Bytes& data, bool extensible = false) {
  Bytes out;
  text(out, "RIFF");
  put_le(out, 0, 4);  // nobody needs it
  text(out, "WAVELIST");
  put_le(out, 3, 4);
  put_le(out, 0, 4);  // three bytes and their padding
  text(out, "fmt ");
  put_le(out, extensible ? 40 : 16, 4);
  put_le(out, extensible ? 0xfffe : static_cast<uint64_t>(coding), 2);
  put_le(out, static_cast<uint64_t>(channels), 2);
  put_le(out, 16000, 4);
  put_le(out, static_cast<uint64_t>(16000 * channels * bits / 8), 4);
  put_le(out, static_cast<uint64_t>(channels * bits / 8), 2);
  put_le(out, static_cast<uint64_t>(bits), 2);
  if (extensible) {
    put_le(out, 22, 2);
    put_le(out, static_cast<uint64_t>(bits), 2);
    put_le(out, 0, 4);
    put_le(out, static_cast<uint64_t>(coding), 2);
    out.resize(out.size() + 14);
  }
  text(out, "data");
  put_le(out, data.size(), 4);
  out.insert(out.end(), data.begin(), data.end());
  return out;
}

std::vector<float> all_of(const Bytes& file) {
  auto info = read_wav_info(source_of(file));
  REQUIRE(info.ok());
  CHECK(info->sample_rate == 16000);
  auto samples = read_wav(source_of(file), *info, 0, info->frames);
  REQUIRE(samples.ok());
  return *samples;
}

Result<std::unique_ptr<CsvFile>> open_csv(std::string_view content, int64_t rows) {
  return CsvFile::open(source_of(as_bytes(content)), [rows](int64_t) -> Result<int64_t> { return rows; });
}

}  // namespace

TEST_CASE("WAV samples of every width are between -1 and 1") {
  CHECK(all_of(wav(1, 1, 8, {0, 128, 255})) == std::vector<float>{-1, 0, 127.0F / 128});
  CHECK(all_of(wav(1, 1, 16, {0, 0x80, 0, 0x40, 0xff, 0xff})) == std::vector<float>{-1, 0.5F, -1.0F / 32768});
  CHECK(all_of(wav(1, 1, 24, {0, 0, 0x80, 0, 0, 0x20, 1, 0, 0})) == std::vector<float>{-1, 0.25F, 1.0F / 8388608});
  CHECK(all_of(wav(1, 1, 32, {0, 0, 0, 0x80, 0, 0, 0, 0x40})) == std::vector<float>{-1, 0.5F});
  Bytes floats;
  for (float f : {0.75F, -3.5F}) put_le(floats, std::bit_cast<uint32_t>(f), 4);
  CHECK(all_of(wav(3, 1, 32, floats)) == std::vector<float>{0.75F, -3.5F});
  CHECK(all_of(wav(3, 1, 32, floats, true)) == std::vector<float>{0.75F, -3.5F});
}

TEST_CASE("WAV channels are mixed to their mean, and a range of frames can be had") {
  Bytes data;
  for (int i = 0; i < 40000; ++i) {
    put_le(data, static_cast<uint64_t>(i % 1000) * 4, 2);
    put_le(data, static_cast<uint64_t>(i % 1000) * 2, 2);
  }
  Bytes file = wav(1, 2, 16, data);
  auto info = read_wav_info(source_of(file));
  REQUIRE(info.ok());
  CHECK(info->frames == 40000);
  auto some = read_wav(source_of(file), *info, 1001, 20000);
  REQUIRE(some->size() == 20000);
  CHECK((*some)[0] == 3.0F / 32768);
  CHECK((*some)[19999] == static_cast<float>((1001 + 19999) % 1000) * 3 / 32768);
}

TEST_CASE("a WAV that is cut or coded otherwise is refused") {
  Bytes file = wav(1, 1, 16, {1, 0, 2, 0});
  for (size_t size = 0; size < file.size(); ++size) {
    CHECK(read_wav_info(source_of(ByteView(file).first(size))).error().code() == Code::kInvalid);
  }
  CHECK(read_wav_info(source_of(wav(6, 1, 8, {1}))).error().code() == Code::kUnsupported);
  CHECK(read_wav_info(source_of(wav(1, 1, 12, {1}))).error().code() == Code::kUnsupported);
  CHECK_FALSE(read_wav_info(source_of(wav(1, 0, 16, {1, 2}))).ok());
  Bytes streamed = wav(1, 1, 16, {1, 0, 2, 0});
  std::fill_n(streamed.end() - 8, 4, uint8_t{0xff});
  CHECK(read_wav_info(source_of(streamed))->frames == 2);
}

TEST_CASE("CSV tables are read in windows, whatever separates the fields") {
  for (std::string_view content : {"a,b\n1,2\n3,4\n5,6\n7,8\n9,10\n", "1;2\r\n3;4\r\n\r\n5;6\r\n7;8\r\n9;10",
                                   "\xef\xbb\xbf\"x\"\t\"y\"\n1\t2\n 3\t+4\n5.0\t\"6\"\n7e0\t8\n9\t10\n\n"}) {
    CAPTURE(content);
    auto csv = open_csv(content, 2);
    REQUIRE(csv.ok());
    CHECK((*csv)->columns() == 2);
    CHECK((*csv)->rows() == 5);
    REQUIRE((*csv)->windows() == 2);
    CHECK((*csv)->read(1).value() == std::vector<float>{5, 6, 7, 8});
    CHECK((*csv)->read(0).value() == std::vector<float>{1, 2, 3, 4});
  }
  CHECK(open_csv("1,2\n", 2).value()->windows() == 0);
}

TEST_CASE("a long CSV is read in pieces that do not cut its lines") {
  std::string content = "t\n";
  for (int i = 0; i < 200000; ++i) content += std::to_string(i) + "\n";
  auto csv = open_csv(content, 1000);
  REQUIRE(csv.ok());
  REQUIRE((*csv)->windows() == 200);
  for (size_t w : {199U, 0U, 73U}) {
    auto values = (*csv)->read(w);
    REQUIRE(values.ok());
    for (size_t i = 0; i < 1000; ++i) CHECK((*values)[i] == static_cast<float>(w * 1000 + i));
  }
}

TEST_CASE("what is no number in a CSV is named by its line") {
  auto csv = open_csv("a,b\n1,2\n\n3,x\n5\n", 1);
  REQUIRE(csv.ok());
  REQUIRE((*csv)->windows() == 3);
  CHECK((*csv)->read(0).ok());
  CHECK((*csv)->read(1).error().message() == "csv: line 4: expected a number, found 'x'");
  CHECK((*csv)->read(2).error().message() == "csv: line 5: expected 2 numbers, found 1");
  CHECK(open_csv("", 1).error().message() == "csv: no row of numbers");
  CHECK(open_csv("a,b\n", 1).error().message() == "csv: no row of numbers");
  CHECK(open_csv(std::string(2 << 20, '1'), 1).error().code() == Code::kInvalid);
  CHECK(open_csv("1,2\n3,4\n", 1).value()->read(0).ok());
}
