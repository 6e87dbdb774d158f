// The Python module rnnlab._native. Arrays come as addresses: rnnlab.engines.native has checked
// their shapes, types and strides, and keeps them alive during the call.
#include <nanobind/nanobind.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <mutex>

#include "call.h"
#include "layer_call.h"
#include "reader.h"
#include "training_step.h"

namespace nb = nanobind;
using namespace rnnlab;

namespace {

using Address = uint64_t;
using Addresses = std::vector<Address>;

template <class T>
T* pointer(Address address) {
  return reinterpret_cast<T*>(address);
}

How how(const std::string& isa, const std::string& precision) {
  int count;
  const Kernels* const* all = available_kernels(&count);
  for (int i = 0; i < count; ++i)
    if (isa == all[i]->isa)
      return {all[i], precision == "bfloat16" ? Precision::bfloat16 : Precision::float32};
  throw std::invalid_argument("no kernels for " + isa);
}

CellKind cell_kind(const std::string& cell) {
  if (cell == "rnn") return CellKind::rnn;
  if (cell == "rnn-relu") return CellKind::rnn_relu;
  if (cell == "gru") return CellKind::gru;
  if (cell == "lstm") return CellKind::lstm;
  throw std::invalid_argument("no kernels for the cell " + cell);
}

// weight_ih, weight_hh, bias_ih, bias_hh from address `first` on.
template <class Layer>
Layer layer(const Addresses& a, int64_t first) {
  return {pointer<float>(a.at(first)), pointer<float>(a.at(first + 1)),
          pointer<float>(a.at(first + 2)), pointer<float>(a.at(first + 3))};
}

// embedding or 0; weight_ih, weight_hh, bias_ih, bias_hh of each layer; output weight and bias.
template <class Network, class Layer>
Network network(const Addresses& a, int64_t layers) {
  Network n{pointer<float>(a.at(0)), {}, pointer<float>(a.at(1 + 4 * layers)),
            pointer<float>(a.at(2 + 4 * layers))};
  for (int64_t l = 0; l < layers; ++l) n.layers.push_back(layer<Layer>(a, 1 + 4 * l));
  return n;
}

NetworkWeights network_weights(const Addresses& a, int64_t layers) {
  return network<NetworkWeights, LayerWeights>(a, layers);
}

NetworkGradients network_gradients(const Addresses& a, int64_t layers) {
  return network<NetworkGradients, LayerGradients>(a, layers);
}

// h and c (or 0) of each layer.
NetworkState network_state(const Addresses& a, int64_t layers) {
  NetworkState state;
  for (int64_t l = 0; l < layers; ++l) {
    state.h.push_back(pointer<float>(a.at(2 * l)));
    state.c.push_back(pointer<float>(a.at(2 * l + 1)));
  }
  return state;
}

// Two Python threads may hold the same object; its buffers serve one call at a time.
struct PyTrainingStep {
  int64_t layers;
  TrainingStep step;
  std::mutex mutex;

  PyTrainingStep(const std::string& isa, const std::string& precision, const std::string& cell,
                 int64_t layers, int64_t hidden, int64_t vocabulary, int64_t embedding)
      : layers(layers),
        step(how(isa, precision), {cell_kind(cell), layers, hidden, vocabulary, embedding}) {}

  std::pair<double, double> run(const Addresses& weights, const Addresses& gradients, Address ids,
                                Address targets, int64_t T, int64_t B, const Addresses& state,
                                std::tuple<float, float, float, float> dropouts, uint64_t seed,
                                double clip_norm, int threads) {
    const std::lock_guard<std::mutex> lock(mutex);
    const auto [input, layer, weight, output] = dropouts;
    const StepResult result = step.run(
        network_weights(weights, layers), network_gradients(gradients, layers),
        pointer<int64_t>(ids), pointer<int64_t>(targets), T, B, network_state(state, layers),
        {input, layer, weight, output}, seed, clip_norm, threads);
    return {result.nats, result.gradient_norm};
  }
};

struct PyReader {
  int64_t layers;
  Reader reader;
  std::mutex mutex;

  PyReader(const std::string& isa, const std::string& precision, const std::string& cell,
           int64_t layers, int64_t hidden, int64_t vocabulary, int64_t embedding,
           const Addresses& weights, int64_t B, int64_t T, bool project_table, int threads)
      : layers(layers),
        reader(how(isa, precision), {cell_kind(cell), layers, hidden, vocabulary, embedding},
               network_weights(weights, layers), B, T, project_table, threads) {}

  void set_state(const Addresses& state) {
    const std::lock_guard<std::mutex> lock(mutex);
    reader.set_state(network_state(state, layers));
  }
  double score(Address ids, Address targets, int64_t steps) {
    const std::lock_guard<std::mutex> lock(mutex);
    return reader.score(pointer<int64_t>(ids), pointer<int64_t>(targets), steps);
  }
  bool generate(Address ids, Address known, Address uniforms, int64_t steps, double temperature,
                int64_t top_k, double top_p, int64_t forbidden) {
    const std::lock_guard<std::mutex> lock(mutex);
    return reader.generate(pointer<int64_t>(ids), pointer<uint8_t>(known),
                           pointer<double>(uniforms), steps,
                           {temperature, top_k, top_p, forbidden});
  }
};

struct PyLayerCall {
  LayerCall call;

