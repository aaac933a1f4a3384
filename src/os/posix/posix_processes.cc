// SPDX-License-Identifier: Apache-2.0
#include "os/posix/posix_processes.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>

#include "core/base/limits.h"
#include "core/base/text.h"
#include "os/posix/line_reader.h"
#include "os/posix/posix_clock.h"
#include "os/posix/posix_fd.h"
#include "os/posix/posix_files.h"

extern char** environ;

namespace oree {
namespace {

constexpr int kMessageFd = 3;              // in the child
constexpr size_t kReadBytesMax = 1 << 20;  // in one call, so that a child that never stops cannot hold us
constexpr int kSendTimeoutMs = 5000;

Result<ProcessUsage> usage_of(const std::string& process) {
  PosixFiles files;
  OREE_TRY_ASSIGN(Bytes status, files.read("/proc/" + process + "/status", 1 << 16));
  OREE_TRY_ASSIGN(Bytes stat, files.read("/proc/" + process + "/stat", 1 << 16));
  ProcessUsage usage;
  bool found = false;
  for (const std::string& line : split(as_text(status), '\n')) {
    int64_t bytes = std::strtoll(line.c_str() + std::min<size_t>(line.size(), 6), nullptr, 10) * 1024;
    if (line.starts_with("VmRSS:")) usage.rss_bytes = bytes;
    if (line.starts_with("VmHWM:")) usage.rss_bytes_peak = bytes;
    found |= line.starts_with("VmRSS:");
  }
  if (!found) return Error(Code::kNotFound, "process " + process + " has ended");
  // The name in parentheses may hold anything; the fields are counted after its last ')': state is field 3.
  std::string_view rest = as_text(stat);
  rest.remove_prefix(std::min(rest.rfind(')') + 1, rest.size()));
  std::vector<std::string> fields = split(trim(rest), ' ');
  if (fields.size() < 13) return Error(Code::kUnavailable, "/proc/" + process + "/stat is cut");
  int64_t ticks = std::strtoll(fields[11].c_str(), nullptr, 10) + std::strtoll(fields[12].c_str(), nullptr, 10);
  usage.cpu_ms = ticks * 1000 / sysconf(_SC_CLK_TCK);
  return usage;
}

// Descriptors above the standard ones and the message pipe's, so that dup2 in the child never overwrites one.
Result<PosixFd> lifted(int fd) {
  PosixFd low(fd);
  int high = fcntl(fd, F_DUPFD_CLOEXEC, 10);
  if (high < 0) return posix_error("pipe", errno);
  return PosixFd(high);
}

struct Pipe {
  PosixFd ours;
  PosixFd theirs;
};

Result<Pipe> make_pipe() {
  int fds[2];
  if (pipe2(fds, O_CLOEXEC) != 0) return posix_error("pipe", errno);
  PosixFd write_end(fds[1]);
  OREE_TRY_ASSIGN(PosixFd ours, lifted(fds[0]));
  OREE_TRY_ASSIGN(PosixFd theirs, lifted(fcntl(fds[1], F_DUPFD_CLOEXEC, 10)));
  fcntl(ours.get(), F_SETFL, O_NONBLOCK);
  return Pipe{std::move(ours), std::move(theirs)};
}

// A socket, not a pipe: writing to a child that is gone must give an error, and a socket can do that without SIGPIPE.
Result<Pipe> make_input() {
  int fds[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0) return posix_error("socketpair", errno);
  PosixFd second(fds[1]);
  OREE_TRY_ASSIGN(PosixFd ours, lifted(fds[0]));
  OREE_TRY_ASSIGN(PosixFd theirs, lifted(fcntl(fds[1], F_DUPFD_CLOEXEC, 10)));
  fcntl(ours.get(), F_SETFL, O_NONBLOCK);
  shutdown(theirs.get(), SHUT_WR);
  return Pipe{std::move(ours), std::move(theirs)};
}

Result<std::string> find_program(const std::string& name, bool moves) {
  if (name.empty()) return Error(Code::kInvalid, "program name is empty");
  if (name.find('/') != std::string::npos) {
    if (name[0] == '/' || !moves) return name;
    char cwd[PATH_MAX];
    if (!getcwd(cwd, sizeof cwd)) return posix_error(name, errno);
    return path_join(cwd, name);
  }
  const char* path = std::getenv("PATH");
  for (const std::string& folder : split(path ? path : "/usr/local/bin:/usr/bin:/bin", ':')) {
    std::string file = path_join(folder.empty() ? "." : folder, name);
    if (access(file.c_str(), X_OK) == 0) return file;
  }
  return Error(Code::kNotFound, name + ": not found in PATH");
}

// All that the child needs between fork and exec, made before: there it may call only async-signal-safe functions.
struct Launch {
  std::string program;
  std::vector<std::string> env_text;
  std::vector<char*> argv;
  std::vector<char*> envp;
  const char* working_dir = nullptr;
  int input = -1;
  int output = -1;
  int message = -1;
  int error = -1;
  bool die_with_parent = true;
  rlim_t memory_max = 0;
  int nice = 0;
  pid_t parent = 0;
  int fd_max = 0;
};

[[noreturn]] void fail_child(const Launch& l) {
  int number = errno;
  ssize_t ignored = write(l.error, &number, sizeof number);
  (void)ignored;
  _exit(127);
}

// Async-signal-safe: system calls only.
[[noreturn]] void run_child(const Launch& l) {
  setpgid(0, 0);
  if (l.die_with_parent) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != l.parent) _exit(127);  // it died before the line above
  }
  // Our handlers must not run here: they would write into pipes that are shared with the parent.
  struct sigaction plain {};
  plain.sa_handler = SIG_DFL;
  for (int s = 1; s < NSIG; ++s) sigaction(s, &plain, nullptr);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);

  if (dup2(l.input, STDIN_FILENO) < 0) fail_child(l);
  if (l.output >= 0 && dup2(l.output, STDOUT_FILENO) < 0) fail_child(l);
  int first = kMessageFd;
  if (l.message >= 0) {
    if (dup2(l.message, kMessageFd) < 0) fail_child(l);
    ++first;
  }
