// SPDX-License-Identifier: Apache-2.0
#include "model/onnx/onnx_versions.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace oree {
namespace {

constexpr uint32_t bit(Dtype dtype) { return 1u << static_cast<uint32_t>(dtype); }
constexpr uint32_t kF32 = bit(Dtype::kFloat32), kF16 = bit(Dtype::kFloat16), kF64 = bit(Dtype::kFloat64);
constexpr uint32_t kBf16 = bit(Dtype::kBfloat16), kBool = bit(Dtype::kBool);
constexpr uint32_t kI8 = bit(Dtype::kInt8), kI16 = bit(Dtype::kInt16), kI32 = bit(Dtype::kInt32);
constexpr uint32_t kU8 = bit(Dtype::kUint8), kU16 = bit(Dtype::kUint16), kU32 = bit(Dtype::kUint32);
constexpr uint32_t kI64 = bit(Dtype::kInt64), kU64 = bit(Dtype::kUint64);
constexpr uint32_t kI4 = bit(Dtype::kInt4), kU4 = bit(Dtype::kUint4);
constexpr uint32_t kByte = kI8 | kU8, kI32to64 = kI32 | kU32 | kI64 | kU64;
constexpr uint32_t kInts = kByte | kI16 | kU16 | kI32to64, kFloats = kF16 | kF32 | kF64;
constexpr uint32_t kAllOld = kInts | kFloats | kBool, kAllButI4 = kAllOld | kBf16, kAll = kAllButI4 | kI4 | kU4;

// The sets of types that occur, by the letter that stands for them below.
struct TypeSet {
  char letter;
  uint32_t types;
};
constexpr TypeSet kTypeSets[] = {
    {'a', kFloats},
    {'b', kFloats | kBf16},
    {'c', kAllButI4},
    {'d', kI64},
    {'e', kAllOld},
    {'f', kAll},
    {'g', kFloats | kI32to64},
    {'h', kBool},
    {'i', kFloats | kI32to64 | kBf16},
    {'j', kI32 | kI64},
    {'k', kInts | kFloats | kBf16},
    {'l', kInts | kFloats},
    {'m', kF32 | kF16 | kBf16},
    {'n', kF32},
    {'o', kByte},
    {'p', kInts},
    {'q', kI32},
    {'r', kF32 | kF16 | kI32 | kBf16},
    {'s', kByte | kI16 | kU16 | kI32 | kI4 | kU4},
    {'t', kByte | kI16 | kU16 | kI4 | kU4},
    {'u', kFloats | kI32to64 | kByte | kBf16},
    {'v', kByte | kI32},
    {'w', kU8},
    {'x', kFloats | kI8 | kI16 | kI32 | kI64 | kBf16},
    {'y', kFloats | kI32 | kI64 | kBf16},
    {'z', kF32 | kF64 | kI16 | kI32 | kI64},
    {'A', kFloats | kI16 | kI32 | kI64 | kBf16},
    {'B', kFloats | kI32to64 | kByte},
    {'C', kFloats | kI32to64 | kByte | kBool | kBf16},
    {'D', kU8 | kU16 | kU32 | kU64},
    {'E', kI32to64 | kF32 | kF64},
    {'F', kI32 | kI64 | kBool},
    {'G', kF32 | kBf16},
    {'H', kFloats | kByte},
    {'I', kFloats | kByte | kBf16},
    {'J', kFloats | kI8 | kI16 | kI32 | kI64},
    {'K', kFloats | kI32 | kI64},
    {'L', kF32 | kI32},
    {'M', kF32 | kF64},
};

// "7:gg>g 13:ii>i": in version 7 two inputs and one output, each of a type of set g; from 13 on of set i. '+' repeats
// the last one, '-' is a type that no graph holds (strings), '!' means that the operator is no more. Versions before 7
// are the form that opset 7 still had.
struct OpForms {
  std::string_view op;
  std::string_view forms;
};
constexpr OpForms kOps[] = {
    {"Abs", "6:l>l 13:k>k"},
    {"Acos", "7:a>a 22:b>b"},
    {"Acosh", "9:a>a 22:b>b"},
    {"Add", "7:gg>g 13:ii>i 14:kk>k"},
    {"AffineGrid", "20:bd>b"},
    {"And", "7:hh>h"},
    {"ArgMax", "1:l>d 13:k>d"},
    {"ArgMin", "1:l>d 13:k>d"},
    {"Asin", "7:a>a 22:b>b"},
    {"Asinh", "9:a>a 22:b>b"},
    {"Atan", "7:a>a 22:b>b"},
    {"Atanh", "9:a>a 22:b>b"},
    {"Attention", "23:bbbcbb>bbbb 24:bbbcbbd>bbbb"},
    {"AveragePool", "7:a>a 22:b>b"},
    {"BatchNormalization", "7:aaaaa>aaaaa 14:bbbbb>bbb"},
    {"Bernoulli", "15:a>c 22:b>c"},
    {"BitCast", "26:f>f"},
    {"BitShift", "11:DD>D 28:pp>p"},
    {"BitwiseAnd", "18:pp>p"},
    {"BitwiseNot", "18:p>p"},
    {"BitwiseOr", "18:pp>p"},
    {"BitwiseXor", "18:pp>p"},
    {"BlackmanWindow", "17:j>k"},
    {"Cast", "6:e>e 13:c>c 21:f>f"},
    {"CastLike", "15:cc>c 21:ff>f"},
    {"CausalConvWithState", "27:mmmm>mm"},
    {"Ceil", "6:a>a 13:b>b"},
    {"Celu", "12:n>n 28:b>b"},
    {"CenterCropPad", "18:cj>c"},
    {"Clip", "6:a>a 11:aaa>a 12:lll>l 13:kkk>k"},
    {"Col2Im", "18:cdd>c"},
    {"Compress", "9:eh>e 28:ch>c"},
    {"Concat", "4:e+>e 13:c+>c"},
    {"ConcatFromSequence", "11:->e"},
    {"Constant", "1:>a 9:>e 13:>c 21:>f"},
    {"ConstantOfShape", "9:d>e 20:d>c 21:d>f"},
    {"Conv", "1:aaa>a 22:bbb>b"},
    {"ConvInteger", "10:oooo>q"},
    {"ConvTranspose", "1:aaa>a 22:bbb>b"},
    {"Cos", "7:a>a 22:b>b"},
    {"Cosh", "9:a>a 22:b>b"},
    {"CumProd", "26:ij>i"},
    {"CumSum", "11:Ej>E 14:ij>i"},
    {"DFT", "17:bj>b 20:bjd>b"},
    {"DeformConv", "19:aaaaa>a 22:bbbbb>b"},
    {"DepthToSpace", "1:e>e 13:c>c"},
    {"DequantizeLinear", "10:vnv>n 19:vmv>m 21:sms>m"},
    {"Det", "11:a>a 22:b>b"},
    {"Div", "7:gg>g 13:ii>i 14:kk>k"},
    {"Dropout", "7:a>aa 10:a>ah 12:aah>ah 13:bah>bh 22:bbh>bh"},
    {"DynamicQuantizeLinear", "11:n>wnw"},
    {"Einsum", "12:l+>l 28:k+>k"},
    {"Elu", "6:a>a 22:b>b"},
    {"Equal", "7:FF>h 11:ee>h 13:cc>h"},
    {"Erf", "9:l>l 13:b>b"},
    {"Exp", "6:a>a 13:b>b"},
    {"Expand", "8:ed>e 13:cd>c"},
    {"EyeLike", "9:e>e 22:c>c"},
    {"Flatten", "1:a>a 9:e>e 13:c>c 21:f>f"},
    {"Floor", "6:a>a 13:b>b"},
    {"GRU", "7:aaaaqa>aa 22:bbbbqb>bb"},
    {"Gather", "1:ej>e 13:cj>c"},
    {"GatherElements", "11:ej>e 13:cj>c"},
    {"GatherND", "11:ed>e 13:cd>c"},
    {"Gelu", "20:b>b"},
    {"Gemm", "7:aaa>a 9:ggg>g 13:iii>i"},
    {"GlobalAveragePool", "1:a>a 22:b>b"},
    {"GlobalLpPool", "2:a>a 22:b>b"},
    {"GlobalMaxPool", "1:a>a 22:b>b"},
    {"Greater", "7:aa>h 9:ll>h 13:kk>h"},
    {"GreaterOrEqual", "12:ll>h 16:kk>h"},
    {"GridSample", "16:ea>e 22:cb>c"},
    {"GroupNormalization", "18:! 21:bbb>b"},
    {"HammingWindow", "17:j>k"},
    {"HannWindow", "17:j>k"},
    {"HardSigmoid", "6:a>a 22:b>b"},
    {"HardSwish", "14:a>a 22:b>b"},
    {"Hardmax", "1:a>a 13:b>b"},
    {"Identity", "1:e>e 13:c>c 21:f>f"},
    {"If", "1:h>e+ 16:h>c+ 21:h>f+"},
    {"ImageDecoder", "20:w>w"},
    {"InstanceNormalization", "6:aaa>a 22:bbb>b"},
    {"IsInf", "10:M>h 20:b>h"},
    {"IsNaN", "9:a>h 13:b>h"},
    {"LRN", "1:a>a 13:b>b"},
    {"LSTM", "7:aaaaqaaa>aaa 22:bbbbqbbb>bbb"},
    {"LayerNormalization", "17:bbb>bGG"},
    {"LeakyRelu", "6:a>a 16:b>b"},
    {"Less", "7:aa>h 9:ll>h 13:kk>h"},
    {"LessOrEqual", "12:ll>h 16:kk>h"},
    {"LinearAttention", "27:mmmmmm>mm"},
    {"Log", "6:a>a 13:b>b"},
    {"LogSoftmax", "1:a>a 13:b>b"},
    {"Loop", "1:dhe+>e+ 16:dhc+>c+ 21:dhf+>f+"},
    {"LpNormalization", "1:a>a 22:b>b"},
    {"LpPool", "2:a>a 22:b>b"},
    {"MatMul", "1:aa>a 9:gg>g 13:ii>i"},
    {"MatMulInteger", "10:oooo>q"},
    {"Max", "6:a+>a 12:l+>l 13:k+>k"},
    {"MaxPool", "1:a>a 8:a>ad 12:H>Hd 22:I>Id"},
    {"MaxRoiPool", "1:aa>a 22:bb>b"},
    {"MaxUnpool", "9:add>a 22:bdd>b"},
    {"Mean", "6:a+>a 13:b+>b"},
    {"MeanVarianceNormalization", "9:a>a 13:b>b"},
    {"MelWeightMatrix", "17:jjjbb>k"},
    {"Min", "6:a+>a 12:l+>l 13:k+>k"},
    {"Mish", "18:a>a 22:b>b"},
    {"Mod", "10:ll>l 13:kk>k"},
    {"Mul", "7:gg>g 13:ii>i 14:kk>k"},
    {"Multinomial", "7:a>j 22:b>j"},
    {"Neg", "6:J>J 13:x>x"},
    {"NegativeLogLikelihoodLoss", "12:aja>a 22:bjb>b"},
    {"NonMaxSuppression", "10:nndnn>d"},
    {"NonZero", "9:e>d 13:c>d"},
    {"Not", "1:h>h"},
    {"OneHot", "9:lle>e 28:llc>c"},
    {"Optional", "15:e>- 28:f>-"},
    {"OptionalGetElement", "15:->e 18:e>e 28:f>f"},
    {"OptionalHasElement", "15:->h 18:e>h 28:f>h"},
    {"Or", "7:hh>h"},
    {"PRelu", "7:aa>a 9:gg>g 16:ii>i"},
    {"Pad", "2:a>a 11:ldl>l 13:cdc>c 18:cdcj>c 21:fdfj>f"},
    {"Pow", "7:aa>a 12:Kl>K 13:yl>y 15:yk>y"},
    {"QLinearConv", "10:onoononoq>o"},
    {"QLinearMatMul", "10:onoonono>o 21:omoomomo>o"},
    {"QuantizeLinear", "10:Lno>o 19:rro>o 21:rrt>t"},
    {"RMSNormalization", "23:bb>b"},
    {"RNN", "7:aaaaqa>aa 22:bbbbqb>bb"},
    {"RandomNormal", "1:>a 22:>b"},
    {"RandomNormalLike", "1:e>a 22:c>b"},
    {"RandomUniform", "1:>a 22:>b"},
    {"RandomUniformLike", "1:e>a 22:c>b"},
    {"Range", "11:zzz>z 27:AAA>A"},
    {"Reciprocal", "6:a>a 13:b>b"},
    {"ReduceL1", "1:g>g 13:i>i 18:id>i"},
    {"ReduceL2", "1:g>g 13:i>i 18:id>i"},
    {"ReduceLogSum", "1:g>g 13:i>i 18:id>i 28:bd>b"},
    {"ReduceLogSumExp", "1:g>g 13:i>i 18:id>i 28:bd>b"},
    {"ReduceMax", "1:g>g 12:B>B 13:u>u 18:ud>u 20:Cd>C"},
    {"ReduceMean", "1:g>g 13:i>i 18:id>i"},
    {"ReduceMin", "1:g>g 12:B>B 13:u>u 18:ud>u 20:Cd>C"},
    {"ReduceProd", "1:g>g 13:i>i 18:id>i"},
    {"ReduceSum", "1:g>g 13:id>i"},
    {"ReduceSumSquare", "1:g>g 13:i>i 18:id>i"},
    {"RegexFullMatch", "20:->h"},
    {"Relu", "6:a>a 13:b>b 14:x>x"},
    {"Reshape", "5:ed>e 13:cd>c 21:fd>f"},
    {"Resize", "10:en>e 11:eand>e 13:cand>c"},
    {"ReverseSequence", "10:ed>e 28:cd>c"},
    {"RoiAlign", "10:aad>a 22:bbd>b"},
    {"RotaryEmbedding", "23:mmmd>m"},
    {"Round", "11:a>a 22:b>b"},
    {"STFT", "17:bjbj>b"},
    {"Scan", "8:de+>e+ 9:e+>e+ 16:c+>c+ 21:f+>f+"},
    {"Scatter", "9:eje>e 11:!"},
    {"ScatterElements", "11:eje>e 13:cjc>c"},
    {"ScatterND", "11:ede>e 13:cdc>c"},
    {"Selu", "6:a>a 22:b>b"},
    {"SequenceAt", "11:-j>e"},
    {"SequenceConstruct", "11:e+>-"},
    {"SequenceEmpty", "11:>-"},
    {"SequenceErase", "11:-j>-"},
    {"SequenceInsert", "11:-ej>-"},
    {"SequenceLength", "11:->d"},
    {"SequenceMap", "17:-e+>-+"},
    {"Shape", "1:e>d 13:c>d 21:f>d"},
    {"Shrink", "9:l>l"},
    {"Sigmoid", "6:a>a 13:b>b"},
    {"Sign", "9:l>l 13:k>k"},
    {"Sin", "7:a>a 22:b>b"},
    {"Sinh", "9:a>a 22:b>b"},
    {"Size", "1:e>d 13:c>d 21:f>d"},
    {"Slice", "1:e>e 10:ejjjj>e 13:cjjjj>c"},
    {"Softmax", "1:a>a 13:b>b"},
    {"SoftmaxCrossEntropyLoss", "12:aja>aa 13:bjb>bb"},
    {"Softplus", "1:a>a 22:b>b"},
    {"Softsign", "1:a>a 22:b>b"},
    {"SpaceToDepth", "1:e>e 13:c>c"},
    {"Split", "2:e>e+ 13:cd>c+"},
    {"SplitToSequence", "11:ej>- 24:cj>-"},
    {"Sqrt", "6:a>a 13:b>b"},
    {"Squeeze", "1:e>e 13:cd>c 21:fd>f"},
    {"StringConcat", "20:-->-"},
    {"StringNormalizer", "10:->-"},
    {"StringSplit", "20:->-d"},
    {"Sub", "7:gg>g 13:ii>i 14:kk>k"},
    {"Sum", "6:a+>a 13:b+>b"},
    {"SwiGLU", "28:bb>b"},
    {"Swish", "24:b>b"},
    {"Tan", "7:a>a 22:b>b"},
    {"Tanh", "6:a>a 13:b>b"},
    {"TensorScatter", "24:ffd>f"},
    {"TfIdfVectorizer", "9:j>n"},
    {"ThresholdedRelu", "10:a>a 22:b>b"},
    {"Tile", "6:ed>e 13:cd>c"},
    {"TopK", "1:a>ad 10:ad>ad 11:ld>ld 24:kd>kd"},
    {"Transpose", "1:e>e 13:c>c 21:f>f"},
    {"Trilu", "14:cd>c"},
    {"Unique", "11:e>eddd 28:c>cddd"},
    {"Unsqueeze", "1:e>e 13:cd>c 21:fd>f"},
    {"Upsample", "7:e>e 9:en>e 10:!"},
    {"Where", "9:hee>e 16:hcc>c"},
    {"Xor", "7:hh>h"},
};

// Attributes that came later than their operator, and what holds without them ("*": ones).
struct LateAttribute {
  std::string_view op;
  std::string_view name;
  int version;
  std::string_view otherwise;
};
constexpr LateAttribute kLate[] = {
    {"ArgMax", "select_last_index", 12, "0"},
    {"ArgMin", "select_last_index", 12, "0"},
    {"Attention", "right_window_size", 25, "-1"},
    {"Attention", "left_window_size", 25, "-1"},
    {"AveragePool", "ceil_mode", 10, "0"},
    {"AveragePool", "dilations", 19, "*"},
    {"BatchNormalization", "training_mode", 14, "0"},
    {"Cast", "saturate", 19, "1"},
    {"Cast", "round_mode", 24, "up"},
    {"CastLike", "saturate", 19, "1"},
    {"CastLike", "round_mode", 24, "up"},
    {"Constant", "sparse_value", 11, ""},
    {"Constant", "value_strings", 12, ""},
    {"Constant", "value_string", 12, ""},
    {"Constant", "value_floats", 12, ""},
    {"Constant", "value_float", 12, ""},
    {"Constant", "value_ints", 12, ""},
    {"Constant", "value_int", 12, ""},
    {"DepthToSpace", "mode", 11, "DCR"},
    {"DequantizeLinear", "axis", 13, "1"},
    {"DequantizeLinear", "block_size", 21, "0"},
    {"DequantizeLinear", "output_dtype", 23, "0"},
    {"Dropout", "seed", 12, ""},
    {"GRU", "layout", 14, "0"},
    {"GatherND", "batch_dims", 12, "0"},
    {"GroupNormalization", "stash_type", 21, "1"},
    {"LSTM", "layout", 14, "0"},
    {"LpPool", "ceil_mode", 18, "0"},
    {"LpPool", "dilations", 18, "*"},
    {"MaxPool", "storage_order", 8, "0"},
    {"MaxPool", "dilations", 10, "*"},
    {"MaxPool", "ceil_mode", 10, "0"},
    {"QuantizeLinear", "axis", 13, "1"},
    {"QuantizeLinear", "saturate", 19, "1"},
    {"QuantizeLinear", "output_dtype", 21, "0"},
    {"QuantizeLinear", "block_size", 21, "0"},
    {"QuantizeLinear", "precision", 23, "0"},
    {"RNN", "layout", 14, "0"},
    {"Range", "stash_type", 27, "1"},
    {"ReduceL1", "noop_with_empty_axes", 18, "0"},
    {"ReduceL2", "noop_with_empty_axes", 18, "0"},
    {"ReduceLogSum", "noop_with_empty_axes", 18, "0"},
    {"ReduceLogSumExp", "noop_with_empty_axes", 18, "0"},
    {"ReduceMax", "noop_with_empty_axes", 18, "0"},
    {"ReduceMean", "noop_with_empty_axes", 18, "0"},
    {"ReduceMin", "noop_with_empty_axes", 18, "0"},
    {"ReduceProd", "noop_with_empty_axes", 18, "0"},
    {"ReduceSum", "noop_with_empty_axes", 13, "0"},
    {"ReduceSumSquare", "noop_with_empty_axes", 18, "0"},
    {"Reshape", "allowzero", 14, "0"},
    {"Resize", "extrapolation_value", 11, "0"},
    {"Resize", "exclude_outside", 11, "0"},
    {"Resize", "nearest_mode", 11, "round_prefer_floor"},
    {"Resize", "coordinate_transformation_mode", 11, "half_pixel"},
    {"Resize", "cubic_coeff_a", 11, "-0.75"},
    {"Resize", "keep_aspect_ratio_policy", 18, "stretch"},
    {"Resize", "axes", 18, ""},
    {"Resize", "antialias", 18, "0"},
    {"RoiAlign", "coordinate_transformation_mode", 16, "output_half_pixel"},
    {"Scan", "scan_input_axes", 9, ""},
    {"Scan", "scan_output_axes", 9, ""},
    {"Scan", "scan_output_directions", 9, ""},
    {"Scan", "scan_input_directions", 9, ""},
    {"ScatterElements", "reduction", 16, "none"},
    {"ScatterND", "reduction", 16, "none"},
    {"Shape", "end", 15, ""},
    {"Shape", "start", 15, "0"},
    {"SpaceToDepth", "mode", 28, "DCR"},
    {"Split", "num_outputs", 18, ""},
    {"TopK", "sorted", 11, "1"},
    {"TopK", "largest", 11, "1"},
};

uint32_t types_of(char letter) {
  for (const TypeSet& set : kTypeSets) {
    if (set.letter == letter) return set.types;
  }
  return 0;
}

// Splits at the first `mark`; everything goes to the front when there is none.
std::pair<std::string_view, std::string_view> split(std::string_view text, char mark) {
  size_t at = text.find(mark);
  if (at == std::string_view::npos) return {text, {}};
  return {text.substr(0, at), text.substr(at + 1)};
}

int number(std::string_view text) {
  int n = 0;
  std::from_chars(text.data(), text.data() + text.size(), n);
  return n;
}

// "gg>g", or nothing when the opset had no such operator; `first` is the version in which it came.
std::string_view form(std::string_view forms, int opset, int& first) {
  std::string_view found;
  first = 0;
  while (!forms.empty()) {
    auto [entry, rest] = split(forms, ' ');
    auto [version, letters] = split(entry, ':');
    if (first == 0) first = number(version);
    if (number(version) <= opset) found = letters;
    forms = rest;
  }
  return found;
}

std::optional<std::string> misfit(const Graph& graph, const std::vector<ValueId>& values, std::string_view letters,
                                  const char* what) {
  bool repeats = letters.ends_with('+');
  if (repeats) letters.remove_suffix(1);
  for (size_t i = 0; i < values.size(); ++i) {
    if (values[i] == kNoValue) continue;
    if (i >= letters.size() && !repeats) return fmt::format("has no {} {}", what, i);
    std::optional<Dtype> dtype = graph.value(values[i]).dtype;
    char letter = letters[std::min(i, letters.size() - 1)];
    if (dtype && letter != '-' && (types_of(letter) & bit(*dtype)) == 0) {
      return fmt::format("takes no {} as {} {}", dtype_name(*dtype), what, i);
    }
  }
  return std::nullopt;
}

const LateAttribute* late(const Node& node, std::string_view attribute) {
  for (const LateAttribute& a : kLate) {
    if (a.op == node.op && a.name == attribute) return &a;
  }
  return nullptr;
}

bool says_nothing(const Attribute& value, std::string_view otherwise) {
  if (auto* i = std::get_if<int64_t>(&value)) return !otherwise.empty() && *i == number(otherwise);
  if (auto* s = std::get_if<std::string>(&value)) return *s == otherwise;
  if (auto* f = std::get_if<float>(&value)) return !otherwise.empty() && *f == std::stof(std::string(otherwise));
  auto* is = std::get_if<std::vector<int64_t>>(&value);
  return is != nullptr && otherwise == "*" && std::ranges::all_of(*is, [](int64_t i) { return i == 1; });
}

}  // namespace

