// The Python module rnnlab._native. nanobind checks that arrays are C-contiguous, on the CPU and of
// the right type; the functions below check their shapes.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <initializer_list>
#include <mutex>
#include <stdexcept>

#include "layer_call.h"
#include "reader.h"
#include "training_step.h"

namespace nb = nanobind;
using namespace rnnlab;

namespace {

template <class T>
using Array = nb::ndarray<T, nb::c_contig, nb::device::cpu>;
using Floats = Array<float>;
using FloatList = std::vector<Floats>;
using OptionalFloats = std::optional<Floats>;
using OptionalList = std::vector<OptionalFloats>;
using Ids = Array<const int64_t>;

template <class Sizes>
std::string in_words(const Sizes& sizes) {  // as Python prints a shape
  std::string text = "(";
  for (auto size = sizes.begin(); size != sizes.end(); ++size)
    text += (size == sizes.begin() ? "" : ", ") + std::to_string(*size);
  return text + (sizes.size() == 1 ? ",)" : ")");
}

template <class T>
std::string in_words(const Array<T>& array) {
  std::vector<size_t> sizes(array.shape_ptr(), array.shape_ptr() + array.ndim());
  return in_words(sizes);
}

// The array's data; raises ValueError if it has another shape.
template <class T>
T* checked(const char* name, const Array<T>& array, std::initializer_list<int64_t> sizes,
           const std::string& suffix = {}) {
  bool good = array.ndim() == sizes.size();
  for (size_t axis = 0; good && axis < sizes.size(); ++axis)
    good = static_cast<int64_t>(array.shape(axis)) == sizes.begin()[axis];
  if (!good)
    throw std::invalid_argument(name + suffix + " must be " + in_words(sizes) + ", not " +
                                in_words(array));
  return array.data();
}

float* checked(const char* name, const OptionalFloats& array, std::initializer_list<int64_t> sizes,
               const std::string& suffix = {}) {
  return array ? checked(name, *array, sizes, suffix) : nullptr;
}

Backend backend(const std::string& isa, const std::string& precision) {
  if (precision != "float32" && precision != "bfloat16")
    throw std::invalid_argument("no kernels for precision " + precision);
  int count;
  const Kernels* const* all = available_kernels(&count);
  for (int i = 0; i < count; ++i)
    if (isa == all[i]->isa)
      return {all[i], precision == "bfloat16" ? Precision::bfloat16 : Precision::float32};
  throw std::invalid_argument("no kernels for instruction set " + isa);
}

CellKind cell_kind(const std::string& cell) {
  if (cell == "rnn") return CellKind::rnn;
  if (cell == "rnn-relu") return CellKind::rnn_relu;
  if (cell == "gru") return CellKind::gru;
  if (cell == "lstm") return CellKind::lstm;
  throw std::invalid_argument("no kernels for cell " + cell);
}

// The four arrays of a layer from `first` on, as LayerWeights or LayerGradients.
template <class Layer, class List>
Layer layer(const List& arrays, size_t first, CellKind cell, int64_t H, int64_t I,
            const std::string& suffix = {}) {
  const int64_t rows = cell_shape(cell).gates * H;
  return {checked("weight_ih", arrays.at(first), {rows, I}, suffix),
          checked("weight_hh", arrays.at(first + 1), {rows, H}, suffix),
          checked("bias_ih", arrays.at(first + 2), {rows}, suffix),
          checked("bias_hh", arrays.at(first + 3), {rows}, suffix)};
}

// The parts h and c of states (B, H), one after the other; parts that are not there are null.
template <class List>
NetworkState states(const List& arrays, CellKind cell, int64_t layers, int64_t B, int64_t H) {
  const size_t parts = cell_shape(cell).has_c ? 2 : 1;
  if (arrays.size() != layers * parts)
    throw std::invalid_argument("the state must have " + std::to_string(layers * parts) +
                                " parts, not " + std::to_string(arrays.size()));
  NetworkState state;
  for (size_t i = 0; i < arrays.size(); i += parts) {
    state.h.push_back(checked("each part of the state", arrays[i], {B, H}));
    state.c.push_back(parts > 1 ? checked("each part of the state", arrays[i + 1], {B, H})
                                : nullptr);
  }
  return state;
}

// The parameters of a model, or their gradients: the embedding or None; weight_ih, weight_hh, bias_ih
// and bias_hh of each layer; weight and bias of the output layer. Holds references to the arrays.
struct PyNetwork {
  OptionalList arrays;
  NetworkShape shape;
  NetworkWeights weights;
  NetworkGradients gradients;