#ifdef SYS_close_range
  constexpr unsigned kCloexec = 1u << 2;  // CLOSE_RANGE_CLOEXEC, Linux 5.11
  bool closed = syscall(SYS_close_range, static_cast<unsigned>(first), ~0u, kCloexec) == 0;
#else
  bool closed = false;
#endif
  for (int fd = first; !closed && fd < l.fd_max; ++fd) fcntl(fd, F_SETFD, FD_CLOEXEC);

  if (l.memory_max > 0) {
    rlimit limit{l.memory_max, l.memory_max};
    if (setrlimit(RLIMIT_AS, &limit) != 0) fail_child(l);
  }
  // Below what it may be, it stays as it is: a model that runs at the wrong priority is better than none.
  if (l.nice != 0) (void)setpriority(PRIO_PROCESS, 0, l.nice);
  if (l.working_dir && chdir(l.working_dir) != 0) fail_child(l);
  execve(l.program.c_str(), l.argv.data(), l.envp.data());
  fail_child(l);
}

void fill_environment(const ProcessSpec& spec, Launch& l) {
  std::map<std::string, std::string> all;
  for (char** e = environ; e && *e; ++e) {
    char* equals = std::strchr(*e, '=');
    if (equals) all[std::string(*e, equals)] = equals + 1;
  }
  all.erase("OREE_AGENT_FD");  // ours, when we are a child ourselves
  if (spec.message_pipe) all["OREE_AGENT_FD"] = std::to_string(kMessageFd);
  for (const auto& [key, value] : spec.env) all[key] = value;
  for (const auto& [key, value] : all) l.env_text.push_back(key + "=" + value);
  for (std::string& text : l.env_text) l.envp.push_back(text.data());
  l.envp.push_back(nullptr);
}

