// One recurrent layer: its buffers, and the kernels in the order in which they run.
//
// Construct it on one thread; everything else runs on all workers of a team. `forward` and
// `backward` end with the workers together; `prepare` does not.
#pragma once

#include "arena.h"
#include "kernels.h"

namespace rnnlab {

struct How {
  const Kernels* kernels;
  Precision precision;

  int64_t element() const {
    return precision == Precision::bfloat16 && kernels->paired_bfloat16 ? 2 : 4;
  }
  bool paired() const { return element() == 2; }
  // Rows of a batch in the blocked layout.
  int64_t row_batch(int64_t B) const { return paired() ? even(B) : B; }
  void* operand(Arena& arena, int64_t n_blocks, int64_t rows) const {
    return arena.take<char>(n_blocks * rows * kBlock * element());
  }
};

// torch's names, shapes and layout; all owned by the caller.
struct LayerWeights {
  const float* weight_ih;  // (G * H, I)
  const float* weight_hh;  // (G * H, H)
  const float* bias_ih;    // (G * H,)
  const float* bias_hh;    // (G * H,)
};
struct LayerGradients {
  float *weight_ih, *weight_hh, *bias_ih, *bias_hh;
};

// An operand with its rows walked either way; one of the two may be null.
struct Operand {
  void* plain = nullptr;
  void* paired = nullptr;  // where pairs are not needed: the same as plain
  int64_t stride = 0;

  static Operand take(const How&, Arena&, int64_t n_blocks, int64_t rows, bool walk_rows);
  Operand from_row(const How&, int64_t row) const;  // row even where paired
};

// What a layer reads: rows of a projected table by id, or an operand of size I.
struct LayerInput {
  const int32_t* ids = nullptr;     // (T * row_batch,)
  const float* table = nullptr;     // blocked, columns gated (G, H): W_ih x + biases by id
  int64_t table_stride = 0;
  Operand x;                        // rows t * row_batch + b
};

// Everything of the biases that is added once a token: [gated (G, H)][16].
void pack_input_bias(const Kernels&, CellShape, int64_t H, const LayerWeights&, float* bias,
                     Worker&);

class Layer {
 public:
  // keep: everything that backward needs. keep_exact: every h in float32 too, for outputs32.
  // input_gradient: backward will be asked for dL/dx.
  Layer(How, CellKind, int64_t T, int64_t B, int64_t H, int64_t dense_input, bool keep,
        bool keep_exact, bool input_gradient, Arena&);

  // Packs the weights. With weight dropout, `weight_hh` is a masked copy of the caller's.
  void prepare(const LayerWeights&, Worker&) const;
  // (B, H) in torch's layout; null means zeros. Rows are those before time step 0.
  void set_state(const float* h, const float* c, Worker&) const;
  // The state after time step t - 1.
  void get_state(int64_t t, float* h, float* c, Worker&) const;
  void forward(const LayerInput&, int64_t begin, int64_t end, Worker&) const;
  // The state after `steps` time steps becomes that before the first (without keep).
  void wrap(int64_t steps, Worker&) const;

  // d_outputs: blocked float32 (rows t * row_batch + b), or null. d_h, d_c: (B, H) gradient of
  // the last state, or null. Fills all of LayerGradients but, with a table, weight_ih.
  void backward(const LayerInput&, const float* d_outputs, int64_t d_stride, const float* d_h,
                const float* d_c, const LayerGradients&, Worker&) const;
  // After backward: dL/dx, blocked float32; and the gradient of the initial state, (B, H).
  void input_gradient(float* dx, int64_t stride, Worker&) const;
  void state_gradient(float* h, float* c, Worker&) const;
  // After backward: the gradient of W_ih x + b_ih.
  const Operand& gate_gradients() const { return dgx_; }

  Operand outputs() const;  // rows t * row_batch + b
  const float* outputs32(int64_t* stride) const;  // the same in float32; needs keep_exact
  int64_t rows() const { return T_ * batch_; }
  int64_t row_batch() const { return batch_; }
  Axis gates(int64_t step) const { return {shape_.gates, H_, step}; }

 private:
  How how_;
  CellKind cell_;
  CellShape shape_;
  int64_t T_, B_, batch_, H_, dense_input_;
  bool keep_;
  void *weights_, *weights_t_, *input_weights_, *input_weights_t_;
  float *bias_, *bias_hn_, *projection_;
  int64_t projection_stride_;
  Operand h_;
  float *h32_, *c_, *dh_, *dc_;
  void* stash_;
  int64_t h32_step_, h32_stride_, c_step_;
  Operand dg_, dgx_;
};

}  // namespace rnnlab
