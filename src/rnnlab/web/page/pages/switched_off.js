// Units that are switched off, and what the model writes without them.

import { html, useState } from "../preact.js";
import { arrays, post } from "../api.js";
import { Field, Trouble, shown } from "../parts.js";
import { useLoaded, useRested, useStored } from "../state.js";
import { NumberInput } from "./number_input.js";

const FIRST = { temperature: 0, seed: 1, length: 200 };

/** Characters of what is before. */
const BEFORE = 60;

export function SwitchedOff({ network, text, tokens, layer, unit, at, held, change }) {
  const [rules, set] = useStored("inside:writing", FIRST), [typed, setTyped] = useState("");
  const prefix = prefixOf(tokens.slice(0, at + 1).join(""), network.is_of_samples);
  const asked = useRested(JSON.stringify({ held, prefix, ...rules }), 400);
  const units = held.map(([one, number]) => ({ layer: one, unit: number }));
  const costs = useLoaded((signal) => held.length
    ? arrays("/api/v1/probe/held", { ...text, held: units }, { signal }) : null, [JSON.stringify([text, held])]);
  const values = costs.value?.header.held;
  const written = useLoaded(async (signal) => {
    if (!held.length || !values) return null;
    const { prefix: before, temperature, seed, length } = JSON.parse(asked);
    const settings = { length, temperature, ...(temperature ? { seed } : {}) };
    const body = { model: text.model, prefix: before, settings };
    const [whole, without] = await Promise.all([[], values].map((own) =>
      post("/api/v1/generate", { ...body, held: own }, { signal })));
    return { before, whole: rest(whole.texts[0], before), without: rest(without.texts[0], before) };
  }, [asked, JSON.stringify(values ?? null)]);
  const has = (one, number) => held.some(([a, b]) => a === one && b === number);
  const add = (number) => {
    const exists = number >= 0 && number < network.hidden_size;
    if (exists && !has(layer, number)) change({ held: [...held, [layer, number]] });
  };
  const drop = (gone) => change({ held: held.filter((one) => one !== gone) });
  const setting = (name, low, high, step) => html`<${NumberInput} low=${low} high=${high} step=${step}
    value=${rules[name]} onValue=${(value) => set({ ...rules, [name]: value })} />`;
  const { header } = costs.value ?? {};
  return html`
    <section aria-labelledby="off-title">
      <h2 id="off-title">Units switched off</h2>
      <p>A unit that is switched off keeps the mean that its memory has over this text, whatever the network reads.</p>
      <form class="controls" onSubmit=${(event) => (event.preventDefault(), typed && add(Number(typed)), setTyped(""))}>
        <button type="button" disabled=${has(layer, unit)} onClick=${() => add(unit)}>Switch unit ${unit} off</button>
        <${Field} label="Or another"><input type="number" min="0" max=${network.hidden_size - 1} value=${typed}
          onInput=${(event) => setTyped(event.target.value)} /><//>
        <button type="submit">Switch it off</button>
      </form>
      ${held.length > 0 && html`<ul class="chips" aria-label="Units that are off">${held.map((one) => html`
        <li key=${one.join()}><button type="button" onClick=${() => drop(one)}
          aria-label=${`Switch unit ${one[1]}${ofLayer(network, one)} on again`}>unit ${one[1]}${
          ofLayer(network, one)} ×</button></li>`)}
        <li><button type="button" class="plain" onClick=${() => change({ held: [] })}>All on again</button></li></ul>`}
      ${(costs.problem ?? written.problem) && html`<${Trouble} problem=${costs.problem ?? written.problem}
        again=${costs.problem ? costs.again : written.again} />`}
      <p role="status">${held.length > 0 && header && !costs.isLoading && html`The text above takes
        ${" "}<b>${shown(header.bits_per_character_held)}</b> bits per character without
        ${held.length === 1 ? " it" : " them"}, <b>${shown(header.bits_per_character)}</b> with all units.`}</p>
      ${held.length > 0 && html`
        <div class="controls">
          <${Field} label="Temperature" note="0: always the likeliest">${setting("temperature", 0, 5, 0.1)}<//>
          ${rules.temperature > 0 && html`<${Field} label="Seed">${setting("seed", 0, 2 ** 31)}<//>`}
          <${Field} label="Tokens">${setting("length", 1, 2_000)}<//>
        </div>
        ${written.value && html`<${Pair} ...${written.value} isOld=${written.isLoading} />`}`}
    </section>`;
}

/** Return what a model goes on from; of samples, the last one. */
function prefixOf(text, isOfSamples) {
  return isOfSamples ? text.slice(text.lastIndexOf("\n") + 1) : text;
}

function ofLayer({ layers }, [layer]) {
  return layers > 1 ? ` of layer ${layer + 1}` : "";
}

/** Return what comes after the prefix, which the model may read with other letters. */
function rest(text, prefix) {
  return text.startsWith(prefix) ? text.slice(prefix.length) : text;
}

/** Both texts, with the parts that differ marked. */
function Pair({ before, whole, without, isOld }) {
  let same = 0;
  while (same < whole.length && same < without.length && whole[same] === without[same]) same += 1;
  const isSame = whole === without;
  const one = (title, text) => html`<figure><figcaption>${title}</figcaption>
    <p class="written"><span class="before">${before.slice(-BEFORE)}</span>${text.slice(0, same)}${
      same < text.length && html`<mark>${text.slice(same)}</mark>`}</p></figure>`;
  return html`
    <p class="note" role="status">Written after the chosen token. ${isSame ? "Both texts are the same."
      : `The texts part after ${same} ${same === 1 ? "character" : "characters"}.`}</p>
    <div class="pair" aria-busy=${isOld}>${one("With all units", whole)}${one("Switched off", without)}</div>`;
}