class PosixProcess : public Process {
 public:
  PosixProcess(pid_t pid, PosixFd input, PosixFd output, PosixFd message)
      : pid_(pid),
        input_(std::move(input)),
        output_{std::move(output), LineReader(kAppMessageBytesMax)},
        message_{std::move(message), LineReader(kAppMessageBytesMax)} {
#ifdef SYS_pidfd_open
    pidfd_.reset(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));  // close-on-exec by itself; Linux 5.3
#endif
  }
  ~PosixProcess() override {
    if (exit_) return;
    kill(-pid_, SIGKILL);
    reap(0);
  }

  int64_t pid() const override { return pid_; }

  std::optional<ProcessExit> poll_exit() override {
    if (!exit_) reap(WNOHANG);
    return exit_;
  }

  Result<ProcessExit> wait(int64_t timeout_ms) override {
    int64_t until = clock_.monotonic_ns() + timeout_ms * 1'000'000;
    while (!poll_exit()) {
      int64_t left = (until - clock_.monotonic_ns() + 999'999) / 1'000'000;
      if (left <= 0) return Error(Code::kUnavailable, fmt::format("process {} is still running", pid_));
      await_exit(left);
    }
    return *exit_;
  }

  Status signal(int number) override {
    if (poll_exit()) return Error(Code::kNotFound, fmt::format("process {} has ended", pid_));
    return kill(-pid_, number) == 0 ? Status() : Status(posix_error("signal", errno));
  }

  std::vector<std::string> read_messages(int64_t timeout_ms) override { return read(message_, timeout_ms); }
  std::vector<std::string> read_output(int64_t timeout_ms) override { return read(output_, timeout_ms); }

  Status send(const std::string& line) override {
    OREE_ASSERT(input_.open());
    std::string text = line + "\n";
    for (size_t done = 0; done < text.size();) {
      ssize_t n = ::send(input_.get(), text.data() + done, text.size() - done, MSG_NOSIGNAL);
      if (n >= 0) {
        done += static_cast<size_t>(n);
      } else if (errno == EAGAIN) {
        pollfd p{input_.get(), POLLOUT, 0};
        if (poll(&p, 1, kSendTimeoutMs) == 0) return Error(Code::kUnavailable, "child does not read its input");
      } else if (errno != EINTR) {
        return posix_error("child's input", errno);
      }
    }
    return {};
  }

  Result<ProcessUsage> usage() override {
    if (poll_exit()) return Error(Code::kNotFound, fmt::format("process {} has ended", pid_));
    return usage_of(std::to_string(pid_));
  }

 private:
  struct Stream {
    PosixFd fd;
    LineReader lines;
  };

  void reap(int flags) {
    siginfo_t info{};
    int r = 0;
    // First only looked at: while it is a zombie its number, and so its group's, cannot be given to another.
    do {
      r = waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOWAIT | flags);
    } while (r < 0 && errno == EINTR);
    if (r == 0 && info.si_pid == 0) return;
    kill(-pid_, SIGKILL);
    int status = 0;
    rusage used{};
    while (wait4(pid_, &status, 0, &used) < 0 && errno == EINTR) {
    }
    exit_ = ProcessExit{WIFEXITED(status) ? WEXITSTATUS(status) : 0, WIFSIGNALED(status) ? WTERMSIG(status) : 0,
                        int64_t{used.ru_maxrss} * 1024};
  }

  void await_exit(int64_t timeout_ms) {
    if (!pidfd_.open()) {
      clock_.sleep_ms(std::min<int64_t>(timeout_ms, 5));
      return;
    }
    pollfd p{pidfd_.get(), POLLIN, 0};
    poll(&p, 1, static_cast<int>(std::min<int64_t>(timeout_ms, 60'000)));
  }

  std::vector<std::string> read(Stream& s, int64_t timeout_ms) {
    std::vector<std::string> out;
    int64_t until = clock_.monotonic_ns() + timeout_ms * 1'000'000;
    for (;;) {
      bool ended = !s.fd.open() || drain(s, out);
      int64_t left = (until - clock_.monotonic_ns() + 999'999) / 1'000'000;
      if (!out.empty() || left <= 0) return out;
      if (ended) {
        // No more will come: the caller still asked to wait, and would spin if we came back at once.
        if (poll_exit()) return out;
        await_exit(left);
      } else {
        pollfd p{s.fd.get(), POLLIN, 0};
        poll(&p, 1, static_cast<int>(std::min<int64_t>(left, 60'000)));
      }
    }
  }

  // Reads what is there; true at the end of the stream.
  static bool drain(Stream& s, std::vector<std::string>& out) {
    char chunk[16384];
    for (size_t total = 0; total < kReadBytesMax;) {
      ssize_t n = ::read(s.fd.get(), chunk, sizeof chunk);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0 && errno == EAGAIN) return false;
      if (n <= 0) {
        s.lines.finish(out);
        s.fd.reset();
        return true;
      }
      s.lines.feed({chunk, static_cast<size_t>(n)}, out);
      total += static_cast<size_t>(n);
    }
    return false;
  }

  pid_t pid_;
  PosixFd pidfd_;
  PosixFd input_;
  Stream output_;
  Stream message_;
  PosixClock clock_;
  std::optional<ProcessExit> exit_;
};

}  // namespace

Result<std::unique_ptr<Process>> PosixProcesses::spawn(const ProcessSpec& spec) {
  if (spec.argv.empty()) return Error(Code::kInvalid, "no program to start");
  Launch l;
  OREE_TRY_ASSIGN(l.program, find_program(spec.argv[0], !spec.working_dir.empty()));
  for (const std::string& a : spec.argv) l.argv.push_back(const_cast<char*>(a.c_str()));
  l.argv.push_back(nullptr);
  fill_environment(spec, l);
  if (!spec.working_dir.empty()) l.working_dir = spec.working_dir.c_str();
  l.die_with_parent = spec.die_with_parent;
  l.nice = spec.nice;
  l.memory_max = static_cast<rlim_t>(std::max<int64_t>(spec.memory_bytes_max, 0));
  l.parent = getpid();
  l.fd_max = static_cast<int>(std::min<long>(std::max<long>(sysconf(_SC_OPEN_MAX), 1024), 65536));

  Pipe input, output, message;
  if (spec.input_pipe) {
    OREE_TRY_ASSIGN(input, make_input());
  } else {
    OREE_TRY_ASSIGN(input.theirs, lifted(open("/dev/null", O_RDONLY | O_CLOEXEC)));
  }
  if (spec.output_pipe) {
    OREE_TRY_ASSIGN(output, make_pipe());
  }
  if (spec.message_pipe) {
    OREE_TRY_ASSIGN(message, make_pipe());
  }
  OREE_TRY_ASSIGN(Pipe failure, make_pipe());
  l.input = input.theirs.get();
  l.output = output.theirs.get();
  l.message = message.theirs.get();
  l.error = failure.theirs.get();

  // No handler of ours may run in the child before it has reset them all.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pid_t pid = fork();
  if (pid == 0) run_child(l);
  int number = errno;
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (pid < 0) return posix_error("fork", number);
  failure.theirs.reset();
  auto process =
      std::make_unique<PosixProcess>(pid, std::move(input.ours), std::move(output.ours), std::move(message.ours));

  // The pipe closes by itself when exec succeeds, else it brings errno.
  fcntl(failure.ours.get(), F_SETFL, 0);
  ssize_t n = 0;
  do {
    n = read(failure.ours.get(), &number, sizeof number);
  } while (n < 0 && errno == EINTR);
  if (n == sizeof number) return posix_error("starting " + spec.argv[0], number);
  return std::unique_ptr<Process>(std::move(process));
}

std::string PosixProcesses::own_path() {
  char path[PATH_MAX];
  ssize_t n = readlink("/proc/self/exe", path, sizeof path);
  return n > 0 ? std::string(path, static_cast<size_t>(n)) : "";
}

Result<ProcessUsage> PosixProcesses::own_usage() { return usage_of("self"); }

}  // namespace oree
