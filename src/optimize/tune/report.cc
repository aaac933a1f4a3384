// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "core/base/html_page.h"
#include "core/base/text.h"
#include "optimize/tune/choose.h"
#include "optimize/tune/report_parts.h"
#include "optimize/tune/search.h"

namespace oree {
namespace {

std::string metric_name(const std::string& metric) {
  return metric == "f1" ? "F1" : metric == "top1" ? "top-1" : metric == "sqnr" ? "SQNR" : metric;
}

std::string fact(std::string_view name, std::string_view value) {
  return fmt::format("<div>{}<b>{}</b></div>", html_escape(name), html_escape(value));
}

std::string bars(const TuneResult& result) {
  const TuneCandidate& best = result.candidates[*result.chosen];
  std::vector<const TuneCandidate*> rows{&best};
  for (const TuneCandidate& c : result.candidates) {
    const bool compared = c.engine_default && c.final_round && !c.measurement.refused;
    if (compared && &c != &best) rows.push_back(&c);
  }
  double most = 0;
  for (const TuneCandidate* c : rows) most = std::max(most, c->p50());
  std::string html = R"(<div class="bars">)";
  for (const TuneCandidate* c : rows) {
    double p50 = c->p50();
    std::string times = c == &best ? "" : fmt::format(R"( <span class="x">{:.2f}x</span>)", p50 / best.p50());
    std::string name = "float, " + html_escape(c->measurement.candidate.runtime) + " as it comes";
    if (result.request.float_models > 1) name += " (" + html_escape(path_name(c->measurement.candidate.model)) + ")";
    if (c == &best) name = "chosen";
    html += fmt::format(R"(<span{}>{}</span><i class="{}" style="width:{:.1f}%"></i><b>{} ms{}</b>)",
                        c == &best ? R"( class="win")" : "", name,
                        report_engine_class(c->measurement.candidate.runtime), 100 * p50 / most, ms_text(p50), times);
  }
  return html + "</div>";
}

std::string hero(const TuneResult& result) {
  if (!result.chosen) {
    return fmt::format(
        R"(<section class="hero no"><div class="big">Nothing chosen</div><p class="lead">{}</p></section>)",
        html_escape(result.verdict));
  }
  const TuneCandidate& best = result.candidates[*result.chosen];
  const Measurement& m = best.measurement;
  const Agreement& a = *best.agreement;
  std::string html =
      fmt::format(R"(<section class="hero"><div><div class="big">{}<small>ms</small></div><div class="who">{}</div>)",
                  ms_text(best.p50()), report_candidate_label(result, best));
  html += fmt::format(R"(<div class="sub">median of {} inferences on {}</div></div>)", m.latency.count,
                      html_escape(result.target));
  html += bars(result);
  html += R"(<div class="facts">)";
  html += fact(fmt::format("agreement with the float reference ({})", metric_name(a.metric)),
               agreement_text(a.metric, a.value));
  if (best.as_float) {
    html += fact("accuracy", "the float model's outputs, to within rounding");
  } else if (best.accuracy) {
    html += fact(result.labelled ? "accuracy, by the labels" : "accuracy, by the float model's answers",
                 paired_text(*best.accuracy));
  }
  if (a.metric == "f1" || a.metric == "top1")
    html += fact("95 % interval", fmt::format("{:.3f} to {:.3f}", a.low, a.high));
  html += fact(a.metric == "f1" ? "objects compared" : "samples compared",
               std::to_string(a.metric == "f1" ? a.objects : a.samples));
  html += fact("p95 / p99", fmt::format("{} / {} ms", ms_text(m.latency.p95), ms_text(m.latency.p99)));
  html += fact("peak memory of its process", human_bytes(m.rss_bytes_peak)) +
          fact("model load", fmt::format("{:.0f} ms", m.load_ms));
  if (best.energy && !best.energy->not_measurable) {
    html += fact(fmt::format("energy an inference ({}: {})", best.energy->method, best.energy->covers),
                 energy_text(best.energy->joules_per_inference));
  }
  return html + "</div></section>";
}

std::string table_row(const TuneResult& result, const TuneCandidate& c) {
  const Measurement& m = c.measurement;
  bool chosen = result.chosen && &c == &result.candidates[*result.chosen];
  std::string tag = chosen ? R"(<span class="tag">chosen</span>)"
                    : m.refused && m.refused->code() == Code::kConflict
                        ? R"(<span class="tag plain">same as another</span>)"
                    : m.refused       ? R"(<span class="tag plain">refused</span>)"
                    : c.skipped       ? R"(<span class="tag plain">left out</span>)"
                    : c.within_bounds ? R"(<span class="tag plain">in bounds</span>)"
                                      : R"(<span class="tag bad">out of bounds</span>)";
  std::string note = html_escape(c.note);
  if (c.engine_default) note += (note.empty() ? "" : "; ") + std::string("the engine as it comes");
  if (m.latency.count > 0 && !c.final_round)
    note += (note.empty() ? "" : "; ") + std::string("figures of the screening");
  std::string row = fmt::format(R"(<tr class="{} {}"><td>{}<p>{}</p></td>)", report_engine_class(m.candidate.runtime),
                                chosen      ? "win"
                                : m.refused ? "out"
                                            : "",
                                report_candidate_label(result, c), note);
  if (m.latency.count == 0) {
    row += R"(<td class="n">–</td><td class="n">–</td><td class="n">–</td><td class="n">–</td><td class="n">–</td>)";
    row += fmt::format(R"(<td class="n">{}</td><td class="n">–</td>)", html_escape(human_bytes(c.size_bytes)));
  } else {
    row += fmt::format(
        R"(<td class="n">{}</td><td class="n">{}</td><td class="n">{}</td><td class="n">{:.0f}</td><td class="n">{}</td><td class="n">{}</td><td class="n">{}</td>)",
        ms_text(m.latency.p50), ms_text(m.latency.p95), ms_text(m.latency.p99), m.throughput,
        html_escape(human_bytes(m.rss_bytes_peak)), html_escape(human_bytes(c.size_bytes)),
        c.agreement ? agreement_text(result.metric, c.agreement->value) : "–");
  }
  return row + fmt::format("<td>{}</td></tr>", tag);
}

std::string table(const TuneResult& result) {
  std::vector<const TuneCandidate*> rows;
  for (const TuneCandidate& c : result.candidates) rows.push_back(&c);
  std::stable_sort(rows.begin(), rows.end(), [](const TuneCandidate* a, const TuneCandidate* b) {
    auto key = [](const TuneCandidate* c) {
      return c->measurement.latency.count == 0 ? 1e300 : c->measurement.latency.p50;
    };
    return key(a) < key(b);
  });
  const std::string head =
      R"(<div class="scroll"><table><tr><th>candidate</th><th class="n">p50</th><th class="n">p95</th><th class="n">p99</th>)"
      R"(<th class="n">per second</th><th class="n">peak memory</th><th class="n">size</th><th class="n">agreement</th><th></th></tr>)";
  std::string html = R"(<section><h2>Every candidate</h2><p class="lead">Milliseconds an inference.</p>)" + head;
  std::string without;
  size_t count = 0;
  for (const TuneCandidate* c : rows) {
    const bool measured = c->measurement.latency.count > 0 && !c->measurement.refused;
    (measured ? html : without) += table_row(result, *c);
    count += measured ? 0 : 1;
  }
  html += "</table></div>";
  if (count > 0)
    html +=
        fmt::format("<details{}><summary>{} not measured, each with its reason</summary>{}{}</table></div></details>",
                    count <= 12 ? " open" : "", count, head, without);
  return html + "</section>";
}

std::string key(const TuneResult& result) {
  std::set<std::string> runtimes;
  for (const TuneCandidate& c : result.candidates) {
    if (c.measurement.latency.count > 0) runtimes.insert(c.measurement.candidate.runtime);
  }
  std::string html = R"(<div class="key">)";
  for (const std::string& name : runtimes)
    html += fmt::format(R"(<span class="{}">{}</span>)", report_engine_class(name), html_escape(name));
  return html + R"(<span class="hollow">hollow: out of bounds</span></div>)";
}

std::string term(std::string_view name, const std::string& value) {
  return fmt::format("<dt>{}</dt><dd>{}</dd>", html_escape(name), html_escape(value));
}

std::string method(const TuneResult& result) {
  const TuneRequest& request = result.request;
  const SystemIdentity& m = result.machine;
  std::string engines, bounds;
  if (request.drop_max) {
    bounds = fmt::format("at most {:.4g} points lost, with {:.3g} % confidence", 100 * *request.drop_max,
                         100 * request.confidence);
  } else {
    bounds = fmt::format("{} at least {:.6g}", metric_name(result.metric), result.min_agreement);
  }
  for (const auto& [name, version] : result.engines) engines += (engines.empty() ? "" : ", ") + name + " " + version;
  if (request.latency_ms_max > 0) bounds += fmt::format("; p95 at most {} ms", ms_text(request.latency_ms_max));
  if (request.memory_bytes_max > 0) bounds += "; peak memory at most " + human_bytes(request.memory_bytes_max);
  if (request.size_bytes_max > 0) bounds += "; size at most " + human_bytes(request.size_bytes_max);
  std::string agreement =
      result.metric == "f1" ? fmt::format(
                                  "detections with a score of {:.2f} or more, same class, IoU {:.2f} or more, "
                                  "against the reference's; interval by bootstrap over samples",
                                  request.score_min, request.iou_min)
      : result.metric == "top1" ? "the same best class as the reference; interval by bootstrap over samples"
                                : "raw outputs against the reference's, the worst output tensor";
  std::string html = "<section><h2>How this was measured</h2><dl>";
  html += term("machine", fmt::format("{}, {} cores, {}, {}", m.cpu_model.empty() ? m.architecture : m.cpu_model,
                                      m.cpu_cores, human_bytes(m.memory_total_bytes), m.os));
  if (result.load_1min) html += term("load at the start", fmt::format("{:.2f}", *result.load_1min));
  html += term("engines", engines) + term("reference", candidate_text(result.reference, true)) + term("bounds", bounds);
  html += term("data", result.data_text) + term("agreement", agreement);
  html +=
      term("latency",
           fmt::format("each candidate in a process of its own; all screened alone; the best {} that are accurate "
                       "enough and every engine's own default then in up to {} interleaved rounds of random order; "
                       "dropped when surely over {:.0f} % slower than the fastest (95 %, Student, over the rounds' "
                       "ratios), and ended when the answer is sure; medians within {:.0f} %, or within {:.0f} % where "
                       "the rounds do not tell, are a tie: float's outputs, fewer threads, the smaller file decide",
                       request.finalists_max, request.rounds, kTuneTie * 100, kTuneTie * 100, kTuneGain * 100));
  const TuneCost& cost = result.cost;
  html +=
      term("cost", fmt::format("{:.0f} s: reference {:.0f}, screening {:.0f} ({} opened), accuracy {:.0f} ({} judged), "
                               "final {:.0f}; {} records remembered",
                               cost.seconds(), cost.reference_seconds, cost.screening_seconds, cost.opened,
                               cost.accuracy_seconds, cost.judged, cost.final_seconds, cost.remembered));
  if (std::string heat = result.thermal.text(); !heat.empty()) html += term("heat and clock in the final", heat);
  if (result.drift_slowest > 1)
    html += term("drift",
                 fmt::format("the slowest round took {:.2f} times as long as the median one for all candidates alike; "
                             "medians are corrected for it",
                             result.drift_slowest));
  html += term("memory",
               "high-water resident set of the candidate's process: program, engine, model, one input and output");
  html += term("seed", std::to_string(request.seed));
  for (const std::string& bad : result.refused_samples) html += term("refused sample", bad);
  return html + "</dl></section>";
}

}  // namespace

std::string tune_report_html(const TuneResult& result) {
  const size_t more = result.request.models.size() - 1;
  std::string models = path_name(result.request.models[0]);
  if (more > 0) models += fmt::format(" and {} variant{}", more, more == 1 ? "" : "s");
  std::string html;
  if (tune_machine_busy(result)) {
    html += fmt::format(
        R"(<section class="warn">The machine was busy when this began (load {:.1f} on {} cores): other work slowed these figures. Compare them with care, and tune again when it rests.</section>)",
        *result.load_1min, result.machine.cpu_cores);
  }
  html += hero(result);
  if (std::string plot = report_pareto_svg(result); !plot.empty()) {
    html +=
        R"(<section><h2>Speed against accuracy</h2><p class="lead">Up and to the left is better. The line joins those that nothing beats in both; the ring marks the chosen one; whiskers are what the samples leave open.</p>)" +
        key(result) + R"(<div class="scroll">)" + plot + "</div></section>";
  }
  if (std::string strips = report_strips_svg(result); !strips.empty()) {
    html +=
        R"(<section><h2>Latency of the finalists</h2><p class="lead">Each stroke is a hundredth of the inferences; thick: the median, long: p95, short: p99.</p><div class="scroll">)" +
        strips + "</div></section>";
  }
  if (std::string layers = report_layers_svg(result); !layers.empty()) {
    html +=
        R"(<section><h2>Where the accuracy goes</h2><p class="lead">The chosen file's noisiest layers in integers, measured in its engine against float, and what it keeps in float.</p><div class="scroll">)" +
        layers + "</div></section>";
  }
  html += table(result) + method(result);
  return html_page({models + " tuned by Orée", "Orée tune · " + result.created, models, html, kReportStyle, ""});
}

}  // namespace oree
