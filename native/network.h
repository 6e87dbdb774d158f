// The sizes and arrays of a language model, as training_step.h and reader.h take them.
#pragma once

#include <vector>

#include "layer.h"

namespace rnnlab {

struct NetworkShape {
  CellKind cell;
  int64_t layers, hidden, vocabulary;
  int64_t embedding;  // size of a token's vector; 0: tokens enter as one-hot rows

  int64_t input_size(int64_t layer) const {
    return layer ? hidden : embedding ? embedding : vocabulary;
  }
  bool operator==(const NetworkShape& other) const {
    return cell == other.cell && layers == other.layers && hidden == other.hidden &&
           vocabulary == other.vocabulary && embedding == other.embedding;
  }
};

// The parameters of a model, or their gradients, in torch's layout; the caller owns the memory.
struct NetworkArrays {
  float* embedding;  // (V, E) or null. Tied weights: its gradient is that of output_weight, which
                     // receives the sum of both.
  std::vector<LayerArrays> layers;
  float *output_weight, *output_bias;  // (V, H), (V,)
};

// (B, H) for each layer; c is null for cells without a cell state.
struct NetworkState {
  std::vector<float*> h, c;
};

}  // namespace rnnlab
