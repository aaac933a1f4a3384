// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include "core/io/database.h"
#include "core/io/files.h"
#include "core/io/http.h"

using namespace oree;

TEST_CASE("paths are joined and taken apart") {
  CHECK(path_join("a", "b") == "a/b");
  CHECK(path_join("a/", "b") == "a/b");
  CHECK(path_join("", "b") == "b");
  CHECK(path_join("a", "/b") == "/b");
  CHECK(path_parent("a/b") == "a");
  CHECK(path_parent("a") == ".");
  CHECK(path_parent("/a") == "/");
  CHECK(path_parent("/") == "/");
  CHECK(path_parent("a/b/") == "a");
  CHECK(path_parent("a//b") == "a");
  CHECK(path_name("a/b.c") == "b.c");
  CHECK(path_name("a/b/") == "b");
  CHECK(path_name("/") == "/");
  CHECK(path_extension("a/b.Tar") == ".tar");
  CHECK(path_extension("a.b/c").empty());
  CHECK(path_extension(".hidden").empty());
  CHECK(path_extension("x.tar.gz") == ".gz");
}

TEST_CASE("a URL gives scheme, host, port and target") {
  Url u = parse_url("HTTP://Example.org:8080/a/b?c=d#e").value();
  CHECK(u.scheme == "http");
  CHECK(u.host == "example.org");
  CHECK(u.port == 8080);
  CHECK(u.target == "/a/b?c=d");
  CHECK(parse_url("https://h").value().port == 443);
  CHECK(parse_url("http://h").value().port == 80);
  CHECK(parse_url("http://h").value().target == "/");
  CHECK(parse_url("http://h?x").value().target == "/?x");
  Url six = parse_url("http://[::1]:81/").value();
  CHECK(six.host == "::1");
  CHECK(six.port == 81);
}

TEST_CASE("a URL that could mean something else is refused") {
  for (const char* bad : {"", "h", "ftp://h", "http://", "http:///x", "http://h:0", "http://h:65536",
                          "http://h:", "http://h:8a", "http://u:p@h/", "http://h/a b", "http://h/a\r\nX: y",
                          "http://[::1", "http://[::1]x", "http://h\\x/", "http://[g]/", "//h/", "http://h%20/"}) {
    CAPTURE(bad);
    CHECK(parse_url(bad).error().code() == Code::kInvalid);
  }
  CHECK_FALSE(parse_url("http://h/" + std::string(9000, 'a')).ok());
}

TEST_CASE("escapes go there and back") {
  std::string all;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  CHECK(url_decode(url_encode(all)).value() == all);
  CHECK(url_encode("a-b_c.d~e/f ü") == "a-b_c.d~e%2Ff%20%C3%BC");
  for (const char* bad : {"%", "%1", "a%", "%g0", "%0g"}) CHECK_FALSE(url_decode(bad).ok());
}

TEST_CASE("a query is decoded, the later value wins, broken escapes stay") {
  auto q = parse_query("a=1&b&c=x%20y+z&a=2&&d=%zz&=e&f=g=h");
  CHECK(q.at("a") == "2");
  CHECK(q.at("b").empty());
  CHECK(q.at("c") == "x y z");
  CHECK(q.at("d") == "%zz");
  CHECK(q.at("") == "e");
  CHECK(q.at("f") == "g=h");
  CHECK(parse_query("").empty());
}

TEST_CASE("a database row is read leniently") {
  DbRow row{{std::monostate{}, int64_t{5}, 1.5, std::string("x"), Bytes{1}}};
  CHECK(row.is_null(0));
  CHECK(row.integer(1) == 5);
  CHECK(row.real(1) == 5.0);
  CHECK(row.real(2) == 1.5);
  CHECK(row.text(3) == "x");
  CHECK(row.blob(4) == Bytes{1});
  CHECK(row.integer(3) == 0);
  CHECK(row.text(0).empty());
  CHECK(row.blob(3).empty());
}