  PyLayerCall(const std::string& isa, const std::string& precision, const std::string& cell,
              int64_t T, int64_t B, int64_t H, int64_t input_size, bool ids, bool keep, int threads)
      : call(how(isa, precision), cell_kind(cell), T, B, H, input_size, ids, keep, threads) {}

  void forward(const Addresses& weights, Address x, Address ids, Address h, Address c,
               Address outputs, Address last_h, Address last_c) {
    call.forward(layer<LayerWeights>(weights, 0), pointer<float>(x), pointer<int64_t>(ids),
                 pointer<float>(h), pointer<float>(c), pointer<float>(outputs),
                 pointer<float>(last_h), pointer<float>(last_c));
  }
  void backward(Address d_outputs, Address d_h, Address d_c, const Addresses& gradients,
                Address dx, Address d_h0, Address d_c0) {
    call.backward(pointer<float>(d_outputs), pointer<float>(d_h), pointer<float>(d_c),
                  layer<LayerGradients>(gradients, 0), pointer<float>(dx), pointer<float>(d_h0), pointer<float>(d_c0));
  }
};

std::vector<std::string> instruction_sets() {
  int count;
  const Kernels* const* all = available_kernels(&count);
  std::vector<std::string> names;
  for (int i = 0; i < count; ++i) names.emplace_back(all[i]->isa);
  return names;
}

// Floating-point operations done by `threads` threads in `steps` rounds of bare multiply-adds.
double bare_multiply_adds(const std::string& isa, const std::string& precision, int64_t steps,
                          int threads) {
  const How with = how(isa, precision);
  std::vector<double> done(threads, 0.0);
  team(threads, [&](Worker& worker) {
    done[worker.index] = with.kernels->bare_multiply_adds(with.precision, steps);
  });
  double total = 0;
  for (double flop : done) total += flop;
  return total;
}

}  // namespace

NB_MODULE(_native, m) {
  nb::set_leak_warnings(false);  // autograd may hold a LayerCall until the very end
  using release = nb::call_guard<nb::gil_scoped_release>;
  m.def("instruction_sets", &instruction_sets);
  m.def("bare_multiply_adds", &bare_multiply_adds, release());

  nb::class_<PyTrainingStep>(m, "TrainingStep")
      .def(nb::init<const std::string&, const std::string&, const std::string&, int64_t, int64_t,
                    int64_t, int64_t>(),
           nb::arg("isa"), nb::arg("precision"), nb::arg("cell"), nb::arg("num_layers"),
           nb::arg("hidden_size"), nb::arg("vocabulary_size"), nb::arg("embedding_size"))
      .def("run", &PyTrainingStep::run, release(), nb::arg("weights"), nb::arg("gradients"),
           nb::arg("ids"), nb::arg("targets"), nb::arg("num_steps"), nb::arg("batch_size"),
           nb::arg("state"), nb::arg("dropouts"), nb::arg("seed"), nb::arg("clip_norm"),
           nb::arg("threads"));

  nb::class_<PyReader>(m, "Reader")
      .def(nb::init<const std::string&, const std::string&, const std::string&, int64_t, int64_t,
                    int64_t, int64_t, const Addresses&, int64_t, int64_t, bool, int>(),
           nb::arg("isa"), nb::arg("precision"), nb::arg("cell"), nb::arg("num_layers"),
           nb::arg("hidden_size"), nb::arg("vocabulary_size"), nb::arg("embedding_size"),
           nb::arg("weights"), nb::arg("batch_size"), nb::arg("num_steps"),
           nb::arg("project_table"), nb::arg("threads"))
      .def("set_state", &PyReader::set_state)
      .def("score", &PyReader::score, release(), nb::arg("ids"), nb::arg("targets"),
           nb::arg("steps"))
      .def("generate", &PyReader::generate, release(), nb::arg("ids"), nb::arg("known"),
           nb::arg("uniforms"), nb::arg("steps"), nb::arg("temperature"), nb::arg("top_k"),
           nb::arg("top_p"), nb::arg("forbidden"));

  nb::class_<PyLayerCall>(m, "LayerCall")
      .def(nb::init<const std::string&, const std::string&, const std::string&, int64_t, int64_t,
                    int64_t, int64_t, bool, bool, int>(),
           nb::arg("isa"), nb::arg("precision"), nb::arg("cell"), nb::arg("num_steps"),
           nb::arg("batch_size"), nb::arg("hidden_size"), nb::arg("input_size"), nb::arg("ids"),
           nb::arg("keep"), nb::arg("threads"))
      .def("forward", &PyLayerCall::forward, release(), nb::arg("weights"), nb::arg("x"),
           nb::arg("ids"), nb::arg("h"), nb::arg("c"), nb::arg("outputs"), nb::arg("last_h"),
           nb::arg("last_c"))
      .def("backward", &PyLayerCall::backward, release(), nb::arg("d_outputs"), nb::arg("d_h"),
           nb::arg("d_c"), nb::arg("gradients"), nb::arg("dx"), nb::arg("d_h0"), nb::arg("d_c0"));
}
