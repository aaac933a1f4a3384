// SPDX-License-Identifier: Apache-2.0
// Stands in for an ONNX Runtime with NVIDIA's providers, which no machine of ours has: it keeps what it is told, and
// opens no model. Places in the table are those of onnxruntime_c_api.h (ORT_API_VERSION 12). By the environment:
// FAKE_PROVIDERS are listed (a comma between them), appending one of FAKE_BROKEN fails, as a provider does whose own
// libraries are not there.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <utility>

namespace {

struct Status {
  std::string message;
};

std::string& told() {
  static std::string text;
  return text;
}

std::string setting(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

Status* note(const std::string& text) {
  told() += text + "\n";
  return nullptr;
}

int object;  // what handles point to
Status* give(void** out) {
  *out = &object;
  return nullptr;
}

Status* append(const char* provider) {
  if (setting("FAKE_BROKEN").find(provider) != std::string::npos)
    return new Status{std::string("Failed to load the library of ") + provider};
  return note(std::string("append ") + provider);
}

// --- the functions that Orée takes, by their places
int error_code(const Status*) { return 1; }
const char* error_message(const Status* status) { return status->message.c_str(); }
void release_status(Status* status) { delete status; }
Status* create_env(void*, void*, int, const char*, void** out) { return give(out); }
Status* create_session(const void*, const char* path, const void*, void**) {
  note("session");
  return new Status{std::string("the stand-in opens no model: ") + path};
}
Status* give_one(void** out) { return give(out); }
Status* cpu_memory(int, int, void** out) { return give(out); }
Status* take_number(void*, int) { return nullptr; }
void release(void*) {}

Status* available_providers(char*** names, int* count) {
  static std::string text;
  static char* list[8];
  text = "CPUExecutionProvider," + setting("FAKE_PROVIDERS");
  *count = 0;
  for (size_t begin = 0; begin < text.size() && *count < 8;) {
    size_t end = text.find(',', begin);
    if (end == std::string::npos) end = text.size();
    if (end > begin) list[(*count)++] = text.data() + begin;
    if (end < text.size()) text[end] = '\0';
    begin = end + 1;
  }
  *names = list;
  return nullptr;
}
Status* release_providers(char**, int) { return nullptr; }

Status* append_tensorrt(void*, const void*) { return append("tensorrt"); }
Status* append_cuda(void*, const void*) { return append("cuda"); }
Status* append_named(void*, const char* name, const char* const*, const char* const*, size_t) { return append(name); }
Status* update(void*, const char* const* keys, const char* const* values, size_t count) {
  for (size_t i = 0; i < count; ++i) note(std::string(keys[i]) + "=" + values[i]);
  return nullptr;
}

struct Api {
  const void* places[300] = {};
  Api() {
    auto put = [&](size_t place, auto* function) { places[place] = reinterpret_cast<const void*>(function); };
    put(1, &error_code);
    put(2, &error_message);
    put(4, &create_env);
    put(7, &create_session);
    for (size_t place : {10, 78, 171, 205}) put(place, &give_one);
    for (size_t place : {13, 23, 24, 25}) put(place, &take_number);
    put(69, &cpu_memory);
    put(93, &release_status);
    for (size_t place : {94, 95, 96, 98, 99, 100, 174, 208}) put(place, &release);
    put(125, &available_providers);
    put(126, &release_providers);
    put(170, &append_tensorrt);
    for (size_t place : {172, 206}) put(place, &update);
    put(204, &append_cuda);
    put(216, &append_named);
  }
};

const void* const* table(uint32_t) {
  static const Api api;
  return api.places;
}
const char* version() { return "0.0.fake"; }

struct Base {
  const void* const* (*table)(uint32_t);
  const char* (*version)();
};
const Base base = {table, version};

}  // namespace

extern "C" {
__attribute__((visibility("default"))) const void* OrtGetApiBase() { return &base; }
// What was told since the last call, a line each.
__attribute__((visibility("default"))) const char* fake_onnxruntime_told() {
  static std::string text;
  text = std::exchange(told(), "");
  return text.c_str();
}
}
