// What kernels_test works with: counted checks, arrays without spare memory at their end, a model
// with random weights, and one training step of it.
#pragma once

#include <math.h>
#include <stdio.h>
#include <string.h>

#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "../training_step.h"

namespace rnnlab::tests {

inline int failures = 0, checks = 0;
inline std::string running;  // the current case, for messages

inline void check(bool good, const std::string& what) {
  ++checks;
  if (good) return;
  ++failures;
  if (failures <= 40) printf("FAILED %s: %s\n", running.c_str(), what.c_str());
}

// An array that ends where its allocation ends, so that a sanitizer sees an access beyond it.
struct Floats {
  std::unique_ptr<float[]> data;
  int64_t size = 0;

  Floats() = default;
  explicit Floats(int64_t n) : data(new float[n]), size(n) {
    std::fill(data.get(), data.get() + n, nanf(""));
  }
  float* get() const { return data.get(); }
  bool finite() const {
    return std::all_of(get(), get() + size, [](float x) { return isfinite(x); });
  }
};

inline bool same_bits(const Floats& a, const Floats& b) {
  return a.size == b.size && !memcmp(a.get(), b.get(), a.size * sizeof(float));
}

inline double difference(const Floats& a, const Floats& b) {
  double squares = 0, size = 0;
  for (int64_t i = 0; i < a.size; ++i) {
    const double d = (double)a.get()[i] - b.get()[i];
    squares += d * d, size += (double)b.get()[i] * b.get()[i];
  }
  return sqrt(squares / (size > 1e-30 ? size : 1.0));
}

inline std::mt19937 generator(1);

inline Floats random(int64_t n, float bound) {
  Floats x(n);
  std::uniform_real_distribution<float> draw(-bound, bound);
  for (int64_t i = 0; i < n; ++i) x.get()[i] = draw(generator);
  return x;
}

template <class T>
std::unique_ptr<T[]> random_ids(int64_t n, int64_t bound) {
  std::unique_ptr<T[]> ids(new T[n]);
  for (int64_t i = 0; i < n; ++i) ids[i] = generator() % bound;
  return ids;
}

inline const char* const cell_names[kCells] = {"rnn", "rnn-relu", "gru", "lstm"};

enum class Embedding { own, tied };

// Whether a cell's state has a c.
inline bool has_c(CellKind cell) { return cell_shape(cell).has_c; }

// A model, its gradients and a state.
struct Model {
  NetworkShape shape;
  Embedding tying;
  std::vector<Floats> weights, gradients;  // embedding; four per layer; two of the output layer
  std::vector<Floats> state;               // h and c of each layer

  Model(NetworkShape s, Embedding tying, int64_t B) : shape(s), tying(tying) {
    const int64_t G = cell_shape(s.cell).gates, H = s.hidden, V = s.vocabulary, E = s.embedding;
    const float bound = 1 / sqrtf(H);
    std::vector<int64_t> sizes{V * E};
    for (int64_t l = 0; l < s.layers; ++l)
      sizes.insert(sizes.end(), {G * H * s.input_size(l), G * H * H, G * H, G * H});
    sizes.insert(sizes.end(), {V * H, V});
    for (int64_t n : sizes) weights.push_back(random(n, bound)), gradients.emplace_back(n);
    for (int64_t l = 0; l < s.layers; ++l)
      for (int part = 0; part < 2; ++part) state.push_back(random(B * H, 1));
  }

  NetworkArrays network(const std::vector<Floats>& arrays) const {
    const size_t last = arrays.size() - 2;
    const Floats& embedding = arrays[tying == Embedding::tied ? last : 0];
    NetworkArrays n{shape.embedding ? embedding.get() : nullptr, {}, arrays[last].get(),
                    arrays[last + 1].get()};
    for (size_t i = 1; i < last; i += 4)
      n.layers.push_back({arrays[i].get(), arrays[i + 1].get(), arrays[i + 2].get(),
                          arrays[i + 3].get()});
    return n;
  }
  bool used(size_t parameter) const {
    return parameter > 0 || (shape.embedding && tying == Embedding::own);
  }
};

struct Outcome {
  StepResult result;
  std::vector<Floats> arrays;  // gradients, then the state
};

inline Outcome step(TrainingStep& training, Model& model, Batch batch, Dropouts dropouts,
                    double clip_norm, int threads) {
  Outcome outcome;
  for (Floats& gradient : model.gradients) gradient = Floats(gradient.size);  // NaN until written
  for (const Floats& part : model.state) {
    outcome.arrays.emplace_back(part.size);
    memcpy(outcome.arrays.back().get(), part.get(), part.size * sizeof(float));
  }
  NetworkState state;
  for (size_t i = 0; i < outcome.arrays.size(); i += 2) {
    state.h.push_back(outcome.arrays[i].get());
    state.c.push_back(has_c(model.shape.cell) ? outcome.arrays[i + 1].get() : nullptr);
  }
  outcome.result = training.run(model.network(model.weights), model.network(model.gradients), batch,
                                state, {dropouts, 77, clip_norm, threads});
  for (size_t i = 0; i < model.gradients.size(); ++i)
    if (model.used(i)) outcome.arrays.push_back(std::move(model.gradients[i]));
  return outcome;
}

inline void restore(Model& model) {
  for (size_t i = 0; i < model.gradients.size(); ++i)
    model.gradients[i] = Floats(model.weights[i].size);
}

inline void compare(const Outcome& one, const Outcome& other, double tolerance,
                    const std::string& what) {
  check(one.arrays.size() == other.arrays.size(), what + ": number of arrays");
  for (size_t i = 0; i < one.arrays.size(); ++i) {
    if (tolerance == 0) {
      check(same_bits(one.arrays[i], other.arrays[i]), what + ": array " + std::to_string(i));
    } else {
      const double d = difference(other.arrays[i], one.arrays[i]);
      check(d <= tolerance, what + ": array " + std::to_string(i) + " by " + std::to_string(d));
    }
  }
  const double loss = fabs(one.result.nats - other.result.nats);
  check(tolerance == 0 ? loss == 0 && one.result.gradient_norm == other.result.gradient_norm
                       : loss <= tolerance * (1 + fabs(one.result.nats)),
        what + ": loss");
}

}  // namespace rnnlab::tests
