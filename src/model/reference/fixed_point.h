// SPDX-License-Identifier: Apache-2.0
// The fixed-point arithmetic of TensorFlow Lite for Microcontrollers, bit for bit (double rounding: a doubling high
// product that rounds, then a division by a power of two that rounds). The reference kernels of quantized operators are
// made of these. Sources: gemmlowp's fixedpoint.h and TFLM's kernels/internal/common.h, as descriptions of what is
// computed.
#pragma once

#include <cstdint>

namespace oree {

// A real factor as m * 2^(shift - 31) with m in [2^30, 2^31).
struct Multiplier {
  int32_t m = 0;
  int shift = 0;
};
Multiplier quantized_multiplier(double real);

// (a * b) / 2^31, halves rounded up; saturates for -2^31 * -2^31.
int32_t rounding_doubling_high_mul(int32_t a, int32_t b);
int16_t rounding_doubling_high_mul16(int16_t a, int16_t b);
// x / 2^exponent, rounded half away from zero; exponent 0..31.
int32_t rounding_divide_by_pot(int32_t x, int exponent);
int32_t saturate(int64_t x);                                                               // the nearest of 32 bits
inline int32_t wrap(int64_t x) { return static_cast<int32_t>(static_cast<uint32_t>(x)); }  // its low 32 bits
// x * the real factor.
int32_t multiply(int32_t x, Multiplier factor);
// Of 64-bit sums (int16 activations): m is cut to 16 bits first.
int32_t multiply_wide(int64_t x, Multiplier factor);
// x * 2^exponent, saturating.
int32_t saturating_shift_left(int32_t x, int exponent);
int16_t saturating_shift_left16(int16_t x, int exponent);

// Raw values with so many integer bits (31 - bits after the point); results have none.
int32_t exp_on_negative_values(int32_t a, int integer_bits);
int32_t logistic_q4(int32_t a);  // operand with 4 integer bits
int32_t tanh_q4(int32_t a);
// 1 / x for x > 0 with `integer_bits`: the result is to be divided by 2^bits_over_unit.
int32_t reciprocal(int32_t x, int integer_bits, int& bits_over_unit);
// 1 / sqrt(x) for an integer x >= 0, where 0 counts as 1.
Multiplier inverse_sqrt(int32_t x);
// The natural logarithm of x >= 1 with 12 integer bits; the result has 5.
int32_t log_q12_to_q5(int32_t x);
// The largest operand that stays within `integer_bits` after a shift to the left.
int32_t input_radius(int integer_bits, int left_shift);

}  // namespace oree
