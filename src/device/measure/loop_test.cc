// SPDX-License-Identifier: Apache-2.0
#include "device/measure/loop_test.h"

#include <doctest/doctest.h>

#include "core/base/log.h"

namespace oree {

int LoopHttp::count(const std::string& method, const std::string& part) const {
  int n = 0;
  for (const std::string& request : requests)
    n += request.starts_with(method + " ") && request.find(part) != std::string::npos ? 1 : 0;
  return n;
}

Result<HttpResponse> LoopHttp::send(const HttpRequest& request, const HttpHead&, const HttpSink& sink) {
  auto url = parse_url(request.url);
  if (!url.ok()) return url.error();
  requests.push_back(request.method + " " + url->target);
  if (each) each(request);
  if (server == nullptr) {
    clock->advance_ms(1000);
    return Error(Code::kUnavailable, request.url + ": connection refused");
  }
  std::string body = request.body;
  if (!request.body_file.empty()) {
    auto bytes = files->read(request.body_file, 1 << 30);
    if (!bytes.ok()) return bytes.error();
    body = std::string(as_text(*bytes));
  }
  ServerRequest head;
  head.method = request.method;
  head.target = url->target;
  for (const auto& [name, value] : request.headers) {
    std::string lower = name;
    for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    head.headers[lower] = value;
  }
  if (request.method == "PUT" || request.method == "POST") head.headers["content-length"] = std::to_string(body.size());
  RequestPlan plan = server->begin(head);
  std::optional<ServerResponse> response = std::move(plan.answer);
  if (!response && static_cast<int64_t>(body.size()) > plan.body_bytes_max) return HttpResponse{413, {}, ""};
  for (size_t at = 0; !response && at < body.size(); at += 1000)
    response = plan.sink->write(as_bytes(body.substr(at, 1000)));
  if (!response) response = plan.sink->finish();
  plan.sink.reset();
  if (lose_answers > 0) {
    --lose_answers;
    return Error(Code::kUnavailable, request.url + ": connection was cut");
  }
  HttpResponse out{response->status, {}, response->body};
  if (response->file) {
    auto bytes = response->file->read_at(response->offset, response->length);
    if (!bytes.ok()) return bytes.error();
    out.body = std::string(as_text(*bytes));
  }
  if (!sink) return out;
  if (Status s = sink(as_bytes(out.body)); !s.ok()) return s.error();
  out.body.clear();
  return out;
}

Loop::Loop(int64_t disk_bytes_max) : random(7), processes(&clock) {
  set_log_level(LogLevel::kError);
  options.listen = "127.0.0.1:8733";
  options.token_file = "token";
  options.data = "/measure";
  options.name = "door-camera-1";
  options.disk_bytes_max = disk_bytes_max;
  options.reserve_bytes = 1000;
  options.memory_bytes_max = int64_t{100} << 20;
  device.set_free_bytes(100 << 20);
  REQUIRE(laptop.make_dirs("out").ok());
  processes.on_spawn([this](const ProcessSpec& spec) -> Result<FakeChild> {
    REQUIRE(spec.argv == std::vector<std::string>{"/fake/bin/oree", "worker"});
    FakeChild child;
    child.rss_bytes = rss_bytes;
    child.exit_signal = exit_signal;
    child.reply = [this](const std::string& line) { return reply(line); };
    return child;
  });
  http.files = &laptop;
  http.clock = &clock;
  start_server();
}

void Loop::start_server() {
  Ports ports{&clock, &random, &device, nullptr, &processes, &sensors};
  server = std::make_unique<MeasureServer>(ports, options, kTestToken, gate);
  auto opened_well = server->open();
  REQUIRE_MESSAGE(opened_well.ok(), opened_well.error().message());
  http.server = server.get();
}

void Loop::stop_server() {
  http.server = nullptr;
  server.reset();
}

std::unique_ptr<RemoteTarget> Loop::target(const std::string& token, const std::string& by) {
  Ports ports{&clock, &random, &laptop, &http, nullptr, nullptr};
  auto files_of = [this](const std::string& path) -> Result<std::vector<ModelFile>> {
    std::vector<ModelFile> files{{path_name(path), path}};
    std::string weights = path.substr(0, path.rfind('.')) + ".bin";
    if (laptop.exists(weights)) files.push_back({path_name(weights), weights});
    return files;
  };
  return std::make_unique<RemoteTarget>(ports, RemoteSettings{"http://device:8733/", token, by, 0}, files_of);
}

void Loop::model(const std::string& path, const std::string& text, const std::string& weights) {
  laptop.put(path, text);
  if (!weights.empty()) laptop.put(path.substr(0, path.rfind('.')) + ".bin", weights);
}

std::optional<std::vector<std::string>> Loop::reply(const std::string& line) {
  auto json = Json::parse(line);
  REQUIRE(json.ok());
  commands.push_back(*json);
  const std::string& name = (*json)["cmd"].as_string();
  if (name == dies_at) return std::nullopt;
  Json out = Json().set("ok", true);
  if (name == "runtimes") {
    RuntimeInfo info;
    info.name = "openvino";
    info.available = true;
    Json list = Json::array();
    list.push(Json()
                  .set("name", "openvino")
                  .set("available", true)
                  .set("version", "2025.0")
                  .set("library", "l")
                  .set("origin", "system")
                  .set("providers", Json::array())
                  .set("formats", Json::array().push("openvino"))
                  .set("precisions", Json::array().push("f32"))
                  .set("absent", Json::object()));
    out.set("runtimes", list);
  } else if (name == "open") {
    std::string path = (*json)["model"].as_string();
    opened.clear();
    auto names = device.list(path_parent(path));
    REQUIRE(names.ok());
    for (const std::string& file : *names) opened.emplace_back(file, device.text(path_join(path_parent(path), file)));
    out.set("load_ms", 3.5).set("inputs", Json::array()).set("outputs", Json::array());
  } else if (name == "run") {
    Json latencies = Json::array();
    for (int i = 0; i < (*json)["runs"].as_int(); ++i) latencies.push(1000 + i);
    out.set("latency_us", latencies).set("rss_bytes_peak", 5);
  } else if (name == "meter") {
    out.set("method", "meter " + (*json)["meter"].as_string() + ((*json)["named"].as_bool(false) ? ", named" : ""));
  } else if (name == "outputs") {
    device.put((*json)["output"].as_string(), "outputs of " + device.text((*json)["input"].as_string()));
  }
  return std::vector<std::string>{out.dump()};
}

}  // namespace oree
