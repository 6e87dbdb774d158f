// A heat map of units times tokens, with a cursor, a chosen unit and a range that is brushed.

import { html, useEffect, useLayoutEffect, useMemo, useRef, useState } from "../preact.js";
import { spoken, visible } from "../parts.js";

/** Pixels: of all rows together, of a row at most, of a token that can be read, of the line of letters. */
const HEIGHT = 512, ROW = 14, CELL = 9, LETTERS = 18;

/** Return red, green and blue of a colour of the page, such as #0067a8. */
function rgb(name) {
  const hex = getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  return [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
}

/** Return the number of the colours of the page: it grows when they change between light and dark. */
function useColours() {
  const [count, setCount] = useState(0);
  useEffect(() => {
    const scheme = matchMedia("(prefers-color-scheme: dark)"), changed = () => setCount((now) => now + 1);
    scheme.addEventListener("change", changed);
    return () => scheme.removeEventListener("change", changed);
  }, []);
  return count;
}

/** Return a picture with one pixel for each unit and token. */
function pictureOf(values, rows, tokens, most) {
  const units = rows.length, canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [tokens, units];
  const context = canvas.getContext("2d"), image = context.createImageData(tokens, units);
  const [paper, above, below] = ["--paper", "--above", "--below"].map(rgb), { data } = image;
  for (let row = 0; row < units; row++) {
    for (let token = 0; token < tokens; token++) {
      const value = values[token * units + rows[row]] / most, towards = value > 0 ? above : below;
      const share = Math.min(1, Math.abs(value)) || 0, place = 4 * (row * tokens + token);
      for (let k = 0; k < 3; k++) data[place + k] = paper[k] + share * (towards[k] - paper[k]);
      data[place + 3] = 255;
    }
  }
  context.putImageData(image, 0, 0);
  return canvas;
}

/**
 * The heat map.
 *
 * values: (tokens, units); rows: the units from top to bottom; most: the value of the full colour.
 * at, unit: the token and the unit that are chosen; range: [from, to) or null; onPick({at, unit}), onRange(range).
 * said: tells a value in words.
 */
export function HeatMap({ values, tokens, rows, most, at, unit, range, whole, label, said, onPick, onRange }) {
  const box = useRef(null), screen = useRef(null), anchor = useRef(-1), colours = useColours();
  const [width, setWidth] = useState(0), [pointed, setPointed] = useState(null);
  const picture = useMemo(() => pictureOf(values, rows, tokens.length, most), [values, rows, most, colours]);
  const scale = window.devicePixelRatio || 1, T = tokens.length, U = rows.length;
  const cell = whole ? Math.max(width / T, 1 / scale) : CELL;
  // Whole pixels for each row, if there are enough of them.
  const tall = Math.min(ROW, Math.floor((HEIGHT * scale) / U) / scale || HEIGHT / U), height = tall * U;
  const place = useMemo(() => {
    const found = new Int32Array(U);
    rows.forEach((own, row) => { found[own] = row; });
    return found;
  }, [rows]);

  const draw = () => {
    const canvas = screen.current, left = box.current.scrollLeft;
    [canvas.width, canvas.height] = [Math.round(width * scale), Math.round((height + LETTERS) * scale)];
    Object.assign(canvas.style, { width: `${width}px`, height: `${height + LETTERS}px` });
    const context = canvas.getContext("2d"), ink = (name) => getComputedStyle(box.current).getPropertyValue(name);
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.imageSmoothingEnabled = cell * scale < 1 || tall * scale < 1;
    const first = Math.floor(left / cell), count = Math.min(T - first, Math.ceil(width / cell) + 2);
    context.drawImage(picture, first, 0, count, U, first * cell - left, 0, count * cell, height);
    if (range) {
      context.fillStyle = ink("--link");
      context.globalAlpha = 0.16;
      context.fillRect(range[0] * cell - left, 0, (range[1] - range[0]) * cell, height);
      context.globalAlpha = 1;
      for (const edge of range) context.fillRect(edge * cell - left - 1, 0, 2, height + LETTERS);
    }
    context.strokeStyle = context.fillStyle = ink("--ink");
    context.lineWidth = 1;
    context.strokeRect(at * cell - left + 0.5, 0.5, Math.max(1, cell - 1), height - 1);
    const top = place[unit] * tall, thick = Math.max(3, tall);
    context.strokeRect(-1, Math.max(0.5, Math.round(top + tall / 2 - thick / 2) + 0.5), width + 2, thick);
    if (cell < CELL) return;
    context.font = `12px ${ink("--code")}`;
    context.textAlign = "center";
    for (let token = first; token < first + count; token++) {
      const text = visible(tokens[token]);
      if (text.length === 1) context.fillText(text, (token + 0.5) * cell - left, height + 13);
    }
  };
  const latest = useRef(draw);
  latest.current = draw;
  useLayoutEffect(() => {
    const watch = new ResizeObserver(([entry]) => setWidth(Math.floor(entry.contentRect.width)));
    watch.observe(box.current);
    let waits = 0;
    const scrolled = () => {
      cancelAnimationFrame(waits);
      waits = requestAnimationFrame(() => latest.current());
    };
    box.current.addEventListener("scroll", scrolled, { passive: true });
    return () => (watch.disconnect(), cancelAnimationFrame(waits));
  }, []);
  useLayoutEffect(() => {
    if (!width) return;
    const { scrollLeft } = box.current, left = at * cell;
    if (left < scrollLeft || left + cell > scrollLeft + width) box.current.scrollLeft = left - width / 2;
  }, [at, cell, width, T]);
  useLayoutEffect(() => { if (width) draw(); });

  const found = (event) => {
    const frame = screen.current.getBoundingClientRect();
    const token = Math.floor((event.clientX - frame.left + box.current.scrollLeft) / cell);
    const row = Math.floor((event.clientY - frame.top) / tall);
    return { at: Math.max(0, Math.min(T - 1, token)), unit: rows[Math.max(0, Math.min(U - 1, row))] };
  };
  const press = (event) => {
    if (event.button !== 0) return;
    const picked = found(event);
    if (event.shiftKey) onRange(between(at, picked.at));
    anchor.current = event.shiftKey ? at : picked.at;
    if (event.pointerType !== "touch") screen.current.setPointerCapture(event.pointerId);
    onPick(picked);
  };
  const move = (event) => {
    const now = found(event);
    setPointed(now);
    const isDrag = event.buttons === 1 && event.pointerType !== "touch" && anchor.current >= 0;
    if (isDrag && (now.at !== anchor.current || range)) onRange(between(anchor.current, now.at));
  };
  const key = (event) => {
    const across = { ArrowRight: 1, ArrowLeft: -1, PageDown: 20, PageUp: -20, Home: -T, End: T }[event.key];
    const down = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key === "Escape") return void onRange(null);
    if (across === undefined && down === undefined) return;
    event.preventDefault();
    const token = Math.max(0, Math.min(T - 1, at + (across ?? 0)));
    if (event.shiftKey && across) {
      if (anchor.current < 0 || !range) anchor.current = at;
      onRange(between(anchor.current, token));
    } else anchor.current = -1;
    onPick({ at: token, unit: rows[Math.max(0, Math.min(U - 1, place[unit] + (down ?? 0)))] });
  };
  const shown = pointed ?? { at, unit };
  return html`
    <div class="heat" ref=${box} role="application" aria-roledescription="heat map" aria-label=${label} tabindex="0"
      aria-describedby="heat-keys" onKeyDown=${key}>
      <div ref=${(inner) => inner?.style.setProperty("width", `${Math.max(width, Math.floor(T * cell))}px`)}>
        <canvas ref=${screen} aria-hidden="true" data-cell=${cell} data-row=${tall}
          onPointerDown=${press} onPointerMove=${move} onPointerLeave=${() => setPointed(null)}></canvas>
      </div>
    </div>
    <p class="heat-says">Unit ${shown.unit} at ${visible(tokens[shown.at] ?? "")} (token ${shown.at}):
      ${" "}<b>${said(shown.at, shown.unit)}</b></p>
    <p class="said" role="status">${`Unit ${unit}, token ${at}, ${spoken(tokens[at] ?? "")}: ${said(at, unit)}${
      range ? `; tokens ${range[0]} to ${range[1] - 1} are marked` : ""}`}</p>
    <p class="note" id="heat-keys">Click to choose a unit and a token, drag to mark a range. Keys: arrows; Shift and
      arrows mark; Escape clears.</p>`;
}

function between(one, other) {
  return [Math.min(one, other), Math.max(one, other) + 1];
}
