// The figures of runs next to their baselines, with what they were measured on, and the settings that differ.

import { html } from "../preact.js";
import { shown } from "../parts.js";
import { Swatch } from "../plot.js";

/** Return a setting as people read it. */
export function settingText(value) {
  if (value === undefined) return "–";
  if (Array.isArray(value)) return value.length ? value.map(settingText).join(", ") : "none";
  return value === "" ? "none" : String(value);
}

/** A setting of a run; a cell of a file has the start of its checksum, the whole of it in the title. */
export function Setting({ run: { settings, cell }, name }) {
  const whole = settingText(settings[name]);
  if (name !== "cell" || cell === null || cell === whole) return whole;
  return html`<${CellName} whole=${whole} name=${cell} />`;
}

/** A cell of a file by its name. */
export function CellName({ whole, name }) {
  const [, checksum] = whole.split("@");
  return html`<span title=${whole}>${name}${checksum && html` <small>${checksum.slice(0, 8)}</small>`}</span>`;
}

/** Return the last part of the name of a text. */
export function textName(settings) {
  return (settings.corpus ?? []).map((name) => name.split("/").at(-1)).join(", ") || "–";
}

/** Return the size of a network: its units, times its layers. */
export function sizeText({ hidden_size: units, num_layers: layers }) {
  return units === undefined ? "–" : layers > 1 ? `${layers} × ${units}` : String(units);
}

/** Return by how much a run is ahead of a baseline, with its interval if that is known. */
function leadText(bits, { bits_per_character: other, lead }) {
  const ahead = other - bits, half = lead && (lead.high - lead.low) / 2;
  const words = `${ahead < 0 ? "−" : "+"}${shown(Math.abs(ahead))}`;
  return half ? `${words} ± ${shown(half)}` : words;
}

/** The figure that stands for each of some runs, next to its best baseline. */
export function HeldOut({ runs, labels }) {
  const cells = (own, settings) => {
    const best = own.best_baseline;
    return html`<td class="figure">${shown(own.bits_per_character)}</td>
      <td>${best ? `${best.title}: ${shown(best.bits_per_character)}` : "not measured"}</td>
      <td class="figure">${best ? leadText(own.bits_per_character, best) : "–"}</td>
      <td>${textName(settings)}: ${protocolText(own)}</td>`;
  };
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Figures"><table class="figures">
    <thead><tr><th>Run</th><th class="figure">Held-out bits per character</th><th>Best baseline</th>
      <th class="figure">Lead</th><th>Measured on</th></tr></thead>
    <tbody>${runs.map(({ name, settings, held_out: own }, k) => html`<tr key=${name}>
      <th scope="row" title=${name}><${Swatch} number=${k} /> ${labels.get(name)}</th>
      ${own ? cells(own, settings)
        : html`<td class="figure">–</td><td colspan="3">not evaluated yet</td>`}</tr>`)}</tbody>
  </table></div>`;
}

/** Return how a figure was measured. */
export function protocolText({ split, context, characters, checkpoint }) {
  return `${split}, ${context}, ${characters.toLocaleString("en")} characters, ${checkpoint} weights`;
}

/** All final evaluations of a run: a column each, its baselines below. */
export function Evaluations({ evaluations }) {
  if (!evaluations?.length) return html`<p class="note">No final evaluation yet, or nothing is held out.</p>`;
  const titles = new Map(evaluations.flatMap((one) => Object.entries(one.titles)));
  const parts = [...new Set(evaluations.flatMap((one) => Object.keys(one.parts ?? {})))];
  const { checkpoint, corpus, corpus_sha256: sha256 } = evaluations[0];
  const baseline = ({ baselines, leads = {}, bits_per_character: bits }, name) => {
    const own = baselines[name];
    return own ? html`${shown(own.bits_per_character)} <span class="spread">${
      leadText(bits, { ...own, lead: leads[name] })}</span>` : "–";
  };
  const row = (title, values, isOwn) => html`<tr key=${title} class=${isOwn ? "best" : null}>
    <th scope="row">${title}</th>${values.map((value) => html`<td class="figure mean">${value}</td>`)}</tr>`;
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Evaluations"><table class="figures">
    <thead><tr><th>Bits per character</th>${evaluations.map(({ split, context }) => html`
      <th class="figure">${split}<br /><span class="context">${context}</span></th>`)}</tr></thead>
    <tbody>
      ${row("This run", evaluations.map((one) => shown(one.bits_per_character)), true)}
      ${parts.map((name) => row(`Its ${name === "ngram" ? "n-gram part" : name} alone`,
        evaluations.map((one) => shown(one.parts?.[name]?.bits_per_character))))}
      ${[...titles].map(([name, title]) => row(title, evaluations.map((one) => baseline(one, name))))}
      ${row("Perplexity per token", evaluations.map((one) => shown(one.perplexity)))}
      ${row("Characters", evaluations.map((one) => one.characters.toLocaleString("en")))}
    </tbody></table></div>
    <p class="note">Pale: by how many bits per character this run is ahead, with half the width of a 95% interval
      over the text. Measured with the ${checkpoint} weights on ${corpus}, SHA-256 ${sha256.slice(0, 12)}. Carried: the
      state goes on from the start of the split; windows: each begins with a state of zeros.</p>`;
}

/** Return the settings in which some runs differ. */
export function differing(runs, without) {
  const every = [...new Set(runs.flatMap(({ settings }) => Object.keys(settings)))];
  return every.filter((name) => !without.includes(name)
    && new Set(runs.map(({ settings }) => JSON.stringify(settings[name]))).size > 1);
}

/** A table of the settings in which some runs differ. */
export function Differences({ runs, labels, withoutEffect }) {
  const names = differing(runs, withoutEffect);
  if (!names.length) return html`<p class="note">All settings that have an effect are the same.</p>`;
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Settings that differ">
    <table class="differences"><thead><tr><th>Setting that differs</th>
      ${runs.map(({ name }, k) => html`
        <th key=${name} title=${name}><${Swatch} number=${k} /> ${labels.get(name)}</th>`)}</tr></thead>
    <tbody>${names.map((name) => html`<tr key=${name}><th scope="row"><code>${name}</code></th>
      ${runs.map((run) => html`<td><${Setting} run=${run} name=${name} /></td>`)}</tr>`)}</tbody></table></div>`;
}
