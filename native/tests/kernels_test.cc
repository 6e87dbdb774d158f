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

#include "../training_step.h"
#include "layers_test.h"
#include "levels.h"
#include "reading_test.h"

using namespace rnnlab;
using namespace rnnlab::tests;

namespace {

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

void training(const Levels& levels, int threads, Amount amount) {
  for (const Case& c : cases) {
    if (amount == Amount::quick && c.H > 100) continue;
    const double clip_norm = (&c - cases) % 2 ? 0.01 : 0.0;
    each_cell([&](CellKind cell, Precision precision) {
      const auto ids = random_ids<int64_t>(c.T * c.B, c.V);
      const auto targets = random_ids<int64_t>(c.T * c.B, c.V);
      const int64_t start = (&c - cases) % 3 ? ids.get()[c.T * c.B / 2] : -1;
      const Batch batch{ids.get(), targets.get(), c.T, c.B, start};
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
          for (const int64_t start : {int64_t{-1}, ids.get()[T * B / 2]})
            differences(model, training, {ids.get(), targets.get(), T, B, start}, dropouts);
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
  const Batch batch{ids.get(), ids.get(), 4, 3, -1};
  TrainingStep training({level, Precision::float32}, model.shape);
  Reader reader({level, Precision::float32}, model.shape, model.network(model.weights), 3, 4, -1,
                2);
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
