// What a kernel takes: every pointer with its shape and its owner.
//
// One source is compiled once per instruction set; each gives one table of `Kernels`. All of them
// compute the same, in one layout, so that nothing outside needs to know which one runs.
//
// Letters: T time steps, B sequences side by side, H hidden size, G gates of a cell, V vocabulary.
//
// THE BLOCKED LAYOUT. A matrix of R rows and C columns is cut into blocks of 16 columns, and the
// rows of a block lie one after the other:
//
//     element (r, c)  at  [c / 16][r][c % 16]          block j starts at j * stride * 16
//
// C is padded to whole blocks with zeros; `stride` >= R (see row_stride). One row of a block is a
// cache line of floats, so that all of these are streams of full vectors: the columns of a weight,
// the units that one gate computes, the rows of a batch. Activations have the row t * B + b.
//
// A gated axis of G * H entries (the rows of a recurrent weight) interleaves its gates by block:
// entry g * H + u lies in block (u / 16) * G + g, lane u % 16, so that the gates of the same 16
// units are neighbours.
//
// OPERANDS of a matrix product are float32 or bfloat16 (sums are always float32). Where the
// processor multiplies pairs of bfloat16 (vdpbf16ps), an operand that is walked along its rows is
// stored `paired`: [c / 16][r / 2][c % 16][r % 2], rows padded to an even number. Walked along its
// columns it is `plain`: [c / 16][r][c % 16], where neighbours are pairs already. Otherwise both
// are the blocked layout in float32, rounded to bfloat16 values where that precision is asked for,
// and a `paired` copy is not needed: pass null.
//
// No kernel owns or keeps memory: all of it belongs to the caller and is aligned to 64 bytes,
// but for arrays in torch's layout, which need no alignment.
#pragma once

#include <stdint.h>

#include "team.h"

