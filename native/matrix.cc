// Into and out of the blocked layout, and the two matrix products.
#include "matrix.h"

namespace rnnlab::RNNLAB_ISA_NAMESPACE {
namespace {

// Where entry (g, u) of an axis lies in torch's layout, or -1 in the padding.
RNNLAB_INLINE int64_t source(Axis axis, int64_t block, int64_t lane) {
  const int64_t g = block % axis.gates, u = block / axis.gates * kBlock + lane;
  return u < axis.size ? (g * axis.size + u) * axis.step : -1;
}

RNNLAB_INLINE F row_of(const float* src, int64_t offset, const int64_t* lanes) {
  F x;
  for (int lane = 0; lane < W; ++lane) x[lane] = lanes[lane] < 0 ? 0.0f : src[offset + lanes[lane]];
  return x;
}

template <class P>
void pack_as(const float* src, Axis k, Axis n, void* dst, int64_t stride, Worker& worker) {
  using T = typename P::T;
  const bool whole_blocks = stride == 0;
  const int64_t k_rows = axis_blocks(k) * kBlock;
  if (whole_blocks) stride = k_rows;
  const Range mine = worker.share(axis_blocks(n));
  for (int64_t j = mine.begin; j < mine.end; ++j) {
    int64_t lanes[kBlock];
    for (int lane = 0; lane < kBlock; ++lane) lanes[lane] = source(n, j, lane);
    const bool neighbours = n.step == 1 && lanes[kBlock - 1] >= 0;
    for (int64_t r = 0; r < k_rows; r += 2) {
      if (!whole_blocks && r >= k.size) break;
      for (int part = 0; part < kParts; ++part) {
        F x[2];
        for (int odd = 0; odd < 2; ++odd) {
          const int64_t offset = source(k, (r + odd) / kBlock, (r + odd) % kBlock);
          if (offset < 0) {
            x[odd] = F{};
          } else if (neighbours) {
            memcpy(&x[odd], src + offset + lanes[0] + part * W, sizeof(F));
          } else {
            x[odd] = row_of(src, offset, lanes + part * W);
          }
        }
        store_pair<P>(static_cast<T*>(dst) + at<P>(j, r, stride) + part_of_pair<P>(part), x[0],
                      x[1]);
      }
    }
  }
}

template <class P>
void block_as(const float* src, int64_t time, int64_t B, int64_t row_batch, int64_t C, void* plain,
              void* paired, int64_t stride, Worker& worker) {
  using T = typename P::T;
  const int64_t rows = time * row_batch;
  const Range mine = worker.share(rows, 2);
  for (int64_t r = mine.begin; r < mine.end; r += 2) {
    for (int64_t j = 0; j < blocks(C); ++j) {
      alignas(64) float x[2][kBlock] = {};
      for (int odd = 0; odd < 2; ++odd) {
        const int64_t t = (r + odd) / row_batch, b = (r + odd) % row_batch;
        if (b >= B || r + odd >= rows) continue;
        const int64_t left = C - j * kBlock;
        memcpy(x[odd], src + (t * B + b) * C + j * kBlock,
               (left < kBlock ? left : kBlock) * sizeof(float));
      }
      for (int part = 0; part < kParts; ++part) {
        const int lane = part * W;
        const F even_row = load(x[0] + lane), odd_row = load(x[1] + lane);
        if (plain) {
          T* p = static_cast<T*>(plain) + at<P>(j, r, stride) + lane;
          store_plain<P>(p, even_row);
          if (r + 1 < rows) store_plain<P>(p + kBlock, odd_row);
        }
        if (paired && P::pair == 2)
          store_pair<P>(static_cast<T*>(paired) + at<P>(j, r, stride) + part_of_pair<P>(part),
                        even_row, odd_row);
      }
    }
  }
}

template <class P>
void product_as(const Product& p, Worker& worker) {
  using T = typename P::T;
  const bool by_rows = p.rows >= 16 * worker.count;
  const Range rows = by_rows ? worker.share(p.rows, 2) : Range{0, p.rows};
  const Range columns = by_rows ? Range{0, p.n_blocks} : worker.share(p.n_blocks);
  if (p.bias)
    for (int64_t j = columns.begin; j < columns.end; ++j)
      for (int64_t r = rows.begin; r < rows.end; ++r)
        memcpy(p.c + (j * p.c_stride + r) * kBlock, p.bias + j * kBlock, kBlock * sizeof(float));
  const int64_t b_block = p.k_blocks * kBlock * kBlock;
  rows_product<P>(columns.end - columns.begin, rows.end - rows.begin,
                  static_cast<const T*>(p.a) + rows.begin * kBlock, p.a_stride * kBlock,
                  static_cast<const T*>(p.b) + columns.begin * b_block, b_block, p.k_blocks,
                  p.c + (columns.begin * p.c_stride + rows.begin) * kBlock, p.c_stride * kBlock,
                  p.bias != nullptr);
}

// Rows summed at a time: what both operands' share of them takes stays in the cache.
constexpr int64_t kDeep = 256;

template <class P>
void outer_product_as(const OuterProduct& p, Worker& worker) {
  using T = typename P::T;
  constexpr int MR = max_rows(kWideRowsBlocks) < 4 ? 2 : max_rows(kWideRowsBlocks);
  constexpr int NB = kWideRowsBlocks;
  const int64_t m_blocks = axis_blocks(p.m), n_blocks = blocks(p.n);
  const bool by_m = m_blocks >= n_blocks;
  const Range ms = by_m ? worker.share(m_blocks) : Range{0, m_blocks};
  const Range ns = by_m ? Range{0, n_blocks} : worker.share(n_blocks);
  alignas(64) float tile[MR * NB * kBlock];
  for (int64_t r = 0; r < p.rows || r == 0; r += kDeep) {
    const int64_t deep = kDeep < p.rows - r ? kDeep : p.rows - r;
    const bool add = p.accumulate || r > 0;
    for (int64_t j = ns.begin; j < ns.end; j += NB) {
      const T* b = static_cast<const T*>(p.b) + at<P>(j, r, p.b_stride);
      const int64_t nb = NB < ns.end - j ? NB : ns.end - j;
      for (int64_t m = ms.begin; m < ms.end; ++m) {
        for (int64_t lane = 0; lane < kBlock && source(p.m, m, lane) >= 0; lane += MR) {
          const T* a = static_cast<const T*>(p.a) + at<P>(m, r, p.a_stride) + lane * P::pair;
          if (nb == NB)
            tile_of<P, Walk::rows, MR, NB>(a, 0, b, p.b_stride * kBlock, deep / P::pair, tile,
                                           NB * kBlock, kBlock, false);
          else
            tile_of<P, Walk::rows, MR, 1>(a, 0, b, p.b_stride * kBlock, deep / P::pair, tile,
                                          NB * kBlock, kBlock, false);
          const int64_t left = p.n - j * kBlock;
          const int64_t width = left < nb * kBlock ? left : nb * kBlock;
          for (int i = 0; i < MR; ++i) {
            const int64_t place = source(p.m, m, lane + i);
            if (place < 0) break;
            float* c = p.c + place + j * kBlock;
            const float* from = tile + i * NB * kBlock;
            if (add)
              for (int64_t n = 0; n < width; ++n) c[n] += from[n];
            else
              for (int64_t n = 0; n < width; ++n) c[n] = from[n];
          }
        }
      }
    }
  }
}

}  // namespace

void pack(Precision precision, const float* src, Axis k, Axis n, void* dst, int64_t stride,
          Worker& worker) {
  precision == Precision::float32 ? pack_as<Float32>(src, k, n, dst, stride, worker)
                                  : pack_as<BFloat16>(src, k, n, dst, stride, worker);
}

void unpack(const float* src, int64_t stride, Axis k, Axis n, float* dst, Worker& worker) {
  const Range mine = worker.share(axis_blocks(n));
  for (int64_t j = mine.begin; j < mine.end; ++j)
    for (int64_t lane = 0; lane < kBlock; ++lane) {
      const int64_t column = source(n, j, lane);
      if (column < 0) break;
      for (int64_t r = 0; r < k.size; ++r)
        dst[source(k, r / kBlock, r % kBlock) + column] = src[(j * stride + r) * kBlock + lane];
    }
}

void block(Precision precision, const float* src, int64_t T, int64_t B, int64_t row_batch,
           int64_t C, void* plain, void* paired, int64_t stride, Worker& worker) {
  precision == Precision::float32
      ? block_as<Float32>(src, T, B, row_batch, C, plain, paired, stride, worker)
      : block_as<BFloat16>(src, T, B, row_batch, C, plain, paired, stride, worker);
}

void unblock(const float* src, int64_t stride, int64_t T, int64_t B, int64_t row_batch, int64_t C,
             float* dst, Worker& worker) {
  const Range mine = worker.share(T * B);
  for (int64_t row = mine.begin; row < mine.end; ++row) {
    const int64_t from = row / B * row_batch + row % B;
    for (int64_t j = 0; j < blocks(C); ++j) {
      const int64_t left = C - j * kBlock;
      memcpy(dst + row * C + j * kBlock, src + (j * stride + from) * kBlock,
             (left < kBlock ? left : kBlock) * sizeof(float));
    }
  }
}

void product(Precision precision, const Product& p, Worker& worker) {
  precision == Precision::float32 ? product_as<Float32>(p, worker) : product_as<BFloat16>(p, worker);
}

void outer_product(Precision precision, const OuterProduct& p, Worker& worker) {
  precision == Precision::float32 ? outer_product_as<Float32>(p, worker)
                                  : outer_product_as<BFloat16>(p, worker);
}

double bare_multiply_adds(Precision precision, int64_t steps) {
  constexpr int sums = 12;  // enough to hide the latency, few enough for 16 registers
  F sum[sums] = {};
#ifdef __AVX512BF16__
  if (precision == Precision::bfloat16) {
    __m512bh x = (__m512bh)_mm512_set1_epi16(0x3f80);
    for (int64_t n = 0; n < steps; ++n) {
      RNNLAB_UNROLL
      for (int i = 0; i < sums; ++i) sum[i] = (F)_mm512_dpbf16_ps((__m512)sum[i], x, x);
      asm volatile("" : "+v"(x));
    }
  } else
#endif
  {
    F x = fill(0.5f);
    for (int64_t n = 0; n < steps; ++n) {
      RNNLAB_UNROLL
      for (int i = 0; i < sums; ++i) sum[i] += x * x;
      asm volatile("" : "+m"(x));
    }
  }
  volatile float sink = 0;
  for (int i = 0; i < sums; ++i) sink = sink + sum[i][0];
#ifdef __AVX512BF16__
  if (precision == Precision::bfloat16) return 4.0 * W * sums * steps;
#endif
  (void)precision;
  return 2.0 * W * sums * steps;
}

}  // namespace rnnlab::RNNLAB_ISA_NAMESPACE
