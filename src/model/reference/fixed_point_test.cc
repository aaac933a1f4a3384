// SPDX-License-Identifier: Apache-2.0
#include "model/reference/fixed_point.h"

#include <doctest/doctest.h>

#include <cmath>
#include <initializer_list>

namespace oree {

TEST_CASE("a factor is held to 31 bits") {
  for (double real : {1.0, 0.5, 0.0003, 0.9999999999, 123.456}) {
    Multiplier f = quantized_multiplier(real);
    CHECK(f.m >= 1 << 30);
    CHECK(std::ldexp(static_cast<double>(f.m), f.shift - 31) == doctest::Approx(real).epsilon(1e-9));
  }
  CHECK(quantized_multiplier(0).m == 0);
  CHECK(quantized_multiplier(1e-12).m == 0);
  CHECK(quantized_multiplier(std::nan("")).m == 0);
  CHECK(quantized_multiplier(INFINITY).m == INT32_MAX);
}

TEST_CASE("products round halves up, quotients away from zero") {
  CHECK(rounding_divide_by_pot(5, 1) == 3);
  CHECK(rounding_divide_by_pot(-5, 1) == -3);
  CHECK(rounding_divide_by_pot(-4, 3) == -1);
  CHECK(rounding_doubling_high_mul(INT32_MIN, INT32_MIN) == INT32_MAX);
  CHECK(multiply(3, quantized_multiplier(0.5)) == 2);
  CHECK(multiply(-3, quantized_multiplier(0.5)) == -1);
  CHECK(multiply(1000, quantized_multiplier(1.0)) == 1000);
  CHECK(multiply_wide(int64_t{1} << 40, quantized_multiplier(1.0 / (1 << 20))) ==
        doctest::Approx(1 << 20).epsilon(1e-4));
}

TEST_CASE("curves in fixed point follow the real ones") {
  for (double x = -8; x <= 8; x += 0.0371) {
    auto q4 = static_cast<int32_t>(std::lround(x * 0x1p27));
    double real = static_cast<double>(q4) * 0x1p-27;
    CHECK(static_cast<double>(logistic_q4(q4)) * 0x1p-31 == doctest::Approx(1 / (1 + std::exp(-real))).epsilon(1e-6));
    CHECK(static_cast<double>(tanh_q4(q4)) * 0x1p-31 == doctest::Approx(std::tanh(real)).epsilon(1e-6));
  }
  for (double x = -31; x < 0; x += 0.173) {
    auto q5 = static_cast<int32_t>(std::lround(x * 0x1p26));
    CHECK(std::abs(static_cast<double>(exp_on_negative_values(q5, 5)) * 0x1p-31 - std::exp(x)) < 1e-7);
  }
  int over_unit = 0;
  int32_t r = reciprocal(3 << 19, 12, over_unit);
  CHECK(std::ldexp(static_cast<double>(r), -31 - over_unit) == doctest::Approx(1.0 / 3).epsilon(1e-6));
}

TEST_CASE("roots and logarithms in fixed point follow the real ones") {
  for (int32_t x : {1, 2, 3, 7, 100, 255, 12345, 65535, 1 << 28, 1 << 29, INT32_MAX}) {
    Multiplier root = inverse_sqrt(x);
    CHECK(std::ldexp(static_cast<double>(root.m), root.shift - 31) ==
          doctest::Approx(1 / std::sqrt(static_cast<double>(x))).epsilon(1e-6));
  }
  for (double x = 1; x < 4095; x *= 1.0173) {
    auto q12 = static_cast<int32_t>(std::lround(x * 0x1p19));
    double real = static_cast<double>(q12) * 0x1p-19;
    CHECK(std::abs(static_cast<double>(log_q12_to_q5(q12)) * 0x1p-26 - std::log(real)) < 1e-6);
  }
}

}  // namespace oree
