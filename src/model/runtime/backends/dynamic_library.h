// SPDX-License-Identifier: Apache-2.0
// Finds and opens an engine's shared library. An opened library stays for the life of the process: engines keep
// threads and thread-local state that do not survive unloading.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/base/result.h"

namespace oree {

class DynamicLibrary {
 public:
  // `name` is a path, or a bare name for the loader to search. kUnavailable with the loader's own words.
  static Result<DynamicLibrary> open(const std::string& name);
  // nullptr when the library has no such symbol.
  void* symbol(const char* name) const;
  // Fills a function pointer; kUnsupported names the symbol that is missing.
  template <typename F>
  Status bind(F*& function, const char* name) const {
    function = reinterpret_cast<F*>(symbol(name));
    if (function == nullptr) return missing(name);
    return {};
  }
  const std::string& path() const { return path_; }  // of the file that the loader chose

 private:
  Error missing(const char* name) const;
  void* handle_ = nullptr;
  std::string path_;
};

struct LibrarySearch {
  const char* variable;       // environment variable that names the file; nothing else is tried when it is set
  const char* file_prefix;    // "libonnxruntime.so": that name itself and every "<prefix>.<version>"
  const char* pinned_folder;  // under the dependency folder: "onnxruntime"
};

struct LibraryCandidate {
  std::string path;
  std::string origin;  // "system", "orée", or the variable's name
};

// In the order to try them (see registry.h), newest version first within a folder.
std::vector<LibraryCandidate> library_candidates(const LibrarySearch& search);
// OREE_DEPS, else `<folder of the program>/../../.deps`.
std::string dependency_folder();

// Tries the candidates in turn until `use` accepts one. kUnavailable lists what was tried and why it was not taken.
Result<LibraryCandidate> open_first(const LibrarySearch& search,
                                    const std::function<Status(const DynamicLibrary&)>& use);
// The same of candidates that are known; `none` is the error's text when there is none.
Result<LibraryCandidate> open_first_of(std::vector<LibraryCandidate> candidates, const std::string& none,
                                       const std::function<Status(const DynamicLibrary&)>& use);

}  // namespace oree
