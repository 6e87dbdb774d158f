#include "team.h"

#ifdef RNNLAB_STD_THREADS  // for ThreadSanitizer, which does not understand OpenMP's barriers
#include <thread>
#include <vector>
#else
#include <omp.h>
#endif

#include <sched.h>

namespace rnnlab {
namespace {

constexpr int kSpins = 4000;  // afterwards yield: the threads may share one processor

inline void relax() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#endif
}

}  // namespace

void Barrier::wait() {
  const int phase = __atomic_load_n(&phase_, __ATOMIC_ACQUIRE);
  if (__atomic_add_fetch(&arrived_, 1, __ATOMIC_ACQ_REL) == count_) {
    __atomic_store_n(&arrived_, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&phase_, phase + 1, __ATOMIC_RELEASE);
    return;
  }
  for (int spins = 0; __atomic_load_n(&phase_, __ATOMIC_ACQUIRE) == phase; ++spins) {
    if (spins < kSpins)
      relax();
    else
      sched_yield();
  }
}

void run_team(int threads, void (*function)(void*, Worker&), void* context) {
  Barrier barrier(threads > 1 ? threads : 1);
  Worker first{0, threads > 1 ? threads : 1, &barrier};
  if (threads <= 1) return function(context, first);
#ifdef RNNLAB_STD_THREADS
  std::vector<std::thread> others;
  for (int index = 1; index < threads; ++index)
    others.emplace_back([=, &barrier] {
      Worker worker{index, threads, &barrier};
      function(context, worker);
    });
  function(context, first);
  for (auto& thread : others) thread.join();
#else
#pragma omp parallel num_threads(threads)
  {
#pragma omp single
    barrier = Barrier(omp_get_num_threads());  // may be fewer than requested
    Worker worker{omp_get_thread_num(), omp_get_num_threads(), &barrier};
    function(context, worker);
  }
#endif
}

}  // namespace rnnlab
