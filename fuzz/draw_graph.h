// SPDX-License-Identifier: Apache-2.0
// What `oree inspect --html` does with a graph that was read from outside bytes.
#pragma once

#include "model/draw/viewer.h"
#include "model/inspect/summary_parts.h"

inline void inspect_and_draw(oree::Graph graph) {
  oree::ModelSummary summary;
  if (!oree::assume_one_item(graph, summary).ok()) return;
  oree::summarise_graph(graph, summary);
  OREE_ASSERT(summary.macs >= 0 && summary.live_bytes_peak >= 0);
  oree::NodeNotes notes;
  for (const oree::InspectedLayer& l : summary.layers) {
    notes[l.node].macs = l.macs;
    notes[l.node].live_bytes = l.live_bytes;
  }
  oree::Result<oree::Pictures> pictures = oree::picture_of(graph, notes);
  if (!pictures.ok()) return;
  oree::Drawing drawing = oree::arrange(std::move(*pictures));
  OREE_ASSERT(!oree::svg_file(drawing, "fuzz").empty() && !oree::viewer_html(drawing).empty());
}
