// A field for a number that keeps what is being typed, whatever else is drawn anew meanwhile.

import { html, useId, useState } from "../preact.js";

/**
 * onValue: called with each number from low to high, whole ones unless step is smaller; empty: may it be, as "".
 *
 * What is wrong is said, and still is after the number from before has come back.
 */
export function NumberInput({ value, low, high, step = 1, empty = false, placeholder, onValue }) {
  const [typed, setTyped] = useState(null), [fault, setFault] = useState(""), id = useId();
  const input = (event) => {
    const { value: text, valueAsNumber: number } = event.target;
    const isRight = text === "" ? empty : number >= low && number <= high && (step < 1 || Number.isInteger(number));
    setTyped(text);
    setFault(isRight ? "" : `${step < 1 ? "A number" : "A whole number"} from ${low.toLocaleString("en")} to ${
      high.toLocaleString("en")}, not ${text || "empty"}`);
    if (isRight) onValue(text === "" ? "" : number);
  };
  return html`<input type="number" min=${low} max=${high} step=${step} placeholder=${placeholder}
    aria-describedby=${fault ? id : null} value=${typed ?? value} onInput=${input} onBlur=${() => setTyped(null)} />${
    fault && html`<small class="fault" role="status" id=${id}>${fault}; ${
      value === "" ? "nothing is changed" : `it stays ${value.toLocaleString("en")}`}.</small>`}`;
}
