// How a model reads a text, and what it noticed.

import { html } from "../preact.js";
import { visible } from "../parts.js";

const MOST_PARTS = 8;
const STARTS = /^empty prefix: the model starts after '(.*)'$/, UNKNOWN = "not in the vocabulary, read as <unk>";
const NAMES = { "\\n": "a line break", " ": "a space" };

/** read: the first event of the server about the text; about: the model. */
export function Rules({ read, about }) {
  if (!about) return null;
  const order = about.ngram_order;
  return html`<div class="rules">
    ${read && noticesOf(read).map((notice) => html`<p class="notice" key=${notice}>${notice}</p>`)}
    <p class="note">${about.text_rule === "none" ? "The text is read as it is." : `Text rule: ${about.text_rule}.`}
      ${" "}Read from a state of zeros, which is carried through all of the text.
      ${` ${about.vocabulary.toLocaleString("en")} tokens (${about.tokenizer})`}${
      order > 0 && `, with an n-gram part of order ${order}`}.${
      about.has_ended ? "" : " The run has not ended: these are its weights so far."}</p></div>`;
}

/** Return the server's notices in the words of the page; the text itself is in view and not quoted. */
function noticesOf({ notices, unknown }) {
  const found = notices.filter((notice) => !notice.endsWith(UNKNOWN)).map((notice) => {
    const [, start] = notice.match(STARTS) ?? [];
    if (start === undefined) return notice;
    return `${notices.length > 1 ? "Nothing is left to read" : "Nothing typed yet"}: the model begins as after ${
      NAMES[start] ?? `‘${start}’`}.`;
  });
  const parts = Object.keys(unknown), more = parts.length > MOST_PARTS ? " …" : "";
  if (!parts.length) return found;
  const names = parts.slice(0, MOST_PARTS).map(visible).join(" ");
  return [...found, `Not in the vocabulary, read as <unk>: ${names}${more}`];
}
