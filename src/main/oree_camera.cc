// SPDX-License-Identifier: Apache-2.0
// oree-camera: watches a camera or a video with the model of a bundle. Wiring only.
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <optional>

#include "core/base/limits.h"
#include "core/base/log.h"
#include "deliver/bundle/bundle.h"
#include "device/apps/camera/camera_app.h"
#include "device/apps/camera/webhook.h"
#include "model/runtime/registry.h"
#include "os/gstreamer/gst_frame_source.h"
#include "os/http/beast_http_client.h"
#include "os/posix/posix_ports.h"
#include "os/sqlite/sqlite.h"

namespace oree {
namespace {

constexpr char kExamples[] = R"(
Examples:
  oree-camera --config camera.toml                     under oree-agent, which names the bundle
  oree-camera --bundle DIR --source rtsp://camera/1    an unpacked bundle, its alarms as JSON lines
  oree-camera --model detector.tflite --recipe recipe.json --runtime tflite --source video.avi --every-frame --json

A source is a file, rtsp://, http://, /dev/videoN, or "gst:" and the elements of a GStreamer pipeline:
  --source "gst:videotestsrc num-buffers=100 ! videobalance brightness=-0.4"
Each alarm is one JSON line on standard output. SIGTERM and SIGINT end it in order. Exit status: docs/exit-codes.md.)";

struct Options {
  std::string config_file, source, confidences_file, bundle, model, recipe, labels, runtime, store;
  SessionOptions session;
  CameraLimits limits;
  int64_t plain_every = 0;  // 0: frames are annotated
  std::optional<double> threshold;
  bool loop = false, every_frame = false, json = false, verbose = false;
};

struct LoadedModel {
  std::unique_ptr<FrameModel> model;
  std::string name, version;
};

// Lines to the agent without ever waiting for it. A line that fits only in part is finished before the next.
class AgentPipe {
 public:
  explicit AgentPipe(int fd) : fd_(fd) { ::fcntl(fd_, F_SETFL, ::fcntl(fd_, F_GETFL) | O_NONBLOCK); }
  bool send(const std::string& line) {
    if (!drain()) return false;
    rest_ = line + "\n";
    drain();
    return true;
  }
  void finish() {  // the last words may wait a moment for a slow reader
    for (int i = 0; i < 10 && !drain(); ++i) {
      pollfd ready{fd_, POLLOUT, 0};
      ::poll(&ready, 1, 100);
    }
  }

