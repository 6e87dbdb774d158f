// Starting a run from the page.

import { html, useRef, useState } from "../preact.js";
import { get, inPath, post } from "../api.js";
import { Field, Loading, Trouble } from "../parts.js";
import { useLoaded, useStored } from "../state.js";
import { NewText, PLAIN, nameOf, storedAs } from "./new_text.js";
import { usePolled, waitingOf } from "./run_controls.js";
import { AllSettings, SettingField, valuesOf } from "./setting_fields.js";

const FIRST = { text: null, name: "", budget: "30s", values: {}, automatic: true };
const OTHERS = ["num_epochs", "max_tokens"]; // budgets that are not a time
const KINDS = { stored: "Stored here", folder: "In the folder of texts", corpus: "Known texts" };

/** The form that starts a run; open: whether it is shown at once, as in a lab without runs. */
export function StartRun({ open = false }) {
  const isFirst = useRef(open).current; // a run that begins does not close the form that started it
  const [isOpen, setIsOpen] = useStored("start-open", false);
  return html`<section class="start" aria-label="Start a run">
    ${isFirst ? html`<${FormWhenLoaded} isFirst />` : html`
      <details open=${isOpen} onToggle=${(event) => setIsOpen(event.currentTarget.open)}>
        <summary>Start a run</summary>${isOpen && html`<${FormWhenLoaded} />`}</details>`}
    <${Trainings} />
  </section>`;
}

function FormWhenLoaded({ isFirst }) {
  const form = useLoaded((signal) => get("/api/v1/settings", { signal }), []);
  const texts = useLoaded(async (signal) => (await get("/api/v1/texts", { signal })).texts, []);
  const problem = form.problem ?? texts.problem;
  if (problem) return html`<${Trouble} problem=${problem} again=${() => (form.again(), texts.again())} />`;
  if (!form.value || !texts.value) return html`<${Loading} what="settings" />`;
  if (form.value.refused) return html`<p class="note">No run can be started here: ${form.value.refused}.</p>`;
  return html`<${Form} form=${form.value} texts=${texts.value} again=${texts.again} isFirst=${isFirst} />`;
}

function Form({ form, texts, again, isFirst }) {
  const [draft, setDraft] = useStored("start", FIRST);
  const [pasted, setPasted] = useStored("start-text", { name: "", text: "" });
  const [state, setState] = useState({ isStarting: false, problem: null, said: "" });
  const here = texts.find((one) => one.kind === "stored") ?? texts.find((one) => one.here);
  const isThere = draft.text === "" || texts.some(({ id }) => id === draft.text);
  const text = isThere ? draft.text : here?.id ?? "";
  const set = (change) => setDraft((before) => ({ ...before, ...change }));
  const setValue = (name, value) => setDraft((before) => ({ ...before, values: { ...before.values, [name]: value } }));
  const every = form.groups.flatMap((group) => group.settings);
  const wrong = state.problem?.param;
  const fieldOf = (setting) => html`<${SettingField} key=${setting.name} setting=${setting}
    isWrong=${setting.name === wrong} isChosen=${setting.chosen && draft.automatic}
    value=${draft.values[setting.name] ?? ""}
    onChange=${(value) => setValue(setting.name, value)} />`;

  const start = async (event) => {
    event?.preventDefault();
    setState({ isStarting: true, problem: null, said: "" });
    try {
      let id = text;
      if (!id) {
        id = (await post("/api/v1/texts", { name: pasted.name || nameOf(pasted.text), text: pasted.text })).id;
        set({ text: id });
        again();
      }
      const { name, automatic, budget } = draft, settings = valuesOf(every, draft.values);
      const run = await post("/api/v1/runs", { name, text: id, settings, budget, automatic });
      const waits = run.state === "waiting";
      setState({ isStarting: false, problem: null, said: waits ? await waitingFor(run.name) : "" });
      set({ name: "" });
      if (!waits) location.hash = `#/runs/${inPath(run.name)}`;
    } catch (problem) {
      setState({ isStarting: false, problem, said: "" });
    }
  };

  const time = draft.budget || (OTHERS.some((name) => Number(draft.values[name]) > 0) ? "" : `${form.seconds}s`);
  const chosen = texts.find(({ id }) => id === text);
  return html`<form onSubmit=${start}>
    ${isFirst && html`<p class="lead">${lead(chosen, time)}</p>`}
    <fieldset class="controls" aria-label="What is trained">
      <${Field} label="Text" wide>
        <select value=${text} onChange=${(event) => set({ text: event.target.value })}>
          ${Object.entries(KINDS).map(([kind, title]) => {
            const own = texts.filter((one) => one.kind === kind);
            return own.length > 0 && html`<optgroup key=${kind} label=${title}>${own.map((one) => html`
              <option key=${one.id} value=${one.id}>${one.name}, ${sizeOf(one.bytes)}${
                one.here ? "" : " to download"}</option>`)}</optgroup>`;
          })}
          <option value="">A new text: paste it, or choose a file</option>
        </select><//>
      <${Field} label="Training time" note=${draft.budget ? "such as 30s, 3m or 1h"
        : time ? `empty: ${inWords(time)}, unless epochs or tokens are given` : "empty: the epochs or tokens end it"}>
        <input class="short" value=${draft.budget} aria-invalid=${wrong === "budget"} ...${PLAIN}
          onInput=${(event) => set({ budget: event.target.value.trim() })} /><//>
    </fieldset>
    ${!text && html`<${NewText} value=${pasted} onChange=${setPasted}
      onFile=${async (name, content) => {
        const stored = await storedAs(name, content);
        set({ text: stored.id });
        again();
      }} />`}
    <fieldset class="main-settings" aria-label="Main settings">
      ${form.main.map((name) => fieldOf(every.find((one) => one.name === name)))}
    </fieldset>
    <${AllSettings} form=${form} values=${draft.values} wrong=${wrong} fieldOf=${fieldOf}
      onClear=${() => set({ values: {}, automatic: true, name: "" })}>
      <${Field} label="Name of the run" note="empty: it is named after the text and numbered">
        <input value=${draft.name} aria-invalid=${wrong === "name"} maxlength="64" ...${PLAIN}
          onInput=${(event) => set({ name: event.target.value.trim() })} /><//>
      <label class="check"><input type="checkbox" checked=${draft.automatic}
        onChange=${(event) => set({ automatic: event.target.checked })} />
        Choose what is left open from the text, the time and this machine</label>
    <//>
    <div class="buttons begin">
      <button class="main" type="submit" disabled=${state.isStarting || (!text && !pasted.text)}>${
        state.isStarting ? "Starting …" : isFirst ? "Start the first run" : "Start the run"}</button>
      <p class="waiting" role="status">${state.isStarting
        ? "The text is read, and what is left open is chosen: a few seconds." : state.said}</p>
      ${state.problem && html`<${Trouble} problem=${state.problem} />`}
    </div>
  </form>`;
}