namespace rnnlab {

enum class Precision { float32 = 0, bfloat16 = 1 };
enum class CellKind { rnn = 0, rnn_relu = 1, gru = 2, lstm = 3 };
constexpr int kCells = 4;
constexpr int64_t kBlock = 16;  // columns of a block

static inline int64_t blocks(int64_t columns) { return (columns + kBlock - 1) / kBlock; }
static inline int64_t even(int64_t rows) { return rows + rows % 2; }

// Rows between blocks: an odd multiple of 16, so that the same row of neighbouring blocks never
// falls on the same sets of a cache.
static inline int64_t row_stride(int64_t rows) {
  const int64_t sixteens = (rows + 15) / 16;
  return 16 * (sixteens + (sixteens % 2 == 0));
}

// One axis of a matrix in torch's layout: entry (g, u) lies at (g * size + u) * step.
struct Axis {
  int64_t gates, size, step;
};
static inline int64_t axis_blocks(Axis axis) { return axis.gates * blocks(axis.size); }

struct CellShape {
  int gates;    // G
  int stash;    // arrays of (T * B, H) that backward needs besides the states
  bool cell;    // has a cell state c
  bool split;   // the input's gate gradients differ from the state's (GRU)
};

static constexpr CellShape cell_shape(CellKind cell) {
  switch (cell) {
    case CellKind::lstm: return {4, 5, true, false};   // i, f, g, o, tanh(c)
    case CellKind::gru: return {3, 4, false, true};    // r, z, n, W_hn h + b_hn
    default: return {1, 0, false, false};
  }
}

// One layer forward over time steps. Rows of a batch must be even in number where h_paired is given.
struct Forward {
  int64_t begin, end, B, H;    // time steps begin .. end - 1
  const void* weights;         // paired operand, rows H, columns gated (G, H): packed weight_hh
  const float* projection;     // blocked, columns gated (G, H): W_ih x + biases ...
  int64_t projection_stride;
  const int32_t* ids;          // ... of row ids[t * B + b], or where null, of row t * B + b
  const float* bias_hn;        // GRU: blocked bias of W_hn h, [H / 16][16]; otherwise unused
  void* h;                     // plain operand, rows (t + 1) * B + b; those of h_(begin - 1) are
  void* h_paired;              //   given, the others written. The same, paired, or null.
  int64_t h_stride;
  float* h32;                  // h in float32, rows (t + 1) * h32_step + b, likewise. With
  int64_t h32_step;            //   h32_step = 0 only the latest h is kept. float32: h itself,
  int64_t h32_stride;          //   and h32_step = B.
  float* c;                    // LSTM: c, [t][H / 16][B][16] with that after step t at t + 1;
  int64_t c_step;              //   c_step 1, or 0 where only the latest is kept
  void* stash;                 // [t][H / 16][stash arrays][B][16] in the precision of an operand,
                               //   or null: no backward follows
};

// Backward through one layer; the arrays of Forward as it left them.
struct Backward {
  int64_t T, B, H;
  const void* weights;         // paired operand, rows gated (G, H), columns H: weight_hh transposed
  const float* h32;            // step is B: every h and c must have been kept (LSTM: h32 is not read)
  int64_t h32_stride;
  const float* c;
  const void* stash;
  const float* d_outputs;      // blocked, rows t * B + b: dL/dh_t from above, or null
  int64_t d_outputs_stride;
  float* dh;                   // blocked [H / 16][B][16]: dL/dh_T in, dL/dh_0 out; stride B
  float* dc;                   // LSTM: likewise, or null
  void* dg;                    // plain and paired operands, rows t * B + b, columns gated (G, H):
  void* dg_paired;             //   gradient of W_hh h + b_hh
  void* dgx;                   // GRU: gradient of W_ih x + b_ih; otherwise it is dg, pass null
  void* dgx_paired;
  int64_t dg_stride;
};

// C = A B + bias, with C blocked in float32.
struct Product {
  const void* a;               // plain operand, rows x K
  int64_t a_stride, rows;
  const void* b;               // paired operand, rows K in whole blocks: packed
  int64_t k_blocks, n_blocks;
  const float* bias;           // [n_blocks][16] or null
  float* c;                    // blocked, rows x N
  int64_t c_stride;
};

// C = A^T B, a gradient of weights, in torch's layout.
struct OuterProduct {
  const void* a;               // paired operand, rows x M
  int64_t a_stride;
  Axis m;                      // its columns; step is that of rows of C
  const void* b;               // paired operand, rows x N
  int64_t b_stride, n;
  int64_t rows;                // summed over; even
  float* c;                    // (m, n)
};

// Mean cross entropy of the output layer, and its gradient.
struct Loss {
  int64_t rows, row_batch, batch, V;  // rows t * row_batch + b count only for b < batch
  const void* features;        // plain operand, rows x H
  int64_t features_stride;
  const void* weights;         // paired operand, rows H, columns V
  int64_t k_blocks;
  const float* bias;           // [V / 16][16]; -inf in the padding
  const int32_t* targets;      // (rows,)
  float* nats;                 // (rows,): -ln p(target), 0 where a row does not count
  float scale;                 // the gradient's factor, 1 / tokens
  void* d_logits;              // plain and paired operands, rows x V, or both null: no gradient
  void* d_logits_paired;
  int64_t d_stride;
  float* scratch;              // [team size][V / 16][kLossRows][16]
};
constexpr int64_t kLossRows = 8;

struct Dropout {
  float p;                     // probability of a zero; the others are divided by 1 - p
  uint64_t seed;
};

// The output function of SplitMix64 (Steele, Lea and Flood 2014, "Fast splittable pseudorandom number
// generators", figure 16): element n of the stream of a seed.
static RNNLAB_INLINE uint64_t random_bits(uint64_t seed, uint64_t n) {
  uint64_t z = seed + (n + 1) * 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

// A cell over time.
struct CellKernels {
  void (*forward)(Precision, const Forward&, Worker&);
  void (*backward)(Precision, const Backward&, Worker&);
};

// Every member runs on all workers of a team, each of which does its share; no member waits for
// the others at its end, but forward and backward wait where workers share sequences.
struct Kernels {
  const char* isa;
  bool paired_bfloat16;        // bfloat16 operands are pairs (otherwise rounded float32)

  // torch's layout -> paired operand of `k` rows and `n` columns; stride 0: rows in whole blocks.
  void (*pack)(Precision, const float* src, Axis k, Axis n, void* dst, int64_t stride, Worker&);
  // The inverse, from blocked float32.
  void (*unpack)(const float* src, int64_t stride, Axis k, Axis n, float* dst, Worker&);
  // (T, B, C) in torch's layout -> operands with rows t * row_batch + b; either may be null.
  void (*block)(Precision, const float* src, int64_t T, int64_t B, int64_t row_batch, int64_t C,
                void* plain, void* paired, int64_t stride, Worker&);
  // Blocked float32 -> (T, B, C).
  void (*unblock)(const float* src, int64_t stride, int64_t T, int64_t B, int64_t row_batch,
                  int64_t C, float* dst, Worker&);
  // Rows of a table (V, C) by id -> operands, with dropout.
  void (*gather)(Precision, const float* table, const int32_t* ids, int64_t rows, int64_t C,
                 Dropout, void* plain, void* paired, int64_t stride, Worker&);
  // [blocks][16] = one + two (two: null or, for the last gate, left out where skip_last).
  void (*pack_bias)(const float* one, const float* two, Axis, bool skip_last, float padding,
                    float* dst, Worker&);
  // Adds a packed bias to every row.
  void (*add_bias)(float* x, int64_t stride, int64_t rows, int64_t n_blocks, const float* bias,
                   Worker&);

  void (*product)(Precision, const Product&, Worker&);
  void (*outer_product)(Precision, const OuterProduct&, Worker&);
  const CellKernels* cells[kCells];
  void (*loss)(Precision, const Loss&, Worker&);

  // Blocked float32 table of `entries` rows: table[ids[r]] = sum of the operand's rows r.
  void (*scatter)(Precision, const void* paired, int64_t stride, const int32_t* ids, int64_t rows,
                  int64_t n_blocks, int64_t entries, float* table, int64_t table_stride, Worker&);
  // The same from blocked float32, into a table (entries, C) in torch's layout, added to.
  void (*scatter_rows)(const float* src, int64_t stride, const int32_t* ids, int64_t rows,
                       int64_t C, float* table, Worker&);
  // Sums over rows, in torch's order.
  void (*column_sums)(Precision, const void* paired, int64_t stride, int64_t rows, Axis,
                      float* dst, Worker&);

  // dst = src with dropout; operands -> operands (rows x C).
  void (*drop)(Precision, const void* plain_in, int64_t in_stride, int64_t rows, int64_t n_blocks,
               Dropout, void* plain, void* paired, int64_t stride, Worker&);
  // The gradient through the same mask, blocked float32, in place.
  void (*drop_gradient)(float* x, int64_t stride, int64_t rows, int64_t n_blocks, Dropout,
                        Worker&);
  // dst = src with dropout, n floats in a row.
  void (*drop_weights)(const float* src, float* dst, int64_t n, Dropout, Worker&);

  // Sums of squares of chunks of kNormChunk floats: chunks[i].
  void (*square_sums)(const float* x, int64_t n, double* chunks, Worker&);

  // Runs `steps` times 16 independent multiply-adds of the matrix kernels; returns FLOP done.
  double (*bare_multiply_adds)(Precision, int64_t steps);
};
constexpr int64_t kNormChunk = 16384;

// The tables that this build holds and this processor runs, the fastest first.
const Kernels* const* available_kernels(int* count);

}  // namespace rnnlab
