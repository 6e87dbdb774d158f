// What the model expects next, and how a token is chosen from it.

/** Make ln p of scores, in place: subtract the logarithm of the sum of their exponentials. */
function normalise(scores) {
  let most = -Infinity, sum = 0;
  for (const score of scores) if (score > most) most = score;
  for (const score of scores) sum += Math.exp(score - most);
  const all = most + Math.log(sum);
  for (let v = 0; v < scores.length; v++) scores[v] -= all;
}

/** The network, and the n-gram model if the page has it. */
class Predictor {
  constructor(network, table = null, gate = null) {
    Object.assign(this, { network, table, gate });
    this.logP = new Float64Array(network.V); // ln p of what follows
    this.reset();
  }

  reset() {
    this.network.reset();
    this.table?.reset();
    this.hasRead = false; // before the first token nothing is expected
  }

  /** Return all that `restore` needs. */
  state() {
    const { network, table, logP, hasRead } = this;
    return { network: network.state(), table: table?.state(), logP: logP.slice(), hasRead };
  }

  restore({ network, table, logP, hasRead }) {
    this.network.restore(network);
    this.table?.restore(table);
    this.logP.set(logP);
    this.hasRead = hasRead;
  }

  read(token) {
    this.network.read(token);
    this.logP.set(this.network.logits);
    normalise(this.logP);
    if (this.table) {
      this.table.read(token);
      mix(this.gate, this.logP, this.table.p);
    }
    this.hasRead = true;
  }

  /** Return the likeliest tokens with their probabilities, the most likely first. */
  likeliest(count) {
    const order = Array.from(this.logP.keys()).sort((a, b) => this.logP[b] - this.logP[a]);
    return order.slice(0, count).map((token) => ({ token, p: Math.exp(this.logP[token]) }));
  }
}

/** Random numbers in [0, 1): sfc32 of PractRand (C. Doty-Humphrey), begun from one number. */
function randomNumbers(seed) {
  let a = 0, b = seed | 0, c = Math.floor(seed / 2 ** 32) | 0, counter = 1;
  const next = () => {
    const sum = (a + b + counter++) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + sum | 0;
    return (sum >>> 0) / 2 ** 32;
  };
  for (let round = 0; round < 12; round++) next();
  return next;
}

/** Choose a token; temperature 0: the likeliest. topK: of so many likeliest, ties kept; 0: of all. */
function chooseToken(logP, { temperature, topK, random, forbidden }) {
  let best = -1;
  for (let v = 0; v < logP.length; v++) {
    if (v !== forbidden && (best < 0 || logP[v] > logP[best])) best = v;
  }
  if (temperature === 0) return best;
  const isOpen = (v) => v !== forbidden;
  let least = -Infinity;
  if (topK > 0 && topK < logP.length) {
    least = logP.filter((_, v) => isOpen(v)).sort().at(-topK) ?? -Infinity;
  }
  const weights = logP.map((score, v) =>
    isOpen(v) && score >= least ? Math.exp((score - logP[best]) / temperature) : 0);
  let left = random() * weights.reduce((sum, weight) => sum + weight, 0);
  for (let v = 0; v < weights.length; v++) {
    left -= weights[v];
    if (left < 0) return v;
  }
  return best; // rounding
}
