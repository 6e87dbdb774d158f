// One model and its text: the text box, what was expected, and the branches.

import { html, useCallback, useEffect, useLayoutEffect, useMemo, useReducer, useRef, useState }
  from "../preact.js";
import { get, inPath } from "../api.js";
import { Expected } from "../letters.js";
import { Field, ModelSelect, Trouble, shown, visible } from "../parts.js";
import { store, stored, useLoaded, useRested, useStored } from "../state.js";
import { Editor, piecesOf, spans } from "./write_editor.js";
import { Pen } from "./write_pen.js";
import { Rules } from "./write_rules.js";
import * as trees from "./write_tree.js";

const MOST = 20_000; // characters of a text
const FULL_BITS = 10, FULL_DIFFERENCE = 5; // at which a letter has the full colour
const RESTED = 250, SAVED = 500; // milliseconds without a change before a text is read, and is stored
const PAUSE = 2_000; // milliseconds after which what is typed is a branch of its own
const ASKED = 3_000; // milliseconds after which a server that is away is asked again
const EXCERPT = 44; // characters

/** A tree of branches that a reload keeps. It is stored when it rests, since a text can grow by the millisecond. */
function useTree(key) {
  const [tree, setTree] = useState(() => trees.checked(stored(key, null))), now = useRef(tree);
  now.current = tree;
  useEffect(() => {
    const timer = setTimeout(() => store(key, tree), SAVED);
    return () => clearTimeout(timer);
  }, [tree]);
  useEffect(() => {
    const save = () => store(key, now.current);
    addEventListener("pagehide", save);
    return () => (removeEventListener("pagehide", save), save());
  }, []);
  return [tree, setTree];
}

const isAway = (problem) => problem?.code === "no_answer";
const told = (problem) =>
  isAway(problem) ? { message: `${problem.message} It is asked again every few seconds.` } : problem;

/** Call `act` when the server answers again; return what ends that. */
function whenBack(act) {
  const ask = () => get("/health").then(() => timer && act(), () => timer &&= setTimeout(ask, ASKED));
  let timer = setTimeout(ask, ASKED);
  return () => (clearTimeout(timer), timer = 0);
}

/** A box to be checked. */
const Check = ({ label, value, set }) => html`<label class="check"><input type="checkbox" checked=${value}
  onChange=${(event) => set(event.target.checked)} />${label}</label>`;

/**
 * A column.
 *
 * id: of all that it stores; asked: the name of a model in the address. options: see Pen.write. fault: why nothing can
 * be written, or "". handle: a ref that gets {prefix, write}. leader: of the second column: {text, bits, perCharacter},
 * bits by character; null: of the first, whose onReading gets it.
 */
