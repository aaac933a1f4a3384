// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/io/files.h"

namespace oree {

// The machine's own file system. Files are made with mode 0644, folders with 0755, less the umask. Thread-safe.
class PosixFiles : public Files {
 public:
  Result<Bytes> read(const std::string& path, int64_t limit) override;
  Result<std::unique_ptr<ReadFile>> open(const std::string& path) override;
  Status write_atomic(const std::string& path, ByteView bytes) override;
  Result<std::unique_ptr<WriteFile>> create(const std::string& path) override;
  Result<std::unique_ptr<WriteFile>> append(const std::string& path) override;
  Status truncate(const std::string& path, int64_t size) override;
  Status rename(const std::string& from, const std::string& to) override;
  Status remove(const std::string& path) override;
  Status remove_all(const std::string& path) override;  // never follows a link
  Status make_dirs(const std::string& path) override;
  Status sync_dir(const std::string& path) override;
  Result<FileInfo> info(const std::string& path) override;
  Result<std::vector<std::string>> list(const std::string& path) override;
  Result<int64_t> free_bytes(const std::string& path) override;
};

}  // namespace oree
