// The learning curves of some runs: training and held-out, as a plot and as numbers.

import { html, useMemo } from "../preact.js";
import { Field, Loading, Trouble, capitalized, shown } from "../parts.js";
import { Plot, Swatch } from "../plot.js";
import { useStored } from "../state.js";
import { areOfDifferentTexts } from "./run_names.js";

const ACROSS = { step: "Steps", tokens: "Tokens", seconds: "Seconds of training" };
const SHOWN = { both: "Training and held-out", held: "Held-out", train: "Training" };
const LEVELS = ["ngram", "ppmd", "xz"];
const FIRST = { across: "step", kinds: "both", isLogX: false, isLogY: false };

/** Return y at some x of a line through points whose xs ascend, from (0, 0). */
function interpolated(xs, ys, at) {
  let k = 0, found = [];
  for (const x of at) {
    while (k < xs.length && xs[k] < x) k++;
    const [x0, y0] = k ? [xs[k - 1], ys[k - 1]] : [0, 0], [x1, y1] = k < xs.length ? [xs[k], ys[k]] : [x, y0];
    found.push(x1 > x0 ? y0 + ((y1 - y0) * (x - x0)) / (x1 - x0) : y1);
  }
  return found;
}

/** Return {train, held}: xs and ys of both curves of a run; across: what x is. */
export function curvesOf(lines, across) {
  const train = lines.filter(({ kind }) => kind === "train"), held = lines.filter(({ kind }) => kind === "held-out");
  const steps = train.map(({ step }) => step), along = train.map((line) => line[across]);
  const ys = (own) => own.map((line) => line.bits_per_character ?? null);
  const places = held.map(({ step }) => step);
  return {
    train: { xs: along, ys: ys(train) },
    held: { xs: across === "step" ? places : train.length ? interpolated(steps, along, places) : [],
            ys: across !== "step" && !train.length ? [] : ys(held) },
  };
}

/** Return the baselines of a run on the text of its curve: {title, bits}. */
function levelsOf(details) {
  const own = (details.evaluations ?? []).find(({ split }) => split === "validation");
  return LEVELS.filter((name) => own?.baselines[name]).map((name) => (
    { title: own.titles[name], bits: own.baselines[name].bits_per_character }));
}

/** Return the final figure of a network with its n-grams on the text of its curve, as a point: {xs, ys}. */
function wholeOf({ settings, figures }, { train, held }) {
  const own = (figures ?? []).find(({ split }) => split === "validation");
  const x = Math.max(train.xs.at(-1) ?? -1, held.xs.at(-1) ?? -1);
  if (!settings?.ngram_order || own?.bits_per_character == null || x < 0) return null;
  return { xs: [x], ys: [own.bits_per_character] };
}

/** Return which text and which model the curves are of; the figures of the runs are of another text. */
function captionOf(runs, lines, hasLevels) {
  const splits = new Set(lines.flatMap((own) => own?.findLast(({ kind }) => kind === "held-out")?.split ?? []));
  const text = splits.size === 1 ? [...splits][0] : "held-out";
  const hasNGrams = runs.some((run) => run?.settings.ngram_order);
  const finals = [...new Set(runs.map((run) => run?.held_out?.split ?? "test"))].join(" or ");
  const words = `${capitalized(text)} text${
    hasNGrams ? ", network alone, before its n-grams join it" : ""}${
    hasLevels ? "; its baselines are of the same text" : ""}. `;
  if (finals === text) return words;
  return `${words}The final figure is of the ${finals} text.`;
}

/** Return what is said of a run's curves. */
function summaryOf(lines) {
  const held = lines.filter(({ kind }) => kind === "held-out"), bits = (line) => line?.bits_per_character ?? Infinity;
  const best = held.reduce((least, line) => (bits(line) < bits(least) ? line : least), null);
  return { train: lines.filter(({ kind }) => kind === "train").at(-1), best, last: held.at(-1) };
}

