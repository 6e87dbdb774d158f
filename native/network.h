// The whole language model over the kernels: a training step, a score, a text. Each is one call in
// which one team of threads goes from the token ids to the result.
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

struct Dropouts {
  float input, layer, weight, output;
};

struct StepResult {
  double nats;           // mean over the batch
  double gradient_norm;  // before clipping
};

// Forward, loss, backward through a batch of T x B tokens, and clipping.
class TrainingStep {
 public:
  TrainingStep(How how, NetworkShape shape) : how_(how), shape_(shape) {}

  // ids, targets: (T, B), checked against the vocabulary (std::out_of_range). The state is read
  // and then overwritten by that after the batch. Gradients are overwritten; where their norm
  // exceeds clip_norm > 0 they are scaled to it.
  StepResult run(const NetworkWeights&, const NetworkGradients&, const int64_t* ids,
                 const int64_t* targets, int64_t T, int64_t B, const NetworkState&, Dropouts,
                 uint64_t seed, double clip_norm, int threads);

 private:
  How how_;
  NetworkShape shape_;
  Arena arena_;
};

struct Choice {
  double temperature;  // 0: the likeliest
  int64_t top_k;       // 0: all
  double top_p;
  int64_t forbidden;   // never chosen; -1: none
};

// Reads B sequences with fixed weights, which are packed once.
class Reader {
 public:
  Reader(How, NetworkShape, const NetworkWeights&, int64_t B, int64_t T, bool project_table,
         int threads);

  void set_state(const NetworkState&);
  void get_state(const NetworkState&);

  // Sum of -ln p over (steps, B) targets, the state carried on; steps <= T.
  double score(const int64_t* ids, const int64_t* targets, int64_t steps);

  // Reads ids[0 .. steps - 1] of ids (steps + 1, B), the first of which is given. Wherever known
  // (steps + 1, B) is 0 from ids[1] on, the next token is chosen and written, with uniforms (steps + 1, B) in [0, 1) for the draws. Returns
  // false where logits were NaN.
  bool generate(int64_t* ids, const uint8_t* known, const double* uniforms, int64_t steps,
                const Choice&);

 private:
  void read(int64_t begin, int64_t end, Worker&);

  How how_;
  NetworkShape shape_;
  int64_t B_, T_;
  int threads_;
  Arena arena_;
  std::vector<Layer> layers_;
  std::vector<LayerInput> inputs_;
  float* own_embedding_;
  void* output_weights_;
  float *output_bias_, *nats_, *scratch_, *logits_;
  int32_t *ids_, *targets_;
};

}  // namespace rnnlab
