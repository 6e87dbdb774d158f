#include "layer.h"

#include <string.h>

namespace rnnlab {

Operand Backend::take_operand(Arena& arena, int64_t n_blocks, int64_t rows, Read read) const {
  Operand operand;
  operand.stride = row_stride(rows);
  operand.plain = take_packed(arena, n_blocks, operand.stride);
  if (!paired())
    operand.paired = operand.plain;
  else if (read == Read::both)
    operand.paired = take_packed(arena, n_blocks, operand.stride);
  return operand;
}

Operand Backend::from_row(Operand operand, int64_t row) const {
  const int64_t bytes = row * kBlock * element_bytes();
  operand.plain = static_cast<char*>(operand.plain) + bytes;
  if (operand.paired) operand.paired = static_cast<char*>(operand.paired) + bytes;
  return operand;
}

Layer::Layer(Backend backend, LayerShape shape, Pass pass, Outputs outputs, bool resets,
             Arena& arena)
    : backend_(backend), shape_(shape), cell_(cell_shape(shape.cell)),
      batch_(pass == Pass::with_backward ? backend.row_batch(shape.B) : shape.B), pass_(pass) {
  const bool keep = pass == Pass::with_backward;
  const int64_t units = blocks(shape.H), columns = cell_.gates * units, steps = keep ? shape.T : 0;
  weights_ = backend.take_packed(arena, columns, units * kBlock);
  bias_ = arena.take<float>(columns * kBlock);
  if (cell_.separate_inputs) bias_hn_ = arena.take<float>(units * kBlock);
  if (shape.I) {
    input_weights_ = backend.take_packed(arena, columns, blocks(shape.I) * kBlock);
    projection_ = take_blocked(arena, columns, rows());
  }
  h_ = backend.take_operand(arena, units, rows() + batch_, keep ? Read::both : Read::plain);
  if (backend.precision == Precision::float32) {
    h32_ = {static_cast<float*>(h_.plain), h_.stride};
    h32_step_ = batch_;
  } else {
    const bool all = outputs == Outputs::float32_too || (keep && shape.cell != CellKind::lstm);
    h32_step_ = all ? batch_ : 0;
    h32_ = take_blocked(arena, units, all ? rows() + batch_ : batch_);
  }
  c_step_ = keep ? 1 : 0;
  if (cell_.has_c) c_ = arena.take<float>((steps + 1) * units * batch_ * kBlock);
  if (keep) take_backward(resets, arena);
  if (!keep) used_ = arena.take<Range>(units);
}

void Layer::take_backward(bool resets, Arena& arena) {
  const int64_t units = blocks(shape_.H), columns = cell_.gates * units;
  stash_ = backend_.take_packed(arena, units * cell_.stash, rows());
  weights_t_ = backend_.take_packed(arena, units, columns * kBlock);
  dg_ = backend_.take_operand(arena, columns, rows(), Read::both);
  dgx_ =
      cell_.separate_inputs ? backend_.take_operand(arena, columns, rows(), Read::both) : dg_;
  dh_ = arena.take<float>(units * batch_ * kBlock);
  if (cell_.has_c) dc_ = arena.take<float>(units * batch_ * kBlock);
  h_before_ = resets ? backend_.take_operand(arena, units, rows(), Read::both) : h_;
  if (shape_.I) input_weights_t_ = backend_.take_packed(arena, blocks(shape_.I), columns * kBlock);
}

void pack_input_bias(const Kernels& kernels, CellShape cell, int64_t H, const LayerArrays& w,
                     float* bias, Worker& worker) {
  const int64_t summed = cell.separate_inputs ? cell.gates - 1 : cell.gates;
  kernels.pack_bias(w.bias_ih, w.bias_hh, summed, {cell.gates, H, 1}, 0.0f, bias, worker);
}

void Layer::prepare(const LayerArrays& w, Worker& worker) const {
  const Kernels& k = *backend_.kernels;
  const Precision precision = backend_.precision;
  const int64_t H = shape_.H, I = shape_.I;
  const Axis units{1, H, 1}, inputs{1, I, 1};
  k.pack(precision, w.weight_hh, units, gates(H), weights_, 0, worker);
  pack_input_bias(k, cell_, H, w, bias_, worker);
  if (bias_hn_)
    k.pack_bias(w.bias_hh + (cell_.gates - 1) * H, nullptr, 0, units, 0.0f, bias_hn_, worker);
  if (I) k.pack(precision, w.weight_ih, inputs, gates(I), input_weights_, 0, worker);
  if (weights_t_) k.pack(precision, w.weight_hh, gates(H), units, weights_t_, 0, worker);
  if (input_weights_t_)
    k.pack(precision, w.weight_ih, gates(I), inputs, input_weights_t_, 0, worker);
  if (used_) find_used(w.weight_hh, worker);
}

// Finds the blocks of rows outside of which the weights of each block of units are zero.
void Layer::find_used(const float* weight_hh, Worker& worker) const {
  const int64_t H = shape_.H, units = blocks(H);
  const Range mine = worker.share(units);
  for (int64_t j = mine.begin; j < mine.end; ++j) {
    Range used{units, 0};
    for (int64_t g = 0; g < cell_.gates; ++g)
      for (int64_t u = j * kBlock; u < H && u < (j + 1) * kBlock; ++u) {
        const float* row = weight_hh + (g * H + u) * H;
        int64_t first = 0, last = H;
        while (first < H && row[first] == 0.0f) ++first;
        while (last > first && row[last - 1] == 0.0f) --last;
        if (first < last) used = covering(used, {first / kBlock, blocks(last)});
      }
    // One block at least, so that its product sets the sums to zero.
    used_[j] = used.begin < used.end ? used : Range{0, 1};
  }
}

// Writes (B, H) to the rows of a time step, or zeros if `src` is null: no sequences, only padding.
void Layer::set_rows(Precision precision, const float* src, Operand dst, Worker& worker) const {
  backend_.kernels->block(precision, src, 1, src ? shape_.B : 0, batch_, shape_.H, dst, worker);
}

void Layer::get_rows(Blocked src, float* dst, Worker& worker) const {
  if (src.data && dst)
    backend_.kernels->unblock(src, 1, shape_.B, batch_, shape_.H, dst, worker);
}

void Layer::set_state(const float* h, const float* c, Worker& worker) const {
  set_rows(backend_.precision, h, h_, worker);
  if (backend_.precision != Precision::float32)
    set_rows(Precision::float32, h, {h32_.data, nullptr, h32_.stride}, worker);
  if (c_) set_rows(Precision::float32, c, {c_, nullptr, batch_}, worker);
}

void Layer::get_state(int64_t t, float* h, float* c, Worker& worker) const {
  get_rows(h32_.from_row(t * h32_step_), h, worker);
  if (c_) get_rows({c_ + t * c_step_ * blocks(shape_.H) * batch_ * kBlock, batch_}, c, worker);
}

void Layer::carry_state(int64_t steps, Worker& worker) const {
  const int64_t bytes = kBlock * backend_.element_bytes();
  const Range mine = worker.share(blocks(shape_.H));
  for (int64_t j = mine.begin; j < mine.end; ++j) {
    char* block = static_cast<char*>(h_.plain) + j * h_.stride * bytes;
    memmove(block, block + steps * batch_ * bytes, batch_ * bytes);
  }
}

void Layer::forward(const LayerInput& input, int64_t begin, int64_t end, Worker& worker) const {
  const Kernels& k = *backend_.kernels;
  if (!input.ids) {
    const int64_t row = begin * batch_;
    k.product(backend_.precision,
              {backend_.from_row(input.x, row), (end - begin) * batch_, input_weights_,
               blocks(shape_.I), gates(1), bias_, projection_.from_row(row)},
              worker);
    worker.wait();
  }
  const Forward f{begin, end, batch_, shape_.H, weights_, input.ids ? input.table : projection_,
                  input.ids, bias_hn_, h_, h32_, h32_step_, c_, c_step_, stash_, input.resets, used_};
  k.cells[static_cast<int>(shape_.cell)]->forward(backend_.precision, f, worker);
  worker.wait();
}

void Layer::get_trace(float* gates, float* c, Worker& worker) const {
  const int64_t H = shape_.H, B = shape_.B, G = cell_.gates, units = blocks(H);
  const float* stash = static_cast<const float*>(stash_);
  const Range mine = worker.share(shape_.T * B);
  for (int64_t row = mine.begin; row < mine.end; ++row)
    for (int64_t j = 0; j < units; ++j) {
      const int64_t t = row / B, b = row % B, left = H - j * kBlock;
      const int64_t bytes = (left < kBlock ? left : kBlock) * sizeof(float);
      for (int64_t g = 0; cell_.stash && g < G; ++g)
        memcpy(gates + (row * G + g) * H + j * kBlock,
               stash + (((t * units + j) * cell_.stash + g) * batch_ + b) * kBlock, bytes);
      if (c_)
        memcpy(c + row * H + j * kBlock, c_ + (((t + 1) * units + j) * batch_ + b) * kBlock, bytes);
    }
}

void Layer::backward(const LayerInput& input, Blocked d_outputs, const float* d_h,
                     const float* d_c, const LayerArrays& gradients, Worker& worker) const {
  const Kernels& k = *backend_.kernels;
  const Precision precision = backend_.precision;
  const int64_t H = shape_.H, I = shape_.I;
  set_rows(Precision::float32, d_h, {dh_, nullptr, batch_}, worker);
  if (dc_) set_rows(Precision::float32, d_c, {dc_, nullptr, batch_}, worker);
  worker.wait();
  const Backward f{shape_.T, batch_, H, weights_t_, h32_, c_, stash_, d_outputs, dh_, dc_, dg_,
                   cell_.separate_inputs ? dgx_ : Operand(), input.resets};
  k.cells[static_cast<int>(shape_.cell)]->backward(precision, f, worker);
  if (input.resets) copy_states_before(input.resets, worker);
  worker.wait();
  k.outer_product(precision, {dg_, gates(H), h_before_, H, rows(), gradients.weight_hh}, worker);
  if (!input.ids)
    k.outer_product(precision, {dgx_, gates(I), input.x, I, rows(), gradients.weight_ih}, worker);
  k.column_sums(precision, dg_, rows(), gates(1), gradients.bias_hh, worker);
  k.column_sums(precision, dgx_, rows(), gates(1), gradients.bias_ih, worker);
  worker.wait();
}

// Fills h_before_, of which only the paired form is read.
void Layer::copy_states_before(const uint8_t* resets, Worker& worker) const {
  const int64_t pair = backend_.paired() ? 2 : 1, bytes = backend_.element_bytes();
  const Range mine = worker.share(blocks(shape_.H));
  for (int64_t j = mine.begin; j < mine.end; ++j) {
    char* to = static_cast<char*>(h_before_.paired) + j * h_before_.stride * kBlock * bytes;
    const char* from = static_cast<const char*>(h_.paired) + j * h_.stride * kBlock * bytes;
    memcpy(to, from, rows() * kBlock * bytes);
    for (int64_t r = 0; r < rows(); ++r)
      for (int64_t lane = 0; resets[r] && lane < kBlock; ++lane)
        memset(to + ((r - r % pair) * kBlock + lane * pair + r % pair) * bytes, 0, bytes);
  }
}

void Layer::input_gradient(Blocked dx, Worker& worker) const {
  backend_.kernels->product(backend_.precision,
                            {dgx_, rows(), input_weights_t_, axis_blocks(gates(1)),
                             {1, shape_.I, 1}, nullptr, dx},
                            worker);
  worker.wait();
}

void Layer::state_gradient(float* h, float* c, Worker& worker) const {
  get_rows({dh_, batch_}, h, worker);
  get_rows({dc_, batch_}, c, worker);
}

Operand Layer::outputs() const { return backend_.from_row(h_, batch_); }

Blocked Layer::outputs32() const { return h32_.from_row(batch_); }

}  // namespace rnnlab