  PyNetwork(const std::string& cell, OptionalList given) : arrays(std::move(given)) {
    const size_t n = arrays.size();
    if (n < 7 || n % 4 != 3) throw std::invalid_argument("a model has 3 + 4 arrays per layer");
    for (size_t i = 1; i < n; ++i)
      if (!arrays[i]) throw std::invalid_argument("only the embedding may be None");
    const auto size = [](const OptionalFloats& array, size_t axis) -> int64_t {
      return array && array->ndim() > axis ? array->shape(axis) : 0;
    };
    shape = {cell_kind(cell), static_cast<int64_t>(n / 4), size(arrays[n - 2], 1),
             size(arrays[n - 2], 0), size(arrays[0], 1)};
    weights = as<NetworkWeights, LayerWeights>();
    gradients = as<NetworkGradients, LayerGradients>();
  }

 private:
  template <class Network, class Layer>
  Network as() const {
    const auto [cell, layers, H, V, E] = shape;
    const size_t last = arrays.size() - 1;
    Network network{checked("embedding", arrays[0], {V, E}), {},
                    checked("output_weight", arrays[last - 1], {V, H}),
                    checked("output_bias", arrays[last], {V})};
    for (int64_t l = 0; l < layers; ++l)
      network.layers.push_back(layer<Layer>(arrays, 1 + 4 * l, cell, H, l ? H : E ? E : V,
                                            "_l" + std::to_string(l)));
    return network;
  }
};

// Two Python threads may hold the same object; its buffers serve one call at a time.
struct PyTrainingStep {
  NetworkShape shape;
  TrainingStep step;
  std::mutex mutex;

  PyTrainingStep(const std::string& isa, const std::string& precision, const PyNetwork& network)
      : shape(network.shape), step(backend(isa, precision), shape) {}

  std::pair<double, double> run(const PyNetwork& weights, const PyNetwork& gradients,
                                const Ids& ids, const Ids& targets, const FloatList& state,
                                std::tuple<float, float, float, float> dropouts, uint64_t seed,
                                double clip_norm, int threads) {
    if (ids.ndim() != 2 || ids.size() == 0)
      throw std::invalid_argument("ids must be (T, B) and not empty, not " + in_words(ids));
    const int64_t T = ids.shape(0), B = ids.shape(1);
    const Batch batch{ids.data(), checked("targets", targets, {T, B}), T, B};
    const NetworkState after = states(state, shape.cell, shape.layers, B, shape.hidden);
    if (!(weights.shape == shape && gradients.shape == shape))
      throw std::invalid_argument("weights or gradients are not those of this training step");
    const auto [input, layer, weight, output] = dropouts;
    const nb::gil_scoped_release release;
    const std::lock_guard<std::mutex> lock(mutex);
    const StepResult result =
        step.run(weights.weights, gradients.gradients, batch, after,
                 {{input, layer, weight, output}, seed, clip_norm, threads});
    return {result.nats, result.gradient_norm};
  }
};

struct PyReader {
  int64_t B, T;
  Reader reader;
  std::mutex mutex;

  PyReader(const std::string& isa, const std::string& precision, const PyNetwork& network,
           int64_t B, int64_t T, int threads)
      : B(B), T(T),
        reader(backend(isa, precision), network.shape, network.weights, B, T, threads) {}

