// SPDX-License-Identifier: Apache-2.0
// oree-agent: the device's program. Wiring, signals and the one lock; everything else is device/agent.
#include <fcntl.h>
#include <malloc.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "core/base/limits.h"
#include "core/base/log.h"
#include "core/base/measure_limits.h"
#include "core/base/text.h"
#include "deliver/bundle/bundle.h"
#include "device/agent/agent.h"
#include "device/agent/show.h"
#include "device/measure/measure_server.h"
#include "model/eval/worker.h"
#include "model/runtime/registry.h"
#include "os/http/beast_http_client.h"
#include "os/http/beast_http_server.h"
#include "os/posix/line_reader.h"
#include "os/posix/link_file.h"
#include "os/posix/linux_governor.h"
#include "os/posix/linux_power.h"
#include "os/posix/posix_ports.h"

namespace {

using namespace oree;

constexpr char kUsage[] =
    "oree-agent runs models on a device and keeps them up to date.\n"
    "\n"
    "  oree-agent run --config FILE [--until-idle] [--verbose] [--log-json]\n"
    "      Supervise the application, poll for releases, measure. With --until-idle: one poll and what follows from "
    "it.\n"
    "  oree-agent status (--config FILE | --data DIR) [--json]\n"
    "      What is installed here, and how the last update ended. Works while the agent runs.\n"
    "  oree-agent prove (--slot DIR | --runtime NAME) [--json]\n"
    "      Run the golden samples of an unpacked bundle in its engine, or only say whether an engine is here. The "
    "agent\n"
    "      calls this.\n"
    "  oree-agent check --config FILE\n"
    "      Read the configuration and the keys, and say what is wrong.\n"
    "  oree-agent measure --listen HOST:PORT --token-file FILE --data DIR [--certificate FILE --key FILE]\n"
    "      Lend this machine to oree bench and oree tune, by hand and without an application. An agent whose "
    "configuration\n"
    "      has a [measure] table starts this by itself. Also: --plain-http, --name, --power-meter, --disk-bytes-max, "
    "--reserve-bytes,\n"
    "      --memory-bytes-max, --job-ms-max, --lease-ms, --worker PROGRAM. Example:\n"
    "        openssl rand -hex 32 > token\n"
    "        oree-agent measure --listen 127.0.0.1:8733 --token-file token --data /tmp/measure\n"
    "  oree-agent --version\n"
    "\n"
    "Signals: SIGTERM and SIGINT end in good order, SIGHUP polls now.\n"
    "Exit status: 0 done, 1 the verdict is no, 2 usage, 3 invalid data, 4 integrity, 5 unsupported,\n"
    "6 unavailable, 7 exhausted (disk, memory, a limit), 8 not found, 9 conflict, 70 a bug in orée.\n";

constexpr int64_t kTurnMs = 200;
constexpr int64_t kJobsStopMs = 2'000;
constexpr int64_t kAgentWordMs = 120'000;  // the application may take its time to end

std::atomic<bool> hangup{false};
void on_stop(int) { PosixClock::request_stop(); }
void on_hangup(int) { hangup = true; }

struct Arguments {
  std::string command, config, data, slot, runtime;
  bool json = false, until_idle = false;
};

Result<Arguments> parse(int argc, char** argv) {
  Arguments out;
  if (argc < 2) return Error(Code::kUsage, "a command is expected: run, status, prove, check or measure");
  out.command = argv[1];
  for (int i = 2; i < argc; ++i) {
    std::string option = argv[i];
    std::string* value = option == "--config"    ? &out.config
                         : option == "--data"    ? &out.data
                         : option == "--slot"    ? &out.slot
                         : option == "--runtime" ? &out.runtime
                                                 : nullptr;
    if (value != nullptr) {
      if (++i >= argc) return Error(Code::kUsage, option + " needs a value");
      *value = argv[i];
    } else if (option == "--json") {
      out.json = true;
    } else if (option == "--until-idle") {
      out.until_idle = true;
    } else if (option == "--verbose") {
      set_log_level(LogLevel::kDebug);
    } else if (option == "--log-json") {
      set_log_json(true);
    } else {
      return Error(Code::kUsage, "unknown option " + option);
    }
  }
  return out;
}

// What the application is given must hold from any working folder.
std::string absolute(const std::string& path) {
  if (path.starts_with('/')) return path;
  char* folder = getcwd(nullptr, 0);
  std::string out = folder == nullptr ? path : path_join(folder, path);
  std::free(folder);
  return out;
}

Result<AgentSetup> read_setup(Files& files, const std::string& path) {
  if (path.empty()) return Error(Code::kUsage, "--config FILE is needed");
  OREE_TRY_ASSIGN(Bytes bytes, files.read(path, kConfigBytesMax));
  auto json = parse_toml(as_text(bytes));
  if (!json.ok()) return Error(Code::kUsage, path + ": " + json.error().message());
  AgentSetup setup;
  auto config = agent_config_from_json(*json, path_parent(absolute(path)));
  if (!config.ok()) return config.error().within(path);
  setup.config = std::move(config).value();
  for (const std::string& file : setup.config.trusted_keys) {
    OREE_TRY_ASSIGN(Bytes pem, files.read(file, 64 << 10));
    auto key = parse_public_key_pem(as_text(pem));
    if (!key.ok()) return Error(Code::kUsage, file + ": " + key.error().message());
    setup.trusted.push_back(*key);
  }
  if (!setup.config.token_file.empty()) {
    OREE_TRY_ASSIGN(Bytes token, files.read(setup.config.token_file, 4096));
    setup.token = std::string(trim(as_text(token)));
  } else if (!setup.config.token_env.empty()) {
    const char* token = std::getenv(setup.config.token_env.c_str());
    if (token == nullptr)
      return Error(Code::kUsage, "server.token_env names " + setup.config.token_env + ", which is not set");
    setup.token = token;
    unsetenv(setup.config.token_env.c_str());  // the application has no business with it
  }
  return setup;
}

// One process a data folder. Held until the process ends.
Status lock_data(Files& files, const std::string& data) {
  OREE_TRY(files.make_dirs(data));
  std::string path = path_join(data, "lock");
  int fd = open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
  if (fd < 0) return Error(Code::kUnavailable, path + ": " + std::strerror(errno));
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) return Error(Code::kConflict, "another agent runs on " + data);
  return {};
}

