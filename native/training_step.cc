#include "training_step.h"

#include <math.h>
#include <string.h>

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

}  // namespace rnnlab
