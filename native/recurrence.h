// A layer over time, for any cell: which worker computes what, the product with the recurrent
// weights, the loops over rows and units. lstm.cc, gru.cc and rnn.cc have the arithmetic of a cell.
//
// Workers share a layer in one of two ways. By sequences: each runs all T time steps of its rows of
// the batch and never waits. By units: each computes some units of all rows, and all wait for each
// other once a time step; the weights that one worker reads then fit into its own cache.
#pragma once

#include <string.h>

#include "activation.h"
#include "matrix.h"

namespace rnnlab::RNNLAB_ISA_NAMESPACE {

struct Shares {
  bool by_units;
  Range rows, units;  // units in blocks
};

static RNNLAB_INLINE Shares shares(const Worker& worker, int64_t B, int64_t unit_blocks,
                                   int64_t row_step) {
  // A worker with few rows would read all weights for little arithmetic. A worker with few units
  // would lose more time by waiting than it gains by reading fewer weights.
  const bool by_units = worker.count > 1 && unit_blocks >= worker.count &&
                        (B < 12 * worker.count || unit_blocks >= 4 * worker.count);
  if (by_units) return {true, {0, B}, worker.share(unit_blocks)};
  return {false, worker.share(B, row_step), {0, unit_blocks}};
}

// What a cell's forward reads and writes for one row and W units. A cell computes in two halves,
// gates() and output(). Each runs for all rows of a tile before the next, because a processor
// overlaps the dependent operations of different rows only if they are close together.
template <class P>
struct ForwardSite {
  float* sums;           // W_h h, gate g at sums + g * 16; gates() may pass values to output() here
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
  RNNLAB_INLINE void set_sum(int gate, F value) const { store(sums + gate * kBlock, value); }
  RNNLAB_INLINE void keep(int array, F value) const {
    if (stash) store_plain<P>(stash + array * stash_array, value);
  }
};

// The same for a cell's backward. dh is the complete dL/dh_t.
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
  F g[Cell::shape.gates];   // of W_hh h + b_hh
  F gx[Cell::shape.gates];  // of W_ih x + b_ih, if the cell has separate_inputs
  F direct;                 // the part of dL/dh_(t-1) that does not pass through W_hh
};

// The state before a row that begins anew.
alignas(64) static constexpr float kZeroState[kBlock] = {};

// Sets those of n rows of 16 * row_blocks floats to zero that begin anew.
static RNNLAB_INLINE void clear_resets(const uint8_t* resets, int64_t n, float* rows, int64_t step,
                                       int64_t row_blocks) {
  for (int64_t i = 0; i < n; ++i)
    if (resets[i]) memset(rows + i * step, 0, row_blocks * kBlock * sizeof(float));
}

// The buffer of a tile's gate sums: rows of G blocks for each of its unit blocks.
template <class Cell>
struct GateTile {
  static constexpr int G = Cell::shape.gates;
  static constexpr int unit_blocks = G == 1 ? kMaxBlocks : 1;
  static constexpr int panel = G * unit_blocks < kMaxBlocks ? G * unit_blocks : kMaxBlocks;
  static constexpr int row = G * unit_blocks * kBlock;
};

