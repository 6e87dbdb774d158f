// Output layer, cross entropy and gradient, a few rows at a time: the logits of a whole batch are
// never in memory.
#include "activation.h"
#include "matrix.h"

#include <math.h>

namespace rnnlab::RNNLAB_ISA_NAMESPACE {
namespace {

RNNLAB_INLINE float largest(F x) {
  float m = x[0];
  for (int lane = 1; lane < W; ++lane) m = x[lane] > m || x[lane] != x[lane] ? x[lane] : m;
  return m;
}

RNNLAB_INLINE float total(F x) {
  float s = 0;
  for (int lane = 0; lane < W; ++lane) s += x[lane];
  return s;
}

// Adds the bias to the logits of one row, in blocks x_block apart; returns the largest.
RNNLAB_INLINE float add_bias(float* x, int64_t x_block, int64_t v_blocks, const float* bias) {
  F m = fill(-INFINITY);
  for (int64_t j = 0; j < v_blocks; ++j)
    for (int lane = 0; lane < kBlock; lane += W) {
      const F value = load(x + j * x_block + lane) + load(bias + j * kBlock + lane);
      store(x + j * x_block + lane, value);
      m = m > value ? m : value;
    }
  return largest(m);
}

RNNLAB_INLINE float largest_of(const float* x, int64_t x_block, int64_t v_blocks) {
  F m = fill(-INFINITY);
  for (int64_t j = 0; j < v_blocks; ++j)
    for (int lane = 0; lane < kBlock; lane += W) {
      const F value = load(x + j * x_block + lane);
      m = m > value ? m : value;
    }
  return largest(m);
}

// Replaces logits by exp(logit - top); returns their sum.
RNNLAB_INLINE float exponentials(float* x, int64_t x_block, int64_t v_blocks, float top) {
  F sum = {};
  for (int64_t j = 0; j < v_blocks; ++j)
    for (int lane = 0; lane < kBlock; lane += W) {
      const F e = exp_nonpositive(load(x + j * x_block + lane) - top);
      store(x + j * x_block + lane, e);
      sum += e;
    }
  return total(sum);
}

Softmax softmax(const float* x, int64_t x_block, int64_t v_blocks, const float* weights) {
  const float top = largest_of(x, x_block, v_blocks);
  F sum = {}, x_sum = {}, w_sum = {};
  for (int64_t j = 0; j < v_blocks; ++j)
    for (int lane = 0; lane < kBlock; lane += W) {
      const F below = at_least(-87.0f, load(x + j * x_block + lane) - top);
      const F e = exp_nonpositive(below);
      sum += e;
      x_sum += e * below;
      w_sum += e * load(weights + j * kBlock + lane);
    }
  return {top, total(sum), total(x_sum), total(w_sum)};
}

// d_logits of rows r .. r + n - 1, from exponentials x minus their sum at the target.
template <class P>
RNNLAB_INLINE void store_d_logits(const Loss& l, const float* x, int64_t x_block, int64_t r,
                                  int64_t n, const float* factors) {
  for (int64_t j = 0; j < blocks(l.V); ++j)
    for (int64_t i = 0; i < n; i += 2)
      for (int part = 0; part < kParts; ++part) {
        F d[2] = {};
        for (int odd = 0; odd < 2 && i + odd < n; ++odd)
          d[odd] = load(x + j * x_block + (i + odd) * kBlock + part * W) * factors[i + odd];
        store_rows<P>(l.d_logits, j, r + i, r + n, part, d);
      }
}

template <class P>
void loss(const Loss& l, Worker& worker) {
  using T = typename P::T;
  const int64_t v_blocks = blocks(l.V), weight_block = l.k_blocks * kBlock * kBlock;
  constexpr int64_t x_block = kLossRows * kBlock;
  float* x = l.scratch + worker.index * v_blocks * x_block;
  const Range mine = worker.share(l.rows, 2);
  for (int64_t r = mine.begin; r < mine.end; r += kLossRows) {
    const int64_t n = kLossRows < mine.end - r ? kLossRows : mine.end - r;
    rows_product<P>(v_blocks, n, static_cast<const T*>(l.features.plain) + r * kBlock,
                    l.features.stride * kBlock, static_cast<const T*>(l.weights), weight_block,
                    l.k_blocks, x, x_block, Update::overwrite);
    float factors[kLossRows];
    for (int64_t i = 0; i < n; ++i) {
      float* row = x + i * kBlock;
      const int32_t target = l.targets[r + i];
      const bool counts = (r + i) % l.row_batch < l.batch;
      float* entry = row + target / kBlock * x_block + target % kBlock;
      float top = add_bias(row, x_block, v_blocks, l.bias);
      if (l.adjustment.function) {
        const Softmax before = softmax(row, x_block, v_blocks, l.adjustment.weights);
        l.adjustment.function(l.adjustment.self, r + i, before, row, x_block, worker);
        top = largest_of(row, x_block, v_blocks);
      }
      const float logit = *entry;
      const float sum = exponentials(row, x_block, v_blocks, top);
      l.nats[r + i] = counts ? (float)log(sum) + (top - logit) : 0.0f;
      factors[i] = counts ? l.scale / sum : 0.0f;
      *entry -= sum;
    }
    if (l.d_logits.plain) store_d_logits<P>(l, x, x_block, r, n, factors);
  }
}

}  // namespace

void add_loss_kernel(Kernels& table) {
  table.loss = RNNLAB_BY_PRECISION(loss);
  table.softmax = softmax;
}

}  // namespace rnnlab::RNNLAB_ISA_NAMESPACE
