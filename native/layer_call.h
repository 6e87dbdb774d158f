// One layer over time as a function of its own, with the backward that belongs to that call: what
// an engine is without the fused step.
#pragma once

#include <optional>

#include "token_table.h"

namespace rnnlab {

class LayerCall {
 public:
  // entries > 0: the input is token ids below it, standing for one-hot rows of that size; then
  // input_size is the same. keep: backward will follow.
  LayerCall(How, CellKind, int64_t T, int64_t B, int64_t H, int64_t input_size, bool ids,
            bool keep, int threads);

  // x: (T, B, I), or ids: (T, B). h, c: (B, H). Writes outputs (T, B, H) and the last state.
  void forward(const LayerWeights&, const float* x, const int64_t* ids, const float* h,
               const float* c, float* outputs, float* last_h, float* last_c);

  // Gradients of the outputs and of the last state (any may be null) in; of the weights, of x
  // (null: not wanted) and of the initial state out.
  void backward(const float* d_outputs, const float* d_h, const float* d_c,
                const LayerGradients&, float* dx, float* d_h0, float* d_c0);

 private:
  How how_;
  int64_t T_, B_, H_, I_;
  bool ids_;
  int threads_;
  Arena arena_;
  Layer layer_;
  std::optional<TokenTable> table_;
  LayerInput input_;
  int32_t* own_ids_ = nullptr;
  float *d_outputs_ = nullptr, *dx_ = nullptr;
};

}  // namespace rnnlab
