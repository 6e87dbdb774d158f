// The page Experiments.

import { html } from "../vendor/htm-preact.js";

export function Experiments() {
  return html`<h1>Experiments</h1>`;
}
