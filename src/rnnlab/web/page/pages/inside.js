// The page Inside: what the units of a network do while it reads a text.

import { html, useEffect, useMemo } from "../preact.js";
import { arrays, get } from "../api.js";
import { Letters } from "../letters.js";
import { Empty, Field, Loading, ModelSelect, Trouble, capitalized, useModels } from "../parts.js";
import { useLoaded, useRested, useStored } from "../state.js";
import { HeatMap } from "./heat_map.js";
import { NumberInput } from "./number_input.js";
import { Places } from "./places.js";
import { Stepping } from "./stepping.js";
import { SwitchedOff } from "./switched_off.js";
import { ORDERS, useOrder } from "./unit_orders.js";
import { signed } from "./equations.js";

/** Characters of a part of a split. */
const MOST = 5_000;

const FIRST = {
  model: "", source: "", text: "", offset: 0, characters: 1_000, quantity: "h", layer: 0, unit: 0, order: "number",
  at: 0, range: null, whole: false, held: [],
};

const QUANTITIES = {
  i: "input gate", f: "forget gate", g: "candidate", o: "output gate", c: "cell state", h: "hidden state",
  r: "reset gate", z: "update gate", n: "candidate",
};

export function Inside({ query }) {
  const models = useModels(), [own, set] = useStored("inside", FIRST), asked = { ...FIRST, ...own };
  const change = (more) => set((before) => ({ ...before, ...more }));
  useEffect(() => {
    const wanted = query.get("model") ?? (asked.model || models.value?.[0]);
    if (wanted && wanted !== asked.model) change({ model: wanted, held: [] });
  }, [models.value, query.get("model")]);
  if (models.problem) return html`<h1>Inside</h1><${Trouble} problem=${models.problem} again=${models.again} />`;
  if (models.value && !models.value.length) {
    return html`<h1>Inside</h1><${Empty} title="No model yet">
      <p>Here one sees what a model does while it reads. <a href="#/runs">Train the first one</a>.</p><//>`;
  }
  return html`
    <h1>Inside</h1>
    <div class="controls"><${ModelSelect} models=${models} value=${asked.model}
      onChange=${(model) => change({ model, held: [] })} /></div>
    ${asked.model && html`<${Model} key=${asked.model} asked=${asked} change=${change} />`}`;
}

/** A model: what there is to look at in it, and the text that it reads. */
function Model({ asked, change }) {
  const about = useLoaded((signal) => get(`/api/v1/probe?model=${encodeURIComponent(asked.model)}`, { signal }), []);
  const network = about.value, splits = Object.keys(network?.splits ?? {});
  const source = splits.includes(asked.source) || asked.source === "text" ? asked.source : splits.at(-1) ?? "text";
  const typed = useRested(asked.text, 400), part = useRested(`${asked.offset} ${asked.characters}`, 300);
  const text = useMemo(() => {
    const [offset, characters] = part.split(" ").map(Number);
    return { model: asked.model, ...(source === "text" ? { text: typed } : { split: source, offset, characters }) };
  }, [source, source === "text" ? typed : part]);
  if (about.problem) return html`<${Trouble} problem=${about.problem} again=${about.again} />`;
  if (!network) return html`<${Loading} what="model" />`;
  return html`
    <${Source} network=${network} source=${source} asked=${asked} change=${change} />
    ${source === "text" && typed.length < 2 ? html`<p class="note">Paste a text of two characters or more.</p>`
      : html`<${Shown} network=${network} text=${text} asked=${asked} change=${change} />`}`;
}

