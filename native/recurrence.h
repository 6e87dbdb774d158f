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
  // A worker with few rows would read all weights for little arithmetic; one with few units would
  // spend more on waiting than it gains from having fewer weights to read.
  const bool by_units = worker.count > 1 && unit_blocks >= worker.count &&
                        (B < 12 * worker.count || unit_blocks >= 4 * worker.count);
  if (by_units) return {true, {0, B}, worker.share(unit_blocks)};
  return {false, worker.share(B, row_step), {0, unit_blocks}};
}

// What a cell's forward sees of one row and W units. It comes in two halves, gates() and output(),
// each done for all rows of a tile before the next: the chains of dependent operations of several
// rows then overlap, where one after the other they would make the processor wait.
template <class P>
struct ForwardSite {
  float* sums;           // W_h h, gate g at sums + g * 16; `gates` leaves here what `output` needs
  const float* x;        // W_i x + biases, gate g at x + g * x_gate
  int64_t x_gate;
  const float* bias_hn;
  const float* h_before;
  const float* c_before;
  float* c;
  typename P::T* stash;  // array a at stash + a * stash_array, or null
  int64_t stash_array;

  RNNLAB_INLINE F sum(int gate) const { return load(sums + gate * kBlock); }
  RNNLAB_INLINE F input(int gate) const { return load(x + gate * x_gate); }
  RNNLAB_INLINE void leave(int gate, F value) const { store(sums + gate * kBlock, value); }
  RNNLAB_INLINE void keep(int array, F value) const {
    if (stash) store_plain<P>(stash + array * stash_array, value);
  }
};

// ... and its backward. dh is dL/dh_t complete.
template <class P>
struct BackwardSite {
  F dh;
  const float* h;
  const float* h_before;
  const float* c_before;
  float* dc;
  const typename P::T* stash;
  int64_t stash_array;

  RNNLAB_INLINE F kept(int array) const { return load_plain<P>(stash + array * stash_array); }
};

template <class Cell>
struct GateGradients {
  F g[Cell::shape.gates];    // of W_hh h + b_hh
  F gx[Cell::shape.gates];   // of W_ih x + b_ih, where it differs
  F direct;            // part of dL/dh_(t-1) that does not pass through W_hh
};

