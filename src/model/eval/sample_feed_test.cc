// SPDX-License-Identifier: Apache-2.0
#include "model/eval/sample_feed.h"

#include <doctest/doctest.h>

#include <set>

namespace oree {
namespace {

// Samples that say their index; some are bad.
class SomeBad : public Dataset {
 public:
  explicit SomeBad(std::set<size_t> bad) : bad_(std::move(bad)) {}
  size_t size() const override { return 100; }
  bool has_labels() const override { return false; }
  bool has_boxes() const override { return false; }
  Result<Sample> read(size_t index) override {
    ++reads;
    if (bad_.contains(index)) return Error(Code::kInvalid, "s" + std::to_string(index) + ": torn");
    Sample sample;
    sample.name = "s" + std::to_string(index);
    return sample;
  }
  int reads = 0;

 private:
  std::set<size_t> bad_;
};

std::vector<std::string> all_of(SampleFeed& feed) {
  std::vector<std::string> names;
  while (std::optional<FedSample> fed = feed.next()) {
    CHECK(fed->turn == names.size());
    names.push_back(fed->sample.name);
  }
  CHECK(feed.given() == names.size());
  return names;
}

const std::vector<size_t> kIndices{1, 4, 5, 8, 9};

}  // namespace

TEST_CASE("every bad sample is named, and none is given after the first of them") {
  SomeBad data({4, 9});
  SampleFeed feed(data, kIndices, false);
  CHECK(all_of(feed) == std::vector<std::string>{"s1"});
  CHECK(data.reads == 5);
  CHECK(feed.verdict().error().code() == Code::kInvalid);
  CHECK(feed.verdict().error().message() ==
        "2 of 5 samples cannot be used (--skip-bad leaves them out): s4: torn; s9: torn");
}

TEST_CASE("bad samples are left out when that is wanted, and counted") {
  SomeBad data({4, 9});
  SampleFeed feed(data, kIndices, true);
  CHECK(all_of(feed) == std::vector<std::string>{"s1", "s5", "s8"});
  CHECK(feed.verdict().ok());
  CHECK(feed.bad().count == 2);
  CHECK(feed.bad().messages == std::vector<std::string>{"s4: torn", "s9: torn"});
}

TEST_CASE("no usable sample is an error, whatever may be skipped") {
  SomeBad data({1, 4, 5, 8, 9});
  SampleFeed feed(data, kIndices, true);
  CHECK(all_of(feed).empty());
  CHECK(feed.verdict().error().message().starts_with("5 of 5 samples cannot be used: s1: torn; s4"));
  std::vector<size_t> none;
  SampleFeed empty(data, none, true);
  CHECK(all_of(empty).empty());
  CHECK_FALSE(empty.verdict().ok());
}

TEST_CASE("many bad samples are named up to a limit") {
  std::set<size_t> bad;
  for (size_t i = 10; i < 60; ++i) bad.insert(i);
  SomeBad data(bad);
  std::vector<size_t> indices = spread_indices(100, 0);
  SampleFeed feed(data, indices, false);
  CHECK(all_of(feed).size() == 10);
  CHECK(feed.bad().messages.size() == kBadSamplesNamedMax);
  CHECK(feed.verdict().error().message().ends_with("; s29: torn; and 30 more"));
}

}  // namespace oree
