// The Python module rnnlab._native.
#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <mutex>
#include <numeric>

#include "checked_arrays.h"
#include "layer_call.h"
#include "reader.h"
#include "training_step.h"

using namespace rnnlab;

namespace {

// The parameters of a model, or their gradients: the embedding or None, four arrays per layer, the
// output layer's weight and bias. Holds references to the arrays.
struct PyNetwork {
  FloatList held;
  NetworkShape shape;
  NetworkArrays arrays;

  PyNetwork(Text cell, FloatList given) : held(std::move(given)) {
    const size_t n = held.size();
    if (n < 7 || n % 4 != 3) refuse("a model has 3 + 4 arrays per layer");
    const int64_t V = size_of(held[n - 2], 0), H = size_of(held[n - 2], 1);
    shape = {cell_kind(cell), static_cast<int64_t>(n / 4), H, V, size_of(held[0], 1)};
    arrays = {checked("embedding", held[0], {V, shape.embedding}), {},
              checked("output_weight", held[n - 2].value(), {V, H}),
              checked("output_bias", held[n - 1].value(), {V})};
    for (int64_t l = 0; l < shape.layers; ++l)
      arrays.layers.push_back(layer(held, 1 + 4 * l, shape.cell, H, shape.input_size(l)));
  }
};

// Two Python threads may hold the same object; its buffers serve one call at a time.
struct PyTrainingStep {
  NetworkShape shape;
  TrainingStep step;
  std::mutex mutex;

  PyTrainingStep(Text isa, Text precision, const PyNetwork& network)
      : shape(network.shape), step(backend(isa, precision), shape) {}

  std::pair<double, double> run(const PyNetwork& weights, const PyNetwork& gradients,
                                const Ids& ids, const Ids& targets, int64_t start,
                                const FloatList& state,
                                std::tuple<float, float, float, float> dropouts, uint64_t seed,
                                double clip_norm, int threads) {
    if (!(weights.shape == shape && gradients.shape == shape))
      refuse("weights or gradients are not those of this training step");
    if (ids.ndim() != 2 || ids.size() == 0)
      refuse("ids must be (T, B) and not empty, not " + in_words(sizes_of(ids)));
    const int64_t T = ids.shape(0), B = ids.shape(1);
    const Batch batch{ids.data(), checked("targets", targets, {T, B}), T, B, start};
    const NetworkState after = states(state, shape.cell, shape.layers, B, shape.hidden);
    const auto [input, layer, weight, output] = dropouts;
    const nb::gil_scoped_release release;
    const std::lock_guard<std::mutex> lock(mutex);
    const StepResult result =
        step.run(weights.arrays, gradients.arrays, batch, after,
                 {{input, layer, weight, output}, seed, clip_norm, threads});
    return {result.nats, result.gradient_norm};
  }
};

// For each order starts, symbols, counts and discounts; then the gate. Holds the arrays.
struct PyMixture {
  using Ints = Array<const int32_t>;
  using Doubles = Array<const double>;
  using Order = std::tuple<Ints, Ints, Ints, Doubles>;
  std::vector<Order> held;
  std::shared_ptr<const Mixture> mixture;

  PyMixture(std::vector<Order> given, int64_t vocabulary, const Doubles& gate)
      : held(std::move(given)) {
    std::vector<Successors> orders;
    int64_t contexts = 1;
    for (const auto& [starts, symbols, counts, discounts] : held) {
      const int64_t entries = symbols.size();
      Successors order{checked("starts", starts, {contexts + 1}),
                       checked("symbols", symbols, {entries}),
                       checked("counts", counts, {entries}), {}};
      std::copy_n(checked("discounts", discounts, {4}), 4, order.discounts);
      if (!order.sound(contexts, entries, vocabulary)) refuse("the n-grams are damaged");
      orders.push_back(order);
      contexts = entries;
    }
    if (orders.empty() || orders[0].starts[1] == 0) refuse("a mixture needs n-grams");
    mixture =
        std::make_shared<Mixture>(std::move(orders), vocabulary, checked("gate", gate, {2, 2}));
  }

  // Whether the contexts of all orders, one after the other, are those of this mixture.
  bool knows(const int32_t* contexts) const {
    for (const Order& order : held) {
      const int64_t context = *contexts++, size = std::get<0>(order).size() - 1;
      if (context < -1 || context >= size) return false;
    }
    return true;
  }
};

struct PyReader {
  using Contexts = std::optional<Array<int32_t>>;  // None: there is no mixture
  int64_t B, T;
  NetworkShape shape;
  const PyMixture* joined;  // or null; kept alive by Python
  Reader reader;
  std::mutex mutex;

  PyReader(Text isa, Text precision, const PyNetwork& network, int64_t B, int64_t T, int64_t start,
           int threads, const PyMixture* joined)
      : B(B), T(T), shape(network.shape), joined(joined),
        reader(backend(isa, precision), shape, network.arrays, B, T, start, threads,
               joined ? joined->mixture : nullptr) {}

