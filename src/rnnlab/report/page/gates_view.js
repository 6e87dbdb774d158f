// The gates and the state of a layer as pictures: one square for each unit, orange above 0 and blue below.

const TITLES = {
  rnn: { h: "state" },
  "rnn-relu": { h: "state" },
  gru: { r: "reset gate", z: "update gate", n: "candidate", h: "state" },
  lstm: { i: "input gate", f: "forget gate", g: "candidate", o: "output gate", c: "cell", h: "state" },
};

class GatesView {
  /** figures: where the pictures go; unit: the field that names one; values: where its numbers are said. */
  constructor(cell, figures, unit, values) {
    Object.assign(this, { titles: TITLES[cell], figures, unit, values, parts: [] });
    unit.addEventListener("input", () => this.#tell());
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#draw());
  }

  show(parts) {
    this.parts = parts;
    this.#draw();
    this.#tell();
  }

  #draw() {
    const colours = ["--paper", "--series-2", "--series-1"].map(rgb);
    this.figures.replaceChildren(...this.parts.map((part) => this.#figure(part, colours)));
  }

  #figure({ name, low, high, values }, [paper, above, below]) {
    const size = values.length, columns = Math.ceil(Math.sqrt(size)), rows = Math.ceil(size / columns);
    const most = Number.isFinite(low) && Number.isFinite(high)
      ? 1
      : Math.max(1e-9, values.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0));
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [columns, rows];
    const context = canvas.getContext("2d"), image = context.createImageData(columns, rows);
    values.forEach((value, at) => {
      const share = Math.min(1, Math.abs(value) / most), towards = value > 0 ? above : below;
      for (let k = 0; k < 3; k++) image.data[4 * at + k] = paper[k] + share * (towards[k] - paper[k]);
      image.data[4 * at + 3] = 255;
    });
    context.putImageData(image, 0, 0);
    const mean = values.reduce((sum, value) => sum + value, 0) / size;
    const figure = document.createElement("figure"), caption = document.createElement("figcaption");
    const title = document.createElement("b");
    title.textContent = name;
    caption.append(title, ` ${this.titles[name]} ⌀ ${signed(mean)}`);
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", `${this.titles[name]} ${name} of ${size} units, mean ${signed(mean)}`);
    canvas.addEventListener("pointermove", (event) => {
      const box = canvas.getBoundingClientRect();
      const column = Math.floor(((event.clientX - box.left) / box.width) * columns);
      const row = Math.floor(((event.clientY - box.top) / box.height) * rows);
      const at = row * columns + column;
      if (at >= 0 && at < size) {
        this.unit.value = at;
        this.#tell();
      }
    });
    figure.append(canvas, caption);
    return figure;
  }

  #tell() {
    const at = Number(this.unit.value);
    const size = this.parts[0]?.values.length ?? 0;
    this.values.textContent = at >= 0 && at < size
      ? this.parts.map(({ name, values }) => `${name} ${signed(values[at])}`).join(", ")
      : `There are units 0 to ${size - 1}.`;
  }
}

function signed(value) {
  return value.toFixed(2).replace("-", "−");
}

/** Return red, green and blue of a colour of the page, such as #0067a8. */
function rgb(name) {
  const hex = getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  return [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
}
