// A layer over time, for any cell: which worker computes what, the product with the recurrent
// weights, and the walk over rows and units. The arithmetic of a cell is in lstm.cc, gru.cc, rnn.cc.
//
// Workers share a layer in one of two ways. By sequences: each runs all T steps of its rows of the
// batch and waits for nobody. By units: each computes some units of all rows, and all wait for one
// another once a step; the weights that one worker reads are then few enough for its own cache.
#pragma once

#include "activation.h"
#include "matrix.h"

namespace rnnlab::RNNLAB_ISA_NAMESPACE {

struct Shares {
  bool by_units;
  Range rows, units;  // units in blocks
};

static RNNLAB_INLINE Shares shares(const Worker& worker, int64_t B, int64_t unit_blocks,
                                   int64_t row_step) {
  // A worker with few rows would read all weights for little arithmetic.
  const bool by_units = worker.count > 1 && unit_blocks >= worker.count &&
                        (B < 12 * worker.count || unit_blocks > 24);
  if (by_units) return {true, {0, B}, worker.share(unit_blocks)};
  return {false, worker.share(B, row_step), {0, unit_blocks}};
}

// What a cell's forward sees of one row and W units.
struct ForwardSite {
  const float* sums;     // W_h h, gate g at sums + g * 16
  const float* x;        // W_i x + biases, gate g at x + g * x_gate
  int64_t x_gate;
  const float* bias_hn;
  const float* h_before;
  const float* c_before;
  float* c;
  float* stash;          // array a at stash + a * stash_array, or null
  int64_t stash_array;

  RNNLAB_INLINE F sum(int gate) const { return load(sums + gate * kBlock); }
  RNNLAB_INLINE F input(int gate) const { return load(x + gate * x_gate); }
  RNNLAB_INLINE void keep(int array, F value) const {
    if (stash) store(stash + array * stash_array, value);
  }
};

// ... and its backward. dh is dL/dh_t complete.
struct BackwardSite {
  F dh;
  const float* h;
  const float* h_before;
  const float* c_before;
  float* dc;
  const float* stash;
  int64_t stash_array;