std::optional<std::string> onnx_misfit(const Graph& graph, const Node& node, int opset) {
  auto op = std::ranges::find(kOps, std::string_view(node.op), &OpForms::op);
  if (op == std::end(kOps)) return "is no operator of ONNX";
  int first = 0;
  std::string_view letters = form(op->forms, opset, first);
  if (letters.empty()) return fmt::format("came with opset {}", first);
  if (letters == "!") return "is no more";
  auto [inputs, outputs] = split(letters, '>');
  if (auto why = misfit(graph, node.inputs, inputs, "input")) return why;
  if (auto why = misfit(graph, node.outputs, outputs, "output")) return why;
  for (const auto& [name, value] : node.attributes) {
    const LateAttribute* a = late(node, name);
    if (a != nullptr && a->version > opset && !says_nothing(value, a->otherwise)) {
      return fmt::format("has no attribute '{}'", name);
    }
  }
  return std::nullopt;
}

std::vector<std::string_view> onnx_operators() {
  std::vector<std::string_view> out;
  for (const OpForms& op : kOps) {
    if (!op.forms.ends_with('!')) out.push_back(op.op);
  }
  std::ranges::sort(out);
  return out;
}

bool onnx_needless(const Node& node, const std::string& attribute, int opset) {
  const LateAttribute* a = late(node, attribute);
  return a != nullptr && a->version > opset;
}

int onnx_ir_version(int opset) {
  constexpr int kFirstOpset = 8;
  //                          8  9  10 11 12 13 14 15 16 17 18 19 20 21  22  23  24  25  26  27  28
  constexpr int kVersions[] = {4, 4, 5, 6, 7, 7, 7, 8, 8, 8, 8, 9, 9, 10, 10, 11, 12, 13, 13, 13, 14};
  return kVersions[std::clamp(opset - kFirstOpset, 0, static_cast<int>(std::size(kVersions)) - 1)];
}

}  // namespace oree
