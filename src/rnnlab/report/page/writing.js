// Reads what stands in the text box, writes on, and keeps the coloured text up to date.

const MOST_CHARACTERS = 20000; // of the text
const SLICE = 10; // milliseconds of work between two frames

const nextFrame = () => new Promise((done) => setTimeout(done));

/** Return a text as the model reads it. */
function prepared(text, { rule, documents }) {
  const read = underRule(text, rule);
  return documents ? read.replace(/\n/g, "\v") : read;
}

/** Return a text of the model as people see it. */
function shown(text, { documents }) {
  return documents ? text.replace(/\v/g, "\n") : text;
}

class Session {
  /** onChange: called with the number of pieces that are as before, whenever there are others. */
  constructor(model, tokenizer, predictor, onChange) {
    Object.assign(this, { model, tokenizer, onChange });
    this.reading = new Reading(predictor, model);
    this.pieces = new Pieces(tokenizer);
    this.turn = 0; // only the last call works on
    this.given = ""; // what was read last
    this.from = Infinity; // the piece from which on the model has written
  }

  /** What was given as it was given, though the model may have read <unk>, and what was written. */
  get text() {
    const written = this.pieces.list.slice(this.from).map(({ text }) => text);
    return shown(this.given + written.join(""), this.model);
  }

  /** Return the bits of all characters that were predicted, and how many they are. */
  get surprise() {
    const known = this.pieces.list.filter(({ bits }) => !Number.isNaN(bits));
    const characters = known.reduce((sum, { text }) => sum + Array.from(text).length, 0);
    return { bits: known.reduce((sum, { bits }) => sum + bits, 0), characters };
  }

  stop() {
    this.turn++;
  }

  /** Read a text, without what it has in common with the one before; return whether all was read. */
  async read(text) {
    this.given = prepared(text, this.model);
    this.from = Infinity;
    const turn = ++this.turn, ids = this.tokenizer.ids(this.given);
    let same = 0;
    while (same < ids.length && ids[same] === this.reading.ids[same]) same++;
    this.reading.cut(same);
    this.pieces.cut(same, this.reading);
    this.onChange(this.pieces.list.length);
    await this.#inSlices(turn, () => {}, () => {
      if (same === ids.length) return false;
      this.#push(ids[same++]);
      return true;
    });
    return turn === this.turn;
  }

  /**
   * Write after what was read; return how many tokens, in how many milliseconds.
   *
   * settings: called before each slice of work, since they can change meanwhile: temperature, topK, random.
   */
  async write(count, settings) {
    const turn = ++this.turn, { reading, model } = this;
    let written = 0, room = MOST_CHARACTERS - this.given.length, choice;
    reading.begin();
    this.from = this.pieces.list.length;
    const prepare = () => (choice = { ...settings(), forbidden: model.unknown });
    const milliseconds = await this.#inSlices(turn, prepare, () => {
      if (written === count || room <= 0) return false;
      const token = chooseToken(reading.predictor.logP, choice);
      if (model.documents && token === model.start) return false; // its end
      room -= this.#push(token).length;
      written++;
      return true;
    });
    return { written, milliseconds };
  }

  /** Return the text that is complete with a token; "" within a character. */
  #push(token) {
    this.reading.push(token);
    return this.pieces.push(token, this.reading.bits.at(-1));
  }

  /** Call `step` until it returns false or another call has begun; the page stays alive between slices. */
  async #inSlices(turn, prepare, step) {
    let worked = 0, goesOn = true;
    while (goesOn && turn === this.turn) {
      prepare();
      const begun = performance.now(), same = this.pieces.list.length;
      while (goesOn && performance.now() - begun < SLICE) goesOn = step();
      worked += performance.now() - begun;
      this.onChange(same);
      await nextFrame();
    }
    return worked;
  }
}

/** What programs can do with the page: the object `rnnlab` in its console. */
function forPrograms(model, tokenizer, predictor) {
  /** Run without changing what the page has read. */
  const apart = (work) => {
    const now = predictor.state();
    try {
      return work();
    } finally {
      predictor.restore(now);
    }
  };
  return {
    kernel: predictor.network.kernel.name,
    /** Return the ids of a text under the model's rule. */
    ids: (text) => tokenizer.ids(prepared(text, model)),
    /** Return the logits of the network after each of some ids, from a zero state. */
    logits: (ids) => apart(() => {
      predictor.reset();
      return ids.map((id) => {
        predictor.read(id);
        return Array.from(predictor.network.logits);
      });
    }),
    /** Return a prefix and what the model writes after it. */
    write: (prefix, count, { temperature = 0, topK = 0, seed = 0 } = {}) => apart(() => {
      const reading = new Reading(predictor, model), decoder = new Decoder(tokenizer);
      const random = randomNumbers(seed), text = prepared(prefix, model);
      for (const id of tokenizer.ids(text)) reading.push(id);
      reading.begin();
      let written = text;
      for (let k = 0; k < count; k++) {
        const choice = { temperature, topK, random, forbidden: model.unknown };
        const token = chooseToken(predictor.logP, choice);
        if (model.documents && token === model.start) break;
        reading.push(token);
        written += decoder.next(token);
      }
      return shown(written, model);
    }),
  };
}
