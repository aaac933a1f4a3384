// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include "core/codec/json.h"
#include "model/draw/viewer.h"
#include "model/ops/infer_fixture.h"

namespace oree {
namespace {

using infer_fixture::graph_of;

size_t count(std::string_view text, std::string_view what) {
  size_t n = 0;
  for (size_t at = text.find(what); at != std::string_view::npos; at = text.find(what, at + 1)) ++n;
  return n;
}

Drawing draw(const Graph& graph, const NodeNotes& notes = {}) {
  Result<Pictures> pictures = picture_of(graph, notes);
  REQUIRE(pictures.ok());
  return arrange(std::move(*pictures));
}

std::string fmt_id(int i) { return " id=\"b" + std::to_string(i) + "\" transform"; }

TEST_CASE("each node is one box, and lines join makers with users") {
  Graph g = graph_of(
      "main (float[4] x) => (y, z) <float[4] w = {1.0, 2.0, 3.0, 4.0}> {"
      " a = Relu (x) b = Mul (a, w) y = Add (a, b) z = Neg (a) }");
  Drawing d = draw(g);
  REQUIRE(d.pictures.blocks.size() == 1);
  const Picture& p = d.pictures.blocks[0];
  std::vector<std::string> ops;
  for (const Box& b : p.boxes) ops.push_back(b.op);
  CHECK(ops == std::vector<std::string>{"input", "Relu", "Mul", "Add", "Neg", "output", "output"});
  std::vector<std::pair<std::string, std::string>> lines;
  for (const Arc& a : p.arcs) {
    lines.emplace_back(p.boxes[static_cast<size_t>(a.from)].op, p.boxes[static_cast<size_t>(a.to)].op);
  }
  CHECK(lines == std::vector<std::pair<std::string, std::string>>{{"input", "Relu"},
                                                                  {"Relu", "Mul"},
                                                                  {"Relu", "Add"},
                                                                  {"Mul", "Add"},
                                                                  {"Relu", "Neg"},
                                                                  {"Add", "output"},
                                                                  {"Neg", "output"}});
  CHECK(p.boxes[2].inputs[1].type == "4 float32, constant");
  CHECK(p.boxes[1].outputs[0].boxes == std::vector<int>{2, 3, 4});
  std::string svg = svg_file(d, "t");
  for (int i = 0; i < 7; ++i) CHECK(count(svg, fmt_id(i)) == 1);
  CHECK(count(svg, "<path class=\"line") == 7);
}

TEST_CASE("what follows from constants is not drawn, and said to be hidden") {
  Graph g = graph_of("main (float[2] x) => (y) <int32[2] w = {1, 2}> { f = Cast <to = 1> (w) y = Add (x, f) }");
  Drawing d = draw(g);
  CHECK(d.pictures.hidden == 1);
  CHECK(d.pictures.boxes() == 3);
  CHECK(d.pictures.blocks[0].boxes[1].inputs[1].type == "2 float32, from constants");
  CHECK(viewer_html(d).find("1 nodes that only make constants") != std::string::npos);
}

TEST_CASE("a body is a picture of its own beside the graph, and uses go through its owner") {
  Graph g = graph_of(
      "main (bool c, float[2] x) => (y) { r = Relu (x) y = If <then_branch = a () => (t) { t = Neg (r) },"
      " else_branch = b () => (e) { e = Abs (r) }> (c) }");
  Drawing d = draw(g);
  REQUIRE(d.pictures.blocks.size() == 3);
  CHECK(d.pictures.blocks[1].title.find("of If") != std::string::npos);
  CHECK(d.blocks[1].x >= d.blocks[0].x + d.blocks[0].layout.width);
  CHECK(d.pictures.blocks[1].first == static_cast<int>(d.pictures.blocks[0].boxes.size()));
  const Box& branch = d.pictures.blocks[0].boxes[3];
  CHECK(branch.op == "If");
  CHECK(branch.inputs.size() == 2);
}

TEST_CASE("no name of a model gets out of its text") {
  const std::string evil = "</script><svg onload=alert(1)>\"'&\x01\xff";
  Graph g = graph_of("main (float[2] x) => (y) { y = Relu (x) }");
  g.rename(g.find("x"), evil + "in");
  g.rename(g.find("y"), evil + "out");
  g.set_op(g.all_nodes()[0], evil, evil);
  g.set_attribute(g.all_nodes()[0], evil, evil);
  Drawing d = draw(g);
  const std::string svg = svg_file(d, evil), page = viewer_html(d);
  for (const std::string& text : {svg, page}) {
    CHECK(text.find("</script><svg onload") == std::string::npos);
    CHECK(text.find("<svg onload") == std::string::npos);
    CHECK(text.find('\x01') == std::string::npos);
    CHECK(text.find('\xff') == std::string::npos);
  }
  CHECK(svg.find("&lt;/script&gt;&lt;svg onload=alert(1)&gt;&quot;&#39;&amp;") != std::string::npos);
  CHECK(count(page, "</script>") == 1);
  // The script gets the names as they are.
  const size_t begin = page.find("id=\"boxes\">") + 11;
  Result<Json> boxes = Json::parse(page.substr(begin, page.find("</script>") - begin));
  REQUIRE(boxes.ok());
  CHECK(boxes->items()[0]["name"].as_string().starts_with("</script><svg onload=alert(1)>\"'&"));
}

TEST_CASE("live memory is drawn along the run, its peak marked") {
  Graph g = graph_of("main (float[4] x) => (y) { a = Relu (x) b = Neg (a) y = Abs (b) }");
  NodeNotes notes;
  int64_t bytes = 100;
  for (NodeId id : g.order()) notes[id].live_bytes = bytes = bytes == 200 ? 50 : 2 * bytes;  // 200, 50, 100
  Drawing d = draw(g, notes);
  Strip strip = live_strip(d, 80, 300);
  CHECK(strip.path == "M0 0L80.0 0.0L80.0 100.0L20.0 100.0L20.0 200.0L40.0 200.0L40.0 300.0L0 300.0Z");
  CHECK(strip.peak == 200);
  CHECK(strip.peak_box == 1);
  CHECK(strip.boxes == std::vector<int>{1, 2, 3});
  CHECK(live_strip(draw(g), 80, 300).path.empty());
  CHECK(svg_file(d, "t").find("peak 200 B") != std::string::npos);
}

TEST_CASE("errors colour the boxes") {
  Graph g = graph_of("main (float[4] x) => (y) { a = Relu (x) y = Abs (a) }");
  NodeNotes notes;
  notes[g.order()[0]].error = 0;
  notes[g.order()[1]].error = 0.5;
  const std::string svg = svg_file(draw(g, notes), "t");
  CHECK(count(svg, "class=\"box activation e0\" id") == 1);
  CHECK(count(svg, "class=\"box arithmetic e4\" id") == 1);
}

}  // namespace
}  // namespace oree
