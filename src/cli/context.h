// SPDX-License-Identifier: Apache-2.0
// What every command gets, and how it speaks. A command writes its result to standard output (a table, or one JSON
// document with --json), progress to standard error on a terminal only, and returns a Status.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "core/codec/json.h"
#include "core/io/ports.h"
#include "model/recipe/frame_source.h"

namespace CLI {
class App;
}

namespace oree::cli {

struct Context {
  Ports ports;
  OpenVideo open_video;  // none: this build reads no videos
  bool json = false;     // --json, accepted by every command
  bool verbose = false;
  Status status;  // of the command that ran
};

// Prints `document` when --json was given, else `text`.
void print_result(const Context& context, const Json& document, std::string_view text);

// A bar on standard error when that is a terminal, nothing otherwise. Safe to call often: it draws at most 10 times a
// second.
class Progress {
 public:
  Progress(std::string title, int64_t total);  // total 0: unknown, a counter is drawn
  ~Progress();                                 // clears the line
  void update(int64_t done, std::string_view note = {});

 private:
  std::string title_;
  int64_t total_;
  bool terminal_;
  int64_t last_draw_ns_ = 0;
};

// Adds a subcommand with its one-line summary, example block for --help, and --json. `action` runs after parsing;
// its Status becomes the exit status (core/base/result.h). Options are added to the App that is returned.
CLI::App* add_command(CLI::App& app, Context& context, const std::string& name, const std::string& summary,
                      const std::string& examples, std::function<Status()> action);

// One function a command; each adds itself to the program. They lie in cli/<name>.cc.
void add_runtimes(CLI::App& app, Context& context);
void add_sensors(CLI::App& app, Context& context);
void add_inspect(CLI::App& app, Context& context);
void add_profile(CLI::App& app, Context& context);
void add_infer(CLI::App& app, Context& context);
void add_convert(CLI::App& app, Context& context);
void add_quantize(CLI::App& app, Context& context);
void add_bench(CLI::App& app, Context& context);
void add_eval(CLI::App& app, Context& context);
void add_tune(CLI::App& app, Context& context);
void add_keygen(CLI::App& app, Context& context);
void add_bundle(CLI::App& app, Context& context);
void add_sign(CLI::App& app, Context& context);
void add_verify(CLI::App& app, Context& context);
void add_publish(CLI::App& app, Context& context);
void add_ship(CLI::App& app, Context& context);
void add_worker(CLI::App& app, Context& context);  // hidden: a child that measures one candidate

// The whole program. Returns the process's exit status; prints errors to standard error (as {"error":…} with --json).
int run(const Ports& ports, int argc, char** argv, OpenVideo open_video = {});

}  // namespace oree::cli
