#include "layer_call.h"

#include "call.h"

namespace rnnlab {

LayerCall::LayerCall(How how, CellKind cell, int64_t T, int64_t B, int64_t H, int64_t input_size,
                     bool ids, bool keep, int threads)
    : how_(how), T_(T), B_(B), H_(H), I_(input_size), ids_(ids), threads_(threads),
      layer_(how, cell, T, B, H, ids ? 0 : input_size, keep, true, keep && !ids, arena_) {
  const int64_t rows = layer_.rows(), stride = row_stride(rows);
  if (ids) {
    own_ids_ = arena_.take<int32_t>(rows);
    table_.emplace(*how.kernels, cell, H, I_, 0, keep, arena_);
    input_ = table_->input(own_ids_);
  } else {
    input_.x = Operand::take(how, arena_, blocks(I_), rows, keep);
  }
  if (!keep) return;
  d_outputs_ = arena_.take<float>(blocks(H) * stride * kBlock);
  if (!ids) dx_ = arena_.take<float>(blocks(I_) * stride * kBlock);
}

void LayerCall::forward(const LayerWeights& weights, const float* x, const int64_t* ids,
                        const float* h, const float* c, float* outputs, float* last_h,
                        float* last_c) {
  const Kernels& k = *how_.kernels;
  const int64_t batch = layer_.row_batch();
  if (ids_) copy_ids(ids, T_, B_, batch, I_, own_ids_);
  team(threads_, [&](Worker& worker) {
    layer_.prepare(weights, worker);
    layer_.set_state(h, c, worker);
    if (ids_) {
      table_->project(weights, nullptr, worker);
    } else {
      k.block(how_.precision, x, T_, B_, batch, I_, input_.x.plain, input_.x.paired,
              input_.x.stride, worker);
      worker.wait();
    }
    layer_.forward(input_, 0, T_, worker);
    int64_t stride;
    const float* exact = layer_.outputs32(&stride);
    k.unblock(exact, stride, T_, B_, batch, H_, outputs, worker);
    layer_.get_state(T_, last_h, last_c, worker);
  });
}

void LayerCall::backward(const float* d_outputs, const float* d_h, const float* d_c,
                         const LayerGradients& gradients, float* dx, float* d_h0, float* d_c0) {
  const Kernels& k = *how_.kernels;
  const int64_t batch = layer_.row_batch(), rows = layer_.rows(), stride = row_stride(rows);
  team(threads_, [&](Worker& worker) {
    if (d_outputs)
      k.block(Precision::float32, d_outputs, T_, B_, batch, H_, d_outputs_, nullptr, stride,
              worker);
    worker.wait();
    layer_.backward(input_, d_outputs ? d_outputs_ : nullptr, stride, d_h, d_c, gradients, worker);
    layer_.state_gradient(d_h0, d_c0, worker);
    if (ids_) {
      table_->gradient(how_, layer_.gate_gradients(), own_ids_, rows, gradients.weight_ih, nullptr,
                       worker);
    } else if (dx) {
      layer_.input_gradient(dx_, stride, worker);
      k.unblock(dx_, stride, T_, B_, batch, I_, dx, worker);
    }
  });
}

}  // namespace rnnlab
