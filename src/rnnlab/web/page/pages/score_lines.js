// Lines, each scored by itself and ranked by surprise.

import { html, useEffect, useMemo, useRef, useState } from "../preact.js";
import { post } from "../api.js";
import { Field, ModelSelect, Trouble, shown } from "../parts.js";
import { store, stored, useStored } from "../state.js";

/** Lines and characters of one request, and lines that are shown at a time. */
const BATCH_LINES = 2_000, BATCH_CHARACTERS = 50_000, SHOWN = 100;

/** Scored lines that a reload keeps, and characters of their text. */
const MOST_KEPT = 2_000, MOST_KEPT_CHARACTERS = 100_000;

/** What lines can be ranked by, as `rnnlab score --by`. */
const FIGURES = [
  ["bits_per_character", "bits per character"], ["worst_bits", "most surprising token"], ["nats", "all of the line"],
];

/** The form, the progress and the ranks. */
export function Lines({ text, names, chosen, setChosen }) {
  const [done, setDone] = useState(() => stored("score:lines", null)), ending = useRef(null);
  const lines = useMemo(() => linesOf(text), [text]), model = chosen[0] ?? "";
  useEffect(() => () => ending.current?.abort(), []);
  useEffect(() => {
    if (!done || done.isBusy) return;
    const isSmall = done.rows.length <= MOST_KEPT && done.text.length <= MOST_KEPT_CHARACTERS;
    store("score:lines", isSmall && !done.problem ? done : null);
  }, [done]);
  const start = async (event) => {
    event.preventDefault();
    const own = ending.current = new AbortController(), rows = [];
    let state = { text, model, rows, count: lines.length, isBusy: true, problem: null };
    setDone(state);
    try {
      for (const batch of batchesOf(lines)) {
        const body = { model, samples: batch.map((line) => line.text) };
        const { samples } = await post("/api/v1/score", body, { signal: own.signal });
        rows.push(...samples.map((sample, at) => rowOf(batch[at], sample)));
        if (ending.current !== own) return;
        setDone(state = { ...state, rows: [...rows] });
      }
    } catch (problem) {
      if (!own.signal.aborted) state = { ...state, problem };
    }
    if (ending.current === own) setDone({ ...state, rows: [...rows], isBusy: false });
  };
  const count = done?.rows.length ?? 0;
  return html`
    <form onSubmit=${start}>
      <div class="controls">
        <${ModelSelect} models=${{ value: names }} value=${model} onChange=${(name) => setChosen([name])} />
      </div>
      <div class="buttons">
        <button class="main" type="submit" disabled=${done?.isBusy || !lines.length || !model}>
          Score ${many(lines.length)}</button>
        ${done?.isBusy && html`<button type="button" onClick=${() => ending.current.abort()}>Stop</button>`}
      </div>
      ${done?.isBusy && html`<progress aria-label="Lines that are scored" value=${count} max=${done.count}></progress>`}
      <p class="now" role="status">${done && statusOf(done)}</p>
    </form>
    ${done?.problem && done.text === text && done.model === model && html`<${Trouble} problem=${done.problem} />`}
    ${count > 0 && html`<${Ranks} rows=${done.rows} isOld=${done.text !== text} />`}`;
}

function statusOf({ isBusy, rows, count, model }) {
  if (isBusy) return `Scoring ${many(count)} …`;
  return `${rows.length < count ? `${rows.length.toLocaleString("en")} of ` : ""}${many(count)} scored with ${model}.`;
}

function many(count) {
  return `${count.toLocaleString("en")} ${count === 1 ? "line" : "lines"}`;
}

/** Return the lines of a text that are not blank: {line, text}. */
function linesOf(text) {
  return text.split("\n").map((line, at) => ({ line: at + 1, text: line.replace(/\r$/, "") }))
    .filter((line) => line.text.trim());
}

/** Yield lines, as many at a time as one request takes. */
function* batchesOf(lines) {
  let batch = [], size = 0;
  for (const line of lines) {
    if (batch.length === BATCH_LINES || (batch.length && size + line.text.length > BATCH_CHARACTERS)) {
      yield batch;
      batch = [], size = 0;
    }
    batch.push(line);
    size += line.text.length;
  }
  if (batch.length) yield batch;
}

