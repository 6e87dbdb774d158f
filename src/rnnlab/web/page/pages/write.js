// The page Write.

import { html } from "../vendor/htm-preact.js";

export function Write() {
  return html`<h1>Write</h1>`;
}
