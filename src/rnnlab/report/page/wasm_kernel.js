// The same functions as PlainKernel, in WebAssembly with SIMD (kernel.c).

const WASM_PAGE = 65536; // bytes

class WasmKernel {
  constructor(functions, memory, floats) {
    this.name = "WebAssembly";
    this.memory = new Float32Array(memory.buffer, WASM_PAGE, floats);
    // Places are counted in floats behind the first page, which the module has for itself.
    const at = (place) => WASM_PAGE + 4 * place;
    const { matvec, rnn, gru, lstm } = functions;
    this.matvec = (W, x, base, y, rows, columns) =>
      matvec(at(W), at(x), at(base), at(y), rows, columns);
    this.rnn = (gates, h, H, relu) => rnn(at(gates), at(h), H, relu);
    this.gru = (x, gates, h, H) => gru(at(x), at(gates), at(h), H);
    this.lstm = (gates, h, c, H) => lstm(at(gates), at(h), at(c), H);
  }
}

/** Return the fastest kernel that this browser has, with a memory of so many floats. */
async function fastestKernel(bytes, floats) {
  try {
    const memory = new WebAssembly.Memory({ initial: 1 + Math.ceil((4 * floats) / WASM_PAGE) });
    const { instance } = await WebAssembly.instantiate(bytes, { env: { memory } });
    return new WasmKernel(instance.exports, memory, floats);
  } catch {
    return new PlainKernel(floats); // no WebAssembly here, or none with SIMD
  }
}
