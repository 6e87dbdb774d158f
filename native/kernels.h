// The kernels' interface: every pointer with its shape and its owner.
//
// The same source files are compiled once per instruction set, each time into a table `Kernels`.
// All tables compute the same results in the same layout, so callers need not know which one runs.
//
// Letters: T time steps, B sequences of a batch, H hidden size, G gates of a cell, V vocabulary.
//
// THE BLOCKED LAYOUT. A matrix of R rows and C columns is cut into blocks of 16 columns. The rows
// of a block are stored one after the other:
//
//     element (r, c)  at  [c / 16][r][c % 16]          block j starts at j * stride * 16
//
// C is padded with zeros to whole blocks; `stride` >= R (see row_stride). One row of a block is a
// cache line of floats, so the columns of a weight, the units of a gate and the rows of a batch are
// all read and written as full vectors. In activations, time step t of sequence b is row t * B + b.
//
// A gated axis of G * H entries (the rows of a recurrent weight) interleaves its gates by block:
// entry g * H + u is in block (u / 16) * G + g, lane u % 16. So the gates of the same 16 units are
// next to each other.
//
// OPERANDS of a matrix product are float32 or bfloat16; sums are always float32. If the processor
// multiplies pairs of bfloat16 (vdpbf16ps), an operand that is read along its rows is stored
// `paired`: [c / 16][r / 2][c % 16][r % 2], with an even number of rows. An operand that is read
// along its columns is stored `plain`: [c / 16][r][c % 16], where neighbours already form pairs.
// Otherwise both forms are the same float32 array, rounded to bfloat16 in that precision.
//
// Kernels allocate no memory. All memory belongs to the caller and is aligned to 64 bytes, except
// arrays in torch's layout, which need no alignment.
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

// Rows between the starts of two blocks: an odd multiple of 16, so that the same row of
// neighbouring blocks never falls on the same cache sets.
static inline int64_t row_stride(int64_t rows) {
  const int64_t sixteens = (rows + 15) / 16;
  return 16 * (sixteens + (sixteens % 2 == 0));
}

// A matrix in the blocked layout, in float32.
struct Blocked {
  float* data = nullptr;
  int64_t stride = 0;

  RNNLAB_INLINE Blocked from_row(int64_t row) const { return {data + row * kBlock, stride}; }
};

// An operand in one or both forms. Without pairs of bfloat16, `paired` is `plain` or null.
struct Operand {
  void* plain = nullptr;
  void* paired = nullptr;
  int64_t stride = 0;
};

// One axis of a matrix in torch's layout: entry (g, u) is at (g * size + u) * step.
struct Axis {
  int64_t gates, size, step;
};
static inline int64_t axis_blocks(Axis axis) { return axis.gates * blocks(axis.size); }

struct CellShape {
  int gates;             // G
  int stash;             // arrays of (T * B, H) that backward needs in addition to the states
  bool has_c;            // the cell has a cell state c
  bool separate_inputs;  // the gate gradients of the input and of the state differ (GRU)
};

static constexpr CellShape cell_shape(CellKind cell) {
  switch (cell) {
    case CellKind::lstm: return {4, 5, true, false};   // i, f, g, o, tanh(c)
    case CellKind::gru: return {3, 4, false, true};    // r, z, n, W_hn h + b_hn
    default: return {1, 0, false, false};
  }
}

// One layer forward over time steps.
struct Forward {
  int64_t begin, end, B, H;  // time steps begin .. end - 1; B is even if h.paired is given
  const void* weights;       // paired operand, rows H, columns gated (G, H): packed weight_hh
  Blocked projection;        // columns gated (G, H): W_ih x + biases, in row ids[t * B + b], or
  const int32_t* ids;        //   in row t * B + b if ids is null
  const float* bias_hn;      // GRU: blocked bias of W_hn h, [H / 16][16]; otherwise unused
  Operand h;                 // h_t in rows (t + 1) * B + b, h_(begin - 1) is given; paired or null
  Blocked h32;               // h_t in float32, in rows (t + 1) * h32_step + b. The step is B, or 0
  int64_t h32_step;          //   if only the latest h is kept. In float32 it is h itself.
  float* c;                  // LSTM: c_t at [t + 1][H / 16][B][16]; c_step is 1, or 0 if only the
  int64_t c_step;            //   latest c is kept
  void* stash;               // [t][H / 16][stash arrays][B][16] in the operand's type; null: none
  const uint8_t* resets = nullptr;  // (T * B,): 1 where the state before row t * B + b is zero
  const Range* used = nullptr;      // [H / 16]: outside these blocks of rows, the weights of a block
};                                  //   of units are zero, as in an ensemble; null: all are used

// Backward through one layer, from the arrays that Forward left. Every h and c must have been kept.
struct Backward {
  int64_t T, B, H;
  const void* weights;  // paired operand, rows gated (G, H), columns H: weight_hh transposed
  Blocked h32;          // with step B; not read by the LSTM
  const float* c;
  const void* stash;
  Blocked d_outputs;    // rows t * B + b: dL/dh_t from the layer above, or null
  float* dh;            // [H / 16][B][16]: dL/dh_T in, dL/dh_0 out
  float* dc;            // LSTM: the same for c; otherwise null
  Operand dg;           // rows t * B + b, columns gated (G, H): gradient of W_hh h + b_hh
  Operand dgx;          // GRU: gradient of W_ih x + b_ih. Other cells: null, it is the same as dg.
  const uint8_t* resets = nullptr;  // as in Forward
};

// C = A B + bias. The padding of C is 0, also if A is infinite.
struct Product {
  Operand a;            // rows x K; read plain
  int64_t rows;
  const void* b;        // paired operand, rows K in whole blocks: packed
  int64_t k_blocks;
  Axis columns;         // of C; its step is not used
  const float* bias;    // [axis_blocks(columns)][16] or null
  Blocked c;            // rows x N
};

