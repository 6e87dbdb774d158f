// Elman's network: h = φ of the sum, φ = tanh or relu.
#include "recurrence.h"

namespace rnnlab::RNNLAB_ISA_NAMESPACE {
namespace {

template <bool relu>
struct RNN {
  static constexpr int gates = 1, stash = 0;
  static constexpr bool split = false;

  template <class P>
  static RNNLAB_INLINE void gates_of(const ForwardSite<P>&) {}

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

void rnn_forward(Precision precision, const Forward& f, Worker& worker) {
  precision == Precision::float32 ? run_forward<Float32, RNN<false>>(f, worker)
                                  : run_forward<BFloat16, RNN<false>>(f, worker);
}

void rnn_backward(Precision precision, const Backward& f, Worker& worker) {
  precision == Precision::float32 ? run_backward<Float32, RNN<false>>(f, worker)
                                  : run_backward<BFloat16, RNN<false>>(f, worker);
}

void rnn_relu_forward(Precision precision, const Forward& f, Worker& worker) {
  precision == Precision::float32 ? run_forward<Float32, RNN<true>>(f, worker)
                                  : run_forward<BFloat16, RNN<true>>(f, worker);
}

void rnn_relu_backward(Precision precision, const Backward& f, Worker& worker) {
  precision == Precision::float32 ? run_backward<Float32, RNN<true>>(f, worker)
                                  : run_backward<BFloat16, RNN<true>>(f, worker);
}

}  // namespace rnnlab::RNNLAB_ISA_NAMESPACE
