// The recurrent network: reads token after token, and has logits for what follows.
//
// Legend: E embedding size, H hidden size, G gates, L layers, V vocabulary size; sizes in memory are filled up to
// multiples of 4 (function whole) with zeros, which change nothing.

const GATES = {
  rnn: [{ name: "h", low: -1, high: 1 }],
  "rnn-relu": [{ name: "h", low: 0, high: Infinity }],
  gru: [{ name: "r", low: 0, high: 1 }, { name: "z", low: 0, high: 1 }, { name: "n", low: -1, high: 1 }],
  lstm: [
    { name: "i", low: 0, high: 1 }, { name: "f", low: 0, high: 1 },
    { name: "g", low: -1, high: 1 }, { name: "o", low: 0, high: 1 },
  ],
};

const MOST_ROWS = 2 ** 22; // floats: inputs of the first layer that are kept once they are computed

function whole(size) {
  return 4 * Math.ceil(size / 4);
}

/** Return where each array is in memory, by name, and how many floats all of them are. */
function placesOf({ cell, H, L, V, E, oneHot, tied }) {
  const places = {}, rows = GATES[cell].length * whole(H);
  let size = 0;
  const take = (name, count) => {
    places[name] = size;
    size += whole(count);
  };
  const slots = oneHot ? V : Math.max(1, Math.min(V, Math.floor(MOST_ROWS / rows)));
  take("inputs", slots * rows); // W_ih x and biases of the tokens
  if (!oneHot) take("embedding", V * whole(E));
  for (let layer = 0; layer < L; layer++) {
    if (layer || !oneHot) take(`input${layer}`, rows * whole(layer ? H : E));
    take(`hidden${layer}`, rows * whole(H));
    take(`bias${layer}`, rows); // what is added to W_ih x
    take(`hiddenBias${layer}`, rows); // of a GRU, added to W_hh h
    take(`gates${layer}`, rows);
  }
  take("below", rows); // W_ih x of a layer above the first
  take("state", 0);
  for (let layer = 0; layer < L; layer++) {
    take(`h${layer}`, H);
    if (cell === "lstm") take(`c${layer}`, H);
  }
  take("stateEnd", 0);
  // The rows that fill up V: of shared weights they are what follows in memory, and their logits are not read.
  if (tied) places.output = places.embedding;
  else take("output", whole(V) * whole(H));
  take("outputBias", V);
  take("logits", V);
  return { places, rows, slots, size };
}

class Network {
  /** kernel: with a memory of placesOf(model).size floats; tensors: by name, see tensorOf. */
  constructor(model, kernel, tensors) {
    const { cell, H, L, V, E, oneHot, tied, start } = model;
    Object.assign(this, { cell, H, L, V, E, oneHot, tied, start, kernel }, placesOf(model));
    this.gateCount = GATES[this.cell].length;
    this.owner = new Int32Array(this.slots).fill(-1); // the token whose input each slot holds
    this.#fill(tensors);
    const m = kernel.memory, { state, stateEnd, logits } = this.places;
    this.stateView = m.subarray(state, stateEnd);
    this.logits = m.subarray(logits, logits + this.V);
  }

