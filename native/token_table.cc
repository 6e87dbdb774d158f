#include "token_table.h"

namespace rnnlab {

TokenTable::TokenTable(const Kernels& kernels, CellKind cell, int64_t H, int64_t V, int64_t E,
                       bool keep, Arena& arena)
    : kernels_(kernels), shape_(cell_shape(cell)), H_(H), V_(V), E_(E),
      columns_(shape_.gates * blocks(H)), stride_(row_stride(V)) {
  const How how{&kernels, Precision::float32};
  table_ = arena.take<float>(columns_ * stride_ * kBlock);
  bias_ = arena.take<float>(columns_ * kBlock);
  if (keep) d_table_ = arena.take<float>(columns_ * stride_ * kBlock);
  if (!E) return;
  entries_ = Operand::take(how, arena, blocks(E), V, keep);
  weights_ = how.operand(arena, columns_, blocks(E) * kBlock);
  if (!keep) return;
  weights_t_ = how.operand(arena, blocks(E), columns_ * kBlock);
  d_entries_ = arena.take<float>(blocks(E) * stride_ * kBlock);
}

LayerInput TokenTable::input(const int32_t* ids) const {
  LayerInput input;
  input.ids = ids, input.table = table_, input.table_stride = stride_;
  return input;
}

void TokenTable::project(const LayerWeights& w, const float* embedding, Worker& worker) const {
  constexpr Precision exact = Precision::float32;
  const Axis gates{shape_.gates, H_, E_ ? E_ : V_}, entry{1, E_ ? E_ : V_, 1};
  pack_input_bias(kernels_, shape_, H_, w, bias_, worker);
  if (E_) {
    kernels_.pack(exact, w.weight_ih, entry, gates, weights_, 0, worker);
    if (weights_t_) kernels_.pack(exact, w.weight_ih, gates, entry, weights_t_, 0, worker);
    kernels_.block(exact, embedding, 1, V_, V_, E_, entries_.plain, nullptr, entries_.stride,
                   worker);
    worker.wait();
    kernels_.product(exact,
                     {entries_.plain, entries_.stride, V_, weights_, blocks(E_), columns_, bias_,
                      table_, stride_},
                     worker);
  } else {
    kernels_.pack(exact, w.weight_ih, entry, gates, table_, stride_, worker);
    worker.wait();
    kernels_.add_bias(table_, stride_, V_, columns_, bias_, worker);
  }
  worker.wait();
}

void TokenTable::gradient(const How& how, const Operand& d_gates, const int32_t* ids, int64_t rows,
                          float* weight_ih, float* embedding, Worker& worker) const {
  const Axis gates{shape_.gates, H_, E_ ? E_ : V_};
  kernels_.scatter(how.precision, d_gates.paired, d_gates.stride, ids, rows, columns_, V_, d_table_,
                   stride_, worker);
  worker.wait();
  if (!E_) {
    kernels_.unpack(d_table_, stride_, {1, V_, 1}, gates, weight_ih, worker);
    return;
  }
  kernels_.outer_product(Precision::float32,
                         {d_table_, stride_, gates, entries_.paired, entries_.stride, E_, V_,
                          weight_ih},
                         worker);
  kernels_.product(Precision::float32,
                   {d_table_, stride_, V_, weights_t_, columns_, blocks(E_), nullptr, d_entries_,
                    stride_},
                   worker);
  worker.wait();
  // Each entry of the table is a row of its own, so no two workers add to the same.
  const Range mine = worker.share(V_);
  for (int64_t v = mine.begin; v < mine.end; ++v)
    for (int64_t e = 0; e < E_; ++e)
      embedding[v * E_ + e] += d_entries_[(e / kBlock * stride_ + v) * kBlock + e % kBlock];
}

}  // namespace rnnlab