void install_signals() {
  struct sigaction action {};
  action.sa_handler = on_stop;
  sigaction(SIGTERM, &action, nullptr);
  sigaction(SIGINT, &action, nullptr);
  action.sa_handler = on_hangup;
  sigaction(SIGHUP, &action, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
}

Status run(PosixPorts& posix, const Arguments& arguments) {
  // One arena: the job thread must not bring a second heap to a small device; and give freed pages back early.
  mallopt(M_ARENA_MAX, 1);
  mallopt(M_TRIM_THRESHOLD, 128 << 10);
  mallopt(M_MMAP_THRESHOLD, 64 << 10);
  BeastHttpClient http;
  Ports ports = posix.ports(&http);
  LinuxGovernor governor;
  ports.governor = &governor;
  OREE_TRY_ASSIGN(AgentSetup setup, read_setup(*ports.files, arguments.config));
  OREE_TRY(lock_data(*ports.files, setup.config.data));
  if (arguments.until_idle) setup.config.measure.reset();  // nobody can count on a moment a day
  if (!setup.config.ca_file.empty()) http.set_ca_file(setup.config.ca_file);
  install_signals();
  ThreadJobs jobs;
  Status end;
  {
    Agent agent(setup, ports, jobs);
    OREE_TRY(agent.open());
    log_info("agent", "orée agent " OREE_VERSION " serves device " + setup.config.device_id);
    while (!PosixClock::stop_requested()) {
      if (hangup.exchange(false)) agent.poll_now();
      agent.turn(kTurnMs);
      if (!arguments.until_idle) continue;
      if (auto settled = agent.settled()) {
        end = *settled;
        break;
      }
    }
    agent.shutdown();
    // A peer that is silent may hold the job thread for half a minute; the disk is fit for being left at any instant.
    if (!jobs.stop(kJobsStopMs)) std::_Exit(end.ok() ? 0 : exit_code(end.error().code()));
  }
  return end;
}

Status status(PosixPorts& posix, const Arguments& arguments) {
  Files& files = *posix.ports().files;
  std::string data = arguments.data;
  if (data.empty()) {
    OREE_TRY_ASSIGN(AgentSetup setup, read_setup(files, arguments.config));
    data = setup.config.data;
  }
  OREE_TRY_ASSIGN(Json document, describe_data(files, data));
  std::string text = arguments.json ? document.dump(2) + "\n" : status_text(document);
  std::fwrite(text.data(), 1, text.size(), stdout);
  return {};
}

Result<Backend*> find_backend(const std::string& name) {
  for (const std::string& known : backend_names()) {
    if (known == name) return &backend(name);
  }
  return Error(Code::kUnsupported, "this build knows no runtime " + name);
}

Status prove(PosixPorts& posix, const Arguments& arguments) {
  bool look = !arguments.runtime.empty();
  if (arguments.slot.empty() != look) return Error(Code::kUsage, "--slot DIR or --runtime NAME is needed");
  Ports ports = posix.ports();
  Proof proof = look ? look_at_runtime(find_backend, arguments.runtime)
                     : prove_bundle(*ports.clock, *ports.files, *ports.processes, find_backend, arguments.slot);
  std::string text = arguments.json ? proof_to_json(proof).dump() + "\n" : look ? look_text(proof) : proof_text(proof);
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
  if (proof.passed) return {};
  if (look) return Error(Code::kRefused, "");  // all is said, and an agent that waits asks often
  return Error(Code::kRefused, proof.reason + ": " + proof.detail);
}

Status check(PosixPorts& posix, const Arguments& arguments) {
  OREE_TRY_ASSIGN(AgentSetup setup, read_setup(*posix.ports().files, arguments.config));
  if (setup.config.measure) {
    OREE_TRY(posix.ports().files->read(setup.config.measure->options.token_file, 4096));
  }
  std::string text = arguments.config + " is good: device " + setup.config.device_id + ", " +
                     std::to_string(setup.trusted.size()) + " trusted keys" +
                     (setup.config.measure ? ", lends itself for measuring" : "") + "\n";
  std::fwrite(text.data(), 1, text.size(), stdout);
  return {};
}

// Workers may need more memory than there is: they and this process are what the kernel is to end then, not the agent
// or the application. Children inherit it; failing is no harm.
void first_to_go() {
  if (std::FILE* file = std::fopen("/proc/self/oom_score_adj", "w")) {
    std::fputs("900", file);
    std::fclose(file);
  }
}

// The agent's words, line by line; its end is ours.
void listen_to_agent(AgentGate& gate) {
  LineReader reader(kAppMessageBytesMax);
  std::vector<std::string> lines;
  char chunk[4096];
  for (ssize_t n; (n = read(STDIN_FILENO, chunk, sizeof chunk)) != 0;) {
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) break;
    reader.feed({chunk, static_cast<size_t>(n)}, lines);
    for (const std::string& line : lines) gate.on_line(line);
    lines.clear();
  }
  kill(getpid(), SIGTERM);
}

