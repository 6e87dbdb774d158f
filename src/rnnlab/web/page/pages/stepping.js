// Step by step: the equations with the numbers of one unit, token after token.

import { html } from "../preact.js";
import { arrays } from "../api.js";
import { Loading, Trouble, spoken, visible } from "../parts.js";
import { useLoaded, useRested } from "../state.js";
import { Equations } from "./equations.js";

/** Steps that are loaded together, and characters around the token that is read. */
const BLOCK = 64, AROUND = 30;

/** Milliseconds for which a unit is looked at before its numbers are asked for. */
const REST = 120;

export function Stepping({ network, text, tokens, layer, unit, at, choose }) {
  const first = at - at % BLOCK, wanted = JSON.stringify([text, layer, unit, first]), key = useRested(wanted, REST);
  const steps = useLoaded(async (signal) => {
    const [own, of, number, begin] = JSON.parse(key);
    const body = { ...own, layer: of, first: begin, count: BLOCK, units: [number] };
    return { key, ...await arrays("/api/v1/probe/steps", body, { signal }) };
  }, [key]);
  const move = (by) => choose({ at: Math.max(0, Math.min(tokens.length - 1, at + by)) });
  const press = (event) => {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!by || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    move(by);
  };
  const found = steps.value, step = found?.key === wanted ? at - first : -1;
  const before = tokens.slice(Math.max(0, at - AROUND), at).join("").slice(-AROUND);
  const after = tokens.slice(at + 1, at + AROUND).join("").slice(0, AROUND);
  return html`
    <section class="stepping" aria-labelledby="stepping-title" onKeyDown=${press}>
      <h2 id="stepping-title">Step by step</h2>
      <div class="buttons">
        <button type="button" disabled=${at === 0} onClick=${() => move(-1)}>Previous character</button>
        <button type="button" disabled=${at === tokens.length - 1} onClick=${() => move(1)}>Next character</button>
      </div>
      <p class="reading" aria-hidden="true"><span>${visible(before)}</span><mark>${visible(tokens[at])}</mark>
        <span>${visible(after)}</span></p>
      <p class="note" role="status">x<sub>t</sub> is ${spoken(tokens[at])}, token ${at} of ${tokens.length}; all other
        letters are unit ${unit}${network.layers > 1 && ` of layer ${layer + 1}`}.</p>
      ${steps.problem ? html`<${Trouble} problem=${steps.problem} again=${steps.again} />`
        : found ? html`<${Equations} found=${found} step=${step} />` : html`<${Loading} what="step" />`}
      <p class="note">The bold letters are vectors: what is below a sum is what this unit gets from all of them, with
        biases. Arrow keys step, too.</p>
    </section>`;
}
