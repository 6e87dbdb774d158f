// Which runs are listed: search, order, groups of seeds.

import { estimate } from "../student.js";
import { textName } from "./figures.js";
import { countOf } from "./findings.js";

const texts = new WeakMap();

/** Return all that is searched of a run. */
function searchable(run) {
  if (!texts.has(run)) {
    const settings = Object.entries(run.settings).map(([name, value]) => `${name}=${[value].flat().join(",")}`);
    texts.set(run, [run.name, statusText(run), ...settings].join("\n").toLowerCase());
  }
  return texts.get(run);
}

/** Return the runs in whose name, status or settings all words occur; name=value means exactly this value. */
export function searched(runs, query) {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  return runs.filter((run) => words.every((word) => {
    const text = searchable(run);
    return word.includes("=") ? text.split("\n").includes(word) : text.includes(word);
  }));
}

const SAID = {
  "not ended": "interrupted",
  "stopped by SIGINT": "stopped by you",
  "stopped by SIGTERM": "stopped when the server ended",
};

/** Return how far a run is, in words. */
export function statusText({ status, running, error, progress }) {
  if (error) return "damaged";
  if (running) return progress?.progress >= 1 ? "evaluating" : "training";
  return SAID[status] ?? status.replace("stopped by ", "ended by ");
}

/** Whether a run has been trained as its settings say. */
function isWhole({ running, status }) {
  return !running && status.startsWith("stopped by") && !/divergence|SIGINT|SIGTERM/.test(status);
}

/** Return the figure of a run: the final one, else that of its last evaluation. */
export function bitsOf({ held_out: own, held_out_so_far: soFar }) {
  return own?.bits_per_character ?? soFar?.bits_per_character ?? null;
}

function baselineOf({ held_out: own }) {
  return own?.best_baseline?.bits_per_character ?? null;
}

/** Columns by name: {title, of: what is compared, isFigure}. */
export const COLUMNS = {
  name: { title: "Name", of: ({ name }) => name },
  status: { title: "Status", of: (run) => statusText(run) },
  text: { title: "Text", of: ({ settings }) => textName(settings) },
  cell: { title: "Cell", of: ({ settings }) => settings.cell ?? "" },
  size: { title: "Size", of: ({ settings: own }) => (own.hidden_size ?? 0) * (own.num_layers ?? 1), isFigure: true },
  bits: { title: "Held-out bits/char", of: bitsOf, isFigure: true },
  baseline: { title: "Best baseline", of: baselineOf, isFigure: true },
  doctor: { title: "Doctor", of: (run) => (run.runs ? null : countOf(run)) },
  updated: { title: "Updated", of: ({ updated }) => updated, isFigure: true },
};

const compareNames = new Intl.Collator("en", { numeric: true }).compare;

/** Return rows by a column; those without a value are last, equal ones by name. */
export function sorted(rows, { column, isDown }) {
  const { of } = COLUMNS[column] ?? COLUMNS.updated;
  const keyed = rows.map((row) => [of(row), row]);
  keyed.sort(([a, one], [b, other]) => {
    if (a === null || b === null) return (a === null) - (b === null) || compareNames(one.name, other.name);
    const order = typeof a === "string" ? compareNames(a, b) : a - b;
    return (isDown ? -order : order) || compareNames(one.name, other.name);
  });
  return keyed.map(([, row]) => row);
}

/** Return what names begin with, without `-s`, `_seed` and the like at its end. */
function stem(names) {
  let size = 0;
  while (size < names[0].length && names.every((name) => name[size] === names[0][size])) size++;
  return names[0].slice(0, size).replace(/([-_. /]+(s|seed)?[-_. =]*0*|[-_. =/]+)$/, "");
}

/**
 * Return runs that differ only in their seed as one row each, with `runs`; a run alone stays as it is.
 *
 * bits: {mean, half, count} over those that were trained as planned and measured on the same text; half is null for
 * one of them, or if a seed occurs twice, which is then no other training.
 */
export function grouped(runs) {
  const groups = new Map();
  for (const run of runs) {
    const own = groups.get(run.group);
    if (own) own.push(run);
    else groups.set(run.group, [run]);
  }
  return [...groups.values()].map((own) => (own.length === 1 || !own[0].group ? own : [groupOf(own)])).flat();
}

function groupOf(runs) {
  const measured = runs.filter((run) => isWhole(run) && run.held_out?.bits_per_character != null);
  const byProtocol = new Map();
  for (const run of measured) {
    const { split, context, characters, corpus_sha256: sha256 } = run.held_out;
    const key = [split, context, characters, sha256].join();
    byProtocol.set(key, [...(byProtocol.get(key) ?? []), run]);
  }
  const same = [...byProtocol.values()].sort((a, b) => b.length - a.length)[0] ?? [];
  const seeds = new Set(same.map(({ settings }) => settings.seed));
  const bits = same.length ? estimate(same.map((run) => run.held_out.bits_per_character)) : null;
  const isTwice = seeds.size < same.length;
  const baselines = same.map((run) => run.held_out.best_baseline?.bits_per_character ?? Infinity);
  const best = same[baselines.indexOf(Math.min(...baselines))];
  const newest = runs.reduce((a, b) => (b.updated > a.updated ? b : a));
  return {
    ...newest, runs, isTwice, key: `group ${newest.group}`,
    name: stem(runs.map(({ name }) => name)) || `${runs[0].name} and ${runs.length - 1} more`,
    running: runs.some(({ running }) => running), error: null,
    held_out: bits && { ...best.held_out, bits_per_character: bits.mean }, held_out_so_far: null,
    bits: bits && { ...bits, half: isTwice ? null : bits.half, count: same.length },
  };
}

/** Return the newest of the runs that are being trained; null: none is. */
export function newestTraining(runs) {
  const seconds = ({ progress }) => progress?.seconds ?? 0;
  return runs.filter(({ running }) => running).reduce((newest, run) =>
    (!newest || seconds(run) < seconds(newest) ? run : newest), null);
}

