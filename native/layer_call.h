// One layer over time as a function with a backward, for autograd.
#pragma once

#include <optional>

#include "token_table.h"

namespace rnnlab {

enum class InputKind { floats, token_ids };

class LayerCall {
 public:
  // shape.I: size of the input; with InputKind::token_ids, ids are below it and stand for one-hot
  // rows of that size. resets: (T, B), whether the state before a token is zero; null: never.
  LayerCall(Backend, LayerShape, InputKind, Pass, const bool* resets, int threads);

  // inputs: float (T, B, I), or int64_t ids (T, B). h, c: (B, H). Writes outputs (T, B, H) and the
  // last state. Throws std::out_of_range if an id is not below I.
  void forward(const LayerArrays&, const void* inputs, const float* h, const float* c,
               float* outputs, float* last_h, float* last_c);

  // After forward, for Precision::float32 and Pass::with_backward: see Layer.
  void get_trace(float* gates, float* c);

  // From the gradients of the outputs and of the last state (each may be null) to those of the
  // weights, of float inputs (dx, may be null) and of the initial state.
  void backward(const float* d_outputs, const float* d_h, const float* d_c,
                const LayerArrays&, float* dx, float* d_h0, float* d_c0);

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
