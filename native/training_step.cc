#include "training_step.h"

#include <math.h>
#include <string.h>

#include <optional>

#include "call.h"
#include "token_table.h"

namespace rnnlab {
namespace {

void zero(float* x, int64_t n, const Worker& worker) {
  const Range mine = worker.share(n, 16);
  memset(x + mine.begin, 0, (mine.end - mine.begin) * sizeof(float));
}

}  // namespace

StepResult TrainingStep::run(const NetworkWeights& weights, const NetworkGradients& gradients,
                             const int64_t* ids, const int64_t* targets, int64_t T, int64_t B,
                             const NetworkState& state, Dropouts dropouts, uint64_t seed,
                             double clip_norm, int threads) {
  const Kernels& k = *how_.kernels;
  const int64_t L = shape_.layers, H = shape_.hidden, V = shape_.vocabulary, E = shape_.embedding;
  const int64_t batch = how_.row_batch(B), rows = T * batch, units = blocks(H);
  const bool table = E == 0 || (V <= rows && dropouts.input == 0);
  arena_.reset();

  int32_t* own_ids = arena_.take<int32_t>(rows);
  int32_t* own_targets = arena_.take<int32_t>(rows);
  copy_ids(ids, T, B, batch, V, own_ids);
  copy_ids(targets, T, B, batch, V, own_targets);

  // Input.
  const Axis gates{cell_shape(shape_.cell).gates, H, 1};
  std::vector<LayerInput> inputs(L);
  std::optional<TokenTable> tokens;
  float* d_embedded = nullptr;
  if (table) {
    tokens.emplace(k, shape_.cell, H, V, E, true, arena_);
    inputs[0] = tokens->input(own_ids);
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
  const auto dropout = [&](float p, int site) { return Dropout{p, random_bits(seed, site)}; };
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
    if (tokens) {
      tokens->project(weights.layers[0], weights.embedding, worker);
    } else {
      k.gather(how_.precision, weights.embedding, own_ids, rows, E,
               dropout(dropouts.input, input_site), inputs[0].x.plain, inputs[0].x.paired,
               inputs[0].x.stride, worker);
      worker.wait();
    }

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
                     H, rows, gradients.output_weight},
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
        layers[l].input_gradient(d_outputs, d_stride, worker);
        if (dropouts.layer > 0) {
          k.drop_gradient(d_outputs, d_stride, rows, units,
                          dropout(dropouts.layer, layer_site(l)), worker);
          worker.wait();
        }
      }
      layers[l].get_state(T, state.h[l], state.c[l], worker);
    }

    // Gradient of the input.
    if (E && !tied) zero(gradients.embedding, V * E, worker);
    if (tokens) {
      tokens->gradient(how_, layers[0].gate_gradients(), own_ids, rows,
                       gradients.layers[0].weight_ih, gradients.embedding, worker);
    } else {
      layers[0].input_gradient(d_embedded, d_stride, worker);
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
