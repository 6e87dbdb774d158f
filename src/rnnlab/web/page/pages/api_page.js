// The page of the API.

import { html } from "../vendor/htm-preact.js";

export function Api() {
  return html`<h1>API</h1>`;
}
