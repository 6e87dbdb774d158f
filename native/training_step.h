// A training step of a whole language model: one call, in which one team of threads goes from the
// token ids to the clipped gradients.
#pragma once

#include "arena.h"
#include "network.h"

namespace rnnlab {

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

}  // namespace rnnlab
