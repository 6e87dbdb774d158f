// What the first layer reads where tokens come as ids: one row W_ih e_v + biases for each entry v of
// the vocabulary, e_v being its one-hot row or its learned vector. Where there are fewer entries than
// tokens it is less work to project every entry once than every token; with one-hot input the
// projection is the weight itself. It is small, and computed in float32.
#pragma once

#include "layer.h"

namespace rnnlab {

class TokenTable {
 public:
  // E: size of a learned vector, 0: one-hot rows. keep: a gradient will be asked for.
  TokenTable(const Kernels&, CellKind, int64_t H, int64_t V, int64_t E, bool keep, Arena&);

  LayerInput input(const int32_t* ids) const;

  // embedding: (V, E), or null with one-hot rows. Ends with the workers together.
  void project(const LayerWeights&, const float* embedding, Worker&) const;

  // From the gradient of W_ih x + b_ih, rows in the order of ids: overwrites that of weight_ih, and
  // adds to that of the embedding (null with one-hot rows).
  void gradient(const How&, const Operand& d_gates, const int32_t* ids, int64_t rows,
                float* weight_ih, float* embedding, Worker&) const;

 private:
  const Kernels& kernels_;
  CellShape shape_;
  int64_t H_, V_, E_, columns_, stride_;
  float *table_, *bias_, *d_table_ = nullptr, *d_entries_ = nullptr;
  Operand entries_;
  void *weights_ = nullptr, *weights_t_ = nullptr;
};

}  // namespace rnnlab
