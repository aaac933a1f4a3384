// SPDX-License-Identifier: Apache-2.0
#include "os/gstreamer/gst_pipeline.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <mutex>

#include "os/gstreamer/gst_frame_source.h"

namespace oree {
namespace {

// Only these two formats reach us; the conversion costs nothing when the decoder already gives one of them.
constexpr const char* kTail =
    " ! videoconvert ! video/x-raw,format=(string){I420,NV12} ! appsink name=oree_sink max-buffers=2 "
    "enable-last-sample=false";

bool starts_with(const std::string& text, const char* prefix) { return text.rfind(prefix, 0) == 0; }

Status start_gstreamer() {
  static std::once_flag once;
  static std::string failure;
  std::call_once(once, [] {
    GError* error = nullptr;
    if (!gst_init_check(nullptr, nullptr, &error)) {
      failure = error != nullptr ? error->message : "unknown reason";
      g_clear_error(&error);
    }
  });
  return failure.empty() ? Status() : Status(Error(Code::kUnavailable, "GStreamer does not start: " + failure));
}

// rtspsrc inside uridecodebin: no jitter buffer, TCP (UDP through a firewall looks like a dead camera), and a
// connection that says nothing for 5 s is an error.
void set_up_source(GstElement*, GstElement* source, gpointer) {
  auto set = [&](const char* property, const char* value) {
    if (g_object_class_find_property(G_OBJECT_GET_CLASS(source), property) != nullptr)
      gst_util_set_object_arg(G_OBJECT(source), property, value);
  };
  GstElementFactory* factory = gst_element_get_factory(source);
  if (factory == nullptr || std::string(GST_OBJECT_NAME(factory)) != "rtspsrc") return;
  set("latency", "0");
  set("protocols", "tcp");
  set("tcp-timeout", "5000000");
  set("timeout", "5000000");
}

GstFlowReturn on_sample(GstAppSink* sink, gpointer calls) { return static_cast<SinkCalls*>(calls)->sample(sink); }
void on_end(GstAppSink*, gpointer calls) { static_cast<SinkCalls*>(calls)->end(); }

// The address that uridecodebin takes.
Result<std::string> to_uri(const std::string& uri) {
  if (uri.find("://") != std::string::npos) return uri;
  struct stat info {};
  if (::stat(uri.c_str(), &info) != 0) return Error(Code::kNotFound, uri + ": no such file");
  if (S_ISDIR(info.st_mode)) return Error(Code::kInvalid, uri + ": is a folder");
  GError* error = nullptr;
  gchar* text = gst_filename_to_uri(uri.c_str(), &error);
  if (text == nullptr) {
    Error refused(Code::kUsage, fmt::format("{}: {}", uri, error != nullptr ? error->message : "not a path"));
    g_clear_error(&error);
    return refused;
  }
  std::string out = text;
  g_free(text);
  return out;
}

}  // namespace

bool is_live_uri(const std::string& uri) {
  for (const char* prefix : {"rtsp://", "rtsps://", "http://", "https://", "/dev/video"}) {
    if (starts_with(uri, prefix)) return true;
  }
  return false;
}

Result<GstPipelineHandle> build_pipeline(const std::string& uri, SinkCalls calls) {
  OREE_TRY(start_gstreamer());
  std::string description, property, value;
  if (starts_with(uri, "gst:")) {
    description = uri.substr(4);
  } else if (starts_with(uri, "/dev/video")) {
    description = "v4l2src name=oree_source ! decodebin";
    property = "device";
    value = uri;
  } else {
    // The short queue lets a file's decoder work ahead of the frame that is due; a live frame passes it at once.
    description = "uridecodebin name=oree_source ! queue max-size-buffers=3 max-size-bytes=0 max-size-time=0";
    property = "uri";
    OREE_TRY_ASSIGN(value, to_uri(uri));
  }
  GError* error = nullptr;
  // FATAL_ERRORS: a missing element is an error, not a pipeline without it.
  GstElement* pipeline =
      gst_parse_launch_full((description + kTail).c_str(), nullptr, GST_PARSE_FLAG_FATAL_ERRORS, &error);
  if (pipeline == nullptr) {
    bool missing = error != nullptr && g_error_matches(error, GST_PARSE_ERROR, GST_PARSE_ERROR_NO_SUCH_ELEMENT);
    Error refused(missing ? Code::kUnsupported : Code::kUsage,
                  fmt::format("{}: {}", uri, error != nullptr ? error->message : "cannot be parsed"));
    g_clear_error(&error);
    return refused;
  }
  g_clear_error(&error);
  if (!property.empty()) {
    // Set as a value, never pasted into the description: an address may hold anything.
    GstElement* source = gst_bin_get_by_name(GST_BIN(pipeline), "oree_source");
    g_object_set(source, property.c_str(), value.c_str(), nullptr);
    if (property == "uri") g_signal_connect(source, "source-setup", G_CALLBACK(set_up_source), nullptr);
    gst_object_unref(source);
  }
  GstElement* sink = gst_bin_get_by_name(GST_BIN(pipeline), "oree_sink");
  auto held = std::make_unique<SinkCalls>(std::move(calls));
  GstAppSinkCallbacks callbacks{};
  callbacks.new_sample = on_sample;
  callbacks.eos = on_end;
  gst_app_sink_set_callbacks(GST_APP_SINK(sink), &callbacks, held.get(), nullptr);
  return GstPipelineHandle(pipeline, sink, std::move(held));
}

Status bus_error(const GstPipelineHandle& pipeline, const std::string& uri, bool live) {
  GstBus* bus = gst_element_get_bus(pipeline.get());
  GstMessage* message = nullptr;
  // All of them: what nobody takes would pile up for as long as the camera runs.
  while (GstMessage* next = gst_bus_pop(bus)) {
    if (message == nullptr && GST_MESSAGE_TYPE(next) == GST_MESSAGE_ERROR) {
      message = next;
    } else {
      gst_message_unref(next);
    }
  }
  gst_object_unref(bus);
  if (message == nullptr) return {};
  GError* error = nullptr;
  gchar* debug = nullptr;
  gst_message_parse_error(message, &error, &debug);
  Code code = live ? Code::kUnavailable : Code::kInvalid;
  if (g_error_matches(error, GST_STREAM_ERROR, GST_STREAM_ERROR_CODEC_NOT_FOUND) ||
      g_error_matches(error, GST_CORE_ERROR, GST_CORE_ERROR_MISSING_PLUGIN)) {
    code = Code::kUnsupported;
  } else if (!live && g_error_matches(error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NOT_FOUND)) {
    code = Code::kNotFound;
  }
  Error found(code, fmt::format("{}: {}", uri, error->message));
  g_clear_error(&error);
  g_free(debug);
  gst_message_unref(message);
  return found;
}

}  // namespace oree