/** Which text: pasted, or a part of a split that the model was trained without. */
function Source({ network, source, asked, change }) {
  const size = network.splits[source], step = Math.min(MOST, Math.max(1, asked.characters || 1));
  const moved = (by) => change({ offset: Math.max(0, Math.min(size - step, asked.offset + by)), at: 0, range: null });
  const number = (name, low, high) => html`<${NumberInput} low=${low} high=${high} value=${asked[name]}
    onValue=${(value) => change({ [name]: value, at: 0, range: null })} />`;
  return html`
    <fieldset class="modes"><legend class="said">Text</legend>
      ${[...Object.keys(network.splits), "text"].map((value) => html`<label class="check" key=${value}>
        <input type="radio" name="source" checked=${source === value}
          onChange=${() => change({ source: value, offset: 0, at: 0, range: null })} />
        ${value === "text" ? "A text of your own" : `The ${value} split`}</label>`)}
    </fieldset>
    ${network.left_out && html`<p class="note">${capitalized(network.left_out)}.</p>`}
    ${source === "text" ? html`<${Field} label="Text"><textarea rows="4" spellcheck=${false} value=${asked.text}
        onInput=${(event) => change({ text: event.target.value, at: 0, range: null })}></textarea><//>`
      : html`<div class="controls">
        <${Field} label=${`From character, of ${size.toLocaleString("en")}`}>${number("offset", 0, size - 2)}<//>
        <${Field} label="Characters">${number("characters", 2, MOST)}<//>
        <div class="buttons">
          <button type="button" disabled=${asked.offset <= 0} onClick=${() => moved(-step)}>Part before</button>
          <button type="button" disabled=${asked.offset + step >= size} onClick=${() => moved(step)}>Next part</button>
        </div></div>`}`;
}

/** The values of one quantity, and everything that is shown of them. */
function Shown({ network, text, asked, change }) {
  const names = network.quantities.map(({ name }) => name);
  const quantity = names.includes(asked.quantity) ? asked.quantity : "h";
  const layer = Math.min(asked.layer, network.layers - 1), unit = Math.min(asked.unit, network.hidden_size - 1);
  const key = JSON.stringify([text, quantity, layer]);
  const traces = useLoaded(async (signal) => ({
    key, text, quantity, layer, ...await arrays("/api/v1/probe", { ...text, quantity, layer }, { signal }),
  }), [key]);
  const select = (name, value, options, convert = String) => html`
    <select value=${value} onChange=${(event) => change({ [name]: convert(event.target.value) })}>
      ${options.map(([own, title]) => html`<option key=${own} value=${own}>${title}</option>`)}</select>`;
  const controls = html`<div class="controls">
    <${Field} label="Quantity">${select("quantity", quantity, names.map((name) =>
      [name, QUANTITIES[name] && !network.is_own_cell ? `${name}, ${QUANTITIES[name]}` : name]))}<//>
    ${network.layers > 1 && html`<${Field} label="Layer">${
      select("layer", layer, Array.from({ length: network.layers }, (_, k) => [k, k + 1]), Number)}<//>`}
    <${Field} label=${`Unit, of ${network.hidden_size}`}><${NumberInput} low=${0} high=${network.hidden_size - 1}
      value=${unit} onValue=${(value) => change({ unit: value })} /><//>
    <${Field} label="Units ordered by">${select("order", asked.order, Object.entries(ORDERS))}<//>
    <label class="check"><input type="checkbox" checked=${asked.whole}
      onChange=${(event) => change({ whole: event.target.checked })} />Whole text in the map</label>
  </div>`;
  if (traces.problem) return html`${controls}<${Trouble} problem=${traces.problem} again=${traces.again} />`;
  if (!traces.value) return html`${controls}<${Loading} what="values" />`;
  return html`${controls}<${View} network=${network} found=${traces.value} isOld=${traces.value.key !== key}
    asked=${{ ...asked, unit }} change=${change} />`;
}

/** The coloured text, the heat map, and the sections below. */
function View({ network, found, isOld, asked, change }) {
  const { header: { tokens, unknown }, arrays: { values }, text, quantity, layer } = found, { unit } = asked;
  const units = network.hidden_size, at = Math.min(asked.at, tokens.length - 1);
  const range = asked.range && asked.range[1] <= tokens.length ? asked.range : null;
  const own = network.quantities.find(({ name }) => name === quantity)?.range;
  const most = useMemo(() => own?.every(Number.isFinite) ? Math.max(...own.map(Math.abs))
    : values.reduce((largest, value) => Math.max(largest, Math.abs(value)), 1e-6), [values]);
  const order = useOrder({ kind: asked.order, text, about: network, quantity, layer, values, at });
  const said = (token, one) => `${quantity} = ${signed(values[token * units + one])}`;
  // Thousands of letters change their colours: those of units that are only passed by do not.
  const coloured = useRested(unit, 60);
  const pieces = useMemo(() => tokens.map((token, place) => {
    const value = values[place * units + coloured];
    return { text: token, colour: value / most, said: `${quantity} ${signed(value)}` };
  }), [values, tokens, coloured, most]);
  const choose = (more) => change({ at, ...more });
  const where = { text, tokens, quantity, layer, unit, at };
  const parts = Object.keys(unknown).slice(0, 8).join(" "), mark = (next) => choose({ range: next });
  return html`
    <section aria-label="Text and heat map" aria-busy=${isOld}>
      <p class="about-unit"><b>Unit ${unit}</b>${network.layers > 1 && ` of layer ${layer + 1}`}${
        order.about(unit) && ` ${order.about(unit)}`}. Orange is above 0, blue below; the full colour is ±${
        most.toPrecision(2)}.</p>
      ${parts && html`<p class="note">Not in the vocabulary, read as ${"<unk>"}: ${parts}</p>`}
      <${Letters} id="inside-text" label=${`Text, coloured by unit ${coloured}`} pieces=${pieces} chosen=${at}
        onChoose=${(place) => choose({ at: place })} range=${range} onRange=${mark} busy=${isOld} />
      ${order.working && html`<p class="working" role="status">${order.working}: ${
        Math.round(100 * (order.share ?? 0))}%</p>`}
      ${order.problem && html`<${Trouble} problem=${order.problem} />`}
      <${HeatMap} values=${values} tokens=${tokens} rows=${order.rows} most=${most} at=${at} unit=${unit} range=${range}
        whole=${asked.whole} label=${`${quantity} of ${units} units at ${tokens.length} tokens`} said=${said}
        onPick=${choose} onRange=${mark} />
      ${order.finding.length > 0 && html`<ul class="finding">${
        order.finding.map((line) => html`<li key=${line}>${line}</li>`)}</ul>`}
    </section>
    <${Stepping} network=${network} ...${where} choose=${choose} />
    <${Places} network=${network} ...${where} values=${values} range=${range} own=${own} most=${most}
      choose=${choose} />
    <${SwitchedOff} network=${network} ...${where} held=${asked.held} change=${change} />`;
}
