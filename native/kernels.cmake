# The kernels: the same source files, compiled once for each instruction set. Sets
#   KERNEL_OBJECTS      the object files of all instruction sets
#   KERNEL_DEFINITIONS  what dispatch.cc must know about them
#   NATIVE_SOURCES      the files that are compiled once
include(CheckCXXCompilerFlag)
include(CheckCXXSourceCompiles)

set(KERNELS lstm gru rnn matrix loss elementwise kernel_table)
list(TRANSFORM KERNELS PREPEND ${CMAKE_CURRENT_LIST_DIR}/)
list(TRANSFORM KERNELS APPEND .cc)
set(NATIVE_SOURCES training_step mixture reader token_table layer_call layer dispatch team)
list(TRANSFORM NATIVE_SOURCES PREPEND ${CMAKE_CURRENT_LIST_DIR}/)
list(TRANSFORM NATIVE_SOURCES APPEND .cc)
set(KERNEL_OBJECTS)
set(KERNEL_DEFINITIONS)

function(add_kernels isa)
  add_library(kernels_${isa} OBJECT ${KERNELS})
  target_compile_definitions(kernels_${isa} PRIVATE RNNLAB_ISA_NAMESPACE=${isa})
  target_compile_options(kernels_${isa} PRIVATE
    -Wall -Wextra $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized> ${ARGN})
  set_target_properties(kernels_${isa} PROPERTIES
    POSITION_INDEPENDENT_CODE ON CXX_VISIBILITY_PRESET hidden)
  set(KERNEL_OBJECTS ${KERNEL_OBJECTS} $<TARGET_OBJECTS:kernels_${isa}> PARENT_SCOPE)
endfunction()

add_kernels(portable)
check_cxx_source_compiles("
  #ifndef __x86_64__
  #error
  #endif
  int main() {}" RNNLAB_X86)
if(RNNLAB_X86)
  set(AVX512 -mprfchw -mavx512f -mavx512bw -mavx512dq -mavx512vl -mfma)
  add_kernels(avx2 -mprfchw -mavx2 -mfma)
  add_kernels(avx512 ${AVX512})
  list(APPEND KERNEL_DEFINITIONS RNNLAB_X86)
  check_cxx_compiler_flag(-mavx512bf16 RNNLAB_HAS_AVX512BF16)
  if(RNNLAB_HAS_AVX512BF16)
    add_kernels(avx512bf16 ${AVX512} -mavx512bf16)
    list(APPEND KERNEL_DEFINITIONS RNNLAB_HAS_AVX512BF16)
  endif()
endif()
