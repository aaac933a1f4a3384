// SPDX-License-Identifier: Apache-2.0
// A file system in memory that forgets like a real one: what was not synced may be gone after crash().
//
// Two pictures are kept. The live one is what every call sees. The durable one is what a power cut leaves: a file's
// content enters it by WriteFile::sync(), a folder's entries (names made, renamed, removed) by sync_dir(), rename()
// and write_atomic(). Not thread-safe.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "core/io/files.h"

namespace oree {

class FakeFiles : public Files {
 public:
  // The seed decides what becomes of unsynced data in crash(). mtime counts operations, in milliseconds.
  explicit FakeFiles(uint64_t seed = 0) : seed_(seed) {}

  Result<Bytes> read(const std::string& path, int64_t limit) override;
  Result<std::unique_ptr<ReadFile>> open(const std::string& path) override;
  Status write_atomic(const std::string& path, ByteView bytes) override;
  Result<std::unique_ptr<WriteFile>> create(const std::string& path) override;
  Result<std::unique_ptr<WriteFile>> append(const std::string& path) override;
  Status truncate(const std::string& path, int64_t size) override;
  Status rename(const std::string& from, const std::string& to) override;
  Status remove(const std::string& path) override;
  Status remove_all(const std::string& path) override;
  Status make_dirs(const std::string& path) override;
  Status sync_dir(const std::string& path) override;
  Result<FileInfo> info(const std::string& path) override;
  Result<std::vector<std::string>> list(const std::string& path) override;
  Result<int64_t> free_bytes(const std::string& path) override;

  // A power cut: files open for writing are dead, unsynced content is kept whole, cut short or gone (by the seed and
  // file), unsynced folder changes are undone or kept. Then everything that is left is durable.
  void crash();

  // The n-th mutating operation from now (1 is the next) fails with `error`, and so does every later one until heal().
  // A write, a sync, a create, a rename … counts as one; write_atomic counts as the steps that it is made of.
  void fail_after(int64_t n, Error error);
  void heal() { fail_at_.reset(); }
  int64_t operations() const { return operations_; }  // mutating ones so far, failed ones included

  // Room for this many more bytes; a write that passes it stores what fits and fails with kExhausted. Removing files
  // gives their bytes back.
  void set_free_bytes(int64_t bytes) { capacity_ = used_bytes() + bytes; }

  void put(const std::string& path, std::string_view text);  // durable at once, with its folders; never fails
  std::string text(const std::string& path);                 // asserts that the file is there

 private:
  friend class FakeWriteFile;
  struct Node {  // a file's content, whatever its names
    Bytes live;
    Bytes durable;
    bool synced = false;  // at least once: an unsynced new file may be found empty
    int64_t mtime_ms = 0;
  };
  using Entry = std::shared_ptr<Node>;  // null: a folder
  using Tree = std::map<std::string, Entry>;

  Status step(const std::string& path);  // counts a mutating operation, and fails it when it is its turn
  Result<Entry> file_at(const std::string& path) const;
  Status parent_exists(const std::string& path) const;
  Status write_node(Node& node, const std::string& path, ByteView bytes);
  int64_t used_bytes() const;
  Result<std::unique_ptr<WriteFile>> open_writer(const std::string& path, bool truncate);

  uint64_t seed_;
  Tree live_{{".", nullptr}, {"/", nullptr}};
  Tree durable_ = live_;
  int64_t operations_ = 0;
  int64_t generation_ = 0;  // crashes so far: writers of an older one are dead
  std::optional<int64_t> fail_at_;
  Error failure_{Code::kUnavailable, "I/O error"};
  std::optional<int64_t> capacity_;
};

}  // namespace oree
