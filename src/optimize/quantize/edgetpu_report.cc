// SPDX-License-Identifier: Apache-2.0
// The forecast for the Edge TPU, for programs, for a terminal and to look at.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "core/base/html_page.h"
#include "core/base/limits.h"
#include "core/base/text.h"
#include "optimize/quantize/edgetpu.h"

namespace oree {
namespace {

struct Group {
  std::string op, because;
  size_t count = 0;
  std::string first;  // the name of the first of them
};

// What runs on the CPU, alike operators of alike reasons together, in the file's order.
std::vector<Group> on_the_cpu(const EdgeTpuReport& report) {
  std::vector<Group> groups;
  for (const EdgeTpuOp& op : report.ops) {
    if (op.because.empty()) continue;
    auto same = std::ranges::find_if(groups, [&](const Group& g) { return g.op == op.op && g.because == op.because; });
    if (same == groups.end()) {
      groups.push_back({op.op, op.because, 1, op.name});
    } else {
      ++same->count;
    }
  }
  return groups;
}

std::string sum_text(const EdgeTpuReport& r) {
  return fmt::format(
      "{} of {} operators, {:.1f} % of the multiply-accumulates; {:.2f} MB of parameters for {} MB on the chip",
      r.mapped, r.ops.size(), 100 * r.mac_share(), static_cast<double>(r.bytes_mapped) / (1 << 20),
      kEdgeTpuCacheBytes >> 20);
}

constexpr const char* kForecast = "by the rules that Coral publishes; its compiler has not run";

}  // namespace

Json edge_tpu_json(const EdgeTpuReport& report) {
  Json operators = Json::array();
  for (const EdgeTpuOp& op : report.ops) {
    Json one = Json().set("op", op.op).set("name", op.name).set("shape", op.shape).set("macs", op.macs);
    one.set("bytes", op.bytes).set("mapped", op.because.empty());
    if (!op.because.empty()) one.set("because", op.because).set("follows_the_cpu", op.follows);
    operators.push(one);
  }
  return Json()
      .set("forecast", kForecast)
      .set("operators_mapped", static_cast<int64_t>(report.mapped))
      .set("operators_all", static_cast<int64_t>(report.ops.size()))
      .set("operator_share", report.op_share())
      .set("mac_share", report.mac_share())
      .set("parameter_bytes", report.bytes_mapped)
      .set("cache_bytes", kEdgeTpuCacheBytes)
      .set("operators", operators);
}

std::string edge_tpu_text(const EdgeTpuReport& report) {
  std::string text = fmt::format("on the Edge TPU, {}:\n{}\n", kForecast, sum_text(report));
  if (report.bytes_mapped > kEdgeTpuCacheBytes) text += "what is above that is fetched from memory in each run\n";
  const std::vector<Group> groups = on_the_cpu(report);
  if (groups.empty()) return text + "\n";
  TextTable table{{"on the CPU", "", "the first", "because"}, {false, true, false, false}, {}};
  for (const Group& g : groups) table.rows.push_back({g.op, fmt::format("{}", g.count), g.first, g.because});
  return text + table.text() + "\n";
}

std::string edge_tpu_section(const EdgeTpuReport& report) {
  std::string html = fmt::format(R"(<section><h2>On the Edge TPU</h2><p class="lead">{}: {}.)",
                                 xml_escape(sum_text(report)), kForecast);
  if (report.bytes_mapped > kEdgeTpuCacheBytes) html += " What is above that is fetched from memory in each run.";
  html += "</p>";
  const std::vector<Group> groups = on_the_cpu(report);
  if (groups.empty()) return html + "</section>";
  html += R"(<table><tr><th>on the CPU</th><th class="n"></th><th>the first</th><th>because</th></tr>)";
  for (const Group& g : groups) {
    html += fmt::format(R"(<tr><td>{}</td><td class="n">{}</td><td>{}</td><td>{}</td></tr>)", xml_escape(g.op), g.count,
                        xml_escape(g.first.substr(0, kDrawnTextMax)), xml_escape(g.because));
  }
  return html + "</table></section>";
}

}  // namespace oree
