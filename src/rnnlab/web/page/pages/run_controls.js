// Stopping a run and going on with one.

import { html, useCallback, useEffect, useState } from "../preact.js";
import { get, inPath, post } from "../api.js";
import { Field, Trouble } from "../parts.js";

const ACTIVE = ["waiting", "preparing", "training", "stopping"];

/** Budgets by setting: how many there are in all. */
const BUDGETS = { max_seconds: "Seconds in all", num_epochs: "Epochs in all", max_tokens: "Tokens in all" };

/** Ask for something again and again: {value, problem, again}; wait: milliseconds until the next time, 0: none. */
export function usePolled(path, wait, inputs = []) {
  const [state, setState] = useState({ value: undefined, problem: null });
  const [tries, setTries] = useState(0);
  useEffect(() => {
    const ending = new AbortController();
    let timer = 0;
    const ask = async () => {
      let rest = 4_000;
      try {
        const value = await get(path, { signal: ending.signal });
        setState({ value, problem: null });
        rest = wait(value);
      } catch (problem) {
        if (ending.signal.aborted) return;
        setState((before) => ({ ...before, problem }));
      }
      if (rest && !ending.signal.aborted) timer = setTimeout(ask, rest);
    };
    ask();
    return () => (ending.abort(), clearTimeout(timer));
  }, [path, tries, ...inputs]);
  return { ...state, again: useCallback(() => setTries((count) => count + 1), []) };
}

/** What can be done with one run; record: as the list of runs has it. */
export function RunControls({ record }) {
  const path = `/api/v1/runs/${inPath(record.name)}`;
  const { value, problem, again } = usePolled(
    `/api/v1/trainings/${inPath(record.name)}`, ({ state }) => (ACTIVE.includes(state) ? 1_000 : 0),
    [record.running, record.status],
  );
  const [fault, setFault] = useState(null), [isAsking, setIsAsking] = useState(false);
  const ask = async (what, body) => {
    setIsAsking(true);
    setFault(null);
    await post(`${path}/${what}`, body).catch(setFault);
    setIsAsking(false);
    again();
  };
  if (!value) return problem && html`<${Trouble} problem=${problem} again=${again} />`;
  const { state, error, resumable, refused } = value, isActive = ACTIVE.includes(state);
  return html`<section class="run-controls" aria-label="Training">
    ${["training", "stopping"].includes(state) && html`
      <${Progress} record=${record} isStopping=${state === "stopping"} />`}
    <p class="state" role="status">${said(state, record)}</p>
    ${error && html`<${Trouble} problem=${{ message: error }} />`}
    ${fault && fault.message !== error && html`<${Trouble} problem=${fault} />`}
    ${refused ? html`<p class="note">${refused}.</p>`
      : isActive ? html`<button type="button" disabled=${isAsking} onClick=${() => ask("stop", {})}>${
        { waiting: "Do not start", stopping: "Stop at once" }[state] ?? "Stop"}</button>`
      : resumable && html`<${Resume} key=${record.status} record=${record} isAsking=${isAsking}
          onResume=${(settings) => ask("resume", { settings })} />`}
  </section>`;
}

const SAID = {
  waiting: "Waits until the runs before it have ended.",
  preparing: "The text is read.",
  training: "Training.",
  stopping: "Stopping after this step; the final evaluations are still made.",
};

function said(state, record) {
  const isTrained = state === "training" && record.progress?.progress >= 1;
  return isTrained ? "Trained; the final evaluations are made." : SAID[state] ?? "";
}

function Progress({ record, isStopping }) {
  const done = Math.min(1, record.progress?.progress ?? 0);
  return html`<div class="progress">
    <progress max="1" value=${isStopping ? null : done} aria-label="Share of the budget"></progress>
    <span>${Math.round(100 * done)} % of the budget</span></div>`;
}

/** How a run goes on; budgets that are used up are proposed twice as large. */
function Resume({ record, isAsking, onResume }) {
  const names = Object.keys(BUDGETS).filter((name) => record.settings[name] > 0);
  const isUsedUp = record.status === "stopped by budget";
  const [fields, setFields] = useState(() => Object.fromEntries(
    names.map((name) => [name, String((isUsedUp ? 2 : 1) * record.settings[name])])));
  const resume = (event) => {
    event.preventDefault();
    const changed = names.filter((name) => Number(fields[name]) !== record.settings[name]);
    onResume(Object.fromEntries(changed.map((name) => [name, Number(fields[name])])));
  };
  return html`<form class="controls" onSubmit=${resume} aria-label="Go on with this run">
    ${names.map((name) => html`<${Field} key=${name} label=${BUDGETS[name]}>
      <input type="number" min="1" step="any" required value=${fields[name]}
        onInput=${(event) => setFields({ ...fields, [name]: event.target.value })} /><//>`)}
    <button type="submit" disabled=${isAsking}>${isAsking ? "Starting …" : isUsedUp ? "Train on" : "Resume"}</button>
  </form>`;
}