/** Say for which run one waits. */
async function waitingFor(name) {
  const listed = await get("/api/v1/trainings").catch(() => ({ trainings: [], others: [] }));
  const behind = waitingOf(listed).find((one) => one.name === name)?.behind;
  return `${name} waits${behind ? ` for ${behind}` : ""}.`;
}

/** What was started here and has not ended, and why something did not begin. */
function Trainings() {
  const { value, again } = usePolled("/api/v1/trainings", () => 2_000);
  if (!value) return null;
  const waits = waitingOf(value);
  const failed = value.trainings.filter(({ state }) => state === "failed");
  if (!waits.length && !failed.length) return null;
  const drop = async (name) => {
    await post(`/api/v1/runs/${inPath(name)}/stop`, {}).catch(() => {});
    again();
  };
  return html`<ul class="trainings" aria-label="Runs that have not begun">
    ${waits.map(({ name, behind }) => html`<li key=${name}><b>${name}</b> waits ${
      behind && html`for <a href=${`#/runs/${inPath(behind)}`}>${behind}</a>`}
      <button class="plain" type="button" onClick=${() => drop(name)}>Do not start ${name}</button></li>`)}
    ${failed.map(({ name, error }) => html`<li key=${name} class="failed"><b>${name}</b> did not begin: ${error}</li>`)}
  </ul>`;
}

/** What is said before anything has been trained. */
function lead(text, budget) {
  if (!text) return "Give a text, and the first run learns to write like it.";
  const download = text.here ? "" : ", which is downloaded first";
  return `The first run takes ${inWords(budget)} on ${text.name}${download}; then the model writes.`;
}

function inWords(budget) {
  const [, count, unit] = budget.match(/^([\d.]+)([smh])$/) ?? [];
  if (!unit) return "some time";
  return `${count} ${{ s: "second", m: "minute", h: "hour" }[unit]}${count === "1" ? "" : "s"}`;
}

function sizeOf(bytes) {
  if (bytes < 1_000) return `${bytes} bytes`;
  return bytes < 1_000_000 ? `${Math.round(bytes / 1_000)} kB` : `${(bytes / 1_000_000).toFixed(1)} MB`;
}
