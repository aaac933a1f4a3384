// SPDX-License-Identifier: Apache-2.0
#include "model/ncnn/ncnn_file.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "model/ncnn/ncnn_checks.h"
#include "model/ncnn/ncnn_note.h"

namespace oree {
namespace {

constexpr int kListIds = -23300;  // a list's id is this less its own
constexpr int kParamsMax = 32;    // ncnn's
constexpr size_t kWordMax = 255;  // ncnn's

Error invalid(std::string text) { return Error(Code::kInvalid, std::move(text)); }

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r'; }

// The words of one line.
class Words {
 public:
  explicit Words(std::string_view line) : line_(line) {}
  std::string_view next() {
    while (at_ < line_.size() && is_space(line_[at_])) ++at_;
    const size_t begin = at_;
    bool quoted = false;
    for (; at_ < line_.size() && (quoted || !is_space(line_[at_])); ++at_) quoted ^= line_[at_] == '"';
    return line_.substr(begin, at_ - begin);
  }

 private:
  std::string_view line_;
  size_t at_ = 0;
};

Result<int64_t> integer(std::string_view text, int64_t low, int64_t high, const char* what) {
  int64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < low || value > high) {
    return invalid(fmt::format("{} is '{}', not a whole number from {} to {}", what, text.substr(0, 32), low, high));
  }
  return value;
}

Result<double> number(std::string_view text) {
  double value = 0;
  if (text.starts_with('+')) text.remove_prefix(1);
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error == std::errc::invalid_argument || end != text.data() + text.size())
    return invalid(fmt::format("'{}' is no number", text.substr(0, 32)));
  return value;
}

Result<NcnnValue> list_of(std::string_view text) {
  NcnnValue value;
  value.list = true;
  const size_t comma = std::min(text.find(','), text.size());
  OREE_TRY_ASSIGN(int64_t count, integer(text.substr(0, comma), 0, kNcnnListMax, "a list's length"));
  std::string_view rest = comma < text.size() ? text.substr(comma + 1) : std::string_view();
  for (int64_t i = 0; i < count; ++i) {
    const size_t end = std::min(rest.find(','), rest.size());
    OREE_TRY_ASSIGN(double one, number(rest.substr(0, end)));
    value.numbers.push_back(one);
    rest = end < rest.size() ? rest.substr(end + 1) : std::string_view();
  }
  if (!rest.empty()) return invalid(fmt::format("a list of {} has more values", count));
  return value;
}

// Scalars, texts, and lists written without their length ("1,2,3"), as newer files have them.
Result<NcnnValue> value_of(std::string_view text) {
  NcnnValue value;
  const bool letter = !text.empty() && ((text[0] >= 'a' && text[0] <= 'z') || (text[0] >= 'A' && text[0] <= 'Z'));
  if (letter || text.starts_with('"')) {
    value.text = text;
    if (text.size() > kWordMax) return invalid("a text of more than 255 bytes");
    return value;
  }
  for (std::string_view rest = text;;) {
    const size_t end = std::min(rest.find(','), rest.size());
    OREE_TRY_ASSIGN(double one, number(rest.substr(0, end)));
    value.numbers.push_back(one);
    if (value.numbers.size() > static_cast<size_t>(kNcnnListMax)) return invalid("a list that is too long");
    if (end == rest.size()) break;
    value.list = true;
    rest = rest.substr(end + 1);
  }
  return value;
}

class ParamParser {
 public:
  ParamParser(std::string_view text, int64_t weights_size) : rest_(text), weights_size_(weights_size) {}

  Result<NcnnFile> read() {
    if (trimmed_line() != kNcnnMagic) return invalid("its first line is not 7767517: no ncnn text, or an old one");
    Words counts(trimmed_line());
    OREE_TRY_ASSIGN(int64_t layers, integer(counts.next(), 1, kNcnnLayersMax, "the number of layers"));
    OREE_TRY_ASSIGN(int64_t blobs, integer(counts.next(), 1, kNcnnLayersMax, "the number of blobs"));
    for (int64_t i = 0; i < layers; ++i) {
      Status read = layer(trimmed_line());
      if (!read.ok()) return read.error().within(fmt::format("layer {} of {}", i + 1, layers));
    }
    if (made_.size() > static_cast<size_t>(blobs))
      return invalid(fmt::format("it says {} blobs, and its layers make {}", blobs, made_.size()));
    find_outputs();
    OREE_TRY(read_note());
    return std::move(out_);
  }

 private:
  std::string_view trimmed_line() {
    const size_t end = std::min(rest_.find('\n'), rest_.size());
    std::string_view line = rest_.substr(0, end);
    rest_ = end < rest_.size() ? rest_.substr(end + 1) : std::string_view();
    while (!line.empty() && is_space(line.back())) line.remove_suffix(1);
    while (!line.empty() && is_space(line.front())) line.remove_prefix(1);
    return line;
  }

