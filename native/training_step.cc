#include "training_step.h"

#include <math.h>
#include <string.h>

#include <optional>

#include "token_table.h"

namespace rnnlab {
namespace {

int64_t norm_chunks(int64_t n) { return (n + kNormChunk - 1) / kNormChunk; }

// The stages of one training step, and their buffers. All workers of a team call each stage, and it
// waits for all of them at its end unless it says otherwise.
class Stages {
 public:
  Stages(Backend backend, NetworkShape shape, const NetworkArrays& weights,
         const NetworkArrays& gradients, Batch batch, const NetworkState& state,
         StepOptions options, Arena& arena)
      : backend_(backend), k_(*backend.kernels), precision_(backend.precision), shape_(shape),
        weights_(weights), gradients_(gradients), state_(state), batch_(batch), options_(options),
        gate_rows_(cell_shape(shape.cell).gates * shape.hidden),
        row_batch_(backend.row_batch(batch.B)), rows_(batch.T * row_batch_) {
    take_inputs(arena);
    take_layers(arena);
    take_output(arena);
    take_norm_chunks(arena);
  }

  StepResult run() {
    StepResult result{};
    run_team(options_.threads, [&](Worker& worker) {
      pack_weights(worker);
      embed_tokens(worker);
      run_layers(worker);
      output_loss(worker);
      run_layers_backward(worker);
      embedding_gradient(worker);
      const double norm = clip(worker);
      if (worker.index == 0) result.gradient_norm = norm;
    });
    for (int64_t r = 0; r < rows_; ++r) result.nats += nats_[r];
    result.nats /= static_cast<double>(batch_.T * batch_.B);
    return result;
  }

 private:
  void take_inputs(Arena& arena) {
    ids_ = arena.take<int32_t>(rows_);
    targets_ = arena.take<int32_t>(rows_);
    copy_ids(batch_.ids, batch_.T, batch_.B, row_batch_, V_, ids_);
    copy_ids(batch_.targets, batch_.T, batch_.B, row_batch_, V_, targets_);
    inputs_.resize(L_);
    if (batch_.start >= 0) {
      resets_ = arena.take<uint8_t>(rows_);
      mark_starts(ids_, rows_, batch_.start, resets_);
    }
    if (E_ == 0 || (V_ <= rows_ && options_.dropouts.input == 0)) {
      table_.emplace(k_, shape_.cell, H_, V_, E_, Pass::with_backward, arena);
      inputs_[0] = table_->input(ids_);
    } else {
      inputs_[0].x = backend_.take_operand(arena, blocks(E_), rows_, Read::both);
      d_embedded_ = take_blocked(arena, blocks(E_), rows_);
    }
  }

  void take_layers(Arena& arena) {
    masked_.resize(L_, nullptr);
    layers_.reserve(L_);
    for (int64_t l = 0; l < L_; ++l) {
      const int64_t I = l == 0 && table_ ? 0 : shape_.input_size(l);
      layers_.emplace_back(backend_, LayerShape{shape_.cell, batch_.T, batch_.B, H_, I},
                           Pass::with_backward, Outputs::operands, batch_.start >= 0, arena);
      inputs_[l].resets = resets_;
      if (options_.dropouts.weight > 0) masked_[l] = arena.take<float>(gate_rows_ * H_);
      if (l > 0) inputs_[l].x = take_features(l - 1, options_.dropouts.layer, arena);
    }
    d_outputs_ = take_blocked(arena, blocks(H_), rows_);
  }

  // The outputs of a layer, or memory for them if they get dropout.
  Operand take_features(int64_t l, float dropout, Arena& arena) const {
    if (dropout > 0) return backend_.take_operand(arena, blocks(H_), rows_, Read::both);
    return layers_[l].outputs();
  }

  void take_output(Arena& arena) {
    features_ = take_features(L_ - 1, options_.dropouts.output, arena);
    output_ = backend_.take_packed(arena, blocks(V_), blocks(H_) * kBlock);
    output_t_ = backend_.take_packed(arena, blocks(H_), blocks(V_) * kBlock);
    output_bias_ = arena.take<float>(blocks(V_) * kBlock);
    d_logits_ = backend_.take_operand(arena, blocks(V_), rows_, Read::both);
    nats_ = arena.take<float>(rows_);
    scratch_ = arena.take<float>(options_.threads * blocks(V_) * kLossRows * kBlock);
  }

