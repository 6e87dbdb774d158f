// The page Runs.

import { html } from "../vendor/htm-preact.js";

export function Runs() {
  return html`<h1>Runs</h1>`;
}