  RNNLAB_INLINE F kept(int array) const { return load(stash + array * stash_array); }
};

template <class Cell>
struct GateGradients {
  F g[Cell::gates];    // of W_hh h + b_hh
  F gx[Cell::gates];   // of W_ih x + b_ih, where it differs
  F direct;            // part of dL/dh_(t-1) that does not pass through W_hh
};

template <class P, class Cell>
static void run_forward(const Forward& f, Worker& worker) {
  using T = typename P::T;
  constexpr int G = Cell::gates;
  constexpr int units_of_tile = G == 1 ? kMaxBlocks : 1;
  constexpr int panel = G * units_of_tile < kMaxBlocks ? G * units_of_tile : kMaxBlocks;
  const int64_t k_blocks = blocks(f.H), weight_block = k_blocks * kBlock * kBlock;
  const Shares mine = shares(worker, f.B, k_blocks, f.h_paired ? 2 : 1);
  const int64_t rows = mine.rows.end - mine.rows.begin;
  const int64_t step = rows > 0 ? tile_rows(rows, panel) : 1;
  T* plain = static_cast<T*>(f.h);
  T* paired = static_cast<T*>(f.h_paired);
  alignas(64) float tile[8 * G * units_of_tile * kBlock];
  alignas(64) float scratch_c[kBlock];

  for (int64_t t = f.begin; t < f.end; ++t) {
    for (int64_t u = mine.units.begin; u < mine.units.end; u += units_of_tile) {
      const int64_t left = mine.units.end - u;
      const int64_t units = left < units_of_tile ? left : units_of_tile;
      const T* weights = static_cast<const T*>(f.weights) + u * G * weight_block;
      for (int64_t r = mine.rows.begin; r < mine.rows.end; r += step) {
        const int64_t n = step < mine.rows.end - r ? step : mine.rows.end - r;
        constexpr int tile_row = G * units_of_tile * kBlock;
        int64_t done = 0;
        for (; done + panel <= units * G; done += panel)
          tile_of_rows<P, panel>(n, plain + (t * f.B + r) * kBlock, f.h_stride * kBlock,
                                 weights + done * weight_block, weight_block, k_blocks,
                                 tile + done * kBlock, tile_row, kBlock, false);
        for (; done < units * G; ++done)
          tile_of_rows<P, 1>(n, plain + (t * f.B + r) * kBlock, f.h_stride * kBlock,
                             weights + done * weight_block, weight_block, k_blocks,
                             tile + done * kBlock, tile_row, kBlock, false);

        for (int64_t v = 0; v < units; ++v) {
          const int64_t j = u + v;  // block of units
          for (int64_t i = 0; i < n; i += 2) {
            for (int part = 0; part < kParts; ++part) {
              F h[2] = {};
              const int lane = part * W;
              for (int odd = 0; odd < 2; ++odd) {
                if (i + odd >= n) break;
                const int64_t b = r + i + odd, row = t * f.B + b;
                const int64_t x_row = f.ids ? f.ids[row] : row;
                ForwardSite site;
                site.sums = tile + (i + odd) * tile_row + v * G * kBlock + lane;
                site.x = f.projection + (j * G * f.projection_stride + x_row) * kBlock + lane;
                site.x_gate = f.projection_stride * kBlock;
                site.bias_hn = f.bias_hn ? f.bias_hn + j * kBlock + lane : nullptr;
                site.h_before =
                    f.h32 + (j * f.h32_stride + t * f.h32_step + b) * kBlock + lane;
                site.c_before = f.c ? f.c + (j * f.c_stride + t * f.c_step + b) * kBlock + lane
                                    : scratch_c;
                site.c = f.c ? f.c + (j * f.c_stride + (t + 1) * f.c_step + b) * kBlock + lane
                             : scratch_c;
                site.stash =
                    f.stash ? f.stash + (j * Cell::stash * f.stash_stride + row) * kBlock + lane
                            : nullptr;
                site.stash_array = f.stash_stride * kBlock;
                h[odd] = Cell::forward(site);
                if constexpr (P::rounds)
                  store(f.h32 + (j * f.h32_stride + (t + 1) * f.h32_step + b) * kBlock + lane,
                        h[odd]);
                store_plain<P>(plain + at<P>(j, (t + 1) * f.B + b, f.h_stride) + lane, h[odd]);
              }
              if (P::pair == 2 && paired)
                store_pair<P>(paired + at<P>(j, (t + 1) * f.B + r + i, f.h_stride) +
                                  part_of_pair<P>(part),
                              h[0], h[1]);
            }
          }
        }
      }
    }
    if (mine.by_units) worker.wait();
  }
}

template <class P, class Cell>
static void run_backward(const Backward& f, Worker& worker) {
  using T = typename P::T;
  constexpr int G = Cell::gates;
  const int64_t unit_blocks = blocks(f.H), k_blocks = G * unit_blocks;
  const int64_t weight_block = k_blocks * kBlock * kBlock;
  const Shares mine = shares(worker, f.B, unit_blocks, P::pair);
  T* plain = static_cast<T*>(f.dg);
  T* paired = static_cast<T*>(f.dg_paired);
  T* plain_x = static_cast<T*>(f.dgx);
  T* paired_x = static_cast<T*>(f.dgx_paired);

  for (int64_t t = f.T - 1; t >= 0; --t) {
    for (int64_t j = mine.units.begin; j < mine.units.end; ++j) {
      for (int64_t b = mine.rows.begin; b < mine.rows.end; b += 2) {
        for (int part = 0; part < kParts; ++part) {
          GateGradients<Cell> gradients[2] = {};
          const int lane = part * W;
          for (int odd = 0; odd < 2 && b + odd < mine.rows.end; ++odd) {
            const int64_t row = t * f.B + b + odd;
            float* dh = f.dh + (j * f.B + b + odd) * kBlock + lane;
            BackwardSite site;
            site.dh = load(dh);
            if (f.d_outputs)
              site.dh += load(f.d_outputs + (j * f.d_outputs_stride + row) * kBlock + lane);
            site.h_before = f.h32 + (j * f.h32_stride + row) * kBlock + lane;
            site.h = site.h_before + f.B * kBlock;
            site.c_before = f.c ? f.c + (j * f.c_stride + row) * kBlock + lane : nullptr;
            site.dc = f.dc ? f.dc + (j * f.B + b + odd) * kBlock + lane : nullptr;
            site.stash = f.stash + (j * Cell::stash * f.stash_stride + row) * kBlock + lane;
            site.stash_array = f.stash_stride * kBlock;
            Cell::backward(site, gradients[odd]);
            if constexpr (Cell::split) store(dh, gradients[odd].direct);
            for (int g = 0; g < G; ++g) {
              const int64_t place = at<P>(j * G + g, row, f.dg_stride) + lane;
              store_plain<P>(plain + place, gradients[odd].g[g]);
              if (Cell::split && plain_x) store_plain<P>(plain_x + place, gradients[odd].gx[g]);
            }
          }
          if constexpr (P::pair == 2)
            for (int g = 0; g < G; ++g) {
              const int64_t place =
                  at<P>(j * G + g, t * f.B + b, f.dg_stride) + part_of_pair<P>(part);
              store_pair<P>(paired + place, gradients[0].g[g], gradients[1].g[g]);
              if constexpr (Cell::split)
                store_pair<P>(paired_x + place, gradients[0].gx[g], gradients[1].gx[g]);
            }
        }
      }
    }
    if (mine.by_units) worker.wait();
    const int64_t b = mine.rows.begin, j = mine.units.begin;
    rows_product<P>(mine.units.end - j, mine.rows.end - b, plain + (t * f.B + b) * kBlock,
                    f.dg_stride * kBlock, static_cast<const T*>(f.weights) + j * weight_block,
                    weight_block, k_blocks, f.dh + (j * f.B + b) * kBlock, f.B * kBlock,
                    Cell::split);
  }
}

}  // namespace rnnlab::RNNLAB_ISA_NAMESPACE