  #fill(tensors) {
    const { H, E, V, L, rows, places, kernel } = this, m = kernel.memory;
    /** Copy (G H, columns) row by row, each gate filled up to whole(H) rows. */
    const copy = (place, values, columns, width) => {
      const count = values.length / columns;
      for (let row = 0; row < count; row++) {
        const to = Math.floor(row / H) * whole(H) + (row % H);
        m.set(values.subarray(row * columns, (row + 1) * columns), place + to * width);
      }
    };
    const straight = (place, values, columns) => {
      for (let row = 0; row * columns < values.length; row++) {
        m.set(values.subarray(row * columns, (row + 1) * columns), place + row * whole(columns));
      }
    };
    for (let layer = 0; layer < L; layer++) {
      const of = (name) => tensors[`recurrent.${name}_l${layer}`];
      const [input, hidden] = [of("bias_ih"), of("bias_hh")];
      const isGru = this.cell === "gru";
      copy(places[`bias${layer}`], isGru ? input : input.map((b, k) => b + hidden[k]), 1, 1);
      if (isGru) copy(places[`hiddenBias${layer}`], hidden, 1, 1);
      copy(places[`hidden${layer}`], of("weight_hh"), H, whole(H));
      if (layer) copy(places[`input${layer}`], of("weight_ih"), H, whole(H));
      else if (!this.oneHot) copy(places.input0, of("weight_ih"), E, whole(E));
    }
    if (this.oneHot) this.#fillOneHot(tensors["recurrent.weight_ih_l0"]);
    else straight(places.embedding, tensors["embedding.weight"], E);
    if (!this.tied) straight(places.output, tensors["output.weight"], H);
    m.set(tensors["output.bias"], places.outputBias);
  }

  /** The input of a token is its column of W_ih. */
  #fillOneHot(values) {
    const { H, V, rows, places } = this, m = this.kernel.memory;
    for (let token = 0; token < V; token++) {
      const place = places.inputs + token * rows;
      m.copyWithin(place, places.bias0, places.bias0 + rows);
      for (let row = 0; row * V < values.length; row++) {
        m[place + Math.floor(row / H) * whole(H) + (row % H)] += values[row * V + token];
      }
      this.owner[token] = token;
    }
  }

  /** Return the place of W_ih x + b_ih for a token; it is computed once, or again if it was lost. */
  #input(token) {
    const { places, rows, E } = this, slot = token % this.slots, place = places.inputs + slot * rows;
    if (this.owner[slot] !== token) {
      const x = places.embedding + token * whole(E);
      this.kernel.matvec(places.input0, x, places.bias0, place, rows, whole(E));
      this.owner[slot] = token;
    }
    return place;
  }

  reset() {
    this.stateView.fill(0);
  }

  state() {
    return this.stateView.slice();
  }

  restore(state) {
    this.stateView.set(state);
  }

  /** Read a token; `logits` are then those of what follows. A new sample begins from zeros. */
  read(token) {
    if (token === this.start) this.reset();
    const { kernel, places, rows, cell, L } = this, H = whole(this.H);
    let x = this.#input(token);
    for (let layer = 0; layer < L; layer++) {
      const gates = places[`gates${layer}`], h = places[`h${layer}`];
      if (layer) {
        const below = places[`h${layer - 1}`];
        kernel.matvec(places[`input${layer}`], below, places[`bias${layer}`], places.below, rows, H);
        x = places.below;
      }
      const base = cell === "gru" ? places[`hiddenBias${layer}`] : x;
      kernel.matvec(places[`hidden${layer}`], h, base, gates, rows, H);
      if (cell === "gru") kernel.gru(x, gates, h, H);
      else if (cell === "lstm") kernel.lstm(gates, h, places[`c${layer}`], H);
      else kernel.rnn(gates, h, H, cell === "rnn-relu" ? 1 : 0);
    }
    const top = places[`h${L - 1}`];
    kernel.matvec(places.output, top, places.outputBias, places.logits, whole(this.V), H);
  }

  /** Return the gates, and the parts of the state, of a layer after the last token, by name. */
  inside(layer) {
    const { H, places, kernel } = this;
    const part = (place) => kernel.memory.slice(place, place + H);
    const found = GATES[this.cell].map(({ name, low, high }, gate) => ({
      name, low, high, values: part(places[`gates${layer}`] + gate * whole(H)),
    }));
    if (this.cell === "lstm") {
      found.push({ name: "c", low: -Infinity, high: Infinity, values: part(places[`c${layer}`]) });
    }
    if (this.cell === "lstm" || this.cell === "gru") {
      found.push({ name: "h", low: -1, high: 1, values: part(places[`h${layer}`]) });
    }
    return found;
  }
}
