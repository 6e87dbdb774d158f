// The LSTM: i, f, g, o are σ, σ, tanh, σ of their sums; c = f c' + i g; h = o tanh(c).
#include "recurrence.h"

namespace rnnlab::RNNLAB_ISA_NAMESPACE {
namespace {

struct LSTM {
  static constexpr CellShape shape = cell_shape(CellKind::lstm);

  template <class P>
  static RNNLAB_INLINE void gates(const ForwardSite<P>& s) {
    const F i = sigmoid(s.sum(0) + s.input(0)), f = sigmoid(s.sum(1) + s.input(1));
    const F g = tanh(s.sum(2) + s.input(2)), o = sigmoid(s.sum(3) + s.input(3));
    store(s.c, f * load(s.c_before) + i * g);
    s.set_sum(3, o);
    s.keep(0, i), s.keep(1, f), s.keep(2, g), s.keep(3, o);
  }

  template <class P>
  static RNNLAB_INLINE F output(const ForwardSite<P>& s) {
    const F tanh_c = tanh(load(s.c));
    s.keep(4, tanh_c);
    return s.sum(3) * tanh_c;
  }

  template <class P>
  static RNNLAB_INLINE void backward(const BackwardSite<P>& s, GateGradients<LSTM>& d) {
    const F i = s.kept(0), f = s.kept(1), g = s.kept(2), o = s.kept(3), tanh_c = s.kept(4);
    const F dc = load(s.dc) + s.dh * o * (1.0f - tanh_c * tanh_c);
    d.g[0] = dc * g * (i * (1.0f - i));
    d.g[1] = dc * load(s.c_before) * (f * (1.0f - f));
    d.g[2] = dc * i * (1.0f - g * g);
    d.g[3] = s.dh * tanh_c * (o * (1.0f - o));
    store(s.dc, dc * f);
  }
};

}  // namespace

extern const CellKernels lstm = cell_kernels<LSTM>;

}  // namespace rnnlab::RNNLAB_ISA_NAMESPACE