  // The number of time steps of ids, which have `last` rows more than that.
  template <class Ids>
  int64_t steps(const Ids& ids, int64_t last) const {
    const Sizes sizes = sizes_of(ids);
    if (sizes.size() != 2 || sizes[0] <= last || sizes[0] - last > T || sizes[1] != B)
      refuse("ids must be 1 to " + std::to_string(T) + " steps" + (last ? " and a last row" : "") +
             " of " + std::to_string(B) + " sequences, not " + in_words(sizes));
    return sizes[0] - last;
  }
  void reset() {
    const nb::gil_scoped_release release;
    const std::lock_guard<std::mutex> lock(mutex);
    reader.reset();
  }
  NetworkState state(const FloatList& parts) const {
    return states(parts, shape.cell, shape.layers, B, shape.hidden);
  }
  int32_t* contexts(const Contexts& given) const {
    if (given.has_value() != (joined != nullptr))
      refuse("contexts are those of a mixture, and must be given if there is one");
    return joined ? checked("contexts", *given, {B, joined->mixture->order()}) : nullptr;
  }
  void get_state(const FloatList& parts, const Contexts& of) {
    const NetworkState to = state(parts);
    int32_t* const to_contexts = contexts(of);
    const nb::gil_scoped_release release;
    const std::lock_guard<std::mutex> lock(mutex);
    reader.get_state(to, to_contexts);
  }
  void set_state(const FloatList& parts, const Contexts& of) {
    const NetworkState from = state(parts);
    const int32_t* const from_contexts = contexts(of);
    for (int64_t b = 0; joined && b < B; ++b)
      if (!joined->knows(from_contexts + b * joined->mixture->order()))
        refuse("contexts must be those of the mixture");
    const nb::gil_scoped_release release;
    const std::lock_guard<std::mutex> lock(mutex);
    reader.set_state(from, from_contexts);
  }
  void predict(const Ids& ids, const Array<float>& logits) {
    const int64_t n = steps(ids, 0);
    float* found = checked("logits", logits, {n, B, shape.vocabulary});
    const nb::gil_scoped_release release;
    const std::lock_guard<std::mutex> lock(mutex);
    reader.predict(ids.data(), n, found);
  }
  void score(const Ids& ids, const Ids& targets, const Array<float>& nats) {
    const int64_t n = steps(ids, 0);
    const int64_t* wanted = checked("targets", targets, {n, B});
    float* found = checked("nats", nats, {n, B});
    const nb::gil_scoped_release release;
    const std::lock_guard<std::mutex> lock(mutex);
    reader.score(ids.data(), wanted, n, found);
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

// One layer forward, and backward if `keep`. inputs: floats (T, B, I), or int64 ids (T, B).
struct PyLayerCall {
  using Inputs = nb::ndarray<nb::ro, nb::c_contig, nb::device::cpu>;
  using Resets = std::optional<Array<const bool>>;  // None: none
  LayerShape shape;
  LayerCall call;
  bool exact;  // whether it keeps what get_trace reads

  static InputKind kind_of(const Inputs& inputs) {
    return inputs.dtype() == nb::dtype<float>() ? InputKind::floats : InputKind::token_ids;
  }
  static LayerShape shape_of(Text cell, const FloatList& weights, const Inputs& inputs) {
    const bool floats = kind_of(inputs) == InputKind::floats;
    const int64_t I = size_of(weights.at(0), 1), H = size_of(weights.at(1), 1);
    const Sizes sizes = sizes_of(inputs);
    if (!floats && inputs.dtype() != nb::dtype<int64_t>())
      throw nb::type_error("inputs must be float32, or int64 ids");
    if (sizes.size() != (floats ? 3 : 2) || (floats && sizes[2] != I) || inputs.size() == 0)
      refuse("inputs must be (T, B" + (floats ? ", " + std::to_string(I) : std::string()) +
             ") and not empty, not " + in_words(sizes));
    return {cell_kind(cell), sizes[0], sizes[1], H, I};
  }

  PyLayerCall(Text isa, Text precision, Text cell, const FloatList& weights, const Inputs& inputs,
              const Resets& resets, const FloatList& state, const Floats& outputs,
              const FloatList& last, bool keep, int threads)
      : shape(shape_of(cell, weights, inputs)),
        call(backend(isa, precision), shape, kind_of(inputs),
             keep ? Pass::with_backward : Pass::forward_only,
             resets ? checked("resets", *resets, {shape.T, shape.B}) : nullptr, threads),
        exact(keep && precision == "float32") {
    const auto [kind, T, B, H, I] = shape;
    const LayerArrays w = layer(weights, 0, kind, H, I);
    const NetworkState before = states(state, kind, 1, B, H), after = states(last, kind, 1, B, H);
    float* out = checked("outputs", outputs.value(), {T, B, H});
    const nb::gil_scoped_release release;
    call.forward(w, inputs.data(), before.h[0], before.c[0], out, after.h[0], after.c[0]);
  }

  void get_trace(const Floats& gates, const Floats& c) {
    const auto [kind, T, B, H, I] = shape;
    const CellShape cell = cell_shape(kind);
    if (!exact || gates.has_value() != (cell.stash > 0) || c.has_value() != cell.has_c)
      refuse("a trace needs float32, keep, and arrays for what the cell has");
    float* g = checked("gates", gates, {T, B, cell.gates, H});
    float* to_c = checked("c", c, {T, B, H});
    const nb::gil_scoped_release release;
    call.get_trace(g, to_c);
  }

  void backward(const Floats& d_outputs, const FloatList& d_last, const FloatList& d_weights,
                const Floats& dx, const FloatList& d_state) {
    const auto [kind, T, B, H, I] = shape;
    const float* d_out = checked("d_outputs", d_outputs, {T, B, H});
    const NetworkState after = states(d_last, kind, 1, B, H);
    const NetworkState before = states(d_state, kind, 1, B, H);
    const LayerArrays g = layer(d_weights, 0, kind, H, I);
    float* d_in = checked("dx", dx, {T, B, I});
    const nb::gil_scoped_release release;
    call.backward(d_out, after.h[0], after.c[0], g, d_in, before.h[0], before.c[0]);
  }
};

std::vector<std::string> instruction_sets() {
  std::vector<std::string> names;
  for (const Kernels& kernels : available_kernels()) names.emplace_back(kernels.isa);
  return names;
}

// Lets `threads` threads do `steps` rounds of multiply-adds; returns the number of floating-point
// operations.
double bare_multiply_adds(Text isa, Text precision, int64_t steps, int threads) {
  const Backend with = backend(isa, precision);
  std::vector<double> done(threads, 0.0);
  run_team(threads, [&](Worker& worker) {
    done[worker.index] = with.kernels->bare_multiply_adds(with.precision, steps);
  });
  return std::accumulate(done.begin(), done.end(), 0.0);
}

}  // namespace

NB_MODULE(_native, m) {
  using nb::arg;
  nb::set_leak_warnings(false);  // autograd may hold a LayerCall until Python exits
  m.def("instruction_sets", &instruction_sets);
  m.def("bare_multiply_adds", &bare_multiply_adds, nb::call_guard<nb::gil_scoped_release>());

  // noconvert: nanobind must not replace an array that is written or kept by a converted copy.
  const auto same = [](const char* name) { return arg(name).noconvert(); };
  nb::class_<PyNetwork>(m, "Network").def(nb::init<Text, FloatList>(), arg("cell"), same("arrays"));
  nb::class_<PyTrainingStep>(m, "TrainingStep")
      .def(nb::init<Text, Text, const PyNetwork&>(), arg("isa"), arg("precision"), arg("network"))
      .def("run", &PyTrainingStep::run, arg("weights"), arg("gradients"), arg("ids"),
           arg("targets"), arg("start"), same("state"), arg("dropouts"), arg("seed"),
           arg("clip_norm"), arg("threads"));
  nb::class_<PyMixture>(m, "Mixture")
      .def(nb::init<std::vector<PyMixture::Order>, int64_t, const PyMixture::Doubles&>(),
           arg("orders"), arg("vocabulary"), arg("gate"));
  nb::class_<PyReader>(m, "Reader")
      .def(nb::init<Text, Text, const PyNetwork&, int64_t, int64_t, int64_t, int,
                    const PyMixture*>(),
           arg("isa"), arg("precision"), arg("network"), arg("batch_size"), arg("num_steps"),
           arg("start"), arg("threads"), arg("mixture") = nb::none(), nb::keep_alive<1, 9>())
      .def("reset", &PyReader::reset)
      .def("get_state", &PyReader::get_state, same("parts"), same("contexts").none())
      .def("set_state", &PyReader::set_state, same("parts"), same("contexts").none())
      .def("predict", &PyReader::predict, arg("ids"), same("logits"))
      .def("score", &PyReader::score, arg("ids"), arg("targets"), same("nats"))
      .def("generate", &PyReader::generate, same("ids"), arg("known"), arg("uniforms"),
           arg("temperature"), arg("top_k"), arg("top_p"), arg("forbidden"));
  nb::class_<PyLayerCall>(m, "LayerCall")
      .def(nb::init<Text, Text, Text, const FloatList&, const PyLayerCall::Inputs&,
                    const PyLayerCall::Resets&, const FloatList&, const Floats&, const FloatList&,
                    bool, int>(),
           arg("isa"), arg("precision"), arg("cell"), same("weights"), same("inputs"),
           same("resets").none(), same("state"), same("outputs"), same("last"), arg("keep"),
           arg("threads"))
      .def("get_trace", &PyLayerCall::get_trace, same("gates").none(), same("c").none())
      .def("backward", &PyLayerCall::backward, same("d_outputs").none(), same("d_last"),
           same("d_weights"), same("dx").none(), same("d_state"));
}
