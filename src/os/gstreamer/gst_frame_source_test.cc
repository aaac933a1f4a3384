// SPDX-License-Identifier: Apache-2.0
#include "os/gstreamer/gst_frame_source.h"

#include <doctest/doctest.h>

#include <chrono>
#include <fstream>
#include <thread>

#include "device/apps/camera/frame_source.h"
#include "os/posix/posix_clock.h"
#include "os/posix/test_folder.h"

#ifdef __SANITIZE_ADDRESS__
// GLib's library constructor allocates a table that it never frees. Whole stacks, so that nothing else is excused.
extern "C" const char* __asan_default_options() { return "fast_unwind_on_malloc=0"; }
extern "C" const char* __lsan_default_suppressions() { return "leak:call_init\n"; }
#endif

namespace oree {
namespace {

struct Folder : TestFolder {
  std::string file(const std::string& name, const std::string& content) {
    std::string full = *this / name;
    std::ofstream(full, std::ios::binary) << content;
    return full;
  }
};

PosixClock posix_clock;

Result<std::unique_ptr<FrameSource>> open(const std::string& uri, bool every_frame = true) {
  return open_gst_source({uri, every_frame, 0, 0}, posix_clock);
}

// Every frame up to the end.
Result<std::vector<Frame>> all(FrameSource& source) {
  std::vector<Frame> frames;
  while (true) {
    Frame frame;
    OREE_TRY_ASSIGN(Fetch fetched, source.next(frame, 5000));
    if (fetched == Fetch::kEnd) return frames;
    if (fetched == Fetch::kTimeout) return Error(Code::kUnavailable, "timeout");
    frames.push_back(copy_frame(frame));
  }
}

}  // namespace

TEST_CASE("every frame of a described pipeline comes, with its size, time and colour") {
  auto source = open("gst:videotestsrc num-buffers=30 pattern=red ! video/x-raw,width=320,height=180,framerate=30/1");
  REQUIRE_MESSAGE(source.ok(), source.error().message());
  auto frames = all(**source);
  REQUIRE_MESSAGE(frames.ok(), frames.error().message());
  REQUIRE(frames->size() == 30);
  CHECK((*source)->dropped() == 0);
  const Frame& last = frames->back();
  CHECK(last.index == 29);
  CHECK(last.view.width == 320);
  CHECK(last.view.height == 180);
  CHECK(last.stream_ms == 966);
  Image image = yuv_to_image(last.view).value();
  CHECK(std::abs(image.pixels[0] - 0) < 6);
  CHECK(std::abs(image.pixels[2] - 255) < 6);
}

TEST_CASE("paced, a slow reader gets the newest frame and the rest is counted") {
  auto source = open("gst:videotestsrc num-buffers=60 ! video/x-raw,width=64,height=48,framerate=100/1", false);
  REQUIRE(source.ok());
  int64_t got = 0, last = -1;
  while (true) {
    Frame frame;
    auto fetched = (*source)->next(frame, 5000);
    REQUIRE(fetched.ok());
    if (*fetched == Fetch::kEnd) break;
    ++got;
    CHECK(frame.index > last);
    last = frame.index;
    std::this_thread::sleep_for(std::chrono::milliseconds(45));  // stands for a slow model
  }
  CHECK(got + (*source)->dropped() == 60);
  CHECK((*source)->dropped() > 20);
}

TEST_CASE("a file is played whole, in part, and from an address") {
  Folder folder;
  std::string path = folder.path + "/a video with spaces.avi";
  {
    auto made = open(
        "gst:videotestsrc num-buffers=50 ! video/x-raw,width=64,height=48,framerate=25/1 ! jpegenc ! tee name=t "
        "t. ! queue ! avimux ! filesink location=\"" +
        path + "\" t. ! queue ! jpegdec");
    REQUIRE_MESSAGE(made.ok(), made.error().message());
    REQUIRE(all(**made).ok());
  }
  auto source = open(path);
  REQUIRE_MESSAGE(source.ok(), source.error().message());
  auto frames = all(**source);
  REQUIRE_MESSAGE(frames.ok(), frames.error().message());
  CHECK(frames->size() == 50);
  CHECK(frames->front().view.full_range);  // as JPEG is
  auto part =
      open_gst_source({"file://" + folder.path + "/a%20video%20with%20spaces.avi", true, 0.4, 1.2}, posix_clock);
  REQUIRE_MESSAGE(part.ok(), part.error().message());
  frames = all(**part);
  REQUIRE(frames.ok());
  CHECK(frames->size() == 20);
  CHECK(frames->front().stream_ms == 400);
}

TEST_CASE("what cannot be played is told apart") {
  Folder folder;
  auto code = [](const std::string& uri) {
    auto source = open(uri);
    if (!source.ok()) return source.error().code();
    auto frames = all(**source);
    REQUIRE_FALSE(frames.ok());
    return frames.error().code();
  };
  CHECK(code(folder.path + "/none.avi") == Code::kNotFound);
  CHECK(code(folder.path) == Code::kInvalid);
  CHECK(code(folder.file("empty.avi", "")) == Code::kInvalid);
  CHECK(code(folder.file("garbage.avi", std::string(5000, '\x5a'))) != Code::kInternal);
  std::string header(
      "RIFF\xff\xff\x00\x00"
      "AVI LIST",
      16);
  CHECK(code(folder.file("cut.avi", header + std::string(100, '\0'))) == Code::kInvalid);
  CHECK(code("gst:videotestsrc ! no_such_element") == Code::kUnsupported);
  CHECK(code("gst:videotestsrc ! (") == Code::kUsage);
  CHECK(code("gst:audiotestsrc num-buffers=3") != Code::kInternal);
  CHECK(code("/dev/video97") == Code::kUnavailable);
}

TEST_CASE("a source can be left at any moment") {
  for (int frames : {0, 1, 5}) {
    for (bool every : {true, false}) {
      auto source = open("gst:videotestsrc ! video/x-raw,width=64,height=48,framerate=200/1", every);
      REQUIRE(source.ok());
      Frame frame;
      for (int i = 0; i < frames; ++i) REQUIRE(*(*source)->next(frame, 5000) == Fetch::kFrame);
      source->reset();
      if (frames > 0) CHECK(frame.view.luma[0] <= 255);  // the last frame outlives its source
    }
  }
}

TEST_CASE("cameras are live, files are not") {
  CHECK(is_live_uri("rtsp://camera/1"));
  CHECK(is_live_uri("/dev/video0"));
  CHECK_FALSE(is_live_uri("videos/a.avi"));
  CHECK_FALSE(is_live_uri("gst:videotestsrc"));
}

}  // namespace oree
