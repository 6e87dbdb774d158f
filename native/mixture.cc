#include "mixture.h"

#include <math.h>

#include <algorithm>

namespace rnnlab {

bool Successors::sound(int64_t contexts, int64_t entries, int64_t vocabulary) const {
  bool good = starts[0] == 0 && starts[contexts] == entries;
  for (int64_t r = 0; good && r < contexts; ++r) good = starts[r] <= starts[r + 1];
  for (int64_t j = 0; good && j < entries; ++j)
    good = symbols[j] >= 0 && symbols[j] < vocabulary && counts[j] > 0;
  return good;
}

Mixture::Mixture(std::vector<Successors> orders, int64_t vocabulary, const double* gate)
    : orders_(std::move(orders)),
      vocabulary_(vocabulary),
      unigram_(vocabulary),
      log_unigram_(vocabulary),
      weights_(arena_.take<float>(blocks(vocabulary) * kBlock)) {
  std::copy_n(gate, 4, gate_);
  const Successors& o = orders_[0];
  const Sums s = sums(o, 0, o.starts[1]);
  std::fill(unigram_.begin(), unigram_.end(), s.discounts / s.counts / vocabulary);
  for (int32_t j = 0; j < o.starts[1]; ++j) unigram_[o.symbols[j]] += o.own(j) / s.counts;
  std::fill(weights_, weights_ + blocks(vocabulary) * kBlock, 0.0f);
  for (int64_t v = 0; v < vocabulary; ++v) weights_[v] = log_unigram_[v] = log(unigram_[v]);
}

Mixture::Sums Mixture::sums(const Successors& o, int64_t begin, int64_t end) const {
  Sums s{};
  for (int64_t j = begin; j < end; ++j) {
    s.counts += o.counts[j];
    s.discounts += o.discount(j);
  }
  return s;
}

void Mixture::begin(int32_t* contexts) const {
  std::fill(contexts, contexts + order(), -1);
  contexts[0] = 0;
}

void Mixture::advance(const int32_t* before, int64_t symbol, int32_t* after) const {
  after[0] = 0;
  for (int64_t k = 1; k < order(); ++k) {
    after[k] = -1;
    if (before[k - 1] < 0) continue;
    const Successors& o = orders_[k - 1];
    const int32_t* const first = o.symbols + o.starts[before[k - 1]];
    const int32_t* const last = o.symbols + o.starts[before[k - 1] + 1];
    const int32_t* const found = std::lower_bound(first, last, symbol);
    if (found != last && *found == symbol) after[k] = static_cast<int32_t>(found - o.symbols);
  }
}

void Mixture::mix(const int32_t* contexts, const Softmax& network, float* logits,
                  int64_t block_step, double* scratch) const {
  // From the longest context down; `left` is the share that the longer ones leave to the unigrams.
  double left = 1;
  for (int64_t k = order() - 1; k > 0; --k) {
    if (contexts[k] < 0) continue;
    const Successors& o = orders_[k];
    const int32_t begin = o.starts[contexts[k]], end = o.starts[contexts[k] + 1];
    if (begin == end) continue;  // only the end of the training text
    const Sums s = sums(o, begin, end);
    for (int32_t j = begin; j < end; ++j) scratch[o.symbols[j]] += left * o.own(j) / s.counts;
    left *= s.discounts / s.counts;
  }
  const auto place = [&](int64_t v) { return v / kBlock * block_step + v % kBlock; };
  // ln p(v) is `shared` + log_unigram_[v], except for symbols that follow the last one in the
  // training text, which include those that follow longer contexts: `more` is added there.
  const double shared = log(left), log_sum = log(network.sum);
  const bool has_pairs = order() > 1 && contexts[1] >= 0;
  const Successors& pairs = orders_[has_pairs ? 1 : 0];
  const int32_t begin = has_pairs ? pairs.starts[contexts[1]] : 0;
  const int32_t end = has_pairs ? pairs.starts[contexts[1] + 1] : 0;
  double expected = shared + network.w_sum / network.sum;
  for (int32_t j = begin; j < end; ++j) {
    const int32_t v = pairs.symbols[j];
    const double more = log(scratch[v] + left * unigram_[v]) - shared - log_unigram_[v];
    scratch[v] = more;
    expected += more * exp(logits[place(v)] - network.largest - log_sum);
  }
  const double divergence = network.x_sum / network.sum - log_sum - expected;
  const double a = gate_[0] + gate_[2] * divergence, b = gate_[1] + gate_[3] * divergence;
  for (int64_t v = 0; v < vocabulary_; ++v) {
    float& x = logits[place(v)];
    x = static_cast<float>(a * x + b * (shared + log_unigram_[v]));
  }
  for (int32_t j = begin; j < end; ++j) {
    const int32_t v = pairs.symbols[j];
    logits[place(v)] += static_cast<float>(b * scratch[v]);
    scratch[v] = 0;
  }
}

}  // namespace rnnlab
