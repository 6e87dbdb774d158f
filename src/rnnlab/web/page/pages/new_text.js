// A text that is given to the lab: pasted, or read from a file.

import { html, useState } from "../preact.js";
import { Problem, post } from "../api.js";
import { Field, Trouble } from "../parts.js";

export const PLAIN = { autocomplete: "off", spellcheck: false };

const MOST_KEPT = 2_000_000;

/** Return a name that the server takes, from that of a file or from the first words of a text. */
export function nameOf(text) {
  const plain = text.slice(0, 200).normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
  const words = plain.match(/[a-z0-9]+/g) ?? [];
  return words.slice(0, 4).join("-").slice(0, 40).replace(/-$/, "") || "text";
}

/** Store a text under a name, or under one with a number if another text has it; return what the server says. */
export async function storedAs(name, text) {
  for (let number = 1; ; number++) {
    try {
      return await post("/api/v1/texts", { name: number > 1 ? `${name}-${number}` : name, text });
    } catch (problem) {
      if (problem.code !== "name_taken" || number === 99) throw problem;
    }
  }
}

/** A field to paste a text into, which also takes a file. onFile: stores what a file holds, and waits for it. */
export function NewText({ value, onChange, onFile }) {
  const [state, setState] = useState({ file: "", problem: null }), [isOver, setIsOver] = useState(false);
  const read = async (file) => {
    if (!file) return;
    setState({ file: file.name, problem: null });
    try {
      await onFile(nameOf(file.name.replace(/\.[^.]+$/, "")), await textOf(file));
    } catch (problem) {
      setState({ file: "", problem });
    }
  };
  const drop = (event) => {
    event.preventDefault();
    setIsOver(false);
    read(event.dataTransfer.files[0]);
  };
  return html`<div class=${isOver ? "new-text over" : "new-text"} onDrop=${drop} onDragLeave=${() => setIsOver(false)}
    onDragOver=${(event) => (event.preventDefault(), setIsOver(true))}>
    <${Field} label="The text" note=${value.text.length > MOST_KEPT
      ? "A text this long may be lost by a reload until the run is started; a file is stored at once."
      : "The longer the better: 100,000 characters or more are worth training on. A file can also be dropped here."}>
      <textarea rows="8" value=${value.text} placeholder="Paste a text" spellcheck=${false}
        onInput=${(event) => onChange((before) => ({ ...before, text: event.target.value }))}></textarea><//>
    <div class="controls">
      <${Field} label="Or a file" note="plain text in UTF-8, 60 MB at most">
        <input type="file" onChange=${(event) => read(event.target.files[0])} /><//>
      <${Field} label="Name of the text" note="empty: its first words">
        <input value=${value.name} maxlength="64" placeholder=${value.text && nameOf(value.text)} ...${PLAIN}
        onInput=${(event) => onChange((before) => ({ ...before, name: event.target.value.trim() }))} /><//>
    </div>
    <p role="status">${state.file && `${state.file} is stored …`}</p>
    ${state.problem && html`<${Trouble} problem=${state.problem} />`}
  </div>`;
}

/** Return the text of a file; raises Problem if it is not UTF-8. */
async function textOf(file) {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(await file.arrayBuffer());
  } catch (error) {
    if (!(error instanceof TypeError)) throw new Problem(`${file.name} cannot be read.`);
    throw new Problem(`${file.name} is not plain text in UTF-8. Save it as that, or put it into a folder and start `
      + "rnnlab serve --texts FOLDER: then the setting encoding says how it is read.");
  }
}