  Status layer(std::string_view line) {
    if (line.empty()) return invalid("cut off");
    Words words(line);
    NcnnLayer layer;
    layer.type = words.next();
    layer.name = words.next();
    if (layer.name.empty() || layer.type.size() > kWordMax || layer.name.size() > kWordMax)
      return invalid("no type and name of at most 255 bytes");
    OREE_TRY_ASSIGN(int64_t bottoms, integer(words.next(), 0, kNcnnLayersMax, "the number of bottoms"));
    OREE_TRY_ASSIGN(int64_t tops, integer(words.next(), 0, kNcnnLayersMax, "the number of tops"));
    OREE_TRY(blobs_of(words, bottoms, layer.bottoms));
    for (const std::string& blob : layer.bottoms) {
      if (!made_.contains(blob)) return invalid(fmt::format("no layer before makes its bottom '{}'", blob));
      taken_.insert(blob);
    }
    OREE_TRY(blobs_of(words, tops, layer.tops));
    for (const std::string& blob : layer.tops) {
      if (!made_.insert(blob).second) return invalid(fmt::format("blob '{}' is made twice", blob));
    }
    for (std::string_view word = words.next(); !word.empty(); word = words.next()) OREE_TRY(param(word, layer));
    OREE_TRY(check_ncnn_layer(layer, weights_size_));
    if (layer.type == "Input") out_.inputs.insert(out_.inputs.end(), layer.tops.begin(), layer.tops.end());
    out_.layers.push_back(std::move(layer));
    return {};
  }

  static Status blobs_of(Words& words, int64_t count, std::vector<std::string>& into) {
    for (int64_t i = 0; i < count; ++i) {
      std::string_view word = words.next();
      if (word.empty() || word.size() > kWordMax) return invalid(fmt::format("it has no {} blobs", count));
      into.emplace_back(word);
    }
    return {};
  }

  static Status param(std::string_view word, NcnnLayer& layer) {
    const size_t equals = word.find('=');
    if (equals == std::string_view::npos)
      return invalid(fmt::format("'{}' is no parameter ID=VALUE", word.substr(0, 32)));
    OREE_TRY_ASSIGN(int64_t id, integer(word.substr(0, equals), kListIds - kParamsMax + 1, kParamsMax - 1, "an id"));
    const bool list = id <= kListIds;
    if (list) id = kListIds - id;
    if (id < 0) return invalid(fmt::format("an id is {}", id));
    OREE_TRY_ASSIGN(NcnnValue value, list ? list_of(word.substr(equals + 1)) : value_of(word.substr(equals + 1)));
    layer.params[static_cast<int>(id)] = std::move(value);
    return {};
  }

  void find_outputs() {
    for (const NcnnLayer& layer : out_.layers) {
      for (const std::string& top : layer.tops) {
        if (!taken_.contains(top)) out_.outputs.push_back(top);
      }
    }
  }

  // The note must speak of blobs that are inputs and outputs: an edited file may have lost them.
  Status read_note() {
    OREE_TRY_ASSIGN(out_.note, find_ncnn_note(rest_));
    if (!out_.note) return {};
    auto there = [](const std::vector<NcnnPort>& ports, const std::vector<std::string>& blobs) {
      return std::ranges::all_of(ports, [&](const NcnnPort& p) { return std::ranges::count(blobs, p.blob) > 0; });
    };
    if (out_.note->inputs.size() != out_.inputs.size() || !there(out_.note->inputs, out_.inputs) ||
        !there(out_.note->outputs, out_.outputs))
      return invalid("the note at its end speaks of other inputs or outputs than its layers have");
    return {};
  }

  std::string_view rest_;
  int64_t weights_size_;
  NcnnFile out_;
  std::set<std::string> made_, taken_;
};

}  // namespace

int64_t NcnnLayer::integer(int id, int64_t otherwise) const {
  auto it = params.find(id);
  if (it == params.end() || it->second.list || it->second.numbers.size() != 1) return otherwise;
  const double value = it->second.numbers[0];
  return value >= -2147483648.0 && value <= 2147483647.0 ? static_cast<int64_t>(value) : otherwise;
}

Result<NcnnFile> read_ncnn(ByteView param, int64_t weights_size) {
  if (param.size() > kNcnnParamBytesMax) return invalid("the text is larger than 64 MiB");
  return ParamParser(as_text(param), weights_size).read();
}

std::string ncnn_weights_path(const std::string& param_path) {
  constexpr std::string_view kEnd = ".param";
  return (param_path.ends_with(kEnd) ? param_path.substr(0, param_path.size() - kEnd.size()) : param_path) + ".bin";
}

int64_t ncnn_weights_size(const std::string& param_path) {
  struct stat status {};
  if (stat(ncnn_weights_path(param_path).c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return -1;
  return status.st_size;
}

bool looks_like_ncnn(ByteView file) {
  std::string_view head = as_text(file.first(std::min<size_t>(file.size(), 64)));
  const size_t begin = head.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos || !head.substr(begin).starts_with(kNcnnMagic)) return false;
  const size_t end = begin + kNcnnMagic.size();
  return end < head.size() && (head[end] == '\n' || is_space(head[end]));
}

Shape ncnn_mat(const Shape& shape) {
  if (shape.empty()) return {1};
  if (shape.size() > 1 && shape[0] == 1) return Shape(shape.begin() + 1, shape.end());
  return shape;
}

}  // namespace oree
