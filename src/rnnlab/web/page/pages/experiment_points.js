// A figure of every run of an experiment, a strip of points for each variant; a click on a point opens its run.

import { html, useState } from "../preact.js";
import { inPath } from "../api.js";
import { shown } from "../parts.js";

const MOST_TICKS = 5;

/** Figures that are compared by ratio, and differ by more than this factor, are drawn on a logarithmic axis. */
const WIDE = 3;

/** The strips; found: an experiment, outcome: the figure. The table of runs has the same for keyboards. */
export function Points({ found, outcome }) {
  const [said, setSaid] = useState("");
  const rows = rowsOf(found, outcome), values = rows.flatMap(({ runs }) => runs.map(({ value }) => value));
  if (!values.length) return html`<p class="note">No run has this figure yet.</p>`;
  const least = Math.min(...values), most = Math.max(...values), isWide = outcome.by_ratio && most > WIDE * least;
  const ticks = isWide ? powersOf(least, most) : ticksOf(least, most), scale = isWide ? Math.log : Number;
  const [low, high] = [scale(ticks[0]), scale(ticks[ticks.length - 1])];
  const at = (value) => (scale(value) - low) / (high - low);
  const labelOf = (tick) => shown(tick, decimals(isWide ? tick : ticks[1] - ticks[0]));
  const number = (value) => shown(value, outcome.digits);
  const runAt = (event) => {
    const [row, k] = (event.target.dataset?.run ?? "").split(" ").map(Number);
    return rows[row]?.runs[k];
  };
  const tell = (event) => {
    const run = runAt(event);
    setSaid(run ? `${run.variant}${run.text && `, ${run.text}`}, seed ${run.seed}: ${number(run.value)}` : "");
  };
  const open = (event) => {
    const run = runAt(event);
    if (run?.run) location.hash = `#/runs/${inPath(run.run)}`;
  };
  return html`<div class="points" onPointerOver=${tell} onPointerLeave=${() => setSaid("")} onClick=${open}>
    <ul>${rows.map(({ title, runs, mean }, row) => html`<li key=${title}>
      <span class="title">${title}</span>
      <div class="strip" role="img" aria-label=${describe(runs, mean, number)}>
        ${ticks.map((tick) => html`<i class="tick" key=${tick} ref=${placed(at(tick))}></i>`)}
        ${runs.map((run, k) => html`<i class=${`point ${run.run ? "open" : ""}`} key=${k} data-run=${`${row} ${k}`}
          ref=${placed(at(run.value))}></i>`)}
        ${runs.length > 1 && html`<i class="mean" ref=${placed(at(mean))}></i>`}
      </div></li>`)}</ul>
    <div class="labels" aria-hidden="true">${ticks.map((tick) => html`
      <span key=${tick} ref=${placed(at(tick))}>${labelOf(tick)}</span>`)}</div>
    <p class="now">${said || "Point at a run to see its seed."}</p>
  </div>`;
}

/** Return what puts an element at a share of its strip. */
function placed(share) {
  return (element) => element?.style.setProperty("--x", share.toFixed(4));
}

/** Return the variants with the runs that have a figure, in the plan's order. */
function rowsOf({ variants, runs }, { name, by_ratio: byRatio }) {
  const rows = variants.map((variant) => {
    const own = runs.filter((run) => run.variant === variant.name && Number.isFinite(run.outcomes[name]));
    const found = own.map((run) => ({ ...run, value: run.outcomes[name] }));
    const sum = found.reduce((before, { value }) => before + (byRatio ? Math.log(value) : value), 0);
    return { title: variant.name, runs: found, mean: byRatio ? Math.exp(sum / found.length) : sum / found.length };
  });
  return rows.filter((row) => row.runs.length);
}

function describe(runs, mean, number) {
  const values = runs.map(({ value }) => value);
  if (runs.length === 1) return `one run, ${number(mean)}`;
  const [least, most] = [Math.min(...values), Math.max(...values)];
  return `${runs.length} runs, mean ${number(mean)}, from ${number(least)} to ${number(most)}`;
}

/** Return round numbers, at least two, around all values. */
function ticksOf(least, most) {
  const rough = (most - least || Math.abs(most) || 1) / MOST_TICKS, power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((factor) => factor * power >= rough);
  const first = Math.floor(least / step), last = Math.max(first + 1, Math.ceil(most / step));
  return Array.from({ length: last - first + 1 }, (_, k) => (first + k) * step);
}

/** Return 1, 2 and 5 times powers of ten around all values, which are positive. */
function powersOf(least, most) {
  const all = [];
  for (let power = Math.floor(Math.log10(least)); power <= Math.ceil(Math.log10(most)); power++) {
    all.push(...[1, 2, 5].map((factor) => factor * 10 ** power));
  }
  const first = all.findLastIndex((tick) => tick <= least), last = all.findIndex((tick) => tick >= most);
  const found = all.slice(first, last + 1);
  return found.length > 2 * MOST_TICKS ? found.filter((tick, k) => k % 3 === 0 || k === found.length - 1) : found;
}

function decimals(step) {
  return Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
}
