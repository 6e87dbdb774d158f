// Curves over one axis: uPlot with the colours of the page, a zoom that stays, and buttons for those who do not drag.

import { html, useEffect, useRef, useState } from "./preact.js";
import { Trouble } from "./parts.js";

const HEIGHT = 360, PHONE_HEIGHT = 260;
const DASHES = [[], [6, 4], [2, 3], [10, 4, 2, 4]], LEVEL = [3, 4];

let loading = null;

/** Return uPlot, which is a script and not a module. */
function loaded() {
  loading ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = "/page/vendor/uPlot.iife.min.js";
    script.onload = () => resolve(window.uPlot);
    script.onerror = () => ((loading = null), reject(new Error("The script that draws curves could not be loaded.")));
    document.head.append(script);
  });
  return loading;
}

/** Return the class of the nth colour; there are six, and dashes tell the others apart. */
export function seriesClass(number) {
  return `series-${1 + (number % 6)}`;
}

function dashOf(number, isLevel) {
  return isLevel ? LEVEL : DASHES[Math.floor(number / 6) % DASHES.length];
}

/** A short line, or a point, as it is drawn in the plot. */
export function Swatch({ number, isLevel, isPoint }) {
  const dash = dashOf(number, isLevel).join(" ");
  return html`<svg class=${`swatch ${seriesClass(number)}`} viewBox="0 0 26 10" aria-hidden="true">
    ${isPoint ? html`<circle cx="13" cy="5" r="4" />`
      : html`<path d="M0 5H26" stroke-dasharray=${dash || null} />`}</svg>`;
}

/** Return a colour of the page, fainter if strength is below 1. */
function colour(name, strength = 1) {
  const found = getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  return strength < 1 ? `${found}${Math.round(255 * strength).toString(16).padStart(2, "0")}` : found;
}

/** Return round places for ticks of an axis, 1, 2 or 5 times a power of ten apart. */
function ticks(low, high, most) {
  const rough = (high - low) / most, power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((factor) => factor * power >= rough);
  const found = [];
  for (let k = Math.ceil(low / step); k * step <= high; k++) found.push(Number((k * step).toPrecision(12)));
  return found;
}

/** Return ticks of a logarithmic axis: those of a linear one within a decade, else 1, 2 and 5 of each. */
function logTicks(low, high) {
  if (high / low < 10) return ticks(low, high, 6);
  const found = [];
  for (let power = Math.floor(Math.log10(low)); 10 ** power <= high; power++) {
    for (const factor of high / low < 1_000 ? [1, 2, 5] : [1]) found.push(factor * 10 ** power);
  }
  return found.filter((value) => value >= low && value <= high);
}

function optionsOf(series, { isLogX, isLogY, width, height, xLabel, yLabel }) {
  const font = `12px ${colour("--table")}`;
  const axis = {
    stroke: colour("--muted"), font, labelFont: font, labelSize: 22,
    grid: { stroke: colour("--rule"), width: 1 }, ticks: { stroke: colour("--rule"), width: 1, size: 4 },
  };
  const said = (value) => value.toLocaleString("en", { maximumSignificantDigits: 6 });
  const places = (isLog) => (plot, index, low, high) => (
    isLog ? logTicks(low, high) : ticks(low, high, index ? 6 : plot.width / 110));
  const spread = (isLog) => (plot, low, high) => {
    if (low === null) return [isLog ? 1 : 0, isLog ? 10 : 1];
    const pad = isLog ? (high / low) ** 0.05 : 0.05 * (high - low || Math.abs(high) || 1);
    return isLog ? [low / Math.max(pad, 1.01), high * Math.max(pad, 1.01)] : [low - pad, high + pad];
  };
  return {
    width, height, legend: { show: false }, cursor: { y: false, drag: { x: true, y: false } },
    scales: {
      x: { time: false, distr: isLogX ? 3 : 1, range: (plot, low, high) => (
        low < high ? [low, high] : [isLogX ? low / 2 : low - 1, low + 1]) },
      y: { distr: isLogY ? 3 : 1, range: spread(isLogY) },
    },
    axes: [isLogX, isLogY].map((isLog, index) => ({
      ...axis, splits: places(isLog), filter: (plot, splits) => splits, label: index ? yLabel : xLabel,
      values: (plot, splits) => splits.map(said), size: index ? 56 : 32,
    })),
    series: [{}, ...series.map(({ number, isFaint, isLevel, isPoint }) => ({
      stroke: colour(`--${seriesClass(number)}`, isFaint ? 0.45 : 1), width: isFaint || isLevel ? 1 : 2,
      spanGaps: true, dash: dashOf(number, isLevel),
      points: { show: !isFaint && !isLevel, size: isPoint ? 11 : 5, width: isPoint ? 2 : 1 },
    }))],
  };
}

/**
 * The plot.
 *
 * series: {label, number, xs, ys, isFaint, isLevel, isPoint} each, xs ascending; number chooses the colour, a level is
 * dashed, a point is a circle.
 * xKey: what x is, on whose change the zoom is forgotten. label: what a screen reader says.
 */
