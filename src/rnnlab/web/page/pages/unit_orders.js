// In which order units are shown, and what is said of each.

import { useMemo, useState } from "../preact.js";
import { arrays, events } from "../api.js";
import { shown } from "../parts.js";
import { useLoaded } from "../state.js";

export const ORDERS = {
  number: "number",
  value: "value at the chosen token",
  timescales: "how long they keep what they have",
  ablation: "what it costs to switch them off",
  following: "what they follow",
};

/** Characters of the held-out text that a probe reads. */
const CHARACTERS = { timescales: 4_000, ablation: 2_000, following: 20_000 };

/** What is said while a probe works. */
const WORKING = {
  timescales: "Following small changes of every unit", ablation: "Switching off every unit, one by one",
  following: "Comparing every unit with every feature",
};

/** For each probe: [number to sort by, from the largest on; words] of a unit. */
const RANKS = {
  timescales: ({ arrays: { tau }, header }, layer) => (unit) => {
    const tokens = tau[layer * header.hidden_size + unit];
    return [tokens, `keeps what it has for ${shown(tokens, 1)} tokens`];
  },
  ablation: ({ arrays: { at_mean, half_width, limit }, header }, layer) => (unit) => {
    const at = layer * header.hidden_size + unit, bits = at_mean[at];
    const out = bits - half_width[at] > Math.max(0, limit[at]);
    return [bits, `held at its mean it costs ${shown(bits)} ± ${shown(half_width[at])} bits per character${
      out ? ", more than random directions" : ", no more than random directions"}`];
  },
  following: ({ arrays: own, header }, layer, quantity) => {
    const { parts, features, layers, hidden_size } = header, best = new Map();
    const part = Math.max(0, parts.indexOf(quantity));
    const index = (unit) => (part * layers + layer) * hidden_size + unit;
    for (let unit = 0; unit < hidden_size; unit++) {
      const at = index(unit), r = Math.abs(own.test_r[at]), feature = own.chosen[at];
      if (own.follows[at]) best.set(feature, Math.max(r, best.get(feature) ?? 0));
    }
    // Units of one feature stand together, the feature that is followed most closely first.
    return (unit) => {
      const at = index(unit), r = own.test_r[at], feature = own.chosen[at];
      const rank = own.follows[at] ? 10 * best.get(feature) + 2 + feature * 1e-4 : 0;
      return [10 * rank + Math.abs(r), own.follows[at] ? `follows “${features[feature]}” with r = ${shown(r, 2)}`
        : `follows nothing beyond the control; r = ${shown(r, 2)} with “${features[feature]}”`];
    };
  },
};

/**
 * Return {rows, about(unit), finding, share, problem, working}.
 *
 * text: what a model without held-out text reads; values: (tokens, units) of what is shown.
 */
export function useOrder({ kind, text, about, quantity, layer, values, at }) {
  const [share, setShare] = useState(null), units = about.hidden_size;
  const own = Object.keys(about.splits).length ? { model: about.model, characters: CHARACTERS[kind] } : text;
  const asked = RANKS[kind] ? JSON.stringify({ ...own, what: kind }) : "";
  const found = useLoaded(async (signal) => {
    if (!asked) return null;
    const body = JSON.parse(asked);
    setShare(0);
    try {
      for await (const { data } of events("/api/v1/probe", { body: { ...body, progress: true }, signal })) {
        setShare(JSON.parse(data).share);
      }
      return { asked, ...await arrays("/api/v1/probe", body, { signal }) };
    } finally {
      if (!signal.aborted) setShare(null);
    }
  }, [asked]);
  const probe = found.value?.asked === asked ? found.value : null;
  const ranked = useMemo(() => {
    const rank = probe ? RANKS[kind](probe, layer, quantity)
      : kind === "value" ? (unit) => [values[at * units + unit], ""] : (unit) => [-unit, ""];
    return Array.from({ length: units }, (_, unit) => rank(unit));
  }, [probe, kind, layer, quantity, units, kind === "value" && values, kind === "value" && at]);
  const rows = useMemo(() => ranked.map((_, unit) => unit)
    .sort((a, b) => ranked[b][0] - ranked[a][0] || a - b), [ranked]);
  return {
    rows, about: (unit) => ranked[unit]?.[1] ?? "", finding: probe?.header.finding ?? [], share, problem: found.problem,
    working: asked && found.isLoading ? WORKING[kind] : "",
  };
}