  // The number of time steps of ids (T, B), or of ids that have `more` rows.
  template <class Ids>
  int64_t steps(const Ids& ids, int64_t more = 0) const {
    const int64_t rows = ids.ndim() == 2 ? ids.shape(0) : 0;
    if (rows <= more || static_cast<int64_t>(ids.shape(1)) != B || rows - more > T)
      throw std::invalid_argument(
          "ids must be 1 to " + std::to_string(T) + " steps" +
          (more ? " and a last row" : "") + " of " + std::to_string(B) + " sequences, not " +
          in_words(ids));
    return rows - more;
  }
  void reset_state() {
    const nb::gil_scoped_release release;
    const std::lock_guard<std::mutex> lock(mutex);
    reader.reset_state();
  }
  double score(const Ids& ids, const Ids& targets) {
    const int64_t n = steps(ids);
    const int64_t* wanted = checked("targets", targets, {n, B});
    const nb::gil_scoped_release release;
    const std::lock_guard<std::mutex> lock(mutex);
    return reader.score(ids.data(), wanted, n);
  }
  bool generate(const Array<int64_t>& ids, const Array<const bool>& known,
                const Array<const double>& uniforms, double temperature, int64_t top_k,
                double top_p, int64_t forbidden) {
    const int64_t n = steps(ids, 1);
    const bool* given = checked("known", known, {n + 1, B});
    const double* draws = checked("uniforms", uniforms, {n + 1, B});
    const nb::gil_scoped_release release;
    const std::lock_guard<std::mutex> lock(mutex);
    return reader.generate(ids.data(), given, draws, n, {temperature, top_k, top_p, forbidden});
  }
};

// One layer forward, on floats or on token ids; the other is None. Backward may be called later.
struct PyLayerCall {
  LayerShape shape;
  LayerCall call;

  static LayerShape shape_of(const std::string& cell, const FloatList& weights,
                             const OptionalFloats& x, const std::optional<Ids>& ids) {
    const Floats &weight_ih = weights.at(0), &weight_hh = weights.at(1);
    const int64_t I = weight_ih.ndim() == 2 ? weight_ih.shape(1) : 0;
    const int64_t H = weight_hh.ndim() == 2 ? weight_hh.shape(1) : 0;
    const bool good = x ? x->ndim() == 3 && static_cast<int64_t>(x->shape(2)) == I
                        : ids.value().ndim() == 2;
    if (!good || (x ? x->size() : ids->size()) == 0)
      throw std::invalid_argument(
          "inputs must be " + (x ? "(T, B, " + std::to_string(I) + ")" : std::string("(T, B)")) +
          " and not empty, not " + (x ? in_words(*x) : in_words(*ids)));
    const int64_t T = x ? x->shape(0) : ids->shape(0), B = x ? x->shape(1) : ids->shape(1);
    return {cell_kind(cell), T, B, H, I};
  }

  PyLayerCall(const std::string& isa, const std::string& precision, const std::string& cell,
              const FloatList& weights, const OptionalFloats& x, const std::optional<Ids>& ids,
              const FloatList& state, const Floats& outputs, const FloatList& last, bool keep,
              int threads)
      : shape(shape_of(cell, weights, x, ids)),
        call(backend(isa, precision), shape, x ? InputKind::floats : InputKind::token_ids,
             keep ? Pass::with_backward : Pass::forward_only, threads) {
    const auto [kind, T, B, H, I] = shape;
    const LayerWeights w = layer<LayerWeights>(weights, 0, kind, H, I);
    const NetworkState before = states(state, kind, 1, B, H), after = states(last, kind, 1, B, H);
    float* out = checked("outputs", outputs, {T, B, H});
    const nb::gil_scoped_release release;
    call.forward(w, x ? x->data() : nullptr, ids ? ids->data() : nullptr, before.h[0],
                 before.c[0], out, after.h[0], after.c[0]);
  }

