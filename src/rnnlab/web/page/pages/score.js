// The page Score: how well models predict a text, next to simple methods, and which lines surprise them.

import { html, useEffect, useMemo, useRef, useState } from "../preact.js";
import { post } from "../api.js";
import { Letters } from "../letters.js";
import { Empty, Field, Loading, Trouble, shown, spoken, useModels, visible } from "../parts.js";
import { store, stored, useLoaded, useStored } from "../state.js";
import { Lines } from "./score_lines.js";

/** Characters of a text, of one that stands in the form, and of those that are shown in colours. */
const MOST = 2_000_000, MOST_TYPED = 100_000, MOST_COLOURED = 20_000;

/** A longer list of models can be searched. */
const MANY = 12;

/** A token of so many bits has the full colour. */
const FULL_COLOUR_BITS = 10;

export function Score({ query }) {
  const models = useModels();
  const [mode, setMode] = useStored("score:mode", "text");
  const [typed, setTyped] = useStored("score:text", "");
  const [file, setFile] = useState(null);
  const [chosen, setChosen] = useStored("score:models", null);
  const names = models.value, asked = query.get("model");
  useEffect(() => {
    if (asked) setChosen([asked]);
  }, [asked]);
  if (models.problem) return html`<h1>Score</h1><${Trouble} problem=${models.problem} again=${models.again} />`;
  if (names && !names.length) {
    return html`<h1>Score</h1><${Empty} title="No model yet">
      <p>A model scores a text. <a href="#/runs">Train the first one</a>.</p><//>`;
  }
  const text = file ? file.text : typed;
  const known = (chosen ?? []).filter((name) => names?.includes(name));
  const used = known.length || chosen?.length === 0 ? known : (names ?? []).slice(0, 1);
  const Mode = mode === "lines" ? Lines : Text;
  return html`
    <h1>Score</h1>
    <fieldset class="modes"><legend class="said">What is scored</legend>
      ${[["text", "A text"], ["lines", "Lines, each by itself"]].map(([value, label]) => html`
        <label class="check"><input type="radio" name="mode" checked=${mode === value}
          onChange=${() => setMode(value)} />${label}</label>`)}
    </fieldset>
    <${Source} typed=${typed} setTyped=${setTyped} file=${file} setFile=${setFile} lines=${mode === "lines"} />
    ${names ? html`<${Mode} key=${mode} text=${text} names=${names} chosen=${used} setChosen=${setChosen} />`
      : html`<${Loading} what="models" />`}`;
}