// The site of row r and the first units of block j at time step t; later rows follow, 16 elements
// each. Prefetches n rows of it, which arrive while the product is computed.
template <class P, class Cell>
static RNNLAB_INLINE ForwardSite<P> forward_site(const Forward& f, int64_t t, int64_t r, int64_t j,
                                                 int64_t n, float* sums) {
  using T = typename P::T;
  constexpr int G = Cell::shape.gates, stashed = Cell::shape.stash;
  const int64_t unit_blocks = blocks(f.H), row = t * f.B + r;
  T* stash = static_cast<T*>(f.stash);
  ForwardSite<P> site;
  site.sums = sums;
  site.x = f.projection.data + at(j * G, f.ids ? 0 : row, f.projection.stride);
  site.x_gate = f.projection.stride * kBlock;
  site.bias_hn = f.bias_hn + j * kBlock;
  site.h_before = f.h32.data + at(j, t * f.h32_step + r, f.h32.stride);
  site.c_before = f.c + at(t * f.c_step * unit_blocks + j, r, f.B);
  site.c = f.c + at((t + 1) * f.c_step * unit_blocks + j, r, f.B);
  site.stash = stash ? stash + ((t * unit_blocks + j) * stashed * f.B + r) * kBlock : nullptr;
  site.stash_array = f.B * kBlock;
  for (int64_t i = 0; i < n; ++i) {
    for (int g = 0; g < G; ++g)
      fetch(site.x + g * site.x_gate + (f.ids ? f.ids[row + i] : i) * kBlock);
    if (f.c) fetch(site.c_before + i * kBlock), fetch_to_write(site.c + i * kBlock);
    if (P::pair == 2 && i % 2 == 1) continue;  // two rows share a line
    for (int a = 0; stash && a < stashed; ++a)
      fetch_to_write(site.stash + a * site.stash_array + i * kBlock);
    const int64_t place = at(j, row + f.B + i, f.h.stride);
    fetch_to_write(static_cast<T*>(f.h.plain) + place);
    if (P::pair == 2 && f.h.paired) fetch_to_write(static_cast<T*>(f.h.paired) + place);
  }
  return site;
}

// W_hh h for n rows from r on and all gates of the unit blocks u .. u + units - 1, into a tile.
template <class P, class Cell>
static RNNLAB_INLINE void gate_sums(const Forward& f, int64_t t, int64_t r, int64_t n, int64_t u,
                                    int64_t units, float* tile) {
  using T = typename P::T;
  using Tile = GateTile<Cell>;
  const int64_t weight_block = blocks(f.H) * kBlock * kBlock;
  Range used{0, blocks(f.H)};
  if (f.used) {
    used = f.used[u];
    for (int64_t v = 1; v < units; ++v) used = covering(used, f.used[u + v]);
  }
  const int64_t k_blocks = used.end - used.begin;
  const T* weights = static_cast<const T*>(f.weights) + u * Tile::G * weight_block +
                     used.begin * kBlock * kBlock;
  const T* h =
      static_cast<const T*>(f.h.plain) + at(used.begin, t * f.B + r, f.h.stride);
  int64_t done = 0;
  for (; done + Tile::panel <= units * Tile::G; done += Tile::panel)
    tile_of_rows<P, Tile::panel>(n, h, f.h.stride * kBlock, weights + done * weight_block,
                                 weight_block, k_blocks, tile + done * kBlock, Tile::row, kBlock,
                                 Update::overwrite);
  for (; done < units * Tile::G; ++done)
    tile_of_rows<P, 1>(n, h, f.h.stride * kBlock, weights + done * weight_block, weight_block,
                       k_blocks, tile + done * kBlock, Tile::row, kBlock, Update::overwrite);
}

