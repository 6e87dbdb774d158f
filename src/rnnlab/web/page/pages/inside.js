// The page Inside.

import { html } from "../vendor/htm-preact.js";

export function Inside() {
  return html`<h1>Inside</h1>`;
}
