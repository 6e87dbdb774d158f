// What the entry points share: running a team, and taking in token ids.
#pragma once

#include <stdexcept>
#include <string>

#include "team.h"

namespace rnnlab {

template <class Function>
void team(int threads, Function&& function) {
  run_team(
      threads,
      [](void* f, Worker& worker) {
        (*static_cast<typename std::remove_reference<Function>::type*>(f))(worker);
      },
      &function);
}

// (T, B) ids, checked, into rows t * row_batch + b; rows beyond B are token 0.
inline void copy_ids(const int64_t* from, int64_t T, int64_t B, int64_t row_batch,
                     int64_t vocabulary, int32_t* to) {
  for (int64_t t = 0; t < T; ++t)
    for (int64_t b = 0; b < row_batch; ++b) {
      const int64_t id = b < B ? from[t * B + b] : 0;
      if (id < 0 || id >= vocabulary)
        throw std::out_of_range("token id " + std::to_string(id) + " is not in 0 .. " +
                                std::to_string(vocabulary - 1));
      to[t * row_batch + b] = static_cast<int32_t>(id);
    }
}

}  // namespace rnnlab
