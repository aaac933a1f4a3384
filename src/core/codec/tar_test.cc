// SPDX-License-Identifier: Apache-2.0
#include "core/codec/tar.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>

using namespace oree;

namespace {

Result<std::vector<TarMember>> index_of(const Bytes& archive) {
  auto read_at = [&](int64_t offset, int64_t size) -> Result<Bytes> {
    auto from = std::min(static_cast<size_t>(offset), archive.size());
    auto to = std::min(from + static_cast<size_t>(size), archive.size());
    return Bytes(archive.begin() + static_cast<ptrdiff_t>(from), archive.begin() + static_cast<ptrdiff_t>(to));
  };
  return read_tar_index(read_at, static_cast<int64_t>(archive.size()));
}

void add(Bytes& out, const Bytes& more) { out.insert(out.end(), more.begin(), more.end()); }

void add_member(Bytes& out, const std::string& path, std::string_view content) {
  add(out, tar_header(path, static_cast<int64_t>(content.size())));
  add(out, Bytes(content.begin(), content.end()));
  add(out, tar_padding(static_cast<int64_t>(content.size())));
}

Bytes archive_of(const std::vector<std::pair<std::string, std::string>>& members) {
  Bytes out;
  for (const auto& [path, content] : members) add_member(out, path, content);
  add(out, tar_end());
  return out;
}

// Mends the checksum after a test has changed a header.
void seal(Bytes& archive, size_t at) {
  for (size_t i = 148; i < 156; ++i) archive[at + i] = ' ';
  int sum = 0;
  for (size_t i = 0; i < 512; ++i) sum += archive[at + i];
  for (size_t i = 0; i < 6; ++i) archive[at + 153 - i] = static_cast<uint8_t>('0' + (sum >> (3 * i)) % 8);
  archive[at + 154] = 0;
}

Bytes patched(size_t at, std::string_view text) {
  Bytes archive = archive_of({{"name", "content"}});
  std::copy(text.begin(), text.end(), archive.begin() + static_cast<ptrdiff_t>(at));
  seal(archive, 0);
  return archive;
}

}  // namespace

TEST_CASE("members come back with their place, short paths and long ones") {
  std::string long_path = std::string(200, 'd') + "/" + std::string(200, 'f');
  Bytes archive = archive_of({{"manifest.json", "{}"}, {"empty", ""}, {"models/" + long_path, std::string(513, 'x')}});
  auto members = index_of(archive).value();
  REQUIRE(members.size() == 3);
  CHECK(members[0].path == "manifest.json");
  CHECK(members[0].offset == 512);
  CHECK(members[0].size == 2);
  CHECK(members[1].size == 0);
  CHECK(members[2].path == "models/" + long_path);
  CHECK(members[2].size == 513);
  CHECK(archive[static_cast<size_t>(members[2].offset) + 512] == 'x');
}

TEST_CASE("a header is what GNU tar --format=ustar writes") {
  // tar --format=ustar --owner=0 --group=0 --numeric-owner --mode=644 --mtime=@0 of a file "a" with one byte.
  Bytes h = tar_header("a", 1);
  CHECK(as_text(h).substr(124, 12) == std::string_view("00000000001\0", 12));
  CHECK(as_text(h).substr(148, 8) == std::string_view("007337\0 ", 8));
  CHECK(as_text(h).substr(257, 8) == std::string_view("ustar\00000", 8));
}

TEST_CASE("a size above 8 GiB goes into a pax record") {
  Bytes h = tar_header("big", int64_t{1} << 33);
  CHECK(as_text(h).find("19 size=8589934592\n") == 512);
  add(h, tar_end());
  CHECK(index_of(h).error().message().find("content is cut") != std::string::npos);
}

TEST_CASE("an archive cut anywhere, or with one more byte, is refused") {
  Bytes archive = archive_of({{"a", "1"}, {"b", std::string(600, 'x')}});
  CHECK(index_of(archive).ok());
  for (size_t size = 0; size < archive.size(); ++size) {
    CAPTURE(size);
    CHECK_FALSE(index_of(Bytes(archive.begin(), archive.begin() + static_cast<ptrdiff_t>(size))).ok());
  }
  Bytes more = archive;
  more.push_back(1);
  CHECK_FALSE(index_of(more).ok());
}

TEST_CASE("every bit of a header counts") {
  Bytes archive = archive_of({{"a", "1"}});
  for (size_t i = 0; i < 512; ++i) {
    Bytes broken = archive;
    broken[i] ^= 1;
    CAPTURE(i);
    // The checksum's own last byte is a blank that nobody reads.
    if (i != 155 && i != 154) CHECK_FALSE(index_of(broken).ok());
  }
}

TEST_CASE("dangerous paths are refused") {
  for (std::string path : {"/etc/x", "../x", "a/../b", "a//b", "./a", "a/.", "a/", "..", "a\\b", "a\nb"}) {
    Bytes archive = patched(0, path + std::string(1, '\0'));
    CAPTURE(path);
    CHECK(index_of(archive).error().code() == Code::kInvalid);
  }
  CHECK_FALSE(index_of(archive_of({{"a", ""}, {"a", ""}})).ok());
  CHECK_FALSE(index_of(archive_of({{"a", ""}, {"a/b", ""}})).ok());
  CHECK_FALSE(index_of(archive_of({{"a/b", ""}, {"a", ""}})).ok());
  CHECK(index_of(archive_of({{"a/b", ""}, {"a/c", ""}, {"ab", ""}})).ok());
}

TEST_CASE("links, devices, folders and other formats are refused") {
  for (char type : {'1', '2', '3', '4', '5', '6', 'L', 'K', 'S'}) {
    CHECK(index_of(patched(156, std::string(1, type))).error().code() == Code::kUnsupported);
  }
  CHECK(index_of(patched(257, "ustar  ")).error().code() == Code::kUnsupported);
  CHECK_FALSE(index_of(patched(124, "99999999999")).ok());
  CHECK_FALSE(index_of(patched(124, "77777777777")).ok());
}

TEST_CASE("a pax header must be whole, and used once") {
  Bytes pax = tar_header(std::string(150, 'p'), 0);
  REQUIRE(pax.size() == 1536);
  Bytes twice(pax.begin(), pax.begin() + 1024);
  add(twice, pax);
  add(twice, tar_end());
  CHECK_FALSE(index_of(twice).ok());
  Bytes alone(pax.begin(), pax.begin() + 1024);
  add(alone, tar_end());
  CHECK_FALSE(index_of(alone).ok());
  for (const char* record : {"9 path=..\n", "x path=a", "6 path\n", "99 path=a\n", "3 \n", "999999999 path=a\n"}) {
    Bytes broken = pax;
    std::fill(broken.begin() + 512, broken.begin() + 1024, static_cast<uint8_t>(0));
    std::copy(record, record + std::strlen(record), broken.begin() + 512);
    add(broken, tar_end());
    CAPTURE(record);
    CHECK_FALSE(index_of(broken).ok());
  }
}

TEST_CASE("an error of the reader is passed on") {
  auto broken = [](int64_t, int64_t) -> Result<Bytes> { return Error(Code::kUnavailable, "disk is gone"); };
  CHECK(read_tar_index(broken, 4096).error().code() == Code::kUnavailable);
}
