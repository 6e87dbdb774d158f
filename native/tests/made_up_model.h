// What kernels_test runs on: checks that count, arrays that end where their memory ends, a model
// with random weights and one training step of it.
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
inline std::string now;  // what is running, for messages

inline void check(bool good, const std::string& what) {
  ++checks;
  if (good) return;
  ++failures;
  if (failures <= 40) printf("FAILED %s: %s\n", now.c_str(), what.c_str());
}

// An array whose end is the end of its allocation, so that one element beyond is seen.
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

// A model, its gradients, a batch and a state.
struct Model {
  NetworkShape shape;
  bool tied;
  std::vector<Floats> weights, gradients;  // embedding, four a layer, output's two
  std::vector<Floats> state;               // h and c of each layer

  Model(NetworkShape s, bool tied, int64_t B) : shape(s), tied(tied) {
    const int64_t G = cell_shape(s.cell).gates, H = s.hidden, V = s.vocabulary, E = s.embedding;
    const float bound = 1 / sqrtf(H);
    std::vector<int64_t> sizes{V * E};
    for (int64_t l = 0; l < s.layers; ++l)
      sizes.insert(sizes.end(), {G * H * (l ? H : E ? E : V), G * H * H, G * H, G * H});
    sizes.insert(sizes.end(), {V * H, V});
    for (int64_t n : sizes) weights.push_back(random(n, bound)), gradients.emplace_back(n);
    for (int64_t l = 0; l < s.layers; ++l)
      for (int part = 0; part < 2; ++part) state.push_back(random(B * H, 1));
  }

  NetworkWeights network_weights() const { return network<NetworkWeights>(weights); }
  NetworkGradients network_gradients() const { return network<NetworkGradients>(gradients); }
  bool used(size_t parameter) const { return parameter > 0 || (shape.embedding && !tied); }

 private:
  template <class Network>
  Network network(const std::vector<Floats>& arrays) const {
    const size_t last = arrays.size() - 2;
    Network n{shape.embedding ? arrays[tied ? last : 0].get() : nullptr, {}, arrays[last].get(),
              arrays[last + 1].get()};
    for (int64_t l = 0; l < shape.layers; ++l)
      n.layers.push_back({arrays[1 + 4 * l].get(), arrays[2 + 4 * l].get(),
                          arrays[3 + 4 * l].get(), arrays[4 + 4 * l].get()});
    return n;
  }
};

struct Outcome {
  StepResult result;
  std::vector<Floats> arrays;  // gradients, then the state
};

inline Outcome step(TrainingStep& training, Model& model, const int64_t* ids,
                    const int64_t* targets, int64_t T, int64_t B, Dropouts dropouts, double clip,
                    int threads) {
  Outcome outcome;
  for (size_t i = 0; i < model.gradients.size(); ++i)
    model.gradients[i] = Floats(model.gradients[i].size);  // NaN: all must be written
  NetworkState state;
  for (size_t i = 0; i < model.state.size(); ++i) {
    outcome.arrays.emplace_back(model.state[i].size);
    memcpy(outcome.arrays[i].get(), model.state[i].get(), model.state[i].size * sizeof(float));
    const bool cell = cell_shape(model.shape.cell).cell;
    (i % 2 ? state.c : state.h).push_back(i % 2 && !cell ? nullptr : outcome.arrays[i].get());
  }
  outcome.result = training.run(model.network_weights(), model.network_gradients(), ids, targets,
                                T, B, state, dropouts, 77, clip, threads);
  for (size_t i = 0; i < model.gradients.size(); ++i)
    if (model.used(i)) outcome.arrays.push_back(std::move(model.gradients[i]));
  for (Floats& gradient : model.gradients)
    if (!gradient.size) gradient = Floats(0);
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
