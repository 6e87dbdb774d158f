// An n-gram model that joins a network: p(v) is proportional to p_network(v)^a p_ngram(v)^b, where
// a and b depend on the context. rnnlab.lm.ngram_mixture has the equations and the reference.
#pragma once

#include <stdint.h>

#include <vector>

#include "arena.h"
#include "kernels.h"

namespace rnnlab {

// What follows the contexts of k - 1 symbols: after context r the symbols
// symbols[starts[r]] .. symbols[starts[r + 1] - 1], ascending. The place of a symbol is the number
// of its k-gram, and so the context of order k + 1. The caller owns the memory.
struct Successors {
  const int32_t *starts, *symbols, *counts;
  double discounts[4];  // by count: 0, 1, 2, 3 and more

  double discount(int64_t place) const { return discounts[counts[place] < 3 ? counts[place] : 3]; }
  double own(int64_t place) const { return counts[place] - discount(place); }
  // Whether no place that the arrays name is outside of them.
  bool sound(int64_t contexts, int64_t entries, int64_t vocabulary) const;
};

class Mixture {
 public:
  // gate: (2, 2), a row each for 1 and the divergence, a column each for a and b.
  Mixture(std::vector<Successors> orders, int64_t vocabulary, const double* gate);

  int64_t order() const { return static_cast<int64_t>(orders_.size()); }

  // Contexts of 0 .. order - 1 symbols, -1 where a context is not in the training text.
  void begin(int32_t* contexts) const;
  void advance(const int32_t* before, int64_t symbol, int32_t* after) const;

  // ln p of order 1 in blocks, the weights that `mix` needs in its Softmax.
  const float* weights() const { return weights_; }

  // Changes V logits, in blocks `block_step` apart, into those of the mixture. scratch: (V,) zeros,
  // and zeros afterwards.
  void mix(const int32_t* contexts, const Softmax&, float* logits, int64_t block_step,
           double* scratch) const;

 private:
  struct Sums {
    double counts, discounts;
  };
  Sums sums(const Successors&, int64_t begin, int64_t end) const;

  std::vector<Successors> orders_;
  int64_t vocabulary_;
  double gate_[4];
  std::vector<double> unigram_, log_unigram_;  // p of order 1, interpolated with 1 / V
  Arena arena_;
  float* weights_;  // (blocks of V) aligned, as kernels need it
};

}  // namespace rnnlab
