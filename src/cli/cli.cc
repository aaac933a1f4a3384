// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>

#include "cli/context.h"
#include "core/base/log.h"

namespace oree::cli {
namespace {

constexpr char kFooter[] =
    "Exit status: 0 done, 1 the verdict is no, 2 usage, 3 invalid data, 4 integrity, 5 unsupported,\n"
    "6 unavailable, 7 exhausted (disk, memory, a limit), 8 not found, 9 conflict, 70 a bug in orée.\n"
    "Each command has its own --help with an example.";

void print_error(const Context& context, const Error& error) {
  if (context.json) {
    Json document;
    document.set("error", Json().set("code", code_name(error.code())).set("message", error.message()));
    std::fputs((document.dump() + "\n").c_str(), stderr);
  } else {
    std::fputs(fmt::format("oree: {}\n", error.message()).c_str(), stderr);
  }
}

int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace

void print_result(const Context& context, const Json& document, std::string_view text) {
  if (context.json) {
    std::fputs((document.dump(2) + "\n").c_str(), stdout);
  } else {
    std::fwrite(text.data(), 1, text.size(), stdout);
    if (!text.empty() && text.back() != '\n') std::fputc('\n', stdout);
  }
}

Progress::Progress(std::string title, int64_t total)
    : title_(std::move(title)), total_(total), terminal_(isatty(2) != 0) {}

Progress::~Progress() {
  if (terminal_) std::fputs("\r\033[K", stderr);
}

void Progress::update(int64_t done, std::string_view note) {
  if (!terminal_) return;
  int64_t now = now_ns();
  if (now - last_draw_ns_ < 100'000'000 && done != total_) return;
  last_draw_ns_ = now;
  std::string line;
  if (total_ > 0) {
    constexpr int64_t kWidth = 30;
    int64_t filled = std::min<int64_t>(kWidth, done * kWidth / total_);
    line = fmt::format("{} [{:=<{}}{:<{}}] {:3d}%", title_, "", filled, "", kWidth - filled, done * 100 / total_);
  } else {
    line = fmt::format("{} {}", title_, done);
  }
  std::fputs(fmt::format("\r{} {}\033[K", line, note).c_str(), stderr);
}

CLI::App* add_command(CLI::App& app, Context& context, const std::string& name, const std::string& summary,
                      const std::string& examples, std::function<Status()> action) {
  CLI::App* command = app.add_subcommand(name, summary);
  command->add_flag("--json", context.json, "Print the result as one JSON document");
  command->add_flag("-v,--verbose", context.verbose, "Say what is being done, on standard error");
  command->footer("Example:\n" + examples);
  command->callback([&context, action = std::move(action)] {
    if (context.verbose) set_log_level(LogLevel::kDebug);
    context.status = action();
  });
  return command;
}

int run(const Ports& ports, int argc, char** argv, OpenVideo open_video) {
  set_log_level(LogLevel::kWarn);
  Context context;
  context.ports = ports;
  context.open_video = std::move(open_video);
  CLI::App app{"Orée takes a trained model to a fleet of edge devices and keeps it healthy there.", "oree"};
  app.set_version_flag("--version", std::string("oree ") + OREE_VERSION);
  app.require_subcommand(1);
  app.footer(kFooter);
  add_runtimes(app, context);
  add_sensors(app, context);
  add_inspect(app, context);
  add_profile(app, context);
  add_infer(app, context);
  add_convert(app, context);
  add_quantize(app, context);
  add_bench(app, context);
  add_eval(app, context);
  add_tune(app, context);
  add_keygen(app, context);
  add_bundle(app, context);
  add_sign(app, context);
  add_verify(app, context);
  add_publish(app, context);
  add_ship(app, context);
  add_worker(app, context);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    int status = app.exit(e);
    return status == 0 ? 0 : exit_code(Code::kUsage);
  }
  if (!context.status.ok()) {
    print_error(context, context.status.error());
    return exit_code(context.status.error().code());
  }
  return 0;
}

}  // namespace oree::cli