/** The text: typed, pasted, or a file that the browser reads. */
function Source({ typed, setTyped, file, setFile, lines }) {
  const [problem, setProblem] = useState(null);
  const read = async (event) => {
    const found = event.target.files[0];
    if (!found) return;
    event.target.value = "";
    try {
      if (found.size > 4 * MOST) throw new Error(tooLong(found.name, "more than"));
      const text = new TextDecoder("utf-8", { fatal: true }).decode(await found.arrayBuffer());
      if (text.length > MOST) throw new Error(tooLong(found.name, text.length.toLocaleString("en")));
      setProblem(null);
      setFile(text.length > MOST_TYPED ? { name: found.name, text } : null);
      if (text.length <= MOST_TYPED) setTyped(text);
    } catch (error) {
      setProblem(error instanceof TypeError ? new Error(`${found.name} is not text in UTF-8.`) : error);
    }
  };
  return html`
    ${file ? html`<p class="file"><span><b>${file.name}</b>, ${file.text.length.toLocaleString("en")} characters</span>
        <button type="button" class="plain"
          onClick=${() => (setFile(null), setProblem(null))}>Type a text instead</button></p>`
      : html`<${Field} label=${lines ? "Lines" : "Text"}><textarea rows="8" spellcheck=${false} maxlength=${MOST}
          value=${typed} onInput=${(event) => (setTyped(event.target.value), setProblem(null))}></textarea><//>`}
    <div class="controls"><${Field} label="Or a file" note=${`UTF-8, up to ${MOST.toLocaleString("en")} characters`}>
      <input type="file" onChange=${read} /><//></div>
    ${problem && html`<${Trouble} problem=${problem} />`}`;
}

function tooLong(name, size) {
  return `${name} has ${size} characters; a text may have ${MOST.toLocaleString("en")}.`;
}

/** Boxes to choose some models. */
function Models({ names, chosen, setChosen }) {
  const [wanted, setWanted] = useState(""), isLong = names.length > MANY;
  const listed = isLong ? names.filter((name) => name.toLowerCase().includes(wanted.toLowerCase())) : names;
  const toggle = (name, isOn) => setChosen(isOn ? [...chosen, name] : chosen.filter((one) => one !== name));
  return html`<fieldset class="models"><legend>Models</legend>
    ${isLong && html`<div class="controls"><${Field} label="Find" wide
      note=${`${chosen.length} of ${names.length} chosen`}><input type="search" value=${wanted}
      onInput=${(event) => setWanted(event.target.value)} /><//></div>`}
    <div class="boxes">${listed.map((name) => html`
    <label class="check" key=${name}><input type="checkbox" checked=${chosen.includes(name)}
      onChange=${(event) => toggle(name, event.target.checked)} />${name}</label>`)}</div></fieldset>`;
}

/** Return the scores before a reload, of the models that there still are; null: none. */
function storedScores(names) {
  const done = stored("score:done", null), rows = done?.rows.filter(({ model }) => names.includes(model)) ?? [];
  return rows.length ? { ...done, rows } : null;
}

/** Scores of a whole text by some models. */
function Text({ text, names, chosen, setChosen }) {
  const [rule, setRule] = useStored("score:rule", "carried"), [size, setSize] = useStored("score:size", 256);
  const [wantsBaselines, setWantsBaselines] = useStored("score:baselines", true);
  const [done, setDone] = useState(() => storedScores(names)), [now, setNow] = useState(""), ending = useRef(null);
  useEffect(() => () => ending.current?.abort(), []);
  useEffect(() => {
    if (done) store("score:done", done.text.length > MOST_TYPED ? null : done);
  }, [done]);
  const context = rule === "carried" ? rule : `windows:${size}`;
  const start = async (event) => {
    event.preventDefault();
    const own = ending.current = new AbortController(), rows = [], asked = { text, context };
    setDone(null);
    for (const [at, model] of chosen.entries()) {
      setNow(`Scoring with ${model}, ${at + 1} of ${chosen.length} …`);
      try {
        rows.push({ model, ...await post("/api/v1/score", { model, ...asked }, { signal: own.signal }) });
      } catch (problem) {
        if (own.signal.aborted) break;
        rows.push({ model, problem: { message: problem.message } });
      }
      setDone({ ...asked, rows: [...rows] });
    }
    if (ending.current === own) setNow(own.signal.aborted ? "Stopped." : "");
  };
  const isBusy = now.endsWith("…");
  return html`
    <form onSubmit=${start}>
      <${Models} names=${names} chosen=${chosen} setChosen=${setChosen} />
      <div class="controls">
        <${Field} label="State"><select value=${rule} onChange=${(event) => setRule(event.target.value)}>
          <option value="carried">carried through the text</option>
          <option value="windows">from zero in each window</option>
        </select><//>
        ${rule === "windows" && html`<${Field} label="Tokens of a window"><input type="number" min="1" max="1000000"
          required value=${size} onInput=${(event) => setSize(event.target.valueAsNumber || "")} /><//>`}
        <label class="check"><input type="checkbox" checked=${wantsBaselines}
          onChange=${(event) => setWantsBaselines(event.target.checked)} />Simple methods on the same text, too</label>
      </div>
      <div class="buttons">
        <button class="main" type="submit" disabled=${isBusy || !chosen.length || text.length < 2}>Score</button>
        ${isBusy && html`<button type="button" onClick=${() => ending.current.abort()}>Stop</button>`}
      </div>
      <p class="now" role="status">${now || (text.length < 2 ? "A text has two characters or more." : "")}</p>
    </form>
    ${done && html`<${Scores} ...${done} isOld=${done.text !== text || done.context !== context}
      wantsBaselines=${wantsBaselines} isBusy=${isBusy} />`}`;
}

/** The table of what was measured, and the text in the colours of one model. */
function Scores({ text, context, rows, isOld, wantsBaselines, isBusy }) {
  const [focus, setFocus] = useStored("score:focus", "");
  const scored = rows.filter((row) => !row.problem);
  const model = scored.find((row) => row.model === focus)?.model ?? scored[0]?.model;
  const mayMeasure = wantsBaselines && model && !isBusy;
  const measured = useLoaded(async (signal) => mayMeasure
    ? { model, ...await post("/api/v1/baselines", { model, text, context }, { signal }) } : null,
  [text, context, mayMeasure && model]);
  const baselines = mayMeasure && measured.value?.model === model ? measured.value : null;
  return html`
    <section aria-label="Scores">
      <h2>Bits per character</h2>
      ${scored.length > 0 && html`<p class="how">Lower is better.</p>`}
      ${isOld && html`<p class="note">Of the text and settings before they were changed.</p>`}
      ${!isOld && rows.filter((row) => row.problem).map((row) => html`
        <${Trouble} key=${row.model} problem=${{ message: `${row.model}: ${row.problem.message}` }} />`)}
      ${scored.length > 0 && html`<${Table} rows=${scored} baselines=${baselines} />`}
      ${mayMeasure && measured.isLoading && html`<p class="now" role="status">Measuring simple methods …</p>`}
      ${mayMeasure && measured.problem && html`<${Trouble} problem=${measured.problem} again=${measured.again} />`}
      ${baselines && html`<${About} found=${baselines} />`}
    </section>
    ${model && html`<section aria-label="Surprise">
      <h2>Where it is surprised</h2>
      ${scored.length > 1 && html`<div class="controls"><${Field} label="In the colours of" wide><select value=${model}
        onChange=${(event) => setFocus(event.target.value)}>${scored.map((row) => html`
        <option key=${row.model} value=${row.model}>${row.model}</option>`)}</select><//></div>`}
      <${Coloured} text=${text} context=${context} model=${model} />
    </section>`}`;
}

function Table({ rows, baselines }) {
  const all = rows.map((row) => ({
    title: row.model, bits: row.bits_per_character, perplexity: Math.exp(row.nats / row.targets), unknown: row.unknown,
  }));
  for (const part of baselines?.parts ?? []) {
    all.push({
      title: `${baselines.model}, ${part.title}`, bits: part.bits_per_character,
      perplexity: Math.exp(part.nats_per_token), kind: "part",
    });
  }
  for (const one of baselines?.baselines ?? []) {
    all.push({ title: one.title, bits: one.bits_per_character, kind: "baseline", lead: one.lead });
  }
  all.sort((a, b) => a.bits - b.bits);
  const most = all[all.length - 1].bits, hasLead = all.some((row) => row.lead);
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Table of scores"><table class="scores">
    <thead><tr>
      <th scope="col">model or method</th><th scope="col" colspan="2">bits/<br />character</th>
      <th scope="col" class="figure">perplexity/<br />token</th>
      <th scope="col" class="figure">unknown<br />characters</th>
      ${hasLead && html`<th scope="col" class="figure">lead over it<br />± 95%</th>`}
    </tr></thead><tbody>${all.map((row) => html`<tr key=${row.title} class=${row.kind ?? "model"}>
      <th scope="row">${row.title}</th><td class="figure">${shown(row.bits)}</td>
      <td><i class="bar" ref=${(bar) => bar?.style.setProperty("--p", (row.bits / most).toFixed(4))}></i></td>
      <td class="figure">${row.perplexity === undefined ? "" : shown(row.perplexity)}</td>
      <td class="figure">${row.unknown && html`<${Unknown} parts=${row.unknown} />`}</td>
      ${hasLead && html`<td class="figure">${row.lead && lead(row.lead)}</td>`}
    </tr>`)}</tbody></table></div>`;
}

function lead({ bits_per_character: by, low, high }) {
  return `${by < 0 ? "−" : "+"}${shown(Math.abs(by))} ± ${shown((high - low) / 2)}`;
}

/** How many characters were unknown, and which. */
function Unknown({ parts }) {
  const found = Object.entries(parts), count = found.reduce((sum, [part, times]) => sum + times * [...part].length, 0);
  const names = found.slice(0, 5).map(([part]) => visible(part)).join(" ");
  const more = found.length > 5 ? " …" : "";
  return html`${count.toLocaleString("en")}${count > 0 && html` <small>${names}${more}</small>`}`;
}

/** What else is to be said of the simple methods. */
function About({ found }) {
  const left = Object.entries(found.left_out).map(
    ([title, least]) => `${title} (from ${least.toLocaleString("en")} characters on)`,
  );
  return html`<div class="note">
    ${found.baselines.length > 0 && html`
      <p>Simple methods have learned from the training text of ${found.model} alone${
        found.baselines.some((one) => one.lead) ? "; a lead is by how many bits per character it is ahead" : ""}.</p>`}
    ${left.length > 0 && html`<p>Left out, because the text is too short: ${left.join(", ")}.</p>`}
    ${found.notices.map((notice) => html`<p key=${notice}>Note: ${notice}</p>`)}
  </div>`;
}

/** The text, as the model reads it, each token in the colour of its surprise. */
function Coloured({ text, context, model }) {
  const [at, setAt] = useState(-1);
  const beginning = text.slice(0, MOST_COLOURED).replace(/[\uD800-\uDBFF]$/, "");
  const { value, problem, isLoading, again } = useLoaded(
    (signal) => post("/api/v1/score", { model, text: beginning, context, per_token: true }, { signal }),
    [beginning, context, model],
  );
  const pieces = useMemo(() => value ? piecesOf(value) : [], [value]);
  if (problem) return html`<${Trouble} problem=${problem} again=${again} />`;
  if (!value) return html`<${Loading} what="colours" />`;
  return html`
    <p class="how">The stronger the colour, the more bits a token took: none for 0, full from ${FULL_COLOUR_BITS} on.${
      beginning.length < text.length ? ` The first ${beginning.length.toLocaleString("en")} characters.` : ""}</p>
    <${Letters} id="surprise" label="Text with surprise" pieces=${pieces} chosen=${at} onChoose=${setAt}
      busy=${isLoading} card=${(place) => html`<${Card} piece=${pieces[place]} />`} />
    <p class="now" role="status">${at >= 0 && pieces[at] && `${spoken(pieces[at].text)}: ${pieces[at].said}`}</p>`;
}

function Card({ piece }) {
  return html`<p><b>${visible(piece.text)}</b> ${piece.said}</p>`;
}

/** Return the tokens of a scored text as pieces with colours. */
function piecesOf({ text, ends, target_nats: nats }) {
  const letters = [...text];
  return ends.map((end, token) => {
    const bits = token ? nats[token - 1] / Math.LN2 : null;
    const said = bits === null ? "read first, not predicted" : `${shown(bits, 2)} bits, ${chance(2 ** -bits)}`;
    const colour = bits === null ? null : bits / FULL_COLOUR_BITS;
    return { text: letters.slice(ends[token - 1] ?? 0, end).join(""), colour, said };
  });
}

function chance(p) {
  return p >= 0.1 ? `${(100 * p).toFixed(0)}% expected` : `1 in ${Math.round(1 / p).toLocaleString("en")}`;
}
