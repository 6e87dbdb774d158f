// The text box: a text area above a copy of its text that has the colours, letter by letter.

import { html, useEffect, useLayoutEffect, useRef } from "../vendor/htm-preact.js";
import { Pieces, usePointed } from "../letters.js";
import { common } from "./write_tree.js";

const RETURN = "␍"; // stands for \r, which a text area would change
const NEAR = 60; // pixels from the end of the text at which the end stays in view

/** Return the place in `given` of each character of a text as it was read; null: they are the same; []: unknown. */
function aligned(read, given) {
  if (read === given) return null;
  const places = [], lower = given.toLowerCase();
  let at = 0;
  for (const character of read) {
    const is = (other) => other === character.toLowerCase() || (character === " " && !/\p{L}/u.test(other));
    while (at < given.length && !is(String.fromCodePoint(lower.codePointAt(at)))) at++;
    if (at >= given.length) return [];
    for (let part = 0; part < character.length; part++) places.push(at++);
  }
  return places;
}

/** Return which tokens stand for which characters of a text: {from, to, first, last, bits}, as far as is known. */
export function spans({ tokens, text: given }, text) {
  if (given === null) return [];
  const places = aligned(tokens.map((token) => token.text).join(""), given), found = [], certain = common(given, text);
  if (places && !places.length) return [];
  let end = 0, first = 0, bits = 0;
  for (const [last, token] of tokens.entries()) {
    const from = places ? places[end] : end;
    bits += token.bits ?? NaN;
    if (!token.text) {
      if (token.bits === null) [first, bits] = [last + 1, 0]; // what stands before the text
      continue;
    }
    end += token.text.length;
    const to = places ? places[end - 1] + 1 : end;
    if (to > certain) break;
    found.push({ from, to, first, last, bits });
    [first, bits] = [last + 1, 0];
  }
  return found;
}

const drawn = new WeakMap(); // the piece of each token

/** Return the pieces of a text as Pieces takes them; colourOf: of a span; unknown: the id of what is unknown. */
export function piecesOf(text, found, tokens, colourOf, unknown) {
  const pieces = [];
  let end = 0;
  for (const span of [...found, { from: text.length, to: text.length }]) {
    if (end < span.from) pieces.push({ text: text.slice(end, span.from), colour: null });
    end = span.to;
    if (span.from === span.to) continue;
    const own = text.slice(span.from, span.to).replaceAll("\r", RETURN), colour = colourOf(span);
    const token = tokens[span.last], kept = drawn.get(token), mark = token.id === unknown ? "unknown" : "";
    const isSame = kept && kept.text === own && Object.is(kept.colour, colour) && kept.span.from === span.from;
    const piece = isSame ? kept : { text: own, colour, mark, span };
    drawn.set(token, piece);
    pieces.push(piece);
  }
  return pieces;
}

/**
 * The text box.
 *
 * place: {at}, where the caret is put, whenever it is another object. marked: the piece that has a frame. card: see
 * usePointed. onEdit: gets the text and the kind of input; onHistory: whether the browser's own redo is meant, or undo.
 */
export function Editor({ id, label, text, pieces, place, marked, card, busy, onEdit, onCaret, onKey, onHistory }) {
  const area = useRef(null), frame = useRef(null), pointed = usePointed(id, pieces, card), isNear = useRef(false);
  useLayoutEffect(() => {
    if (place) area.current.setSelectionRange(place.at, place.at);
  }, [place]);
  useLayoutEffect(() => {
    if (busy && isNear.current) frame.current.scrollTop = frame.current.scrollHeight;
  }, [text, busy]);
  useEffect(() => {
    const tell = () => document.activeElement === area.current && onCaret(area.current.selectionStart);
    document.addEventListener("selectionchange", tell);
    return () => document.removeEventListener("selectionchange", tell);
  }, [onCaret]);
  const scrolled = () => {
    const { scrollTop, clientHeight, scrollHeight } = frame.current;
    isNear.current = scrollTop + clientHeight > scrollHeight - NEAR;
  };
  useLayoutEffect(scrolled, []);
  const point = (event) => {
    if (event.pointerType === "touch" || event.buttons) return;
    const below = document.elementsFromPoint(event.clientX, event.clientY);
    const found = below.find((one) => one.id.startsWith(`${id}-`));
    const at = found ? Number(found.id.slice(id.length + 1)) : -1;
    if (pieces[at]?.span) pointed.show(at);
    else pointed.hideSoon();
  };
  const isHistory = (event) => {
    if (!event.inputType?.startsWith("history")) return;
    event.preventDefault();
    onHistory(event.inputType === "historyRedo");
  };
  return html`
    <div class="editor" ref=${frame} onScroll=${() => (scrolled(), pointed.hide())}>
      <div class="sheet">
        <div class="mirror" aria-hidden="true">
          <${Pieces} id=${id} pieces=${pieces} chosen=${marked} />${"\u200b"}</div>
        <textarea id=${id} ref=${area} aria-label=${label} aria-busy=${busy} value=${text.replaceAll("\r", RETURN)}
          spellcheck=${false} autocomplete="off" autocapitalize="off" placeholder="Type here, or let the model write."
          onInput=${({ target, inputType }) => onEdit(target.value.replaceAll(RETURN, "\r"), inputType)}
          onBeforeInput=${isHistory} onKeyDown=${onKey} onFocus=${({ target }) => onCaret(target.selectionStart)}
          onPointerMove=${point} onPointerLeave=${pointed.hideSoon}></textarea>
      </div>
    </div>
    ${pointed.box}`;
}
