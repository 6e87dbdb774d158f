// Token vectors, biases, dropout and sums.
#include "simd.h"

namespace rnnlab::RNNLAB_ISA_NAMESPACE {
namespace {

// A dropout mask needs no memory: element n is a hash of the seed and n, so backward computes the
// same mask again. One hash gives two elements.
class Mask {
 public:
  explicit Mask(Dropout d)
      : seed_(d.seed), threshold_((uint64_t)((double)d.p * 4294967296.0)), scale_(1 / (1 - d.p)) {}

  bool off() const { return threshold_ == 0; }

  RNNLAB_INLINE F apply(F x, int64_t n) const {  // n a multiple of W
    float factors[W];
    for (int pair = 0; pair < W / 2; ++pair) {
      const uint64_t z = random_bits(seed_, (uint64_t)(n / 2 + pair));
      factors[2 * pair] = (z & 0xffffffffu) < threshold_ ? 0.0f : scale_;
      factors[2 * pair + 1] = (z >> 32) < threshold_ ? 0.0f : scale_;
    }
    F f;
    memcpy(&f, factors, sizeof(F));
    return x * f;
  }

 private:
  uint64_t seed_, threshold_;
  float scale_;
};

RNNLAB_INLINE int64_t mask_index(int64_t block, int64_t rows, int64_t row, int lane) {
  return (block * rows + row) * kBlock + lane;
}

template <class P>
void gather(const float* table, const int32_t* ids, int64_t rows, int64_t C, Dropout dropout,
               Operand dst, Worker& worker) {
  const Mask mask(dropout);
  const Range mine = worker.share(rows, 2);
  for (int64_t r = mine.begin; r < mine.end; r += 2)
    for (int64_t j = 0; j < blocks(C); ++j) {
      alignas(64) float x[2][kBlock] = {};
      for (int odd = 0; odd < 2 && r + odd < rows; ++odd)
        memcpy(x[odd], table + ids[r + odd] * C + j * kBlock, lanes_of(C, j) * sizeof(float));
      for (int part = 0; part < kParts; ++part) {
        const int lane = part * W;
        F both[2] = {load(x[0] + lane), load(x[1] + lane)};
        if (!mask.off())
          for (int odd = 0; odd < 2; ++odd)
            both[odd] = mask.apply(both[odd], mask_index(j, even(rows), r + odd, lane));
        store_rows<P>(dst, j, r, rows, part, both);
      }
    }
}

template <class P>
void drop(Operand src, int64_t rows, int64_t n_blocks, Dropout dropout, Operand dst,
             Worker& worker) {
  const auto* in = static_cast<const typename P::T*>(src.plain);
  const Mask mask(dropout);
  const Range mine = worker.share(rows, 2);
  for (int64_t j = 0; j < n_blocks; ++j)
    for (int64_t r = mine.begin; r < mine.end; r += 2)
      for (int part = 0; part < kParts; ++part) {
        F x[2] = {};
        for (int odd = 0; odd < 2 && r + odd < rows; ++odd)
          x[odd] = mask.apply(load_plain<P>(in + at(j, r + odd, src.stride) + part * W),
                              mask_index(j, even(rows), r + odd, part * W));
        store_rows<P>(dst, j, r, rows, part, x);
      }
}

template <class P>
void scatter(Operand src, const int32_t* ids, int64_t rows, int64_t n_blocks, int64_t entries,
                Blocked table, Worker& worker) {
  using T = typename P::T;
  // Additions to the same entry of a block wait for each other, so some blocks are interleaved.
  constexpr int64_t together = 4;
  const Range mine = worker.share(n_blocks);
  for (int64_t j = mine.begin; j < mine.end; j += together) {
    const int64_t n = mine.end - j < together ? mine.end - j : together;
    float* first = table.data + j * table.stride * kBlock;
    for (int64_t m = 0; m < n; ++m)
      memset(first + m * table.stride * kBlock, 0, entries * kBlock * sizeof(float));
    const T* from = static_cast<const T*>(src.paired) + at(j, 0, src.stride);
    for (int64_t r = 0; r < rows; r += 2) {
      const int count = r + 1 < rows ? 2 : 1;  // the row after an odd number of rows is not used
      float* entries_of[2] = {first + ids[r] * kBlock, first + ids[r + count - 1] * kBlock};
      for (int64_t m = 0; m < n; ++m)
        for (int part = 0; part < kParts; ++part) {
          F x[2];
          load_pair<P>(from + at(m, r, src.stride) + part_of_pair<P>(part), &x[0], &x[1]);
          for (int odd = 0; odd < count; ++odd) {
            float* place = entries_of[odd] + m * table.stride * kBlock + part * W;
            store(place, load(place) + x[odd]);
          }
        }
    }
  }
}

template <class P>
void column_sums(Operand src, int64_t rows, Axis axis, float* dst, Worker& worker) {
  using T = typename P::T;
  const Range mine = worker.share(axis_blocks(axis));
  for (int64_t j = mine.begin; j < mine.end; ++j) {
    const T* from = static_cast<const T*>(src.paired) + at(j, 0, src.stride);
    const int64_t g = j % axis.gates, first = j / axis.gates * kBlock;
    for (int part = 0; part < kParts; ++part) {
      F sum[2] = {};
      for (int64_t r = 0; r < rows; r += 2) {
        F x[2];
        load_pair<P>(from + r * kBlock + part_of_pair<P>(part), &x[0], &x[1]);
        sum[0] += x[0];
        if (r + 1 < rows) sum[1] += x[1];
      }
      const F all = sum[0] + sum[1];
      for (int lane = 0; lane < W && first + part * W + lane < axis.size; ++lane)
        dst[g * axis.size + first + part * W + lane] = all[lane];
    }
  }
}

void pack_bias(const float* one, const float* two, int64_t two_gates, Axis axis, float padding,
               float* dst, Worker& worker) {
  const Range mine = worker.share(axis_blocks(axis));
  for (int64_t j = mine.begin; j < mine.end; ++j) {
    const int64_t g = j % axis.gates, first = j / axis.gates * kBlock;
    for (int64_t lane = 0; lane < kBlock; ++lane) {
      const int64_t u = first + lane, place = g * axis.size + u;
      if (u >= axis.size)
        dst[j * kBlock + lane] = padding;
      else
        dst[j * kBlock + lane] = g < two_gates ? one[place] + two[place] : one[place];
    }
  }
}

void add_bias(Blocked x, int64_t rows, int64_t n_blocks, const float* bias, Worker& worker) {
  const Range mine = worker.share(n_blocks);
  for (int64_t j = mine.begin; j < mine.end; ++j)
    for (int64_t r = 0; r < rows; ++r)
      for (int lane = 0; lane < kBlock; lane += W) {
        float* place = x.data + at(j, r, x.stride) + lane;
        store(place, load(place) + load(bias + j * kBlock + lane));
      }
}

void drop_gradient(Blocked x, int64_t rows, int64_t n_blocks, Dropout dropout, Worker& worker) {
  const Mask mask(dropout);
  const Range mine = worker.share(rows);
  for (int64_t j = 0; j < n_blocks; ++j)
    for (int64_t r = mine.begin; r < mine.end; ++r)
      for (int lane = 0; lane < kBlock; lane += W) {
        float* place = x.data + at(j, r, x.stride) + lane;
        store(place, mask.apply(load(place), mask_index(j, even(rows), r, lane)));
      }
}

void drop_weights(const float* src, float* dst, int64_t n, Dropout dropout, Worker& worker) {
  const Mask mask(dropout);
  const Range mine = worker.share(n, W);
  for (int64_t i = mine.begin; i < mine.end; i += W) {
    const int64_t left = mine.end - i < W ? mine.end - i : W;
    F x = {};
    memcpy(&x, src + i, left * sizeof(float));
    x = mask.apply(x, i);
    memcpy(dst + i, &x, left * sizeof(float));
  }
}

void scatter_rows(Blocked src, const int32_t* ids, int64_t rows, int64_t C, float* table,
                  Worker& worker) {
  const Range mine = worker.share(blocks(C));
  for (int64_t j = mine.begin; j < mine.end; ++j)
    for (int64_t r = 0; r < rows; ++r) {
      float* entry = table + ids[r] * C + j * kBlock;
      const float* from = src.data + at(j, r, src.stride);
      for (int64_t lane = 0; lane < lanes_of(C, j); ++lane) entry[lane] += from[lane];
    }
}

void square_sums(const float* x, int64_t n, double* chunks, Worker& worker) {
  const Range mine = worker.share((n + kNormChunk - 1) / kNormChunk);
  for (int64_t chunk = mine.begin; chunk < mine.end; ++chunk) {
    const int64_t begin = chunk * kNormChunk, left = n - begin;
    const int64_t size = left < kNormChunk ? left : kNormChunk;
    float sums[64] = {};
    double total = 0;
    int64_t i = 0;
    for (; i + 64 <= size; i += 64)
      for (int lane = 0; lane < 64; ++lane)
        sums[lane] += x[begin + i + lane] * x[begin + i + lane];
    for (int lane = 0; lane < 64; ++lane) total += sums[lane];
    for (; i < size; ++i) total += (double)x[begin + i] * x[begin + i];
    chunks[chunk] = total;
  }
}

}  // namespace

void add_elementwise_kernels(Kernels& table) {
  table.gather = RNNLAB_BY_PRECISION(gather);
  table.pack_bias = pack_bias;
  table.add_bias = add_bias;
  table.scatter = RNNLAB_BY_PRECISION(scatter);
  table.scatter_rows = scatter_rows;
  table.column_sums = RNNLAB_BY_PRECISION(column_sums);
  table.drop = RNNLAB_BY_PRECISION(drop);
  table.drop_gradient = drop_gradient;
  table.drop_weights = drop_weights;
  table.square_sums = square_sums;
}

}  // namespace rnnlab::RNNLAB_ISA_NAMESPACE
