// SPDX-License-Identifier: Apache-2.0
// TuneCache: what was measured already, by what it depends on: target, engine and its version, the model's content, how
// it was run, and on which data. Tuning again, or after it was cut short, measures only what is new. For tune.cc.
//
// One JSON file a record, FOLDER/ab/abcdef….json, named by the SHA-256 of its key. A record that cannot be read is
// none: a cache never fails a tune, and may be deleted at any time.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/io/files.h"
#include "model/eval/measure.h"
#include "optimize/tune/samples.h"

namespace oree {

class TuneCache {
 public:
  // Folder "": keeps nothing and finds nothing.
  TuneCache(Files& files, std::string folder) : files_(files), folder_(std::move(folder)) {}

  std::optional<Json> find(const Json& key) const;
  void put(const Json& key, const Json& record) const;

 private:
  std::string path_of(const Json& key) const;
  Files& files_;
  std::string folder_;
};

// Whole, samples included: what measurement_to_json() leaves out for readers. Refusals are not kept.
Json measurement_record(const Measurement& measurement);
Result<Measurement> measurement_from_record(const Json& record);
Json answers_record(const TuneAnswers& answers);
Result<TuneAnswers> answers_from_record(const Json& record);

// $OREE_CACHE_DIR/tune, else $XDG_CACHE_HOME/oree/tune, else $HOME/.cache/oree/tune; "" when none of these is set.
std::string default_tune_cache();

}  // namespace oree
