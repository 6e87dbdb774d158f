// The equations of a cell with the numbers of one unit at one step.

import { html } from "../preact.js";

/** Return a number with a sign that is as wide as a plus. */
export function signed(value, digits = 3) {
  return value === undefined ? "\u00a0" : value.toFixed(digits).replace(/^-(?=0\.0*$)/, "").replace("-", "−");
}

/** A symbol, and below it its number. */
function term(symbol, value) {
  return html`<span class="term"><span class="symbol">${symbol}</span> <span class="number">${
    signed(value)}</span></span>`;
}

const words = (text) => html`<span class="operator">${text}</span>`;
const at = (letter, time) => html`<i>${letter}</i><sub>${time}</sub>`;
const fromInput = (gate) => html`<b>w</b><sub>i${gate}</sub><b>x</b><sub>t</sub> + <i>b</i><sub>i${gate}</sub>`;
const fromHidden = (gate) => html`<b>w</b><sub>h${gate}</sub><b>h</b><sub>t−1</sub> + <i>b</i><sub>h${gate}</sub>`;

/** A gate: its activation of the sum of what comes from the input and from the state. */
function gateLine(name, activation, { gates, input, hidden }, factor) {
  return html`<p class="equation" key=${name}>${term(at(name, "t"), gates[name])}${words(`= ${activation}(`)}
    ${term(fromInput(name), input[name])}${words("+")}${factor && html`${factor}${words("·")}`}
    ${term(fromHidden(name), hidden[name])}${words(")")}</p>`;
}

const LINES = {
  lstm: (own) => html`
    ${["i", "f", "g", "o"].map((name) => gateLine(name, name === "g" ? "tanh" : "σ", own))}
    <p class="equation">${term(at("c", "t"), own.after.c)}${words("=")}
      ${term(at("f", "t"), own.gates.f)}${words("·")}${term(at("c", "t−1"), own.before.c)}${words("+")}
      ${term(at("i", "t"), own.gates.i)}${words("·")}${term(at("g", "t"), own.gates.g)}</p>
    <p class="equation">${term(at("h", "t"), own.after.h)}${words("=")}
      ${term(at("o", "t"), own.gates.o)}${words("· tanh(")}${term(at("c", "t"), own.after.c)}${words(")")}</p>`,
  gru: (own) => html`
    ${["r", "z"].map((name) => gateLine(name, "σ", own))}
    ${gateLine("n", "tanh", own, term(at("r", "t"), own.gates.r))}
    <p class="equation">${term(at("h", "t"), own.after.h)}${words("= (1 −")}
      ${term(at("z", "t"), own.gates.z)}${words(") ·")}${term(at("n", "t"), own.gates.n)}${words("+")}
      ${term(at("z", "t"), own.gates.z)}${words("·")}${term(at("h", "t−1"), own.before.h)}</p>`,
  rnn: (own) => gateLine("h", "tanh", own),
  "rnn-relu": (own) => gateLine("h", "relu", own),
};

/**
 * The equations. found: {header, arrays} of /api/v1/probe/steps with one unit; step: which of its steps, -1: none.
 */
export function Equations({ found: { header, arrays }, step }) {
  const own = { gates: {}, input: {}, hidden: {}, before: {}, after: {} };
  header.gate_names.forEach((name, gate) => {
    const place = step * header.gate_names.length + gate;
    own.gates[name] = arrays.gates[place];
    own.input[name] = arrays.from_input?.[place];
    own.hidden[name] = arrays.from_hidden?.[place];
  });
  header.part_names.forEach((name, part) => {
    const place = step * header.part_names.length + part;
    own.before[name] = arrays.before[place];
    own.after[name] = arrays.after[place];
  });
  const lines = arrays.from_input && LINES[header.cell];
  return html`<div class="equations">${lines ? lines(own) : html`
    <p class="note">The equations of this cell are your own; these are its gates and its state before and after.</p>
    <p class="equation">${header.gate_names.map((name) => term(at(name, "t"), own.gates[name]))}</p>
    ${header.part_names.map((name) => html`<p class="equation" key=${name}>${term(at(name, "t−1"), own.before[name])}
      ${words("→")}${term(at(name, "t"), own.after[name])}</p>`)}`}</div>`;
}