// Applies the cell to n rows of block j from r on, whose gate sums are complete.
template <class P, class Cell>
static RNNLAB_INLINE void apply_cell(const Forward& f, const ForwardSite<P>& first, int64_t t,
                                     int64_t r, int64_t j, int64_t n) {
  using T = typename P::T;
  T* plain = static_cast<T*>(f.h.plain);
  T* paired = static_cast<T*>(f.h.paired);
  const int64_t row = t * f.B + r, place = at(j, row + f.B, f.h.stride);
  float* h32 = f.h32.data + at(j, (t + 1) * f.h32_step + r, f.h32.stride);
  const auto site_of = [&](int64_t i, int part) {
    const int64_t moved = i * kBlock + part * W;
    ForwardSite<P> site = first;
    site.sums += i * GateTile<Cell>::row + part * W;
    site.x += f.ids ? f.ids[row + i] * kBlock + part * W : moved;
    site.bias_hn += part * W;
    site.h_before += moved, site.c_before += moved, site.c += moved;
    if (site.stash) site.stash += moved;
    if (f.resets && f.resets[row + i]) site.h_before = site.c_before = kZeroState;
    return site;
  };
  for (int64_t i = 0; i < n; ++i)
    for (int part = 0; part < kParts; ++part) Cell::gates(site_of(i, part));
  for (int64_t i = 0; i < n; i += 2)
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

template <class P, class Cell>
static void run_forward(const Forward& f, Worker& worker) {
  using Tile = GateTile<Cell>;
  const Shares mine = shares(worker, f.B, blocks(f.H), P::pair == 2 && f.h.paired ? 2 : 1);
  const int64_t rows = mine.rows.end - mine.rows.begin;
  const int64_t step = rows > 0 ? tile_rows(rows, Tile::panel) : 1;
  alignas(64) float tile[8 * Tile::row];
  ForwardSite<P> sites[Tile::unit_blocks];

  for (int64_t t = f.begin; t < f.end; ++t) {
    for (int64_t u = mine.units.begin; u < mine.units.end; u += Tile::unit_blocks) {
      const int64_t left = mine.units.end - u;
      const int64_t units = left < Tile::unit_blocks ? left : Tile::unit_blocks;
      for (int64_t r = mine.rows.begin; r < mine.rows.end; r += step) {
        const int64_t n = step < mine.rows.end - r ? step : mine.rows.end - r;
        for (int64_t v = 0; v < units; ++v)
          sites[v] = forward_site<P, Cell>(f, t, r, u + v, n, tile + v * Tile::G * kBlock);
        gate_sums<P, Cell>(f, t, r, n, u, units, tile);
        for (int g = 0; g < Tile::G; ++g)
          clear_padding(tile + ((units - 1) * Tile::G + g) * kBlock, n, Tile::row,
                        lanes_of(f.H, u + units - 1));
        if (f.resets)
          clear_resets(f.resets + t * f.B + r, n, tile, Tile::row, Tile::row / kBlock);
        for (int64_t v = 0; v < units; ++v) apply_cell<P, Cell>(f, sites[v], t, r, u + v, n);
      }
    }
    if (mine.by_units) worker.wait();
  }
}

// The gate gradients of time step t for block j and some rows, from dL/dh_t.
template <class P, class Cell>
static void gate_gradients(const Backward& f, Range range, int64_t t, int64_t j) {
  using T = typename P::T;
  constexpr int G = Cell::shape.gates;
  constexpr bool separate = Cell::shape.separate_inputs;
  const int64_t b = range.begin, rows = range.end - b, row = t * f.B + b, unit_blocks = blocks(f.H);
  T *plain = static_cast<T*>(f.dg.plain), *paired = static_cast<T*>(f.dg.paired);
  T *plain_x = static_cast<T*>(f.dgx.plain), *paired_x = static_cast<T*>(f.dgx.paired);
  float* dh = f.dh + at(j, b, f.B);
  const float* d_outputs =
      f.d_outputs.data ? f.d_outputs.data + at(j, row, f.d_outputs.stride) : nullptr;
  BackwardSite<P> first;
  first.h_before = f.h32.data + at(j, row, f.h32.stride);
  first.h = first.h_before + f.B * kBlock;
  first.c_before = f.c + at(t * unit_blocks + j, b, f.B);
  first.dc = f.dc + at(j, b, f.B);
  first.stash = static_cast<const T*>(f.stash) +
                ((t * unit_blocks + j) * Cell::shape.stash * f.B + b) * kBlock;
  first.stash_array = f.B * kBlock;
  const int64_t place = at(j * G, row, f.dg.stride), gate = f.dg.stride * kBlock;
  for (int64_t i = 0; i < rows; i += 2)
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
        const bool resets = f.resets && f.resets[row + i + odd];
        if (resets) site.h_before = site.c_before = kZeroState;
        Cell::backward(site, gradients[odd]);
        if (resets && f.dc) store(site.dc, F{});
        if constexpr (separate) store(dh + moved, gradients[odd].direct);
        for (int g = 0; g < G; ++g) {
          store_plain<P>(plain + place + g * gate + moved, gradients[odd].g[g]);
          if constexpr (separate)
            store_plain<P>(plain_x + place + g * gate + moved, gradients[odd].gx[g]);
        }
      }
      if constexpr (P::pair == 2)
        for (int g = 0; g < G; ++g) {
          const int64_t there = place + g * gate + i * kBlock + part_of_pair<P>(part);
          store_pair<P>(paired + there, gradients[0].g[g], gradients[1].g[g]);
          if constexpr (separate)
            store_pair<P>(paired_x + there, gradients[0].gx[g], gradients[1].gx[g]);
        }
    }
}

