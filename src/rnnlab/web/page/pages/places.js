// Where else the same units are on, with the number of places by chance.

import { html, useMemo } from "../preact.js";
import { post } from "../api.js";
import { Field, Trouble, shown, visible } from "../parts.js";
import { useLoaded, useStored } from "../state.js";
import { NumberInput } from "./number_input.js";

const FIRST = { threshold: 0.3, both: false, bounded: false, least: "", without: [], asked: null };

/** Units that are shown at once. */
const MOST_SHOWN = 100;

/** Return the units that are on at all tokens of a range, as rnnlab.probes.matches.chosen_units does. */
function unitsOn(values, units, tokens, [from, to], { threshold, both, bounded }) {
  const found = [];
  for (let unit = 0; unit < units; unit++) {
    const sign = both && values[from * units + unit] < 0 ? -1 : 1;
    const isOn = (token) => sign * values[token * units + unit] > threshold;
    let all = true;
    for (let token = from; token < to && all; token++) all = isOn(token);
    const edges = bounded ? [from - 1, to].filter((token) => token >= 0 && token < tokens) : [];
    if (all && !edges.some(isOn)) found.push(unit);
  }
  return found;
}

export function Places({ network, text, tokens, quantity, layer, values, range, own, most, choose }) {
  const [rules, set] = useStored("inside:places", FIRST), change = (more) => set({ ...rules, ...more });
  const on = useMemo(() => range ? unitsOn(values, network.hidden_size, tokens.length, range, rules) : [],
    [values, range, rules.threshold, rules.both, rules.bounded]);
  const used = on.filter((unit) => !rules.without.includes(unit));
  const least = rules.least === "" ? 0 : Math.min(rules.least, used.length);
  const body = range && {
    ...text, quantity, layer, begin: range[0], end: range[1], threshold: rules.threshold, both_sides: rules.both,
    bounded: rules.bounded, least, ...(used.length < on.length ? { units: used } : {}),
  };
  const isAsked = rules.asked && JSON.stringify(rules.asked) === JSON.stringify(body);
  const search = useLoaded((signal) => isAsked ? post("/api/v1/probe/matches", rules.asked, { signal }) : null,
    [JSON.stringify(isAsked ? rules.asked : null)]);
  const toggle = (unit) => change({
    without: rules.without.includes(unit) ? rules.without.filter((one) => one !== unit) : [...rules.without, unit],
  });
  const edge = (value, moved) => html`<${NumberInput} low=${0} high=${tokens.length - 1} value=${value}
    onValue=${(token) => choose({ range: moved(token, ...(range ?? [token, token + 1])) })} />`;
  const hasBelow = !own || own[0] < 0;
  return html`
    <section aria-labelledby="places-title">
      <h2 id="places-title">Where else these units are on</h2>
      ${!range && html`<p>Mark a range in the text or in the heat map: drag, or hold Shift and use the arrow keys.</p>`}
      <div class="controls">
        <${Field} label="From token">${
          edge(range?.[0] ?? "", (token, from, to) => [token, Math.max(token + 1, to)])}<//>
        <${Field} label="to token">${
          edge(range ? range[1] - 1 : "", (token, from) => [Math.min(from, token), token + 1])}<//>
        <${Field} label=${`On above ${rules.threshold.toFixed(2)}`}><input type="range" min="0" step="0.01"
          max=${Math.max(1, most).toFixed(2)} value=${rules.threshold}
          onInput=${(event) => change({ threshold: event.target.valueAsNumber })} /><//>
        ${hasBelow && html`<label class="check"><input type="checkbox" checked=${rules.both}
          onChange=${(event) => change({ both: event.target.checked })} />Also below minus that</label>`}
        <label class="check"><input type="checkbox" checked=${rules.bounded}
          onChange=${(event) => change({ bounded: event.target.checked })} />Off right before and after</label>
        <${Field} label=${`At least, of ${used.length}`}><${NumberInput} low=${1} high=${Math.max(1, used.length)}
          placeholder="all" empty value=${rules.least} onValue=${(value) => change({ least: value })} /><//>
      </div>
      ${range && html`
        <p class="chosen"><q>${visible(tokens.slice(...range).join(""))}</q>: ${on.length === 0
          ? "no unit is on at all of these tokens; mark fewer, or lower the threshold."
          : `${on.length} ${on.length === 1 ? "unit is" : "units are"} on at all of these tokens.`}</p>
        ${on.length > 0 && html`<div class="chips" role="group" aria-label="Units that are on">
          ${on.slice(0, MOST_SHOWN).map((unit) => html`<button type="button" key=${unit}
            aria-pressed=${`${!rules.without.includes(unit)}`} onClick=${() => toggle(unit)}>${unit}</button>`)}
          ${on.length > MOST_SHOWN && html`<span>and ${on.length - MOST_SHOWN} more</span>`}</div>
        <div class="buttons"><button type="button" class="main" disabled=${!used.length}
          onClick=${() => change({ asked: body })}>Find the places</button>
          <button type="button" onClick=${() => choose({ range: null })}>Clear the range</button></div>`}`}
      <div role="status">
        ${isAsked && search.isLoading && html`<p class="working">Searching, and 200 times with units shifted …</p>`}
        ${isAsked && search.value && !search.isLoading && html`<p class="answer">${answer(search.value)}</p>`}
      </div>
      ${isAsked && search.problem && html`<${Trouble} problem=${search.problem} again=${search.again} />`}
      ${isAsked && search.value && html`<${Found} found=${search.value} />`}
    </section>`;
}

/** Say how many places there are, and how many by chance, in one sentence. */
function answer({ count, searched, tokens, units, least, length, expected, low, high, p }) {
  const which = units.length === 1 ? "this unit"
    : `${least < units.length ? `at least ${least} of ` : ""}these ${units.length} units`;
  const many = (number, word) => `${number.toLocaleString("en")} ${word}${number === 1 ? "" : "s"}`;
  const where = `${many(count, "place")} in ${searched} (${many(tokens, "token")})`;
  const found = `${where} ${count === 1 ? "has" : "have"} ${which} on for ${many(length, "token")} or more`;
  if (units.length === 1) return `${found}; chance can be told for two units and more.`;
  return `${found}; by chance ${shown(expected, 1)} would (95% of tries: ${low} to ${high}), p = ${shown(p)}${
    p > 0.05 ? ": nothing beyond chance" : ""}.`;
}

/** The places with what is before and after them. */
function Found({ found: { places, count } }) {
  if (!places.length) return null;
  return html`<div class="scroll places" tabindex="0" role="region" aria-label="Places"><table>
    <thead><tr><th scope="col" class="figure">token</th><th scope="col" class="figure">before</th>
      <th scope="col">place</th><th scope="col">after</th></tr></thead>
    <tbody>${places.map(({ begin, left, match, right }) => html`<tr key=${begin}>
      <td class="figure">${begin}</td><td class="before">${signs(left)}</td><td class="match">${signs(match)}</td>
      <td class="after">${signs(right)}</td></tr>`)}</tbody>
  </table></div>
  ${count > places.length && html`<p class="note">The first ${places.length} of ${count}.</p>`}`;
}

function signs(text) {
  return text.replace(/[\n\v]/g, "⏎");
}
