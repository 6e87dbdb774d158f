// Runs everything that the kernels offer, without Python, for a sanitizer or valgrind to watch:
// training steps, readers and layers of all cells, in both precisions, at shapes that no vector
// width divides. Checks that results are finite, that the number of threads changes no bit, that
// no level differs from the first by more than rounding, and gradients against central differences.
//
//   kernels_test [--threads N] [--quick] [LEVEL ...]      default: 4 threads, every level
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
#include "made_up_model.h"

using namespace rnnlab;
using namespace rnnlab::tests;

namespace {

struct Case {
  int64_t layers, H, V, E, T, B;
  bool tied;
  Dropouts dropouts;
};

const Dropouts none{0, 0, 0, 0}, all{0.1f, 0.2f, 0.15f, 0.25f};
const Case cases[] = {
    {1, 1, 1, 0, 1, 1, false, none},     {1, 5, 2, 3, 3, 1, false, none},
    {2, 17, 7, 0, 4, 3, false, none},    {3, 13, 30, 5, 3, 5, false, all},
    {1, 33, 19, 31, 5, 25, false, none}, {1, 20, 300, 17, 4, 9, false, none},
    {2, 40, 28, 40, 3, 7, true, none},   {2, 31, 60, 31, 2, 26, true, all},
    {1, 64, 100, 16, 6, 70, false, none}, {1, 200, 28, 0, 4, 3, false, all},
    {1, 48, 28, 0, 5, 40, false, none},  {1, 400, 5, 3, 2, 30, false, none},
};

void training(const std::vector<const Kernels*>& levels, int threads, bool quick) {
  for (size_t n = 0; n < sizeof(cases) / sizeof(Case); ++n) {
    const Case& c = cases[n];
    if (quick && c.H > 100) continue;
    for (int kind = 0; kind < kCells; ++kind)
      for (int precision = 0; precision < 2; ++precision) {
        const CellKind cell = static_cast<CellKind>(kind);
        const auto ids = random_ids<int64_t>(c.T * c.B, c.V);
        const auto targets = random_ids<int64_t>(c.T * c.B, c.V);
        Model model({cell, c.layers, c.H, c.V, c.E}, c.tied, c.B);
        Outcome first;
        for (const Kernels* level : levels) {
          TrainingStep training({level, static_cast<Precision>(precision)}, model.shape);
          Outcome one;
          for (int count = 1; count <= threads; ++count) {
            now = std::string("step ") + level->isa + " " + cell_names[kind] +
                  (precision ? " bfloat16" : " float32") + " case " + std::to_string(n) + " " +
                  std::to_string(count) + " threads";
            restore(model);
            Outcome found = step(training, model, ids.get(), targets.get(), c.T, c.B, c.dropouts,
                                 n % 2 ? 0.01 : 0.0, count);
            check(isfinite(found.result.nats) && isfinite(found.result.gradient_norm), "loss");
            for (const Floats& array : found.arrays) check(array.finite(), "not finite");
            if (count == 1)
              one = std::move(found);
            else
              compare(one, found, 0, "not the bits of one thread");
          }
          // Masks of pairs count one row more where B is odd.
          const bool same_masks = precision == 0 || c.dropouts.input == 0 || c.B % 2 == 0;
          if (level == levels[0])
            first = std::move(one);
          else if (same_masks)
            compare(first, one, precision ? 0.1 : 1e-5, "not the first level's");
        }
      }
  }
}

// Central differences along single weights: the largest gradient of each parameter.
void differences(const std::vector<const Kernels*>& levels) {
  const int64_t T = 3, B = 3, V = 9;
  for (const Kernels* level : levels)
    for (int kind = 0; kind < kCells; ++kind)
      for (const int64_t E : {int64_t{0}, int64_t{5}})
        for (const Dropouts dropouts : {none, all}) {
          now = std::string("differences ") + level->isa + " " + cell_names[kind] + " E " +
                std::to_string(E) + (dropouts.input > 0 ? " dropout" : "");
          Model model({static_cast<CellKind>(kind), 2, 19, V, E}, false, B);
          const auto ids = random_ids<int64_t>(T * B, V), targets = random_ids<int64_t>(T * B, V);
          TrainingStep training({level, Precision::float32}, model.shape);
          const auto run = [&] {
            restore(model);
            return step(training, model, ids.get(), targets.get(), T, B, dropouts, 0, 2);
          };
          Outcome exact = run();
          size_t array = model.state.size();
          for (size_t parameter = 0; parameter < model.weights.size(); ++parameter) {
            if (!model.used(parameter)) continue;
            const Floats& gradient = exact.arrays[array++];
            int64_t place = 0;
            for (int64_t i = 0; i < gradient.size; ++i)
              if (fabsf(gradient.get()[i]) > fabsf(gradient.get()[place])) place = i;
            float* weight = model.weights[parameter].get() + place;
            const float before = *weight;
            const double found = gradient.get()[place];
            bool good = false;
            double wanted = 0;
            for (float h = 2e-3f; h > 1e-4f && !good; h /= 4) {
              *weight = before + h;
              const double above = run().result.nats;
              *weight = before - h;
              const double below = run().result.nats;
              *weight = before;
              wanted = (above - below) / (2 * h);
              // Where relu has a corner on one side, the other side tells.
              const double base = exact.result.nats;
              for (const double slope : {wanted, (above - base) / h, (base - below) / h})
                good = good || fabs(found - slope) <= 0.02 * fabs(found) + 5e-4 + 2e-7 / h;
            }
            check(good, "parameter " + std::to_string(parameter) + ": " + std::to_string(found) +
                            " for " + std::to_string(wanted));
          }
        }
}

void reading(const std::vector<const Kernels*>& levels, int threads, bool quick) {
  const struct {
    int64_t layers, H, V, E, T, B;
    bool table;
  } readers[] = {{1, 1, 1, 0, 1, 1, true},   {2, 17, 7, 0, 6, 3, true},
                 {1, 33, 30, 5, 5, 25, true}, {2, 20, 300, 17, 7, 1, false},
                 {1, 40, 19, 3, 4, 9, false}, {1, 200, 28, 31, 3, 2, true}};
  for (const auto& c : readers) {
    if (quick && c.H > 100) continue;
    for (int kind = 0; kind < kCells; ++kind)
      for (int precision = 0; precision < 2; ++precision)
        for (const Kernels* level : levels) {
          Model model({static_cast<CellKind>(kind), c.layers, c.H, c.V, c.E}, false, c.B);
          const auto ids = random_ids<int64_t>(2 * c.T * c.B, c.V);
          const auto known = random_ids<uint8_t>((c.T + 1) * c.B, 2);
          std::unique_ptr<double[]> uniforms(new double[(c.T + 1) * c.B]);
          for (int64_t i = 0; i < (c.T + 1) * c.B; ++i) uniforms[i] = generator() / 4294967296.0;
          const bool cell = cell_shape(model.shape.cell).cell;
          std::vector<double> scores;
          std::vector<int64_t> texts[5];
          std::vector<double> ends;
          for (int count = 1; count <= threads; ++count) {
            now = std::string("reader ") + level->isa + " " + cell_names[kind] +
                  (precision ? " bfloat16" : " float32") + " H " + std::to_string(c.H) + " " +
                  std::to_string(count) + " threads";
            Reader reader({level, static_cast<Precision>(precision)}, model.shape,
                          model.network_weights(), c.B, c.T, c.table, count);
            NetworkState state;
            for (size_t i = 0; i < model.state.size(); ++i)
              (i % 2 ? state.c : state.h)
                  .push_back(i % 2 && !cell ? nullptr : model.state[i].get());
            reader.set_state(state);
            const double score = reader.score(ids.get(), ids.get() + c.B, c.T) +
                                 reader.score(ids.get(), ids.get(), 1);
            check(isfinite(score), "score");
            scores.push_back(score);
            check(score == scores[0], "score is not that of one thread");
            const Choice choices[] = {{0, 0, 1.0, -1}, {1, 0, 1.0, 0}, {2, 3, 1.0, -1},
                                      {1, 0, 0.5, -1}, {0.5, c.V, 0.9, -1}};
            for (int n = 0; n < 5; ++n) {
              if (c.V == 1 && n == 1) continue;  // the only token is forbidden
              std::unique_ptr<int64_t[]> text(new int64_t[(c.T + 1) * c.B]);
              std::copy(ids.get(), ids.get() + (c.T + 1) * c.B, text.get());
              for (int64_t i = c.B; i < (c.T + 1) * c.B; ++i)
                if (!known[i]) text[i] = -5;  // to be written
              check(reader.generate(text.get(), known.get(), uniforms.get(), c.T, choices[n]),
                    "logits are NaN");
              const std::vector<int64_t> written(text.get(), text.get() + (c.T + 1) * c.B);
              for (int64_t token : written) check(token >= 0 && token < c.V, "token");
              if (count == 1) texts[n] = written;
              check(written == texts[n], "text is not that of one thread");
            }
            ends.push_back(reader.score(ids.get(), ids.get(), 1));
            check(ends.back() == ends[0], "the state left is not that of one thread");
          }
        }
  }
}

void layers(const std::vector<const Kernels*>& levels, int threads, bool quick) {
  const struct {
    int64_t T, B, I, H;
  } shapes[] = {{1, 1, 1, 1}, {3, 5, 7, 13}, {4, 25, 17, 20}, {2, 3, 31, 200}, {3, 40, 5, 48},
                {2, 9, 64, 64}};
  for (const auto& s : shapes) {
    if (quick && s.H > 100) continue;
    for (int kind = 0; kind < kCells; ++kind)
      for (int precision = 0; precision < 2; ++precision)
        for (const bool tokens : {false, true}) {
          const CellKind cell = static_cast<CellKind>(kind);
          const int64_t G = cell_shape(cell).gates, rows = G * s.H;
          const float bound = 1 / sqrtf(s.H);
          const int64_t sizes[] = {rows * s.I, rows * s.H, rows, rows};
          Floats w[4];
          for (int i = 0; i < 4; ++i) w[i] = random(sizes[i], bound);
          const LayerWeights weights{w[0].get(), w[1].get(), w[2].get(), w[3].get()};
          const Floats x = random(s.T * s.B * s.I, 1), h = random(s.B * s.H, 1),
                       c = random(s.B * s.H, 1), d_outputs = random(s.T * s.B * s.H, 1),
                       d_h = random(s.B * s.H, 1), d_c = random(s.B * s.H, 1);
          const auto ids = random_ids<int64_t>(s.T * s.B, s.I);
          const bool has_c = cell_shape(cell).cell;
          Outcome first;
          for (const Kernels* level : levels) {
            Outcome one;
            for (int count = 1; count <= threads; ++count)
              for (const bool keep : {false, true}) {
                now = std::string("layer ") + level->isa + " " + cell_names[kind] +
                      (precision ? " bfloat16" : " float32") + " H " + std::to_string(s.H) + " " +
                      std::to_string(count) + " threads" + (tokens ? " ids" : "") +
                      (keep ? " kept" : "");
                LayerCall call({level, static_cast<Precision>(precision)}, cell, s.T, s.B, s.H,
                               s.I, tokens, keep, count);
                Outcome found;
                auto add = [&](int64_t n) {
                  found.arrays.emplace_back(n);
                  return found.arrays.back().get();
                };
                found.arrays.reserve(12);
                float *outputs = add(s.T * s.B * s.H), *last_h = add(s.B * s.H);
                float* last_c = has_c ? add(s.B * s.H) : nullptr;
                call.forward(weights, tokens ? nullptr : x.get(), tokens ? ids.get() : nullptr,
                             h.get(), has_c ? c.get() : nullptr, outputs, last_h, last_c);
                if (keep) {
                  LayerGradients g{add(sizes[0]), add(sizes[1]), add(sizes[2]), add(sizes[3])};
                  float* dx = tokens ? nullptr : add(s.T * s.B * s.I);
                  float* d_h0 = add(s.B * s.H);
                  float* d_c0 = has_c ? add(s.B * s.H) : nullptr;
                  for (int again = 0; again < 2; ++again)
                    call.backward(d_outputs.get(), d_h.get(), has_c ? d_c.get() : nullptr, g, dx,
                                  d_h0, d_c0);
                }
                for (const Floats& array : found.arrays) check(array.finite(), "not finite");
                if (!keep) continue;
                if (count == 1)
                  one = std::move(found);
                else
                  compare(one, found, 0, "not the bits of one thread");
              }
            if (level == levels[0])
              first = std::move(one);
            else
              compare(first, one, precision ? 0.1 : 1e-5, "not the first level's");
          }
        }
  }
}

// What is refused leaves nothing behind: the same objects go on working.
void refusals(const Kernels* level) {
  now = std::string("refusals ") + level->isa;
  Model model({CellKind::lstm, 2, 17, 7, 5}, false, 3);
  auto ids = random_ids<int64_t>(12, 7);
  TrainingStep training({level, Precision::float32}, model.shape);
  Reader reader({level, Precision::float32}, model.shape, model.network_weights(), 3, 4, true, 2);
  for (const int64_t bad : {int64_t{7}, int64_t{-1}, int64_t{1} << 40}) {
    const int64_t before = ids[11];
    ids[11] = bad;
    restore(model);
    bool refused = false;
    try {
      step(training, model, ids.get(), ids.get(), 4, 3, none, 0, 2);
    } catch (const std::out_of_range&) {
      refused = true;
    }
    check(refused, "training step took an id out of range");
    refused = false;
    try {
      reader.score(ids.get(), ids.get(), 4);
    } catch (const std::out_of_range&) {
      refused = true;
    }
    check(refused, "reader took an id out of range");
    ids[11] = before;
    restore(model);
    check(isfinite(step(training, model, ids.get(), ids.get(), 4, 3, none, 0, 2).result.nats),
          "training step after a refusal");
    check(isfinite(reader.score(ids.get(), ids.get(), 4)), "reader after a refusal");
  }
}

}  // namespace

int main(int argc, char** argv) {
  int threads = 4, count;
  bool quick = false;
  std::vector<std::string> names;
  for (int i = 1; i < argc; ++i) {
    if (!strcmp(argv[i], "--threads") && i + 1 < argc)
      threads = atoi(argv[++i]);
    else if (!strcmp(argv[i], "--quick"))
      quick = true;
    else
      names.emplace_back(argv[i]);
  }
  const Kernels* const* available = available_kernels(&count);
  std::vector<const Kernels*> levels;
  for (int i = 0; i < count; ++i)
    if (names.empty() || std::count(names.begin(), names.end(), available[i]->isa))
      levels.push_back(available[i]);
  if (levels.empty() || (!names.empty() && levels.size() != names.size())) {
    printf("a level that was asked for does not run here\n");
    return 2;
  }
  layers(levels, threads, quick);
  training(levels, threads, quick);
  reading(levels, threads, quick);
  differences(levels);
  for (const Kernels* level : levels) refusals(level);
  printf("%d of %d checks failed on", failures, checks);
  for (const Kernels* level : levels) printf(" %s", level->isa);
  printf("\n");
  return failures ? 1 : 0;
}