Status measure(PosixPorts& posix, const std::vector<std::string>& arguments) {
  OREE_TRY_ASSIGN(MeasureOptions options, measure_options(arguments));
  OREE_TRY(check_measure_options(options));
  Ports ports = posix.ports();
  options.data = absolute(options.data);
  OREE_TRY_ASSIGN(Bytes token, ports.files->read(options.token_file, 4096));
  char host[256] = "";
  if (options.name.empty() && gethostname(host, sizeof host - 1) == 0) options.name = host;
  umask(077);  // the models are nobody else's
  OREE_TRY(lock_data(*ports.files, options.data));
  first_to_go();
  std::signal(SIGPIPE, SIG_IGN);

  const char* fd_text = std::getenv("OREE_AGENT_FD");
  int agent = fd_text == nullptr ? -1 : std::atoi(fd_text);
  auto say = [agent](const std::string& line) {
    std::string text = line + "\n";
    return write(agent, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  };
  AgentGate asking(say, kAgentWordMs);
  OpenGate alone;
  JobGate& gate = agent >= 0 ? static_cast<JobGate&>(asking) : alone;
  MeasureServer server(ports, options, std::string(as_text(token)), gate, link_or_copy_file);
  OREE_TRY(server.open());
  HttpServerOptions http;
  http.listen = options.listen;
  http.certificate_file = options.certificate_file;
  http.key_file = options.key_file;
  http.threads = kMeasureThreads;
  http.connections_max = kMeasureConnectionsMax;
  BeastHttpServer listener(server, http);
  OREE_TRY(listener.start());
  if (agent >= 0) {
    (void)say(Json().set("type", "listening").set("url", listener.url()).dump());
    std::thread([&asking] { listen_to_agent(asking); }).detach();
  } else {
    std::printf("listening on %s\n", listener.url().c_str());
    std::fflush(stdout);
  }
  listener.wait_for_signal();
  server.close();
  listener.stop();
  std::_Exit(0);  // the thread that listens to the agent may still do so; everything is on disk
}

}  // namespace

int main(int argc, char** argv) {
  const std::string last = argc > 1 ? argv[argc - 1] : "";  // of "measure --help", too
  if (last == "--help" || last == "-h" || (argc > 1 && std::strcmp(argv[1], "help") == 0)) {
    std::fputs(kUsage, stdout);
    return 0;
  }
  if (argc > 1 && std::strcmp(argv[1], "--version") == 0) {
    std::puts("oree-agent " OREE_VERSION);
    return 0;
  }
  if (argc == 2 && std::strcmp(argv[1], "worker") == 0) {
    PosixPorts posix;
    Ports ports = posix.ports();
    LinuxPower power(ports.processes, ports.clock);
    ports.power = &power;
    return worker_main(ports);
  }
  bool lends = argc > 1 && std::strcmp(argv[1], "measure") == 0;
  auto arguments = lends ? Result<Arguments>(Arguments{}) : parse(argc, argv);
  Status end = arguments.ok() ? Status() : Status(arguments.error());
  if (end.ok() && lends) {
    PosixPorts posix;
    end = measure(posix, std::vector<std::string>(argv + 2, argv + argc));
  } else if (end.ok()) {
    PosixPorts posix;
    const std::string& command = arguments->command;
    if (command == "run")
      end = run(posix, *arguments);
    else if (command == "status")
      end = status(posix, *arguments);
    else if (command == "prove")
      end = prove(posix, *arguments);
    else if (command == "check")
      end = check(posix, *arguments);
    else
      end = Error(Code::kUsage, "unknown command " + command);
  }
  if (end.ok()) return 0;
  if (!end.error().message().empty()) std::fprintf(stderr, "oree-agent: %s\n", end.error().message().c_str());
  if (end.error().code() == Code::kUsage) std::fputs("Try oree-agent --help.\n", stderr);
  return exit_code(end.error().code());
}