 private:
  bool drain() {
    while (!rest_.empty()) {
      ssize_t n = ::write(fd_, rest_.data(), rest_.size());
      if (n < 0 && errno == EINTR) continue;
      if (n < 0 && errno != EAGAIN) rest_.clear();  // the agent is gone: nobody to tell
      if (n <= 0) return rest_.empty();
      rest_.erase(0, static_cast<size_t>(n));
    }
    return true;
  }
  int fd_;
  std::string rest_;
};

Result<Recipe> read_recipe(Files& files, const std::string& path, const std::string& labels_file) {
  OREE_TRY_ASSIGN(Bytes text, files.read(path, kConfigBytesMax));
  auto json = Json::parse(as_text(text));
  if (!json.ok()) return json.error().within(path);
  auto recipe = recipe_from_json(*json);
  if (!recipe.ok()) return recipe.error().within(path);
  if (!labels_file.empty()) {
    OREE_TRY_ASSIGN(Bytes lines, files.read(labels_file, kConfigBytesMax));
    OREE_TRY_ASSIGN(recipe->labels, parse_labels(as_text(lines)));
  }
  return recipe;
}

Result<LoadedModel> load_model(const Options& o, Files& files) {
  LoadedModel loaded;
  std::string path = o.model, runtime = o.runtime, recipe_path = o.recipe;
  SessionOptions session_options = o.session;
  if (path.empty()) {
    // The agent has verified and unpacked it; only its structure is checked here.
    OREE_TRY_ASSIGN(Manifest manifest, open_unpacked(files, o.bundle, false));
    path = path_join(o.bundle, manifest.model_path);
    recipe_path = path_join(o.bundle, "recipe.json");
    runtime = manifest.runtime;
    session_options = manifest.options;
    loaded.name = manifest.model;
    loaded.version = manifest.version;
  }
  OREE_TRY_ASSIGN(Recipe recipe, read_recipe(files, recipe_path, o.labels));
  if (runtime.empty()) {
    OREE_TRY_ASSIGN(ModelFormat format, detect_format(path));
    OREE_TRY_ASSIGN(runtime, default_backend(format, path));
  }
  OREE_TRY_ASSIGN(std::unique_ptr<Session> session, backend(runtime).open(path, session_options));
  OREE_TRY_ASSIGN(loaded.model, FrameModel::make(std::move(session), std::move(recipe)));
  return loaded;
}

Result<CameraConfig> load_config(const Options& o, Files& files) {
  CameraConfig config;
  if (!o.config_file.empty()) {
    OREE_TRY_ASSIGN(Bytes text, files.read(o.config_file, kConfigBytesMax));
    OREE_TRY_ASSIGN(config, parse_camera_config(as_text(text)));
  }
  if (!o.source.empty()) config.source.uri = o.source;
  if (!o.store.empty()) config.store.folder = o.store;
  if (o.threshold) config.alarm.threshold = *o.threshold;
  config.source.loop = config.source.loop || o.loop;
  config.source.every_frame = config.source.every_frame || o.every_frame;
  if (config.source.uri.empty()) return Error(Code::kUsage, "no source: give --source, or source.uri in camera.toml");
  return config;
}

Status watch(const Options& options) {
  PosixPorts posix;
  Ports ports = posix.ports();
  OREE_TRY_ASSIGN(CameraConfig config, load_config(options, *ports.files));
  OREE_TRY_ASSIGN(LoadedModel loaded, load_model(options, *ports.files));
  OREE_TRY(ports.files->make_dirs(config.store.folder));
  OREE_TRY_ASSIGN(auto database, SqliteDatabase::open(path_join(config.store.folder, "events.db")));
  OREE_TRY_ASSIGN(auto store, EventStore::open(*ports.files, *database, config.store, !config.webhook.url.empty(),
                                               config.webhook.pending_max));

  BeastHttpClient http;
  Webhook webhook(http, *store, *ports.clock, *ports.random, config.webhook);
  std::optional<WebhookThread> webhook_thread;
  if (!config.webhook.url.empty()) webhook_thread.emplace(webhook);

  const SourceConfig& s = config.source;
  ReconnectRules rules;
  rules.live = is_live_uri(s.uri);
  rules.loop = s.loop;
  ReconnectingSource source(*ports.clock, rules, [&] {
    return open_gst_source({s.uri, s.every_frame, s.start_s, s.stop_s}, *ports.clock);
  });

  CameraParts parts;
  parts.ports = ports;
  parts.model = loaded.model.get();
  parts.source = &source;
  parts.store = store.get();
  parts.model_name = loaded.name;
  parts.model_version = loaded.version;
  std::optional<AgentPipe> agent;
  if (const char* fd = std::getenv("OREE_AGENT_FD")) {
    agent.emplace(std::atoi(fd));
    parts.tell_agent = [&](const std::string& line) { return agent->send(line); };
  }
  parts.on_event = [&](const Json& event) {
    fmt::print("{}\n", Json::object().set("event", event).dump());
    std::fflush(stdout);
    if (webhook_thread) webhook_thread->wake();
  };
  parts.stop = [] { return PosixClock::stop_requested(); };
  OREE_TRY_ASSIGN(CameraSummary summary, run_camera(parts, config, options.limits));
  if (agent) agent->finish();
  webhook_thread.reset();

  if (!options.confidences_file.empty()) {
    Json samples = Json::array();
    for (double sample : summary.samples) samples.push(sample);
    OREE_TRY(ports.files->write_atomic(options.confidences_file, as_bytes(samples.dump())));
  }
  if (options.json) {
    Json json = summary_to_json(summary);
    json.set("reconnects", source.reconnects())
        .set("webhook_delivered", webhook.delivered())
        .set("webhook_refused", webhook.refused());
    fmt::print("{}\n", Json::object().set("summary", std::move(json)).dump());
  } else {
    fmt::print(stderr, "{}", summary_to_text(summary));
  }
  return {};
}

void add_options(CLI::App& app, Options& o) {
  app.footer(kExamples);
  app.set_version_flag("--version", OREE_VERSION);
  app.add_option("--config", o.config_file, "camera.toml: source, alarms, zones, store, webhook")
      ->check(CLI::ExistingFile);
  app.add_option("--source", o.source, "Instead of source.uri in camera.toml");
  app.add_option("--store", o.store, "Instead of store.folder in camera.toml");
  app.add_option("--threshold", o.threshold, "Instead of alarm.threshold in camera.toml")->check(CLI::Range(0.0, 1.0));
  auto* bundle = app.add_option("--bundle", o.bundle, "Folder of an unpacked bundle")->envname("OREE_BUNDLE_DIR");
  auto* model = app.add_option("--model", o.model, "A model file, to try one without a bundle")
                    ->check(CLI::ExistingFile)
                    ->excludes(bundle);
  app.add_option("--recipe", o.recipe, "Its recipe (JSON)")->check(CLI::ExistingFile)->needs(model);
  app.add_option("--labels", o.labels, "Its labels, one a line, when the recipe has none")
      ->check(CLI::ExistingFile)
      ->needs(model);
  app.add_option("--runtime", o.runtime, "Its engine")->check(CLI::IsMember(backend_names()))->needs(model);
  app.add_option("--threads", o.session.threads, "Threads of the engine")
      ->check(CLI::Range(1, 256))
      ->needs(model)
      ->capture_default_str();
  app.add_option("--precision", o.session.precision, "f32, default, bf16 or f16")->needs(model)->capture_default_str();
  app.add_flag("--loop", o.loop, "A file starts again at its end");
  app.add_flag("--every-frame", o.every_frame, "A file as fast as it can be worked through, dropping nothing");
  app.add_option("--max-frames", o.limits.frames_max, "Stop after so many frames")->check(CLI::NonNegativeNumber);
  auto* out = app.add_option("--frames-out", o.limits.frames_folder, "Write frames there, as JPEG");
  auto* annotate = app.add_option("--annotate", o.limits.frames_every, "Each N-th frame, with boxes and zones drawn")
                       ->check(CLI::PositiveNumber);
  app.add_option("--plain", o.plain_every, "Each N-th frame as it came: data for golden samples and tuning")
      ->check(CLI::PositiveNumber)
      ->excludes(annotate)
      ->needs(out);
  annotate->needs(out);
  app.add_option("--confidences-out", o.confidences_file,
                 "Write the confidence samples there, a JSON array: a drift reference");
  app.add_flag("--json", o.json, "The summary as a last JSON line on standard output");
  app.add_flag("--verbose", o.verbose, "Log more to standard error");
}

int report(const Options& options, const Error& error) {
  if (options.json) {
    Json body = Json::object().set("code", code_name(error.code())).set("message", error.message());
    fmt::print("{}\n", Json::object().set("error", std::move(body)).dump());
  }
  fmt::print(stderr, "oree-camera: {}\n", error.message());
  return exit_code(error.code());
}

}  // namespace
}  // namespace oree

int main(int argc, char** argv) {
  oree::Options options;
  CLI::App app{"Watches a camera or a video with the model of a bundle, and raises alarms"};
  oree::add_options(app, options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() == 0) return app.exit(e);
    return oree::report(options, oree::Error(oree::Code::kUsage, e.what()));
  }
  if (options.bundle.empty() && options.model.empty()) {
    return oree::report(options, oree::Error(oree::Code::kUsage, "no model: give --bundle, or --model and --recipe"));
  }
  if (!options.model.empty() && options.recipe.empty()) {
    return oree::report(options, oree::Error(oree::Code::kUsage, "--model needs --recipe"));
  }
  if (options.plain_every > 0) {
    options.limits.frames_every = options.plain_every;
    options.limits.frames_plain = true;
  }
  if (options.verbose) oree::set_log_level(oree::LogLevel::kDebug);
  ::signal(SIGPIPE, SIG_IGN);
  for (int number : {SIGINT, SIGTERM}) ::signal(number, [](int) { oree::PosixClock::request_stop(); });
  oree::Status done = oree::watch(options);
  return done.ok() ? 0 : oree::report(options, done.error());
}
