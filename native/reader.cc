#include "reader.h"

#include <math.h>
#include <string.h>

#include <algorithm>
#include <functional>

namespace rnnlab {

Reader::Reader(Backend backend, NetworkShape shape, const NetworkArrays& weights, int64_t B,
               int64_t T, int64_t start, int threads, std::shared_ptr<const Mixture> mixture)
    : backend_(backend), shape_(shape), B_(B), start_(start), threads_(threads),
      mixture_(std::move(mixture)) {
  const Kernels& k = *backend.kernels;
  const int64_t L = shape.layers, H = shape.hidden, V = shape.vocabulary, E = shape.embedding;
  ids_ = arena_.take<int32_t>((T + 1) * B);
  targets_ = arena_.take<int32_t>(T * B);
  if (start >= 0) resets_ = arena_.take<uint8_t>((T + 1) * B);
  output_weights_ = backend.take_packed(arena_, blocks(V), blocks(H) * kBlock);
  output_bias_ = arena_.take<float>(blocks(V) * kBlock);
  scratch_ = arena_.take<float>(threads * blocks(V) * kLossRows * kBlock);
  logits_ = take_blocked(arena_, blocks(V), B);
  if (mixture_) contexts_.resize((T + 1) * B * mixture_->order());
  if (mixture_) no_context_.resize(mixture_->order());
  if (mixture_) mixture_->begin(no_context_.data());
  if (mixture_) mixed_.resize(threads * V);
  inputs_.resize(L);
  layers_.reserve(L);
  // Projecting each entry of the vocabulary pays if at least as many tokens follow.
  if (E == 0 || V <= T * B) {
    table_.emplace(k, shape.cell, H, V, E, Pass::forward_only, arena_);
    inputs_[0] = table_->input(ids_);
  } else {
    embedding_ = arena_.take<float>(V * E);
    inputs_[0].x = backend.take_operand(arena_, blocks(E), T * B, Read::plain);
  }
  for (int64_t l = 0; l < L; ++l) {
    const LayerShape layer{shape.cell, T, B, H, l ? H : table_ ? 0 : E};
    layers_.emplace_back(backend, layer, Pass::forward_only, Outputs::operands, start >= 0, arena_);
    inputs_[l].resets = resets_;
    if (l) inputs_[l].x = layers_[l - 1].outputs();
  }
  run_team(threads, [&](Worker& worker) {
    for (int64_t l = 0; l < L; ++l) layers_[l].prepare(weights.layers[l], worker);
    k.pack(backend.precision, weights.output_weight, {1, H, 1}, {1, V, H}, output_weights_, 0,
           worker);
    k.pack_bias(weights.output_bias, nullptr, 0, {1, V, 1}, -INFINITY, output_bias_, worker);
    if (table_) return table_->project(weights.layers[0], weights.embedding, worker);
    const Range mine = worker.share(V * E);
    memcpy(embedding_ + mine.begin, weights.embedding + mine.begin,
           (mine.end - mine.begin) * sizeof(float));
  });
  reset();
}

void Reader::reset() {
  run_team(1, [&](Worker& worker) {
    for (const Layer& layer : layers_) layer.set_state(nullptr, nullptr, worker);
  });
  for (int64_t b = 0; mixture_ && b < B_; ++b) mixture_->begin(contexts(b));
}

void Reader::get_state(const NetworkState& state, int32_t* contexts) {
  run_team(1, [&](Worker& worker) {
    for (size_t l = 0; l < layers_.size(); ++l)
      layers_[l].get_state(0, state.h[l], state.c[l], worker);
  });
  if (mixture_) std::copy_n(this->contexts(0), B_ * mixture_->order(), contexts);
}

void Reader::set_state(const NetworkState& state, const int32_t* contexts) {
  run_team(1, [&](Worker& worker) {
    for (size_t l = 0; l < layers_.size(); ++l)
      layers_[l].set_state(state.h[l], state.c[l], worker);
  });
  if (mixture_) std::copy_n(contexts, B_ * mixture_->order(), this->contexts(0));
}

// Time steps begin .. end - 1 of all layers.
void Reader::read(int64_t begin, int64_t end, Worker& worker) {
  if (embedding_) {
    backend_.kernels->gather(backend_.precision, embedding_, ids_ + begin * B_, (end - begin) * B_,
                             shape_.embedding, {0, 0},
                             backend_.from_row(inputs_[0].x, begin * B_), worker);
    worker.wait();
  }
  for (size_t l = 0; l < layers_.size(); ++l) layers_[l].forward(inputs_[l], begin, end, worker);
}

// The contexts after time steps begin .. end - 1, each worker those of its own sequences.
void Reader::advance_contexts(int64_t begin, int64_t end, const Worker& worker) {
  if (!mixture_) return;
  const Range mine = worker.share(B_);
  for (int64_t t = begin; t < end; ++t)
    for (int64_t b = mine.begin; b < mine.end; ++b) {
      const int64_t row = t * B_ + b;
      // What is before a start still predicts it.
      const int32_t* const before = ids_[row] == start_ ? no_context_.data() : contexts(row);
      mixture_->advance(before, ids_[row], contexts(row + B_));
    }
}

void Reader::carry_contexts(int64_t steps) {
  if (mixture_) std::copy_n(contexts(steps * B_), B_ * mixture_->order(), contexts(0));
}

// The logits after time step t of sequence b; row is t * B + b.
void Reader::mix(int64_t row, const Softmax& network, float* logits, int64_t block_step,
                 const Worker& worker) {
  mixture_->mix(contexts(row + B_), network, logits, block_step,
                mixed_.data() + worker.index * shape_.vocabulary);
}

// The logits of the network after time step t of all sequences; waits at its end.
void Reader::find_logits(int64_t t, Worker& worker) {
  backend_.kernels->product(backend_.precision,
                            {backend_.from_row(layers_.back().outputs(), t * B_), B_,
                             output_weights_, blocks(shape_.hidden), {1, shape_.vocabulary, 1},
                             output_bias_, logits_},
                            worker);
  worker.wait();
}

// Those of the mixture in their place, for sequence b.
void Reader::mix_logits(int64_t t, int64_t b, const Worker& worker) {
  const int64_t V = shape_.vocabulary, block_step = logits_.stride * kBlock;
  float* const logits = logits_.data + b * kBlock;
  for (int64_t v = V; v < blocks(V) * kBlock; ++v)
    logits[v / kBlock * block_step + v % kBlock] = -INFINITY;
  const Softmax network =
      backend_.kernels->softmax(logits, block_step, blocks(V), mixture_->weights());
  mix(t * B_ + b, network, logits, block_step, worker);
}

void Reader::predict(const int64_t* ids, int64_t steps, float* logits) {
  copy_ids(ids, steps, B_, B_, shape_.vocabulary, ids_);
  if (resets_) mark_starts(ids_, steps * B_, start_, resets_);
  run_team(threads_, [&](Worker& worker) {
    advance_contexts(0, steps, worker);
    read(0, steps, worker);
    for (int64_t t = 0; t < steps; ++t) {
      find_logits(t, worker);
      const Range mine = worker.share(mixture_ ? B_ : 0);
      for (int64_t b = mine.begin; b < mine.end; ++b) mix_logits(t, b, worker);
      if (mixture_) worker.wait();
      backend_.kernels->unblock(logits_, 1, B_, B_, shape_.vocabulary,
                                logits + t * B_ * shape_.vocabulary, worker);
      worker.wait();
    }
    for (const Layer& layer : layers_) layer.carry_state(steps, worker);
  });
  carry_contexts(steps);
}

void Reader::score(const int64_t* ids, const int64_t* targets, int64_t steps, float* nats) {
  copy_ids(ids, steps, B_, B_, shape_.vocabulary, ids_);
  copy_ids(targets, steps, B_, B_, shape_.vocabulary, targets_);
  if (resets_) mark_starts(ids_, steps * B_, start_, resets_);
  const int64_t rows = steps * B_;
  Adjustment adjustment;
  if (mixture_)
    adjustment = {[](void* reader, int64_t row, const Softmax& network, float* logits,
                     int64_t block_step, const Worker& worker) {
                    static_cast<Reader*>(reader)->mix(row, network, logits, block_step, worker);
                  },
                  this, mixture_->weights()};
  run_team(threads_, [&](Worker& worker) {
    advance_contexts(0, steps, worker);
    read(0, steps, worker);  // ends with a barrier
    backend_.kernels->loss(backend_.precision,
                           {rows, B_, B_, shape_.vocabulary, layers_.back().outputs(),
                            output_weights_, blocks(shape_.hidden), output_bias_, targets_, nats,
                            0.0f, Operand(), scratch_, adjustment},
                           worker);
    for (const Layer& layer : layers_) layer.carry_state(steps, worker);
  });
  carry_contexts(steps);
}

namespace {

struct Candidate {
  double p;
  int64_t token;
};

// Gives all but the top_k largest a p of -infinity; before, p is a logit.
void keep_top_k(std::vector<Candidate>& candidates, int64_t top_k) {
  std::vector<double> sorted;
  for (const Candidate& c : candidates) sorted.push_back(c.p);
  std::nth_element(sorted.begin(), sorted.begin() + (top_k - 1), sorted.end(),
                   std::greater<double>());
  const double least = sorted[top_k - 1];
  for (Candidate& c : candidates)
    if (c.p < least) c.p = -INFINITY;
}

// Chooses a token from V logits, in blocks `block_step` apart: the most likely, or a draw with
// `uniform` in [0, 1). It follows rnnlab.lm.sampling.choose. Returns -1 if a logit is NaN or
// infinite.
int64_t choose(const float* logits, int64_t block_step, int64_t V, double uniform,
               const Sampling& sampling, std::vector<Candidate>& candidates) {
  int64_t best = -1;
  float most = 0;
  const auto logit = [&](int64_t v) {
    return v == sampling.forbidden ? -INFINITY : logits[v / kBlock * block_step + v % kBlock];
  };
  for (int64_t v = 0; v < V; ++v) {
    const float x = logit(v);
    if (!isfinite(x) && v != sampling.forbidden) return -1;
    if (best < 0 || x > most) best = v, most = x;
  }
  if (sampling.temperature == 0) return best;
  candidates.clear();
  for (int64_t v = 0; v < V; ++v)
    candidates.push_back({(static_cast<double>(logit(v)) - most) / sampling.temperature, v});
  if (sampling.top_k > 0 && sampling.top_k < V) keep_top_k(candidates, sampling.top_k);
  double sum = 0;
  for (Candidate& c : candidates) sum += c.p = exp(c.p);
  std::stable_sort(candidates.begin(), candidates.end(),
                   [](const Candidate& a, const Candidate& b) { return a.p > b.p; });
  double before = 0, kept = 0;
  for (Candidate& c : candidates) {
    const double p = c.p / sum;
    c.p = before >= sampling.top_p ? 0.0 : p;
    before += p;
    kept += c.p;
  }
  double cumulated = 0;
  const double place = uniform * kept;
  int64_t last = candidates[0].token;
  for (const Candidate& c : candidates) {
    if (c.p > 0) last = c.token;
    cumulated += c.p;
    if (cumulated > place) return c.token;
  }
  return last;
}

}  // namespace

bool Reader::generate(int64_t* ids, const bool* known, const double* uniforms, int64_t steps,
                      const Sampling& sampling) {
  const int64_t V = shape_.vocabulary;
  for (int64_t i = 0; i < (steps + 1) * B_; ++i)
    if (i < B_ || known[i]) {
      copy_ids(ids + i, 1, 1, 1, V, ids_ + i);
      if (resets_) mark_starts(ids_ + i, 1, start_, resets_ + i);
    }
  // Time steps after which all tokens are known are read in one go.
  const bool* unknown = std::find(known + B_, known + steps * B_, false);
  const int64_t first_written = (unknown - known) / B_ - 1;
  std::vector<std::vector<Candidate>> candidates(threads_);
  for (auto& list : candidates) list.reserve(V);
  bool sound = true;
  run_team(threads_, [&](Worker& worker) {
    advance_contexts(0, first_written, worker);
    if (first_written) read(0, first_written, worker);
    for (int64_t t = first_written; t < steps; ++t) {
      advance_contexts(t, t + 1, worker);
      read(t, t + 1, worker);
      find_logits(t, worker);
      const Range mine = worker.share(B_);
      for (int64_t b = mine.begin; b < mine.end; ++b) {
        const int64_t place = (t + 1) * B_ + b;
        if (known[place]) continue;
        if (mixture_) mix_logits(t, b, worker);
        const int64_t token = choose(logits_.data + b * kBlock, logits_.stride * kBlock, V,
                                     uniforms[place], sampling, candidates[worker.index]);
        if (token < 0) __atomic_store_n(&sound, false, __ATOMIC_RELAXED);
        ids[place] = ids_[place] = static_cast<int32_t>(token < 0 ? 0 : token);
        if (resets_) mark_starts(ids_ + place, 1, start_, resets_ + place);
      }
      worker.wait();
    }
    for (const Layer& layer : layers_) layer.carry_state(steps, worker);
  });
  carry_contexts(steps);
  return sound;
}

}  // namespace rnnlab
