// The text box: a text area above a copy of its text that has the colours, letter by letter.

import { Component, html, useEffect, useLayoutEffect, useRef } from "../preact.js";
import { paint, usePointed } from "../letters.js";
import { common } from "./write_tree.js";

const RETURN = "␍"; // stands for \r, which a text area would change
const NEAR = 60; // pixels from the end of the text at which the end stays in view
const BLOCK = 150; // pieces after which the next line begins a block of its own, which is laid out by itself

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

/**
 * Return the pieces of a text: {text, colour, mark, span}. One that has not changed is the same object.
 *
 * colourOf: of a span, -1 to 1; unknown: the id of what is not in the vocabulary.
 */
export function piecesOf(text, found, tokens, colourOf, unknown) {
  const pieces = [], whole = text.replaceAll("\r", RETURN);
  let end = 0;
  for (const span of found) {
    if (end < span.from) pieces.push({ text: whole.slice(end, span.from), colour: null, mark: "", span: null });
    end = span.to;
    const token = tokens[span.last], colour = colourOf(span), own = whole.slice(span.from, span.to);
    let piece = drawn.get(token);
    if (!piece || piece.text !== own || !Object.is(piece.colour, colour) || piece.span.from !== span.from) {
      piece = { text: own, colour, mark: token.id === unknown ? "unknown" : "", span };
      drawn.set(token, piece);
    }
    pieces.push(piece);
  }
  if (end < text.length) pieces.push({ text: whole.slice(end), colour: null, mark: "", span: null });
  return pieces;
}

/** Some pieces, up to the end of a line; they are drawn anew only if one of them looks different. */
class Block extends Component {
  shouldComponentUpdate({ pieces, marked }) {
    const now = this.props;
    return marked !== now.marked || pieces.length !== now.pieces.length || pieces.some((piece, at) => {
      const before = now.pieces[at];
      return piece !== before && (piece.text !== before.text || !Object.is(piece.colour, before.colour)
        || piece.mark !== before.mark);
    });
  }

  render({ pieces, marked }) {
    return html`<div>${pieces.map(({ text, colour, mark }, at) => html`<span key=${at}
      class=${at === marked ? `${mark} here` : mark}
      ref=${(span) => span && paint(span, colour)}>${text}</span>`)}</div>`;
  }
}

/** Return where each block begins. */
function blocksOf(pieces) {
  const begins = [0];
  pieces.forEach(({ text }, at) => {
    if (at + 1 - begins.at(-1) >= BLOCK && text.endsWith("\n") && at + 1 < pieces.length) begins.push(at + 1);
  });
  return begins;
}

/**
 * The text box.
 *
 * place: {at}, where the caret is put, whenever it is another object. marked: the piece that has a frame. card: see
 * usePointed. onEdit: gets the text and the kind of input; onHistory: whether the browser's own redo is meant, or undo.
 */
export function Editor({ id, label, text, pieces, place, marked, card, busy, onEdit, onCaret, onKey, onHistory }) {
  const area = useRef(null), frame = useRef(null), mirror = useRef(null), isNear = useRef(false);
  const begins = blocksOf(pieces), find = (at) => {
    const block = begins.findLastIndex((begin) => begin <= at);
    return mirror.current.children[block]?.children[at - begins[block]];
  };
  const pointed = usePointed(find, pieces, card);
  useLayoutEffect(() => {
    if (place) area.current.setSelectionRange(place.at, place.at);
  }, [place]);
  useLayoutEffect(() => {
    if (busy && isNear.current) frame.current.scrollTop = frame.current.scrollHeight;
  }, [text, busy]);
  // The browser tells of a new place of the caret later than of a key or of the loss of focus.
  const tell = () => onCaret(area.current.selectionStart);
  useEffect(() => {
    const changed = () => document.activeElement === area.current && tell();
    document.addEventListener("selectionchange", changed);
    return () => document.removeEventListener("selectionchange", changed);
  }, [onCaret]);
  const scrolled = () => {
    const { scrollTop, clientHeight, scrollHeight } = frame.current;
    isNear.current = scrollTop + clientHeight > scrollHeight - NEAR;
  };
  useLayoutEffect(scrolled, []);
  const point = (event) => {
    if (event.pointerType === "touch" || event.buttons) return;
    const below = document.elementsFromPoint(event.clientX, event.clientY);
    const found = below.find((one) => one.parentElement?.parentElement === mirror.current);
    const own = (element) => Array.prototype.indexOf.call(element.parentElement.children, element);
    const at = found ? begins[own(found.parentElement)] + own(found) : -1;
    if (pieces[at]?.span) pointed.show(at);
    else pointed.hideSoon();
  };
  const isHistory = (event) => {
    if (!event.inputType?.startsWith("history")) return;
    event.preventDefault();
    onHistory(event.inputType === "historyRedo");
  };
  const blocks = begins.map((begin, at) => html`<${Block} key=${at} pieces=${pieces.slice(begin, begins[at + 1])}
    marked=${marked >= begin && marked < (begins[at + 1] ?? Infinity) ? marked - begin : -1} />`);
  return html`
    <div class="editor" ref=${frame} onScroll=${() => (scrolled(), pointed.hide())}>
      <div class="sheet">
        <div class="mirror" aria-hidden="true" ref=${mirror}>${blocks}</div>
        <textarea id=${id} ref=${area} aria-label=${label} aria-busy=${busy} value=${text.replaceAll("\r", RETURN)}
          spellcheck=${false} autocomplete="off" autocapitalize="off" placeholder="Type here, or let the model write."
          onInput=${({ target, inputType }) => onEdit(target.value.replaceAll(RETURN, "\r"), inputType)}
          onBeforeInput=${isHistory} onKeyDown=${(event) => (tell(), onKey(event))} onFocus=${tell}
          onBlur=${() => busy || tell()}
          onPointerMove=${point} onPointerLeave=${pointed.hideSoon}></textarea>
      </div>
    </div>
    ${pointed.box}`;
}
