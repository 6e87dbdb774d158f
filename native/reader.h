// A language model that reads, scores and writes: one call takes many time steps.
#pragma once

#include <optional>

#include "network.h"
#include "token_table.h"

namespace rnnlab {

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
  int64_t B_;
  int threads_;
  Arena arena_;
  std::vector<Layer> layers_;
  std::optional<TokenTable> table_;
  std::vector<LayerInput> inputs_;
  float* own_embedding_;
  void* output_weights_;
  float *output_bias_, *nats_, *scratch_, *logits_;
  int32_t *ids_, *targets_;
};

}  // namespace rnnlab