  void take_norm_chunks(Arena& arena) {
    const auto add = [&](float* gradient, int64_t n) {
      norm_parts_.push_back({gradient, n, chunk_count_});
      chunk_count_ += norm_chunks(n);
    };
    if (E_ && !is_tied()) add(gradients_.embedding, V_ * E_);
    for (int64_t l = 0; l < L_; ++l) {
      const LayerArrays& g = gradients_.layers[l];
      add(g.weight_ih, gate_rows_ * shape_.input_size(l));
      add(g.weight_hh, gate_rows_ * H_);
      add(g.bias_ih, gate_rows_);
      add(g.bias_hh, gate_rows_);
    }
    add(gradients_.output_weight, V_ * H_);
    add(gradients_.output_bias, V_);
    chunks_ = arena.take<double>(chunk_count_);
  }

  void pack_weights(Worker& worker) {  // does not wait at its end
    if (options_.dropouts.weight > 0) {
      for (int64_t l = 0; l < L_; ++l)
        k_.drop_weights(weights_.layers[l].weight_hh, masked_[l], gate_rows_ * H_,
                        weight_dropout(l), worker);
      worker.wait();
    }
    for (int64_t l = 0; l < L_; ++l) {
      LayerArrays weights = weights_.layers[l];
      if (masked_[l]) weights.weight_hh = masked_[l];
      layers_[l].prepare(weights, worker);
      layers_[l].set_state(state_.h[l], state_.c[l], worker);
    }
    const Axis hidden{1, H_, 1}, vocabulary{1, V_, H_};
    k_.pack(precision_, weights_.output_weight, hidden, vocabulary, output_, 0, worker);
    k_.pack(precision_, weights_.output_weight, vocabulary, hidden, output_t_, 0, worker);
    k_.pack_bias(weights_.output_bias, nullptr, 0, {1, V_, 1}, -INFINITY, output_bias_, worker);
  }

  void embed_tokens(Worker& worker) {
    if (table_) return table_->project(weights_.layers[0], weights_.embedding, worker);
    k_.gather(precision_, weights_.embedding, ids_, rows_, E_, input_dropout(), inputs_[0].x,
              worker);
    worker.wait();
  }

  void run_layers(Worker& worker) {
    for (int64_t l = 0; l < L_; ++l) {
      if (l > 0) drop_outputs(l - 1, layer_dropout(l), inputs_[l].x, worker);
      layers_[l].forward(inputs_[l], 0, batch_.T, worker);
    }
    drop_outputs(L_ - 1, output_dropout(), features_, worker);
  }

  void output_loss(Worker& worker) {
    const float scale = 1.0f / static_cast<float>(batch_.T * batch_.B);
    k_.loss(precision_,
            {rows_, row_batch_, batch_.B, V_, features_, output_, blocks(H_), output_bias_,
             targets_, nats_, scale, d_logits_, scratch_},
            worker);
    worker.wait();
    k_.product(precision_,
               {d_logits_, rows_, output_t_, blocks(V_), {1, H_, 1}, nullptr, d_outputs_}, worker);
    k_.outer_product(precision_,
                     {d_logits_, {1, V_, H_}, features_, H_, rows_, gradients_.output_weight},
                     worker);
    k_.column_sums(precision_, d_logits_, rows_, {1, V_, 1}, gradients_.output_bias, worker);
    worker.wait();
    drop_gradient(d_outputs_, H_, output_dropout(), worker);
  }

  void run_layers_backward(Worker& worker) {
    for (int64_t l = L_ - 1; l >= 0; --l) {
      const LayerArrays& g = gradients_.layers[l];
      layers_[l].backward(inputs_[l], d_outputs_, nullptr, nullptr, g, worker);
      if (masked_[l])
        k_.drop_weights(g.weight_hh, g.weight_hh, gate_rows_ * H_, weight_dropout(l), worker);
      if (l > 0) {
        layers_[l].input_gradient(d_outputs_, worker);
        drop_gradient(d_outputs_, H_, layer_dropout(l), worker);
      }
      layers_[l].get_state(batch_.T, state_.h[l], state_.c[l], worker);
    }
  }

