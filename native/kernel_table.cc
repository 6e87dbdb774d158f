// The table of the kernels of one instruction set.
#include <type_traits>

#include "kernels.h"

#define RNNLAB_TEXT_(x) #x
#define RNNLAB_TEXT(x) RNNLAB_TEXT_(x)

// Each kernel is a function with the name and the signature of its member of Kernels.
#define RNNLAB_EACH_KERNEL(do_with)                                                             \
  do_with(pack) do_with(unpack) do_with(block) do_with(unblock) do_with(gather)                 \
  do_with(pack_bias) do_with(add_bias) do_with(product) do_with(outer_product) do_with(loss)    \
  do_with(scatter) do_with(scatter_rows) do_with(column_sums) do_with(drop)                     \
  do_with(drop_gradient) do_with(drop_weights) do_with(square_sums) do_with(bare_multiply_adds)

namespace rnnlab::RNNLAB_ISA_NAMESPACE {

#define RNNLAB_DECLARE(kernel) std::remove_pointer_t<decltype(Kernels::kernel)> kernel;
RNNLAB_EACH_KERNEL(RNNLAB_DECLARE)
extern const CellKernels rnn, rnn_relu, gru, lstm;

static constexpr Kernels table() {
  Kernels table{};
  table.isa = RNNLAB_TEXT(RNNLAB_ISA_NAMESPACE);
#ifdef __AVX512BF16__
  table.paired_bfloat16 = true;
#endif
#define RNNLAB_ENTER(kernel) table.kernel = kernel;
  RNNLAB_EACH_KERNEL(RNNLAB_ENTER)
  const CellKernels* const cells[kCells] = {&rnn, &rnn_relu, &gru, &lstm};
  for (int cell = 0; cell < kCells; ++cell) table.cells[cell] = cells[cell];
  return table;
}

extern const Kernels kernels;
constexpr Kernels kernels = table();

}  // namespace rnnlab::RNNLAB_ISA_NAMESPACE
