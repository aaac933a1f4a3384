// SPDX-License-Identifier: Apache-2.0
#include "model/draw/svg.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/base/text.h"

namespace oree {
namespace {

constexpr double kMargin = 24, kBetween = 60, kTitleRoom = 26;

std::string moved(double x, double y) { return fmt::format(" transform=\"translate({:.1f} {:.1f})\"", x, y); }

// Characters, not bytes.
size_t characters(std::string_view text) {
  return static_cast<size_t>(std::ranges::count_if(text, [](char c) { return (c & 0xc0) != 0x80; }));
}

// The last characters of a name say most: exporters begin all names alike.
std::string tail(const std::string& bytes, size_t most) {
  std::string text = utf8_text(bytes);
  if (size_t end = text.find(';'); end != std::string::npos && end > 0) text.resize(end);  // TFLite joins several names
  const size_t have = characters(text);
  if (have <= most) return text;
  size_t at = 0;
  for (size_t skip = have - most + 1; skip > 0; --skip) {
    do ++at;
    while (at < text.size() && (text[at] & 0xc0) == 0x80);
  }
  return "…" + text.substr(at);
}

std::string head(const std::string& bytes, size_t most) {
  std::string text = utf8_text(bytes);
  if (characters(text) <= most) return text;
  size_t at = 0;
  for (size_t take = most - 1; take > 0; --take) {
    do ++at;
    while (at < text.size() && (text[at] & 0xc0) == 0x80);
  }
  return text.substr(0, at) + "…";
}

struct Most {
  double macs = 1, live = 1;
};

Most most_of(const Pictures& pictures) {
  Most m;
  for (const Picture& p : pictures.blocks) {
    for (const Box& b : p.boxes) {
      m.macs = std::max(m.macs, static_cast<double>(b.note.macs));
      m.live = std::max(m.live, static_cast<double>(b.note.live_bytes));
    }
  }
  return m;
}

// Steps of the colours of errors, relative to the range of the value.
const char* error_class(double error) {
  return error <= 0 ? "e0" : error <= 1e-6 ? "e1" : error <= 1e-4 ? "e2" : error <= 1e-2 ? "e3" : "e4";
}

std::string tooltip(const Box& b) {
  std::string text = fmt::format("{} {}\n{}", b.op, b.name, b.type);
  if (b.note.macs != 0) text += "\nMACs " + (b.note.macs < 0 ? "not known" : short_count(b.note.macs));
  if (b.note.live_bytes > 0) text += "\nlive memory " + human_bytes(b.note.live_bytes);
  if (b.note.error) text += fmt::format("\nerror {:.3g} of the range", *b.note.error);
  return xml_escape(text);
}

std::string bar(const char* kind, double y, double width, double share) {
  if (!(share > 0)) return "";
  return fmt::format(R"(<rect class="{}" x="12" y="{:.0f}" width="{:.1f}" height="3" rx="1.5"/>)", kind, y,
                     std::max(2.0, width * std::min(1.0, share)));
}

std::string box_svg(const Box& b, int number, const Placed& at, const LayoutOptions& o, const Most& most) {
  std::string out =
      fmt::format(R"(<g class="box {}{}" id="b{}"{}>)", b.look,
                  b.note.error ? std::string(" ") + error_class(*b.note.error) : "", number, moved(at.x, at.y));
  out += fmt::format(R"(<title>{}</title><rect class="card" width="{:.0f}" height="{:.0f}" rx="7"/>)", tooltip(b),
                     o.box_width, o.box_height);
  out += fmt::format(R"(<rect class="kind" width="5" height="{:.0f}" rx="2.5"/>)", o.box_height);
  if (!b.note.error && b.look != "io") {
    out += fmt::format(R"(<rect class="kind tint" width="{:.0f}" height="{:.0f}" rx="7"/>)", o.box_width, o.box_height);
  }
  std::string right = b.note.error      ? *b.note.error <= 0 ? "equal" : fmt::format("{:.1e}", *b.note.error)
                           : b.note.macs > 0 ? short_count(b.note.macs)
                      : b.note.macs < 0 ? "? MACs"
                                        : "";
  out += fmt::format(R"(<text class="op" x="12" y="17">{}</text>)", xml_escape(head(b.op, right.empty() ? 25 : 18)));
  if (!right.empty()) {
    out += fmt::format(R"(<text class="macs" x="{:.0f}" y="17">{}</text>)", o.box_width - 9, xml_escape(right));
  }
  out += fmt::format(R"(<text class="name" x="12" y="32">{}</text>)", xml_escape(tail(b.name, 29)));
  out += fmt::format(R"(<text class="type" x="12" y="47">{}</text>)", xml_escape(head(b.type, 30)));
  out += bar("bar-macs", o.box_height - 11, o.box_width - 24, static_cast<double>(b.note.macs) / most.macs);
  out += bar("bar-live", o.box_height - 6, o.box_width - 24, static_cast<double>(b.note.live_bytes) / most.live);
  return out + "</g>\n";
}

// Lines from one box share their way: each is drawn from where it leaves what is drawn already.
class Drawn {
 public:
  size_t begin(int from, const Route& route) {
    std::vector<Point>& known = longest_[from];
    size_t same = 0;
    auto equal = [&](size_t i) { return known[i].x == route.points[i].x && known[i].y == route.points[i].y; };
    while (same < known.size() && same + 1 < route.points.size() && equal(same)) ++same;
    if (route.points.size() > known.size()) known = route.points;
    return same == 0 ? 0 : same - 1;
  }

