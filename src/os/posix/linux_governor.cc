// SPDX-License-Identifier: Apache-2.0
#include "os/posix/linux_governor.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "os/posix/posix_fd.h"
#include "os/posix/posix_files.h"
#include "os/posix/sysfs.h"

namespace oree {
namespace {

bool has_word(const std::string& words, const std::string& word) {
  return (" " + words + " ").find(" " + word + " ") != std::string::npos;
}

Status write_value(const std::string& path, const std::string& value) {
  PosixFd file(open(path.c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC));
  if (file.get() >= 0 && write(file.get(), value.data(), value.size()) == static_cast<ssize_t>(value.size())) return {};
  const bool denied = errno == EACCES || errno == EPERM || errno == EROFS;
  return Error(denied ? Code::kRefused : Code::kUnsupported, fmt::format("{}: {}", path, std::strerror(errno)));
}

}  // namespace

std::vector<std::string> LinuxGovernor::policies() const {
  std::vector<std::string> folders;
  for (const std::string& name : sysfs_names(folder_)) {
    if (name.starts_with("policy")) folders.push_back(path_join(folder_, name));
  }
  return folders;
}

std::string LinuxGovernor::get() {
  std::string common;
  for (const std::string& policy : policies()) {
    const std::string own = sysfs_text(path_join(policy, "scaling_governor"));
    if (!common.empty() && own != common) return "";
    common = own;
  }
  return common;
}

Status LinuxGovernor::set(const std::string& name) {
  const std::vector<std::string> all = policies();
  if (all.empty()) return Error(Code::kUnsupported, "the kernel has no governors on this machine");
  for (const std::string& policy : all) {
    const std::string available = sysfs_text(path_join(policy, "scaling_available_governors"));
    if (!has_word(available, name))
      return Error(Code::kUnsupported, fmt::format("no governor '{}' here; there are: {}", name, available));
  }
  std::vector<std::pair<std::string, std::string>> changed;
  for (const std::string& policy : all) {
    const std::string path = path_join(policy, "scaling_governor");
    const std::string before = sysfs_text(path);
    if (before == name) continue;
    if (Status written = write_value(path, name); !written.ok()) {
      for (const auto& [file, old] : changed) (void)write_value(file, old);
      return written;
    }
    changed.emplace_back(path, before);
  }
  return {};
}

}  // namespace oree
