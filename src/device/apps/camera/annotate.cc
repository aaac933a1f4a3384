// SPDX-License-Identifier: Apache-2.0
#include "device/apps/camera/annotate.h"

#include <algorithm>
#include <opencv2/imgproc.hpp>

namespace oree {
namespace {

const cv::Scalar kGreen(80, 200, 60), kRed(40, 40, 230), kBlue(230, 160, 40), kWhite(255, 255, 255);

void draw_text(cv::Mat& picture, const std::string& text, cv::Point at, const cv::Scalar& colour, double scale) {
  int baseline = 0;
  int thickness = std::max(1, static_cast<int>(scale * 2));
  cv::Size size = cv::getTextSize(text, cv::FONT_HERSHEY_SIMPLEX, scale, thickness, &baseline);
  // Above the point when there is room, inside the picture in any case.
  at.x = std::clamp(at.x, 0, std::max(0, picture.cols - size.width));
  at.y = at.y - size.height - baseline >= 0 ? at.y : std::min(at.y + size.height + baseline, picture.rows);
  cv::rectangle(picture, {at.x, at.y - size.height - baseline}, {at.x + size.width, at.y}, colour, cv::FILLED);
  cv::putText(picture, text, {at.x, at.y - baseline / 2 - 1}, cv::FONT_HERSHEY_SIMPLEX, scale, kWhite, thickness,
              cv::LINE_AA);
}

}  // namespace

void annotate(Image& image, const std::vector<Mark>& marks, const std::vector<Zone>& zones) {
  OREE_ASSERT(image.order == Image::Order::kBgr);
  cv::Mat picture(image.height, image.width, CV_8UC3, image.pixels.data());
  double scale = std::clamp(image.height / 1200.0, 0.35, 2.0);
  int line = std::max(1, static_cast<int>(scale * 3));
  for (const Zone& zone : zones) {
    std::vector<cv::Point> corners;
    for (const Point& p : zone.polygon) {
      corners.emplace_back(static_cast<int>(p.x * (image.width - 1)), static_cast<int>(p.y * (image.height - 1)));
    }
    cv::polylines(picture, std::vector<std::vector<cv::Point>>{corners}, true, kBlue, line);
    if (!corners.empty()) draw_text(picture, zone.name, corners.front(), kBlue, scale);
  }
  for (const Mark& mark : marks) {
    const cv::Scalar& colour = mark.alarm ? kRed : kGreen;
    cv::Point from(static_cast<int>(mark.box.x0), static_cast<int>(mark.box.y0));
    cv::rectangle(picture, from, {static_cast<int>(mark.box.x1), static_cast<int>(mark.box.y1)}, colour, line);
    draw_text(picture, mark.text, from, colour, scale);
  }
}

}  // namespace oree
