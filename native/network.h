// A language model's sizes and arrays, as training_step.h and reader.h take them.
#pragma once

#include <vector>

#include "layer.h"

namespace rnnlab {

struct NetworkShape {
  CellKind cell;
  int64_t layers, hidden, vocabulary;
  int64_t embedding;  // size of a token's vector; 0: tokens enter as one-hot rows
};

// All in torch's layout, owned by the caller.
struct NetworkWeights {
  const float* embedding;  // (V, E) or null
  std::vector<LayerWeights> layers;
  const float* output_weight;  // (V, H)
  const float* output_bias;    // (V,)
};
struct NetworkGradients {
  float* embedding;  // may be output_weight too (tied weights): then it holds the sum of both
  std::vector<LayerGradients> layers;
  float *output_weight, *output_bias;
};

// (B, H) each, one a layer; c is null but for the LSTM.
struct NetworkState {
  std::vector<float*> h, c;
};

}  // namespace rnnlab
