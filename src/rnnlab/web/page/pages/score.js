// The page Score.

import { html } from "../vendor/htm-preact.js";

export function Score() {
  return html`<h1>Score</h1>`;
}
