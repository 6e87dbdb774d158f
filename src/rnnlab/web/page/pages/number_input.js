// A field for a number that keeps what is being typed, whatever else is drawn anew meanwhile.

import { html, useState } from "../preact.js";

/** onValue: called with each number from low to high, whole ones unless step is smaller; empty: may it be, as "". */
export function NumberInput({ value, low, high, step = 1, empty = false, placeholder, onValue }) {
  const [typed, setTyped] = useState(null);
  const input = (event) => {
    const { value: text, valueAsNumber: number } = event.target;
    setTyped(text);
    if (text === "" ? empty : number >= low && number <= high && (step < 1 || Number.isInteger(number))) {
      onValue(text === "" ? "" : number);
    }
  };
  return html`<input type="number" min=${low} max=${high} step=${step} placeholder=${placeholder}
    value=${typed ?? value} onInput=${input} onBlur=${() => setTyped(null)} />`;
}
