#include "layer_call.h"

namespace rnnlab {
LayerCall::LayerCall(Backend backend, LayerShape shape, InputKind input, Pass pass,
                     const bool* resets, int threads)
    : backend_(backend), shape_(shape), threads_(threads),
      layer_(backend,
             {shape.cell, shape.T, shape.B, shape.H, input == InputKind::floats ? shape.I : 0},
             pass, Outputs::float32_too, resets != nullptr, arena_) {
  const int64_t rows = layer_.rows();
  const bool keep = pass == Pass::with_backward;
  if (input == InputKind::token_ids) {
    ids_ = arena_.take<int32_t>(rows);
    table_.emplace(*backend.kernels, shape.cell, shape.H, shape.I, 0, pass, arena_);
    input_ = table_->input(ids_);
  } else {
    input_.x =
        backend.take_operand(arena_, blocks(shape.I), rows, keep ? Read::both : Read::plain);
    if (keep) dx_ = take_blocked(arena_, blocks(shape.I), rows);
  }
  if (keep) d_outputs_ = take_blocked(arena_, blocks(shape.H), rows);
  if (resets) {
    uint8_t* begins = arena_.take<uint8_t>(rows);
    for (int64_t row = 0; row < rows; ++row) {
      const int64_t t = row / layer_.row_batch(), b = row % layer_.row_batch();
      begins[row] = b < shape.B && resets[t * shape.B + b];
    }
    input_.resets = begins;
  }
}

void LayerCall::forward(const LayerArrays& weights, const void* inputs, const float* h,
                        const float* c, float* outputs, float* last_h, float* last_c) {
  const Kernels& k = *backend_.kernels;
  const int64_t T = shape_.T, B = shape_.B, H = shape_.H, I = shape_.I, batch = layer_.row_batch();
  if (table_) copy_ids(static_cast<const int64_t*>(inputs), T, B, batch, I, ids_);
  run_team(threads_, [&](Worker& worker) {
    layer_.prepare(weights, worker);
    layer_.set_state(h, c, worker);
    if (table_) {
      table_->project(weights, nullptr, worker);
    } else {
      k.block(backend_.precision, static_cast<const float*>(inputs), T, B, batch, I, input_.x,
              worker);
      worker.wait();
    }
    layer_.forward(input_, 0, T, worker);
    k.unblock(layer_.outputs32(), T, B, batch, H, outputs, worker);
    layer_.get_state(T, last_h, last_c, worker);
  });
}

void LayerCall::get_trace(float* gates, float* c) {
  run_team(threads_, [&](Worker& worker) { layer_.get_trace(gates, c, worker); });
}

void LayerCall::backward(const float* d_outputs, const float* d_h, const float* d_c,
                         const LayerArrays& gradients, float* dx, float* d_h0, float* d_c0) {
  const Kernels& k = *backend_.kernels;
  const int64_t T = shape_.T, B = shape_.B, H = shape_.H, I = shape_.I, batch = layer_.row_batch();
  run_team(threads_, [&](Worker& worker) {
    if (d_outputs)
      k.block(Precision::float32, d_outputs, T, B, batch, H,
              {d_outputs_.data, nullptr, d_outputs_.stride}, worker);
    worker.wait();
    layer_.backward(input_, d_outputs ? d_outputs_ : Blocked(), d_h, d_c, gradients, worker);
    layer_.state_gradient(d_h0, d_c0, worker);
    if (table_) {
      table_->gradient(backend_, layer_.gate_gradients(), ids_, layer_.rows(),
                       gradients.weight_ih, nullptr, worker);
    } else if (dx) {
      layer_.input_gradient(dx_, worker);
      k.unblock(dx_, T, B, batch, I, dx, worker);
    }
  });
}

}  // namespace rnnlab
