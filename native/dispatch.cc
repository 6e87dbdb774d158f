// Finds the kernels that this build contains and this processor can run.
#include "kernels.h"

namespace rnnlab {

#ifdef RNNLAB_HAS_AVX512BF16  // missing if the compiler is too old
namespace avx512bf16 { extern const Kernels kernels; }
#endif
#ifdef RNNLAB_X86
namespace avx512 { extern const Kernels kernels; }
namespace avx2 { extern const Kernels kernels; }
#endif
namespace portable { extern const Kernels kernels; }

const Kernels* const* available_kernels(int* count) {
  static const Kernels* found[4];
  static const int number = [] {
    int n = 0;
#ifdef RNNLAB_X86
    __builtin_cpu_init();
    const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") &&
                        __builtin_cpu_supports("avx512bw") &&
                        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
#ifdef RNNLAB_HAS_AVX512BF16
    if (avx512 && __builtin_cpu_supports("avx512bf16")) found[n++] = &avx512bf16::kernels;
#endif
    if (avx512) found[n++] = &avx512::kernels;
    if (avx2) found[n++] = &avx2::kernels;
#endif
    found[n++] = &portable::kernels;
    return n;
  }();
  *count = number;
  return found;
}

}  // namespace rnnlab
