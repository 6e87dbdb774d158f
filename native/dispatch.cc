#include "layer.h"

namespace rnnlab {

#ifdef RNNLAB_HAS_AVX512BF16  // missing if the compiler is too old
namespace avx512bf16 { Kernels kernels(); }
#endif
#ifdef RNNLAB_X86
namespace avx512 { Kernels kernels(); }
namespace avx2 { Kernels kernels(); }
#endif
namespace portable { Kernels kernels(); }

const std::vector<Kernels>& available_kernels() {
  static const std::vector<Kernels> found = [] {
    std::vector<Kernels> found;
#ifdef RNNLAB_X86
    __builtin_cpu_init();
    const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") &&
                        __builtin_cpu_supports("avx512bw") &&
                        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
#ifdef RNNLAB_HAS_AVX512BF16
    if (avx512 && __builtin_cpu_supports("avx512bf16")) found.push_back(avx512bf16::kernels());
#endif
    if (avx512) found.push_back(avx512::kernels());
    if (avx2) found.push_back(avx2::kernels());
#endif
    found.push_back(portable::kernels());
    return found;
  }();
  return found;
}

}  // namespace rnnlab
