// Runs all kernels without Python, under a sanitizer or valgrind: training steps, readers and
// layers of all cells, in both precisions, with shapes that are not multiples of a vector. Checks
// that results are finite, that the number of threads changes no bit, that all instruction sets
// agree except for rounding, and gradients against central differences.
//
//   kernels_test [--threads N] [--quick] [INSTRUCTION_SET ...]
//
// The default is 4 threads and every instruction set.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <algorithm>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "../layer_call.h"
#include "../reader.h"
#include "../training_step.h"
#include "made_up_mixture.h"
#include "made_up_model.h"

using namespace rnnlab;
using namespace rnnlab::tests;

namespace {

enum class Amount { quick, all };

using Levels = std::vector<const Kernels*>;

struct Case {
  int64_t layers, H, V, E, T, B;
  Embedding tying;
  Dropouts dropouts;
};

constexpr Embedding own = Embedding::own, tied = Embedding::tied;
const Dropouts none{0, 0, 0, 0}, all{0.1f, 0.2f, 0.15f, 0.25f};
const Case cases[] = {
    {1, 1, 1, 0, 1, 1, own, none},      {1, 5, 2, 3, 3, 1, own, none},
    {2, 17, 7, 0, 4, 3, own, none},     {3, 13, 30, 5, 3, 5, own, all},
    {1, 33, 19, 31, 5, 25, own, none},  {1, 20, 300, 17, 4, 9, own, none},
    {2, 40, 28, 40, 3, 7, tied, none},  {2, 31, 60, 31, 2, 26, tied, all},
    {1, 64, 100, 16, 6, 70, own, none}, {1, 200, 28, 0, 4, 3, own, all},
    {1, 48, 28, 0, 5, 40, own, none},   {1, 400, 5, 3, 2, 30, own, none},
};

const Precision precisions[] = {Precision::float32, Precision::bfloat16};

// Calls function(cell, precision) for all cells and both precisions.
template <class Function>
void each_cell(Function function) {
  for (int cell = 0; cell < kCells; ++cell)
    for (const Precision precision : precisions) function(static_cast<CellKind>(cell), precision);
}

std::string in_words(const char* what, const Kernels* level, CellKind cell, Precision precision,
                     int64_t H, int threads) {
  return std::string(what) + " " + level->isa + " " + cell_names[static_cast<int>(cell)] +
         (precision == Precision::float32 ? " float32" : " bfloat16") + " H " +
         std::to_string(H) + " " + std::to_string(threads) + " threads";
}

// Keeps the outcome for one thread, and checks that other numbers of threads give the same bits.
void compare_threads(int count, Outcome& one, Outcome found) {
  for (const Floats& array : found.arrays) check(array.finite(), "not finite");
  if (count == 1)
    one = std::move(found);
  else
    compare(one, found, 0, "not the bits of one thread");
}

// Keeps the outcome of the first level, and checks that the others differ by rounding only.
void compare_levels(bool is_first, Outcome& first, Outcome found, Precision precision) {
  if (is_first)
    first = std::move(found);
  else
    compare(first, found, precision == Precision::float32 ? 1e-5 : 0.1, "not the first level's");
}

void training(const Levels& levels, int threads, Amount amount) {
  for (const Case& c : cases) {
    if (amount == Amount::quick && c.H > 100) continue;
    const double clip_norm = (&c - cases) % 2 ? 0.01 : 0.0;
    each_cell([&](CellKind cell, Precision precision) {
      const auto ids = random_ids<int64_t>(c.T * c.B, c.V);
      const auto targets = random_ids<int64_t>(c.T * c.B, c.V);
      const Batch batch{ids.get(), targets.get(), c.T, c.B};
      Model model({cell, c.layers, c.H, c.V, c.E}, c.tying, c.B);
      Outcome first;
      for (const Kernels* level : levels) {
        TrainingStep training({level, precision}, model.shape);
        Outcome one;
        for (int count = 1; count <= threads; ++count) {
          running = in_words("step", level, cell, precision, c.H, count);
          restore(model);
          compare_threads(count, one, step(training, model, batch, c.dropouts, clip_norm, count));
          check(isfinite(one.result.nats) && isfinite(one.result.gradient_norm), "loss");
        }
        // With an odd B, pairs add a row to each time step, which changes the masks of the input.
        const bool same_masks =
            precision == Precision::float32 || c.dropouts.input == 0 || c.B % 2 == 0;
        const bool is_first = level == levels[0];
        if (is_first || same_masks) compare_levels(is_first, first, std::move(one), precision);
      }
    });
  }
}

// Whether a gradient is the slope of the loss along one weight. `loss` runs a step.
template <class Loss>
bool is_slope(double gradient, float* weight, double at_weight, Loss loss, double* slope) {
  const float before = *weight;
  for (float h = 2e-3f; h > 1e-4f; h /= 4) {
    *weight = before + h;
    const double above = loss();
    *weight = before - h;
    const double below = loss();
    *weight = before;
    *slope = (above - below) / (2 * h);
    // If relu has a corner on one side, the slope of the other side counts.
    for (const double found : {*slope, (above - at_weight) / h, (at_weight - below) / h})
      if (fabs(gradient - found) <= 0.02 * fabs(gradient) + 5e-4 + 2e-7 / h) return true;
  }
  return false;
}

// Central differences along single weights: the one with the largest gradient of each parameter.
void differences(Model& model, TrainingStep& training, Batch batch, Dropouts dropouts) {
  const auto run = [&] {
    restore(model);
    return step(training, model, batch, dropouts, 0, 2);
  };
  const Outcome exact = run();
  size_t array = model.state.size();
  for (size_t parameter = 0; parameter < model.weights.size(); ++parameter) {
    if (!model.used(parameter)) continue;
    const Floats& gradient = exact.arrays[array++];
    const float* largest =
        std::max_element(gradient.get(), gradient.get() + gradient.size,
                         [](float a, float b) { return fabsf(a) < fabsf(b); });
    float* weight = model.weights[parameter].get() + (largest - gradient.get());
    double slope = 0;
    const bool good = is_slope(*largest, weight, exact.result.nats,
                               [&] { return run().result.nats; }, &slope);
    check(good, "parameter " + std::to_string(parameter) + ": " + std::to_string(*largest) +
                    " for " + std::to_string(slope));
  }
}

void differences(const Levels& levels) {
  const int64_t T = 3, B = 3, V = 9;
  for (const Kernels* level : levels)
    for (int kind = 0; kind < kCells; ++kind)
      for (const int64_t E : {int64_t{0}, int64_t{5}})
        for (const Dropouts& dropouts : {none, all}) {
          const CellKind cell = static_cast<CellKind>(kind);
          running = in_words("differences", level, cell, Precision::float32, 19, 2) +
                    (E ? " embedding" : "") + (dropouts.input > 0 ? " dropout" : "");
          Model model({cell, 2, 19, V, E}, own, B);
          const auto ids = random_ids<int64_t>(T * B, V), targets = random_ids<int64_t>(T * B, V);
          TrainingStep training({level, Precision::float32}, model.shape);
          differences(model, training, {ids.get(), targets.get(), T, B}, dropouts);
        }
}

struct ReaderCase {
  int64_t layers, H, V, E, T, B;  // tokens are projected by entry if V <= T * B or E is 0
};

// What one reader returns: scores, and texts for several ways of sampling.
struct Reading {
  std::vector<float> nats;
  std::vector<int64_t> texts;
};

Reading read(Reader& reader, const ReaderCase& c, const int64_t* ids, const bool* known,
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
  return reading;
}

void reading(const Levels& levels, int threads, Amount amount) {
  const ReaderCase readers[] = {{1, 1, 1, 0, 1, 1},    {2, 17, 7, 0, 6, 3},
                                {1, 33, 30, 5, 5, 25}, {2, 20, 300, 17, 7, 1},
                                {1, 40, 47, 3, 4, 9},  {1, 200, 6, 31, 3, 2}};
  for (const ReaderCase& c : readers) {
    const auto text = random_ids<int64_t>(60, c.V);
    const MadeUpMixture joined(text.get(), 60, c.V, 4);
    if (amount == Amount::quick && c.H > 100) continue;
    each_cell([&](CellKind cell, Precision precision) {
      for (const Kernels* level : levels) {
        Model model({cell, c.layers, c.H, c.V, c.E}, own, c.B);
        const auto ids = random_ids<int64_t>(2 * c.T * c.B, c.V);
        const auto known = random_ids<bool>((c.T + 1) * c.B, 2);
        std::unique_ptr<double[]> uniforms(new double[(c.T + 1) * c.B]);
        for (int64_t i = 0; i < (c.T + 1) * c.B; ++i) uniforms[i] = generator() / 4294967296.0;
        for (const auto& mixture : {std::shared_ptr<const Mixture>(), joined.mixture}) {
          Reading one;
          for (int count = 1; count <= threads; ++count) {
            running = in_words(mixture ? "mixture" : "reader", level, cell, precision, c.H, count);
            Reader reader({level, precision}, model.shape, model.network(model.weights), c.B, c.T,
                          count, mixture);
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

// The arrays of one layer, with random values.
struct LayerModel {
  LayerShape shape;
  int64_t rows;  // G * H
  Floats w_ih, w_hh, b_ih, b_hh, x, h, c, d_outputs, d_h, d_c;
  std::unique_ptr<int64_t[]> ids;

  explicit LayerModel(LayerShape s) : shape(s), rows(cell_shape(s.cell).gates * s.H) {
    const float bound = 1 / sqrtf(s.H);
    w_ih = random(rows * s.I, bound), w_hh = random(rows * s.H, bound);
    b_ih = random(rows, bound), b_hh = random(rows, bound);
    x = random(s.T * s.B * s.I, 1), d_outputs = random(s.T * s.B * s.H, 1);
    for (Floats* state : {&h, &c, &d_h, &d_c}) *state = random(s.B * s.H, 1);
    ids = random_ids<int64_t>(s.T * s.B, s.I);
  }

  float* c_or_null(const Floats& part) const { return has_c(shape.cell) ? part.get() : nullptr; }
};

// A call and, if prepared for it, two backwards; the arrays that they write.
Outcome run_layer(const LayerModel& m, Backend backend, InputKind input, Pass pass, int threads) {
  const auto [cell, T, B, H, I] = m.shape;
  const bool tokens = input == InputKind::token_ids;
  LayerCall call(backend, m.shape, input, pass, threads);
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

void layers(const Levels& levels, int threads, Amount amount) {
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

// An id that is refused leaves nothing behind: the same objects work afterwards.
template <class Function>
void refuses(const char* what, Function function) {
  bool refused = false;
  try {
    function();
  } catch (const std::out_of_range&) {
    refused = true;
  }
  check(refused, std::string(what) + " took an id that is out of range");
}

void refusals(const Kernels* level) {
  running = std::string("refusals ") + level->isa;
  Model model({CellKind::lstm, 2, 17, 7, 5}, own, 3);
  auto ids = random_ids<int64_t>(12, 7);
  const Batch batch{ids.get(), ids.get(), 4, 3};
  TrainingStep training({level, Precision::float32}, model.shape);
  Reader reader({level, Precision::float32}, model.shape, model.network(model.weights), 3, 4, 2);
  const auto train = [&] {
    restore(model);
    return step(training, model, batch, none, 0, 2).result.nats;
  };
  float nats[12];
  const auto score = [&] {
    reader.score(ids.get(), ids.get(), 4, nats);
    return nats[11];
  };
  for (const int64_t bad : {int64_t{7}, int64_t{-1}, int64_t{1} << 40}) {
    const int64_t before = ids[11];
    ids[11] = bad;
    refuses("training step", train);
    refuses("reader", score);
    ids[11] = before;
    check(isfinite(train()), "training step after a refusal");
    check(isfinite(score()), "reader after a refusal");
  }
}

}  // namespace

int main(int argc, char** argv) {
  int threads = 4;
  Amount amount = Amount::all;
  std::vector<std::string> names;
  for (int i = 1; i < argc; ++i) {
    if (!strcmp(argv[i], "--threads") && i + 1 < argc)
      threads = atoi(argv[++i]);
    else if (!strcmp(argv[i], "--quick"))
      amount = Amount::quick;
    else
      names.emplace_back(argv[i]);
  }
  Levels levels;
  for (const Kernels& kernels : available_kernels())
    if (names.empty() || std::count(names.begin(), names.end(), kernels.isa))
      levels.push_back(&kernels);
  if (levels.empty() || (!names.empty() && levels.size() != names.size())) {
    printf("an instruction set that was named does not run here\n");
    return 2;
  }
  layers(levels, threads, amount);
  training(levels, threads, amount);
  reading(levels, threads, amount);
  differences(levels);
  for (const Kernels* level : levels) refusals(level);
  printf("%d of %d checks failed on", failures, checks);
  for (const Kernels* level : levels) printf(" %s", level->isa);
  printf("\n");
  return failures ? 1 : 0;
}