export function Plot({ series, xKey, xLabel, yLabel, isLogX, isLogY, label }) {
  const box = useRef(null), plot = useRef(null), zoom = useRef({ key: xKey, range: null }), drawn = useRef(null);
  const [scheme, setScheme] = useState(0), [problem, setProblem] = useState(null), [read, setRead] = useState(null);
  const [isZoomed, setIsZoomed] = useState(false), again = () => (setProblem(null), setScheme((count) => count + 1));
  if (zoom.current.key !== xKey) zoom.current = { key: xKey, range: null };
  drawn.current = series;
  const kinds = series.map(({ number, isFaint, isLevel, isPoint }) => [number, isFaint, isLevel, isPoint]);
  const shape = JSON.stringify([kinds, xKey, xLabel, yLabel, isLogX, isLogY, scheme]);

  const fill = (uPlot, into) => {
    const tables = drawn.current.map(({ xs, ys }) => (isLogX ? positive(xs, ys) : [xs, ys]));
    into.setData(tables.length ? uPlot.join(tables) : [[]], !zoom.current.range);
    if (zoom.current.range) into.setScale("x", zoom.current.range);
  };
  const zoomTo = (range) => {
    zoom.current.range = range;
    setIsZoomed(range !== null);
    if (plot.current) fill(window.uPlot, plot.current);
  };
  const move = (factor, shift) => {
    if (!plot.current) return;
    const { min, max } = plot.current.scales.x, [to, from] = isLogX ? [Math.log, Math.exp] : [Number, Number];
    const middle = (to(min) + to(max)) / 2 + shift * (to(max) - to(min)), half = (factor * (to(max) - to(min))) / 2;
    zoomTo({ min: from(middle - half), max: from(middle + half) });
  };

  useEffect(() => {
    const dark = matchMedia("(prefers-color-scheme: dark)"), change = () => setScheme((count) => count + 1);
    dark.addEventListener("change", change);
    return () => dark.removeEventListener("change", change);
  }, []);
  useEffect(() => {
    const place = box.current;
    let isOver = false, own = null;
    const size = () => (
      { width: Math.max(200, place.clientWidth), height: innerWidth < 640 ? PHONE_HEIGHT : HEIGHT });
    const watch = new ResizeObserver(() => place.isConnected && own.width !== size().width && own.setSize(size()));
    loaded().then((uPlot) => {
      if (isOver) return;
      const options = optionsOf(drawn.current, { isLogX, isLogY, xLabel, yLabel, ...size() });
      options.hooks = {
        setSelect: [({ select, posToVal }) => {
          if (select.width < 4) return;
          zoom.current.range = { min: posToVal(select.left, "x"), max: posToVal(select.left + select.width, "x") };
          setIsZoomed(true);
        }],
        setCursor: [(now) => setRead(now.cursor.idx === null ? null : readAt(now, drawn.current))],
      };
      own = plot.current = new uPlot(options, [[]], place);
      own.over.addEventListener("dblclick", () => zoomTo(null));
      fill(uPlot, own);
      watch.observe(place);
    }, setProblem);
    return () => {
      isOver = true;
      watch.disconnect();
      own?.destroy();
      plot.current = null;
    };
  }, [shape]);
  useEffect(() => {
    if (plot.current) fill(window.uPlot, plot.current);
    else if (problem) again(); // the server may be back
  }, [series]);

  if (problem) return html`<${Trouble} problem=${problem} again=${again} />`;
  return html`<div class="curves">
    <div class="canvas" role="img" aria-label=${label} ref=${box}></div>
    <p class="read" aria-hidden="true">${read ?? "Drag to zoom, double-click for the whole."}</p>
    <div class="buttons" role="group" aria-label="Zoom">
      <button type="button" onClick=${() => move(0.5, 0)}>Closer</button>
      <button type="button" onClick=${() => move(2, 0)} disabled=${!isZoomed}>Farther</button>
      <button type="button" onClick=${() => move(1, -0.25)} disabled=${!isZoomed}>Left</button>
      <button type="button" onClick=${() => move(1, 0.25)} disabled=${!isZoomed}>Right</button>
      <button type="button" onClick=${() => zoomTo(null)} disabled=${!isZoomed}>Whole</button>
    </div></div>`;
}

/** Return the points that a logarithmic axis can show. */
function positive(xs, ys) {
  const places = xs.map((x, at) => at).filter((at) => xs[at] > 0);
  return [places.map((at) => xs[at]), places.map((at) => ys[at])];
}

/** Return what the curves are at the cursor, in words. */
function readAt(plot, series) {
  const at = plot.cursor.idx, x = plot.data[0][at];
  const found = series.flatMap(({ label, isLevel }, k) => {
    const value = plot.data[k + 1]?.[at];
    return isLevel || value === null || value === undefined ? [] : [`${label} ${value.toFixed(3)}`];
  });
  return `${x.toLocaleString("en", { maximumSignificantDigits: 6 })}: ${found.join(", ")}`;
}
