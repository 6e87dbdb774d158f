// A team of threads that run the same function, each on its share.
#pragma once

#include <stdint.h>

namespace rnnlab {

// Lets all workers of a team meet.
class Barrier {
 public:
  explicit Barrier(int count) : count_(count) {}
  void wait();

 private:
  int count_;
  alignas(64) int arrived_ = 0;
  alignas(64) int phase_ = 0;
};

struct Range {
  int64_t begin, end;
};

// These are inlined always: sources compiled for different instruction sets share this header, and
// the linker must not be left to choose one of several compiled copies.
#define RNNLAB_INLINE __attribute__((always_inline)) inline

struct Worker {
  int index, count;
  Barrier* barrier;

  RNNLAB_INLINE void wait() const {
    if (count > 1) barrier->wait();
  }

  // This worker's share of `n` pieces of work, in multiples of `step`.
  RNNLAB_INLINE Range share(int64_t n, int64_t step = 1) const { return part(n, step, index, count); }

  static RNNLAB_INLINE Range part(int64_t n, int64_t step, int64_t index, int64_t count) {
    const int64_t steps = (n + step - 1) / step;
    const int64_t begin = steps * index / count * step, end = steps * (index + 1) / count * step;
    return {begin < n ? begin : n, end < n ? end : n};
  }
};

// Runs function(context, worker) on up to `threads` threads, and returns when all are done.
void run_team(int threads, void (*function)(void*, Worker&), void* context);

}  // namespace rnnlab
