// Stopping a run and going on with one.

import { html, useCallback, useEffect, useState } from "../preact.js";
import { get, inPath, post } from "../api.js";
import { Field, Loading, Trouble, shown } from "../parts.js";

const ACTIVE = ["waiting", "preparing", "training", "stopping"];

/** Budgets by setting: how many there are in all. */
const BUDGETS = { max_seconds: "Seconds in all", num_epochs: "Epochs in all", max_tokens: "Tokens in all" };

/** What was used of a budget, by setting, as a run's result has it. */
const USED = { max_seconds: "elapsed_seconds", num_epochs: "epochs", max_tokens: "tokens" };

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

/** Return the runs that wait, the next one first, and behind which run each does. */
export function waitingOf({ trainings, others }) {
  const active = trainings.find(({ state }) => ["preparing", "training", "stopping"].includes(state));
  const waits = trainings.filter(({ state }) => state === "waiting");
  return waits.map(({ name }, place) => ({ name, behind: place ? waits[place - 1].name : active?.name ?? others[0] }));
}

/** A run that is not there: it may wait for others, or its text is being read. */
export function NotYet({ name }) {
  const { value, problem, again } = usePolled("/api/v1/trainings", () => 2_000);
  if (!value) return problem ? html`<${Trouble} problem=${problem} again=${again} />` : html`<${Loading} what="run" />`;
  const own = waitingOf(value).find((one) => one.name === name);
  const drop = () => post(`/api/v1/runs/${inPath(name)}/stop`, {}).catch(() => {}).then(again);
  if (own) {
    return html`<section class="run-controls" aria-label="Training">
      <p class="state" role="status">It waits${own.behind && html` for <a href=${
        `#/runs/${inPath(own.behind)}`}>${own.behind}</a>`}, and begins by itself.</p>
      <button type="button" onClick=${drop}>Do not start</button></section>`;
  }
  const { state, error } = value.trainings.find((one) => one.name === name) ?? {};
  if (state === "preparing") return html`<p role="status">${SAID.preparing}</p>`;
  const message = error ? `It did not begin: ${error}` : "There is no run of this name, or not any more.";
  return html`<${Trouble} problem=${{ message }} />`;
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
    const run = await post(`${path}/${what}`, body).catch(setFault);
    setIsAsking(false);
    if (what === "again" && run) location.hash = `#/runs/${inPath(run.name)}`;
    again();
  };
  if (!value) return problem && html`<${Trouble} problem=${problem} again=${again} />`;
  const { error, resumable, refused } = value;
  // A run has ended before its process has, which draws its curves.
  const isEnding = ["training", "stopping"].includes(value.state) && !record.running && record.status !== "not ended";
  const state = isEnding ? "ending" : value.state, isActive = ACTIVE.includes(state);
  return html`<section class="run-controls" aria-label="Training">
    ${["training", "stopping"].includes(state) && html`
      <${Progress} record=${record} isStopping=${state === "stopping"} />`}
    <p class="state" role="status">${said(state, record)}</p>
    ${error && html`<${Trouble} problem=${{ message: error }} />`}
    ${fault && fault.message !== error && html`<${Trouble} problem=${fault} />`}
    ${refused ? html`<p class="note">${refused}.</p>`
      : isActive ? html`<button type="button" disabled=${isAsking} onClick=${() => ask("stop", {})}>${
        { waiting: "Do not start", stopping: "Stop at once" }[state] ?? "Stop"}</button>`
      : resumable && !isEnding && html`<${Resume} key=${record.status} record=${record} isAsking=${isAsking}
          onResume=${(settings) => ask("resume", { settings })} />`}
    ${!refused && !record.error && html`<button type="button" class="plain" disabled=${isAsking}
      onClick=${() => ask("again", {})}>Train again with another seed</button>`}
  </section>`;
}

const SAID = {
  waiting: "Waits until the runs before it have ended.",
  preparing: "The text is read.",
  training: "Training.",
  stopping: "Stopping after this step; the final evaluations are still made.",
  ending: "Its last files are written.",
};

function said(state, record) {
  const isTrained = state === "training" && record.progress?.progress >= 1;
  return isTrained ? "Trained; the final evaluations are made." : SAID[state] ?? "";
}

const UNITS = { max_seconds: "s", num_epochs: "epochs", max_tokens: "tokens" };

function Progress({ record, isStopping }) {
  const done = Math.min(1, record.progress?.progress ?? 0);
  return html`<div class="progress">
    <progress max="1" value=${isStopping ? null : done} aria-label="Share of the budget"></progress>
    <span>${usedSoFar(record, done)}</span></div>`;
}

/** Return what is used of a budget and how much it is; of several budgets only the share of the first to end. */
function usedSoFar({ settings, progress }, done) {
  const names = Object.keys(UNITS).filter((name) => settings[name] > 0), percent = `${Math.round(100 * done)} %`;
  if (names.length !== 1) return `${percent} of the budget, ${shown(progress?.seconds ?? 0, 0)} s of training`;
  const [name] = names, all = settings[name], digits = name === "num_epochs" ? 1 : 0;
  return `${shown(done * all, digits)} of ${shown(all, 0)} ${UNITS[name]}, ${percent}`;
}

/** How a run goes on; budgets that are used up are proposed twice as large as what was used. */
function Resume({ record, isAsking, onResume }) {
  const names = Object.keys(BUDGETS).filter((name) => record.settings[name] > 0);
  const isUsedUp = record.status === "stopped by budget";
  const usedOf = (name) => record.training[USED[name]] ?? 0;
  const proposed = (name) => {
    const own = record.settings[name], used = usedOf(name);
    return isUsedUp || used >= own ? 2 * Math.max(own, Math.ceil(used)) : own;
  };
  const [fields, setFields] = useState(() => Object.fromEntries(names.map((name) => [name, String(proposed(name))])));
  const resume = (event) => {
    event.preventDefault();
    const changed = names.filter((name) => Number(fields[name]) !== record.settings[name]);
    onResume(Object.fromEntries(changed.map((name) => [name, Number(fields[name])])));
  };
  return html`<form class="controls" onSubmit=${resume} aria-label="Go on with this run">
    ${names.map((name) => html`<${Field} key=${name} label=${BUDGETS[name]}
      note=${usedOf(name) > 0 && `${shown(usedOf(name), name === "max_seconds" ? 1 : 0)} used`}>
      <input type="number" min="1" step="any" required value=${fields[name]}
        onInput=${(event) => setFields({ ...fields, [name]: event.target.value })} /><//>`)}
    <button type="submit" disabled=${isAsking}>${isAsking ? "Starting …" : isUsedUp ? "Train on" : "Resume"}</button>
  </form>`;
}