  void backward(const OptionalFloats& d_outputs, const OptionalList& d_last,
                const FloatList& d_weights, const OptionalFloats& dx, const FloatList& d_state) {
    const auto [kind, T, B, H, I] = shape;
    const float* d_out = checked("d_outputs", d_outputs, {T, B, H});
    const NetworkState after = states(d_last, kind, 1, B, H);
    const NetworkState before = states(d_state, kind, 1, B, H);
    const LayerGradients g = layer<LayerGradients>(d_weights, 0, kind, H, I);
    float* d_in = checked("dx", dx, {T, B, I});
    const nb::gil_scoped_release release;
    call.backward(d_out, after.h[0], after.c[0], g, d_in, before.h[0], before.c[0]);
  }
};

std::vector<std::string> instruction_sets() {
  int count;
  const Kernels* const* all = available_kernels(&count);
  std::vector<std::string> names;
  for (int i = 0; i < count; ++i) names.emplace_back(all[i]->isa);
  return names;
}

// Lets `threads` threads do `steps` rounds of multiply-adds; returns the number of floating-point
// operations.
double bare_multiply_adds(const std::string& isa, const std::string& precision, int64_t steps,
                          int threads) {
  const Backend with = backend(isa, precision);
  std::vector<double> done(threads, 0.0);
  run_team(threads, [&](Worker& worker) {
    done[worker.index] = with.kernels->bare_multiply_adds(with.precision, steps);
  });
  double total = 0;
  for (double operations : done) total += operations;
  return total;
}

}  // namespace

NB_MODULE(_native, m) {
  using nb::arg;
  nb::set_leak_warnings(false);  // autograd may hold a LayerCall until Python exits
  m.def("instruction_sets", &instruction_sets);
  m.def("bare_multiply_adds", &bare_multiply_adds, nb::call_guard<nb::gil_scoped_release>());

  // noconvert: an array that is written, or kept, must not be a copy that nanobind has made.
  nb::class_<PyNetwork>(m, "Network")
      .def(nb::init<const std::string&, OptionalList>(), arg("cell"), arg("arrays").noconvert());

  nb::class_<PyTrainingStep>(m, "TrainingStep")
      .def(nb::init<const std::string&, const std::string&, const PyNetwork&>(), arg("isa"),
           arg("precision"), arg("network"))
      .def("run", &PyTrainingStep::run, arg("weights"), arg("gradients"), arg("ids"),
           arg("targets"), arg("state").noconvert(), arg("dropouts"), arg("seed"),
           arg("clip_norm"), arg("threads"));

  nb::class_<PyReader>(m, "Reader")
      .def(nb::init<const std::string&, const std::string&, const PyNetwork&, int64_t, int64_t,
                    int>(),
           arg("isa"), arg("precision"), arg("network"), arg("batch_size"), arg("num_steps"),
           arg("threads"))
      .def("reset_state", &PyReader::reset_state)
      .def("score", &PyReader::score, arg("ids"), arg("targets"))
      .def("generate", &PyReader::generate, arg("ids").noconvert(), arg("known"),
           arg("uniforms"), arg("temperature"), arg("top_k"), arg("top_p"), arg("forbidden"));

  nb::class_<PyLayerCall>(m, "LayerCall")
      .def(nb::init<const std::string&, const std::string&, const std::string&, const FloatList&,
                    const OptionalFloats&, const std::optional<Ids>&, const FloatList&,
                    const Floats&, const FloatList&, bool, int>(),
           arg("isa"), arg("precision"), arg("cell"), arg("weights").noconvert(),
           arg("x").noconvert().none(), arg("ids").none(), arg("state").noconvert(),
           arg("outputs").noconvert(), arg("last").noconvert(), arg("keep"), arg("threads"))
      .def("backward", &PyLayerCall::backward, arg("d_outputs").noconvert().none(),
           arg("d_last").noconvert(), arg("d_weights").noconvert(), arg("dx").noconvert().none(),
           arg("d_state").noconvert());
}
