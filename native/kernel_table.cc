// The table of the kernels of one instruction set.
#include "simd.h"

#define RNNLAB_TEXT_(x) #x
#define RNNLAB_TEXT(x) RNNLAB_TEXT_(x)

namespace rnnlab::RNNLAB_ISA_NAMESPACE {

void add_matrix_kernels(Kernels&);
void add_elementwise_kernels(Kernels&);
void add_loss_kernel(Kernels&);
extern const CellKernels rnn, rnn_relu, gru, lstm;

Kernels kernels() {
  Kernels table{};
  table.isa = RNNLAB_TEXT(RNNLAB_ISA_NAMESPACE);
  table.paired_bfloat16 = BFloat16::pair == 2;
  add_matrix_kernels(table);
  add_elementwise_kernels(table);
  add_loss_kernel(table);
  const CellKernels* const cells[kCells] = {&rnn, &rnn_relu, &gru, &lstm};
  for (int cell = 0; cell < kCells; ++cell) table.cells[cell] = cells[cell];
  return table;
}

}  // namespace rnnlab::RNNLAB_ISA_NAMESPACE
