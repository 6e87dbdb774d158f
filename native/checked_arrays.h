// What comes from Python: nanobind checks that arrays are C-contiguous, on the CPU and of the right
// type; the functions here check shapes and names.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "network.h"

namespace rnnlab {

namespace nb = nanobind;

using Text = const std::string&;
template <class T>
using Array = nb::ndarray<T, nb::c_contig, nb::device::cpu>;
using Floats = std::optional<Array<float>>;  // None: null
using FloatList = std::vector<Floats>;
using Ids = Array<const int64_t>;
using Sizes = std::vector<int64_t>;

inline std::string in_words(const Sizes& sizes) {  // as Python prints a shape
  std::string text = "(";
  for (int64_t size : sizes) text += (text == "(" ? "" : ", ") + std::to_string(size);
  return text + (sizes.size() == 1 ? ",)" : ")");
}

template <class Array>
Sizes sizes_of(const Array& array) {
  return {array.shape_ptr(), array.shape_ptr() + array.ndim()};
}

[[noreturn]] inline void refuse(Text message) { throw std::invalid_argument(message); }

// The array's data; raises ValueError if it has another shape.
template <class T>
T* checked(const char* name, const Array<T>& array, std::initializer_list<int64_t> sizes) {
  bool good = array.ndim() == sizes.size();
  for (size_t axis = 0; good && axis < sizes.size(); ++axis)
    good = static_cast<int64_t>(array.shape(axis)) == sizes.begin()[axis];
  if (!good)
    refuse(name + (" must be " + in_words(sizes)) + ", not " + in_words(sizes_of(array)));
  return array.data();
}

inline float* checked(const char* name, const Floats& array, std::initializer_list<int64_t> sizes) {
  return array ? checked(name, *array, sizes) : nullptr;
}

inline int64_t size_of(const Floats& array, size_t axis) {
  return array && array->ndim() > axis ? array->shape(axis) : 0;
}

inline Backend backend(Text isa, Text precision) {
  if (precision != "float32" && precision != "bfloat16")
    refuse("no kernels for precision " + precision);
  for (const Kernels& kernels : available_kernels())
    if (isa == kernels.isa)
      return {&kernels, precision == "bfloat16" ? Precision::bfloat16 : Precision::float32};
  refuse("no kernels for instruction set " + isa);
}

inline CellKind cell_kind(Text cell) {
  if (cell == "rnn") return CellKind::rnn;
  if (cell == "rnn-relu") return CellKind::rnn_relu;
  if (cell == "gru") return CellKind::gru;
  if (cell == "lstm") return CellKind::lstm;
  refuse("no kernels for cell " + cell);
}

// weight_ih, weight_hh, bias_ih and bias_hh, from arrays[first] on.
inline LayerArrays layer(const FloatList& arrays, size_t first, CellKind cell, int64_t H,
                         int64_t I) {
  const int64_t rows = cell_shape(cell).gates * H;
  return {checked("weight_ih", arrays.at(first).value(), {rows, I}),
          checked("weight_hh", arrays.at(first + 1).value(), {rows, H}),
          checked("bias_ih", arrays.at(first + 2).value(), {rows}),
          checked("bias_hh", arrays.at(first + 3).value(), {rows})};
}

// The parts h and c of the states of layers, or h only, one after the other.
inline NetworkState states(const FloatList& arrays, CellKind cell, int64_t layers, int64_t B,
                           int64_t H) {
  const size_t parts = cell_shape(cell).has_c ? 2 : 1;
  if (arrays.size() != layers * parts)
    refuse("the state must have " + std::to_string(layers * parts) + " parts, not " +
           std::to_string(arrays.size()));
  NetworkState state;
  for (size_t i = 0; i < arrays.size(); ++i) {
    float* part = checked("each part of the state", arrays[i], {B, H});
    (i % parts ? state.c : state.h).push_back(part);
  }
  if (parts == 1) state.c.resize(layers, nullptr);
  return state;
}

}  // namespace rnnlab
