// SPDX-License-Identifier: Apache-2.0
#include "monitor/telemetry/spool.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "core/base/limits.h"
#include "core/base/log.h"

namespace oree {
namespace {

constexpr size_t kMergedModelsMax = 16;  // report_from_json refuses more

// "0000000000000003-0000000000000007.new.json" -> 3, 7, false
bool parse_name(std::string_view name, int64_t& first, int64_t& last, bool& offered) {
  constexpr size_t kDigits = 16;
  if (name.size() < 2 * kDigits + 2 || name[kDigits] != '-') return false;
  std::string_view rest = name.substr(2 * kDigits + 1);
  if (rest != ".new.json" && rest != ".offered.json") return false;
  auto number = [&](size_t at, int64_t& out) {
    const char* begin = name.data() + at;
    auto [end, error] = std::from_chars(begin, begin + kDigits, out);
    return error == std::errc() && end == begin + kDigits;
  };
  offered = rest == ".offered.json";
  return number(0, first) && number(kDigits + 1, last) && first >= 1 && first <= last;
}

}  // namespace

TelemetrySpool::TelemetrySpool(Files& files, std::string folder, int64_t bytes_max)
    : files_(&files), folder_(std::move(folder)), bytes_max_(bytes_max) {}

std::string TelemetrySpool::path_of(const Entry& entry) const {
  return path_join(folder_,
                   fmt::format("{:016}-{:016}.{}.json", entry.first, entry.last, entry.offered ? "offered" : "new"));
}

Result<Report> TelemetrySpool::load(const Entry& entry) const {
  OREE_TRY_ASSIGN(Bytes bytes, files_->read(path_of(entry), kJsonBytesMax));
  OREE_TRY_ASSIGN(Json json, Json::parse(as_text(bytes)));
  return report_from_json(json);
}

Result<TelemetrySpool> TelemetrySpool::open(Files& files, std::string folder, int64_t bytes_max) {
  TelemetrySpool spool(files, std::move(folder), bytes_max);
  OREE_TRY(files.make_dirs(spool.folder_));
  OREE_TRY_ASSIGN(std::vector<std::string> names, files.list(spool.folder_));
  std::vector<Entry> found;
  for (const std::string& name : names) {
    Entry entry;
    if (!parse_name(name, entry.first, entry.last, entry.offered)) {
      OREE_TRY(files.remove(path_join(spool.folder_, name)));  // a temporary file of an interrupted write
      continue;
    }
    spool.next_number_ = std::max(spool.next_number_, entry.last + 1);
    found.push_back(entry);
  }
  for (Entry& entry : found) {
    bool covered = std::any_of(found.begin(), found.end(), [&](const Entry& other) {
      bool wider = other.last - other.first > entry.last - entry.first;
      bool same_but_offered = other.first == entry.first && other.last == entry.last && other.offered && !entry.offered;
      return (wider && other.first <= entry.first && entry.last <= other.last) || same_but_offered;
    });
    if (covered) {
      OREE_TRY(files.remove(spool.path_of(entry)));
      continue;
    }
    auto report = spool.load(entry);
    if (!report.ok()) {
      if (report.error().code() != Code::kInvalid) return report.error();
      log_warn("telemetry",
               fmt::format("{} is not a report and is removed: {}", spool.path_of(entry), report.error().message()));
      OREE_TRY(files.remove(spool.path_of(entry)));
      continue;
    }
    OREE_TRY_ASSIGN(FileInfo info, files.info(spool.path_of(entry)));
    entry.bytes = info.size;
    entry.boot_id = report->boot_id;
    entry.seq = report->seq;
    entry.reports = report->merged_reports;
    spool.entries_.push_back(entry);
  }
  std::sort(spool.entries_.begin(), spool.entries_.end(),
            [](const Entry& a, const Entry& b) { return a.first < b.first; });
  return spool;
}

Status TelemetrySpool::put(const Report& report) {
  std::string text = report_to_json(report).dump();
  Entry entry;
  entry.first = entry.last = next_number_;
  entry.bytes = static_cast<int64_t>(text.size());
  entry.boot_id = report.boot_id;
  entry.seq = report.seq;
  entry.reports = report.merged_reports;
  OREE_TRY(files_->write_atomic(path_of(entry), as_bytes(text)));
  ++next_number_;
  entries_.push_back(std::move(entry));
  // The report is safe already: a merge that fails must not make the caller put it again.
  if (Status room = make_room(); !room.ok())
    log_warn("telemetry", "the spool could not make room: " + room.error().message());
  return {};
}

Status TelemetrySpool::make_room() {
  while (bytes() > bytes_max_) {
    // The pair that stands for the fewest reports, the oldest of equals: so resolution falls evenly with age.
    size_t best = entries_.size();
    for (size_t i = 0; i + 1 < entries_.size(); ++i) {
      if (entries_[i].offered || entries_[i + 1].offered) continue;
      if (best == entries_.size() ||
          entries_[i].reports + entries_[i + 1].reports < entries_[best].reports + entries_[best + 1].reports) {
        best = i;
      }
    }
    if (best == entries_.size()) return {};  // nothing may merge: over the cap by one batch, never lossy
    size_t before = entries_.size();
    OREE_TRY(merge_at(best));
    if (entries_.size() == before) return {};
  }
  return {};
}

Status TelemetrySpool::merge_at(size_t index) {
  const Entry earlier = entries_[index];
  const Entry later = entries_[index + 1];
  OREE_TRY_ASSIGN(Report a, load(earlier));
  OREE_TRY_ASSIGN(Report b, load(later));
  Report merged = merge_reports(a, b);
  if (merged.models.size() > kMergedModelsMax) return {};
  std::string text = report_to_json(merged).dump();
  Entry wide = later;
  wide.first = earlier.first;
  wide.bytes = static_cast<int64_t>(text.size());
  wide.reports = merged.merged_reports;
  OREE_TRY(files_->write_atomic(path_of(wide), as_bytes(text)));
  entries_[index] = wide;
  entries_.erase(entries_.begin() + static_cast<std::ptrdiff_t>(index) + 1);
  OREE_TRY(files_->remove(path_of(earlier)));
  return files_->remove(path_of(later));
}

Result<std::vector<Report>> TelemetrySpool::peek(int max) {
  std::vector<Report> out;
  for (Entry& entry : entries_) {
    if (static_cast<int>(out.size()) >= max) break;
    auto loaded = load(entry);
    if (!loaded.ok() && loaded.error().code() == Code::kNotFound && !entry.offered) {
      // A rename whose folder could not be synced has failed, and happened all the same.
      Entry marked = entry;
      marked.offered = true;
      loaded = load(marked);
      if (loaded.ok()) entry.offered = true;
    }
    OREE_TRY_ASSIGN(Report report, std::move(loaded));
    if (!entry.offered) {
      Entry marked = entry;
      marked.offered = true;
      OREE_TRY(files_->rename(path_of(entry), path_of(marked)));
      entry.offered = true;
    }
    out.push_back(std::move(report));
  }
  return out;
}

Status TelemetrySpool::acknowledge(const std::string& boot_id, int64_t seq) {
  auto entry = std::find_if(entries_.begin(), entries_.end(),
                            [&](const Entry& e) { return e.offered && e.boot_id == boot_id && e.seq == seq; });
  if (entry == entries_.end()) return {};
  OREE_TRY(files_->remove(path_of(*entry)));
  entries_.erase(entry);
  return {};
}

int64_t TelemetrySpool::pending() const {
  int64_t sum = 0;
  for (const Entry& entry : entries_) sum += entry.reports;
  return sum;
}

bool TelemetrySpool::holds(const std::string& boot_id, int64_t seq) const {
  return std::any_of(entries_.begin(), entries_.end(),
                     [&](const Entry& e) { return e.boot_id == boot_id && e.seq == seq; });
}

int64_t TelemetrySpool::bytes() const {
  int64_t sum = 0;
  for (const Entry& entry : entries_) sum += entry.bytes;
  return sum;
}

}  // namespace oree
