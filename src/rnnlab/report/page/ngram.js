// The n-gram model that joins the network, see rnnlab.lm.ngram_table and ngram_mixture: rows of successors, from which
// all symbols after a context are predicted, and a gate (2, 2) that mixes both models.
//
// Legend: K order, V vocabulary size. The number of a context is the place of its k-gram in the order below.

/** Reads whole numbers of 7 bits a byte, the lowest first; the highest bit says that more follow. */
class NumberReader {
  constructor(bytes) {
    this.bytes = bytes;
    this.at = 0;
  }

  next() {
    let value = 0, scale = 1, byte;
    do {
      byte = this.bytes[this.at++];
      value += (byte & 127) * scale;
      scale *= 128;
    } while (byte > 127);
    return value;
  }
}

class NGramTable {
  /** orders: of each its contexts, k-grams (size) and discounts; rows: of each its bytes, see packed_ngrams.py. */
  constructor({ V, start, orders }, rows) {
    Object.assign(this, { V, start });
    this.orders = orders.map(({ contexts, size, discounts }, k) => {
      const reader = new NumberReader(rows[k]);
      const starts = new Int32Array(contexts + 1), symbols = new Int32Array(size);
      for (let row = 0; row < contexts; row++) starts[row + 1] = starts[row] + reader.next();
      for (let row = 0; row < contexts; row++) {
        let symbol = -1; // they ascend in a row
        for (let at = starts[row]; at < starts[row + 1]; at++) {
          symbols[at] = symbol += 1 + reader.next();
        }
      }
      const own = new Float64Array(size), total = new Float64Array(contexts);
      const saved = new Float64Array(contexts);
      for (let row = 0; row < contexts; row++) {
        for (let at = starts[row]; at < starts[row + 1]; at++) {
          const count = 1 + reader.next(), discount = discounts[Math.min(count, 3)];
          own[at] = count - discount;
          total[row] += count;
          saved[row] += discount;
        }
      }
      return { starts, symbols, own, total, saved };
    });
    this.p = new Float64Array(V);
    this.reset();
  }

  reset() {
    this.contexts = new Int32Array(this.orders.length).fill(-1);
    this.contexts[0] = 0;
  }

  state() {
    return this.contexts.slice();
  }

  restore(state) {
    this.contexts.set(state);
  }

  read(token) {
    for (let k = this.orders.length - 1; k > 0; k--) {
      // A sample begins: nothing before it counts.
      const before = k > 1 && token === this.start ? -1 : this.contexts[k - 1];
      this.contexts[k] = before < 0 ? -1 : this.#find(this.orders[k - 1], before, token);
    }
    this.#predict();
  }

  /** Return the place of a symbol in a row, or -1. */
  #find({ starts, symbols }, row, symbol) {
    let low = starts[row], high = starts[row + 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (symbols[middle] < symbol) low = middle + 1;
      else high = middle;
    }
    return low < starts[row + 1] && symbols[low] === symbol ? low : -1;
  }

  #predict() {
    const { p, V, orders, contexts } = this;
    p.fill(1 / V);
    orders.forEach(({ starts, symbols, own, total, saved }, k) => {
      const row = contexts[k];
      if (row < 0 || !total[row]) return;
      const share = saved[row] / total[row];
      for (let v = 0; v < V; v++) p[v] *= share;
      for (let at = starts[row]; at < starts[row + 1]; at++) p[symbols[at]] += own[at] / total[row];
    });
  }
}

/** Mix ln p (V) of the network, in place, with p (V) of the n-gram model, by the gate. */
function mix(gate, logP, q) {
  let divergence = 0;
  for (let v = 0; v < q.length; v++) divergence += Math.exp(logP[v]) * (logP[v] - Math.log(q[v]));
  const a = gate[0][0] + gate[1][0] * divergence, b = gate[0][1] + gate[1][1] * divergence;
  for (let v = 0; v < q.length; v++) logP[v] = a * logP[v] + b * Math.log(q[v]);
  normalise(logP);
}
