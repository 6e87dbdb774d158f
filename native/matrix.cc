// Conversions to and from the blocked layout, and the two matrix products.
#include "matrix.h"

namespace rnnlab::RNNLAB_ISA_NAMESPACE {
namespace {

// The entries of an axis that are in one block: its first `count` lanes. In torch's layout they
// are `step` elements apart.
struct Run {
  int64_t first, count, step;
};

RNNLAB_INLINE Run run_of(Axis axis, int64_t block) {
  const int64_t g = block % axis.gates, u = block / axis.gates * kBlock, left = axis.size - u;
  return {(g * axis.size + u) * axis.step, left < kBlock ? left : kBlock, axis.step};
}

// Reads 16 rows and 16 columns from torch's layout, with zeros in the padding.
RNNLAB_INLINE void read_square(const float* src, Run rows, Run columns, float (&square)[16][16]) {
  src += rows.first + columns.first;
  if (rows.count < kBlock || columns.count < kBlock) memset(square, 0, sizeof(square));
  if (columns.step == 1)
    for (int64_t r = 0; r < rows.count; ++r)
      memcpy(square[r], src + r * rows.step, columns.count * sizeof(float));
  else if (rows.step == 1 && rows.count == kBlock && columns.count == kBlock)
    for (int64_t i = 0; i < kBlock; i += W)
      for (int64_t j = 0; j < kBlock; j += W) {
        F x[W];
        for (int k = 0; k < W; ++k) memcpy(&x[k], src + (j + k) * columns.step + i, sizeof(F));
        transpose(x);
        for (int k = 0; k < W; ++k) store(square[i + k] + j, x[k]);
      }
  else
    for (int64_t lane = 0; lane < columns.count; ++lane)
      for (int64_t r = 0; r < rows.count; ++r)
        square[r][lane] = src[lane * columns.step + r * rows.step];
}

template <class P>
void pack(const float* src, Axis k, Axis n, void* dst, int64_t stride, Worker& worker) {
  using T = typename P::T;
  const int64_t k_blocks = axis_blocks(k);
  const bool whole_blocks = stride == 0;
  if (whole_blocks) stride = k_blocks * kBlock;
  const Range mine = worker.share(axis_blocks(n));
  for (int64_t j = mine.begin; j < mine.end; ++j) {
    const Run columns = run_of(n, j);
    for (int64_t b = 0; b < k_blocks; ++b) {
      alignas(64) float square[16][16];
      const Run rows = run_of(k, b);
      read_square(src, rows, columns, square);
      for (int64_t r = 0; r < (whole_blocks ? kBlock : rows.count); r += 2)
        for (int part = 0; part < kParts; ++part)
          store_pair<P>(
              static_cast<T*>(dst) + at(j, b * kBlock + r, stride) + part_of_pair<P>(part),
              load(square[r] + part * W), load(square[r + 1] + part * W));
    }
  }
}

template <class P>
void block(const float* src, int64_t time, int64_t B, int64_t row_batch, int64_t C, Operand dst,
              Worker& worker) {
  const int64_t rows = time * row_batch;
  const Range mine = worker.share(rows, 2);
  for (int64_t r = mine.begin; r < mine.end; r += 2)
    for (int64_t j = 0; j < blocks(C); ++j) {
      alignas(64) float x[2][kBlock] = {};
      for (int odd = 0; odd < 2; ++odd) {
        const int64_t t = (r + odd) / row_batch, b = (r + odd) % row_batch;
        if (b >= B || r + odd >= rows) continue;
        memcpy(x[odd], src + (t * B + b) * C + j * kBlock, lanes_of(C, j) * sizeof(float));
      }
      for (int part = 0; part < kParts; ++part)
        store_rows<P>(dst, j, r, rows, part, {load(x[0] + part * W), load(x[1] + part * W)});
    }
}

template <class P>
void product(const Product& p, Worker& worker) {
  using T = typename P::T;
  const bool by_rows = p.rows >= 16 * worker.count;
  const Range rows = by_rows ? worker.share(p.rows, 2) : Range{0, p.rows};
  const int64_t n_blocks = axis_blocks(p.columns);
  const Range columns = by_rows ? Range{0, n_blocks} : worker.share(n_blocks);
  if (p.bias)
    for (int64_t j = columns.begin; j < columns.end; ++j)
      for (int64_t r = rows.begin; r < rows.end; ++r)
        memcpy(p.c.data + (j * p.c.stride + r) * kBlock, p.bias + j * kBlock,
               kBlock * sizeof(float));
  const int64_t b_block = p.k_blocks * kBlock * kBlock;
  rows_product<P>(columns.end - columns.begin, rows.end - rows.begin,
                  static_cast<const T*>(p.a.plain) + rows.begin * kBlock, p.a.stride * kBlock,
                  static_cast<const T*>(p.b) + columns.begin * b_block, b_block, p.k_blocks,
                  p.c.data + (columns.begin * p.c.stride + rows.begin) * kBlock,
                  p.c.stride * kBlock, p.bias ? Update::add : Update::overwrite);
  for (int64_t j = columns.begin; j < columns.end; ++j)
    clear_padding(p.c.data + at(j, rows.begin, p.c.stride), rows.end - rows.begin, kBlock,
                  run_of(p.columns, j).count);
}

// How many rows are summed at a time, and how many blocks of C's rows are computed together: the
// parts of A, B and C that this needs stay in the caches.
template <class P>
constexpr int64_t kSumRows = 1024 * P::pair;
constexpr int64_t kTogether = 8;

constexpr int kOuterBlocks = kWideRowsBlocks, kOuterRows = max_rows(kOuterBlocks);
static_assert(kBlock % kOuterRows == 0, "a tile's rows are in one block of A");

// Blocks j .. j + nb - 1 of the rows of C that block m of A's columns gives, summed over `count`
// rows from `first` on. The tiles at the edges go through `tile`.
template <class P>
RNNLAB_INLINE void outer_block(const OuterProduct& p, int64_t m, int64_t j, int64_t nb,
                               int64_t first, int64_t count, float* tile) {
  using T = typename P::T;
  constexpr int NB = kOuterBlocks, MR = kOuterRows;
  const int64_t steps = count / P::pair, b_block = p.b.stride * kBlock;
  const int64_t left = p.n - j * kBlock, width = left < nb * kBlock ? left : nb * kBlock;
  const Update update = first > 0 ? Update::add : Update::overwrite;
  const Run rows = run_of(p.m, m);
  const T* a = static_cast<const T*>(p.a.paired) + at(m, first, p.a.stride);
  const T* b = static_cast<const T*>(p.b.paired) + at(j, first, p.b.stride);
  for (int64_t lane = 0; lane < rows.count; lane += MR) {
    float* c = p.c + rows.first + lane * rows.step + j * kBlock;
    if (width == NB * kBlock && lane + MR <= rows.count) {
      tile_of<P, Walk::rows, MR, NB>(a + lane * P::pair, 0, b, b_block, steps, c, rows.step,
                                     kBlock, update);
      continue;
    }
    if (nb == NB)
      tile_of<P, Walk::rows, MR, NB>(a + lane * P::pair, 0, b, b_block, steps, tile, NB * kBlock,
                                     kBlock, Update::overwrite);
    else
      tile_of<P, Walk::rows, MR, 1>(a + lane * P::pair, 0, b, b_block, steps, tile, NB * kBlock,
                                    kBlock, Update::overwrite);
    for (int i = 0; i < MR && lane + i < rows.count; ++i)
      for (int64_t n = 0; n < width; ++n) {
        const float value = tile[i * NB * kBlock + n];
        float* place = c + i * rows.step + n;
        *place = update == Update::add ? *place + value : value;
      }
  }
}

template <class P>
void outer_product(const OuterProduct& p, Worker& worker) {
  const int64_t m_blocks = axis_blocks(p.m), n_blocks = blocks(p.n);
  const bool by_m = m_blocks >= n_blocks;
  const Range ms = by_m ? worker.share(m_blocks) : Range{0, m_blocks};
  const Range ns = by_m ? Range{0, n_blocks} : worker.share(n_blocks);
  alignas(64) float tile[kOuterRows * kOuterBlocks * kBlock];
  for (int64_t group = ms.begin; group < ms.end; group += kTogether) {
    const int64_t group_end = group + kTogether < ms.end ? group + kTogether : ms.end;
    for (int64_t r = 0; r < p.rows; r += kSumRows<P>) {
      const int64_t count = kSumRows<P> < p.rows - r ? kSumRows<P> : p.rows - r;
      for (int64_t j = ns.begin; j < ns.end; j += kOuterBlocks) {
        const int64_t nb = kOuterBlocks < ns.end - j ? kOuterBlocks : ns.end - j;
        for (int64_t m = group; m < group_end; ++m)
          outer_block<P>(p, m, j, nb, r, count, tile);
      }
    }
  }
}

void unpack(Blocked src, Axis k, Axis n, float* dst, Worker& worker) {
  const Range mine = worker.share(axis_blocks(n));
  for (int64_t j = mine.begin; j < mine.end; ++j) {
    const Run columns = run_of(n, j);
    for (int64_t lane = 0; lane < columns.count; ++lane)
      for (int64_t b = 0; b < axis_blocks(k); ++b) {
        const Run rows = run_of(k, b);
        float* to = dst + rows.first + columns.first + lane * columns.step;
        for (int64_t r = 0; r < rows.count; ++r)
          to[r * rows.step] = src.data[(j * src.stride + b * kBlock + r) * kBlock + lane];
      }
  }
}

void unblock(Blocked src, int64_t T, int64_t B, int64_t row_batch, int64_t C, float* dst,
             Worker& worker) {
  const Range mine = worker.share(T * B);
  for (int64_t row = mine.begin; row < mine.end; ++row) {
    const int64_t from = row / B * row_batch + row % B;
    for (int64_t j = 0; j < blocks(C); ++j)
      memcpy(dst + row * C + j * kBlock, src.data + (j * src.stride + from) * kBlock,
             lanes_of(C, j) * sizeof(float));
  }
}

// Hides the value of a register from the compiler, so that it cannot simplify what follows.
template <class Vector>
RNNLAB_INLINE void opaque(Vector& x) {
#if defined(__x86_64__) || defined(__i386__)
  asm volatile("" : "+v"(x));
#elif defined(__aarch64__)
  asm volatile("" : "+w"(x));
#else
  asm volatile("" : "+m"(x));
#endif
}

double bare_multiply_adds(Precision precision, int64_t steps) {
  constexpr int sums = 12;  // enough to hide the latency, and they fit into 16 registers
  F sum[sums];
  for (int i = 0; i < sums; ++i) sum[i] = fill(float(i));  // different: they cannot be merged
  const bool pairs = precision == Precision::bfloat16 && BFloat16::pair == 2;
#ifdef __AVX512BF16__
  __m512bh x = (__m512bh)_mm512_set1_epi16(0x3f80);
  for (int64_t n = 0; pairs && n < steps; ++n) {
    RNNLAB_UNROLL
    for (int i = 0; i < sums; ++i) sum[i] = (F)_mm512_dpbf16_ps((__m512)sum[i], x, x);
    opaque(x);
  }
#endif
  F y = fill(0.5f);
  for (int64_t n = 0; !pairs && n < steps; ++n) {
    RNNLAB_UNROLL
    for (int i = 0; i < sums; ++i) sum[i] = sum[i] * y + y;
    opaque(y);
  }
  volatile float sink = 0;
  for (int i = 0; i < sums; ++i) sink = sink + sum[i][0];
  return (pairs ? 4.0 : 2.0) * W * sums * steps;
}

}  // namespace

void add_matrix_kernels(Kernels& table) {
  table.pack = RNNLAB_BY_PRECISION(pack);
  table.unpack = unpack;
  table.block = RNNLAB_BY_PRECISION(block);
  table.unblock = unblock;
  table.product = RNNLAB_BY_PRECISION(product);
  table.outer_product = RNNLAB_BY_PRECISION(outer_product);
  table.bare_multiply_adds = bare_multiply_adds;
}

}  // namespace rnnlab::RNNLAB_ISA_NAMESPACE
