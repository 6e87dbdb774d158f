// exp, sigmoid and tanh of vectors, accurate to about 1e-7. NaN stays NaN and nothing overflows.
#pragma once

#include "simd.h"

namespace rnnlab::RNNLAB_ISA_NAMESPACE {

// e^x = 2^n e^r with n = round(x / ln 2), |r| <= ln(2) / 2, and e^r - 1 = r + r^2 q(r). q is the
// truncated series with its last terms fitted to that interval (Cody and Waite 1980, chapter 6).
struct Exponential {
  F scale;  // 2^n
  F less1;  // e^r - 1
};

static RNNLAB_INLINE Exponential exponential(F x) {
  constexpr float log2_e = 1.44269504f, ln2_high = 0.693359375f, ln2_low = -2.12194440e-4f;
  constexpr float magic = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer
  const F shifted = x * log2_e + magic;
  const F n = shifted - magic;
  const F r = (x - n * ln2_high) - n * ln2_low;
  const F rr = r * r;
  const F q01 = r * 1.6666665459e-1f + 5.0000001201e-1f;
  const F q23 = r * 8.3334519073e-3f + 4.1665795894e-2f;
  const F q45 = r * 1.9875691500e-4f + 1.3981999507e-3f;
  const F q = (q45 * rr + q23) * rr + q01;
  const U exponent = (U)shifted << 23;  // the low bits of `shifted` hold n
  return {(F)(exponent + (127 << 23)), r + rr * q};
}

static RNNLAB_INLINE F clamp(F x, float bound) { return at_least(-bound, at_most(bound, x)); }

static RNNLAB_INLINE F exp_nonpositive(F x) {
  const Exponential e = exponential(at_least(-87.0f, x));
  return e.scale * e.less1 + e.scale;
}

static RNNLAB_INLINE F sigmoid(F x) {
  const Exponential e = exponential(clamp(-x, 87.0f));
  return inverse(e.scale * e.less1 + (e.scale + 1.0f));
}

// (e^2x - 1) / (e^2x + 1), with e^2x - 1 computed without cancellation near 0.
static RNNLAB_INLINE F tanh(F x) {
  const Exponential e = exponential(clamp(x + x, 20.0f));
  const F expm1 = e.scale * e.less1 + (e.scale - 1.0f);
  return expm1 * inverse(expm1 + 2.0f);
}

}  // namespace rnnlab::RNNLAB_ISA_NAMESPACE
