// A language model that reads, scores and writes with fixed weights, many time steps in one call.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "mixture.h"
#include "network.h"
#include "token_table.h"

namespace rnnlab {

// How the next token is chosen.
struct Sampling {
  double temperature;  // 0: the most likely token
  int64_t top_k;       // 0: all
  double top_p;
  int64_t forbidden;   // never chosen; -1: none
};

// Reads B sequences, at most T time steps in one call. The weights are packed once. With a mixture,
// its n-gram model reads along, and all probabilities are those of the mixture.
class Reader {
 public:
  // start: the id before which the state is zero and the n-gram model has read nothing; -1: none.
  Reader(Backend, NetworkShape, const NetworkArrays&, int64_t B, int64_t T, int64_t start,
         int threads, std::shared_ptr<const Mixture> mixture = nullptr);

  void reset();  // to a state of zeros, which is also the first one

  // The state between two calls. contexts: (B, order) of the mixture; without one, null.
  void get_state(const NetworkState&, int32_t* contexts);
  void set_state(const NetworkState&, const int32_t* contexts);

  // Writes the logits (steps, B, V) of what follows each of (steps, B) ids; those of a mixture are
  // ln p up to a constant for each token. The state is carried to the next call.
  void predict(const int64_t* ids, int64_t steps, float* logits);

  // Writes -ln p of each of (steps, B) targets; the state is carried to the next call.
  void score(const int64_t* ids, const int64_t* targets, int64_t steps, float* nats);

  // Reads ids except the last row. Chooses and writes the tokens from ids[1] on that are not known,
  // with uniforms in [0, 1) for the draws; all are (steps + 1, B). The state is carried to the
  // next call. Returns false if a logit was NaN or infinite.
  bool generate(int64_t* ids, const bool* known, const double* uniforms, int64_t steps,
                const Sampling&);

 private:
  void read(int64_t begin, int64_t end, Worker&);
  void find_logits(int64_t t, Worker&);
  int32_t* contexts(int64_t row) { return contexts_.data() + row * mixture_->order(); }
  void advance_contexts(int64_t begin, int64_t end, const Worker&);
  void carry_contexts(int64_t steps);
  void mix(int64_t row, const Softmax&, float* logits, int64_t block_step, const Worker&);
  void mix_logits(int64_t t, int64_t b, const Worker&);

  Backend backend_;
  NetworkShape shape_;
  int64_t B_, start_;
  int threads_;
  Arena arena_;
  std::vector<Layer> layers_;
  std::optional<TokenTable> table_;  // if tokens are projected by entry and not one by one
  std::vector<LayerInput> inputs_;
  float* embedding_ = nullptr;  // a copy, if there is no table
  void* output_weights_;
  float *output_bias_, *scratch_;
  Blocked logits_;
  int32_t *ids_, *targets_;
  uint8_t* resets_ = nullptr;  // for each of ids_, if there is a start
  std::shared_ptr<const Mixture> mixture_;  // or null
  std::vector<int32_t> contexts_;           // (T + 1, B, order), before each time step
  std::vector<int32_t> no_context_;         // (order,) at the beginning of a text
  std::vector<double> mixed_;               // (threads, V) zeros
};

}  // namespace rnnlab