 private:
  std::map<int, std::vector<Point>> longest_;
};

std::string route_svg(const Route& route, size_t begin, const std::string& name, int from, int to) {
  std::string path = fmt::format("M{:.1f} {:.1f}", route.points[begin].x, route.points[begin].y);
  for (size_t i = begin + 1; i < route.points.size(); ++i) {
    const Point &a = route.points[i - 1], &b = route.points[i];
    if (std::abs(a.x - b.x) < 0.5) {
      path += fmt::format("L{:.1f} {:.1f}", b.x, b.y);
    } else {
      const double middle = (a.y + b.y) / 2;
      path += fmt::format("C{:.1f} {:.1f} {:.1f} {:.1f} {:.1f} {:.1f}", a.x, middle, b.x, middle, b.x, b.y);
    }
  }
  return fmt::format(R"(<path class="line{} f{} t{}" d="{}"><title>{}</title></path>)", route.direct ? " direct" : "",
                     from, to, path, xml_escape(name)) +
         "\n";
}

std::string legend(const Drawing& d, double& width) {
  bool errors = false;
  std::map<std::string, bool> used;
  for (const Picture& p : d.pictures.blocks) {
    for (const Box& b : p.boxes) {
      used[b.look] = true;
      errors |= b.note.error.has_value();
    }
  }
  std::vector<std::pair<std::string, std::string>> entries;
  if (errors) {
    entries = {{"e0", "equal"}, {"e1", "to 1e-6 of the range"}, {"e2", "to 1e-4"}, {"e3", "to 1e-2"}, {"e4", "more"}};
  } else {
    for (const auto& [look, name] : looks()) {
      if (used[look]) entries.emplace_back(look, name);
    }
  }
  std::string out;
  double x = 0;
  for (const auto& [look, name] : entries) {
    out += fmt::format(
        R"(<g class="box {}"{}><rect class="{}" width="10" height="10" rx="3"/><text class="type" x="15" y="9">{}</text></g>)",
        look, moved(x, 0), errors ? "card" : "kind", name);
    x += 28 + 6.2 * static_cast<double>(name.size());
  }
  width = x;
  return out;
}

std::string strip_svg(const Drawing& d, double height) {
  Strip strip = live_strip(d, 84, height);
  if (strip.path.empty()) return "";
  const double y = strip.peak_at * height;
  return fmt::format(
      R"(<g class="strip"><path d="{}"/><line x1="0" x2="84" y1="{:.1f}" y2="{:.1f}"/><text class="type" x="0" y="{:.1f}">peak {}</text></g>)",
      strip.path, y, y, y < 16 ? y + 14 : y - 4, human_bytes(strip.peak));
}

}  // namespace

std::string short_count(int64_t n) {
  const auto v = static_cast<double>(n);
  if (n >= 1'000'000'000) return fmt::format("{:.2f} G", v / 1e9);
  if (n >= 1'000'000) return fmt::format("{:.2f} M", v / 1e6);
  if (n >= 10'000) return fmt::format("{:.1f} k", v / 1e3);
  return std::to_string(n);
}

Drawing arrange(Pictures pictures) {
  Drawing d;
  d.pictures = std::move(pictures);
  double x = 0;
  for (size_t i = 0; i < d.pictures.blocks.size(); ++i) {
    const Picture& p = d.pictures.blocks[i];
    DrawnBlock block;
    block.layout = lay_out(static_cast<int>(p.boxes.size()), p.arcs, d.options);
    block.x = x;
    block.y = p.title.empty() ? 0 : kTitleRoom;
    d.height = std::max(d.height, block.y + block.layout.height);
    d.width = x + std::max(block.layout.width, d.options.box_width);
    x = d.width + kBetween;
    d.blocks.push_back(std::move(block));
  }
  return d;
}

std::string svg_body(const Drawing& d) {
  const Most most = most_of(d.pictures);
  std::string out;
  for (size_t i = 0; i < d.blocks.size(); ++i) {
    const Picture& p = d.pictures.blocks[i];
    const DrawnBlock& block = d.blocks[i];
    out += fmt::format(R"(<g class="block"{}>)", moved(block.x, block.y));
    if (!p.title.empty()) out += fmt::format(R"(<text class="op" x="0" y="-10">{}</text>)", xml_escape(p.title));
    Drawn drawn;
    for (size_t k = 0; k < p.arcs.size(); ++k) {
      const Route& route = block.layout.routes[k];
      if (route.points.empty()) continue;
      out += route_svg(route, drawn.begin(p.arcs[k].from, route), p.arc_names[k], p.first + p.arcs[k].from,
                       p.first + p.arcs[k].to);
    }
    for (size_t k = 0; k < p.boxes.size(); ++k) {
      out += box_svg(p.boxes[k], p.first + static_cast<int>(k), block.layout.boxes[k], d.options, most);
    }
    out += "</g>\n";
  }
  return out;
}

Strip live_strip(const Drawing& d, double width, double height) {
  Strip strip;
  std::vector<int64_t> live;
  if (d.pictures.blocks.empty()) return strip;
  const Picture& main = d.pictures.blocks[0];
  for (size_t i = 0; i < main.boxes.size(); ++i) {
    if (main.boxes[i].node == kNoNode) continue;
    strip.boxes.push_back(main.first + static_cast<int>(i));
    live.push_back(main.boxes[i].note.live_bytes);
  }
  if (live.empty() || *std::ranges::max_element(live) <= 0) return strip;
  const auto peak = static_cast<size_t>(std::ranges::max_element(live) - live.begin());
  strip.peak = live[peak];
  strip.peak_box = strip.boxes[peak];
  const double step = height / static_cast<double>(live.size());
  strip.peak_at = (static_cast<double>(peak) + 0.5) / static_cast<double>(live.size());
  strip.path = "M0 0";
  for (size_t i = 0; i < live.size(); ++i) {
    const double x = width * static_cast<double>(live[i]) / static_cast<double>(strip.peak);
    strip.path += fmt::format("L{:.1f} {:.1f}L{:.1f} {:.1f}", x, step * static_cast<double>(i), x,
                              step * static_cast<double>(i + 1));
  }
  strip.path += fmt::format("L0 {:.1f}Z", height);
  return strip;
}

std::string svg_file(const Drawing& d, const std::string& title) {
  double legend_width = 0;
  const std::string key = legend(d, legend_width);
  const std::string strip = strip_svg(d, d.height);
  const double left = kMargin + (strip.empty() ? 0 : 110), top = 74;
  const double width = std::max({left + d.width, kMargin + legend_width, 400.0}) + kMargin;
  const double height = top + d.height + kMargin;
  std::string out = fmt::format(
      R"(<svg xmlns="http://www.w3.org/2000/svg" class="graph" width="{0:.0f}" height="{1:.0f}" viewBox="0 0 {0:.0f} {1:.0f}">)",
      width, height);
  out += fmt::format("<style>{}</style>", kSvgStyle);
  out += fmt::format(R"(<rect class="page" width="{:.0f}" height="{:.0f}"/>)", width, height);
  out += fmt::format(R"(<text class="title" x="{:.0f}" y="30">{}</text>)", kMargin, xml_escape(title));
  out += fmt::format("<g{}>{}</g>", moved(kMargin, 44), key);
  out += fmt::format("<g{}>{}</g>", moved(kMargin, top), strip);
  out += fmt::format("<g{}>", moved(left, top));
  return out + svg_body(d) + "</g></svg>\n";
}

}  // namespace oree
