// SPDX-License-Identifier: Apache-2.0
#include "core/io/fake/fake_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "core/io/fake/fake_clock.h"

namespace oree {
namespace {

std::string clean(const std::string& path) {
  std::string out;
  for (char c : path) {
    if (c != '/' || out.empty() || out.back() != '/') out += c;
  }
  while (out.size() > 1 && out.back() == '/') out.pop_back();
  while (out.size() > 2 && out.starts_with("./")) out.erase(0, 2);
  return out.empty() ? "." : out;
}

bool below(const std::string& path, const std::string& folder) {
  return path.size() > folder.size() + 1 && path.starts_with(folder) && path[folder.size()] == '/';
}

Error missing(const std::string& path) { return Error(Code::kNotFound, path + ": no such file or directory"); }
Error is_directory(const std::string& path) { return Error(Code::kInvalid, path + ": is a directory"); }

class FakeReadFile : public ReadFile {
 public:
  explicit FakeReadFile(Bytes content) : content_(std::move(content)) {}
  int64_t size() const override { return static_cast<int64_t>(content_.size()); }
  Result<Bytes> read_at(int64_t offset, int64_t size) override {
    OREE_ASSERT(offset >= 0 && size >= 0);
    int64_t from = std::min(offset, this->size());
    int64_t to = from + std::min(size, this->size() - from);
    return Bytes(content_.begin() + from, content_.begin() + to);
  }

 private:
  Bytes content_;
};

}  // namespace

class FakeWriteFile : public WriteFile {
 public:
  FakeWriteFile(FakeFiles* files, std::string path, FakeFiles::Entry node)
      : files_(files), path_(std::move(path)), node_(std::move(node)), generation_(files->generation_) {}
  Status write(ByteView bytes) override {
    OREE_TRY(step());
    return files_->write_node(*node_, path_, bytes);
  }
  Status sync() override {
    OREE_TRY(step());
    node_->durable = node_->live;
    node_->synced = true;
    return {};
  }

