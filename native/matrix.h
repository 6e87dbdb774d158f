// The micro-kernel: a tile of MR rows and NB blocks of columns whose sums stay in registers.
#pragma once

#include "simd.h"

namespace rnnlab::RNNLAB_ISA_NAMESPACE {

// Tile sizes that fit the registers: MR * NB * kParts sums, NB * kParts columns and a broadcast.
#if defined(__AVX512F__)
constexpr int kMaxBlocks = 4;
constexpr int kWideRowsBlocks = 2;
constexpr int max_rows(int nb) { return nb == 4 ? 6 : 8; }
#elif defined(__AVX2__)
constexpr int kMaxBlocks = 1;
constexpr int kWideRowsBlocks = 1;
constexpr int max_rows(int) { return 4; }
#else
constexpr int kMaxBlocks = 1;
constexpr int kWideRowsBlocks = 1;
constexpr int max_rows(int) { return 2; }
#endif

// How the left operand is read: along its columns (plain; a row of the tile is a row of A) or along
// its rows (paired; a row of the tile is a column of A).
enum class Walk { columns, rows };

// What a product does to its destination.
enum class Update { overwrite, add };

// sum[i][j] += A's row i times B's block j.
//   columns: a points at (row 0, column 0) of a plain operand, its blocks a_block elements apart;
//            b points at block 0 of a paired operand, its blocks b_block elements apart; the sum
//            runs over `count` blocks of 16.
//   rows:    a points at (row 0, column 0) of a paired operand, MR columns within one block; the
//            sum runs over `count` pairs of rows (single rows if pair == 1).
template <class P, Walk walk, int MR, int NB>
static RNNLAB_INLINE void multiply(const typename P::T* a, int64_t a_block,
                                   const typename P::T* b, int64_t b_block, int64_t count,
                                   F (&sum)[MR][NB][kParts]) {
  constexpr int steps = walk == Walk::columns ? kBlock / P::pair : 1;
  constexpr int row = walk == Walk::columns ? kBlock : P::pair;  // between rows of the tile
  constexpr int column = walk == Walk::columns ? P::pair : 0;    // between steps
  constexpr int line = kBlock * P::pair;                         // 16 columns of B, one step
  for (int64_t n = 0; n < count; ++n) {
    RNNLAB_UNROLL
    for (int k = 0; k < steps; ++k) {
      if constexpr (P::pair == 1) {
        F columns[NB][kParts];
        RNNLAB_UNROLL
        for (int j = 0; j < NB; ++j)
          RNNLAB_UNROLL
          for (int p = 0; p < kParts; ++p)
            columns[j][p] = load(b + j * b_block + k * line + p * W);
        RNNLAB_UNROLL
        for (int i = 0; i < MR; ++i)
          RNNLAB_UNROLL
          for (int j = 0; j < NB; ++j)
            RNNLAB_UNROLL
            for (int p = 0; p < kParts; ++p)
              sum[i][j][p] += columns[j][p] * a[i * row + k * column];
      } else {
#ifdef __AVX512BF16__
        __m512bh columns[NB];
        RNNLAB_UNROLL
        for (int j = 0; j < NB; ++j)
          columns[j] = (__m512bh)_mm512_load_si512(b + j * b_block + k * line);
        RNNLAB_UNROLL
        for (int i = 0; i < MR; ++i) {
          int32_t both;
          memcpy(&both, a + i * row + k * column, 4);
          const __m512bh value = (__m512bh)_mm512_set1_epi32(both);
          RNNLAB_UNROLL
          for (int j = 0; j < NB; ++j)
            sum[i][j][0] = (F)_mm512_dpbf16_ps((__m512)sum[i][j][0], columns[j], value);
        }
#endif
      }
    }
    a += walk == Walk::columns ? a_block : line;
    b += steps * line;
  }
}

// Computes a tile and writes row i of block j to c + i * c_row + j * c_block.
template <class P, Walk walk, int MR, int NB>
static void tile_of(const typename P::T* a, int64_t a_block, const typename P::T* b,
                    int64_t b_block, int64_t count, float* c, int64_t c_row, int64_t c_block,
                    Update update) {
  F sum[MR][NB][kParts] = {};
  multiply<P, walk, MR, NB>(a, a_block, b, b_block, count, sum);
  RNNLAB_UNROLL
  for (int i = 0; i < MR; ++i)
    RNNLAB_UNROLL
    for (int j = 0; j < NB; ++j)
      RNNLAB_UNROLL
      for (int p = 0; p < kParts; ++p) {
        float* place = c + i * c_row + j * c_block + p * W;  // unaligned if in torch's layout
        F value = sum[i][j][p];
        if (update == Update::add) {
          F there;
          memcpy(&there, place, sizeof(F));
          value += there;
        }
        memcpy(place, &value, sizeof(F));
      }
}

// The same for a number of rows that is known at run time only; 1 <= rows <= max_rows(NB).
template <class P, int NB, int MR = max_rows(NB)>
static void tile_of_rows(int64_t rows, const typename P::T* a, int64_t a_block,
                         const typename P::T* b, int64_t b_block, int64_t count, float* c,
                         int64_t c_row, int64_t c_block, Update update) {
  if constexpr (MR > 1)
    if (rows < MR)
      return tile_of_rows<P, NB, MR - 1>(rows, a, a_block, b, b_block, count, c, c_row, c_block,
                                         update);
  tile_of<P, Walk::columns, MR, NB>(a, a_block, b, b_block, count, c, c_row, c_block, update);
}

// Rows of a tile: at most max_rows, and nearly the same even number for all tiles.
static RNNLAB_INLINE int64_t tile_rows(int64_t rows, int nb) {
  const int64_t most = max_rows(nb), tiles = (rows + most - 1) / most;
  const int64_t size = even((rows + tiles - 1) / tiles);
  return size < most ? size : most;
}

// Any number of rows and blocks: panels of NB blocks, each staying in the cache for all rows.
template <class P, int NB>
static void panel_product(int64_t nb, int64_t rows, const typename P::T* a, int64_t a_block,
                          const typename P::T* b, int64_t b_block, int64_t count, float* c,
                          int64_t c_block, Update update) {
  const int64_t size = tile_rows(rows, NB);
  for (; nb >= NB; nb -= NB) {
    for (int64_t r = 0; r < rows; r += size)
      tile_of_rows<P, NB>(size < rows - r ? size : rows - r, a + r * kBlock, a_block, b, b_block,
                          count, c + r * kBlock, kBlock, c_block, update);
    b += NB * b_block;
    c += NB * c_block;
  }
  if constexpr (NB > 1)
    if (nb > 0)
      panel_product<P, NB - 1>(nb, rows, a, a_block, b, b_block, count, c, c_block, update);
}

// A product of `rows` rows of a plain operand and `nb` blocks of a paired operand, see `multiply`.
template <class P>
static void rows_product(int64_t nb, int64_t rows, const typename P::T* a, int64_t a_block,
                         const typename P::T* b, int64_t b_block, int64_t count, float* c,
                         int64_t c_block, Update update) {
  if (rows <= 0) return;
  // With few rows, wide tiles keep the multipliers busy; with many rows, tall tiles load less.
  if (rows <= max_rows(kMaxBlocks))
    panel_product<P, kMaxBlocks>(nb, rows, a, a_block, b, b_block, count, c, c_block, update);
  else
    panel_product<P, kWideRowsBlocks>(nb, rows, a, a_block, b, b_block, count, c, c_block, update);
}

// Sets the lanes after the first `lanes` of some rows of a block to 0. After a product these are
// padding, and NaN where A is infinite, because infinity times the zeros that pad B is NaN.
static RNNLAB_INLINE void clear_padding(float* block, int64_t rows, int64_t row, int64_t lanes) {
  if (lanes == kBlock) return;
  I keep[kParts];  // all bits of the lanes in use
  for (int lane = 0; lane < kBlock; ++lane) keep[lane / W][lane % W] = lane < lanes ? -1 : 0;
  for (int64_t r = 0; r < rows; ++r)
    for (int part = 0; part < kParts; ++part) {
      float* place = block + r * row + part * W;
      store(place, (F)((I)load(place) & keep[part]));
    }
}

}  // namespace rnnlab::RNNLAB_ISA_NAMESPACE
