// What rnnlab doctor finds: as a badge in a table, and in full.

import { html, useEffect, useRef, useState } from "../preact.js";
import { get, inPath } from "../api.js";
import { Loading, Trouble } from "../parts.js";
import { useLoaded } from "../state.js";

const known = new Map(), waiting = new Map(); // by key; what waits is asked for one after another
const LATER = 5_000; // milliseconds after which a server that did not answer is asked again
let isAsking = false;

/** Return what tells the findings of a run from those of its earlier state. */
function keyOf({ name, updated }) {
  return `${updated} ${name}`;
}

/** Return how many illnesses were found in a run that has ended, if that is known. */
export function countOf(run) {
  return known.get(keyOf(run))?.findings?.length ?? null;
}

async function askAll() {
  if (isAsking) return;
  isAsking = true;
  while (waiting.size) {
    const [key, asked] = waiting.entries().next().value;
    waiting.delete(key);
    const found = await get(`/api/v1/findings/${inPath(asked.name)}`).catch((problem) => ({ problem }));
    const { status = 200 } = found.problem ?? {};
    if (status >= 200 && status < 500) known.set(key, found);
    else setTimeout(() => (waiting.set(key, asked), askAll()), LATER);
    asked.tell();
  }
  isAsking = false;
}

/** The number of findings, once the row is in sight; onFound: called when it is known. */
export function Badge({ run, onFound }) {
  const place = useRef(null), key = keyOf(run), [, draw] = useState(0);
  const hasEnded = !run.running && run.status.startsWith("stopped") && !run.error;
  useEffect(() => {
    if (!hasEnded || known.has(key)) return undefined;
    const tell = () => (draw((count) => count + 1), onFound());
    const watch = new IntersectionObserver(([entry]) => {
      if (!entry.isIntersecting) return void waiting.delete(key);
      waiting.set(key, { name: run.name, tell });
      askAll();
    });
    watch.observe(place.current);
    return () => (watch.disconnect(), waiting.delete(key));
  }, [key, hasEnded]);
  const found = known.get(key), titles = found?.findings?.map(({ title }) => title) ?? [];
  return html`<span class="badge" ref=${place}>${!hasEnded ? "–" : !found ? "…"
    : found.problem ? "not known"
    : titles.length ? html`<a class="ill" href=${`#/runs/${inPath(run.name)}`} title=${titles.join("\n")}>${
      titles.length === 1 ? titles[0] : `${titles.length} findings`}</a>` : "healthy"}</span>`;
}

/** All that was found in a run, what shows it and what to try. */
export function Findings({ run }) {
  const { value, problem, again, isLoading } = useLoaded(
    (signal) => get(`/api/v1/findings/${inPath(run.name)}`, { signal }), [run.name, run.running ? "" : run.updated]);
  if (problem) return html`<${Trouble} problem=${problem} again=${again} />`;
  if (!value) return html`<${Loading} what="findings" />`;
  const leftOut = new Map();
  for (const [name, why] of Object.entries(value.not_asked)) leftOut.set(why, [...(leftOut.get(why) ?? []), name]);
  return html`<div class="findings" aria-busy=${isLoading}>
    <p>${value.state}.${run.running && html`
      <button class="plain" type="button" onClick=${again}>Look again</button>`}</p>
    ${value.findings.map(({ illness, title, evidence, advice }) => html`<article key=${illness}>
      <h3>${title}</h3>
      <ul>${evidence.map((line) => html`<li>${line}</li>`)}</ul>
      <p><b>Try</b></p>
      <ul class="advice">${advice.map((line) => html`
        <li>${line.startsWith("--") ? html`<code>${line}</code>` : line}</li>`)}</ul>
    </article>`)}
    ${value.healthy && html`<p>${value.looked_at.length ? "None of the illnesses that were looked for was found."
      : "Nothing could be looked for yet."}</p>`}
    <details><summary>What was looked for</summary>
      <p>${value.looked_at.join(", ") || "Nothing"}.</p>
      ${[...leftOut].map(([why, names]) => html`<p key=${why}>Left out: ${names.join(", ")}; ${why}.</p>`)}
      ${value.notices.map((words) => html`<p key=${words}>${words}.</p>`)}
    </details></div>`;
}
