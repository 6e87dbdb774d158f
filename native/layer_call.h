// One layer over time as a function with a backward, for autograd.
#pragma once

#include <optional>

#include "token_table.h"

namespace rnnlab {

enum class InputKind { floats, token_ids };

class LayerCall {
 public:
  // shape.I: size of the input; with InputKind::token_ids, ids are below it and stand for one-hot
  // rows of that size.
  LayerCall(Backend, LayerShape, InputKind, Pass, int threads);

  // x: (T, B, I), or ids: (T, B); the other is null. h, c: (B, H). Writes outputs (T, B, H) and the
  // last state. Throws std::out_of_range if an id is not below I.
  void forward(const LayerWeights&, const float* x, const int64_t* ids, const float* h,
               const float* c, float* outputs, float* last_h, float* last_c);

  // Reads the gradients of the outputs and of the last state (each may be null). Writes those of the
  // weights, of x (unless dx is null) and of the initial state.
  void backward(const float* d_outputs, const float* d_h, const float* d_c,
                const LayerGradients&, float* dx, float* d_h0, float* d_c0);

 private:
  Backend backend_;
  LayerShape shape_;
  int threads_;
  Arena arena_;
  Layer layer_;
  std::optional<TokenTable> table_;
  LayerInput input_;
  int32_t* ids_ = nullptr;
  Blocked d_outputs_, dx_;
};

}  // namespace rnnlab
