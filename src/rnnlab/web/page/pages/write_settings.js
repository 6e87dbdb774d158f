// How tokens are chosen: the fields, and what is wrong with what they hold.

import { html } from "../preact.js";
import { Field } from "../parts.js";

/** Of each setting: its name, the default, the least, the most, and whether it is a whole number. */
const SETTINGS = {
  temperature: ["Temperature", 0.8, 0, 100, false],
  topP: ["Top-p", 1, 0.001, 1, false],
  topK: ["Top-k", 0, 0, 1_000_000, true],
  seed: ["Seed", 0, 0, Number.MAX_SAFE_INTEGER, true],
  length: ["Length", 300, 1, 20_000, true],
};
const PACES = { 20: "20 tokens a second", 100: "100 tokens a second", 0: "as fast as it can" };
const PACE = 100;

export const DEFAULTS = {
  ...Object.fromEntries(Object.entries(SETTINGS).map(([name, [, value]]) => [name, value])), pace: PACE,
};

/** Return what is wrong, one sentence by the name of a setting. */
export function faultsOf(settings) {
  const faults = {};
  for (const [name, [label, , least, most, isWhole]] of Object.entries(SETTINGS)) {
    const given = settings[name], number = given === "" ? NaN : Number(given);
    if (number >= least && number <= most && (!isWhole || Number.isInteger(number))) continue;
    const range = `${least.toLocaleString("en")} to ${most.toLocaleString("en")}`;
    faults[name] = `${label} must be a ${isWhole ? "whole " : ""}number from ${range}, not ${
      Number.isNaN(number) ? "empty" : given}.`;
  }
  return faults;
}

/** Return settings as Pen.write takes them; null: one of them is wrong. */
export function asOptions(settings) {
  if (Object.keys(faultsOf(settings)).length) return null;
  const [temperature, topP, topK, seed, length] =
    ["temperature", "topP", "topK", "seed", "length"].map((name) => Number(settings[name]));
  const drawing = temperature ? { top_k: topK, top_p: topP, seed } : {};
  return { length, pace: paceOf(settings), settings: { temperature, ...drawing } };
}

const paceOf = ({ pace }) => pace in PACES ? Number(pace) : PACE;

/** The fields; all act from the next token on. */
export function Settings({ settings, setSettings }) {
  const set = (name, value) => setSettings((own) => ({ ...own, [name]: value })), faults = faultsOf(settings);
  const number = (name, more) => {
    const [, , least, most, isWhole] = SETTINGS[name], fault = faults[name];
    return html`<input type="number" required min=${least} max=${most} step=${isWhole ? 1 : "any"} ...${more}
      aria-invalid=${fault ? "true" : null} aria-describedby=${fault ? `write-fault-${name}` : null}
      value=${settings[name]} onInput=${({ target }) => set(name, target.value)} />`;
  };
  const fault = (name) => faults[name] && html`<p class="fault" role="status" id=${`write-fault-${name}`}>${
    faults[name]}</p>`;
  const field = (name, note) => html`<div class="setting">
    <${Field} label=${SETTINGS[name][0]} note=${note}>${number(name)}<//>${fault(name)}</div>`;
  const slider = (name, most, step, note) => {
    const [label] = SETTINGS[name];
    return html`<fieldset class="slider"><legend>${label}</legend>
      <input type="range" aria-label=${`${label}, slider`} min=${step === 0.01 ? step : 0} max=${most} step=${step}
        value=${settings[name]} onInput=${({ target }) => set(name, target.value)} />
      ${number(name, { "aria-label": label })}<small>${note}</small>${fault(name)}</fieldset>`;
  };
  return html`<form class="controls live" aria-label="Settings" onSubmit=${(event) => event.preventDefault()}>
    ${slider("temperature", 2, 0.05, "0: the likeliest token")}
    ${slider("topP", 1, 0.01, "1: all tokens")}
    ${field("topK", "0: all tokens")}
    ${field("seed", "same seed, same text")}
    ${field("length", "tokens")}
    <${Field} label="Pace" note="acts at once, as all of these">
      <select value=${paceOf(settings)} onChange=${({ target }) => set("pace", Number(target.value))}>
        ${Object.entries(PACES).map(([pace, name]) => html`<option key=${pace} value=${pace}>${name}</option>`)}
      </select><//>
  </form>`;
}
