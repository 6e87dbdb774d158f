// The page Experiments: what was asked, what the runs say, and the runs behind every point.

import { html, useState } from "../preact.js";
import { get, inPath } from "../api.js";
import { Empty, Field, Loading, Trouble, shown, timeText } from "../parts.js";
import { useLoaded, useStored } from "../state.js";
import { CellName, settingText } from "./figures.js";
import { Points } from "./experiment_points.js";

/** A longer table of runs is closed at first. */
const OPEN = 24;

export function Experiments({ name }) {
  return name ? html`<${Experiment} key=${name} name=${name} />` : html`<${List} />`;
}

/** All experiments with their questions. */
function List() {
  const load = async (signal) => (await get("/api/v1/experiments", { signal })).experiments;
  const { value, problem, again } = useLoaded(load, []);
  const head = html`<h1>Experiments</h1>`;
  if (problem) return html`${head}<${Trouble} problem=${problem} again=${again} />`;
  if (!value) return html`${head}<${Loading} what="experiments" />`;
  if (!value.length) {
    return html`${head}<${Empty} title="No experiment in these folders">
      <p>An experiment is a file <code>experiment.toml</code>: a question, what varies, and how many seeds. Once
        ${" "}<code>rnnlab experiment FOLDER</code> has run it, its verdicts and runs are shown here. Serve its folder:
        ${" "}<code>rnnlab serve experiments</code>.</p><//>`;
  }
  return html`${head}<ul class="experiments">${value.map((one) => html`
    <li key=${one.name}><h2><a href=${`#/experiments/${inPath(one.name)}`}>${one.title}</a></h2>
      <p class="question">${one.question}</p>
      ${one.error ? html`<p class="warning">${one.error}</p>`
        : html`<p class="extent">${one.name}, changed ${timeText(one.updated)}${
          one.has_report ? "" : ", without a report yet"}</p>`}
    </li>`)}</ul>`;
}

/** One experiment. */
function Experiment({ name }) {
  const load = (signal) => get(`/api/v1/experiments/${inPath(name)}`, { signal });
  const { value, problem, again } = useLoaded(load, [name]);
  const back = html`<nav aria-label="Experiments"><a href="#/experiments">All experiments</a></nav>`;
  if (problem) return html`${back}<h1>${name}</h1><${Trouble} problem=${problem} again=${again} />`;
  if (!value) return html`${back}<h1>${name}</h1><${Loading} what="experiment" />`;
  return html`${back}
    <h1>${value.title}</h1>
    <p class="question">${value.question}</p>
    <p class="extent">${value.extent}</p>
    ${value.plan_error && html`<p class="warning">The plan of this experiment cannot be read, so its settings and
      verdicts are not shown here; its runs and its report are as they were written. ${value.plan_error}</p>`}
    ${value.warning && html`<p class="warning">${value.warning}</p>`}
    <${Claims} found=${value} />
    <${Runs} name=${name} found=${value} />
    <${Report} name=${name} path=${value.report} />
    ${value.command && html`<h2>Made by</h2><pre class="command" tabindex="0"><code>${value.command}</code></pre>`}`;
}

function Claims({ found }) {
  if (!found.claims.length) return null;
  return html`<h2>What the runs say</h2><p>${found.tally}</p>
    <ul class="claims">${found.claims.map((claim) => html`
      <li key=${claim.text} class=${claim.verdict.replace(" ", "-")}>
        <p class="verdict">${claim.verdict}${claim.about && html`<span class="about">for ${claim.about}</span>`}</p>
        <div><p>${claim.text}</p>${claim.note && html`<p class="note">${claim.note}</p>`}
          <details><summary>How it was decided</summary>
            <ul>${claim.sentences.map((sentence) => html`<li key=${sentence}>${sentence}</li>`)}</ul></details></div>
      </li>`)}</ul>`;
}

