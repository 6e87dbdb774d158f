// The text, each piece in the colour of its surprise; one piece is chosen, by pointing, by a click or by the keyboard.

const MOST_BITS = 8; // surprise of the darkest colour

const SIGNS = { "\n": "⏎", "\t": "⇥", " ": "␣", "\v": "⏎" };

/** Return a piece as it is named: what cannot be seen has a sign. */
function visible(text) {
  return text.length === 1 && SIGNS[text] ? SIGNS[text] : text.replace(/\n/g, "⏎");
}

function spoken(text) {
  return { " ": "space", "\n": "line break", "\v": "line break", "\t": "tab" }[text] ?? text;
}

class ColouredText {
  /** list: the element; card: what is shown where the pointer is; described: gives its content. */
  constructor(list, card, { onChoose, described }) {
    Object.assign(this, { list, card, onChoose, described, chosen: -1 });
    list.addEventListener("click", (event) => this.#choose(this.#index(event.target)));
    list.addEventListener("keydown", (event) => this.#key(event));
    list.addEventListener("focus", () => this.chosen < 0 && this.#choose(0));
    list.addEventListener("pointerover", (event) => this.#point(event.target));
    list.addEventListener("pointerleave", () => (this.card.hidden = true));
  }

  get size() {
    return this.list.children.length;
  }

  /** Show pieces, of which the first `same` are there already. */
  show(pieces, same) {
    const { list } = this;
    if (this.chosen >= same) this.#mark(-1);
    while (list.children.length > same) list.lastChild.remove();
    const added = document.createDocumentFragment();
    for (let at = list.children.length; at < pieces.length; at++) {
      const { text, bits } = pieces[at], span = document.createElement("span");
      span.textContent = text === "\v" ? "\n" : text;
      span.classList.toggle("break", span.textContent === "\n");
      span.id = `piece-${at}`;
      span.setAttribute("role", "option");
      span.setAttribute("aria-selected", "false");
      const surprise = Number.isNaN(bits) ? "not expected" : `${bits.toFixed(1)} bits`;
      span.setAttribute("aria-label", `${spoken(text)}, ${surprise}`);
      if (!Number.isNaN(bits)) span.style.setProperty("--a", Math.min(1, bits / MOST_BITS).toFixed(2));
      added.append(span);
    }
    list.append(added);
  }

  /** Choose a piece and show it within the list; the page itself stays where it is. */
  choose(at) {
    this.#choose(Math.min(at, this.size - 1));
    const { list } = this, span = list.children[this.chosen];
    if (!span) return;
    const top = span.offsetTop, bottom = top + span.offsetHeight;
    if (top < list.scrollTop || bottom > list.scrollTop + list.clientHeight) list.scrollTop = top;
  }

  #index(element) {
    return element.getAttribute("role") === "option" ? Array.prototype.indexOf.call(this.list.children, element) : -1;
  }

  #mark(at) {
    this.list.children[this.chosen]?.setAttribute("aria-selected", "false");
    this.chosen = at;
    const span = this.list.children[at];
    span?.setAttribute("aria-selected", "true");
    if (span) this.list.setAttribute("aria-activedescendant", span.id);
    else this.list.removeAttribute("aria-activedescendant");
    return span;
  }

  #choose(at) {
    if (at < 0 || at >= this.size) return;
    this.#mark(at);
    this.onChoose(at);
  }

  #key(event) {
    const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: 10, ArrowUp: -10 };
    let to = this.chosen + (steps[event.key] ?? NaN);
    if (event.key === "Home") to = 0;
    if (event.key === "End") to = this.size - 1;
    if (Number.isNaN(to)) return;
    event.preventDefault();
    this.#choose(Math.max(0, Math.min(this.size - 1, to)));
    this.list.children[this.chosen]?.scrollIntoView({ block: "nearest" });
  }

  #point(element) {
    const at = this.#index(element);
    this.card.hidden = at < 0;
    if (at < 0) return;
    this.card.replaceChildren(...this.described(at));
    const place = element.getBoundingClientRect(), { width, height } = this.card.getBoundingClientRect();
    const left = Math.max(8, Math.min(place.left, document.documentElement.clientWidth - width - 8));
    const below = place.bottom + 6, above = place.top - height - 6;
    this.card.style.left = `${left}px`;
    this.card.style.top = `${below + height > innerHeight && above > 0 ? above : below}px`;
  }
}

/** Return bars for what was expected: a token, its probability, and whether it is what came. */
function expectedBars(tokenizer, expected, came) {
  return expected.map(({ token, p }) => {
    const row = document.createElement("li"), name = document.createElement("b");
    const bar = document.createElement("i"), share = document.createElement("span");
    const text = tokenizer.name(token);
    name.textContent = visible(text);
    name.setAttribute("aria-label", spoken(text));
    bar.style.setProperty("--p", p.toFixed(4));
    share.textContent = p < 0.001 ? "< 0.1%" : `${(100 * p).toFixed(1)}%`;
    if (token === came) row.className = "came";
    row.append(name, bar, share);
    return row;
  });
}
