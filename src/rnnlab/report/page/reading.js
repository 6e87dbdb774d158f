// The text as tokens that the model has read or written, how surprising each was, and what it was like at each of them.

const STRIDE = 64; // tokens between two states that are kept; those between are computed again
const ALTERNATIVES = 8;

class Reading {
  /** startIds: what is read before a text that the model begins; start: the token before each sample, or null. */
  constructor(predictor, { startIds, start }) {
    Object.assign(this, { predictor, startIds, start });
    this.clear();
  }

  clear() {
    this.ids = [];
    this.bits = []; // -log2 p of each; NaN: nothing was expected
    this.kept = []; // states before the tokens 0, STRIDE, 2 STRIDE, ...
    this.predictor.reset();
    if (this.start !== null) this.predictor.read(this.start);
  }

  get length() {
    return this.ids.length;
  }

  /** Get ready to write into an empty text. */
  begin() {
    if (!this.length && this.start === null) this.startIds.forEach((id) => this.predictor.read(id));
  }

  /** Read a token at the end. */
  push(token) {
    const { predictor } = this;
    if (this.length % STRIDE === 0) this.kept.push(predictor.state());
    this.bits.push(predictor.hasRead ? -predictor.logP[token] / Math.LN2 : NaN);
    this.ids.push(token);
    predictor.read(token);
  }

  /** Drop all tokens from a place on. */
  cut(place) {
    if (!place) this.clear();
    if (place >= this.length) return;
    this.#goTo(place);
    this.ids.length = this.bits.length = place;
    this.kept.length = Math.ceil(place / STRIDE);
  }

  /** Return what was expected at a place, and the inside of each layer after the token there. */
  at(place) {
    const { predictor } = this, now = predictor.state();
    this.#goTo(place);
    const expected = predictor.hasRead ? predictor.likeliest(ALTERNATIVES) : [];
    predictor.read(this.ids[place]);
    const inside = Array.from({ length: predictor.network.L }, (_, l) => predictor.network.inside(l));
    predictor.restore(now);
    return { expected, inside };
  }

  #goTo(place) {
    const from = Math.floor(place / STRIDE);
    this.predictor.restore(this.kept[from]);
    for (let at = from * STRIDE; at < place; at++) this.predictor.read(this.ids[at]);
  }
}

/** The tokens of a reading as pieces of text: whole characters, which may have several tokens. */
class Pieces {
  constructor(tokenizer) {
    this.tokenizer = tokenizer;
    this.clear();
  }

  clear() {
    this.list = []; // { text, first, last, bits }
    this.#open(0);
  }

  #open(first) {
    this.decoder = new Decoder(this.tokenizer);
    this.first = this.next = first;
    this.bits = 0;
  }

  push(token, bits) {
    const text = this.decoder.next(token), last = this.next++;
    this.bits += bits;
    if (!text) return text;
    this.list.push({ text, first: this.first, last, bits: this.bits });
    this.first = this.next;
    this.bits = 0;
    return text;
  }

  /** Drop all tokens of a reading from a place on. */
  cut(place, { ids, bits }) {
    while (this.list.length && this.list.at(-1).last >= place) this.list.pop();
    this.#open(this.list.length ? this.list.at(-1).last + 1 : 0);
    for (let at = this.first; at < place; at++) this.push(ids[at], bits[at]);
  }
}
