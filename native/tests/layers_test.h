// Single layers, forward and backward.
#pragma once

#include <math.h>

#include <memory>

#include "../layer_call.h"
#include "levels.h"

namespace rnnlab::tests {

// The arrays of one layer, with random values.
struct LayerModel {
  LayerShape shape;
  int64_t rows;  // G * H
  Floats w_ih, w_hh, b_ih, b_hh, x, h, c, d_outputs, d_h, d_c;
  std::unique_ptr<int64_t[]> ids;
  std::unique_ptr<bool[]> resets;  // for an odd T

  explicit LayerModel(LayerShape s) : shape(s), rows(cell_shape(s.cell).gates * s.H) {
    const float bound = 1 / sqrtf(s.H);
    w_ih = random(rows * s.I, bound), w_hh = random(rows * s.H, bound);
    b_ih = random(rows, bound), b_hh = random(rows, bound);
    x = random(s.T * s.B * s.I, 1), d_outputs = random(s.T * s.B * s.H, 1);
    for (Floats* state : {&h, &c, &d_h, &d_c}) *state = random(s.B * s.H, 1);
    ids = random_ids<int64_t>(s.T * s.B, s.I);
    if (s.T % 2) resets = random_ids<bool>(s.T * s.B, 2);
  }

  float* c_or_null(const Floats& part) const { return has_c(shape.cell) ? part.get() : nullptr; }
};

// A call and, if prepared for it, two backwards; the arrays that they write.
inline Outcome run_layer(const LayerModel& m, Backend backend, InputKind input, Pass pass,
                         int threads) {
  const auto [cell, T, B, H, I] = m.shape;
  const bool tokens = input == InputKind::token_ids;
  LayerCall call(backend, m.shape, input, pass, m.resets.get(), threads);
  Outcome found{};
  found.arrays.reserve(12);
  const auto add = [&](int64_t n) {
    found.arrays.emplace_back(n);
    return found.arrays.back().get();
  };
  const auto add_c = [&, B = B, H = H, cell = cell] { return has_c(cell) ? add(B * H) : nullptr; };
  float *outputs = add(T * B * H), *last_h = add(B * H), *last_c = add_c();
  call.forward({m.w_ih.get(), m.w_hh.get(), m.b_ih.get(), m.b_hh.get()},
               tokens ? static_cast<const void*>(m.ids.get()) : m.x.get(), m.h.get(),
               m.c_or_null(m.c), outputs, last_h, last_c);
  if (pass == Pass::forward_only) return found;
  const LayerArrays g{add(m.rows * I), add(m.rows * H), add(m.rows), add(m.rows)};
  float* dx = tokens ? nullptr : add(T * B * I);
  float *d_h0 = add(B * H), *d_c0 = add_c();
  for (int again = 0; again < 2; ++again)
    call.backward(m.d_outputs.get(), m.d_h.get(), m.c_or_null(m.d_c), g, dx, d_h0, d_c0);
  return found;
}

inline void layers(const Levels& levels, int threads, Amount amount) {
  const struct {
    int64_t T, B, I, H;
  } shapes[] = {{1, 1, 1, 1}, {3, 5, 7, 13}, {4, 25, 17, 20}, {2, 3, 31, 200}, {3, 40, 5, 48},
                {2, 9, 64, 64}};
  for (const auto& s : shapes) {
    if (amount == Amount::quick && s.H > 100) continue;
    each_cell([&](CellKind cell, Precision precision) {
      for (const InputKind input : {InputKind::floats, InputKind::token_ids})
        for (const Pass pass : {Pass::forward_only, Pass::with_backward}) {
          const LayerModel model({cell, s.T, s.B, s.H, s.I});
          Outcome first;
          for (const Kernels* level : levels) {
            Outcome one;
            for (int count = 1; count <= threads; ++count) {
              running = in_words("layer", level, cell, precision, s.H, count) +
                        (input == InputKind::token_ids ? " ids" : "") +
                        (pass == Pass::with_backward ? " backward" : "");
              compare_threads(count, one,
                              run_layer(model, {level, precision}, input, pass, count));
            }
            compare_levels(level == levels[0], first, std::move(one), precision);
          }
        }
    });
  }
}

}  // namespace rnnlab::tests
