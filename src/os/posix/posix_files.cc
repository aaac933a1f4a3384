// SPDX-License-Identifier: Apache-2.0
#include "os/posix/posix_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstring>
#include <system_error>

#include "os/posix/posix_fd.h"

namespace oree {
namespace {

// One system call moves at most 2 GiB less a page.
constexpr size_t kChunk = size_t{1} << 30;

Result<PosixFd> open_fd(const std::string& path, int flags) {
  int fd = -1;
  do {
    fd = ::open(path.c_str(), flags | O_CLOEXEC, 0644);
  } while (fd < 0 && errno == EINTR);
  if (fd < 0) return posix_error(path, errno);
  return PosixFd(fd);
}

Result<Bytes> read_range(int fd, const std::string& path, int64_t offset, int64_t size) {
  Bytes out(static_cast<size_t>(size));
  size_t done = 0;
  while (done < out.size()) {
    ssize_t n = pread(fd, out.data() + done, std::min(out.size() - done, kChunk), offset + static_cast<int64_t>(done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return posix_error(path, errno);
    if (n == 0) break;
    done += static_cast<size_t>(n);
  }
  out.resize(done);
  return out;
}

class PosixReadFile : public ReadFile {
 public:
  PosixReadFile(PosixFd fd, std::string path, int64_t size) : fd_(std::move(fd)), path_(std::move(path)), size_(size) {}
  int64_t size() const override { return size_; }
  Result<Bytes> read_at(int64_t offset, int64_t size) override {
    OREE_ASSERT(offset >= 0 && size >= 0);
    if (offset >= size_) return Bytes();
    return read_range(fd_.get(), path_, offset, std::min(size, size_ - offset));
  }

 private:
  PosixFd fd_;
  std::string path_;
  int64_t size_;
};

class PosixWriteFile : public WriteFile {
 public:
  PosixWriteFile(PosixFd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}
  Status write(ByteView bytes) override {
    for (size_t done = 0; done < bytes.size();) {
      ssize_t n = ::write(fd_.get(), bytes.data() + done, std::min(bytes.size() - done, kChunk));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return posix_error(path_, errno);
      done += static_cast<size_t>(n);
    }
    return {};
  }
  Status sync() override {
    // Not repeated on failure: the kernel drops the dirty pages with the error, and a second call would succeed
    // falsely.
    return fdatasync(fd_.get()) == 0 ? Status() : Status(posix_error(path_, errno));
  }

 private:
  PosixFd fd_;
  std::string path_;
};

Result<std::unique_ptr<WriteFile>> open_writer(const std::string& path, int flags) {
  OREE_TRY_ASSIGN(PosixFd fd, open_fd(path, O_WRONLY | O_CREAT | flags));
  return std::unique_ptr<WriteFile>(std::make_unique<PosixWriteFile>(std::move(fd), path));
}

Status remove_tree(int parent, const std::string& name, const std::string& path) {
  if (unlinkat(parent, name.c_str(), 0) == 0 || errno == ENOENT) return {};
  // Linux says EISDIR for a directory, POSIX EPERM.
  if (errno != EISDIR && errno != EPERM) return posix_error(path, errno);
  int fd = openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return posix_error(path, errno);
  DIR* dir = fdopendir(fd);
  if (!dir) {
    ::close(fd);
    return posix_error(path, ENOMEM);
  }
  Status status;
  while (dirent* e = readdir(dir)) {
    std::string child = e->d_name;
    if (child == "." || child == "..") continue;
    status = remove_tree(fd, child, path_join(path, child));
    if (!status.ok()) break;
  }
  closedir(dir);
  if (status.ok() && unlinkat(parent, name.c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT) {
    status = posix_error(path, errno);
  }
  return status;
}

}  // namespace

Error posix_error(const std::string& what, int number) {
  std::string text = what + ": " + std::generic_category().message(number);
  switch (number) {
    case ENOENT: return Error(Code::kNotFound, text);
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
    case ENOMEM:
    case EMFILE:
    case ENFILE: return Error(Code::kExhausted, text);
    case EISDIR:
    case ENOTDIR:
    case EINVAL:
    case ENAMETOOLONG:
    case ELOOP: return Error(Code::kInvalid, text);
    case EEXIST:
    case ENOTEMPTY: return Error(Code::kConflict, text);
    default: return Error(Code::kUnavailable, text);
  }
}

Result<Bytes> PosixFiles::read(const std::string& path, int64_t limit) {
  OREE_TRY_ASSIGN(PosixFd fd, open_fd(path, O_RDONLY | O_NONBLOCK));  // a FIFO must not hang us
  struct stat st {};
  if (fstat(fd.get(), &st) != 0) return posix_error(path, errno);
  if (S_ISDIR(st.st_mode)) return posix_error(path, EISDIR);
  auto too_large = [&](int64_t size) {
    return Error(Code::kInvalid, fmt::format("{}: {} bytes are above the limit of {}", path, size, limit));
  };
  if (st.st_size > limit) return too_large(st.st_size);
  // Files of /proc and /sys say 0 and have content; others may grow meanwhile: read on until the end or the limit.
  Bytes out;
  int64_t want = st.st_size;
  for (;;) {
    char chunk[16384];
    if (want > 0) {
      OREE_TRY_ASSIGN(out, read_range(fd.get(), path, 0, want));
      if (static_cast<int64_t>(out.size()) < want) return out;
      want = 0;
    }
    ssize_t n = pread(fd.get(), chunk, sizeof chunk, static_cast<off_t>(out.size()));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return posix_error(path, errno);
    if (n == 0) return out;
    if (static_cast<int64_t>(out.size()) + n > limit) return too_large(static_cast<int64_t>(out.size()) + n);
    out.insert(out.end(), chunk, chunk + n);
  }
}

Result<std::unique_ptr<ReadFile>> PosixFiles::open(const std::string& path) {
  OREE_TRY_ASSIGN(PosixFd fd, open_fd(path, O_RDONLY | O_NONBLOCK));
  struct stat st {};
  if (fstat(fd.get(), &st) != 0) return posix_error(path, errno);
  if (S_ISDIR(st.st_mode)) return posix_error(path, EISDIR);
  return std::unique_ptr<ReadFile>(std::make_unique<PosixReadFile>(std::move(fd), path, st.st_size));
}

Status PosixFiles::write_atomic(const std::string& path, ByteView bytes) {
  // Two writers of one path must not share a temporary file; neither may two processes.
  static std::atomic<unsigned> serial{0};
  std::string temporary = fmt::format("{}.{}.{}.tmp", path, getpid(), serial++);
  Status written = [&]() -> Status {
    OREE_TRY_ASSIGN(std::unique_ptr<WriteFile> file, open_writer(temporary, O_EXCL));
    OREE_TRY(file->write(bytes));
    return file->sync();
  }();
  if (written.ok()) written = rename(temporary, path);
  if (!written.ok()) ::unlink(temporary.c_str());
  return written;
}

Result<std::unique_ptr<WriteFile>> PosixFiles::create(const std::string& path) { return open_writer(path, O_TRUNC); }
Result<std::unique_ptr<WriteFile>> PosixFiles::append(const std::string& path) { return open_writer(path, O_APPEND); }

Status PosixFiles::truncate(const std::string& path, int64_t size) {
  return ::truncate(path.c_str(), size) == 0 ? Status() : Status(posix_error(path, errno));
}

Status PosixFiles::rename(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) return posix_error(from, errno);
  OREE_TRY(sync_dir(path_parent(to)));
  return path_parent(from) == path_parent(to) ? Status() : sync_dir(path_parent(from));
}

Status PosixFiles::remove(const std::string& path) {
  if (::unlink(path.c_str()) == 0 || errno == ENOENT) return {};
  return posix_error(path, errno == EPERM ? EISDIR : errno);
}

Status PosixFiles::remove_all(const std::string& path) { return remove_tree(AT_FDCWD, path, path); }

Status PosixFiles::make_dirs(const std::string& path) {
  if (path.empty() || ::mkdir(path.c_str(), 0755) == 0) return {};
  if (errno == ENOENT) {
    OREE_TRY(make_dirs(path_parent(path)));
    if (::mkdir(path.c_str(), 0755) == 0) return {};
  }
  int number = errno;
  struct stat st {};
  if (number == EEXIST && ::stat(path.c_str(), &st) == 0)
    return S_ISDIR(st.st_mode) ? Status() : Status(posix_error(path, ENOTDIR));
  return posix_error(path, number);
}

Status PosixFiles::sync_dir(const std::string& path) {
  OREE_TRY_ASSIGN(PosixFd fd, open_fd(path, O_RDONLY | O_DIRECTORY));
  // Some file systems (FAT, network ones) cannot sync a folder and say EINVAL: there is nothing more to do there.
  if (fsync(fd.get()) == 0 || errno == EINVAL) return {};
  return posix_error(path, errno);
}

Result<FileInfo> PosixFiles::info(const std::string& path) {
  struct stat st {};
  if (::stat(path.c_str(), &st) != 0) return posix_error(path, errno);
  return FileInfo{S_ISDIR(st.st_mode), S_ISDIR(st.st_mode) ? 0 : int64_t{st.st_size},
                  int64_t{st.st_mtim.tv_sec} * 1000 + st.st_mtim.tv_nsec / 1'000'000};
}

Result<std::vector<std::string>> PosixFiles::list(const std::string& path) {
  DIR* dir = opendir(path.c_str());
  if (!dir) return posix_error(path, errno);
  std::vector<std::string> names;
  errno = 0;
  while (dirent* e = readdir(dir)) {
    if (std::strcmp(e->d_name, ".") != 0 && std::strcmp(e->d_name, "..") != 0) names.emplace_back(e->d_name);
    errno = 0;
  }
  int number = errno;
  closedir(dir);
  if (number != 0) return posix_error(path, number);
  std::sort(names.begin(), names.end());
  return names;
}

Result<int64_t> PosixFiles::free_bytes(const std::string& path) {
  struct statvfs st {};
  if (::statvfs(path.c_str(), &st) != 0) return posix_error(path, errno);
  return static_cast<int64_t>(st.f_bavail) * static_cast<int64_t>(st.f_frsize);
}

}  // namespace oree
