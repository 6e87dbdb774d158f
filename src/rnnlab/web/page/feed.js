// All runs and the curves of some of them, kept up to date by the server's events.

import { useEffect, useRef, useState } from "./preact.js";
import { events, get, inPath } from "./api.js";

const POINTS = 2_000; // of a curve that is read anew
const REST = 80; // milliseconds between two times that the page is drawn
const WAITS = [300, 1_000, 2_000, 5_000]; // milliseconds before the server is asked again

/** What the server has told so far. */
class Feed {
  constructor(tell) {
    Object.assign(this, {
      tell, runs: new Map(), curves: new Map(), withoutEffect: [], problem: null, isLoaded: false, isLive: false,
      followed: [], at: "", timer: 0, ending: null,
    });
  }

  /** Follow these runs, whose curves are loaded; go on where the last stream ended. */
  follow(names) {
    this.followed = names;
    this.ending?.abort();
    const ending = this.ending = new AbortController();
    this.#goOn(ending.signal);
  }

  stop() {
    this.ending?.abort();
    clearTimeout(this.timer);
  }

  async #goOn(signal) {
    for (let tries = 0; !signal.aborted; tries++) {
      try {
        if (!this.at) await this.#loadAll(signal);
        await Promise.all(this.followed.map((name) => this.#load(name, signal)));
        this.#soon();
        await this.#listen(signal, () => (tries = 0));
      } catch (problem) {
        if (signal.aborted) return;
        this.problem = problem;
      }
      this.isLive = false;
      this.#soon();
      await new Promise((resolve) => setTimeout(resolve, WAITS[Math.min(tries, WAITS.length - 1)]));
    }
  }

  async #loadAll(signal) {
    const { runs, without_effect: withoutEffect, at } = await get("/api/v1/runs", { signal });
    this.runs = new Map(runs.map((run) => [run.name, run]));
    Object.assign(this, { withoutEffect, at, isLoaded: true });
    this.#soon();
  }

  /** Load the curve of a run that is not there yet. */
  async #load(name, signal) {
    if (this.curves.has(name)) return;
    try {
      const { metrics, metrics_at: place, metrics_lines: count, ...details } =
        await get(`/api/v1/runs/${inPath(name)}?points=${POINTS}`, { signal });
      this.curves.set(name, { lines: metrics, place, count, details, problem: null });
    } catch (problem) {
      if (signal.aborted || !problem.status) throw problem;
      this.curves.set(name, { lines: [], place: "0", count: 0, details: {}, problem });
    }
  }

  async #listen(signal, onLife) {
    const query = new URLSearchParams();
    const followed = this.followed.filter((name) => this.curves.has(name));
    for (const name of followed) query.append("follow", name);
    query.set("after", followed.map((name) => this.curves.get(name).place).join(","));
    for await (const { id, event, data } of events(`/api/v1/events?${query}`, { signal, lastId: this.at })) {
      if (signal.aborted) return;
      this.#take(event, JSON.parse(data));
      const [server, number, ...places] = id.split(".");
      if (number) this.at = `${server}.${number}`;
      places.forEach((place, k) => (this.curves.get(followed[k]).place = place));
      Object.assign(this, { isLive: true, problem: null });
      onLife();
      this.#soon();
    }
  }

  #take(event, content) {
    if (event === "run") {
      const before = this.runs.get(content.name);
      this.runs.set(content.name, content);
      // What only the page of one run shows comes with its end: first its result, then the evaluations.
      const state = (run) => `${run.status} ${run.figures.length}`;
      if (before && state(before) !== state(content)) this.#loadDetails(content.name);
    } else if (event === "gone") {
      this.runs.delete(content.name);
    } else if (event === "names") {
      const names = new Set(content.names);
      for (const name of this.runs.keys()) if (!names.has(name)) this.runs.delete(name);
    } else if (event === "metrics") {
      const curve = this.curves.get(content.name);
      const before = content.from === 0 ? [] : curve.lines;
      curve.lines = [...before, ...content.lines.filter(Boolean)];
      curve.count = content.from + content.lines.length;
    }
  }

  async #loadDetails(name) {
    const curve = this.curves.get(name);
    if (!curve) return;
    const { metrics, ...details } = await get(`/api/v1/runs/${inPath(name)}?points=10`).catch(() => curve.details);
    curve.details = details;
    this.#soon();
  }

  /** Draw the page, but not for each of many events. */
  #soon() {
    this.timer ||= setTimeout(() => {
      this.timer = 0;
      this.tell();
    }, REST);
  }
}

/** Return the feed, and draw anew whenever it has changed; names: of the runs whose curves are wanted. */
export function useFeed(names) {
  const [, draw] = useState(0), feed = useRef(null), key = JSON.stringify(names);
  feed.current ??= new Feed(() => draw((count) => count + 1));
  useEffect(() => feed.current.follow(JSON.parse(key)), [key]);
  useEffect(() => () => feed.current.stop(), []);
  return feed.current;
}
