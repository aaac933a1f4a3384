// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/base/bytes.h"
#include "core/base/result.h"

namespace oree {

// An open file, written in order. Closing (the destructor) does not sync.
class WriteFile {
 public:
  virtual ~WriteFile() = default;
  virtual Status write(ByteView bytes) = 0;  // all of it, or an error; kExhausted on a full disk
  virtual Status sync() = 0;                 // fdatasync: on the medium when it returns
};

// An open file, read anywhere. Safe to read from several threads.
class ReadFile {
 public:
  virtual ~ReadFile() = default;
  virtual int64_t size() const = 0;
  // Up to size bytes at offset; fewer only at the end of the file.
  virtual Result<Bytes> read_at(int64_t offset, int64_t size) = 0;
};

struct FileInfo {
  bool directory = false;
  int64_t size = 0;      // bytes
  int64_t mtime_ms = 0;  // Unix milliseconds
};

// The file system. Errors: kNotFound, kExhausted (full disk, quota), kUnavailable (I/O error), kInvalid (is a
// directory, too large), each with the path and the reason. Paths are UTF-8.
class Files {
 public:
  virtual ~Files() = default;
  // The whole file; kInvalid when it is larger than limit, before anything is allocated.
  virtual Result<Bytes> read(const std::string& path, int64_t limit) = 0;
  virtual Result<std::unique_ptr<ReadFile>> open(const std::string& path) = 0;
  // Replaces path so that a power cut leaves the old content or the new, never a mix: temporary file in the same
  // folder, sync, rename, sync of the folder.
  virtual Status write_atomic(const std::string& path, ByteView bytes) = 0;
  virtual Result<std::unique_ptr<WriteFile>> create(const std::string& path) = 0;  // truncates
  virtual Result<std::unique_ptr<WriteFile>> append(const std::string& path) = 0;  // creates when absent
  virtual Status truncate(const std::string& path, int64_t size) = 0;
  virtual Status rename(const std::string& from, const std::string& to) = 0;  // atomic; syncs the folder
  virtual Status remove(const std::string& path) = 0;                         // file; absent is success
  virtual Status remove_all(const std::string& path) = 0;                     // tree; absent is success
  virtual Status make_dirs(const std::string& path) = 0;                      // with parents; present is success
  virtual Status sync_dir(const std::string& path) = 0;
  virtual Result<FileInfo> info(const std::string& path) = 0;
  virtual Result<std::vector<std::string>> list(const std::string& path) = 0;  // names, sorted
  virtual Result<int64_t> free_bytes(const std::string& path) = 0;             // for this user
  bool exists(const std::string& path) { return info(path).ok(); }
};

std::string path_join(std::string_view folder, std::string_view name);
std::string path_parent(std::string_view path);     // "a/b" -> "a", "a" -> "."
std::string path_name(std::string_view path);       // "a/b.c" -> "b.c"
std::string path_extension(std::string_view path);  // "a/b.Tar" -> ".tar" (lower case), "" when none

}  // namespace oree
