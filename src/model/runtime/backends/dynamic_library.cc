// SPDX-License-Identifier: Apache-2.0
#include "model/runtime/backends/dynamic_library.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <link.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "core/base/text.h"

#if defined(__SANITIZE_ADDRESS__)
#define OREE_UNDER_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define OREE_UNDER_ASAN 1
#endif
#endif

#ifdef OREE_UNDER_ASAN
// What OpenVINO and its thread library keep until the process ends is not ours to free. The name is the sanitizer's
// own.
extern "C" const char* __lsan_default_suppressions();
extern "C" const char* __lsan_default_suppressions() { return "leak:libopenvino\nleak:libtbb\n"; }
#endif

namespace oree {
namespace {

namespace fs = std::filesystem;

// Engines ask for nothing that can be preempted by our own symbols, so they stay local to themselves.
constexpr int kOpenFlags = RTLD_NOW | RTLD_LOCAL;

std::vector<std::string> system_folders() {
  std::vector<std::string> out;
  if (const char* path = std::getenv("LD_LIBRARY_PATH")) {
    for (std::string& folder : split(path, ':')) {
      if (!folder.empty()) out.push_back(std::move(folder));
    }
  }
#if defined(__x86_64__)
  constexpr char kTriplet[] = "x86_64-linux-gnu";
#elif defined(__aarch64__)
  constexpr char kTriplet[] = "aarch64-linux-gnu";
#elif defined(__arm__)
  constexpr char kTriplet[] = "arm-linux-gnueabihf";
#else
  constexpr char kTriplet[] = "";
#endif
  for (const char* root : {"/usr/local/lib", "/usr/lib", "/lib"}) {
    out.push_back(std::string(root) + "/" + kTriplet);
    out.push_back(root);
  }
  out.push_back("/usr/lib64");
  return out;
}

// Files of `folder` that are the library, newest version first; the unversioned name, where it is, leads.
std::vector<std::string> matches(const std::string& folder, const std::string& prefix) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    std::string name = it->path().filename().string();
    if (name == prefix || name.rfind(prefix + ".", 0) == 0) names.push_back(name);
  }
  std::sort(names.begin(), names.end(), [&](const std::string& a, const std::string& b) {
    if ((a == prefix) != (b == prefix)) return a == prefix;
    return compare_versions(a.substr(prefix.size()), b.substr(prefix.size())) > 0;
  });
  for (std::string& name : names) name = folder + "/" + name;
  return names;
}

}  // namespace

Result<DynamicLibrary> DynamicLibrary::open(const std::string& name) {
#ifdef OREE_UNDER_ASAN
  setenv("TBB_ENABLE_SANITIZERS", "1", 0);  // else TBB opens its helper in a way that the sanitizer refuses
#endif
  DynamicLibrary library;
  library.handle_ = dlopen(name.c_str(), kOpenFlags);
  if (library.handle_ == nullptr) {
    const char* why = dlerror();
    return Error(Code::kUnavailable, why != nullptr ? why : "cannot load " + name);
  }
  link_map* map = nullptr;
  bool known = dlinfo(library.handle_, RTLD_DI_LINKMAP, &map) == 0 && map != nullptr && map->l_name[0] != '\0';
  library.path_ = known ? map->l_name : name;
  return library;
}

void* DynamicLibrary::symbol(const char* name) const { return dlsym(handle_, name); }

Error DynamicLibrary::missing(const char* name) const {
  return Error(Code::kUnsupported, fmt::format("{} has no function {}", path_, name));
}

std::string dependency_folder() {
  const char* variable = std::getenv("OREE_DEPS");
  if (variable != nullptr && *variable != '\0') return variable;
  std::error_code error;
  fs::path program = fs::read_symlink("/proc/self/exe", error);
  if (error) return ".deps";
  return (program.parent_path().parent_path().parent_path() / ".deps").string();
}

std::vector<LibraryCandidate> library_candidates(const LibrarySearch& search) {
  const char* named = std::getenv(search.variable);
  if (named != nullptr && *named != '\0') return {{named, search.variable}};
  std::vector<LibraryCandidate> out;
  std::vector<std::string> seen;
  auto add = [&](const std::string& path, const char* origin) {
    std::error_code error;
    std::string real = fs::weakly_canonical(path, error).string();
    if (error) real = path;
    if (std::find(seen.begin(), seen.end(), real) != seen.end()) return;
    seen.push_back(real);
    out.push_back({path, origin});
  };
  for (const std::string& folder : system_folders()) {
    for (const std::string& path : matches(folder, search.file_prefix)) add(path, "system");
  }
  for (const std::string& path : matches(dependency_folder() + "/" + search.pinned_folder, search.file_prefix)) {
    add(path, "orée");
  }
  return out;
}

Result<LibraryCandidate> open_first(const LibrarySearch& search,
                                    const std::function<Status(const DynamicLibrary&)>& use) {
  return open_first_of(library_candidates(search),
                       fmt::format("no {} in the system's library folders or in {}/{}", search.file_prefix,
                                   dependency_folder(), search.pinned_folder),
                       use);
}

Result<LibraryCandidate> open_first_of(std::vector<LibraryCandidate> candidates, const std::string& none,
                                       const std::function<Status(const DynamicLibrary&)>& use) {
  std::string tried;
  for (LibraryCandidate& candidate : candidates) {
    Result<DynamicLibrary> library = DynamicLibrary::open(candidate.path);
    Status accepted = library.ok() ? use(*library) : Status(library.error());
    if (accepted.ok()) {
      candidate.path = library->path();
      return candidate;
    }
    tried += fmt::format("{}{}", tried.empty() ? "" : "; ", accepted.error().message());
  }
  return Error(Code::kUnavailable, tried.empty() ? none : tried);
}

}  // namespace oree