/** A figure of every run as points, and as a table. */
function Runs({ name, found }) {
  const [wanted, setOutcome] = useStored(`experiments:${name}:outcome`, "");
  const outcome = found.outcomes.find((one) => one.name === wanted) ?? found.outcomes[0];
  if (!outcome) return null;
  const has = (run) => run.outcomes[outcome.name] !== undefined;
  const count = found.runs.filter(has).length;
  return html`<h2>The runs behind every figure</h2>
    <div class="controls"><${Field} label="Figure" wide><select value=${outcome.name}
      onChange=${(event) => setOutcome(event.target.value)}>${found.outcomes.map((one) => html`
      <option key=${one.name} value=${one.name}>${one.label}</option>`)}</select><//></div>
    <p class="how">Each point is one of ${count.toLocaleString("en")} runs; the line is their${
      outcome.by_ratio ? " geometric" : ""} mean.
      ${outcome.better === "lower" ? " Lower" : " Higher"} is better.${
      outcome.timed && found.timed_separately
        ? " As measured during the run; verdicts on speed are about rounds of their own." : ""}</p>
    <${Points} found=${found} outcome=${outcome} />
    <${RunTable} found=${found} outcome=${outcome} />`;
}

function RunTable({ found, outcome }) {
  const changes = Object.fromEntries(found.variants.map(({ name, change }) => [name, change]));
  const keys = [...new Set(found.variants.flatMap(({ change }) => Object.keys(change)))];
  const hasTexts = found.texts.length > 0;
  const [order, setOrder] = useState({ by: "", sign: 1 });
  const valueOf = { seed: (run) => run.seed, figure: (run) => run.outcomes[outcome.name] ?? Infinity }[order.by];
  const runs = valueOf ? [...found.runs].sort((a, b) => order.sign * (valueOf(a) - valueOf(b))) : found.runs;
  const Sorted = ({ by, children }) => html`<th scope="col" class="figure"
    aria-sort=${order.by === by ? (order.sign > 0 ? "ascending" : "descending") : null}>
    <button type="button" onClick=${() => setOrder({ by, sign: order.by === by ? -order.sign : 1 })}>
      ${children}</button></th>`;
  return html`<details class="runs-table" open=${found.runs.length <= OPEN}>
    <summary>All ${found.runs.length.toLocaleString("en")} runs</summary>
    <div class="scroll" tabindex="0" role="region" aria-label="Table of runs"><table><thead><tr>
      <th scope="col">run</th><th scope="col">variant</th>${hasTexts && html`<th scope="col">text</th>`}
      <${Sorted} by="seed">seed<//><${Sorted} by="figure">${outcome.label.split(",")[0]}<//>
      ${keys.map((key) => html`<th scope="col" key=${key}>${key.replaceAll("_", " ")}</th>`)}
      <th scope="col">status</th></tr></thead>
    <tbody>${runs.map((run) => html`<tr key=${`${run.variant} ${run.text} ${run.seed}`}>
      <th scope="row">${run.run ? html`<a href=${`#/runs/${inPath(run.run)}`}>${run.id}</a>` : run.id}</th>
      <td>${run.variant}</td>${hasTexts && html`<td>${run.text}</td>`}<td class="figure">${run.seed}</td>
      <td class="figure">${shown(run.outcomes[outcome.name], outcome.digits)}</td>
      ${keys.map((key) => html`<td key=${key}>${setting(key, changes[run.variant]?.[key])}</td>`)}
      <td>${run.status}${run.reason && html` <small>${run.reason}</small>`}</td></tr>`)}</tbody></table></div>
    ${Object.keys(found.settings).length > 0 && html`<p class="how">All runs share ${
      Object.entries(found.settings).map(([key, value]) => `${key} = ${value}`).join(", ")}.</p>`}
  </details>`;
}

function setting(key, value) {
  if (value === undefined) return "";
  if (key === "cell" && value.includes("@")) return html`<${CellName} whole=${value} name=${value.split("@")[0]} />`;
  return settingText(value);
}

/** The report in a frame in which nothing runs. */
function Report({ name, path }) {
  const [isOpen, setOpen] = useStored(`experiments:${name}:report`, false);
  if (!path) return html`<h2>Report</h2><p>There is none yet: <code>rnnlab experiment</code> writes it.</p>`;
  return html`<h2>Report</h2>
    <div class="buttons"><button type="button" aria-expanded=${isOpen ? "true" : "false"}
      onClick=${() => setOpen(!isOpen)}>${isOpen ? "Close the report" : "Show the report"}</button></div>
    ${isOpen && html`<iframe class="report" title=${`Report of ${name}`} sandbox="" src=${path}></iframe>`}`;
}
