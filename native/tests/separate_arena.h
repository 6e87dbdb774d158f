// Included first in every file of kernels_test: an Arena that allocates each piece separately, so
// that a sanitizer sees an access beyond a piece and a read before the first write.
#pragma once

#define Arena ArenaOfChunks
#include "../arena.h"
#undef Arena

namespace rnnlab {

class Arena {
 public:
  Arena() = default;
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  ~Arena() { reset(); }

  template <class T>
  T* take(int64_t count) {
    const size_t bytes = (static_cast<size_t>(count > 0 ? count : 1) * sizeof(T) + 63) / 64 * 64;
    pieces_.push_back(aligned_alloc(64, bytes));
    if (!pieces_.back()) throw std::bad_alloc();
    return static_cast<T*>(pieces_.back());
  }

  void reset() {
    for (void* piece : pieces_) free(piece);
    pieces_.clear();
  }

 private:
  std::vector<void*> pieces_;
};

}  // namespace rnnlab
