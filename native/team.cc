#include "team.h"

#include <limits.h>

#ifdef RNNLAB_STD_THREADS  // for ThreadSanitizer, which does not understand OpenMP's barriers
#include <thread>
#include <vector>
#else
#include <omp.h>
#endif

#ifdef __linux__
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
#else
#include <sched.h>
#endif

namespace rnnlab {
namespace {

// Afterwards sleep. Another program may run where the worker that is late should, and a worker that
// sleeps leaves its own processor to that one. One that yields, and C++20's atomic wait does before
// it sleeps, loses its turn: Linux takes it for a thread that has no haste.
constexpr int kSpins = 4000;

inline void relax() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#endif
}

// Sleeps until `place` is not `value` any more; may return early.
inline void sleep_while(int* place, int value) {
#ifdef __linux__
  syscall(SYS_futex, place, FUTEX_WAIT_PRIVATE, value, nullptr, nullptr, 0);
#else
  (void)place, (void)value;
  sched_yield();
#endif
}

inline void wake_all(int* place) {
#ifdef __linux__
  syscall(SYS_futex, place, FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0);
#else
  (void)place;
#endif
}

}  // namespace

void Barrier::wait() {
  const int phase = __atomic_load_n(&phase_, __ATOMIC_ACQUIRE);
  if (__atomic_add_fetch(&arrived_, 1, __ATOMIC_ACQ_REL) == count_) {
    __atomic_store_n(&arrived_, 0, __ATOMIC_RELAXED);
    // The order of all threads: either this one sees that one sleeps, or that one sees the phase.
    __atomic_store_n(&phase_, phase + 1, __ATOMIC_SEQ_CST);
    if (__atomic_exchange_n(&asleep_, 0, __ATOMIC_SEQ_CST)) wake_all(&phase_);
    return;
  }
  for (int spins = 0; spins < kSpins; ++spins) {
    if (__atomic_load_n(&phase_, __ATOMIC_ACQUIRE) != phase) return;
    relax();
  }
  while (__atomic_load_n(&phase_, __ATOMIC_SEQ_CST) == phase) {
    __atomic_store_n(&asleep_, 1, __ATOMIC_SEQ_CST);
    sleep_while(&phase_, phase);
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
