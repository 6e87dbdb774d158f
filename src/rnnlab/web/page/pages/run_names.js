// What runs are called where several are shown: runs of experiments have no names of their own.

import { OF_EXPERIMENT } from "../parts.js";
import { differing, settingText, sizeText, textName } from "./figures.js";

const MAIN = ["cell", "hidden_size", "learning_rate"]; // where nothing differs

/** Return the folder of the experiment of a run; null: it is none of an experiment. */
function experimentOf(name) {
  const found = OF_EXPERIMENT.exec(name);
  return found && (found[1] ?? "");
}

/** Return some settings of a run in words; a cell by its short name. */
function described(run, names) {
  const words = { corpus: () => textName(run.settings), cell: () => run.cell ?? "–",
    hidden_size: () => `size ${sizeText(run.settings)}` };
  return names.map((name) => words[name]?.() ?? `${name} ${settingText(run.settings[name])}`).join(", ");
}

/** Return a Map from name to label: that of an experiment's run is its folder, and what differs among all of these. */
export function labelsOf(runs, all, withoutEffect) {
  const labels = new Map(runs.map(({ name }) => [name, name]));
  const folderOf = ({ name }) => experimentOf(name), whole = byFolder(all, folderOf);
  for (const [folder, own] of byFolder(runs, folderOf)) {
    const others = whole.get(folder), names = others.length > 1 ? differing(others, withoutEffect) : [...MAIN, "seed"];
    const found = own.map((run) => [folder, described(run, names)].filter(Boolean).join(": "));
    own.forEach(({ name }, k) => {
      const isTwice = found.filter((label) => label === found[k]).length > 1;
      labels.set(name, isTwice ? `${found[k]} (${OF_EXPERIMENT.exec(name)[2].slice(0, 6)})` : found[k]);
    });
  }
  return labels;
}

/** Return the folder of the experiment of which all runs of a group are; null: there is none. */
function folderOfGroup({ runs }) {
  const folders = new Set(runs.map(({ name }) => experimentOf(name)));
  return folders.size === 1 ? [...folders][0] : null;
}

/** Return rows of which groups of an experiment's runs are named by what differs between them. */
export function named(rows, withoutEffect) {
  const groups = rows.filter(({ runs }) => runs), names = new Map();
  for (const [folder, own] of byFolder(groups, folderOfGroup)) {
    const settings = own.length > 1 ? differing(own, [...withoutEffect, "seed"]) : MAIN;
    for (const row of own) names.set(row, [folder, described(row, settings)].filter(Boolean).join(": "));
  }
  return rows.map((row) => (names.has(row) ? { ...row, name: names.get(row) } : row));
}

/** Return lists of runs by folder; those without one are left out. */
function byFolder(runs, folderOf) {
  const found = new Map();
  for (const run of runs) {
    const folder = folderOf(run);
    if (folder !== null) found.set(folder, [...(found.get(folder) ?? []), run]);
  }
  return found;
}

/** Whether runs are measured on different texts. */
export function areOfDifferentTexts(runs) {
  const checksums = runs.map(({ held_out: own }) => own?.corpus_sha256);
  const texts = checksums.every(Boolean) ? checksums : runs.map(({ settings }) => JSON.stringify(settings.corpus));
  return new Set(texts).size > 1;
}
