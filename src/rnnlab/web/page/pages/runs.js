// The page Runs: all runs of the folder, and the curves of those that are chosen.

import { html, useCallback, useMemo, useState } from "../preact.js";
import { useFeed } from "../feed.js";
import { Empty, Field, Loading, Trouble } from "../parts.js";
import { useStored } from "../state.js";
import { Curves } from "./curves.js";
import { Differences, HeldOut } from "./figures.js";
import { OneRun } from "./run.js";
import { labelsOf, named } from "./run_names.js";
import { grouped, newestTraining, searched, sorted } from "./run_rows.js";
import { RunsTable } from "./runs_table.js";
import { StartRun } from "./start.js";

const MOST = 12; // runs whose curves are shown together
const FIRST = { query: "", order: { column: "updated", isDown: true }, isGrouped: false };

export function Runs({ name }) {
  return name ? html`<${OneRun} key=${name} name=${name} />` : html`<${AllRuns} />`;
}

function AllRuns() {
  const [view, setView] = useStored("runs", FIRST), [chosen, setChosen] = useStored("runs-chosen", []);
  const [follows, setFollows] = useStored("runs-follow", false), [followed, setFollowed] = useState([]);
  const [, setFindings] = useState(0); // a table that is sorted by them changes when more are known
  const set = (change) => setView((before) => ({ ...before, ...change }));
  const feed = useFeed(followed);
  const all = [...feed.runs.values()], latest = follows ? newestTraining(all)?.name : null;
  const [kept, setKept] = useState(null);
  if (latest && latest !== kept) setKept(latest); // stays after its end, until another one begins
  const asked = [...new Set([...chosen, ...(follows && kept ? [kept] : [])])].filter((own) => feed.runs.has(own));
  const names = asked.slice(-MOST);
  if (feed.isLoaded && JSON.stringify(names) !== JSON.stringify(followed)) setFollowed(names);

  const onChoose = useCallback((own, isChosen) => setChosen((before) => (
    isChosen ? [...new Set([...before, ...own])] : before.filter((one) => !own.includes(one)))), []);
  const onFound = useCallback(() => setFindings((count) => count + 1), []);
  const found = searched(all, view.query);
  const rows = sorted(view.isGrouped ? named(grouped(found), feed.withoutEffect) : found, view.order);
  const chosenNames = useMemo(() => new Set(chosen), [chosen]);

  if (!feed.isLoaded) {
    return html`<h1>Runs</h1>${feed.problem ? html`<${Trouble} problem=${feed.problem} />`
      : html`<${Loading} what="runs" />`}`;
  }
  const shownRuns = names.map((one) => feed.runs.get(one)), labels = labelsOf(shownRuns, all, feed.withoutEffect);
  return html`<h1>Runs</h1>
    ${feed.problem && html`<${Trouble} problem=${feed.problem} />`}
    ${!all.length && html`<${Empty} title="No runs yet"><p>This folder holds no run. Train the first one here, or with
      ${" "}<code>rnnlab train</code>; it appears as soon as it begins.</p><//>`}
    <${StartRun} open=${!all.length} />
    ${all.length > 0 && html`<section aria-label="All runs">
      <div class="controls runs-search">
        <${Field} label="Search the runs" wide><input type="search" value=${view.query}
          placeholder="name, text, cell=gru, ended …" onInput=${(event) => set({ query: event.target.value })} /><//>
        <label class="check"><input type="checkbox" checked=${view.isGrouped}
          onChange=${(event) => set({ isGrouped: event.target.checked })} />Group seeds</label>
        <label class="check"><input type="checkbox" checked=${follows}
          onChange=${(event) => setFollows(event.target.checked)} />Follow the latest</label>
        ${names.length > 0 && html`<button type="button" class="plain"
          onClick=${() => (setChosen([]), setKept(null))}>Choose none</button>`}
        <p class="count" role="status">${
          found.length === all.length ? "" : `${found.length.toLocaleString("en")} of `}${
          all.length.toLocaleString("en")} ${all.length === 1 ? "run" : "runs"}</p>
      </div>
      <${RunsTable} rows=${rows} chosen=${chosenNames} order=${view.order} onOrder=${(order) => set({ order })}
        onChoose=${onChoose} onFound=${onFound} />
    </section>`}
    ${names.length > 0 && html`<section aria-label="Chosen runs">
      <h2>Curves</h2>
      ${asked.length > MOST && html`<p class="note">The last ${MOST} of ${asked.length} chosen runs are shown.</p>`}
      <${Curves} feed=${feed} names=${names} labels=${labels} />
      <h2>Figures</h2>
      <${HeldOut} runs=${shownRuns} labels=${labels} />
      ${names.length > 1 && html`<h2>Settings</h2>
        <${Differences} runs=${shownRuns} labels=${labels} withoutEffect=${feed.withoutEffect} />`}
    </section>`}`;
}
