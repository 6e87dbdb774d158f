// The vectors of one instruction set. GCC's and Clang's vector types do the arithmetic; intrinsics
// are used only for what these cannot express, such as pairs of bfloat16.
//
// RNNLAB_ISA_NAMESPACE names the instruction set that a source file is compiled for. Everything
// below is static and in that namespace, so the linker cannot confuse two compilations.
#pragma once

#include <stdint.h>
#include <string.h>

#include <utility>

#if defined(__AVX512F__) || defined(__AVX2__)
#include <immintrin.h>
#endif

#include "kernels.h"

#define RNNLAB_UNROLL _Pragma("GCC unroll 32")

namespace rnnlab::RNNLAB_ISA_NAMESPACE {

#if defined(__AVX512F__)
constexpr int W = 16;  // floats of a vector
#elif defined(__AVX2__)
constexpr int W = 8;
#else
constexpr int W = 4;
#endif
constexpr int kParts = kBlock / W;  // vectors in a row of a block

typedef float F __attribute__((vector_size(W * 4), may_alias));
typedef int32_t I __attribute__((vector_size(W * 4), may_alias));
typedef uint32_t U __attribute__((vector_size(W * 4), may_alias));

static RNNLAB_INLINE F load(const float* p) { return *reinterpret_cast<const F*>(p); }
static RNNLAB_INLINE void store(float* p, F x) { *reinterpret_cast<F*>(p) = x; }
static RNNLAB_INLINE void fetch(const void* p) { __builtin_prefetch(p, 0, 3); }
static RNNLAB_INLINE void fetch_to_write(const void* p) { __builtin_prefetch(p, 1, 3); }
static RNNLAB_INLINE F fill(float x) { return F{} + x; }

// The lesser, or the greater, of a bound and x; NaN stays NaN.
#if defined(__AVX512F__)
static RNNLAB_INLINE F at_most(float b, F x) { return _mm512_min_ps(fill(b), x); }
static RNNLAB_INLINE F at_least(float b, F x) { return _mm512_max_ps(fill(b), x); }
#elif defined(__AVX2__)
static RNNLAB_INLINE F at_most(float b, F x) { return _mm256_min_ps(fill(b), x); }
static RNNLAB_INLINE F at_least(float b, F x) { return _mm256_max_ps(fill(b), x); }
#else
static RNNLAB_INLINE F at_most(float b, F x) { return x > b ? fill(b) : x; }
static RNNLAB_INLINE F at_least(float b, F x) { return x < b ? fill(b) : x; }
#endif

// 1 / x, for x and 1 / x normal. AVX-512 estimates it to 14 bits and does one step of Newton's
// method, which is much faster than a division.
static RNNLAB_INLINE F inverse(F x) {
#if defined(__AVX512F__)
  const F y = (F)_mm512_rcp14_ps((__m512)x);
  return y + y * (1.0f - x * y);
#else
  return 1.0f / x;
#endif
}

// The nearest bfloat16 values (ties to even) as float32; NaN stays NaN.
static RNNLAB_INLINE U rounded_bits(F x) {
  const U bits = (U)x;
  const U rounded = bits + 0x7fff + ((bits >> 16) & 1);
  return (x == x ? rounded : bits | 0x400000) & 0xffff0000u;
}

// Transposes W x W floats by exchanging smaller and smaller quarters.
#if defined(__has_builtin)
#if __has_builtin(__builtin_shufflevector)
#define RNNLAB_SHUFFLES
#endif
#endif

#ifdef RNNLAB_SHUFFLES
template <int d, int... k>
static RNNLAB_INLINE void exchange(F& a, F& b, std::integer_sequence<int, k...>) {
  const F low = __builtin_shufflevector(a, b, (k & d ? W + (k ^ d) : k)...);
  const F high = __builtin_shufflevector(a, b, (k & d ? W + k : (k | d))...);
  a = low, b = high;
}

template <int d = W / 2>
static RNNLAB_INLINE void transpose(F (&x)[W]) {
  if constexpr (d > 0) {
    RNNLAB_UNROLL
    for (int i = 0; i < W; ++i)
      if (!(i & d)) exchange<d>(x[i], x[i | d], std::make_integer_sequence<int, W>());
    transpose<d / 2>(x);
  }
}
#else
static inline void transpose(F (&x)[W]) {
  for (int i = 0; i < W; ++i)
    for (int j = 0; j < i; ++j) {
      const float there = x[i][j];
      x[i][j] = x[j][i];
      x[j][i] = there;
    }
}
#endif

// A precision as a template argument P: the type T of its operands and how they are stored.
struct Float32 {
  using T = float;
  static constexpr int pair = 1;  // rows that are interleaved in a paired operand
  static constexpr bool rounds = false;
  static RNNLAB_INLINE F rounded(F x) { return x; }
};

struct BFloat16 {
#ifdef __AVX512BF16__
  using T = uint16_t;
  static constexpr int pair = 2;
#else
  using T = float;
  static constexpr int pair = 1;
#endif
  static constexpr bool rounds = true;
  static RNNLAB_INLINE F rounded(F x) { return (F)rounded_bits(x); }
};

// Makes one kernel of a function template's instances for both precisions, see RNNLAB_BY_PRECISION.
template <auto float32, auto bfloat16>
struct ByPrecision;
template <class... A, void (*float32)(A...), void (*bfloat16)(A...)>
struct ByPrecision<float32, bfloat16> {
  static void run(Precision precision, A... arguments) {
    precision == Precision::float32 ? float32(arguments...) : bfloat16(arguments...);
  }
};
#define RNNLAB_BY_PRECISION(function) ByPrecision<function<Float32>, function<BFloat16>>::run

// W neighbours of a plain operand, as they are stored.
template <class P>
static RNNLAB_INLINE auto packed(F x) {
  if constexpr (sizeof(typename P::T) == 4) {
    return P::rounded(x);
  } else {
#ifdef __AVX512BF16__
    typedef uint16_t S __attribute__((vector_size(W * 2), may_alias));
    return (S)_mm512_cvtneps_pbh((__m512)x);
#endif
  }
}

template <class P>
static RNNLAB_INLINE void store_plain(typename P::T* p, F x) {
  *reinterpret_cast<decltype(packed<P>(x))*>(p) = packed<P>(x);
}

template <class P>
static RNNLAB_INLINE F load_plain(const typename P::T* p) {
  if constexpr (sizeof(typename P::T) == 4) {
    return load(p);
  } else {
    typedef uint16_t S __attribute__((vector_size(W * 2), may_alias));
    return (F)(__builtin_convertvector(*reinterpret_cast<const S*>(p), U) << 16);
  }
}

// The offset of row r of block j in an operand; in a paired operand r must be even.
static RNNLAB_INLINE int64_t at(int64_t j, int64_t r, int64_t stride) {
  return (j * stride + r) * kBlock;
}

// How many of C columns are in block j.
static RNNLAB_INLINE int64_t lanes_of(int64_t C, int64_t j) {
  const int64_t left = C - j * kBlock;
  return left < kBlock ? left : kBlock;
}

// Rows r and r + 1 (r even) of a paired operand, W columns of each; p points at the first of row r.
template <class P>
static RNNLAB_INLINE void store_pair(typename P::T* p, F even, F odd) {
  if constexpr (P::pair == 1) {
    store(p, P::rounded(even));
    store(p + kBlock, P::rounded(odd));
  } else {
    const U low = __builtin_convertvector(packed<P>(even), U);
    const U high = __builtin_convertvector(packed<P>(odd), U);
    *reinterpret_cast<U*>(p) = low | high << 16;
  }
}

template <class P>
static RNNLAB_INLINE void load_pair(const typename P::T* p, F* even, F* odd) {
  if constexpr (P::pair == 1) {
    *even = load(p);
    *odd = load(p + kBlock);
  } else {
    const U both = *reinterpret_cast<const U*>(p);
    *even = (F)(both << 16);
    *odd = (F)(both & 0xffff0000u);
  }
}

// The offset of columns W * part .. in a row of a block of a paired operand.
template <class P>
static RNNLAB_INLINE int64_t part_of_pair(int part) {
  return part * W * P::pair;
}

// Writes W columns of rows r (even) and r + 1 of `rows` to those forms of an operand that exist.
template <class P>
static RNNLAB_INLINE void store_rows(Operand dst, int64_t j, int64_t r, int64_t rows, int part,
                                     const F (&x)[2]) {
  using T = typename P::T;
  if (dst.plain) {
    T* p = static_cast<T*>(dst.plain) + at(j, r, dst.stride) + part * W;
    store_plain<P>(p, x[0]);
    if (r + 1 < rows) store_plain<P>(p + kBlock, x[1]);
  }
  if (P::pair == 2 && dst.paired)
    store_pair<P>(static_cast<T*>(dst.paired) + at(j, r, dst.stride) + part_of_pair<P>(part), x[0],
                  x[1]);
}

}  // namespace rnnlab::RNNLAB_ISA_NAMESPACE
