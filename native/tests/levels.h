// What all parts of kernels_test share: the instruction sets, cells and precisions that they go
// through, and how the outcomes are compared.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "made_up_model.h"

namespace rnnlab::tests {

enum class Amount { quick, all };

using Levels = std::vector<const Kernels*>;

inline const Precision precisions[] = {Precision::float32, Precision::bfloat16};

// Calls function(cell, precision) for all cells and both precisions.
template <class Function>
inline void each_cell(Function function) {
  for (int cell = 0; cell < kCells; ++cell)
    for (const Precision precision : precisions) function(static_cast<CellKind>(cell), precision);
}

inline std::string in_words(const char* what, const Kernels* level, CellKind cell, Precision precision,
                     int64_t H, int threads) {
  return std::string(what) + " " + level->isa + " " + cell_names[static_cast<int>(cell)] +
         (precision == Precision::float32 ? " float32" : " bfloat16") + " H " +
         std::to_string(H) + " " + std::to_string(threads) + " threads";
}

// Keeps the outcome for one thread, and checks that other numbers of threads give the same bits.
inline void compare_threads(int count, Outcome& one, Outcome found) {
  for (const Floats& array : found.arrays) check(array.finite(), "not finite");
  if (count == 1)
    one = std::move(found);
  else
    compare(one, found, 0, "not the bits of one thread");
}

// Keeps the outcome of the first level, and checks that the others differ by rounding only.
inline void compare_levels(bool is_first, Outcome& first, Outcome found, Precision precision) {
  if (is_first)
    first = std::move(found);
  else
    compare(first, found, precision == Precision::float32 ? 1e-5 : 0.1, "not the first level's");
}

}  // namespace rnnlab::tests