/** The curves of some runs; names in their order, which decides the colours; labels: a Map of what they are called. */
export function Curves({ feed, names, labels }) {
  const [view, setView] = useStored("runs-view", FIRST);
  const set = (change) => setView((before) => ({ ...before, ...change }));
  const found = names.map((name) => feed.curves.get(name)), isAlone = names.length === 1;
  const lines = found.map((curve) => curve?.lines);
  const details = isAlone ? found[0]?.details : null;
  const levels = levelsOf(details ?? {});
  const runs = names.map((name) => feed.runs.get(name));
  const series = useMemo(() => seriesOf(names.map((name) => labels.get(name)), runs, lines, view, levels),
    [JSON.stringify([...labels]), view, details, ...runs, ...lines]);
  if (!found.some(Boolean)) return html`<${Loading} what="curves" />`;
  const summaries = lines.map((own) => own && summaryOf(own));
  const said = names.flatMap((name, k) => {
    const best = summaries[k]?.best;
    return best ? [`${labels.get(name)}: held-out at best ${shown(best.bits_per_character)} at step ${best.step}`] : [];
  });
  return html`<section class="learning">
    ${areOfDifferentTexts(runs.filter(Boolean)) && html`<p class="warning">These runs are measured on different texts;
      ${" "}their curves cannot be compared.</p>`}
    <p class="note">${captionOf(runs, lines, levels.length > 0)}</p>
    <div class="controls">
      <${Field} label="Shown"><select value=${view.kinds} onChange=${(event) => set({ kinds: event.target.value })}>
        ${Object.entries(SHOWN).map(([value, words]) => html`<option value=${value}>${words}</option>`)}</select><//>
      <${Field} label="Across"><select value=${view.across} onChange=${(event) => set({ across: event.target.value })}>
        ${Object.entries(ACROSS).map(([value, words]) => html`<option value=${value}>${words}</option>`)}</select><//>
      <label class="check"><input type="checkbox" checked=${view.isLogX}
        onChange=${(event) => set({ isLogX: event.target.checked })} />Logarithmic across</label>
      <label class="check"><input type="checkbox" checked=${view.isLogY}
        onChange=${(event) => set({ isLogY: event.target.checked })} />Logarithmic upwards</label>
    </div>
    ${found.map((curve, k) => curve?.problem && html`<${Trouble} key=${names[k]} problem=${curve.problem} />`)}
    <${Plot} series=${series} xKey=${view.across} isLogX=${view.isLogX} isLogY=${view.isLogY}
      xLabel=${ACROSS[view.across]} yLabel="Bits per character"
      label=${`Learning curves in bits per character. ${said.join(". ") || "Nothing was evaluated yet."}`} />
    <ul class="key">${names.map((name, k) => html`
      <li key=${name} title=${name}><${Swatch} number=${k} /> ${labels.get(name)}</li>`)}
      ${levels.map(({ title, bits }, k) => html`
        <li key=${title}><${Swatch} number=${k + 1} isLevel /> ${title}: ${shown(bits)}</li>`)}
      ${series.filter(({ isPoint }) => isPoint).map(({ label, number, ys }) => html`
        <li key=${label}><${Swatch} number=${number} isPoint /> ${label}: ${shown(ys[0])}</li>`)}</ul>
    <p class="note">Thick: held-out text, points where it was evaluated. Thin: training text, with dropout if any.${
      series.some(({ isPoint }) => isPoint) ? " Circle: the whole model on the validation text, at its end." : ""}</p>
    <details><summary>The curves as numbers</summary>
      <div class="scroll" tabindex="0" role="region" aria-label="The curves as numbers"><table>
      <thead><tr><th>Run</th><th class="figure">Steps</th><th class="figure">Training, last</th>
        <th class="figure">Held-out, best</th><th class="figure">at step</th><th class="figure">Held-out, last</th></tr>
      </thead>
      <tbody>${names.map((name, k) => html`<tr key=${name}><th scope="row" title=${name}>${labels.get(name)}</th>
        <td class="figure">${(summaries[k]?.train ?? summaries[k]?.last)?.step?.toLocaleString("en") ?? "–"}</td>
        <td class="figure">${shown(summaries[k]?.train?.bits_per_character)}</td>
        <td class="figure">${shown(summaries[k]?.best?.bits_per_character)}</td>
        <td class="figure">${summaries[k]?.best?.step.toLocaleString("en") ?? "–"}</td>
        <td class="figure">${shown(summaries[k]?.last?.bits_per_character)}</td></tr>`)}</tbody></table></div></details>
  </section>`;
}

/** Return the series of the plot. */
function seriesOf(labels, runs, lines, { across, kinds }, levels) {
  const found = [], wholes = [];
  labels.forEach((name, number) => {
    if (!lines[number]) return;
    const { train, held } = curvesOf(lines[number], across);
    if (kinds !== "held") found.push({ label: `${name}, training`, number, ...train, isFaint: true });
    if (kinds === "train") return;
    found.push({ label: `${name}, held-out`, number, ...held });
    const whole = wholeOf(runs[number] ?? {}, { train, held });
    if (whole) wholes.push({ label: `${name}, with its n-grams`, number, ...whole, isPoint: true });
  });
  const xs = found.flatMap((own) => [own.xs[0], own.xs.at(-1)]).filter((x) => x !== undefined);
  found.push(...wholes);
  if (!xs.length) return found;
  const ends = [Math.min(...xs), Math.max(...xs)];
  return [...found, ...levels.map(({ title, bits }, k) => (
    { label: title, number: k + 1, xs: ends, ys: [bits, bits], isLevel: true }))];
}
