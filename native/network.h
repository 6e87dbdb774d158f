// The sizes and arrays of a language model, as training_step.h and reader.h take them.
#pragma once

#include <vector>

#include "layer.h"

namespace rnnlab {

struct NetworkShape {
  CellKind cell;
  int64_t layers, hidden, vocabulary;
  int64_t embedding;  // size of a token's vector; 0: tokens enter as one-hot rows

  bool operator==(const NetworkShape& other) const {
    return cell == other.cell && layers == other.layers && hidden == other.hidden &&
           vocabulary == other.vocabulary && embedding == other.embedding;
  }
};

// All in torch's layout, owned by the caller.
struct NetworkWeights {
  const float* embedding;  // (V, E) or null
  std::vector<LayerWeights> layers;
  const float* output_weight;  // (V, H)
  const float* output_bias;    // (V,)
};
struct NetworkGradients {
  float* embedding;  // with tied weights it is output_weight, which then receives the sum of both
  std::vector<LayerGradients> layers;
  float *output_weight, *output_bias;
};

// (B, H) for each layer; c is null for cells without a cell state.
struct NetworkState {
  std::vector<float*> h, c;
};

}  // namespace rnnlab
