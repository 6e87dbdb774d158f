// Token ids, and the table that the first layer reads them from: one row W_ih e_v + biases for each
// entry v of the vocabulary, where e_v is its one-hot row or its learned vector.
//
// If the vocabulary is smaller than the batch, it is less work to project each entry once than each
// token. With one-hot input, the table is the weight itself. It is computed in float32.
#pragma once

#include "layer.h"

namespace rnnlab {

// Copies (T, B) ids into rows t * row_batch + b; rows with b >= B become token 0. Throws
// std::out_of_range if an id is not in the vocabulary.
void copy_ids(const int64_t* from, int64_t T, int64_t B, int64_t row_batch, int64_t vocabulary,
              int32_t* to);

// Marks the rows whose id is `start`: before them the state is zero.
void mark_starts(const int32_t* ids, int64_t rows, int64_t start, uint8_t* resets);

class TokenTable {
 public:
  // E: size of a learned vector, 0 for one-hot rows.
  TokenTable(const Kernels&, CellKind, int64_t H, int64_t V, int64_t E, Pass, Arena&);

  LayerInput input(const int32_t* ids) const;

  // embedding: (V, E), or null with one-hot rows. Waits for all workers at its end.
  void project(const LayerArrays&, const float* embedding, Worker&) const;

  // From the gradient of W_ih x + b_ih, with rows in the order of ids. Overwrites the gradient of
  // weight_ih, and adds to that of the embedding (null with one-hot rows).
  void gradient(const Backend&, const Operand& d_gates, const int32_t* ids, int64_t rows,
                float* weight_ih, float* embedding, Worker&) const;

 private:
  Axis gates() const { return {cell_.gates, H_, E_ ? E_ : V_}; }

  const Kernels& kernels_;
  CellShape cell_;
  int64_t H_, V_, E_, columns_;
  Blocked table_, d_table_, d_entries_;
  float* bias_;
  Operand entries_;
  void *weights_ = nullptr, *weights_t_ = nullptr;
};

}  // namespace rnnlab
