// The page of one run: its curves, its figures, what the doctor finds, what it wrote, its settings.

import { html } from "../preact.js";
import { useFeed } from "../feed.js";
import { Loading, Trouble, shown } from "../parts.js";
import { Curves } from "./curves.js";
import { Evaluations, Setting, protocolText, sizeText, textName } from "./figures.js";
import { Findings } from "./findings.js";
import { statusText } from "./run_rows.js";
import { NotYet, RunControls } from "./run_controls.js";

const USES = { write: "Write with it", inside: "Look inside", score: "Score a text" };

export function OneRun({ name }) {
  const feed = useFeed([name]), run = feed.runs.get(name), curve = feed.curves.get(name);
  const heading = html`<p class="back"><a href="#/runs">All runs</a></p><h1>${name}</h1>`;
  if (!run) {
    if (feed.isLoaded) return html`${heading}<${NotYet} name=${name} />`;
    return html`${heading}${feed.problem ? html`<${Trouble} problem=${feed.problem} />`
      : html`<${Loading} what="run" />`}`;
  }
  const { settings, held_out: own, training, error } = run, details = curve?.details ?? {}, best = own?.best_baseline;
  return html`${heading}
    ${feed.problem && html`<${Trouble} problem=${feed.problem} />`}
    ${error && html`<${Trouble} problem=${{ message: error }} />`}
    <p class="run-state">${statusText(run)}: ${run.cell ?? "–"} ${sizeText(settings)} on ${textName(settings)}${
      run.parameters && `, ${run.parameters.toLocaleString("en")} weights`}${
      training.steps && `, ${training.steps.toLocaleString("en")} steps in ${shown(training.seconds, 1)} s`}.</p>
    ${own && html`<p class="headline"><b>${shown(own.bits_per_character)}</b> bits per character on ${own.split} text${
      best && html`; ${best.title}: <b>${shown(best.bits_per_character)}</b>`}.
      <small>${protocolText(own)}</small></p>`}
    <${RunControls} record=${run} />
    <nav aria-label="With this model"><ul>${Object.entries(USES).map(([page, words]) => html`
      <li key=${page}><a href=${`#/${page}?model=${encodeURIComponent(name)}`}>${words}</a></li>`)}</ul></nav>
    <h2>Curves</h2>
    <${Curves} feed=${feed} names=${[name]} labels=${new Map([[name, name]])} />
    <h2>Figures</h2>
    ${curve ? html`<${Evaluations} evaluations=${details.evaluations} />` : html`<${Loading} what="figures" />`}
    <h2>Findings</h2>
    <${Findings} run=${run} />
    <h2>Samples</h2>
    <${Samples} samples=${details.samples} />
    <h2>Settings</h2>
    <details><summary>All ${Object.keys(settings).length} settings</summary>
      <ul class="settings">${Object.keys(settings).map((key) => html`
        <li key=${key}><b>${key}</b> <${Setting} run=${run} name=${key} /></li>`)}</ul></details>
    <${Machine} about=${details.environment ?? {}} />`;
}

/** What the run was trained with. */
function Machine({ about: { cpu, cores, threads, rnnlab, torch } }) {
  const words = [cpu, cores && `${cores} cores`, threads && `${threads} threads`, rnnlab && `rnnlab ${rnnlab}`,
    torch && `torch ${torch}`].filter(Boolean);
  return words.length > 0 && html`<p class="note">Trained on ${words.join(", ")}.</p>`;
}

/** The last texts that the run wrote while it was trained. */
function Samples({ samples }) {
  if (!samples?.length) return html`<p class="note">It has written nothing yet.</p>`;
  const [newest, ...others] = samples;
  const one = ({ step, text }) => html`<figure class="sample" key=${step}>
    <figcaption>after step ${step.toLocaleString("en")}</figcaption><blockquote>${text}</blockquote></figure>`;
  return html`${one(newest)}${others.length > 0 && html`
    <details><summary>Earlier ones</summary>${others.map(one)}</details>`}`;
}

