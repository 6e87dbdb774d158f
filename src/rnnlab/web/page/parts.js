// Parts that several pages use.

import { html } from "./preact.js";
import { get } from "./api.js";
import { useLoaded } from "./state.js";

/** Says that something is on its way; it appears only if that takes a while. */
export function Loading({ what }) {
  return html`<p class="loading" role="status">Loading ${what} …</p>`;
}

/** What went wrong, and a button to try again. */
export function Trouble({ problem, again }) {
  return html`<div class="trouble" role="alert">
    <p>${problem.message}</p>
    ${again && html`<button type="button" onClick=${again}>Try again</button>`}
  </div>`;
}

/** A label and what it names; note: a line below. */
export function Field({ label, note, wide, children }) {
  return html`<label class=${wide ? "field wide" : "field"}><span>${label}</span>${children}${
    note && html`<small>${note}</small>`}</label>`;
}

/** What is said where there is nothing yet. */
export function Empty({ title, children }) {
  return html`<section class="empty"><h2>${title}</h2>${children}</section>`;
}

/** The name of an experiment's run: its folder, and what identifies it there. */
export const OF_EXPERIMENT = /^(?:(.*)\/)?runs\/([0-9a-f]{12})$/;

/** Return names with those of experiments' runs last. */
export function ownFirst(names) {
  const isOwn = (name) => !OF_EXPERIMENT.test(name);
  return [...names.filter(isOwn), ...names.filter((name) => !isOwn(name))];
}

/** Return the names of all models that have weights, as useLoaded does: the newest first, an experiment's runs last. */
export function useModels() {
  return useLoaded(async (signal) => {
    const { data } = await get("/v1/models", { signal });
    return ownFirst(data.sort((one, other) => other.created - one.created).map(({ id }) => id));
  }, []);
}

/**
 * A choice among models. models: as from useModels; a name that has gone stays in the list and is said to be missing.
 *
 * none: the words for no model; without, there is no such choice.
 */
export function ModelSelect({ label = "Model", models, value, onChange, none }) {
  const names = models.value ?? [], isMissing = value && models.value && !names.includes(value);
  return html`<${Field} label=${label} note=${isMissing ? "There is no model of this name any more." : null}>
    <select value=${value} aria-busy=${models.isLoading} onChange=${(event) => onChange(event.target.value)}>
      ${none !== undefined && html`<option value="">${none}</option>`}
      ${isMissing && html`<option value=${value}>${value}</option>`}
      ${names.map((name) => html`<option key=${name} value=${name}>${name}</option>`)}
    </select><//>`;
}

/** Return a number as people read it: 3 significant digits and thin groups. */
export function shown(value, digits = 3) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  return value.toLocaleString("en", { maximumFractionDigits: digits, minimumFractionDigits: digits });
}

/** Return a time in seconds since 1970 as people read it, with its year if that is not this one. */
export function timeText(seconds) {
  const time = new Date(1_000 * seconds);
  const parts = { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" };
  const year = time.getFullYear() === new Date().getFullYear() ? {} : { year: "numeric" };
  return time.toLocaleString("en-GB", { ...parts, ...year });
}

const SIGNS = { "\n": "⏎", "\t": "⇥", " ": "␣", "\v": "⏎" };
const SPOKEN = { "\n": "line break", "\v": "line break", "\t": "tab", " ": "space" };

const CONTROL = /[\0-\x1f\x7f]/g, PICTURES = 0x2400; // of control characters

/** Return words as a sentence begins. */
export const capitalized = (words) => `${words[0].toUpperCase()}${words.slice(1)}`;

/** Return a piece of text so that it can be seen: a blank alone has a sign, and so have control characters. */
export function visible(text) {
  return SIGNS[text] ?? text.replace(/[\n\v]/g, "⏎").replace(CONTROL, (one) =>
    String.fromCharCode(PICTURES + (one === "\x7f" ? 0x21 : one.charCodeAt(0))));
}

/** Return a piece of text as a screen reader should say it. */
export function spoken(text) {
  return SPOKEN[text] ?? text.replace(CONTROL, (one) => `character ${one.charCodeAt(0)}`);
}
