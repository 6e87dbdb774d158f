// The table of this instruction set's kernels.
#include "kernels.h"

#define RNNLAB_TEXT_(x) #x
#define RNNLAB_TEXT(x) RNNLAB_TEXT_(x)

namespace rnnlab::RNNLAB_ISA_NAMESPACE {

void pack(Precision, const float*, Axis, Axis, void*, int64_t, Worker&);
void unpack(const float*, int64_t, Axis, Axis, float*, Worker&);
void block(Precision, const float*, int64_t, int64_t, int64_t, int64_t, void*, void*, int64_t,
           Worker&);
void unblock(const float*, int64_t, int64_t, int64_t, int64_t, int64_t, float*, Worker&);
void gather(Precision, const float*, const int32_t*, int64_t, int64_t, Dropout, void*, void*,
            int64_t, Worker&);
void pack_bias(const float*, const float*, Axis, bool, float, float*, Worker&);
void add_bias(float*, int64_t, int64_t, int64_t, const float*, Worker&);
void product(Precision, const Product&, Worker&);
void outer_product(Precision, const OuterProduct&, Worker&);
extern const CellKernels rnn, rnn_relu, gru, lstm;
void loss(Precision, const Loss&, Worker&);
void scatter(Precision, const void*, int64_t, const int32_t*, int64_t, int64_t, int64_t, float*,
             int64_t, Worker&);
void scatter_rows(const float*, int64_t, const int32_t*, int64_t, int64_t, float*, Worker&);
void column_sums(Precision, const void*, int64_t, int64_t, Axis, float*, Worker&);
void drop(Precision, const void*, int64_t, int64_t, int64_t, Dropout, void*, void*, int64_t,
          Worker&);
void drop_gradient(float*, int64_t, int64_t, int64_t, Dropout, Worker&);
void drop_weights(const float*, float*, int64_t, Dropout, Worker&);
void square_sums(const float*, int64_t, double*, Worker&);
double bare_multiply_adds(Precision, int64_t);

extern const Kernels kernels;
const Kernels kernels = {
    RNNLAB_TEXT(RNNLAB_ISA_NAMESPACE),
#ifdef __AVX512BF16__
    true,
#else
    false,
#endif
    pack, unpack, block, unblock, gather, pack_bias, add_bias, product, outer_product,
    {&rnn, &rnn_relu, &gru, &lstm},
    loss, scatter, scatter_rows, column_sums, drop, drop_gradient, drop_weights, square_sums,
    bare_multiply_adds,
};

}  // namespace rnnlab::RNNLAB_ISA_NAMESPACE
