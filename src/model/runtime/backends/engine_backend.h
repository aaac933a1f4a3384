// SPDX-License-Identifier: Apache-2.0
// What the backends of all engines have in common: finding the library, and the checks that go before an engine sees a
// model file.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "model/runtime/backend.h"
#include "model/runtime/backends/dynamic_library.h"
#include "model/runtime/registry.h"

namespace oree {

class EngineBackend : public Backend {
 public:
  const RuntimeInfo& info() const override { return info_; }
  // Checks options, engine and file, in this order, and opens what passed. Every error but that of the options and of
  // an absent engine names the file.
  Result<std::unique_ptr<Session>> open(const std::string& model_path, const SessionOptions& options) override;

 protected:
  // `formats` are those that the engine reads.
  EngineBackend(std::string name, std::vector<ModelFormat> formats);

  // Called by the constructor of an engine's backend. Takes the first library that `start` accepts; false when there is
  // none, and then info() says why, and how to get one.
  bool find_engine(const LibrarySearch& search, const char* how_to_get,
                   const std::function<Status(const DynamicLibrary&)>& start);
  // The same with what was found already.
  bool take_engine(const Result<LibraryCandidate>& found, const std::string& how_to_get);
  // kUnsupported, with the reason where one is known, unless the provider can be used.
  Status check_provider(const std::string& provider) const;

  // Called for a file that was found sound, with options that have values of backend.h.
  virtual Result<std::unique_ptr<Session>> open_checked(const std::string& path, const SessionOptions& options) = 0;

  RuntimeInfo info_;
  std::vector<ModelFormat> formats_;
};

}  // namespace oree