// Prefetches what gate_gradients will read and write.
template <class P, class Cell>
static RNNLAB_INLINE void prefetch_backward(const Backward& f, Range range, int64_t t, int64_t j) {
  using T = typename P::T;
  constexpr int G = Cell::shape.gates;
  const int64_t unit_blocks = blocks(f.H);
  for (int64_t b = range.begin; b < range.end; ++b) {
    const int64_t row = t * f.B + b;
    if (f.c) fetch(f.c + at(t * unit_blocks + j, b, f.B));
    if (!f.c) fetch(f.h32.data + at(j, row, f.h32.stride));
    if (f.d_outputs.data) fetch(f.d_outputs.data + at(j, row, f.d_outputs.stride));
    if (P::pair == 2 && (b - range.begin) % 2 == 1) continue;  // two rows share a line
    for (int a = 0; a < Cell::shape.stash; ++a)
      fetch(static_cast<const T*>(f.stash) +
            at((t * unit_blocks + j) * Cell::shape.stash + a, b, f.B));
    if constexpr (P::pair == 2)
      for (int g = 0; g < G; ++g)
        fetch_to_write(static_cast<T*>(f.dg.paired) + at(j * G + g, row, f.dg.stride));
  }
}

template <class P, class Cell>
static void run_backward(const Backward& f, Worker& worker) {
  using T = typename P::T;
  const int64_t unit_blocks = blocks(f.H), k_blocks = Cell::shape.gates * unit_blocks;
  const int64_t weight_block = k_blocks * kBlock * kBlock;
  const Shares mine = shares(worker, f.B, unit_blocks, P::pair);
  const int64_t b = mine.rows.begin, rows = mine.rows.end - b;

  for (int64_t j = mine.units.begin; j < mine.units.end; ++j)
    gate_gradients<P, Cell>(f, mine.rows, f.T - 1, j);
  for (int64_t t = f.T - 1; t >= 0; --t) {
    if (mine.by_units) worker.wait();
    for (int64_t j = mine.units.begin; j < mine.units.end; j += kWideRowsBlocks) {
      const int64_t left = mine.units.end - j;
      const int64_t units = left < kWideRowsBlocks ? left : kWideRowsBlocks;
      if (t > 0)
        for (int64_t v = 0; v < units; ++v) prefetch_backward<P, Cell>(f, mine.rows, t - 1, j + v);
      rows_product<P>(units, rows, static_cast<const T*>(f.dg.plain) + (t * f.B + b) * kBlock,
                      f.dg.stride * kBlock, static_cast<const T*>(f.weights) + j * weight_block,
                      weight_block, k_blocks, f.dh + at(j, b, f.B), f.B * kBlock,
                      Cell::shape.separate_inputs ? Update::add : Update::overwrite);
      clear_padding(f.dh + at(j + units - 1, b, f.B), rows, kBlock, lanes_of(f.H, j + units - 1));
      for (int64_t v = 0; f.resets && v < units; ++v)
        clear_resets(f.resets + t * f.B + b, rows, f.dh + at(j + v, b, f.B), kBlock, 1);
      if (t > 0)
        for (int64_t v = 0; v < units; ++v) gate_gradients<P, Cell>(f, mine.rows, t - 1, j + v);
    }
  }
}

template <class Cell>
constexpr CellKernels cell_kernels{
    ByPrecision<run_forward<Float32, Cell>, run_forward<BFloat16, Cell>>::run,
    ByPrecision<run_backward<Float32, Cell>, run_backward<BFloat16, Cell>>::run};

}  // namespace rnnlab::RNNLAB_ISA_NAMESPACE
