// A text whose pieces have colours; one is chosen by pointing, by a click or by the keyboard, and a range by dragging.

import { Component, html, useEffect, useLayoutEffect, useRef, useState } from "./preact.js";
import { spoken, visible } from "./parts.js";

const CHUNK = 200; // pieces that are drawn anew together
const LEAVING = 250; // milliseconds in which the pointer may cross to the card

/** Some pieces; they are drawn anew only if one of them has changed. */
class Chunk extends Component {
  shouldComponentUpdate({ pieces, first, list, marked }) {
    const now = this.props;
    return first !== now.first || list !== now.list || marked !== now.marked || pieces.length !== now.pieces.length
      || pieces.some((piece, at) => piece !== now.pieces[at]);
  }

  render({ pieces, first, list, marked }) {
    const [chosen, from, to] = marked.split(" ").map(Number);
    return pieces.map((piece, k) => {
      const at = first + k, text = piece.text.replace(/\v/g, "\n");
      const names = [text === "\n" && "break", at >= from && at < to && "within", piece.mark];
      return html`<span key=${at} id=${`${list}-${at}`} role="option" class=${names.filter(Boolean).join(" ")}
        aria-selected=${at === chosen ? "true" : "false"} aria-label=${`${spoken(piece.text)}${piece.said ? `, ${piece.said}` : ""}`}
        ref=${(span) => span && paint(span, piece.colour)}>${text}</span>`;
    });
  }
}

/** Set the strength and the sign of a colour, -1 to 1; null: none. */
export function paint(span, colour) {
  const strength = colour === null || colour === undefined || Number.isNaN(colour) ? 0 : Math.min(1, Math.abs(colour));
  span.style.setProperty("--a", strength.toFixed(3));
  span.style.setProperty("--sign", colour < 0 ? "var(--below)" : "var(--above)");
}

/**
 * What is shown at the piece that is pointed at: {show, hide, hideSoon, box}, the box to be placed in the page.
 *
 * find: returns the element of the piece of a number; card: gives the content for the number, and gets what hides it;
 * without, nothing is shown.
 */
export function usePointed(find, pieces, card) {
  const floating = useRef(null), leaving = useRef(0), [pointed, setPointed] = useState(-1);
  const show = (at) => {
    clearTimeout(leaving.current);
    if (card) setPointed(at);
  };
  const hide = () => show(-1);
  const hideSoon = () => {
    clearTimeout(leaving.current);
    leaving.current = setTimeout(() => setPointed(-1), LEAVING);
  };
  useLayoutEffect(() => {
    const box = floating.current, span = box && find(pointed);
    if (!span) return;
    const place = span.getBoundingClientRect(), { width, height } = box.getBoundingClientRect();
    const left = Math.max(8, Math.min(place.left, document.documentElement.clientWidth - width - 8));
    const below = place.bottom + 4, above = place.top - height - 4;
    box.style.left = `${left}px`;
    box.style.top = `${below + height > innerHeight && above > 0 ? above : below}px`;
  }, [pointed, pieces]);
  useEffect(() => () => clearTimeout(leaving.current), []);
  const box = card && pointed >= 0 && pointed < pieces.length && html`
    <div class="card" ref=${floating} onPointerEnter=${() => clearTimeout(leaving.current)} onPointerLeave=${hideSoon}>
      ${card(pointed, hide)}</div>`;
  return { show, hide, hideSoon, box };
}

/**
 * The text.
 *
 * id: of the element, and the beginning of those of the pieces; label: what it is.
 * pieces: objects {text, colour, said, mark}, colour -1 to 1 or null, said: for screen readers, mark: a class.
 * A piece that has not changed must be the same object.
 * chosen, onChoose: the piece that is chosen, -1: none. card: gives the content of what is shown at the piece that
 * is pointed at, and its buttons can be reached; range, onRange: [from, to) that is marked, or null.
 */
export function Letters({ id, label, pieces, chosen = -1, onChoose, card, range = null, onRange, busy = false }) {
  const [from, to] = range ?? [-1, -1], anchor = useRef(-1), chunks = [];
  const find = (at) => document.getElementById(`${id}-${at}`);
  const pointed = usePointed(find, pieces, card);
  const indexOf = (target) => {
    const found = target.closest?.("[role=option]");
    return found ? Number(found.id.slice(id.length + 1)) : -1;
  };
  const choose = (at, isRange) => {
    const place = Math.max(0, Math.min(pieces.length - 1, at));
    if (isRange && onRange) {
      if (anchor.current < 0) anchor.current = Math.max(0, chosen);
      onRange([Math.min(anchor.current, place), Math.max(anchor.current, place) + 1]);
    } else anchor.current = place;
    onChoose?.(place);
    find(place)?.scrollIntoView({ block: "nearest" });
  };
  const key = (event) => {
    const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: 10, ArrowUp: -10 };
    let target = Math.max(0, chosen) + (steps[event.key] ?? NaN);
    if (event.key === "Home") target = 0;
    if (event.key === "End") target = pieces.length - 1;
    if (event.key === "Escape") pointed.hide();
    if (Number.isNaN(target) || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    choose(target, event.shiftKey);
  };
  const drag = (event) => {
    const at = indexOf(event.target);
    if (event.buttons === 1 && onRange && at >= 0 && anchor.current >= 0 && at !== anchor.current) choose(at, true);
    else if (at >= 0) pointed.show(at);
  };
  for (let first = 0; first < pieces.length; first += CHUNK) {
    const own = pieces.slice(first, first + CHUNK), end = first + own.length;
    const marked = `${chosen >= first && chosen < end ? chosen : -1} ${Math.max(from, first)} ${Math.min(to, end)}`;
    chunks.push(html`<${Chunk} key=${first} list=${id} first=${first} pieces=${own} marked=${marked} />`);
  }
  return html`
    <div class="letters" id=${id} role="listbox" tabindex="0" aria-label=${label} aria-busy=${busy}
      aria-activedescendant=${chosen >= 0 && chosen < pieces.length ? `${id}-${chosen}` : null}
      onKeyDown=${key} onFocus=${() => chosen < 0 && pieces.length && choose(0, false)}
      onPointerDown=${(event) => indexOf(event.target) >= 0 && choose(indexOf(event.target), event.shiftKey)}
      onPointerOver=${drag} onPointerLeave=${pointed.hideSoon}>${chunks}</div>
    ${pointed.box}`;
}

/**
 * Bars for what was expected: [id, text, p] each; came: the id of what came; onTake: makes them buttons, but that of
 * the id `fixed`.
 */
export function Expected({ likeliest, came, onTake, fixed }) {
  return html`<ol class="expected">${likeliest.map(([id, text, p]) => {
    const share = p < 0.001 ? "< 0.1%" : `${(100 * p).toFixed(1)}%`;
    const inner = html`<b>${visible(text)}</b>
      <i ref=${(bar) => bar?.style.setProperty("--p", p.toFixed(4))}></i><span>${share}</span>`;
    const said = `${spoken(text)}, ${share}`;
    return html`<li key=${id} class=${id === came ? "came" : ""}>${onTake && id !== fixed
      ? html`<button type="button" aria-label=${`Go on with ${said}`}
        onClick=${() => onTake(id, text, p)}>${inner}</button>`
      : inner}</li>`;
  })}</ol>`;
}
