// Readers: scores and texts, with and without an n-gram model that joins the network.
#pragma once

#include <algorithm>
#include <memory>
#include <vector>

#include "../reader.h"
#include "levels.h"
#include "made_up_mixture.h"

namespace rnnlab::tests {

struct ReaderCase {
  int64_t layers, H, V, E, T, B;  // tokens are projected by entry if V <= T * B or E is 0
};

// What one reader returns: scores, and texts for several ways of sampling.
struct Reading {
  std::vector<float> nats;
  std::vector<int64_t> texts;
};

inline Reading read(Reader& reader, const ReaderCase& c, const int64_t* ids, const bool* known,
             const double* uniforms) {
  Reading reading{};
  reading.nats.resize((c.T + 2) * c.B);
  reader.score(ids, ids + c.B, c.T, reading.nats.data());
  reader.score(ids, ids, 1, reading.nats.data() + c.T * c.B);
  const Sampling samplings[] = {{0, 0, 1.0, -1}, {1, 0, 1.0, 0}, {2, 3, 1.0, -1},
                                {1, 0, 0.5, -1}, {0.5, c.V, 0.9, -1}};
  const int64_t n = (c.T + 1) * c.B;
  for (const Sampling& sampling : samplings) {
    if (c.V == 1 && sampling.forbidden == 0) continue;  // the only token is forbidden
    std::unique_ptr<int64_t[]> text(new int64_t[n]);
    for (int64_t i = 0; i < n; ++i) text[i] = i < c.B || known[i] ? ids[i] : -5;  // -5: to write
    check(reader.generate(text.get(), known, uniforms, c.T, sampling), "logits are NaN");
    for (int64_t i = 0; i < n; ++i) check(text[i] >= 0 && text[i] < c.V, "token");
    reading.texts.insert(reading.texts.end(), text.get(), text.get() + n);
  }
  reader.score(ids, ids, 1, reading.nats.data() + (c.T + 1) * c.B);
  std::vector<float> logits(2 * c.T * c.B * c.V);
  reader.predict(ids, c.T, logits.data());
  const int64_t size = c.B * c.H;
  std::vector<float> parts(2 * c.layers * size);
  std::vector<int32_t> contexts(c.B * 4);
  NetworkState state;
  for (int64_t l = 0; l < c.layers; ++l) {
    state.h.push_back(parts.data() + 2 * l * size);
    state.c.push_back(state.h.back() + size);
  }
  reader.get_state(state, contexts.data());
  reader.predict(ids, c.T, logits.data() + c.T * c.B * c.V);
  std::vector<float> again(c.T * c.B * c.V);
  reader.set_state(state, contexts.data());
  reader.predict(ids, c.T, again.data());
  check(std::equal(again.begin(), again.end(), logits.begin() + c.T * c.B * c.V),
        "logits after a state");
  reading.nats.insert(reading.nats.end(), logits.begin(), logits.end());
  return reading;
}

inline void reading(const Levels& levels, int threads, Amount amount) {
  const ReaderCase readers[] = {{1, 1, 1, 0, 1, 1},    {2, 17, 7, 0, 6, 3},
                                {1, 33, 30, 5, 5, 25}, {2, 20, 300, 17, 7, 1},
                                {1, 40, 47, 3, 4, 9},  {1, 200, 6, 31, 3, 2}};
  for (const ReaderCase& c : readers) {
    const auto text = random_ids<int64_t>(60, c.V);
    const MadeUpMixture joined(text.get(), 60, c.V, 4);
    if (amount == Amount::quick && c.H > 100) continue;
    each_cell([&](CellKind cell, Precision precision) {
      for (const Kernels* level : levels) {
        Model model({cell, c.layers, c.H, c.V, c.E}, Embedding::own, c.B);
        const auto ids = random_ids<int64_t>(2 * c.T * c.B, c.V);
        const auto known = random_ids<bool>((c.T + 1) * c.B, 2);
        std::unique_ptr<double[]> uniforms(new double[(c.T + 1) * c.B]);
        for (int64_t i = 0; i < (c.T + 1) * c.B; ++i) uniforms[i] = generator() / 4294967296.0;
        for (const auto& mixture : {std::shared_ptr<const Mixture>(), joined.mixture}) {
          Reading one;
          for (int count = 1; count <= threads; ++count) {
            running = in_words(mixture ? "mixture" : "reader", level, cell, precision, c.H, count);
            const int64_t start = (&c - readers) % 2 ? ids.get()[c.B] : -1;
            Reader reader({level, precision}, model.shape, model.network(model.weights), c.B, c.T,
                          start, count, mixture);
            Reading found = read(reader, c, ids.get(), known.get(), uniforms.get());
            for (float nats : found.nats) check(isfinite(nats), "score");
            if (count == 1) one = found;
            check(found.nats == one.nats, "score is not that of one thread");
            check(found.texts == one.texts, "text is not that of one thread");
          }
        }
      }
    });
  }
}

}  // namespace rnnlab::tests
