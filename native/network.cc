#include "network.h"

#include <math.h>
#include <string.h>

#include <algorithm>
#include <functional>

#include "call.h"

namespace rnnlab {
namespace {

uint64_t mixed(uint64_t seed, uint64_t site) {
  uint64_t z = seed + (site + 1) * 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

void zero(float* x, int64_t n, const Worker& worker) {
  const Range mine = worker.share(n, 16);
  memset(x + mine.begin, 0, (mine.end - mine.begin) * sizeof(float));
}

}  // namespace

// With fewer entries than tokens it is less work to project each entry of the vocabulary once than
// to project every token; with one-hot input the projection is the weight itself.
StepResult TrainingStep::run(const NetworkWeights& weights, const NetworkGradients& gradients,
                             const int64_t* ids, const int64_t* targets, int64_t T, int64_t B,
                             const NetworkState& state, Dropouts dropouts, uint64_t seed,
                             double clip_norm, int threads) {
  const Kernels& k = *how_.kernels;
  const int64_t L = shape_.layers, H = shape_.hidden, V = shape_.vocabulary, E = shape_.embedding;
  const int64_t batch = how_.row_batch(B), rows = T * batch, units = blocks(H);
  const bool table = E == 0 || (V <= rows && dropouts.input == 0);
  const How exact{how_.kernels, Precision::float32};  // the table of an embedding is small
  arena_.reset();

  int32_t* own_ids = arena_.take<int32_t>(rows);
  int32_t* own_targets = arena_.take<int32_t>(rows);
  copy_ids(ids, T, B, batch, V, own_ids);
  copy_ids(targets, T, B, batch, V, own_targets);

  // Input.
  const int64_t columns = cell_shape(shape_.cell).gates * units;
  const Axis gates{cell_shape(shape_.cell).gates, H, E ? E : V};
  std::vector<LayerInput> inputs(L);
  float *projected = nullptr, *d_projected = nullptr, *table_bias = nullptr, *d_embedded = nullptr;
  Operand entries;
  void *table_weights = nullptr, *table_weights_t = nullptr;
  const int64_t table_stride = row_stride(V);
  inputs[0].size = E;
  if (table) {
    projected = arena_.take<float>(columns * table_stride * kBlock);
    d_projected = arena_.take<float>(columns * table_stride * kBlock);
    table_bias = arena_.take<float>(columns * kBlock);
    inputs[0].ids = own_ids, inputs[0].table = projected, inputs[0].table_stride = table_stride;
    if (E) {
      entries = Operand::take(exact, arena_, blocks(E), V, true);
      table_weights = exact.operand(arena_, columns, blocks(E) * kBlock);
      table_weights_t = exact.operand(arena_, blocks(E), columns * kBlock);
      d_embedded = arena_.take<float>(blocks(E) * table_stride * kBlock);
    }
  } else {
    inputs[0].x = Operand::take(how_, arena_, blocks(E), rows, true);
    d_embedded = arena_.take<float>(blocks(E) * row_stride(rows) * kBlock);
  }

  // Layers.
  const int64_t d_stride = row_stride(rows);
  std::vector<Layer> layers;
  std::vector<float*> masked(L, nullptr);
  for (int64_t l = 0; l < L; ++l) {
    const int64_t dense = l ? H : table ? 0 : E;
    layers.emplace_back(how_, shape_.cell, T, B, H, dense, true, false, dense > 0, arena_);
    if (dropouts.weight > 0) masked[l] = arena_.take<float>(gates.gates * H * H);
    if (!l) continue;
    inputs[l].size = H;
    inputs[l].x = dropouts.layer > 0 ? Operand::take(how_, arena_, units, rows, true)
                                     : layers[l - 1].outputs();
  }
  float* d_outputs = arena_.take<float>(units * d_stride * kBlock);

  // Output layer.
  const Operand features = dropouts.output > 0 ? Operand::take(how_, arena_, units, rows, true)
                                               : layers[L - 1].outputs();
  void* output = how_.operand(arena_, blocks(V), units * kBlock);
  void* output_t = how_.operand(arena_, units, blocks(V) * kBlock);
  float* output_bias = arena_.take<float>(blocks(V) * kBlock);
  const Operand d_logits = Operand::take(how_, arena_, blocks(V), rows, true);
  float* nats = arena_.take<float>(rows);
  float* scratch = arena_.take<float>(threads * blocks(V) * kLossRows * kBlock);

  // Chunks of the norm.
  struct Part {
    float* x;
    int64_t n;
    double* chunks;
  };
  std::vector<Part> parts;
  int64_t chunk_count = 0;
  const auto add_part = [&](float* x, int64_t n) {
    parts.push_back({x, n, nullptr});
    chunk_count += (n + kNormChunk - 1) / kNormChunk;
  };
  const bool tied = gradients.embedding && gradients.embedding == gradients.output_weight;
  if (E && !tied) add_part(gradients.embedding, V * E);
  for (int64_t l = 0; l < L; ++l) {
    const LayerGradients& g = gradients.layers[l];
    add_part(g.weight_ih, gates.gates * H * (l ? H : E ? E : V));
    add_part(g.weight_hh, gates.gates * H * H);
    add_part(g.bias_ih, gates.gates * H);
    add_part(g.bias_hh, gates.gates * H);
  }
  add_part(gradients.output_weight, V * H);
  add_part(gradients.output_bias, V);
  double* chunks = arena_.take<double>(chunk_count);
  int64_t first = 0;
  for (Part& part : parts) {
    part.chunks = chunks + first;
    first += (part.n + kNormChunk - 1) / kNormChunk;
  }

  StepResult result{};
  const auto dropout = [&](float p, int site) { return Dropout{p, mixed(seed, site)}; };
  enum { input_site, output_site, first_layer_site };
  const auto layer_site = [&](int64_t l) { return static_cast<int>(first_layer_site + 2 * l); };

  team(threads, [&](Worker& worker) {
    // Packed weights.
    if (dropouts.weight > 0) {
      for (int64_t l = 0; l < L; ++l)
        k.drop_weights(weights.layers[l].weight_hh, masked[l], gates.gates * H * H,
                       dropout(dropouts.weight, layer_site(l) + 1), worker);
      worker.wait();
    }
    for (int64_t l = 0; l < L; ++l) {
      LayerWeights w = weights.layers[l];
      if (masked[l]) w.weight_hh = masked[l];
      layers[l].prepare(w, worker);
      layers[l].set_state(state.h[l], state.c[l], worker);
    }
    const Axis hidden{1, H, 1}, vocabulary{1, V, 1};
    k.pack(how_.precision, weights.output_weight, hidden, {1, V, H}, output, 0, worker);
    k.pack(how_.precision, weights.output_weight, {1, V, H}, hidden, output_t, 0, worker);
    k.pack_bias(weights.output_bias, nullptr, vocabulary, false, -INFINITY, output_bias, worker);

    // Input.
    const LayerWeights& w0 = weights.layers[0];
    if (table) {
      layers[0].pack_input_bias(w0, table_bias, worker);
      if (E) {
        k.pack(Precision::float32, w0.weight_ih, {1, E, 1}, gates, table_weights, 0, worker);
        k.pack(Precision::float32, w0.weight_ih, gates, {1, E, 1}, table_weights_t, 0, worker);
        k.block(Precision::float32, weights.embedding, 1, V, V, E, entries.plain, nullptr,
                entries.stride, worker);
        worker.wait();
        k.product(Precision::float32,
                  {entries.plain, entries.stride, V, table_weights, blocks(E), columns, table_bias,
                   projected, table_stride},
                  worker);
      } else {
        k.pack(Precision::float32, w0.weight_ih, {1, V, 1}, gates, projected, table_stride, worker);
        worker.wait();
        k.add_bias(projected, table_stride, V, columns, table_bias, worker);
      }
    } else {
      k.gather(how_.precision, weights.embedding, own_ids, rows, E,
               dropout(dropouts.input, input_site), inputs[0].x.plain, inputs[0].x.paired,
               inputs[0].x.stride, worker);
    }
    worker.wait();

    // Forward.
    for (int64_t l = 0; l < L; ++l) {
      if (l && dropouts.layer > 0) {
        const Operand below = layers[l - 1].outputs();
        k.drop(how_.precision, below.plain, below.stride, rows, units,
               dropout(dropouts.layer, layer_site(l)), inputs[l].x.plain, inputs[l].x.paired,
               inputs[l].x.stride, worker);
        worker.wait();
      }
      layers[l].forward(inputs[l], 0, T, worker);
    }
    if (dropouts.output > 0) {
      const Operand top = layers[L - 1].outputs();
      k.drop(how_.precision, top.plain, top.stride, rows, units,
             dropout(dropouts.output, output_site), features.plain, features.paired,
             features.stride, worker);
      worker.wait();
    }

    // Loss.
    const float scale = 1.0f / static_cast<float>(T * B);
    k.loss(how_.precision,
           {rows, batch, B, V, features.plain, features.stride, output, units, output_bias,
            own_targets, nats, scale, d_logits.plain, d_logits.paired, d_logits.stride, scratch},
           worker);
    worker.wait();
    k.product(how_.precision,
              {d_logits.plain, d_logits.stride, rows, output_t, blocks(V), units, nullptr,
               d_outputs, d_stride},
              worker);
    k.outer_product(how_.precision,
                    {d_logits.paired, d_logits.stride, {1, V, H}, features.paired, features.stride,
                     H, rows, gradients.output_weight, false},
                    worker);
    k.column_sums(how_.precision, d_logits.paired, d_logits.stride, rows, vocabulary,
                  gradients.output_bias, worker);
    worker.wait();
    if (dropouts.output > 0) {
      k.drop_gradient(d_outputs, d_stride, rows, units, dropout(dropouts.output, output_site),
                      worker);
      worker.wait();
    }

    // Backward.
    for (int64_t l = L - 1; l >= 0; --l) {
      layers[l].backward(inputs[l], d_outputs, d_stride, nullptr, nullptr, gradients.layers[l],
                         worker);
      if (masked[l])
        k.drop_weights(gradients.layers[l].weight_hh, gradients.layers[l].weight_hh,
                       gates.gates * H * H, dropout(dropouts.weight, layer_site(l) + 1), worker);
      if (l) {
        layers[l].input_gradient(H, d_outputs, d_stride, worker);
        if (dropouts.layer > 0) {
          k.drop_gradient(d_outputs, d_stride, rows, units,
                          dropout(dropouts.layer, layer_site(l)), worker);
          worker.wait();
        }
      }
      layers[l].get_state(T, state.h[l], state.c[l], worker);
    }

    // Gradient of the input.
    const Operand& d_gates = layers[0].gate_gradients();
    if (E && !tied) zero(gradients.embedding, V * E, worker);
    if (table) {
      k.scatter(how_.precision, d_gates.paired, d_gates.stride, own_ids, rows, columns, V,
                d_projected, table_stride, worker);
      worker.wait();
      if (E) {
        k.outer_product(Precision::float32,
                        {d_projected, table_stride, gates, entries.paired, entries.stride, E, V,
                         gradients.layers[0].weight_ih, false},
                        worker);
        k.product(Precision::float32,
                  {d_projected, table_stride, V, table_weights_t, columns, blocks(E), nullptr,
                   d_embedded, table_stride},
                  worker);
        worker.wait();
        // Each entry of the table is a row of its own.
        const Range mine = worker.share(V);
        for (int64_t v = mine.begin; v < mine.end; ++v)
          for (int64_t e = 0; e < E; ++e)
            gradients.embedding[v * E + e] +=
                d_embedded[(e / kBlock * table_stride + v) * kBlock + e % kBlock];
      } else {
        k.unpack(d_projected, table_stride, {1, V, 1}, gates, gradients.layers[0].weight_ih,
                 worker);
      }
    } else {
      layers[0].input_gradient(E, d_embedded, d_stride, worker);
      if (dropouts.input > 0) {
        k.drop_gradient(d_embedded, d_stride, rows, blocks(E), dropout(dropouts.input, input_site),
                        worker);
        worker.wait();
      }
      k.scatter_rows(d_embedded, d_stride, own_ids, rows, E, gradients.embedding, worker);
    }
    worker.wait();

    // Norm and clipping. Every worker adds up the same chunks, so all come to the same scale.
    for (const Part& part : parts) k.square_sums(part.x, part.n, part.chunks, worker);
    worker.wait();
    double squares = 0;
    for (int64_t i = 0; i < chunk_count; ++i) squares += chunks[i];
    const double norm = sqrt(squares);
    if (clip_norm > 0 && norm > clip_norm) {
      const float factor = static_cast<float>(clip_norm / (norm + 1e-6));
      for (const Part& part : parts) {
        const Range mine = worker.share(part.n, 16);
        for (int64_t i = mine.begin; i < mine.end; ++i) part.x[i] *= factor;
      }
    }
    if (worker.index == 0) {
      double total = 0;
      for (int64_t r = 0; r < rows; ++r) total += nats[r];
      result = {total / static_cast<double>(T * B), norm};
    }
  });
  return result;
}

Reader::Reader(How how, NetworkShape shape, const NetworkWeights& weights, int64_t B, int64_t T,
               bool project_table, int threads)
    : how_(how), shape_(shape), B_(B), T_(T), threads_(threads), own_embedding_(nullptr) {
  const Kernels& k = *how_.kernels;
  const int64_t L = shape_.layers, H = shape_.hidden, V = shape_.vocabulary, E = shape_.embedding;
  const int64_t G = cell_shape(shape_.cell).gates, columns = G * blocks(H), units = blocks(H);
  const bool table = E == 0 || project_table;
  const int64_t stride = row_stride(V);
  ids_ = arena_.take<int32_t>((T + 1) * B);
  targets_ = arena_.take<int32_t>(T * B);
  nats_ = arena_.take<float>(T * B);
  output_weights_ = how_.operand(arena_, blocks(V), units * kBlock);
  output_bias_ = arena_.take<float>(blocks(V) * kBlock);
  scratch_ = arena_.take<float>(threads * blocks(V) * kLossRows * kBlock);
  logits_ = arena_.take<float>(blocks(V) * row_stride(B) * kBlock);
  inputs_.resize(L);
  layers_.reserve(L);
  float *projected = nullptr, *bias = nullptr;
  Operand entries;
  void* table_weights = nullptr;
  if (table) {
    projected = arena_.take<float>(columns * stride * kBlock);
    bias = arena_.take<float>(columns * kBlock);
    inputs_[0].ids = ids_, inputs_[0].table = projected, inputs_[0].table_stride = stride;
    if (E) {
      entries = Operand::take(how_, arena_, blocks(E), V, false);
      table_weights = how_.operand(arena_, columns, blocks(E) * kBlock);
    }
  } else {
    own_embedding_ = arena_.take<float>(V * E);
    inputs_[0].x = Operand::take(how_, arena_, blocks(E), T * B, false);
    inputs_[0].size = E;
  }
  for (int64_t l = 0; l < L; ++l) {
    layers_.emplace_back(how_, shape_.cell, T, B, H, l ? H : table ? 0 : E, false, false, false,
                         arena_);
    if (l) inputs_[l].x = layers_[l - 1].outputs(), inputs_[l].size = H;
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
    if (!table) return;
    const LayerWeights& w = weights.layers[0];
    layers_[0].pack_input_bias(w, bias, worker);
    if (E) {
      k.pack(how_.precision, w.weight_ih, {1, E, 1}, {G, H, E}, table_weights, 0, worker);
      k.block(how_.precision, weights.embedding, 1, V, V, E, entries.plain, entries.paired,
              entries.stride, worker);
      worker.wait();
      k.product(how_.precision,
                {entries.plain, entries.stride, V, table_weights, blocks(E), columns, bias,
                 projected, stride},
                worker);
    } else {
      k.pack(Precision::float32, w.weight_ih, {1, V, 1}, {G, H, V}, projected, stride, worker);
      worker.wait();
      k.add_bias(projected, stride, V, columns, bias, worker);
    }
  });
}

void Reader::set_state(const NetworkState& state) {
  team(1, [&](Worker& worker) {
    for (size_t l = 0; l < layers_.size(); ++l)
      layers_[l].set_state(state.h[l], state.c[l], worker);
  });
}

void Reader::get_state(const NetworkState& state) {
  team(1, [&](Worker& worker) {
    for (size_t l = 0; l < layers_.size(); ++l)
      layers_[l].get_state(0, state.h[l], state.c[l], worker);
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
// rnnlab.lm.generate.choose. -1: a logit is NaN.
int64_t choose(const float* logits, int64_t block_step, int64_t V, double uniform,
               const Choice& choice, std::vector<Candidate>& candidates) {
  int64_t best = -1;
  float most = 0;
  const auto logit = [&](int64_t v) {
    return v == choice.forbidden ? -INFINITY : logits[v / kBlock * block_step + v % kBlock];
  };
  for (int64_t v = 0; v < V; ++v) {
    const float x = logit(v);
    if (isnan(x)) return -1;
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