 private:
  Status step() {
    if (generation_ != files_->generation_) return Error(Code::kUnavailable, path_ + ": open before the power cut");
    return files_->step(path_);
  }
  FakeFiles* files_;
  std::string path_;
  FakeFiles::Entry node_;
  int64_t generation_;
};

Status FakeFiles::step(const std::string& path) {
  ++operations_;
  if (fail_at_ && operations_ >= *fail_at_) return failure_.within(path);
  return {};
}

void FakeFiles::fail_after(int64_t n, Error error) {
  fail_at_ = operations_ + n;
  failure_ = std::move(error);
}

Result<FakeFiles::Entry> FakeFiles::file_at(const std::string& path) const {
  auto it = live_.find(path);
  if (it == live_.end()) return missing(path);
  if (!it->second) return is_directory(path);
  return it->second;
}

Status FakeFiles::parent_exists(const std::string& path) const {
  auto it = live_.find(path_parent(path));
  if (it == live_.end()) return missing(path_parent(path));
  return it->second ? Status(Error(Code::kInvalid, path_parent(path) + ": not a directory")) : Status();
}

int64_t FakeFiles::used_bytes() const {
  int64_t n = 0;
  for (const auto& [path, node] : live_) n += node ? static_cast<int64_t>(node->live.size()) : 0;
  return n;
}

Status FakeFiles::write_node(Node& node, const std::string& path, ByteView bytes) {
  int64_t room = capacity_ ? std::max<int64_t>(0, *capacity_ - used_bytes()) : INT64_MAX;
  auto fits = static_cast<size_t>(std::min<int64_t>(room, static_cast<int64_t>(bytes.size())));
  node.live.insert(node.live.end(), bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(fits));
  node.mtime_ms = operations_;
  if (fits < bytes.size()) return Error(Code::kExhausted, path + ": no space left on device");
  return {};
}

Result<Bytes> FakeFiles::read(const std::string& path, int64_t limit) {
  OREE_TRY_ASSIGN(Entry node, file_at(clean(path)));
  if (static_cast<int64_t>(node->live.size()) > limit) {
    return Error(Code::kInvalid, fmt::format("{}: {} bytes are above the limit of {}", path, node->live.size(), limit));
  }
  return node->live;
}

Result<std::unique_ptr<ReadFile>> FakeFiles::open(const std::string& path) {
  OREE_TRY_ASSIGN(Entry node, file_at(clean(path)));
  return std::unique_ptr<ReadFile>(std::make_unique<FakeReadFile>(node->live));
}

Status FakeFiles::write_atomic(const std::string& path, ByteView bytes) {
  std::string temporary = clean(path) + ".tmp";
  Status written = [&]() -> Status {
    OREE_TRY_ASSIGN(std::unique_ptr<WriteFile> file, create(temporary));
    OREE_TRY(file->write(bytes));
    return file->sync();
  }();
  if (written.ok()) written = rename(temporary, path);
  if (!written.ok()) (void)remove(temporary);
  return written;
}

Result<std::unique_ptr<WriteFile>> FakeFiles::open_writer(const std::string& raw, bool truncate) {
  std::string path = clean(raw);
  OREE_TRY(step(path));
  OREE_TRY(parent_exists(path));
  auto it = live_.find(path);
  if (it != live_.end() && !it->second) return is_directory(path);
  if (it == live_.end()) it = live_.emplace(path, std::make_shared<Node>()).first;
  if (truncate) it->second->live.clear();
  it->second->mtime_ms = operations_;
  return std::unique_ptr<WriteFile>(std::make_unique<FakeWriteFile>(this, path, it->second));
}

Result<std::unique_ptr<WriteFile>> FakeFiles::create(const std::string& path) { return open_writer(path, true); }
Result<std::unique_ptr<WriteFile>> FakeFiles::append(const std::string& path) { return open_writer(path, false); }

Status FakeFiles::truncate(const std::string& path, int64_t size) {
  OREE_TRY(step(path));
  OREE_TRY_ASSIGN(Entry node, file_at(clean(path)));
  node->live.resize(static_cast<size_t>(size));
  node->mtime_ms = operations_;
  return {};
}

Status FakeFiles::rename(const std::string& raw_from, const std::string& raw_to) {
  std::string from = clean(raw_from);
  std::string to = clean(raw_to);
  OREE_TRY(step(from));
  auto it = live_.find(from);
  if (it == live_.end()) return missing(from);
  OREE_TRY(parent_exists(to));
  auto target = live_.find(to);
  if (target != live_.end() && !target->second != !it->second)
    return Error(Code::kInvalid, to + ": is of another kind");
  if (target != live_.end() && !target->second && !list(to).value().empty()) {
    return Error(Code::kConflict, to + ": directory is not empty");
  }
  if (from == to) return {};
  Tree moved;
  for (auto i = live_.begin(); i != live_.end();) {
    if (i->first != from && !below(i->first, from)) {
      ++i;
      continue;
    }
    moved[to + i->first.substr(from.size())] = i->second;
    i = live_.erase(i);
  }
  for (auto& [path, node] : moved) live_[path] = node;
  OREE_TRY(sync_dir(path_parent(to)));
  return path_parent(from) == path_parent(to) ? Status() : sync_dir(path_parent(from));
}

Status FakeFiles::remove(const std::string& raw) {
  std::string path = clean(raw);
  OREE_TRY(step(path));
  auto it = live_.find(path);
  if (it == live_.end()) return {};
  if (!it->second) return is_directory(path);
  live_.erase(it);
  return {};
}

Status FakeFiles::remove_all(const std::string& raw) {
  std::string path = clean(raw);
  // One operation a name, deepest first, as a real tree goes.
  for (auto it = live_.end(); it != live_.begin();) {
    --it;
    if (it->first != path && !below(it->first, path)) continue;
    OREE_TRY(step(it->first));
    it = live_.erase(it);
  }
  return {};
}

Status FakeFiles::make_dirs(const std::string& raw) {
  std::string path = clean(raw);
  auto it = live_.find(path);
  if (it != live_.end()) return it->second ? Status(Error(Code::kInvalid, path + ": not a directory")) : Status();
  OREE_TRY(make_dirs(path_parent(path)));
  OREE_TRY(step(path));
  live_[path] = nullptr;
  return {};
}

Status FakeFiles::sync_dir(const std::string& raw) {
  std::string path = clean(raw);
  OREE_TRY(step(path));
  auto folder = live_.find(path);
  if (folder == live_.end()) return missing(path);
  if (folder->second) return Error(Code::kInvalid, path + ": not a directory");
  auto inside = [&](const std::string& name) { return name != path && path_parent(name) == path; };
  // A name that left this folder takes what was below it along.
  for (auto it = durable_.begin(); it != durable_.end();) {
    bool gone = inside(it->first) && !live_.contains(it->first);
    std::string lost = it->first;
    if (!gone) {
      ++it;
      continue;
    }
    std::erase_if(durable_, [&](const auto& e) { return e.first == lost || below(e.first, lost); });
    it = durable_.begin();
  }
  for (const auto& [name, node] : live_) {
    if (!inside(name)) continue;
    bool is_new = !durable_.contains(name);
    durable_[name] = node;
    // A folder that was renamed to here brings what it durably held; one that was made here is empty until synced.
    if (is_new && !node) {
      for (const auto& [deep, deep_node] : live_) {
        if (below(deep, name) && (!deep_node || deep_node->synced)) durable_[deep] = deep_node;
      }
    }
  }
  // ext4, xfs and btrfs all journal a folder after its parents: a synced folder is reachable.
  for (std::string up = path; up != "." && up != "/"; up = path_parent(up)) durable_[up] = nullptr;
  return {};
}

Result<FileInfo> FakeFiles::info(const std::string& raw) {
  auto it = live_.find(clean(raw));
  if (it == live_.end()) return missing(raw);
  if (!it->second) return FileInfo{true, 0, 0};
  return FileInfo{false, static_cast<int64_t>(it->second->live.size()), it->second->mtime_ms};
}

Result<std::vector<std::string>> FakeFiles::list(const std::string& raw) {
  std::string path = clean(raw);
  auto it = live_.find(path);
  if (it == live_.end()) return missing(path);
  if (it->second) return Error(Code::kInvalid, path + ": not a directory");
  std::vector<std::string> names;
  for (const auto& [name, node] : live_) {
    if (name != path && name != "." && name != "/" && path_parent(name) == path) names.push_back(path_name(name));
  }
  std::sort(names.begin(), names.end());
  return names;
}

Result<int64_t> FakeFiles::free_bytes(const std::string&) {
  return capacity_ ? std::max<int64_t>(0, *capacity_ - used_bytes()) : int64_t{1} << 40;
}

void FakeFiles::crash() {
  ++generation_;
  FakeRandom random(seed_ + static_cast<uint64_t>(generation_));
  // Each unsynced change of a name is kept or lost on its own: a journal commits whenever it likes.
  Tree after = durable_;
  for (const auto& [path, node] : live_) {
    auto it = durable_.find(path);
    bool changed = it == durable_.end() || it->second != node;
    auto parent = after.find(path_parent(path));
    if (changed && parent != after.end() && !parent->second && random.next_u64() % 2 == 0) after[path] = node;
  }
  for (const auto& [path, node] : durable_) {
    bool removed = !live_.contains(path) && random.next_u64() % 2 == 0;
    if (removed)
      std::erase_if(after, [&gone = path](const auto& e) { return e.first == gone || below(e.first, gone); });
  }
  std::set<Node*> done;
  for (auto& [path, node] : after) {
    if (!node || !done.insert(node.get()).second || node->live == node->durable) continue;
    uint64_t fate = random.next_u64();
    Bytes torn = node->live;
    switch (fate % 4) {
      case 0: torn = node->durable; break;  // nothing of it came to the medium
      case 1: break;                        // all of it did
      case 2:                               // its end is missing
        torn.resize(std::max(std::min(node->durable.size(), torn.size()), (fate >> 8) % (torn.size() + 1)));
        break;
      default:  // the length did, the new content did not
        for (size_t i = std::min(node->durable.size(), torn.size()); i < torn.size(); ++i) torn[i] = 0;
    }
    node->live = std::move(torn);
  }
  // Fresh nodes: a writer of before must not reach the files of after.
  std::map<Node*, Entry> renewed;
  for (auto& [path, node] : after) {
    if (!node) continue;
    Entry& fresh = renewed[node.get()];
    if (!fresh) fresh = std::make_shared<Node>(Node{node->live, node->live, true, node->mtime_ms});
    node = fresh;
  }
  live_ = after;
  durable_ = std::move(after);
}

void FakeFiles::put(const std::string& raw, std::string_view text) {
  std::string path = clean(raw);
  auto node = std::make_shared<Node>(Node{{text.begin(), text.end()}, {text.begin(), text.end()}, true, operations_});
  for (Tree* tree : {&live_, &durable_}) {
    (*tree)[path] = node;
    for (std::string up = path_parent(path); up != "." && up != "/"; up = path_parent(up)) (*tree)[up] = nullptr;
  }
}

std::string FakeFiles::text(const std::string& path) {
  Result<Entry> node = file_at(clean(path));
  OREE_ASSERT(node.ok());
  return std::string(as_text((*node)->live));
}

}  // namespace oree
