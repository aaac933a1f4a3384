// SPDX-License-Identifier: Apache-2.0
#include "model/reference/fixed_point.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "core/base/result.h"

namespace oree {
namespace {

constexpr int32_t kOne = INT32_MAX;        // with no integer bits
constexpr int32_t kSqrtHalf = 1518500250;  // likewise

// x * 2^exponent for values with a point: saturates to the left, rounds to the right.
int32_t rescale(int32_t x, int exponent) {
  return exponent >= 0 ? saturating_shift_left(x, exponent) : rounding_divide_by_pot(x, -exponent);
}

int32_t add(int32_t a, int32_t b) { return wrap(int64_t{a} + b); }

// exp(a) for a in [-1/4, 0): Taylor's series around -1/8.
int32_t exp_on_quarter(int32_t a) {
  constexpr int32_t kExpOfMinusEighth = 1895147668, kThird = 715827883;
  int32_t x = add(a, 1 << 28);
  int32_t x2 = rounding_doubling_high_mul(x, x);
  int32_t x3 = rounding_doubling_high_mul(x2, x);
  int32_t x4 = rounding_doubling_high_mul(x2, x2);
  int32_t x4_over_4 = rescale(x4, -2);
  int32_t rest = rescale(add(rounding_doubling_high_mul(add(x4_over_4, x3), kThird), x2), -1);
  return add(kExpOfMinusEighth, rounding_doubling_high_mul(kExpOfMinusEighth, add(x, rest)));
}

int32_t half_sum(int32_t a, int32_t b) {
  int64_t sum = int64_t{a} + b;
  return static_cast<int32_t>((sum + (sum >= 0 ? 1 : -1)) / 2);
}

// 2 / (1 + a) for a in [0, 1] by Newton's method, with two integer bits.
int32_t two_over_one_plus(int32_t a) {
  constexpr int32_t k48Over17 = 1515870810, kMinus32Over17 = -1010580540, kOneQ2 = 1 << 29;
  int32_t half_denominator = half_sum(a, kOne);
  int32_t x = add(k48Over17, rounding_doubling_high_mul(half_denominator, kMinus32Over17));
  for (int i = 0; i < 3; ++i) {
    int32_t error = add(kOneQ2, -rounding_doubling_high_mul(half_denominator, x));
    x = add(x, rescale(rounding_doubling_high_mul(x, error), 2));
  }
  return x;
}

int32_t one_over_one_plus(int32_t a) { return rescale(two_over_one_plus(a), 1); }
int32_t one_minus_over_one_plus(int32_t a) { return rescale(add(two_over_one_plus(a), -(1 << 29)), 2); }

}  // namespace

Multiplier quantized_multiplier(double real) {
  if (real == 0 || std::isnan(real)) return {};
  if (std::isinf(real)) return {INT32_MAX, 30};  // scales of a hostile file
  Multiplier out;
  double q = std::frexp(real, &out.shift);
  auto fixed = static_cast<int64_t>(std::round(q * 0x1p31));
  if (fixed == int64_t{1} << 31) {
    fixed /= 2;
    ++out.shift;
  }
  if (out.shift < -31) return {};
  // A factor above 2^30 has no use; TFLM caps it.
  if (out.shift > 30) return {INT32_MAX, 30};
  out.m = static_cast<int32_t>(fixed);
  return out;
}

int32_t saturate(int64_t x) { return static_cast<int32_t>(std::clamp<int64_t>(x, INT32_MIN, INT32_MAX)); }

int32_t rounding_doubling_high_mul(int32_t a, int32_t b) {
  if (a == INT32_MIN && b == INT32_MIN) return INT32_MAX;
  int64_t product = int64_t{a} * b;
  int64_t nudge = product >= 0 ? int64_t{1} << 30 : 1 - (int64_t{1} << 30);
  return static_cast<int32_t>((product + nudge) / (int64_t{1} << 31));
}

int16_t rounding_doubling_high_mul16(int16_t a, int16_t b) {
  if (a == INT16_MIN && b == INT16_MIN) return INT16_MAX;
  int32_t product = int32_t{a} * b;
  int32_t nudge = product >= 0 ? 1 << 14 : 1 - (1 << 14);
  return static_cast<int16_t>((product + nudge) / (1 << 15));
}

int32_t rounding_divide_by_pot(int32_t x, int exponent) {
  OREE_ASSERT(exponent >= 0 && exponent <= 31);
  auto mask = static_cast<int32_t>((int64_t{1} << exponent) - 1);
  int32_t remainder = x & mask;
  int32_t threshold = (mask >> 1) + (x < 0 ? 1 : 0);
  return (x >> exponent) + (remainder > threshold ? 1 : 0);
}

int32_t multiply(int32_t x, Multiplier factor) {
  int left = std::max(factor.shift, 0), right = std::max(-factor.shift, 0);
  auto shifted = static_cast<int32_t>(static_cast<uint32_t>(x) << left);
  return rounding_divide_by_pot(rounding_doubling_high_mul(shifted, factor.m), right);
}

int32_t multiply_wide(int64_t x, Multiplier factor) {
  int32_t reduced = factor.m < 0x7fff0000 ? (factor.m + (1 << 15)) >> 16 : 0x7fff;
  int total = std::clamp(15 - factor.shift, 1, 62);
  // TFLM wants sums of 48 bits at most; others are bounded here so that the product stays within 64.
  int64_t bounded = std::clamp(x, -(int64_t{1} << 47), (int64_t{1} << 47) - 1);
  int64_t y = (bounded * reduced + (int64_t{1} << (total - 1))) >> total;
  return static_cast<int32_t>(std::clamp<int64_t>(y, INT32_MIN, INT32_MAX));
}

int32_t saturating_shift_left(int32_t x, int exponent) {
  int64_t wide = static_cast<int64_t>(static_cast<uint64_t>(int64_t{x}) << std::min(exponent, 31));
  return static_cast<int32_t>(std::clamp<int64_t>(wide, INT32_MIN, INT32_MAX));
}

int16_t saturating_shift_left16(int16_t x, int exponent) {
  int64_t wide = static_cast<int64_t>(static_cast<uint64_t>(int64_t{x}) << std::min(exponent, 31));
  return static_cast<int16_t>(std::clamp<int64_t>(wide, INT16_MIN, INT16_MAX));
}

int32_t exp_on_negative_values(int32_t a, int integer_bits) {
  // exp(-1/4), exp(-1/2), exp(-1), exp(-2) … with no integer bits.
  constexpr int32_t kFactors[] = {1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242};
  const int fractional = 31 - integer_bits;
  if (a == 0) return kOne;
  const int32_t quarter = int32_t{1} << (fractional - 2);
  int32_t within = (a & (quarter - 1)) - quarter;
  int32_t result = exp_on_quarter(rescale(within, integer_bits));
  int32_t remainder = add(within, -a);
  for (int exponent = -2; exponent < integer_bits && exponent <= 4; ++exponent) {
    if (remainder & (int32_t{1} << (fractional + exponent)))
      result = rounding_doubling_high_mul(result, kFactors[exponent + 2]);
  }
  return result;
}

int32_t logistic_q4(int32_t a) {
  if (a == 0) return 1 << 30;
  int32_t negative = a > 0 ? -a : a;
  int32_t positive = one_over_one_plus(exp_on_negative_values(negative, 4));
  return a > 0 ? positive : kOne - positive;
}

int32_t tanh_q4(int32_t a) {
  if (a == 0) return 0;
  int32_t t =
      one_minus_over_one_plus(exp_on_negative_values(a < 0 ? a : -a, 5));  // the same bits read as twice the value
  return a < 0 ? -t : t;
}

int32_t reciprocal(int32_t x, int integer_bits, int& bits_over_unit) {
  int headroom = std::countl_zero(static_cast<uint32_t>(x));
  bits_over_unit = integer_bits - headroom;
  auto less_one = static_cast<int32_t>((static_cast<uint32_t>(x) << headroom) - (uint32_t{1} << 31));
  return one_over_one_plus(less_one);
}

Multiplier inverse_sqrt(int32_t x) {
  if (x <= 1) return {INT32_MAX, 0};
  // x becomes a number from 1/2 to 2 with 3 integer bits, by powers of four whose roots are shifts.
  int right = 11;
  for (; x >= 1 << 29; x /= 4) ++right;
  const int pairs = (std::countl_zero(static_cast<uint32_t>(x)) - 1) / 2 - 1;
  right -= pairs;
  const int32_t half = rounding_divide_by_pot((x << (2 * pairs)) >> 1, 1);
  constexpr int32_t kOneQ3 = 1 << 28, kThreeHalvesQ3 = kOneQ3 + kOneQ3 / 2;
  int32_t y = kOneQ3;
  for (int i = 0; i < 5; ++i) {  // Newton's method
    int32_t cube = rescale(rounding_doubling_high_mul(rounding_doubling_high_mul(y, y), y), 6);
    y = rescale(add(rounding_doubling_high_mul(kThreeHalvesQ3, y), -rounding_doubling_high_mul(half, cube)), 3);
  }
  y = rounding_doubling_high_mul(y, kSqrtHalf);
  return right >= 0 ? Multiplier{y, -right} : Multiplier{wrap(int64_t{y} << -right), 0};
}

// x = r * 2^e with r around the fourth root of 1/2, where a quotient of polynomials is near to its logarithm. e is a
// quarter beside a whole number; of the two candidates, one from x and one from x * sqrt(1/2), the larger e holds.
int32_t log_q12_to_q5(int32_t x) {
  // One more integer bit than the result has, so that e * log(2) does not saturate.
  constexpr int kInBits = 12, kOutBits = 5, kBits = kOutBits + 1;
  constexpr int32_t kLog2 = 1488522236, kFourthRootOfHalf = 1805811301, kQuarter = 1 << (31 - 2 - kBits);
  // 11/240, 1/20, 1/4 times the fourth root of 2, q; and 2/q - q.
  constexpr int32_t kNumerator = 117049297, kSquare = 127690142, kLinear = 638450708, kConstant = 1057819769;
  auto exponent = [](int whole, int32_t quarter) {
    return saturate(int64_t{saturating_shift_left(whole, 31 - kBits)} + quarter);
  };
  const int zeros_a = std::countl_zero(static_cast<uint32_t>(x));
  const int32_t b = rounding_doubling_high_mul(x, kSqrtHalf);
  const int zeros_b = std::countl_zero(static_cast<uint32_t>(b)) - 1;
  const int32_t r_a = rescale(rounding_doubling_high_mul(rescale(x, zeros_a - 1), kSqrtHalf), 1);
  const int32_t r_b = rescale(x, zeros_b);
  const int32_t e = std::max(exponent(kInBits - zeros_a, kQuarter), exponent(kInBits - zeros_b, -kQuarter));
  const int32_t r = std::min(r_a, r_b);

  const int32_t mean = half_sum(r, kFourthRootOfHalf);
  const int32_t half_off = add(r, -kFourthRootOfHalf), off = add(half_off, half_off);
  const int32_t square = rounding_doubling_high_mul(off, off);
  const int32_t above = add(rounding_doubling_high_mul(off, r),
                            rounding_doubling_high_mul(rounding_doubling_high_mul(off, square), kNumerator));
  const int32_t factor = add(add(kConstant, off), rounding_doubling_high_mul(kSquare, square));
  const int32_t below = add(rounding_doubling_high_mul(mean, factor), rounding_doubling_high_mul(kLinear, off));
  const int32_t rest = rounding_doubling_high_mul(rescale(above, -kBits), one_over_one_plus(below));
  return rescale(add(rounding_doubling_high_mul(e, kLog2), rest), 1);
}

int32_t input_radius(int integer_bits, int left_shift) {
  double largest =
      static_cast<double>((int64_t{1} << integer_bits) - 1) * static_cast<double>(int64_t{1} << (31 - integer_bits));
  return static_cast<int32_t>(std::min(std::floor(std::ldexp(largest, -left_shift)), 2147483647.0));
}

}  // namespace oree