/** Return what `rnnlab score` says of a line, in its order. */
function rowOf({ line, text }, sample) {
  const row = {
    line, text, nats: sample.nats + sample.spelling_nats, bits_per_character: sample.bits_per_character,
    characters: sample.characters, unknown_share: sample.unknown_characters / Math.max(1, sample.characters),
  };
  if (sample.quantile !== undefined) row.quantile = sample.quantile;
  return { ...row, worst_at: sample.worst_at, worst_bits: sample.worst_bits };
}

function Ranks({ rows, isOld }) {
  const [by, setBy] = useStored("score:by", "bits_per_character"), [order, setOrder] = useStored("score:order", "most");
  const [filter, setFilter] = useStored("score:filter", ""), [most, setMost] = useState(SHOWN);
  const ranked = useMemo(() => {
    const wanted = filter.toLowerCase(), sign = order === "most" ? -1 : 1;
    const found = wanted ? rows.filter((row) => row.text.toLowerCase().includes(wanted)) : [...rows];
    return order === "text" ? found : found.sort((a, b) => sign * (a[by] - b[by]) || a.line - b.line);
  }, [rows, by, order, filter]);
  const hasPlaces = rows[0].quantile !== undefined;
  return html`<section aria-label="Lines by surprise">
    <h2>Lines by surprise</h2>
    <p class="how">Fewer bits are better: the line surprises the model less. Whether lines stand in the model's training
      text, which makes them easy, is looked for only in the mode A text, by the simple methods.</p>
    ${isOld && html`<p class="note">Of the text before it was changed.</p>`}
    <div class="controls">
      <${Field} label="By"><select value=${by} onChange=${(event) => setBy(event.target.value)}>
        ${FIGURES.map(([name, label]) => html`<option key=${name} value=${name}>${label}</option>`)}</select><//>
      <${Field} label="Order"><select value=${order} onChange=${(event) => setOrder(event.target.value)}>
        <option value="most">most surprising first</option><option value="least">least surprising first</option>
        <option value="text">as in the text</option></select><//>
      <${Field} label="Lines with" wide><input type="search" value=${filter}
        onInput=${(event) => setFilter(event.target.value)} /><//>
      <button type="button" onClick=${() => download(ranked)}>Save as CSV</button>
    </div>
    <p class="how" role="status">${ranked.length.toLocaleString("en")} of ${many(rows.length)}${
      hasPlaces ? ". Place: the share of the held-out samples that surprise less." : "."}</p>
    <div class="scroll" tabindex="0" role="region" aria-label="Table of lines"><table class="lines"><thead><tr>
      <th scope="col" class="figure">line</th><th scope="col" class="figure">bits/<br />character</th>
      <th scope="col">text</th><th scope="col" class="figure">bits of<br />the line</th>
      <th scope="col" class="figure">most in<br />one token</th>
      ${hasPlaces && html`<th scope="col" class="figure">place</th>`}
      <th scope="col" class="figure">unknown</th></tr></thead>
      <tbody>${ranked.slice(0, most).map((row) => html`<tr key=${row.line}>
        <td class="figure">${row.line.toLocaleString("en")}</td><td class="figure">${shown(row.bits_per_character)}</td>
        <th scope="row">${row.text}</th><td class="figure">${shown(row.nats / Math.LN2, 1)}</td>
        <td class="figure">${shown(row.worst_bits, 1)}</td>
        ${hasPlaces && html`<td class="figure">${(100 * row.quantile).toFixed(1)}%</td>`}
        <td class="figure">${row.unknown_share ? `${(100 * row.unknown_share).toFixed(0)}%` : ""}</td></tr>`)}
      </tbody></table></div>
    ${ranked.length > most && html`<p><button type="button" onClick=${() => setMost(most + SHOWN)}>Show ${
      Math.min(SHOWN, ranked.length - most)} more</button></p>`}
  </section>`;
}

/** Offer rows as a file, with the columns of `rnnlab score --csv` and the bits that the page shows. */
function download(ranked) {
  const rows = ranked.map((row) => ({ ...row, bits: row.nats / Math.LN2 }));
  const names = Object.keys(rows[0] ?? { line: 0, text: "", bits_per_character: 0 });
  const cell = (value) => typeof value === "number" ? String(Math.round(value * 1e4) / 1e4)
    : /[",\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value;
  const content = [names.join(","), ...rows.map((row) => names.map((name) => cell(row[name])).join(","))].join("\n");
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([`${content}\n`], { type: "text/csv" }));
  link.download = "scores.csv";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
