#include "layer.h"

#include <string.h>

namespace rnnlab {

Operand Operand::take(const How& how, Arena& arena, int64_t n_blocks, int64_t rows,
                      bool walk_rows) {
  Operand operand;
  operand.stride = row_stride(rows);
  operand.plain = how.operand(arena, n_blocks, operand.stride);
  if (!how.paired())
    operand.paired = operand.plain;
  else if (walk_rows)
    operand.paired = how.operand(arena, n_blocks, operand.stride);
  return operand;
}

Operand Operand::from_row(const How& how, int64_t row) const {
  const int64_t bytes = row * kBlock * how.element();
  Operand moved = *this;
  moved.plain = static_cast<char*>(plain) + bytes;
  moved.paired = paired ? static_cast<char*>(paired) + bytes : nullptr;
  return moved;
}

Layer::Layer(How how, CellKind cell, int64_t T, int64_t B, int64_t H, int64_t dense_input,
             bool keep, bool keep_exact, bool input_gradient, Arena& arena)
    : how_(how), cell_(cell), shape_(cell_shape(cell)), T_(T), B_(B),
      batch_(keep ? how.row_batch(B) : B), H_(H), dense_input_(dense_input), keep_(keep),
      weights_t_(nullptr), input_weights_(nullptr), input_weights_t_(nullptr), bias_hn_(nullptr),
      projection_(nullptr), projection_stride_(0), c_(nullptr), dh_(nullptr), dc_(nullptr),
      stash_(nullptr) {
  const int64_t units = blocks(H), columns = shape_.gates * units, rows = T * batch_;
  weights_ = how.operand(arena, columns, units * kBlock);
  bias_ = arena.take<float>(columns * kBlock);
  if (shape_.split) bias_hn_ = arena.take<float>(units * kBlock);
  if (dense_input) {
    input_weights_ = how.operand(arena, columns, blocks(dense_input) * kBlock);
    projection_stride_ = row_stride(rows);
    projection_ = arena.take<float>(columns * projection_stride_ * kBlock);
  }
  h_ = Operand::take(how, arena, units, rows + batch_, keep);
  if (how.precision == Precision::float32) {
    h32_ = static_cast<float*>(h_.plain);
    h32_step_ = batch_;
    h32_stride_ = h_.stride;
  } else {
    const bool all = keep_exact || (keep && cell != CellKind::lstm);
    h32_step_ = all ? batch_ : 0;
    h32_stride_ = row_stride(all ? rows + batch_ : batch_);
    h32_ = arena.take<float>(units * h32_stride_ * kBlock);
  }
  c_step_ = keep ? 1 : 0;
  if (shape_.cell) c_ = arena.take<float>((keep ? T + 1 : 1) * units * batch_ * kBlock);
  if (!keep) return;

  stash_ = how.operand(arena, units * shape_.stash, T * batch_);
  weights_t_ = how.operand(arena, units, columns * kBlock);
  dg_ = Operand::take(how, arena, columns, rows, true);
  dgx_ = shape_.split ? Operand::take(how, arena, columns, rows, true) : dg_;
  dh_ = arena.take<float>(units * batch_ * kBlock);
  if (shape_.cell) dc_ = arena.take<float>(units * batch_ * kBlock);
  if (input_gradient)
    input_weights_t_ = how.operand(arena, blocks(dense_input), columns * kBlock);
}

void Layer::prepare(const LayerWeights& w, Worker& worker) const {
  const Kernels& k = *how_.kernels;
  const Axis units{1, H_, 1};
  k.pack(how_.precision, w.weight_hh, units, gates(H_), weights_, 0, worker);
  pack_input_bias(k, shape_, H_, w, bias_, worker);
  if (shape_.split)
    k.pack_bias(w.bias_hh + (shape_.gates - 1) * H_, nullptr, units, false, 0.0f, bias_hn_, worker);
  if (dense_input_)
    k.pack(how_.precision, w.weight_ih, {1, dense_input_, 1}, gates(dense_input_), input_weights_,
           0, worker);
  if (keep_) k.pack(how_.precision, w.weight_hh, gates(H_), units, weights_t_, 0, worker);
  if (input_weights_t_)
    k.pack(how_.precision, w.weight_ih, gates(dense_input_), {1, dense_input_, 1},
           input_weights_t_, 0, worker);
}

void pack_input_bias(const Kernels& kernels, CellShape shape, int64_t H, const LayerWeights& w,
                     float* bias, Worker& worker) {
  kernels.pack_bias(w.bias_ih, w.bias_hh, {shape.gates, H, 1}, shape.split, 0.0f, bias, worker);
}

void Layer::set_state(const float* h, const float* c, Worker& worker) const {
  // A batch of no sequences fills every row with zeros.
  const Kernels& k = *how_.kernels;
  k.block(how_.precision, h, 1, h ? B_ : 0, batch_, H_, h_.plain, h_.paired, h_.stride, worker);
  if (how_.precision != Precision::float32)
    k.block(Precision::float32, h, 1, h ? B_ : 0, batch_, H_, h32_, nullptr, h32_stride_, worker);
  if (shape_.cell)
    k.block(Precision::float32, c, 1, c ? B_ : 0, batch_, H_, c_, nullptr, batch_, worker);
}

void Layer::get_state(int64_t t, float* h, float* c, Worker& worker) const {
  const Kernels& k = *how_.kernels;
  if (h) k.unblock(h32_ + t * h32_step_ * kBlock, h32_stride_, 1, B_, batch_, H_, h, worker);
  if (c && shape_.cell)
    k.unblock(c_ + t * c_step_ * blocks(H_) * batch_ * kBlock, batch_, 1, B_, batch_, H_, c,
              worker);
}

void Layer::wrap(int64_t steps, Worker& worker) const {
  const int64_t bytes = kBlock * how_.element();
  const Range mine = worker.share(blocks(H_));
  for (int64_t j = mine.begin; j < mine.end; ++j) {
    char* block = static_cast<char*>(h_.plain) + j * h_.stride * bytes;
    memmove(block, block + steps * batch_ * bytes, batch_ * bytes);
  }
}

void Layer::forward(const LayerInput& input, int64_t begin, int64_t end, Worker& worker) const {
  const Kernels& k = *how_.kernels;
  if (!input.ids) {
    const int64_t row = begin * batch_;
    k.product(how_.precision,
              {input.x.from_row(how_, row).plain, input.x.stride, (end - begin) * batch_,
               input_weights_, blocks(dense_input_), axis_blocks(gates(1)), bias_,
               projection_ + row * kBlock, projection_stride_},
              worker);
    worker.wait();
  }
  Forward f{};
  f.begin = begin, f.end = end, f.B = batch_, f.H = H_;
  f.weights = weights_;
  f.projection = input.ids ? input.table : projection_;
  f.projection_stride = input.ids ? input.table_stride : projection_stride_;
  f.ids = input.ids;
  f.bias_hn = bias_hn_;
  f.h = h_.plain, f.h_paired = how_.paired() ? h_.paired : nullptr, f.h_stride = h_.stride;
  f.h32 = h32_, f.h32_step = h32_step_, f.h32_stride = h32_stride_;
  f.c = c_, f.c_step = c_step_;
  f.stash = stash_;
  k.cells[static_cast<int>(cell_)]->forward(how_.precision, f, worker);
  worker.wait();
}

void Layer::backward(const LayerInput& input, const float* d_outputs, int64_t d_stride,
                     const float* d_h, const float* d_c, const LayerGradients& gradients,
                     Worker& worker) const {
  const Kernels& k = *how_.kernels;
  k.block(Precision::float32, d_h, 1, d_h ? B_ : 0, batch_, H_, dh_, nullptr, batch_, worker);
  if (dc_)
    k.block(Precision::float32, d_c, 1, d_c ? B_ : 0, batch_, H_, dc_, nullptr, batch_, worker);
  worker.wait();
  Backward f{};
  f.T = T_, f.B = batch_, f.H = H_;
  f.weights = weights_t_;
  f.h32 = h32_, f.h32_stride = h32_stride_;
  f.c = c_;
  f.stash = stash_;
  f.d_outputs = d_outputs, f.d_outputs_stride = d_stride;
  f.dh = dh_, f.dc = dc_;
  f.dg = dg_.plain, f.dg_paired = how_.paired() ? dg_.paired : nullptr;
  if (shape_.split) f.dgx = dgx_.plain, f.dgx_paired = how_.paired() ? dgx_.paired : nullptr;
  f.dg_stride = dg_.stride;
  k.cells[static_cast<int>(cell_)]->backward(how_.precision, f, worker);
  worker.wait();
  k.outer_product(how_.precision,
                  {dg_.paired, dg_.stride, gates(H_), h_.paired, h_.stride, H_, rows(),
                   gradients.weight_hh},
                  worker);
  if (!input.ids)
    k.outer_product(how_.precision,
                    {dgx_.paired, dgx_.stride, gates(dense_input_), input.x.paired,
                     input.x.stride, dense_input_, rows(), gradients.weight_ih},
                    worker);
  k.column_sums(how_.precision, dg_.paired, dg_.stride, rows(), gates(1), gradients.bias_hh,
                worker);
  k.column_sums(how_.precision, dgx_.paired, dgx_.stride, rows(), gates(1), gradients.bias_ih,
                worker);
  worker.wait();
}

void Layer::input_gradient(float* dx, int64_t stride, Worker& worker) const {
  how_.kernels->product(how_.precision,
                        {dgx_.plain, dgx_.stride, rows(), input_weights_t_,
                         axis_blocks(gates(1)), blocks(dense_input_), nullptr, dx, stride},
                        worker);
  worker.wait();
}

void Layer::state_gradient(float* h, float* c, Worker& worker) const {
  const Kernels& k = *how_.kernels;
  if (h) k.unblock(dh_, batch_, 1, B_, batch_, H_, h, worker);
  if (c && dc_) k.unblock(dc_, batch_, 1, B_, batch_, H_, c, worker);
}

Operand Layer::outputs() const { return h_.from_row(how_, batch_); }

const float* Layer::outputs32(int64_t* stride) const {
  *stride = h32_stride_;
  return h32_ + batch_ * kBlock;
}

}  // namespace rnnlab
