#include "token_table.h"

#include <stdexcept>
#include <string>

namespace rnnlab {

constexpr Precision kTablePrecision = Precision::float32;

void copy_ids(const int64_t* from, int64_t T, int64_t B, int64_t row_batch, int64_t vocabulary,
              int32_t* to) {
  for (int64_t t = 0; t < T; ++t)
    for (int64_t b = 0; b < row_batch; ++b) {
      const int64_t id = b < B ? from[t * B + b] : 0;
      if (id < 0 || id >= vocabulary)
        throw std::out_of_range("token id " + std::to_string(id) + " is not in 0 .. " +
                                std::to_string(vocabulary - 1));
      to[t * row_batch + b] = static_cast<int32_t>(id);
    }
}

void mark_starts(const int32_t* ids, int64_t rows, int64_t start, uint8_t* resets) {
  for (int64_t r = 0; r < rows; ++r) resets[r] = ids[r] == start;
}

TokenTable::TokenTable(const Kernels& kernels, CellKind cell, int64_t H, int64_t V, int64_t E,
                       Pass pass, Arena& arena)
    : kernels_(kernels), cell_(cell_shape(cell)), H_(H), V_(V), E_(E),
      columns_(cell_.gates * blocks(H)) {
  const Backend backend{&kernels, kTablePrecision};
  const bool keep = pass == Pass::with_backward;
  table_ = take_blocked(arena, columns_, V);
  bias_ = arena.take<float>(columns_ * kBlock);
  if (keep) d_table_ = take_blocked(arena, columns_, V);
  if (!E) return;
  entries_ = backend.take_operand(arena, blocks(E), V, Read::both);
  weights_ = backend.take_packed(arena, columns_, blocks(E) * kBlock);
  if (!keep) return;
  weights_t_ = backend.take_packed(arena, blocks(E), columns_ * kBlock);
  d_entries_ = take_blocked(arena, blocks(E), V);
}

LayerInput TokenTable::input(const int32_t* ids) const {
  LayerInput input;
  input.ids = ids, input.table = table_;
  return input;
}

void TokenTable::project(const LayerArrays& w, const float* embedding, Worker& worker) const {
  const Axis entry{1, E_ ? E_ : V_, 1};
  pack_input_bias(kernels_, cell_, H_, w, bias_, worker);
  if (E_) {
    kernels_.pack(kTablePrecision, w.weight_ih, entry, gates(), weights_, 0, worker);
    if (weights_t_)
      kernels_.pack(kTablePrecision, w.weight_ih, gates(), entry, weights_t_, 0, worker);
    kernels_.block(kTablePrecision, embedding, 1, V_, V_, E_, entries_, worker);
    worker.wait();
    kernels_.product(kTablePrecision, {entries_, V_, weights_, blocks(E_), gates(), bias_, table_},
                     worker);
  } else {
    kernels_.pack(kTablePrecision, w.weight_ih, entry, gates(), table_.data, table_.stride, worker);
    worker.wait();
    kernels_.add_bias(table_, V_, columns_, bias_, worker);
  }
  worker.wait();
}

void TokenTable::gradient(const Backend& backend, const Operand& d_gates, const int32_t* ids,
                          int64_t rows, float* weight_ih, float* embedding,
                          Worker& worker) const {
  kernels_.scatter(backend.precision, d_gates, ids, rows, columns_, V_, d_table_, worker);
  worker.wait();
  if (!E_) {
    kernels_.unpack(d_table_, {1, V_, 1}, gates(), weight_ih, worker);
    return;
  }
  const Operand d_table{d_table_.data, d_table_.data, d_table_.stride};
  kernels_.outer_product(kTablePrecision, {d_table, gates(), entries_, E_, V_, weight_ih}, worker);
  kernels_.product(kTablePrecision,
                   {d_table, V_, weights_t_, columns_, {1, E_, 1}, nullptr, d_entries_}, worker);
  worker.wait();
  // Each entry is one row of the table, so no two workers add to the same one.
  const Range mine = worker.share(V_);
  for (int64_t v = mine.begin; v < mine.end; ++v)
    for (int64_t e = 0; e < E_; ++e)
      embedding[v * E_ + e] +=
          d_entries_.data[(e / kBlock * d_entries_.stride + v) * kBlock + e % kBlock];
}

}  // namespace rnnlab
