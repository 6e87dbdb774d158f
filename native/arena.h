// Memory of one call: taken in pieces, released all at once and reused by the next call.
#pragma once

#include <stdint.h>
#include <stdlib.h>

#include <algorithm>
#include <new>
#include <vector>

namespace rnnlab {

class Arena {
 public:
  Arena() = default;
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  ~Arena() { release(); }

  // `count` elements, aligned to 64 bytes and not initialised. Throws std::bad_alloc.
  template <class T>
  T* take(int64_t count) {
    const size_t bytes = (static_cast<size_t>(count > 0 ? count : 1) * sizeof(T) + 63) / 64 * 64;
    if (chunks_.empty() || used_ + bytes > chunks_.back().size) grow(bytes);
    used_ += bytes;
    return reinterpret_cast<T*>(chunks_.back().memory + used_ - bytes);
  }

  // Releases all pieces. If they needed several chunks, replaces them by one large chunk.
  void reset() {
    if (chunks_.size() > 1) {
      size_t total = 0;
      for (const Chunk& chunk : chunks_) total += chunk.size;
      release();
      grow(total);
    }
    used_ = 0;
  }

 private:
  struct Chunk {
    char* memory;
    size_t size;
  };

  void grow(size_t bytes) {
    const size_t size = std::max(bytes, size_t{1} << 20);
    void* memory = aligned_alloc(64, (size + 63) / 64 * 64);
    if (!memory) throw std::bad_alloc();
    chunks_.push_back({static_cast<char*>(memory), size});
    used_ = 0;
  }

  void release() {
    for (const Chunk& chunk : chunks_) free(chunk.memory);
    chunks_.clear();
  }

  std::vector<Chunk> chunks_;
  size_t used_ = 0;
};

}  // namespace rnnlab