template <class P, class Cell>
static void run_forward(const Forward& f, Worker& worker) {
  using T = typename P::T;
  constexpr int G = Cell::shape.gates;
  constexpr int units_of_tile = G == 1 ? kMaxBlocks : 1;
  constexpr int panel = G * units_of_tile < kMaxBlocks ? G * units_of_tile : kMaxBlocks;
  const int64_t k_blocks = blocks(f.H), weight_block = k_blocks * kBlock * kBlock;
  const Shares mine = shares(worker, f.B, k_blocks, f.h_paired ? 2 : 1);
  const int64_t rows = mine.rows.end - mine.rows.begin;
  const int64_t step = rows > 0 ? tile_rows(rows, panel) : 1;
  T* plain = static_cast<T*>(f.h);
  T* paired = static_cast<T*>(f.h_paired);
  T* stash = static_cast<T*>(f.stash);
  alignas(64) float tile[8 * G * units_of_tile * kBlock];
  ForwardSite<P> first[units_of_tile];

  for (int64_t t = f.begin; t < f.end; ++t) {
    for (int64_t u = mine.units.begin; u < mine.units.end; u += units_of_tile) {
      const int64_t left = mine.units.end - u;
      const int64_t units = left < units_of_tile ? left : units_of_tile;
      const T* weights = static_cast<const T*>(f.weights) + u * G * weight_block;
      for (int64_t r = mine.rows.begin; r < mine.rows.end; r += step) {
        const int64_t n = step < mine.rows.end - r ? step : mine.rows.end - r;
        constexpr int tile_row = G * units_of_tile * kBlock;
        for (int64_t v = 0; v < units; ++v) {
          // Where row r of this block lies in each array; later rows follow, 16 elements each.
          const int64_t j = u + v, row = t * f.B + r;
          ForwardSite<P>& site = first[v];
          site.sums = tile + v * G * kBlock;
          site.x = f.projection + (j * G * f.projection_stride + (f.ids ? 0 : row)) * kBlock;
          site.x_gate = f.projection_stride * kBlock;
          site.bias_hn = f.bias_hn + j * kBlock;
          site.h_before = f.h32 + (j * f.h32_stride + t * f.h32_step + r) * kBlock;
          site.c_before = f.c + ((t * f.c_step * k_blocks + j) * f.B + r) * kBlock;
          site.c = f.c + (((t + 1) * f.c_step * k_blocks + j) * f.B + r) * kBlock;
          site.stash =
              stash ? stash + ((t * k_blocks + j) * Cell::shape.stash * f.B + r) * kBlock : nullptr;
          site.stash_array = f.B * kBlock;
          // These lines arrive while the product below is computed.
          for (int64_t i = 0; i < n; ++i) {
            for (int g = 0; g < G; ++g)
              fetch(site.x + g * site.x_gate + (f.ids ? f.ids[row + i] : i) * kBlock);
            if (f.c) fetch(site.c_before + i * kBlock), fetch_to_write(site.c + i * kBlock);
            if (P::pair == 2 && i % 2 == 1) continue;  // two rows share a line
            if (stash)
              for (int a = 0; a < Cell::shape.stash; ++a)
                fetch_to_write(site.stash + a * site.stash_array + i * kBlock);
            fetch_to_write(plain + at<P>(j, row + f.B + i, f.h_stride));
            if (P::pair == 2 && paired)
              fetch_to_write(paired + at<P>(j, row + f.B + i, f.h_stride));
          }
        }
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
          const int64_t j = u + v, row = t * f.B + r, place = at<P>(j, row + f.B, f.h_stride);
          float* h32 = f.h32 + (j * f.h32_stride + (t + 1) * f.h32_step + r) * kBlock;
          const auto site_of = [&](int64_t i, int part) {
            const int64_t moved = i * kBlock + part * W;
            ForwardSite<P> site = first[v];
            site.sums += i * tile_row + part * W;
            site.x += f.ids ? f.ids[row + i] * kBlock + part * W : moved;
            site.bias_hn += part * W;
            site.h_before += moved, site.c_before += moved, site.c += moved;
            if (site.stash) site.stash += moved;
            return site;
          };
          for (int64_t i = 0; i < n; ++i)
            for (int part = 0; part < kParts; ++part) Cell::gates_of(site_of(i, part));
          for (int64_t i = 0; i < n; i += 2) {
            for (int part = 0; part < kParts; ++part) {
              F h[2] = {};
              for (int odd = 0; odd < 2; ++odd) {
                if (i + odd >= n) break;
                const int64_t moved = (i + odd) * kBlock + part * W;
                h[odd] = Cell::output(site_of(i + odd, part));
                if constexpr (P::rounds) store(h32 + moved, h[odd]);
                store_plain<P>(plain + place + moved, h[odd]);
              }
              if (P::pair == 2 && paired)
                store_pair<P>(paired + place + i * kBlock + part_of_pair<P>(part), h[0], h[1]);
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
  constexpr int G = Cell::shape.gates;
  const int64_t unit_blocks = blocks(f.H), k_blocks = G * unit_blocks;
  const int64_t weight_block = k_blocks * kBlock * kBlock;
  const Shares mine = shares(worker, f.B, unit_blocks, P::pair);
  T* plain = static_cast<T*>(f.dg);
  T* paired = static_cast<T*>(f.dg_paired);
  const T* stash = static_cast<const T*>(f.stash);
  T* plain_x = static_cast<T*>(f.dgx);
  T* paired_x = static_cast<T*>(f.dgx_paired);

  const int64_t b = mine.rows.begin, rows = mine.rows.end - b;

  // The gate gradients of time step t for block j, from dL/dh_t.
  const auto gradients_of_gates = [&](int64_t t, int64_t j) {
    const int64_t row = t * f.B + mine.rows.begin;
    float* dh = f.dh + (j * f.B + mine.rows.begin) * kBlock;
    const float* d_outputs =
        f.d_outputs ? f.d_outputs + (j * f.d_outputs_stride + row) * kBlock : nullptr;
    BackwardSite<P> first;
    first.h_before = f.h32 + (j * f.h32_stride + row) * kBlock;
    first.h = first.h_before + f.B * kBlock;
    first.c_before = f.c + ((t * unit_blocks + j) * f.B + mine.rows.begin) * kBlock;
    first.dc = f.dc + (j * f.B + mine.rows.begin) * kBlock;
    first.stash = stash + ((t * unit_blocks + j) * Cell::shape.stash * f.B + b) * kBlock;
    first.stash_array = f.B * kBlock;
    const int64_t place = at<P>(j * G, row, f.dg_stride), gate = f.dg_stride * kBlock;
    for (int64_t i = 0; i < rows; i += 2) {
      for (int part = 0; part < kParts; ++part) {
        GateGradients<Cell> gradients[2] = {};
        for (int odd = 0; odd < 2; ++odd) {
          if (i + odd >= rows) break;
          const int64_t moved = (i + odd) * kBlock + part * W;
          BackwardSite<P> site = first;
          site.dh = load(dh + moved);
          if (d_outputs) site.dh += load(d_outputs + moved);
          site.h += moved, site.h_before += moved, site.c_before += moved, site.dc += moved;
          site.stash += moved;
          Cell::backward(site, gradients[odd]);
          if constexpr (Cell::shape.split) store(dh + moved, gradients[odd].direct);
          for (int g = 0; g < G; ++g) {
            store_plain<P>(plain + place + g * gate + moved, gradients[odd].g[g]);
            if constexpr (Cell::shape.split)
              store_plain<P>(plain_x + place + g * gate + moved, gradients[odd].gx[g]);
          }
        }
        if constexpr (P::pair == 2)
          for (int g = 0; g < G; ++g) {
            const int64_t there = place + g * gate + i * kBlock + part_of_pair<P>(part);
            store_pair<P>(paired + there, gradients[0].g[g], gradients[1].g[g]);
            if constexpr (Cell::shape.split)
              store_pair<P>(paired_x + there, gradients[0].gx[g], gradients[1].gx[g]);
          }
      }
    }
  };
  const auto fetch_stash = [&](int64_t t, int64_t j) {
    for (int64_t i = 0; i < rows; ++i) {
      const int64_t row = t * f.B + b + i;
      if (f.c) fetch(f.c + ((t * unit_blocks + j) * f.B + b + i) * kBlock);
      if (!f.c) fetch(f.h32 + (j * f.h32_stride + row) * kBlock);
      if (f.d_outputs) fetch(f.d_outputs + (j * f.d_outputs_stride + row) * kBlock);
      if (P::pair == 2 && i % 2 == 1) continue;  // two rows share a line
      for (int a = 0; a < Cell::shape.stash; ++a)
        fetch(stash + (((t * unit_blocks + j) * Cell::shape.stash + a) * f.B + b + i) * kBlock);
      if constexpr (P::pair == 2)
        for (int g = 0; g < G; ++g)
          fetch_to_write(paired + at<P>(j * G + g, row, f.dg_stride));
    }
  };

  for (int64_t j = mine.units.begin; j < mine.units.end; ++j) gradients_of_gates(f.T - 1, j);
  for (int64_t t = f.T - 1; t >= 0; --t) {
    if (mine.by_units) worker.wait();
    for (int64_t j = mine.units.begin; j < mine.units.end; j += kWideRowsBlocks) {
      const int64_t left = mine.units.end - j;
      const int64_t units = left < kWideRowsBlocks ? left : kWideRowsBlocks;
      if (t > 0)
        for (int64_t v = 0; v < units; ++v) fetch_stash(t - 1, j + v);
      rows_product<P>(units, rows, plain + (t * f.B + b) * kBlock, f.dg_stride * kBlock,
                      static_cast<const T*>(f.weights) + j * weight_block, weight_block, k_blocks,
                      f.dh + (j * f.B + b) * kBlock, f.B * kBlock, Cell::shape.split);
      if (t > 0)
        for (int64_t v = 0; v < units; ++v) gradients_of_gates(t - 1, j + v);
    }
  }
}

template <class Cell>
static void forward(Precision precision, const Forward& f, Worker& worker) {
  precision == Precision::float32 ? run_forward<Float32, Cell>(f, worker)
                                  : run_forward<BFloat16, Cell>(f, worker);
}

template <class Cell>
static void backward(Precision precision, const Backward& f, Worker& worker) {
  precision == Precision::float32 ? run_backward<Float32, Cell>(f, worker)
                                  : run_backward<BFloat16, Cell>(f, worker);
}

template <class Cell>
constexpr CellKernels cell_kernels{forward<Cell>, backward<Cell>};

}  // namespace rnnlab::RNNLAB_ISA_NAMESPACE
