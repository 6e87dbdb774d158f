// The page Write: the text box is the text of a model, which writes on from any place of it.

import { html, useRef, useState } from "../preact.js";
import { Empty, Field, Loading, Trouble, useModels } from "../parts.js";
import { useStored } from "../state.js";
import { Column } from "./write_column.js";

/** Of each setting: the default, the least, the most, and whether it is a whole number. */
const SETTINGS = {
  temperature: [0.8, 0, 100, false],
  topP: [1, 0.001, 1, false],
  topK: [0, 0, 1_000_000, true],
  seed: [0, 0, Number.MAX_SAFE_INTEGER, true],
  length: [300, 1, 20_000, true],
  pace: [100, 0, Infinity, true],
};
const PACES = { 20: "20 tokens a second", 100: "100 tokens a second", 0: "as fast as it can" };
const NOTHING = { text: "", bits: new Float32Array(), perCharacter: null };
const DEFAULTS = Object.fromEntries(Object.entries(SETTINGS).map(([name, [value]]) => [name, value]));

export function Write({ query }) {
  const models = useModels(), [settings, setSettings] = useStored("write:settings", DEFAULTS);
  const [hasTwo, setHasTwo] = useStored("write:two", false), [leader, setLeader] = useState(NOTHING);
  const first = useRef(null), second = useRef(null), now = useRef(settings);
  now.current = settings;
  if (models.problem) return html`<h1>Write</h1><${Trouble} problem=${models.problem} again=${models.again} />`;
  if (!models.value) return html`<h1>Write</h1><${Loading} what="models" />`;
  if (!models.value.length) {
    return html`<h1>Write</h1><${Empty} title="No model yet">
      <p>A model writes here as soon as a run has its first weights. <a href="#/runs">Train the first one</a>.</p><//>`;
  }
  const options = () => asOptions(now.current);
  const writeBoth = () => {
    const prefix = first.current.prefix();
    first.current.write(prefix);
    second.current.write(prefix);
  };
  return html`
    <h1>Write</h1>
    <${Settings} settings=${settings} setSettings=${setSettings} />
    <div class="controls">
      <label class="check"><input type="checkbox" checked=${hasTwo}
        onChange=${(event) => setHasTwo(event.target.checked)} />A second model next to it</label>
      ${hasTwo && html`<button type="button" onClick=${writeBoth}>Write with both</button>`}
    </div>
    <div class=${hasTwo ? "columns two" : "columns"}>
      <${Column} id="a" title="Model" models=${models} asked=${query.get("model")} options=${options} handle=${first}
        leader=${null} onReading=${hasTwo ? setLeader : null} />
      ${hasTwo && html`<${Column} id="b" title="Second model" models=${models} options=${options} handle=${second}
        leader=${leader} />`}
    </div>`;
}

/** Return settings as Pen.write takes them; a field that holds no such number counts as its default. */
function asOptions(settings) {
  const own = {};
  for (const [name, [value, least, most, isWhole]] of Object.entries(SETTINGS)) {
    const given = settings[name] === "" ? NaN : Number(settings[name]);
    own[name] = given >= least && given <= most && (!isWhole || Number.isInteger(given)) ? given : value;
  }
  const { temperature, topK, topP, seed, length, pace } = own;
  const drawing = temperature ? { top_k: topK, top_p: topP, seed } : {};
  return { length, pace, settings: { temperature, ...drawing } };
}

/** How tokens are chosen; all act from the next token on. */
function Settings({ settings, setSettings }) {
  const set = (name, value) => setSettings((own) => ({ ...own, [name]: value }));
  const number = (name, more) => {
    const [, least, most, isWhole] = SETTINGS[name];
    return html`<input type="number" required min=${least} max=${most} step=${isWhole ? 1 : "any"} ...${more}
      value=${settings[name]} onInput=${({ target }) => set(name, target.value)} />`;
  };
  const field = (name, label, note) => html`<${Field} label=${label} note=${note}>${number(name)}<//>`;
  const slider = (name, label, most, step, note) => html`<fieldset class="slider"><legend>${label}</legend>
    <input type="range" aria-label=${`${label}, slider`} min=${step === 0.01 ? step : 0} max=${most} step=${step}
      value=${settings[name]} onInput=${({ target }) => set(name, target.value)} />
    ${number(name, { "aria-label": label })}<small>${note}</small></fieldset>`;
  return html`<form class="controls live" aria-label="Settings" onSubmit=${(event) => event.preventDefault()}>
    ${slider("temperature", "Temperature", 2, 0.05, "0: the likeliest token")}
    ${slider("topP", "Top-p", 1, 0.01, "1: all tokens")}
    ${field("topK", "Top-k", "0: all tokens")}
    ${field("seed", "Seed", "same seed, same text")}
    ${field("length", "Length", "tokens")}
    <${Field} label="Pace" note="acts at once, as all of these">
      <select value=${settings.pace} onChange=${({ target }) => set("pace", Number(target.value))}>
        ${Object.entries(PACES).map(([pace, name]) => html`<option key=${pace} value=${pace}>${name}</option>`)}
      </select><//>
  </form>`;
}
