// The table of runs.

import { Component, html, useEffect, useState } from "../preact.js";
import { inPath } from "../api.js";
import { shown, timeText } from "../parts.js";
import { sizeText, textName } from "./figures.js";
import { Badge } from "./findings.js";
import { COLUMNS, statusText } from "./run_rows.js";

const PAGE = 100; // rows that are drawn at a time
const SO_FAR = "the network alone on validation text, at its last evaluation";
const ON_PHONE = ["name", "bits", "baseline"]; // come first where there is little room
const ALL = Object.keys(COLUMNS), ORDERS = [ALL, [...ON_PHONE, ...ALL.filter((name) => !ON_PHONE.includes(name))]];

/** Return the columns in the order in which they are shown. */
function useColumns() {
  const [phone] = useState(() => matchMedia("(max-width: 40rem)")), [isPhone, setPhone] = useState(phone.matches);
  useEffect(() => {
    const change = () => setPhone(phone.matches);
    phone.addEventListener("change", change);
    return () => phone.removeEventListener("change", change);
  }, []);
  return ORDERS[Number(isPhone)];
}

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
  return soFar ? html`<span class="so-far" title=${SO_FAR}>${
    shown(soFar.bits_per_character)}</span>` : "–";
}

/** One run, or a group of seeds; drawn anew only if something of it has changed. */
class Row extends Component {
  shouldComponentUpdate(next) {
    const names = ["run", "isChosen", "isOpen", "isInner", "columns"];
    return names.some((name) => next[name] !== this.props[name]) || next.run.runs !== undefined;
  }

  render({ run, isChosen, isOpen, isInner, columns, onChoose, onOpen, onFound }) {
    const { runs, settings } = run, best = run.held_out?.best_baseline;
    const name = runs
      ? html`<button type="button" class="plain" aria-expanded=${isOpen ? "true" : "false"}
          onClick=${() => onOpen(run.key)}>${run.name}</button> <small>${seedsText(run)}</small>`
      : html`<a href=${`#/runs/${inPath(run.name)}`}>${run.name}</a>`;
    const choose = runs ? `all ${runs.length} runs of ${run.name}` : run.name;
    const cells = {
      name: html`<th scope="row">${name}</th>`,
      status: html`<td>${runs ? groupStatus(runs) : html`<${Status} run=${run} />`}</td>`,
      text: html`<td>${textName(settings)}</td>`,
      cell: html`<td title=${settings.cell === run.cell ? null : settings.cell}>${run.cell ?? "–"}</td>`,
      size: html`<td class="figure">${sizeText(settings)}</td>`,
      bits: html`<td class="figure"><${Figure} run=${run} /></td>`,
      baseline: html`<td class="figure">${
        best ? html`${shown(best.bits_per_character)} <small>${best.title}</small>` : "–"}</td>`,
      doctor: html`<td>${runs ? "" : html`<${Badge} run=${run} onFound=${onFound} />`}</td>`,
      updated: html`<td class="figure time">${timeText(run.updated)}</td>`,
    };
    return html`<tr class=${isInner ? "inner" : isChosen ? "chosen" : null}>
      <td class="choice"><input type="checkbox" checked=${isChosen} aria-label=${`Show the curves of ${choose}`}
        onChange=${(event) => onChoose((runs ?? [run]).map(({ name }) => name), event.target.checked)} /></td>
      ${columns.map((column) => cells[column])}</tr>`;
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

/**
 * The table. rows: runs and groups in their order; chosen: a set of names; order: {column, isDown}.
 *
 * onChoose: gets names and whether they are chosen; onFound: called when findings are known.
 */
export function RunsTable({ rows, chosen, order, onOrder, onChoose, onFound }) {
  const [page, setPage] = useState(0), [open, setOpen] = useState(new Set());
  const last = Math.max(0, Math.ceil(rows.length / PAGE) - 1), now = Math.min(page, last);
  const columns = useColumns(), here = rows.slice(now * PAGE, (now + 1) * PAGE);
  const turn = (key) => setOpen((before) => (
    new Set(before.has(key) ? [...before].filter((one) => one !== key) : [...before, key])));
  const row = (run, isInner) => html`<${Row} key=${`${isInner ? "in " : ""}${run.key ?? run.name}`} run=${run}
    columns=${columns}
    isInner=${isInner} isOpen=${open.has(run.key)} onChoose=${onChoose} onOpen=${turn} onFound=${onFound}
    isChosen=${(run.runs ?? [run]).every(({ name }) => chosen.has(name))} />`;
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Table of runs"><table class="all-runs">
      <thead><tr><th scope="col" class="choice"><span class="said">Shown</span></th>
        ${columns.map((name) => html`
          <${Heading} key=${name} name=${name} order=${order} onOrder=${onOrder} />`)}</tr></thead>
      <tbody>${here.map((run) => [
        row(run, false), ...(open.has(run.key) ? run.runs.map((each) => row(each, true)) : [])])}</tbody></table></div>
    ${here.some((run) => !run.held_out && run.held_out_so_far) && html`<p class="note">In italics: ${SO_FAR}. The figure
      ${" "}of the whole model on the final text takes its place when the run ends.</p>`}
    ${last > 0 && html`<nav class="pager" aria-label="Pages of the table">
      <button type="button" disabled=${now === 0} onClick=${() => setPage(now - 1)}>Previous</button>
      <span>Rows ${said(1 + now * PAGE)} to ${said(Math.min(rows.length, (now + 1) * PAGE))} of
        ${" "}${said(rows.length)}</span>
      <button type="button" disabled=${now === last} onClick=${() => setPage(now + 1)}>Next</button></nav>`}`;
}
