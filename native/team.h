// A team of threads that run the same function, each on its share of the work.
#pragma once

#include <stdint.h>

namespace rnnlab {

// Makes each worker of a team wait until all have arrived.
class Barrier {
 public:
  explicit Barrier(int count) : count_(count) {}
  void wait();

 private:
  int count_;
  alignas(64) int arrived_ = 0;
  alignas(64) int phase_ = 0;
  int asleep_ = 0;  // whether some worker may sleep
};

struct Range {
  int64_t begin, end;
};

// Always inlined, so that the linker does not have to choose between copies of a function that were
// compiled for different instruction sets.
#define RNNLAB_INLINE __attribute__((always_inline)) inline

// The smallest range that contains both.
static RNNLAB_INLINE Range covering(Range a, Range b) {
  return {a.begin < b.begin ? a.begin : b.begin, a.end > b.end ? a.end : b.end};
}

struct Worker {
  int index, count;
  Barrier* barrier;

  RNNLAB_INLINE void wait() const {
    if (count > 1) barrier->wait();
  }

  // This worker's share of `n` items, in multiples of `step`.
  RNNLAB_INLINE Range share(int64_t n, int64_t step = 1) const {
    const int64_t steps = (n + step - 1) / step;
    const int64_t first = steps * index / count * step, last = steps * (index + 1) / count * step;
    return {first < n ? first : n, last < n ? last : n};
  }
};

// Runs function(context, worker) on up to `threads` threads; returns when all are done.
void run_team(int threads, void (*function)(void*, Worker&), void* context);

template <class Function>
void run_team(int threads, Function function) {
  run_team(
      threads, [](void* f, Worker& worker) { (*static_cast<Function*>(f))(worker); }, &function);
}

}  // namespace rnnlab
