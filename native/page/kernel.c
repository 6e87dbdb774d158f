// The cell equations for an exported page, in WebAssembly with SIMD; see src/rnnlab/report/page.
//
// The module holds nothing: all arrays are in the memory that the page gives it. The page has the same functions in
// plain JavaScript (plain_kernel.js), for browsers without WebAssembly.
//
// Legend: H hidden size, G gates. All sizes are multiples of 4; what fills them up has weights of zero and stays zero.
//
// kernel.wasm is made of this file by `native/page/make.sh`, which names the compiler and its version. kernel.sha256
// has the checksums of both, and a test compares them.

#include <wasm_simd128.h>

#define EXPORT(name) __attribute__((export_name(#name))) void name

static inline v128_t all(float x) { return wasm_f32x4_splat(x); }
static inline v128_t add(v128_t a, v128_t b) { return wasm_f32x4_add(a, b); }
static inline v128_t sub(v128_t a, v128_t b) { return wasm_f32x4_sub(a, b); }
static inline v128_t mul(v128_t a, v128_t b) { return wasm_f32x4_mul(a, b); }

// e^x = 2^n e^r with |r| <= ln(2)/2, where e^r is a polynomial. Relative error below 2e-7; NaN stays NaN.
// Source: S. L. Moshier, Cephes Mathematical Library, expf.
static inline v128_t exponential(v128_t x) {
  x = wasm_f32x4_min(wasm_f32x4_max(x, all(-87.0f)), all(88.0f));
  v128_t n = wasm_f32x4_nearest(mul(x, all(1.44269504f)));
  v128_t r = sub(sub(x, mul(n, all(0.693359375f))), mul(n, all(-2.12194440e-4f)));
  v128_t p = all(1.9875691500e-4f);
  p = add(mul(p, r), all(1.3981999507e-3f));
  p = add(mul(p, r), all(8.3334519073e-3f));
  p = add(mul(p, r), all(4.1665795894e-2f));
  p = add(mul(p, r), all(1.6666665459e-1f));
  p = add(mul(p, r), all(5.0000001201e-1f));
  p = add(add(mul(mul(p, r), r), r), all(1.0f));
  v128_t exponent = wasm_i32x4_add(wasm_i32x4_trunc_sat_f32x4(n), wasm_i32x4_splat(127));
  return mul(p, wasm_i32x4_shl(exponent, 23));
}

static inline v128_t sigmoid(v128_t x) {
  return wasm_f32x4_div(all(1.0f), add(all(1.0f), exponential(wasm_f32x4_neg(x))));
}

static inline v128_t hyperbolic_tangent(v128_t x) {
  return sub(all(1.0f), wasm_f32x4_div(all(2.0f), add(all(1.0f), exponential(add(x, x)))));
}

// The sum of the four elements of each of a, b, c, d.
static inline v128_t sums(v128_t a, v128_t b, v128_t c, v128_t d) {
  v128_t ab = add(wasm_i32x4_shuffle(a, b, 0, 4, 1, 5), wasm_i32x4_shuffle(a, b, 2, 6, 3, 7));
  v128_t cd = add(wasm_i32x4_shuffle(c, d, 0, 4, 1, 5), wasm_i32x4_shuffle(c, d, 2, 6, 3, 7));
  return add(wasm_i32x4_shuffle(ab, cd, 0, 1, 4, 5), wasm_i32x4_shuffle(ab, cd, 2, 3, 6, 7));
}

// y = base + W x; W (rows, columns) row by row.
EXPORT(matvec)(const float *W, const float *x, const float *base, float *y, int rows, int columns) {
  int row = 0;
  for (; row + 8 <= rows; row += 8) {
    const float *w = W + row * columns;
    v128_t s[8];
    for (int i = 0; i < 8; i++) s[i] = all(0.0f);
    for (int k = 0; k < columns; k += 4) {
      v128_t part = wasm_v128_load(x + k);
      for (int i = 0; i < 8; i++) s[i] = add(s[i], mul(wasm_v128_load(w + i * columns + k), part));
    }
    v128_t first = add(wasm_v128_load(base + row), sums(s[0], s[1], s[2], s[3]));
    v128_t second = add(wasm_v128_load(base + row + 4), sums(s[4], s[5], s[6], s[7]));
    wasm_v128_store(y + row, first);
    wasm_v128_store(y + row + 4, second);
  }
  if (row < rows) {
    const float *w = W + row * columns;
    v128_t s[4];
    for (int i = 0; i < 4; i++) s[i] = all(0.0f);
    for (int k = 0; k < columns; k += 4) {
      v128_t part = wasm_v128_load(x + k);
      for (int i = 0; i < 4; i++) s[i] = add(s[i], mul(wasm_v128_load(w + i * columns + k), part));
    }
    wasm_v128_store(y + row, add(wasm_v128_load(base + row), sums(s[0], s[1], s[2], s[3])));
  }
}

// In all cells: `gates` (G H) holds the sums on entry, and on return the gates in the order of their rows.

// h = tanh(sum), or max(0, sum).
EXPORT(rnn)(float *gates, float *h, int H, int relu) {
  for (int k = 0; k < H; k += 4) {
    v128_t sum = wasm_v128_load(gates + k);
    v128_t value = relu ? wasm_f32x4_max(sum, all(0.0f)) : hyperbolic_tangent(sum);
    wasm_v128_store(gates + k, value);
    wasm_v128_store(h + k, value);
  }
}

// r, z = sigmoid(x + hidden); n = tanh(x + r hidden); h = (1 - z) n + z h. x (3 H): of the input, with b_ih; `gates`: of
// the state, with b_hh.
EXPORT(gru)(const float *x, float *gates, float *h, int H) {
  for (int k = 0; k < H; k += 4) {
    float *r_at = gates + k, *z_at = gates + H + k, *n_at = gates + 2 * H + k;
    v128_t r = sigmoid(add(wasm_v128_load(x + k), wasm_v128_load(r_at)));
    v128_t z = sigmoid(add(wasm_v128_load(x + H + k), wasm_v128_load(z_at)));
    v128_t n = hyperbolic_tangent(add(wasm_v128_load(x + 2 * H + k), mul(r, wasm_v128_load(n_at))));
    wasm_v128_store(r_at, r);
    wasm_v128_store(z_at, z);
    wasm_v128_store(n_at, n);
    wasm_v128_store(h + k, add(mul(sub(all(1.0f), z), n), mul(z, wasm_v128_load(h + k))));
  }
}

// i, f, o = sigmoid(sum); g = tanh(sum); c = f c + i g; h = o tanh(c).
EXPORT(lstm)(float *gates, float *h, float *c, int H) {
  for (int k = 0; k < H; k += 4) {
    float *i_at = gates + k, *f_at = gates + H + k, *g_at = gates + 2 * H + k, *o_at = gates + 3 * H + k;
    v128_t i = sigmoid(wasm_v128_load(i_at)), f = sigmoid(wasm_v128_load(f_at));
    v128_t g = hyperbolic_tangent(wasm_v128_load(g_at)), o = sigmoid(wasm_v128_load(o_at));
    v128_t cell = add(mul(f, wasm_v128_load(c + k)), mul(i, g));
    wasm_v128_store(i_at, i);
    wasm_v128_store(f_at, f);
    wasm_v128_store(g_at, g);
    wasm_v128_store(o_at, o);
    wasm_v128_store(c + k, cell);
    wasm_v128_store(h + k, mul(o, hyperbolic_tangent(cell)));
  }
}
