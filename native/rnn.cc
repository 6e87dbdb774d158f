// The Elman network: h = φ(sum), φ = tanh or relu.
#include "recurrence.h"

namespace rnnlab::RNNLAB_ISA_NAMESPACE {
namespace {

template <bool relu>
struct RNN {
  static constexpr CellShape shape = cell_shape(relu ? CellKind::rnn_relu : CellKind::rnn);

  template <class P>
  static RNNLAB_INLINE void gates(const ForwardSite<P>&) {}

  template <class P>
  static RNNLAB_INLINE F output(const ForwardSite<P>& s) {
    const F sum = s.sum(0) + s.input(0);
    if constexpr (relu) return sum < 0.0f ? F{} : sum;
    return tanh(sum);
  }

  template <class P>
  static RNNLAB_INLINE void backward(const BackwardSite<P>& s, GateGradients<RNN>& d) {
    const F h = load(s.h);
    if constexpr (relu) {
      d.g[0] = h > 0.0f ? s.dh : F{};
    } else {
      d.g[0] = s.dh * (1.0f - h * h);
    }
  }
};

}  // namespace

extern const CellKernels rnn = cell_kernels<RNN<false>>;
extern const CellKernels rnn_relu = cell_kernels<RNN<true>>;

}  // namespace rnnlab::RNNLAB_ISA_NAMESPACE
