// Reads a text with a model and writes on: its tokens, with what was expected at each place.

import { events } from "../api.js";

const ROUTE = "/api/v1/write", SETTLED = 16; // milliseconds between two pieces that appear

const pause = () => new Promise((done) => setTimeout(done, SETTLED));

export class Pen {
  /** changed: called whenever something else is to be shown. */
  constructor(changed) {
    this.changed = changed;
    this.ending = null;
    this.forget();
  }

  /** Begin anew, as with another model. */
  forget() {
    this.stop();
    Object.assign(this, {
      model: "", label: "", text: null, tokens: [], about: null, next: null, prefix: 0, isWhole: true,
      doing: "", problem: null, end: "", count: 0,
    });
  }

  get ids() {
    return this.tokens.map(({ id }) => id);
  }

  stop() {
    this.ending?.abort();
  }

  /**
   * Read a text, unless one is being written; what it has in common with the one before is not sent again. Return
   * whether all was read.
   */
  async read(model, label, text) {
    if (this.doing === "writing" && !this.ending.signal.aborted) return false;
    if (model === this.model && label === this.label && text === this.text && !this.problem) return true;
    return this.#work("reading", async (signal) => {
      let tokens = [], about = null, next = null;
      for await (const { data } of events(ROUTE, { signal, body: { ...this.#given(model, label, text), length: 0 } })) {
        const event = JSON.parse(data);
        if (event.tokens) tokens.push(...event.tokens);
        else if (event.end) ({ next } = event);
        else [about, tokens] = [event, this.tokens.slice(0, event.same)];
      }
      Object.assign(this, { model, label, text, tokens, about, next, prefix: tokens.length, end: "" });
    });
  }

  /**
   * Write after a text: after the tokens that are there if they stand for it, and else after it is read.
   *
   * options: called again and again, since all can change meanwhile: {length, pace, settings}; null: wait. taken:
   * called after each piece. Return whether all was written.
   */
  async write(model, label, text, options, taken) {
    const hasWritten = this.tokens.length > this.prefix;
    const isThere = model === this.model && label === this.label && text === this.text && hasWritten;
    return this.#writing(isThere ? null : { model, label, text }, options, taken);
  }

  /** Put another token in a place, and write on after it; expected: {id, text, p} of it. */
  async take(place, { id, text, p }, options, taken) {
    const { entropy, alternatives } = this.tokens[place] ?? this.next;
    const token = { id, text: text.startsWith("bytes:") ? "" : text, bits: -Math.log2(p), entropy, alternatives };
    this.tokens = [...this.tokens.slice(0, place), token];
    this.prefix = Math.min(this.prefix, place + 1);
    this.text = this.tokens.map((own) => own.text).join("");
    this.next = null;
    taken();
    return this.#writing(null, options, taken);
  }

  async #writing(given, options, taken) {
    const isWhole = await this.#work("writing", (signal) => this.#write(given, options, taken, signal));
    if (!this.doing && !this.problem && !this.next && this.text !== null) await this.#expect();
    return isWhole;
  }

  async #write(given, options, taken, signal) {
    const goal = { before: this.tokens.length };
    let first = given && this.#given(given.model, given.label, given.text), unread = 0;
    Object.assign(this, { end: "", count: 0 });
    for (let goesOn = true; goesOn && !signal.aborted;) {
      while (!options() && !signal.aborted) await pause();
      if (signal.aborted) return;
      const { settings, length } = options(), asked = JSON.stringify(settings);
      const left = first ? length : length - (this.tokens.length - goal.before);
      const body = first ?? { model: this.model, ids: this.ids, position: this.tokens.length - this.prefix };
      goesOn = false;
      const stream = events(ROUTE, { signal, body: { ...body, length: Math.max(0, left), settings } });
      for await (const { data } of stream) {
        const event = JSON.parse(data);
        if (event.end) Object.assign(this, { next: event.next, end: event.end });
        else if (!event.tokens) {
          this.next = null;
          if (!first) continue;
          const { model, label } = given;
          const tokens = this.tokens.slice(0, event.same), prefix = event.ids.length;
          Object.assign(this, { model, label, about: event, tokens, text: event.text, prefix });
          [unread, first, goal.before] = [prefix - event.same, null, prefix];
          taken();
          this.isWhole = !unread;
        } else {
          const read = event.tokens.splice(0, unread);
          unread -= read.length;
          this.tokens.push(...read);
          this.isWhole = !unread;
          goesOn = !await this.#reveal(event.tokens, { asked, goal, options, taken, signal });
          if (goesOn || signal.aborted) break;
        }
      }
    }
  }

  /** Ask what is expected after the last token. */
  #expect() {
    return this.#work("", async (signal) => {
      const body = { model: this.model, ids: this.ids };
      for await (const { data } of events(ROUTE, { signal, body })) this.next = JSON.parse(data).next ?? null;
    });
  }

  /** Let tokens appear at their pace; return whether all have, before the settings have changed. */
  async #reveal(tokens, { asked, goal, options, taken, signal }) {
    let due = 0, last = performance.now();
    while (tokens.length && !signal.aborted) {
      const now = options();
      if (!now) {
        last = performance.now();
        await pause();
        continue;
      }
      const { pace, settings, length } = now;
      if (JSON.stringify(settings) !== asked) return false;
      const room = goal.before + length - this.tokens.length;
      if (room <= 0) return !this.stop();
      due += pace ? pace * (performance.now() - last) / 1000 : Infinity;
      last = performance.now();
      const next = tokens.splice(0, Math.min(Math.floor(due), room));
      due -= next.length;
      if (next.length) {
        this.tokens.push(...next);
        this.count += next.length;
        this.text += next.map(({ text }) => text).join("");
        taken();
      }
      if (tokens.length || pace) await pause();
    }
    return true;
  }

  #given(model, label, text) {
    return { model, label, text, ids: model === this.model && label === this.label ? this.ids : [] };
  }

  /** Do something that can be stopped; only the last call works on. */
  async #work(doing, work) {
    this.stop();
    const own = this.ending = new AbortController();
    Object.assign(this, { doing, problem: null });
    this.changed();
    try {
      await work(own.signal);
    } catch (problem) {
      if (!own.signal.aborted) this.problem = problem;
    }
    if (!this.isWhole) Object.assign(this, { text: null, isWhole: true });
    if (this.ending !== own) return false;
    this.doing = "";
    this.changed();
    return !own.signal.aborted && !this.problem;
  }
}
