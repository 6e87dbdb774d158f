// The cell equations in plain JavaScript: what kernel.c has, for browsers without WebAssembly.
// Arrays are places in one memory of float32; their sizes are multiples of 4.

class PlainKernel {
  constructor(floats) {
    this.name = "plain JavaScript";
    this.memory = new Float32Array(floats);
  }

  /** y = base + W x; W (rows, columns) row by row. */
  matvec(W, x, base, y, rows, columns) {
    const m = this.memory;
    for (let row = 0; row < rows; row += 4) {
      const first = W + row * columns, second = first + columns;
      const third = second + columns, fourth = third + columns;
      let a = m[base + row], b = m[base + row + 1], c = m[base + row + 2], d = m[base + row + 3];
      for (let k = 0; k < columns; k++) {
        const value = m[x + k];
        a += m[first + k] * value;
        b += m[second + k] * value;
        c += m[third + k] * value;
        d += m[fourth + k] * value;
      }
      m[y + row] = a;
      m[y + row + 1] = b;
      m[y + row + 2] = c;
      m[y + row + 3] = d;
    }
  }

  /** h = tanh(sum), or max(0, sum). In all cells `gates` holds the sums, and then the gates. */
  rnn(gates, h, H, relu) {
    const m = this.memory;
    for (let k = 0; k < H; k++) {
      m[h + k] = m[gates + k] = relu ? Math.max(0, m[gates + k]) : Math.tanh(m[gates + k]);
    }
  }

  /** r, z = sigmoid(x + hidden); n = tanh(x + r hidden); h = (1 - z) n + z h. */
  gru(x, gates, h, H) {
    const m = this.memory;
    for (let k = 0; k < H; k++) {
      const r = sigmoid(m[x + k] + m[gates + k]);
      const z = sigmoid(m[x + H + k] + m[gates + H + k]);
      const n = Math.tanh(m[x + 2 * H + k] + r * m[gates + 2 * H + k]);
      m[gates + k] = r;
      m[gates + H + k] = z;
      m[gates + 2 * H + k] = n;
      m[h + k] = (1 - z) * n + z * m[h + k];
    }
  }

  /** i, f, o = sigmoid(sum); g = tanh(sum); c = f c + i g; h = o tanh(c). */
  lstm(gates, h, c, H) {
    const m = this.memory;
    for (let k = 0; k < H; k++) {
      const i = (m[gates + k] = sigmoid(m[gates + k]));
      const f = (m[gates + H + k] = sigmoid(m[gates + H + k]));
      const g = (m[gates + 2 * H + k] = Math.tanh(m[gates + 2 * H + k]));
      const o = (m[gates + 3 * H + k] = sigmoid(m[gates + 3 * H + k]));
      const cell = f * m[c + k] + i * g;
      m[c + k] = cell;
      m[h + k] = o * Math.tanh(cell);
    }
  }
}

function sigmoid(x) {
  return 1 / (1 + Math.exp(-x));
}
