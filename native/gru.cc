// The GRU: r and z are σ of their sums; n = tanh(W_in x + b_in + r (W_hn h' + b_hn));
// h = (1 - z) n + z h'.
#include "recurrence.h"

namespace rnnlab::RNNLAB_ISA_NAMESPACE {
namespace {

struct GRU {
  static constexpr CellShape shape = cell_shape(CellKind::gru);

  template <class P>
  static RNNLAB_INLINE void gates(const ForwardSite<P>& s) {
    const F r = sigmoid(s.sum(0) + s.input(0)), z = sigmoid(s.sum(1) + s.input(1));
    const F hn = s.sum(2) + load(s.bias_hn);
    s.set_sum(1, z), s.set_sum(2, s.input(2) + r * hn);
    s.keep(0, r), s.keep(1, z), s.keep(3, hn);
  }

  template <class P>
  static RNNLAB_INLINE F output(const ForwardSite<P>& s) {
    const F z = s.sum(1), n = tanh(s.sum(2));
    s.keep(2, n);
    return (1.0f - z) * n + z * load(s.h_before);
  }

  template <class P>
  static RNNLAB_INLINE void backward(const BackwardSite<P>& s, GateGradients<GRU>& d) {
    const F r = s.kept(0), z = s.kept(1), n = s.kept(2), hn = s.kept(3);
    const F dn = s.dh * (1.0f - z) * (1.0f - n * n);
    d.gx[0] = d.g[0] = dn * hn * (r * (1.0f - r));
    d.gx[1] = d.g[1] = s.dh * (load(s.h_before) - n) * (z * (1.0f - z));
    d.gx[2] = dn;
    d.g[2] = dn * r;
    d.direct = s.dh * z;
  }
};

}  // namespace

extern const CellKernels gru = cell_kernels<GRU>;

}  // namespace rnnlab::RNNLAB_ISA_NAMESPACE
