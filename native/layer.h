// One recurrent layer: its buffers, and the order in which its kernels run.
//
// Construct a Layer on one thread; all workers of a team call its other functions. `forward` and
// `backward` wait for all workers at their end, `prepare` does not.
#pragma once

#include "arena.h"
#include "kernels.h"

namespace rnnlab {

// The kernels that this build contains and this processor can run, the fastest first.
const std::vector<Kernels>& available_kernels();

enum class Pass { forward_only, with_backward };
enum class Read { plain, both };  // how products read an operand
enum class Outputs { operands, float32_too };  // what a layer keeps of its outputs

// The kernels of one instruction set, and the precision of their operands.
struct Backend {
  const Kernels* kernels;
  Precision precision;

  int64_t element_bytes() const {
    return precision == Precision::bfloat16 && kernels->paired_bfloat16 ? 2 : 4;
  }
  bool paired() const { return element_bytes() == 2; }
  // Rows that a batch of B sequences takes in the blocked layout.
  int64_t row_batch(int64_t B) const { return paired() ? even(B) : B; }
  // Memory for a packed operand, which has no rows between its blocks.
  void* take_packed(Arena& arena, int64_t n_blocks, int64_t rows) const {
    return arena.take<char>(n_blocks * rows * kBlock * element_bytes());
  }
  Operand take_operand(Arena&, int64_t n_blocks, int64_t rows, Read) const;
  // The same operand from a later row on; `row` is even if there are pairs.
  Operand from_row(Operand, int64_t row) const;
};

// The weights of a layer, or their gradients, with torch's names, shapes and layout.
struct LayerArrays {
  float* weight_ih;  // (G * H, I)
  float* weight_hh;  // (G * H, H)
  float *bias_ih, *bias_hh;  // (G * H,)
};

struct LayerShape {
  CellKind cell;
  int64_t T, B, H;
  int64_t I;  // size of the input; 0 if the input is token ids
};

// What a layer reads: rows of a projected table by id, or an operand of size I.
struct LayerInput {
  const int32_t* ids = nullptr;  // (T * row_batch,)
  Blocked table;                 // columns gated (G, H): W_ih x + biases by id
  Operand x;                     // rows t * row_batch + b
  const uint8_t* resets = nullptr;  // see Forward
};

inline Blocked take_blocked(Arena& arena, int64_t n_blocks, int64_t rows) {
  const int64_t stride = row_stride(rows);
  return {arena.take<float>(n_blocks * stride * kBlock), stride};
}

// The biases that are added once a token: [gated (G, H)][16].
void pack_input_bias(const Kernels&, CellShape, int64_t H, const LayerArrays&, float* bias,
                     Worker&);

class Layer {
 public:
  // resets: whether its inputs have resets.
  Layer(Backend, LayerShape, Pass, Outputs, bool resets, Arena&);

  // Packs the weights. With weight dropout, `weight_hh` is a masked copy of the caller's.
  void prepare(const LayerArrays&, Worker&) const;
  // The state before time step 0, (B, H) in torch's layout; null means zeros.
  void set_state(const float* h, const float* c, Worker&) const;
  // The state after time step t - 1.
  void get_state(int64_t t, float* h, float* c, Worker&) const;
  void forward(const LayerInput&, int64_t begin, int64_t end, Worker&) const;
  // After forward of all time steps in float32 with Pass::with_backward: the gates (T, B, G, H),
  // unless the cell keeps none, and c (T, B, H), if it has one.
  void get_trace(float* gates, float* c, Worker&) const;
  // Makes the state after `steps` time steps the initial state; only for Pass::forward_only.
  void carry_state(int64_t steps, Worker&) const;

  // d_outputs: rows t * row_batch + b, or null. d_h, d_c: (B, H) gradient of the last state, or
  // null. Writes all gradients, except that of weight_ih if the input is token ids.
  void backward(const LayerInput&, Blocked d_outputs, const float* d_h, const float* d_c,
                const LayerArrays&, Worker&) const;
  // After backward: dL/dx, and the gradient of the initial state, (B, H).
  void input_gradient(Blocked dx, Worker&) const;
  void state_gradient(float* h, float* c, Worker&) const;
  // After backward: the gradient of W_ih x + b_ih.
  const Operand& gate_gradients() const { return dgx_; }

  Operand outputs() const;    // rows t * row_batch + b
  Blocked outputs32() const;  // the same in float32, for Outputs::float32_too
  int64_t rows() const { return shape_.T * batch_; }
  int64_t row_batch() const { return batch_; }

 private:
  Axis gates(int64_t step) const { return {cell_.gates, shape_.H, step}; }
  void find_used(const float* weight_hh, Worker&) const;
  void set_rows(Precision, const float* src, Operand dst, Worker&) const;
  void get_rows(Blocked src, float* dst, Worker&) const;
  void take_backward(bool resets, Arena&);
  void copy_states_before(const uint8_t* resets, Worker&) const;

  Backend backend_;
  LayerShape shape_;
  CellShape cell_;
  int64_t batch_;  // rows of a time step
  Pass pass_;
  Range* used_ = nullptr;  // see Forward; only for Pass::forward_only
  void *weights_, *weights_t_ = nullptr, *input_weights_ = nullptr, *input_weights_t_ = nullptr;
  float *bias_, *bias_hn_ = nullptr;
  Blocked projection_;
  Operand h_;
  Blocked h32_;
  float *c_ = nullptr, *dh_ = nullptr, *dc_ = nullptr;
  void* stash_ = nullptr;
  int64_t h32_step_, c_step_;
  Operand dg_, dgx_;
  Operand h_before_;  // h_, with zeros where there are resets; only for backward
};

}  // namespace rnnlab
