// A training step of a whole language model: one call from the token ids to the clipped gradients.
#pragma once

#include "arena.h"
#include "network.h"

namespace rnnlab {

struct Batch {
  const int64_t *ids, *targets;  // (T, B)
  int64_t T, B;
  int64_t start;                 // the id before which the state is zero; -1: none
};

// Probabilities that an element is dropped.
struct Dropouts {
  float input, layer, weight, output;
};

struct StepOptions {
  Dropouts dropouts;
  uint64_t seed;     // of the dropout masks
  double clip_norm;  // largest norm of all gradients together; 0: no clipping
  int threads;
};

struct StepResult {
  double nats;           // mean over the batch
  double gradient_norm;  // before clipping
};

class TrainingStep {
 public:
  TrainingStep(Backend backend, NetworkShape shape) : backend_(backend), shape_(shape) {}

  // Forward, loss, backward, clipping. Overwrites the gradients; the state becomes that after the
  // batch. Throws std::out_of_range if an id is not in the vocabulary.
  StepResult run(const NetworkArrays&, const NetworkArrays&, Batch, const NetworkState&,
                 StepOptions);

 private:
  Backend backend_;
  NetworkShape shape_;
  Arena arena_;
};

}  // namespace rnnlab