  void embedding_gradient(Worker& worker) {
    if (E_ && !is_tied()) {  // tied: the output layer has already written its part
      const Range mine = worker.share(V_ * E_, kBlock);
      memset(gradients_.embedding + mine.begin, 0, (mine.end - mine.begin) * sizeof(float));
    }
    if (table_) {
      table_->gradient(backend_, layers_[0].gate_gradients(), ids_, rows_,
                       gradients_.layers[0].weight_ih, gradients_.embedding, worker);
    } else {
      layers_[0].input_gradient(d_embedded_, worker);
      drop_gradient(d_embedded_, E_, input_dropout(), worker);
      k_.scatter_rows(d_embedded_, ids_, rows_, E_, gradients_.embedding, worker);
    }
    worker.wait();
  }

  double clip(Worker& worker) {  // returns the norm before clipping; does not wait at its end
    for (const NormPart& part : norm_parts_)
      k_.square_sums(part.gradient, part.n, chunks_ + part.first_chunk, worker);
    worker.wait();
    double squares = 0;  // every worker adds the same chunks, so all get the same norm
    for (int64_t i = 0; i < chunk_count_; ++i) squares += chunks_[i];
    const double norm = sqrt(squares);
    if (!(options_.clip_norm > 0 && norm > options_.clip_norm)) return norm;
    const float factor = static_cast<float>(options_.clip_norm / (norm + 1e-6));
    for (const NormPart& part : norm_parts_) {
      const Range mine = worker.share(part.n, kBlock);
      for (int64_t i = mine.begin; i < mine.end; ++i) part.gradient[i] *= factor;
    }
    return norm;
  }

  // Each place of dropout has a mask of its own.
  Dropout dropout(float p, uint64_t place) const { return {p, random_bits(options_.seed, place)}; }
  Dropout input_dropout() const { return dropout(options_.dropouts.input, 0); }
  Dropout output_dropout() const { return dropout(options_.dropouts.output, 1); }
  Dropout layer_dropout(int64_t l) const { return dropout(options_.dropouts.layer, 2 + 2 * l); }
  Dropout weight_dropout(int64_t l) const { return dropout(options_.dropouts.weight, 3 + 2 * l); }

  void drop_outputs(int64_t l, Dropout dropout, const Operand& dst, Worker& worker) const {
    if (dropout.p == 0) return;
    k_.drop(precision_, layers_[l].outputs(), rows_, blocks(H_), dropout, dst, worker);
    worker.wait();
  }
  void drop_gradient(Blocked x, int64_t columns, Dropout dropout, Worker& worker) const {
    if (dropout.p == 0) return;
    k_.drop_gradient(x, rows_, blocks(columns), dropout, worker);
    worker.wait();
  }
  bool is_tied() const { return gradients_.embedding == gradients_.output_weight; }

  struct NormPart {
    float* gradient;
    int64_t n, first_chunk;
  };

  const Backend backend_;
  const Kernels& k_;
  const Precision precision_;
  const NetworkShape shape_;
  const NetworkArrays &weights_, &gradients_;
  const NetworkState& state_;
  const Batch batch_;
  const StepOptions options_;
  const int64_t L_ = shape_.layers, H_ = shape_.hidden, V_ = shape_.vocabulary;
  const int64_t E_ = shape_.embedding, gate_rows_;  // gate_rows: G * H
  const int64_t row_batch_, rows_;                  // rows of a time step and of the batch
  int32_t *ids_, *targets_;
  uint8_t* resets_ = nullptr;
  std::optional<TokenTable> table_;  // if tokens are projected by entry and not one by one
  std::vector<LayerInput> inputs_;
  std::vector<Layer> layers_;
  std::vector<float*> masked_;  // weight_hh with dropout, or null
  Operand features_, d_logits_;
  void *output_, *output_t_;
  float *output_bias_, *nats_, *scratch_;
  Blocked d_outputs_, d_embedded_;
  std::vector<NormPart> norm_parts_;
  double* chunks_;
  int64_t chunk_count_ = 0;
};

}  // namespace

StepResult TrainingStep::run(const NetworkArrays& weights, const NetworkArrays& gradients,
                             Batch batch, const NetworkState& state, StepOptions options) {
  arena_.reset();
  return Stages(backend_, shape_, weights, gradients, batch, state, options, arena_).run();
}

}  // namespace rnnlab