// C = A^T B, a gradient of weights, in torch's layout.
struct OuterProduct {
  Operand a;            // rows x M; read paired
  Axis m;               // the columns of A; its step is that of the rows of C
  Operand b;            // rows x N; read paired
  int64_t n;
  int64_t rows;         // the sum runs over them; even if the precision has pairs
  float* c;             // (m, n)
};

// What a row of logits x gives, with e = exp(x - largest).
struct Softmax {
  float largest, sum;   // of x; of e
  float x_sum, w_sum;   // of e (x - largest); of e w, with given weights w
};

// Changes the logits of a row, in blocks block_step apart, before the softmax. The logits are not
// differentiated through it.
struct Adjustment {
  void (*function)(void* self, int64_t row, const Softmax&, float* logits, int64_t block_step,
                   const Worker&) = nullptr;
  void* self = nullptr;
  const float* weights = nullptr;  // [V / 16][16]: w of Softmax; 0 in the padding
};

// Output layer, mean cross entropy, and its gradient.
struct Loss {
  int64_t rows, row_batch, batch, V;  // rows t * row_batch + b count only if b < batch
  Operand features;        // rows x H; read plain
  const void* weights;     // paired operand, rows H, columns V
  int64_t k_blocks;
  const float* bias;       // [V / 16][16]; -inf in the padding
  const int32_t* targets;  // (rows,)
  float* nats;             // (rows,): -ln p(target), 0 for a row that does not count
  float scale;             // factor of the gradient, 1 / tokens
  Operand d_logits;        // rows x V, or null: no gradient
  float* scratch;          // [team size][V / 16][kLossRows][16]
  Adjustment adjustment;   // without a function: none
};
constexpr int64_t kLossRows = 8;

struct Dropout {
  float p;        // probability that an element becomes zero; the others are divided by 1 - p
  uint64_t seed;
};

// Element n of the stream of a seed: the output function of SplitMix64 (Steele, Lea and Flood 2014,
// "Fast splittable pseudorandom number generators", figure 16).
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

// All workers of a team call a kernel, and each does its share. A kernel does not wait at its end.
struct Kernels {
  const char* isa;
  bool paired_bfloat16;  // bfloat16 operands are pairs (otherwise rounded float32)

  // torch's layout -> paired operand of `k` rows and `n` columns; stride 0: rows in whole blocks.
  void (*pack)(Precision, const float* src, Axis k, Axis n, void* dst, int64_t stride, Worker&);
  // The inverse, from the blocked layout.
  void (*unpack)(Blocked src, Axis k, Axis n, float* dst, Worker&);
  // (T, B, C) in torch's layout -> rows t * row_batch + b; rows with b >= B become zeros. Writes
  // each form that is not null.
  void (*block)(Precision, const float* src, int64_t T, int64_t B, int64_t row_batch, int64_t C,
                Operand dst, Worker&);
  // The inverse, from the blocked layout.
  void (*unblock)(Blocked src, int64_t T, int64_t B, int64_t row_batch, int64_t C, float* dst,
                  Worker&);
  // Rows of a table (V, C) by id -> operand, with dropout.
  void (*gather)(Precision, const float* table, const int32_t* ids, int64_t rows, int64_t C,
                 Dropout, Operand dst, Worker&);
  // dst [blocks][16] = one, plus `two` in the first `two_gates` gates; `padding` in the padding.
  void (*pack_bias)(const float* one, const float* two, int64_t two_gates, Axis, float padding,
                    float* dst, Worker&);
  // Adds a packed bias to every row.
  void (*add_bias)(Blocked x, int64_t rows, int64_t n_blocks, const float* bias, Worker&);

  void (*product)(Precision, const Product&, Worker&);
  void (*outer_product)(Precision, const OuterProduct&, Worker&);
  const CellKernels* cells[kCells];
  void (*loss)(Precision, const Loss&, Worker&);
  // Of one row of logits, in blocks block_step apart; -inf in the padding.
  Softmax (*softmax)(const float* logits, int64_t block_step, int64_t v_blocks,
                     const float* weights);

  // table[ids[r]] = sum of the rows r of an operand, read paired; the table has `entries` rows.
  void (*scatter)(Precision, Operand src, const int32_t* ids, int64_t rows, int64_t n_blocks,
                  int64_t entries, Blocked table, Worker&);
  // The same for float32, added to a table (entries, C) in torch's layout.
  void (*scatter_rows)(Blocked src, const int32_t* ids, int64_t rows, int64_t C, float* table,
                       Worker&);
  // Sums of an operand over its rows, read paired, in torch's order.
  void (*column_sums)(Precision, Operand src, int64_t rows, Axis, float* dst, Worker&);

  // Dropout of an operand, read plain.
  void (*drop)(Precision, Operand src, int64_t rows, int64_t n_blocks, Dropout, Operand dst,
               Worker&);
  // The gradient of `drop` or `gather`, in place.
  void (*drop_gradient)(Blocked x, int64_t rows, int64_t n_blocks, Dropout, Worker&);
  // Dropout of a weight of n elements; dst may be src.
  void (*drop_weights)(const float* src, float* dst, int64_t n, Dropout, Worker&);
  // Sums of squares of chunks of kNormChunk elements, which do not depend on the team's size.
  void (*square_sums)(const float* x, int64_t n, double* chunks, Worker&);

  // Runs `steps` rounds of 12 independent multiply-adds on vectors; returns the number of
  // floating-point operations.
  double (*bare_multiply_adds)(Precision, int64_t steps);
};
constexpr int64_t kNormChunk = 16384;

}  // namespace rnnlab
