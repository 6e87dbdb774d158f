#include "reader.h"

#include <math.h>
#include <string.h>

#include <algorithm>
#include <functional>

#include "call.h"

namespace rnnlab {

Reader::Reader(How how, NetworkShape shape, const NetworkWeights& weights, int64_t B, int64_t T,
               bool project_table, int threads)
    : how_(how), shape_(shape), B_(B), threads_(threads), own_embedding_(nullptr) {
  const Kernels& k = *how_.kernels;
  const int64_t L = shape_.layers, H = shape_.hidden, V = shape_.vocabulary, E = shape_.embedding;
  const int64_t units = blocks(H);
  const bool table = E == 0 || project_table;
  ids_ = arena_.take<int32_t>((T + 1) * B);
  targets_ = arena_.take<int32_t>(T * B);
  nats_ = arena_.take<float>(T * B);
  output_weights_ = how_.operand(arena_, blocks(V), units * kBlock);
  output_bias_ = arena_.take<float>(blocks(V) * kBlock);
  scratch_ = arena_.take<float>(threads * blocks(V) * kLossRows * kBlock);
  logits_ = arena_.take<float>(blocks(V) * row_stride(B) * kBlock);
  inputs_.resize(L);
  layers_.reserve(L);
  if (table) {
    table_.emplace(k, shape_.cell, H, V, E, false, arena_);
    inputs_[0] = table_->input(ids_);
  } else {
    own_embedding_ = arena_.take<float>(V * E);
    inputs_[0].x = Operand::take(how_, arena_, blocks(E), T * B, false);
  }
  for (int64_t l = 0; l < L; ++l) {
    layers_.emplace_back(how_, shape_.cell, T, B, H, l ? H : table ? 0 : E, false, false, false,
                         arena_);
    if (l) inputs_[l].x = layers_[l - 1].outputs();
  }
  team(threads_, [&](Worker& worker) {
    for (int64_t l = 0; l < L; ++l) {
      layers_[l].prepare(weights.layers[l], worker);
      layers_[l].set_state(nullptr, nullptr, worker);
    }
    k.pack(how_.precision, weights.output_weight, {1, H, 1}, {1, V, H}, output_weights_, 0, worker);
    k.pack_bias(weights.output_bias, nullptr, {1, V, 1}, false, -INFINITY, output_bias_, worker);
    if (own_embedding_) {
      const Range mine = worker.share(V * E);
      memcpy(own_embedding_ + mine.begin, weights.embedding + mine.begin,
             (mine.end - mine.begin) * sizeof(float));
    }
    if (table_) table_->project(weights.layers[0], weights.embedding, worker);
  });
}

void Reader::set_state(const NetworkState& state) {
  team(1, [&](Worker& worker) {
    for (size_t l = 0; l < layers_.size(); ++l)
      layers_[l].set_state(state.h[l], state.c[l], worker);
  });
}

void Reader::read(int64_t begin, int64_t end, Worker& worker) {
  if (own_embedding_) {
    const Operand x = inputs_[0].x.from_row(how_, begin * B_);
    how_.kernels->gather(how_.precision, own_embedding_, ids_ + begin * B_, (end - begin) * B_,
                         shape_.embedding, {0, 0}, x.plain, x.paired, x.stride, worker);
    worker.wait();
  }
  for (size_t l = 0; l < layers_.size(); ++l) layers_[l].forward(inputs_[l], begin, end, worker);
}

double Reader::score(const int64_t* ids, const int64_t* targets, int64_t steps) {
  copy_ids(ids, steps, B_, B_, shape_.vocabulary, ids_);
  copy_ids(targets, steps, B_, B_, shape_.vocabulary, targets_);
  const Operand features = layers_.back().outputs();
  const int64_t rows = steps * B_;
  team(threads_, [&](Worker& worker) {
    read(0, steps, worker);
    how_.kernels->loss(how_.precision,
                       {rows, B_, B_, shape_.vocabulary, features.plain, features.stride,
                        output_weights_, blocks(shape_.hidden), output_bias_, targets_, nats_, 0.0f,
                        nullptr, nullptr, 0, scratch_},
                       worker);
    for (const Layer& layer : layers_) layer.wrap(steps, worker);
  });
  double total = 0;
  for (int64_t r = 0; r < rows; ++r) total += nats_[r];
  return total;
}

namespace {

struct Candidate {
  double p;
  int64_t token;
};

// A token from logits (V,): the likeliest, or a draw with `uniform` in [0, 1). The rule is that of
// rnnlab.lm.generate.choose. -1: a logit is NaN or infinite.
int64_t choose(const float* logits, int64_t block_step, int64_t V, double uniform,
               const Choice& choice, std::vector<Candidate>& candidates) {
  int64_t best = -1;
  float most = 0;
  const auto logit = [&](int64_t v) {
    return v == choice.forbidden ? -INFINITY : logits[v / kBlock * block_step + v % kBlock];
  };
  for (int64_t v = 0; v < V; ++v) {
    const float x = logit(v);
    if (!isfinite(x) && v != choice.forbidden) return -1;
    if (best < 0 || x > most) best = v, most = x;
  }
  if (choice.temperature == 0) return best;
  candidates.clear();
  for (int64_t v = 0; v < V; ++v)
    candidates.push_back({(static_cast<double>(logit(v)) - most) / choice.temperature, v});
  if (choice.top_k > 0 && choice.top_k < V) {
    std::vector<double> sorted;
    for (const Candidate& c : candidates) sorted.push_back(c.p);
    std::nth_element(sorted.begin(), sorted.begin() + (choice.top_k - 1), sorted.end(),
                     std::greater<double>());
    const double least = sorted[choice.top_k - 1];
    for (Candidate& c : candidates)
      if (c.p < least) c.p = -INFINITY;
  }
  double sum = 0;
  for (Candidate& c : candidates) sum += c.p = exp(c.p);
  std::stable_sort(candidates.begin(), candidates.end(),
                   [](const Candidate& a, const Candidate& b) { return a.p > b.p; });
  double before = 0, kept = 0;
  for (Candidate& c : candidates) {
    const double p = c.p / sum;
    c.p = before >= choice.top_p ? 0.0 : p;
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

bool Reader::generate(int64_t* ids, const uint8_t* known, const double* uniforms, int64_t steps,
                      const Choice& choice) {
  const int64_t V = shape_.vocabulary, stride = row_stride(B_);
  for (int64_t i = 0; i < (steps + 1) * B_; ++i)
    if (i < B_ || known[i]) copy_ids(ids + i, 1, 1, 1, V, ids_ + i);
  // Where the whole batch only reads, it reads in one go.
  int64_t reading = 0;
  while (reading + 1 < steps &&
         std::all_of(known + (reading + 1) * B_, known + (reading + 2) * B_, [](uint8_t k) { return k; }))
    ++reading;
  const Operand features = layers_.back().outputs();
  std::vector<std::vector<Candidate>> candidates(threads_);
  for (auto& list : candidates) list.reserve(V);
  bool sound = true;
  team(threads_, [&](Worker& worker) {
    if (reading) read(0, reading, worker);
    for (int64_t t = reading; t < steps; ++t) {
      read(t, t + 1, worker);
      how_.kernels->product(how_.precision,
                            {features.from_row(how_, t * B_).plain, features.stride, B_,
                             output_weights_, blocks(shape_.hidden), blocks(V), output_bias_,
                             logits_, stride},
                            worker);
      worker.wait();
      const Range mine = worker.share(B_);
      for (int64_t b = mine.begin; b < mine.end; ++b) {
        const int64_t place = (t + 1) * B_ + b;
        if (known[place]) continue;
        const int64_t token = choose(logits_ + b * kBlock, stride * kBlock, V, uniforms[place],
                                     choice, candidates[worker.index]);
        if (token < 0) __atomic_store_n(&sound, false, __ATOMIC_RELAXED);
        ids[place] = ids_[place] = static_cast<int32_t>(token < 0 ? 0 : token);
      }
      worker.wait();
    }
    for (const Layer& layer : layers_) layer.wrap(steps, worker);
  });
  return sound;
}

}  // namespace rnnlab