export function Column({ id, title, models, asked, options, fault, handle, leader, onReading }) {
  const [chosen, setModel] = useStored(`write:${id}:model`, ""), [label, setLabel] = useStored(`write:${id}:label`, "");
  const [follows, setFollows] = useStored(`write:${id}:follows`, true);
  const [compares, setCompares] = useStored(`write:${id}:compares`, true);
  const [tree, setTree] = useTree(`write:${id}:tree`), [caret, setCaret] = useState(null);
  const [place, setPlace] = useState(null), [said, setSaid] = useState("");
  const [, changed] = useReducer((count) => count + 1, 0), edited = useRef(0), turn = useRef(0);
  const pen = useMemo(() => new Pen(() => changed()), []), text = useMemo(() => trees.textOf(tree), [tree]);
  const model = chosen || models.value[leader ? 1 : 0] || models.value[0], isThere = models.value.includes(model);
  const about = useLoaded(async (signal) =>
    isThere ? (await get(`/v1/models/${inPath(model)}`, { signal })).rnnlab : null, [model, isThere]);
  const why = isThere ? fault : `There is no model of the name ‘${model}’: choose one from the list.`;
  const labels = about.value?.labels ?? [], ownLabel = labels.includes(label) ? label : "";
  const rested = useRested(text, RESTED), isWriting = pen.doing === "writing", isLong = text.length > MOST;
  useEffect(() => asked && setModel(asked), [asked]);
  useEffect(() => () => pen.stop(), []);
  const readAgain = () => pen.read(model, ownLabel, text), retry = useRef(readAgain);
  retry.current = readAgain;
  useEffect(() => isAway(pen.problem) ? whenBack(() => retry.current()) : undefined, [pen.problem]);
  useEffect(() => {
    if (isThere && rested === text && !isLong) pen.read(model, ownLabel, text);
  }, [model, ownLabel, rested, isThere]);

  const found = useMemo(() => spans(pen, text), [pen.tokens, pen.tokens.length, pen.text, text]);
  const known = found.filter(({ bits }) => !Number.isNaN(bits));
  const characters = known.reduce((sum, { from, to }) =>
    sum + (to - from > 1 ? [...text.slice(from, to)].length : 1), 0);
  const isRead = characters > 0 && !pen.doing && pen.text === text;
  const perCharacter = isRead ? known.reduce((sum, { bits }) => sum + bits, 0) / characters : null;
  useEffect(() => {
    if (isRead) setTree((own) => trees.measured(own, shown(perCharacter, 2), model));
  }, [perCharacter, tree.now]);
  const bits = useMemo(() => {
    if (!onReading) return null;
    const own = new Float32Array(text.length).fill(NaN);
    for (const span of found) own.fill(span.bits / (span.to - span.from), span.from, span.to);
    return own;
  }, [found, text, onReading]);
  useLayoutEffect(() => onReading?.({ text, bits, perCharacter }), [text, bits, perCharacter, onReading]);

  const same = leader ? trees.common(leader.text, text) : 0, isComparing = leader && compares;
  const differenceOf = ({ from, to, bits: own }) =>
    to > same ? NaN : own - leader.bits.subarray(from, to).reduce((sum, one) => sum + one, 0);
  const pieces = piecesOf(text, found, pen.tokens, (span) =>
    isComparing ? differenceOf(span) / FULL_DIFFERENCE : span.bits / FULL_BITS, pen.about?.unknown_id);
  const followed = useRested(leader?.text, RESTED);
  useEffect(() => {
    if (leader && follows && followed === leader.text && followed !== text) {
      setTree((own) => trees.edited(own, followed, "the first text"));
    }
  }, [followed, follows]);

  const at = Math.min(caret ?? text.length, text.length), here = pieces.findIndex(({ span }) =>
    span && span.from <= at && at < span.to);
  const put = (where) => (setCaret(where), setPlace(where === null ? null : { at: where }));
  /** Whatever the model is doing ends. */
  const halt = () => {
    pen.stop();
    setSaid("");
    return ++turn.current;
  };
  /** The text is no longer that of the first column. */
  const take = () => (setFollows(false), halt());
  const grown = useCallback(() => setTree((own) => trees.amended(own, pen.text)), []);
  const grow = async (beginning, how, work) => {
    if (why) return;
    const own = take();
    setTree((before) => trees.branched(before, beginning, how));
    put(null);
    await work();
    if (own !== turn.current) return;
    const count = `${pen.count.toLocaleString("en")} ${pen.count === 1 ? "token" : "tokens"} written`;
    setSaid(pen.problem ? "" : pen.end === "document" ? `${count}; the document ends here.` : `${count}.`);
    put(pen.text?.length ?? null);
  };
  const prefix = (end = at) => trees.cut(text, Math.min(end, MOST));
  const write = (beginning) => grow(beginning, `written by ${model}`, () =>
    pen.write(model, ownLabel, beginning, options, grown));
  const goOn = (where, [token, name, p]) => {
    const old = pen.tokens[where], beginning = pen.tokens.slice(0, where).map((one) => one.text).join("");
    if (document.activeElement.matches(":focus-visible")) document.getElementById(`write-${id}`).focus();
    grow(beginning, `${quoted(name)}${old ? ` for ${quoted(old.text)}` : ""}, then ${model}`, () =>
      pen.take(where, { id: token, text: name, p }, options, grown));
  };
  if (handle) handle.current = { prefix, write };
  const go = (branch) => {
    if (branch === null) return;
    take();
    const to = trees.at(tree, branch), whole = trees.textOf(to);
    setTree(to);
    put(whole.length);
    if (whole.length <= MOST) pen.read(model, ownLabel, whole);
  };
  const edit = (value, kind) => {
    take();
    const now = Date.now(), isNew = now - edited.current > PAUSE || kind === "insertFromPaste";
    edited.current = now;
    setTree((own) => trees.edited(own, value, "typed", isNew));
  };
  const key = (event) => {
    const command = event.ctrlKey || event.metaKey, name = event.key.toLowerCase();
    let act = null;
    if (event.key === "Escape" && isWriting) act = () => pen.stop();
    if (command && event.key === "Enter" && !isWriting) act = () => write(prefix(event.target.selectionStart));
    if (command && (name === "y" || name === "z")) {
      act = () => go(name === "y" || event.shiftKey ? trees.after(tree) : trees.before(tree));
    }
    if (!act) return;
    event.preventDefault();
    act();
  };
  const came = (piece, hide) => html`<${Came} span=${pieces[piece].span} text=${text} pen=${pen}
    difference=${isComparing ? differenceOf(pieces[piece].span) : NaN}
    onTake=${(...given) => (hide?.(), goOn(...given))} />`;
  return html`<section class="column" aria-label=${title}>
    <div class="controls">
      <${ModelSelect} label=${title} models=${models} value=${model}
        onChange=${(name) => (halt(), pen.forget(), setModel(name))} />
      ${labels.length > 0 && html`<${Field} label="Label">
        <select value=${ownLabel} onChange=${(event) => setLabel(event.target.value)}>
          <option value="">chosen by the model</option>
          ${labels.map((one) => html`<option key=${one} value=${one}>${one}</option>`)}</select><//>`}
      <div class="buttons">
        <button type="button" class="main" title=${isWriting ? "Escape" : "Ctrl+Enter"}
          aria-disabled=${Boolean(why && !isWriting)} aria-describedby=${why ? `write-${id}-why` : null}
          onClick=${() => isWriting ? pen.stop() : write(prefix())}>${isWriting ? "Stop" : "Write"}</button>
        <button type="button" aria-disabled=${trees.before(tree) === null}
          onClick=${() => go(trees.before(tree))}>Undo</button>
        <button type="button" aria-disabled=${trees.after(tree) === null}
          onClick=${() => go(trees.after(tree))}>Redo</button>
      </div>
    </div>
    ${why && html`<p class="fault" id=${`write-${id}-why`}>${isWriting ? "Waiting" : "Nothing is written"}. ${why}</p>`}
    ${isThere && pen.problem && html`<div class="pinned">
      <${Trouble} problem=${told(pen.problem)} again=${readAgain} /></div>`}
    <div class="desk">
      <div>
        <${Editor} id=${`write-${id}`} label=${`Text, ${title}`} text=${text} pieces=${pieces} place=${place}
          marked=${here} card=${came} busy=${isWriting} onEdit=${edit} onCaret=${setCaret} onKey=${key}
          onHistory=${(isRedo) => go(isRedo ? trees.after(tree) : trees.before(tree))} />
        <${Legend} isDifference=${isComparing} />
        ${leader && html`<div class="controls">
          <${Check} label="Same text as the first" value=${follows} set=${setFollows} />
          <${Check} label="Difference to the first" value=${compares} set=${setCompares} /></div>`}
        <p class="bits">${isRead ? html`<b>${shown(perCharacter, 2)}</b> bits per character over ${
          characters.toLocaleString("en")} predicted characters${isComparing && same === text.length
          && moreOrFewer(perCharacter - leader.perCharacter, "bits", leader.perCharacter)}` : doing(pen)}</p>
        <p class="written-now" role="status">${said}</p>
        ${isLong && html`<p class="note">Texts of up to ${MOST.toLocaleString("en")} characters are read; the model
          writes on after so many.</p>`}
        <${Rules} read=${pen.about} about=${about.value} />
      </div>
      <div class="side">
        <section aria-label=${`At the caret, ${title}`}><h2>At the caret</h2>
          ${here >= 0 ? came(here) : at === text.length && pen.text === text && pen.next
            ? html`<p>What comes next:</p><${Expected} likeliest=${pen.next.alternatives}
              fixed=${pen.about?.unknown_id} onTake=${(...one) => goOn(pen.tokens.length, one)} />`
            : html`<p class="note">Put the caret before a letter to see what else could have stood there.</p>`}
        </section>
        <${Branches} title=${title} tree=${tree} model=${model} go=${go} />
      </div>
    </div>
  </section>`;
}

const quoted = (text) => `‘${visible(text)}’`;
const doing = (pen) => ({ reading: "Reading …", writing: "Writing …" })[pen.doing] ?? "\u00a0";

function moreOrFewer(difference, unit, leading) {
  if (Number.isNaN(difference) || leading === null) return "";
  return `, ${shown(Math.abs(difference), 2)} ${unit} ${difference < 0 ? "fewer" : "more"} than the first model`;
}

/** What came in a place, how surprising it was, and what else was expected. */
function Came({ span, text, pen, onTake, difference }) {
  const { from, to, first, last, bits } = span, own = html`<b>${visible(text.slice(from, to))}</b>`;
  if (Number.isNaN(bits)) return html`<p>${own} is the first; nothing predicts it.</p>`;
  return html`<p>${own} came: ${shown(bits, 2)} bits, probability ${(100 * 2 ** -bits).toPrecision(2)}%${
    moreOrFewer(difference, "bits")}${last > first && "; alternatives to the first of its tokens:"}</p>
    <${Expected} likeliest=${pen.tokens[first].alternatives} came=${pen.tokens[first].id}
      fixed=${pen.about?.unknown_id} onTake=${(...one) => onTake(first, one)} />`;
}

/** What the colours mean. */
function Legend({ isDifference }) {
  const most = isDifference ? FULL_DIFFERENCE : FULL_BITS;
  const steps = isDifference ? [-5, -2.5, 0, 2.5, 5] : [0, 2.5, 5, 7.5, 10];
  const painted = (step) => (span) => {
    span?.style.setProperty("--a", Math.abs(step) / most);
    span?.style.setProperty("--sign", step < 0 ? "var(--below)" : "var(--above)");
  };
  return html`<p class="legend">${isDifference ? "Bits more than the first model" : "Surprise in bits"} ${
    steps.map((step) => html`<span key=${step} ref=${painted(step)}>${`${step}`.replace("-", "−")}${
      step === most && "+"}</span>`)}</p>`;
}

/** All branches; a click goes to one. */
function Branches({ title, tree, model, go }) {
  const all = trees.listed(tree);
  return html`<section class="branches" aria-label=${`Branches, ${title}`}>
    <h2>Branches (${all.length})</h2>
    <ol>${all.map(({ id, depth, text, how, bits, by }) => html`
      <li key=${id} ref=${(item) => item?.style.setProperty("--depth", Math.min(depth, 8))}>
        <button type="button" aria-current=${id === tree.now ? "true" : null} onClick=${() => go(id)}>
          <span class="excerpt">${visible(text.slice(0, EXCERPT)) || "nothing"}${text.length > EXCERPT && " …"}</span>
          <small>${how}${by === model && `, ${bits} bits per character`}</small></button></li>`)}</ol></section>`;
}
