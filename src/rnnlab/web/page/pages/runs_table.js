// The table of runs.

import { Component, html, useState } from "../preact.js";
import { inPath } from "../api.js";
import { shown } from "../parts.js";
import { sizeText, textName } from "./figures.js";
import { Badge } from "./findings.js";
import { COLUMNS, statusText } from "./run_rows.js";

const PAGE = 100; // rows that are drawn at a time

/** A heading by which the rows are sorted. */
function Heading({ name, order, onOrder }) {
  const isOwn = order.column === name, { title, isFigure } = COLUMNS[name];
  const turn = () => onOrder({ column: name, isDown: isOwn ? !order.isDown : name === "updated" });
  const sign = order.isDown ? "descending" : "ascending";
  return html`<th scope="col" class=${isFigure ? "figure" : null} aria-sort=${isOwn ? sign : null}>
    <button type="button" onClick=${turn}>${title}</button></th>`;
}

function Status({ run }) {
  const done = run.progress?.progress;
  return html`${statusText(run)}${run.running && done < 1 && html`
    <progress max="1" value=${done} aria-label=${`${run.name}, share of the budget`}></progress>`}`;
}

/** The held-out figure of a run; while it is trained that of its last evaluation. */
function Figure({ run: { bits, held_out: own, held_out_so_far: soFar } }) {
  if (own) {
    return html`${shown(own.bits_per_character)}${
      bits?.half != null && html` <span class="spread">± ${shown(bits.half)}</span>`}`;
  }
  return soFar ? html`<span class="so-far" title="the last evaluation of a run that has not ended">${
    shown(soFar.bits_per_character)}</span>` : "–";
}

/** One run, or a group of seeds; drawn anew only if something of it has changed. */
class Row extends Component {
  shouldComponentUpdate(next) {
    const names = ["run", "isChosen", "isOpen", "isInner"];
    return names.some((name) => next[name] !== this.props[name]) || next.run.runs !== undefined;
  }

  render({ run, isChosen, isOpen, isInner, onChoose, onOpen, onFound }) {
    const { runs, settings } = run, best = run.held_out?.best_baseline;
    const name = runs
      ? html`<button type="button" class="plain" aria-expanded=${isOpen ? "true" : "false"}
          onClick=${() => onOpen(run.key)}>${run.name}</button> <small>${seedsText(run)}</small>`
      : html`<a href=${`#/runs/${inPath(run.name)}`}>${run.name}</a>`;
    const choose = runs ? `all ${runs.length} runs of ${run.name}` : run.name;
    return html`<tr class=${isInner ? "inner" : isChosen ? "chosen" : null}>
      <td class="choice"><input type="checkbox" checked=${isChosen} aria-label=${`Show the curves of ${choose}`}
        onChange=${(event) => onChoose((runs ?? [run]).map(({ name }) => name), event.target.checked)} /></td>
      <th scope="row">${name}</th>
      <td>${runs ? groupStatus(runs) : html`<${Status} run=${run} />`}</td>
      <td>${textName(settings)}</td>
      <td>${settings.cell ?? "–"}</td>
      <td class="figure">${sizeText(settings)}</td>
      <td class="figure"><${Figure} run=${run} /></td>
      <td class="figure">${best ? html`${shown(best.bits_per_character)} <small>${best.title}</small>` : "–"}</td>
      <td>${runs ? "" : html`<${Badge} run=${run} onFound=${onFound} />`}</td>
      <td class="figure time">${timeText(run.updated)}</td></tr>`;
  }
}

/** Return how many seeds a group has, and over how many its mean is. */
function seedsText({ runs, bits, isTwice }) {
  const words = `${runs.length} runs`;
  if (isTwice) return `${words}, the same seed twice`;
  if (!bits) return words;
  const those = bits.count === runs.length ? "seeds" : `the ${bits.count} that ended as planned`;
  return `${words}, mean and 95% interval over ${those}`;
}

function groupStatus(runs) {
  const counts = new Map();
  for (const run of runs) counts.set(statusText(run), (counts.get(statusText(run)) ?? 0) + 1);
  return [...counts].map(([words, count]) => (counts.size === 1 ? words : `${count} ${words}`)).join(", ");
}

function said(count) {
  return count.toLocaleString("en");
}

function timeText(seconds) {
  const parts = { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" };
  return new Date(1_000 * seconds).toLocaleString("en-GB", parts);
}

/**
 * The table. rows: runs and groups in their order; chosen: a set of names; order: {column, isDown}.
 *
 * onChoose: gets names and whether they are chosen; onFound: called when findings are known.
 */
export function RunsTable({ rows, chosen, order, onOrder, onChoose, onFound }) {
  const [page, setPage] = useState(0), [open, setOpen] = useState(new Set());
  const last = Math.max(0, Math.ceil(rows.length / PAGE) - 1), now = Math.min(page, last);
  const turn = (key) => setOpen((before) => (
    new Set(before.has(key) ? [...before].filter((one) => one !== key) : [...before, key])));
  const row = (run, isInner) => html`<${Row} key=${`${isInner ? "in " : ""}${run.key ?? run.name}`} run=${run}
    isInner=${isInner} isOpen=${open.has(run.key)} onChoose=${onChoose} onOpen=${turn} onFound=${onFound}
    isChosen=${(run.runs ?? [run]).every(({ name }) => chosen.has(name))} />`;
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Table of runs"><table class="all-runs">
      <thead><tr><th scope="col" class="choice"><span class="said">Shown</span></th>
        ${Object.keys(COLUMNS).map((name) => html`
          <${Heading} key=${name} name=${name} order=${order} onOrder=${onOrder} />`)}</tr></thead>
      <tbody>${rows.slice(now * PAGE, (now + 1) * PAGE).map((run) => [
        row(run, false), ...(open.has(run.key) ? run.runs.map((each) => row(each, true)) : [])])}</tbody></table></div>
    ${last > 0 && html`<nav class="pager" aria-label="Pages of the table">
      <button type="button" disabled=${now === 0} onClick=${() => setPage(now - 1)}>Previous</button>
      <span>Rows ${said(1 + now * PAGE)} to ${said(Math.min(rows.length, (now + 1) * PAGE))} of
        ${" "}${said(rows.length)}</span>
      <button type="button" disabled=${now === last} onClick=${() => setPage(now + 1)}>Next</button></nav>`}`;
}
